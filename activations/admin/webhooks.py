"""Webhooks: the receivers of other systems, for administrators, who open and close this door."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache

from activations.admin import actions, once
from activations.admin.access import actor_of, may, needs
from activations.admin.base import PagedAdmin, page_of, when
from activations.admin.filters import ConditionFilter
from activations.admin.pages import page
from activations.admin.webhook_forms import WebhookForm, event_words, pattern_words, state_badge
from activations.domain.words import Ability
from activations.models import DeliveryState, WebhookEndpoint, WebhookState
from activations.services.results import BadInput, Refused
from activations.services.webhooks import replaying
from activations.services.webhooks.disabling import shown
from activations.services.webhooks.endpoints import (
    SecretGiven,
    WebhookChanged,
    change_webhook,
    create_webhook,
    disable_webhook,
    enable_webhook,
    remove_webhook,
    rotate_secret,
)

SOURCE = "admin"
WHO = (Ability.MANAGE_STAFF,)
LIST = "admin:activations_webhookendpoint_changelist"
SHOWN_DELIVERIES = 20
_WAITING = Q(deliveries__state__in=(DeliveryState.WAITING, DeliveryState.SENDING))
_MISSED = "Its secret is shown once only; if it was missed, rotate it there."


class StandingFilter(ConditionFilter):
    title = "state"
    parameter_name = "standing"
    conditions = {
        "active": ("Active", Q(state=WebhookState.ACTIVE)),
        "failing": ("Failing", Q(state=WebhookState.ACTIVE, failing_since__isnull=False)),
        "disabled": ("Disabled", Q(state=WebhookState.DISABLED)),
    }


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(PagedAdmin):
    nav_name = "Webhooks"
    readers = WHO
    list_display = [
        "webhook_id",
        "description",
        "address",
        "wants",
        "standing",
        "delivered",
        "waiting",
        "dead",
        "failing",
    ]
    list_filter = [StandingFilter]
    date_hierarchy = "created_at"
    search_fields = ["webhook_id", "description", "url"]
    search_help_text = "Webhook, description or URL"
    export_columns = {
        "webhook": "webhook_id",
        "description": "description",
        "address": shown,
        "events": lambda row: " ".join(row.events),
        "state": "state",
        "why": "state_why",
        "last delivered": "last_delivered_at",
        "failing since": "failing_since",
    }
    empty_words = "A webhook tells another system of what is booked here. Make one for each system."

    def get_queryset(self, request: HttpRequest) -> Any:
        numbers = {
            "waiting_number": Count("deliveries", filter=_WAITING),
            "dead_number": Count("deliveries", filter=Q(deliveries__state=DeliveryState.DEAD)),
        }
        return super().get_queryset(request).exclude(state=WebhookState.REMOVED).annotate(**numbers)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/edit/", view(change), name="webhook_change"),
            path("<int:pk>/rotate/", view(rotate), name="webhook_rotate"),
            path("<int:pk>/disable/", view(disable), name="webhook_disable"),
            path("<int:pk>/enable/", view(enable), name="webhook_enable"),
            path("<int:pk>/remove/", view(remove), name="webhook_remove"),
            path("<int:pk>/test/", view(test), name="webhook_test"),
            path("<int:pk>/replay/", view(replay), name="webhook_replay"),
            *super().get_urls(),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may(request, *WHO)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        return new(request)

    def row_page(self, request: HttpRequest, row: WebhookEndpoint) -> HttpResponse:
        return endpoint_page(request, row)

    @admin.display(description="goes to")
    def address(self, row: WebhookEndpoint) -> str:
        return shown(row)

    @admin.display(description="events")
    def wants(self, row: WebhookEndpoint) -> str:
        return ", ".join(pattern_words(pattern) for pattern in row.events)

    @admin.display(description="state", ordering="state")
    def standing(self, row: WebhookEndpoint) -> SafeString:
        return state_badge(row.state)

    @admin.display(description="last delivered", ordering="last_delivered_at")
    def delivered(self, row: WebhookEndpoint) -> str:
        return when(row.last_delivered_at)

    @admin.display(description="waiting", ordering="waiting_number")
    def waiting(self, row: Any) -> int:
        return int(row.waiting_number)

    @admin.display(description="dead", ordering="dead_number")
    def dead(self, row: Any) -> int:
        return int(row.dead_number)

    @admin.display(description="failing since", ordering="failing_since")
    def failing(self, row: WebhookEndpoint) -> str:
        return when(row.failing_since)


def endpoint_page(request: HttpRequest, row: WebhookEndpoint, error: str = "") -> HttpResponse:
    newest = row.deliveries.order_by("-queued_at", "-id")[: SHOWN_DELIVERIES + 1]
    counted = dict(row.deliveries.values_list("state").annotate(number=Count("pk")).order_by())
    context = {
        "row": row,
        "address": shown(row),
        "state": state_badge(row.state),
        "disabled": row.state == WebhookState.DISABLED,
        "events": [(pattern, pattern_words(pattern)) for pattern in row.events],
        "deliveries": [(each, event_words(each.event), state_badge(each.state)) for each in newest[:SHOWN_DELIVERIES]],
        "all_url": f"{reverse('admin:activations_webhookdelivery_changelist')}?endpoint__id__exact={row.pk}",
        "waiting": counted.get(DeliveryState.WAITING, 0) + counted.get(DeliveryState.SENDING, 0),
        "delivered": counted.get(DeliveryState.DELIVERED, 0),
        "dead": counted.get(DeliveryState.DEAD, 0),
        "two_secrets": row.before_until is not None and row.before_until > timezone.now(),
        "today": f"{timezone.now():%Y-%m-%d}",
        "error": error,
        "token": once.new_token(),
        "heading": row.description or row.webhook_id,
    }
    return page(request, "webhooks/endpoint.html", f"Webhook {row.webhook_id}", context)


def _found(pk: int) -> WebhookEndpoint:
    return get_object_or_404(WebhookEndpoint.objects.exclude(state=WebhookState.REMOVED), pk=pk)


# --- made and changed --------------------------------------------------------------------------------------


@never_cache
@needs(*WHO)
def new(request: HttpRequest) -> HttpResponse:
    """Makes a webhook. Its secret is on the page that answers, and nowhere afterwards."""

    def make(form: WebhookForm) -> SecretGiven | Refused | BadInput:
        return create_webhook(
            wanted=form.wanted(), actor=actor_of(request), source=SOURCE, reason=form.cleaned_data["reason"]
        )

    return _form_page(request, WebhookForm(request), make, title="New webhook", back=reverse(LIST))


@never_cache
@needs(*WHO)
def change(request: HttpRequest, pk: int) -> HttpResponse:
    row = _found(pk)

    def alter(form: WebhookForm) -> WebhookChanged | Refused | BadInput:
        return change_webhook(
            webhook_id=row.webhook_id,
            wanted=form.wanted(),
            actor=actor_of(request),
            source=SOURCE,
            reason=form.cleaned_data["reason"],
        )

    return _form_page(request, WebhookForm(request, row), alter, title=f"Change {row.webhook_id}", back=page_of(row))


def _form_page(
    request: HttpRequest, form: WebhookForm, book: Callable[[WebhookForm], Any], *, title: str, back: str
) -> HttpResponse:
    error: str = ""
    if request.method == "POST" and form.is_valid():
        with once.sending(request) as sending:
            before = sending.before
            if before and not once.differs(request, before):
                return once.booked_before(request, before, back)
            if before:
                error = once.not_booked(before)
            else:
                result = book(form)
                if not isinstance(result, Refused | BadInput):
                    return _booked(request, result, sending)
                error = form.blame(result)
    context = {"form": form, "error": error, "token": once.new_token(), "back": back, "is_new": back == reverse(LIST)}
    return page(request, "webhooks/form.html", title, context)


def _booked(request: HttpRequest, result: Any, sending: once.Sending) -> HttpResponse:
    there, name = page_of(result.endpoint), result.endpoint.webhook_id
    if isinstance(result, SecretGiven):
        sending.done(f"{name} was made. {_MISSED}", there)
        return _secret_page(request, result)
    sending.done(f"{name} was changed.", there)
    messages.success(request, f"{name} was changed.")
    return redirect(there)


def _secret_page(request: HttpRequest, given: SecretGiven) -> HttpResponse:
    context = {"given": given, "row": given.endpoint, "address": shown(given.endpoint)}
    return page(request, "webhooks/secret.html", f"Secret of {given.endpoint.webhook_id}", context)


# --- what asks for a reason --------------------------------------------------------------------------------


def _action(request: HttpRequest, row: WebhookEndpoint, book: Callable[..., Any], **words: Any) -> actions.Action:
    def perform(reason: str) -> Any:
        return book(webhook_id=row.webhook_id, actor=actor_of(request), source=SOURCE, reason=reason)

    facts = [("Webhook", row.webhook_id), ("Description", row.description or "-"), ("Goes to", shown(row))]
    return actions.Action(facts=facts, back=page_of(row), perform=perform, **words)


@never_cache
@needs(*WHO)
def rotate(request: HttpRequest, pk: int) -> HttpResponse:
    row = _found(pk)
    action = _action(
        request,
        row,
        rotate_secret,
        title=f"Rotate the secret of {row.webhook_id}",
        explanation="Makes a new secret, which is shown once. For 24 hours both secrets sign, so that the receiver can "
        "change over without missing anything. A secret that was replaced before that signs no longer.",
        button="Rotate the secret",
        done=lambda given: (f"The secret of {row.webhook_id} was rotated. {_MISSED}", page_of(row)),
    )
    return actions.run(request, action, lambda given: _secret_page(request, given))


@never_cache
@needs(*WHO)
def disable(request: HttpRequest, pk: int) -> HttpResponse:
    row = _found(pk)
    action = _action(
        request,
        row,
        disable_webhook,
        title=f"Disable {row.webhook_id}",
        explanation="Nothing is sent any more. What waits stays, and goes out if the webhook is enabled again; what is "
        "booked meanwhile can then be replayed.",
        button="Disable",
        dangerous=True,
        done=lambda changed: (f"{row.webhook_id} is disabled.", page_of(row)),
    )
    return actions.run(request, action)


@never_cache
@needs(*WHO)
def enable(request: HttpRequest, pk: int) -> HttpResponse:
    row = _found(pk)
    action = _action(
        request,
        row,
        enable_webhook,
        title=f"Enable {row.webhook_id}",
        explanation="What waits goes out now. What was booked while it was disabled is sent only if you replay it.",
        button="Enable",
        done=lambda changed: (f"{row.webhook_id} is enabled.", page_of(row)),
    )
    return actions.run(request, action)


@never_cache
@needs(*WHO)
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    row = _found(pk)
    action = _action(
        request,
        row,
        remove_webhook,
        title=f"Remove {row.webhook_id}",
        explanation="Its secret is erased and what waits is given up. This cannot be undone; to stop it for a while, "
        "disable it instead.",
        button="Remove",
        dangerous=True,
        done=lambda changed: (f"{row.webhook_id} was removed.", reverse(LIST)),
    )
    return actions.run(request, action)


# --- what is sent again ------------------------------------------------------------------------------------


def _sent(
    request: HttpRequest,
    row: WebhookEndpoint,
    perform: Callable[[], replaying.Replayed | replaying.TestQueued | Refused | BadInput],
) -> HttpResponse:
    """One click, one sending; the page of the webhook shows what became of it."""
    if request.method != "POST":
        return redirect(page_of(row))
    with once.sending(request) as sending:
        if sending.before:
            return once.booked_before(request, sending.before, page_of(row))
        result = perform()
        if not isinstance(result, Refused | BadInput):
            if isinstance(result, replaying.TestQueued):
                words, there = "A test event waits and is sent in a moment.", page_of(result.delivery)
            else:
                number = result.deliveries
                words, there = f"{number} event{'s'[: number != 1]} wait to be sent again.", page_of(row)
            sending.done(words, there)
            messages.success(request, words)
            return redirect(there)
    return endpoint_page(request, row, result.message)


@never_cache
@needs(*WHO)
def test(request: HttpRequest, pk: int) -> HttpResponse:
    row = _found(pk)
    return _sent(request, row, lambda: replaying.send_test(endpoint_pk=row.pk, actor=actor_of(request)))


@never_cache
@needs(*WHO)
def replay(request: HttpRequest, pk: int) -> HttpResponse:
    """Everything that was given up, or everything since a day."""
    row = _found(pk)

    def perform() -> replaying.Replayed | Refused | BadInput:
        actor = actor_of(request)
        if request.POST.get("what") == "dead":
            return replaying.replay_dead(endpoint_pk=row.pk, actor=actor, source=SOURCE)
        try:
            day = date.fromisoformat(request.POST.get("day", ""))
        except ValueError:
            return BadInput("day-missing", "Choose the day since when everything is sent again.")
        return replaying.replay_since(endpoint_pk=row.pk, day=day, actor=actor, source=SOURCE)

    return _sent(request, row, perform)
