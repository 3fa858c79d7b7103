"""Restorations, decided by a second person; and the tombstones that the approved ones leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from activations import queries
from activations.admin import actions
from activations.admin.access import actor_of, may, needs
from activations.admin.base import ReadOnlyAdmin, TimeFilter, badge, link, page_of, when
from activations.admin.pages import page
from activations.domain.words import Ability, RestorationState
from activations.models import Restoration, Tombstone
from activations.services.losses import approve_restoration, deny_restoration

SOURCE = "admin"


@admin.register(Restoration)
class RestorationAdmin(ReadOnlyAdmin):
    list_display = ["restoration_id", "state_badge", "customer", "license_link", "host", "requested_by", "requested"]
    list_filter = ["state", ("requested_at", TimeFilter)]
    list_select_related = ["activation__license__customer"]
    search_fields = [
        "restoration_id",
        "activation__activation_id",
        "activation__license__license_id",
        "activation__license__customer__name",
    ]
    search_help_text = "Case, activation id, License ID or customer"
    public_id = ("RES", "restoration_id")

    @admin.display(description="state", ordering="state")
    def state_badge(self, row: Restoration) -> SafeString:
        return badge(row.state)

    @admin.display(description="customer", ordering="activation__license__customer__name")
    def customer(self, row: Restoration) -> str:
        return row.activation.license.customer.name

    @admin.display(description="license", ordering="activation__license__license_id")
    def license_link(self, row: Restoration) -> SafeString | str:
        return link(row.activation.license)

    @admin.display(description="host")
    def host(self, row: Restoration) -> str:
        return row.activation.hostname or "-"

    @admin.display(description="requested", ordering="requested_at")
    def requested(self, row: Restoration) -> str:
        return when(row.requested_at)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("activation__license__customer")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/approve/", view(approve), name="restoration_approve"),
            path("<int:pk>/deny/", view(deny), name="restoration_deny"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.found(request, object_id)
        return row if isinstance(row, HttpResponse) else restoration_page(request, row)


def restoration_page(request: HttpRequest, case: Restoration) -> HttpResponse:
    context = {
        "case": case,
        "activation": case.activation,
        "state": badge(case.state),
        "activation_state": badge(case.activation.state),
        "earlier": [(row, badge(row.state)) for row in queries.earlier_restorations(case)],
        "tombstones": case.tombstones.all(),
        "open": case.state == RestorationState.REQUESTED,
        "why_not": _why_not(request, case),
    }
    return page(request, "desk/restoration.html", case.restoration_id, context)


def _why_not(request: HttpRequest, case: Restoration) -> str:
    """Why this user cannot decide the case; empty when they can."""
    if not may(request, Ability.DECIDE_RESTORATION):
        return "Your role cannot decide restorations. Ask a support lead."
    if case.requested_by == actor_of(request).name:
        return "You opened this case, so another person must decide it."
    return ""


def _decision(
    request: HttpRequest, pk: int, service: Callable[..., Any], title: str, explanation: str, *, dangerous: bool
) -> HttpResponse:
    found = Restoration.objects.select_related("activation__license__customer")
    case: Restoration = get_object_or_404(found, pk=pk)
    action = actions.Action(
        title=f"{title} {case.restoration_id}",
        explanation=explanation,
        button=title,
        facts=[
            ("Case", case.restoration_id),
            ("Activation", case.activation.activation_id),
            ("Customer", case.activation.license.customer.name),
            ("Host", case.activation.hostname or "no name given"),
            ("What happened", case.reason),
            ("Requested by", f"{case.requested_by}, {when(case.requested_at)} UTC"),
        ],
        back=page_of(case),
        perform=lambda reason: service(
            restoration_id=case.restoration_id, actor=actor_of(request), source=SOURCE, reason=reason
        ),
        done=lambda result: (f"{case.restoration_id} is {result.state}.", page_of(case)),
        dangerous=dangerous,
    )
    return actions.run(request, action)


@needs(Ability.DECIDE_RESTORATION)
def approve(request: HttpRequest, pk: int) -> HttpResponse:
    words = (
        "The activation becomes restored and its seat is free for another Chariot. Its host is remembered: if it ever "
        "asks again, the desk shows this case."
    )
    return _decision(request, pk, approve_restoration, "Approve", words, dangerous=False)


@needs(Ability.DECIDE_RESTORATION)
def deny(request: HttpRequest, pk: int) -> HttpResponse:
    words = "The activation stays lost and keeps its seat. A new case can be opened later."
    return _decision(request, pk, deny_restoration, "Deny", words, dangerous=True)


@admin.register(Tombstone)
class TombstoneAdmin(ReadOnlyAdmin):
    """Hosts that were written off and may still run."""

    nav_name = "Written-off hosts"
    list_display = ["tombstone_id", "kind", "license_link", "activation_link", "placed", "seen_again", "settled"]
    list_filter = ["kind", ("settled_at", admin.EmptyFieldListFilter)]
    search_fields = ["tombstone_id", "activation__activation_id", "license__license_id", "license__customer__name"]
    search_help_text = "Tombstone id, activation id, License ID or customer"
    public_id = ("TMB", "tombstone_id")
    fields = ["tombstone_id", "kind", "license_link", "activation_link", "case_link", "placed", "seen_again", "settled"]

    def get_queryset(self, request: HttpRequest) -> Any:
        found = super().get_queryset(request).select_related("license", "activation", "restoration")
        return found.prefetch_related("sightings")

    @admin.display(description="license", ordering="license__license_id")
    def license_link(self, row: Tombstone) -> SafeString | str:
        return link(row.license)

    @admin.display(description="activation")
    def activation_link(self, row: Tombstone) -> SafeString | str:
        return link(row.activation)

    @admin.display(description="restoration")
    def case_link(self, row: Tombstone) -> SafeString | str:
        return link(row.restoration)

    @admin.display(description="written off", ordering="placed_at")
    def placed(self, row: Tombstone) -> str:
        return when(row.placed_at)

    @admin.display(description="seen again")
    def seen_again(self, row: Tombstone) -> str:
        sightings = list(row.sightings.all())
        return f"{len(sightings)} times, last {when(sightings[-1].seen_at)}" if sightings else "-"

    @admin.display(description="settled", ordering="settled_at")
    def settled(self, row: Tombstone) -> str:
        return f"{when(row.settled_at)} by {row.settled_by}" if row.settled_at else "-"
