"""Activations: the list, the page of one, and what can be done when its host is gone."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from activations import queries
from activations.admin import actions
from activations.admin.access import actor_of, may, needs
from activations.admin.base import ReadOnlyAdmin, badge, link, page_of
from activations.admin.pages import page
from activations.admin.words import tell
from activations.domain.words import Ability, ActivationState
from activations.models import Activation, Restoration
from activations.services.losses import mark_lost, request_restoration

SOURCE = "admin"


@admin.register(Activation)
class ActivationAdmin(ReadOnlyAdmin):
    list_display = [
        "activation_id",
        "license_link",
        "customer",
        "hostname",
        "state_badge",
        "seat_number",
        "since",
    ]
    list_filter = ["state"]
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

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.found(request, object_id)
        return row if isinstance(row, HttpResponse) else activation_page(request, row)


def activation_page(request: HttpRequest, activation: Activation) -> HttpResponse:
    lost = activation.state == ActivationState.LOST
    cases = list(activation.restorations.all())
    context = {
        "activation": activation,
        "state": badge(activation.state),
        "cases": [(case, badge(case.state)) for case in cases],
        "answers": activation.usage_licenses.select_related("request"),
        "tombstones": activation.tombstones.all(),
        "history": [tell(entry) for entry in queries.history_of_activation(activation)],
        "may_mark_lost": activation.state == ActivationState.ACTIVE and may(request, Ability.MARK_LOST),
        "may_restore": lost
        and may(request, Ability.REQUEST_RESTORATION)
        and not any(case.state == "requested" for case in cases),
        "may_read_ledger": may(request, Ability.READ_LEDGER),
    }
    return page(request, "desk/activation.html", activation.activation_id, context)


def _facts(activation: Activation) -> list[tuple[str, object]]:
    return [
        ("Activation", activation.activation_id),
        ("License", activation.license.license_id),
        ("Customer", activation.license.customer.name),
        ("Host", activation.hostname or "no name given"),
        ("State", badge(activation.state)),
    ]


def _found(pk: int) -> Activation:
    return get_object_or_404(Activation.objects.select_related("license__customer"), pk=pk)


@needs(Ability.MARK_LOST)
def lost(request: HttpRequest, pk: int) -> HttpResponse:
    """The host is gone and was not deactivated."""
    activation = _found(pk)
    action = actions.Action(
        title=f"Mark {activation.activation_id} lost",
        explanation="For a host that was destroyed without deactivating. The activation keeps its seat: only its "
        "deactivation code or a restoration, decided by a second person, frees it.",
        button="Mark lost",
        facts=_facts(activation),
        back=page_of(activation),
        perform=lambda reason: mark_lost(
            activation_id=activation.activation_id, actor=actor_of(request), source=SOURCE, reason=reason
        ),
        done=lambda result: (f"{result.activation_id} is lost now. It keeps its seat.", page_of(activation)),
        reason_label="What happened to the host?",
    )
    return actions.run(request, action)


@needs(Ability.REQUEST_RESTORATION)
def restoration(request: HttpRequest, pk: int) -> HttpResponse:
    """Opens the case that gives a lost activation back."""
    activation = _found(pk)
    action = actions.Action(
        title=f"Request restoration of {activation.activation_id}",
        explanation="Opens a case. Another person, a support lead, approves or denies it; only then is the seat free.",
        button="Request restoration",
        facts=_facts(activation),
        back=page_of(activation),
        perform=lambda reason: request_restoration(
            activation_id=activation.activation_id, actor=actor_of(request), source=SOURCE, reason=reason
        ),
        done=lambda result: (
            f"Case {result.restoration_id} is open. A support lead decides it.",
            page_of(Restoration.objects.get(restoration_id=result.restoration_id)),
        ),
        reason_label="What happened, in the customer's words?",
    )
    return actions.run(request, action)
