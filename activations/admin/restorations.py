"""Restorations, decided by a second person; and the tombstones that the approved ones leave."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from activations import case_queries
from activations.admin import actions, evidence
from activations.admin.access import DESK, actor_of, may, needs
from activations.admin.base import PagedAdmin, TimeFilter, badge, link, page_of, when
from activations.admin.case_page import restoration_page
from activations.admin.filters import ConditionFilter
from activations.admin.pages import page
from activations.admin.searching import SearchByIds
from activations.domain.words import Ability, RestorationState
from activations.models import Restoration, Sighting, Tombstone
from activations.services import quota, replies
from activations.services.losses import approve_restoration, deny_restoration

SOURCE = "admin"
SEEN_AGAIN = format_html('<span class="badge badge-pending">{}</span>', "seen again")


class SeenAgainFilter(admin.SimpleListFilter):
    """Whether the written-off host was heard of later. `through` leads from a tombstone to the rows of the list."""

    title = "seen again"
    parameter_name = "seen"
    through = "tombstone__restoration"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes, unsettled"), ("settled", "Yes, settled since"), ("no", "No")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        seen = Sighting.objects.filter(**{self.through: OuterRef("pk")})
        unsettled = Exists(seen.filter(tombstone__settled_at__isnull=True))
        if self.value() == "yes":
            return queryset.filter(unsettled)
        if self.value() == "settled":
            return queryset.filter(~unsettled, Exists(seen))
        return queryset.filter(~Exists(seen)) if self.value() == "no" else queryset


class TombstoneSeenFilter(SeenAgainFilter):
    through = "tombstone"


class SettledFilter(ConditionFilter):
    title = "settled"
    parameter_name = "settled"
    conditions = {"no": ("No", Q(settled_at__isnull=True)), "yes": ("Yes", Q(settled_at__isnull=False))}


class AboveQuotaFilter(ConditionFilter):
    title = "quota"
    parameter_name = "quota"
    conditions = {
        "above": ("Approved above it", Q(state=RestorationState.APPROVED, above_quota=True)),
        "within": ("Approved within it", Q(state=RestorationState.APPROVED, above_quota=False)),
    }


class MineFilter(admin.SimpleListFilter):
    """The cases of the person who looks; `case` leads from a row of the list to them."""

    title = "my cases"
    parameter_name = "mine"
    case = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        decides = [("decide", "For me to decide")] if may(request, Ability.DECIDE_RESTORATION) else []
        return [*decides, ("opened", "Opened by me"), ("decided", "Decided by me")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        me = actor_of(request).name
        if self.value() == "decide":
            waits = Q(**{f"{self.case}state": RestorationState.REQUESTED})
            return queryset.filter(waits).exclude(**{f"{self.case}requested_by": me})
        if self.value() == "opened":
            return queryset.filter(**{f"{self.case}requested_by": me})
        return queryset.filter(**{f"{self.case}decided_by": me}) if self.value() == "decided" else queryset


class MyTombstonesFilter(MineFilter):
    case = "restoration__"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("opened", "Case opened by me"), ("decided", "Case decided by me")]


def _by(at: datetime | None, name: str) -> SafeString | str:
    return format_html("{}<br>by {}", when(at), name) if at else "-"


@admin.register(Restoration)
class RestorationAdmin(SearchByIds, PagedAdmin):
    list_display = [
        "restoration_id",
        "state_badge",
        "customer",
        "license_link",
        "host",
        "requested",
        "decided",
    ]
    list_filter = ["state", SeenAgainFilter, AboveQuotaFilter, MineFilter, ("requested_at", TimeFilter)]
    date_hierarchy = "requested_at"
    export_columns = {
        "case": "restoration_id",
        "state": "state",
        "customer": "activation.license.customer.name",
        "License ID": "activation.license.license_id",
        "activation": "activation.activation_id",
        "host": "activation.hostname",
        "requested": "requested_at",
        "requested by": "requested_by",
        "what happened": "reason",
        "decided": "decided_at",
        "decided by": "decided_by",
        "decision": "decision_reason",
        "above quota": "above_quota",
        "seen again": "last_seen",
    }
    empty_words = "A case is opened on the page of an activation that is marked lost."
    empty_link = ("To the activations", "admin:activations_activation_changelist")
    search_fields = [
        "restoration_id",
        "activation__activation_id",
        "activation__hostname",
        "activation__license__license_id",
        "activation__license__customer__name",
        "tombstones__tombstone_id",
    ]
    search_help_text = "Case, activation id, License ID, customer, host or tombstone id"
    public_ids = {
        "RES": "restoration_id",
        "ACT": "activation__activation_id",
        "LIC": "activation__license__license_id",
        "TMB": "tombstones__tombstone_id",
    }

    @admin.display(description="state", ordering="state")
    def state_badge(self, row: Any) -> SafeString:
        said = [badge(row.state)]
        if row.seen_again:
            said.append(format_html("{}<br>{}", SEEN_AGAIN, when(row.last_seen)))
        if row.above_quota:
            said.append(format_html('<span class="quiet">{}</span>', "above quota"))
        return format_html_join(" ", "{}", ((part,) for part in said))

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
    def requested(self, row: Restoration) -> SafeString | str:
        return _by(row.requested_at, row.requested_by)

    @admin.display(description="decided", ordering="decided_at")
    def decided(self, row: Restoration) -> SafeString | str:
        return _by(row.decided_at, row.decided_by)

    def get_queryset(self, request: HttpRequest) -> Any:
        found = (
            super()
            .get_queryset(request)
            .select_related("activation__license__customer", "activation__instance", "activation__seat")
        )
        return case_queries.with_sightings(found)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/approve/", view(approve), name="restoration_approve"),
            path("<int:pk>/deny/", view(deny), name="restoration_deny"),
            path("<int:pk>/evidence/", view(evidence.add), name="restoration_evidence"),
            path("<int:pk>/evidence/<int:evidence_pk>/", view(evidence.download), name="restoration_evidence_file"),
            *super().get_urls(),
        ]

    def row_page(self, request: HttpRequest, row: Restoration) -> HttpResponse:
        return restoration_page(request, row)


def _decision(
    request: HttpRequest,
    case: Restoration,
    verdict: RestorationState,
    service: Callable[..., Any],
    *,
    title: str,
    explanation: str,
    more: Callable[[], dict[str, Any]] = dict,
    dangerous: bool = False,
) -> HttpResponse:
    activation = case.activation
    version = request.POST.get("text_version", "")

    def shown() -> dict[str, Any]:
        draft = replies.verdict(case, replies.text_of_verdict(verdict), "[your reason, above]")
        return {"draft": draft, **more()}

    action = actions.Action(
        title=f"{title} {case.restoration_id}",
        explanation=explanation,
        button=title,
        facts=[
            ("Case", case.restoration_id),
            ("Activation", activation.activation_id),
            ("Customer", activation.license.customer.name),
            ("Host", activation.hostname or "no name given"),
            ("What happened", case.reason),
            ("Requested by", f"{case.requested_by}, {when(case.requested_at)} UTC"),
        ],
        back=page_of(case),
        perform=lambda reason: service(
            restoration_id=case.restoration_id,
            actor=actor_of(request),
            source=SOURCE,
            reason=reason,
            # A form without it, which no page of ours sends, has shown none.
            shown_text=int(version) if version.isascii() and version.isdecimal() and len(version) < 9 else -1,
        ),
        done=lambda result: (f"{case.restoration_id} is {result.state}.", page_of(case)),
        reason_help="Goes into the ledger and cannot be changed there. The reply to the customer may quote it.",
        template="desk/restoration_decision.html",
        dangerous=dangerous,
        more=shown,
    )
    return actions.run(request, action)


def _case(pk: int) -> Restoration:
    return get_object_or_404(Restoration.objects.select_related("activation__license__customer"), pk=pk)


@needs(Ability.DECIDE_RESTORATION)
def approve(request: HttpRequest, pk: int) -> HttpResponse:
    words = (
        "The activation becomes restored and its seat is free for another Chariot. Its host is remembered: if it ever "
        "asks again, the desk shows this case."
    )
    case = _case(pk)
    customer = case.activation.license.customer

    def perform(**what: Any) -> Any:
        return approve_restoration(**what, override="above_quota" in request.POST)

    def more() -> dict[str, Any]:
        return {"quota": quota.quota_of(customer.pk, timezone.now()), "customer": customer.name}

    return _decision(request, case, RestorationState.APPROVED, perform, title="Approve", explanation=words, more=more)


@needs(Ability.DECIDE_RESTORATION)
def deny(request: HttpRequest, pk: int) -> HttpResponse:
    words = "The activation stays lost and keeps its seat. A new case can be opened later."
    return _decision(
        request,
        _case(pk),
        RestorationState.DENIED,
        deny_restoration,
        title="Deny",
        explanation=words,
        dangerous=True,
    )


@admin.register(Tombstone)
class TombstoneAdmin(SearchByIds, PagedAdmin):
    """Hosts that were written off and may still run."""

    nav_name = "Written-off hosts"
    list_display = [
        "tombstone_id",
        "kind",
        "customer",
        "license_link",
        "host",
        "seen_again",
        "settled",
        "placed",
    ]
    list_filter = [
        TombstoneSeenFilter,
        SettledFilter,
        "kind",
        MyTombstonesFilter,
        ("placed_at", TimeFilter),
    ]
    date_hierarchy = "placed_at"
    export_columns = {
        "tombstone": "tombstone_id",
        "kind": "kind",
        "customer": "license.customer.name",
        "License ID": "license.license_id",
        "activation": "activation.activation_id",
        "host": "activation.hostname",
        "case": lambda row: row.restoration.restoration_id if row.restoration else "",
        "written off": "placed_at",
        "times seen again": lambda row: len(row.sightings.all()),
        "settled": "settled_at",
        "settled by": "settled_by",
    }
    empty_words = "A host is written off when a restoration is approved, or when Chariot moves to other hardware."
    search_fields = [
        "tombstone_id",
        "activation__activation_id",
        "activation__hostname",
        "license__license_id",
        "license__customer__name",
        "restoration__restoration_id",
    ]
    search_help_text = "Tombstone id, activation id, License ID, customer, host or case"
    public_ids = {
        "TMB": "tombstone_id",
        "ACT": "activation__activation_id",
        "LIC": "license__license_id",
        "RES": "restoration__restoration_id",
    }

    def get_queryset(self, request: HttpRequest) -> Any:
        found = super().get_queryset(request).select_related("license__customer", "activation", "restoration")
        return found.prefetch_related("sightings")

    def row_page(self, request: HttpRequest, row: Tombstone) -> HttpResponse:
        if request.method == "POST":
            raise PermissionDenied("A written-off host is settled by its deactivation code, or on the desk by a lead.")
        context = {"stone": row, "sighted": case_queries.sighted(row), "may_use_desk": may(request, *DESK)}
        return page(request, "desk/tombstone.html", row.tombstone_id, context)

    @admin.display(description="customer", ordering="license__customer__name")
    def customer(self, row: Tombstone) -> str:
        return row.license.customer.name

    @admin.display(description="host", ordering="activation__hostname")
    def host(self, row: Tombstone) -> str:
        return row.activation.hostname or "-"

    @admin.display(description="license", ordering="license__license_id")
    def license_link(self, row: Tombstone) -> SafeString | str:
        return link(row.license)

    @admin.display(description="written off", ordering="placed_at")
    def placed(self, row: Tombstone) -> str:
        return when(row.placed_at)

    @admin.display(description="seen again")
    def seen_again(self, row: Tombstone) -> SafeString | str:
        sightings = list(row.sightings.all())
        if not sightings:
            return "-"
        badge_or_not = "" if row.settled_at else SEEN_AGAIN
        times = "" if len(sightings) == 1 else f" {len(sightings)} times, last"
        return format_html("{}{}<br>{}", badge_or_not, times, when(sightings[-1].seen_at))

    @admin.display(description="settled", ordering="settled_at")
    def settled(self, row: Tombstone) -> SafeString | str:
        return _by(row.settled_at, row.settled_by)
