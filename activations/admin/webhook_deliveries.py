"""What was sent to other systems, and what waits or was given up: body, attempts, and once more."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache

from activations.admin import once
from activations.admin.access import actor_of, needs
from activations.admin.base import PagedAdmin, TimeFilter, link, page_of, when
from activations.admin.filters import ValueFilter
from activations.admin.pages import page
from activations.admin.webhook_forms import event_words, state_badge
from activations.admin.webhooks import SOURCE, WHO
from activations.models import DeliveryState, License, WebhookDelivery, WebhookState
from activations.services.results import BadInput, Refused
from activations.services.webhooks.delivering import headers_of
from activations.services.webhooks.events import TEST, TYPES
from activations.services.webhooks.replaying import send_again

SHOWN_ATTEMPTS = 50


class EventFilter(ValueFilter):
    title = "event"
    parameter_name = "event"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, event_words(name)) for name in (*TYPES, TEST)]


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(PagedAdmin):
    nav_name = "Sent to webhooks"
    readers = WHO
    list_display = ["queued", "what", "webhook", "standing", "attempts", "ended", "problem"]
    list_display_links = ["queued"]
    list_filter = ["state", EventFilter, "endpoint", ("queued_at", TimeFilter)]
    search_fields = ["message_id", "chain", "endpoint__webhook_id"]
    search_help_text = "Event id, License ID or webhook"
    date_hierarchy = "queued_at"
    export_columns = {
        "event id": "message_id",
        "event": "event",
        "webhook": "endpoint.webhook_id",
        "queued": "queued_at",
        "state": "state",
        "attempts": "attempts",
        "ended": "ended_at",
        "problem": "problem",
        "sent again by": "again_by",
    }
    empty_words = "An event is put here when something is booked that a webhook wants to be told of."
    empty_link = ("To the webhooks", "admin:activations_webhookendpoint_changelist")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("endpoint")

    def get_urls(self) -> list[URLPattern]:
        again = path("<int:pk>/again/", self.admin_site.admin_view(send_once_more), name="webhook_send_again")
        return [again, *super().get_urls()]

    def row_page(self, request: HttpRequest, row: WebhookDelivery) -> HttpResponse:
        return delivery_page(request, row)

    @admin.display(description="queued (UTC)", ordering="queued_at")
    def queued(self, row: WebhookDelivery) -> str:
        return when(row.queued_at)

    @admin.display(description="event", ordering="event")
    def what(self, row: WebhookDelivery) -> str:
        return event_words(row.event)

    @admin.display(description="webhook", ordering="endpoint__webhook_id")
    def webhook(self, row: WebhookDelivery) -> SafeString | str:
        gone = row.endpoint.state == WebhookState.REMOVED
        return f"{row.endpoint}, removed" if gone else link(row.endpoint, row.endpoint.description or None)

    @admin.display(description="state", ordering="state")
    def standing(self, row: WebhookDelivery) -> SafeString:
        return state_badge(row.state)

    @admin.display(description="ended", ordering="ended_at")
    def ended(self, row: WebhookDelivery) -> str:
        return when(row.ended_at)


def delivery_page(request: HttpRequest, row: WebhookDelivery, error: str = "") -> HttpResponse:
    tries = list(row.tries.order_by("-at", "-id")[:SHOWN_ATTEMPTS])
    # As the last attempt had them. A signature is good for some minutes, and is made anew for each.
    stamp = int(tries[0].at.timestamp()) if tries else 0
    headers = headers_of(row.message_id, stamp, "v1,[made with the secret of the webhook at each attempt]")
    headers["webhook-timestamp"] = headers["webhook-timestamp"] if tries else "[the time of the attempt]"
    context = {
        "row": row,
        "words": event_words(row.event),
        "state": state_badge(row.state),
        "endpoint_link": row.endpoint if row.endpoint.state == WebhookState.REMOVED else link(row.endpoint),
        "license_link": link(License.objects.filter(license_id=row.chain).first()) if row.chain else "-",
        "readable": json.dumps(json.loads(row.body), indent=2),
        "headers": [pair for pair in headers.items() if pair[0] != "Connection"],
        "tries": tries,
        "number": row.tries.count(),
        "may_send_again": row.state != DeliveryState.SENDING and row.endpoint.state == WebhookState.ACTIVE,
        "off": row.endpoint.state != WebhookState.ACTIVE,
        "error": error,
        "token": once.new_token(),
    }
    return page(request, "webhooks/delivery.html", f"{event_words(row.event)}, {row.message_id}", context)


@never_cache
@needs(*WHO)
def send_once_more(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(WebhookDelivery.objects.select_related("endpoint"), pk=pk)
    if request.method != "POST":
        return redirect(page_of(row))
    shown = request.POST.get("shown", "")
    with once.sending(request) as sending:
        if sending.before:
            return once.booked_before(request, sending.before, page_of(row))
        number = int(shown) if shown.isdecimal() and len(shown) < 9 else -1
        result = send_again(delivery_pk=row.pk, shown=number, actor=actor_of(request), source=SOURCE)
        if not isinstance(result, Refused | BadInput):
            words = f"{row.message_id} waits to be sent again."
            sending.done(words, page_of(row))
            messages.success(request, words)
            return redirect(page_of(row))
    row.refresh_from_db()
    return delivery_page(request, row, result.message)
