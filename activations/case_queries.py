"""Reads about restoration cases: what a reviewer should know, and whose written-off hosts were seen again.

Nothing here locks, decides or writes. Each function makes the same number of queries however many rows there are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chariot_license.protocol.fingerprint import Fingerprint, match
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, Subquery

from activations.domain.ledger import Kind
from activations.domain.restoring import LossFacts, Quota
from activations.domain.words import ActivationState, LicenseStatus, RestorationState
from activations.models import (
    Activation,
    Evidence,
    LedgerEntry,
    License,
    Restoration,
    Sighting,
    Tombstone,
    UsageRequest,
)

GONE = (ActivationState.LOST, ActivationState.RESTORED)
MOST_EARLIER = 50  # a page with more cases than that is read by nobody
_SEEN = Q(Exists(Sighting.objects.filter(tombstone=OuterRef("pk"))))
_BYTES = ("text", "received", "payload")  # of a Usage Request: large, and not shown beside a case


@dataclass(frozen=True)
class SightedTombstone:
    """A host that was written off and heard of again, with those requests, oldest first."""

    tombstone: Tombstone
    sightings: Sequence[Sighting]

    @property
    def latest(self) -> Sighting:
        return self.sightings[-1]

    @property
    def case(self) -> Restoration | None:
        return self.tombstone.restoration

    @property
    def settled(self) -> bool:
        return self.tombstone.settled_at is not None


@dataclass(frozen=True)
class Loss:
    """The report that an activation's host is gone, and what was heard of that host: its last request of all, and the
    requests since the report, newest first.
    """

    reported_at: datetime
    reported_by: str
    reason: str
    last_request: UsageRequest | None
    since: Sequence[UsageRequest]


@dataclass(frozen=True)
class Review:
    """What the reviewer of a case sees besides the case: the host, and the customer's other cases and sightings.

    `facts` is what the suggestion is made from.
    """

    loss: Loss
    earlier: Sequence[Restoration]
    sighted: Sequence[SightedTombstone]
    facts: LossFacts


def sighted_cases(actor_name: str) -> list[SightedTombstone]:
    """Cases this person requested or approved whose host was seen again and is unsettled; the latest sighting first."""
    mine = _SEEN & (Q(restoration__requested_by=actor_name) | Q(restoration__decided_by=actor_name))
    unsettled = Tombstone.objects.filter(mine, restoration__isnull=False, settled_at__isnull=True)
    return sorted(_with_sightings(unsettled), key=lambda row: (row.latest.seen_at, row.latest.pk), reverse=True)


def sighted_tombstones_of(case: Restoration) -> list[SightedTombstone]:
    """The tombstones that an approved case left, with their sightings, those without any included."""
    return _with_sightings(Tombstone.objects.filter(restoration=case))


def sighted(tombstone: Tombstone) -> SightedTombstone:
    """One tombstone with the requests that were sightings of it."""
    return _with_sightings(Tombstone.objects.filter(pk=tombstone.pk))[0]


def with_sightings(cases: QuerySet[Restoration]) -> QuerySet[Restoration]:
    """Adds `seen_again` (unsettled), `seen_and_settled` and `last_seen` to each case."""
    seen = Sighting.objects.filter(tombstone__restoration=OuterRef("pk"))
    return cases.annotate(
        seen_again=Exists(seen.filter(tombstone__settled_at__isnull=True)),
        seen_and_settled=Exists(seen.filter(tombstone__settled_at__isnull=False)),
        last_seen=Subquery(seen.order_by("-seen_at", "-id").values("seen_at")[:1]),
    )


def evidence_of(case: Restoration) -> QuerySet[Evidence]:
    """The files of a case without their content."""
    return Evidence.objects.filter(restoration=case).defer("content")


def loss_of(activation: Activation, until: datetime | None = None) -> Loss:
    """The latest report of a loss, or the latest before `until`. The activation comes with license and instance."""
    entry = (
        _reports([activation.license.license_id], until).filter(body__contains=f'"{activation.activation_id}"').first()
    )
    at = entry.at if entry else activation.changed_at
    asked = UsageRequest.objects.select_related("instance").defer(*_BYTES).order_by("-received_at", "-id")
    last = asked.filter(instance=activation.instance).first()
    later = asked.filter(Q(instance=activation.instance) | Q(license=activation.license), received_at__gt=at)
    since = [row for row in later if _same_chariot_or_host(row, activation)]
    return Loss(at, entry.actor if entry else "", entry.reason if entry else "", last, since)


def review(case: Restoration, *, now: datetime, quota: Quota) -> Review:
    """Everything that speaks for or against a case. It comes with activation, license, customer and instance."""
    activation = case.activation
    loss = loss_of(activation, until=case.requested_at)
    customer = activation.license.customer_id
    others = Restoration.objects.filter(activation__license__customer_id=customer).exclude(pk=case.pk)
    earlier = list(others.select_related("activation__license").order_by("-requested_at", "-id")[: MOST_EARLIER + 1])
    sighted = [
        row
        for row in _with_sightings(Tombstone.objects.filter(_SEEN, license__customer_id=customer))
        if row.case is None or row.case.pk != case.pk
    ]
    denied = others.filter(activation=activation, state=RestorationState.DENIED).order_by("requested_at")
    facts = LossFacts(
        now=now,
        lost_at=loss.reported_at,
        last_request_at=loss.last_request.received_at if loss.last_request else activation.created_at,
        quota=quota,
        request_after_loss=loss.since[0].received_at if loss.since else None,
        other_losses=_other_losses(activation),
        denied_before=tuple(denied.values_list("restoration_id", flat=True)),
        seen_again=tuple(row.tombstone.tombstone_id for row in sighted if not row.settled),
        seen_and_settled=tuple(row.tombstone.tombstone_id for row in sighted if row.settled),
        container=activation.container,
        license_status=LicenseStatus(activation.license.status),
    )
    return Review(loss, earlier, sighted, facts)


def _with_sightings(tombstones: QuerySet[Tombstone]) -> list[SightedTombstone]:
    requests = Sighting.objects.select_related("request").defer(*(f"request__{name}" for name in _BYTES))
    rows = (
        tombstones.select_related("restoration", "activation", "license__customer")
        .prefetch_related(Prefetch("sightings", requests.order_by("seen_at", "id")))
        .order_by("-placed_at", "-id")
    )
    return [SightedTombstone(row, tuple(row.sightings.all())) for row in rows]


def _same_chariot_or_host(request: UsageRequest, activation: Activation) -> bool:
    """As a later request of a written-off host is recognised (Design 9.5, 9.6): containers are not compared."""
    if request.instance_id == activation.instance_id:
        return True
    if request.license_id != activation.license_id or request.container or activation.container:
        return False
    known, seen = (Fingerprint.from_json(row.fingerprint) for row in (activation, request))
    return match(known, seen).matched


def _other_losses(activation: Activation) -> tuple[datetime, ...]:
    """When the customer's other activations that are lost or restored now were reported lost, the latest first."""
    customer = activation.license.customer_id
    gone = Activation.objects.filter(license__customer_id=customer, state__in=GONE).exclude(pk=activation.pk)
    names = set(gone.values_list("activation_id", flat=True))
    chains = License.objects.filter(customer_id=customer).values("license_id")
    found: dict[str, datetime] = {}
    for at, body in _reports(chains).values_list("at", "body"):
        name = json.loads(body)["data"]["activation_id"]
        if name in names:
            found.setdefault(name, at)
    return tuple(found.values())


def _reports(chains: Iterable[str] | QuerySet[License, Any], until: datetime | None = None) -> QuerySet[LedgerEntry]:
    """The entries that report a loss, newest first."""
    entries = LedgerEntry.objects.filter(kind=Kind.ACTIVATION_LOST, chain__in=chains)
    if until is not None:
        entries = entries.filter(at__lte=until)
    return entries.order_by("-at", "-id")
