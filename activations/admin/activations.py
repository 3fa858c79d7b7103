"""Activations: the list, the page of one, and what can be done when its host is gone."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from activations import case_queries, queries
from activations.admin import actions
from activations.admin.access import actor_of, may, needs
from activations.admin.base import PagedAdmin, TimeFilter, badge, link, page_of, when
from activations.admin.pages import page
from activations.admin.words import tell
from activations.domain.words import Ability, ActivationState, RestorationState
from activations.models import Activation, Restoration
from activations.services.losses import mark_lost, request_restoration

SOURCE = "admin"


@admin.register(Activation)
class ActivationAdmin(PagedAdmin):
    list_display = [
        "activation_id",
        "license_link",
        "customer",
        "hostname",
        "state_badge",
        "seat_number",
        "since",
    ]
    list_filter = ["state", ("created_at", TimeFilter)]
    date_hierarchy = "created_at"
    export_columns = {
        "activation": "activation_id",
        "state": "state",
        "customer": "license.customer.name",
        "License ID": "license.license_id",
        "host": "hostname",
        "container": "container",
        "Chariot version": "version",
        "seat": lambda row: row.seat.number if row.seat else "",
        "since": "created_at",
        "changed": "changed_at",
        "Usage License": lambda row: row.usage_license.usage_license_id if row.usage_license else "",
    }
    empty_words = "The first Usage Request that is answered makes the first activation."
    empty_link = ("To the support desk", "admin:desk")
    list_select_related = ["license__customer", "seat"]
    search_fields = ["activation_id", "hostname", "license__license_id", "license__customer__name"]
    search_help_text = "Activation id, host, License ID or customer"
    public_id = ("ACT", "activation_id")

    @admin.display(description="license", ordering="license__license_id")
    def license_link(self, row: Activation) -> SafeString | str:
        return link(row.license)

    @admin.display(description="customer", ordering="license__customer__name")
    def customer(self, row: Activation) -> str:
        return row.license.customer.name

    @admin.display(description="state", ordering="state")
    def state_badge(self, row: Activation) -> SafeString:
        return badge(row.state)

    @admin.display(description="seat")
    def seat_number(self, row: Activation) -> str:
        return str(row.seat.number) if row.seat else "-"

    @admin.display(description="since", ordering="created_at")
    def since(self, row: Activation) -> str:
        return f"{row.created_at:%Y-%m-%d}"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/mark-lost/", view(lost), name="activation_mark_lost"),
            path("<int:pk>/request-restoration/", view(restoration), name="activation_request_restoration"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("license__customer", "seat", "usage_license", "instance")

    def row_page(self, request: HttpRequest, row: Activation) -> HttpResponse:
        return activation_page(request, row)


def activation_page(request: HttpRequest, activation: Activation) -> HttpResponse:
    cases = list(activation.restorations.all())
    open_case = next((case for case in cases if case.state == RestorationState.REQUESTED), None)
    context = {
        "activation": activation,
        "state": badge(activation.state),
        "cases": [(case, badge(case.state)) for case in cases],
        "answers": activation.usage_licenses.select_related("request"),
        "tombstones": activation.tombstones.all(),
        "history": [tell(entry) for entry in queries.history_of_activation(activation)],
        "loss": case_queries.loss_of(activation) if activation.state == ActivationState.LOST else None,
        "open_case": open_case,
        "may_read_ledger": may(request, Ability.READ_LEDGER),
        **_next_step(request, activation, open_case),
    }
    return page(request, "desk/activation.html", activation.activation_id, context)


def _next_step(request: HttpRequest, activation: Activation, open_case: Restoration | None) -> dict[str, Any]:
    """What this user can do about a host that is gone, or why not."""
    active = activation.state == ActivationState.ACTIVE
    restorable = activation.state == ActivationState.LOST and open_case is None
    may_mark, may_request = may(request, Ability.MARK_LOST), may(request, Ability.REQUEST_RESTORATION)
    why_not = ""
    if active and not may_mark:
        why_not = "If this host is gone, a support agent marks its activation as lost."
    if restorable and not may_request:
        why_not = "A support agent opens the case that gives this activation back."
    return {"may_mark_lost": active and may_mark, "may_restore": restorable and may_request, "why_not": why_not}


def _facts(activation: Activation) -> list[tuple[str, object]]:
    loss = case_queries.loss_of(activation)
    asked = f"{when(loss.last_request.received_at)} UTC" if loss.last_request else "none"
    return [
        ("Customer", activation.license.customer.name),
        ("License", link(activation.license)),
        ("Host", activation.hostname or "no name given"),
        ("Activation", format_html("{} {}", activation.activation_id, badge(activation.state))),
        ("Seat", activation.seat.number if activation.seat else "none"),
        ("Chariot", activation.version),
        ("Active since", f"{when(activation.created_at)} UTC"),
        ("Last request", asked),
    ]


def _found(pk: int) -> Activation:
    return get_object_or_404(Activation.objects.select_related("license__customer", "seat", "instance"), pk=pk)


@needs(Ability.MARK_LOST)
def lost(request: HttpRequest, pk: int) -> HttpResponse:
    """The host is gone and was not deactivated. Whoever may, opens the restoration case next, with the same words."""
    activation = _found(pk)
    then = page_of(activation)
    if may(request, Ability.REQUEST_RESTORATION):
        then = reverse("admin:activation_request_restoration", args=[pk])
    action = actions.Action(
        title=f"Mark {activation.hostname or activation.activation_id} lost",
        explanation="For a host that is gone and was not deactivated: burned, flooded, stolen, wiped.",
        button="Mark lost",
        facts=_facts(activation),
        back=page_of(activation),
        perform=lambda reason: mark_lost(
            activation_id=activation.activation_id, actor=actor_of(request), source=SOURCE, reason=reason
        ),
        done=lambda result: (f"{result.activation_id} is lost now. It keeps its seat.", then),
        reason_label="What happened to the host?",
        template="desk/mark_lost.html",
    )
    return actions.run(request, action)


@needs(Ability.REQUEST_RESTORATION)
def restoration(request: HttpRequest, pk: int) -> HttpResponse:
    """Opens the case that gives a lost activation back."""
    activation = _found(pk)
    reported = case_queries.loss_of(activation).reason if activation.state == ActivationState.LOST else ""
    action = actions.Action(
        title=f"Request restoration of {activation.hostname or activation.activation_id}",
        explanation="Opens a case. Another person, a support lead, approves or denies it; only then is the seat free. "
        "Photos, PDF files and mails are added on the next page.",
        button="Request restoration",
        facts=_facts(activation),
        back=page_of(activation),
        perform=lambda reason: request_restoration(
            activation_id=activation.activation_id, actor=actor_of(request), source=SOURCE, reason=reason
        ),
        done=lambda result: (
            f"Case {result.restoration_id} is open. Add the evidence now; a support lead decides.",
            page_of(Restoration.objects.get(restoration_id=result.restoration_id)),
        ),
        reason_label="What happened, in the customer's words?",
        first_reason=reported,
    )
    return actions.run(request, action)
