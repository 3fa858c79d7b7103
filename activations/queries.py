"""Reads that the interfaces share. Nothing here locks, decides or writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, F, IntegerField, Max, OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.functions import Cast, Coalesce

from activations.domain.words import LicenseStatus, RequestState, RestorationState, TombstoneKind
from activations.models import (
    Activation,
    LedgerEntry,
    License,
    LicenseTerms,
    Restoration,
    Seat,
    Sighting,
    Tombstone,
    UsageLicense,
    UsageRequest,
)
from activations.models.activations import OCCUPYING


@dataclass(frozen=True)
class SeatView:
    """One seat of a license. `state` is active, lost or free; a free seat has no holder."""

    number: int
    state: str
    holder: Activation | None


def licenses_with_seats() -> QuerySet[License]:
    """Every license with its customer and product, and `occupied`: how many of its seats are taken."""
    held = (
        Activation.objects.filter(license=OuterRef("pk"), state__in=OCCUPYING)
        .order_by()
        .values("license")
        .annotate(held=Count("pk"))
        .values("held")
    )
    return License.objects.select_related("customer", "product").annotate(
        occupied=Coalesce(Subquery(held, output_field=IntegerField()), 0)
    )


def license_named(license_id: str) -> License | None:
    return licenses_with_seats().filter(license_id=license_id).first()


def seats_of(license: License) -> list[SeatView]:
    """The seats of a license by number, each with who holds it."""
    holders = {
        holder.seat_id: holder
        for holder in Activation.objects.filter(license=license, seat__isnull=False).order_by("id")
    }
    return [
        SeatView(seat.number, holders[seat.pk].state if seat.pk in holders else "free", holders.get(seat.pk))
        for seat in Seat.objects.filter(license=license).order_by("number")
    ]


def terms_of(license: License) -> LicenseTerms:
    return LicenseTerms.objects.get(license=license, revision=license.terms_revision)


def activations_of(license: License) -> QuerySet[Activation]:
    return Activation.objects.filter(license=license).select_related("seat", "usage_license").order_by("-id")


def history_of(chain: str, *, newest: int) -> list[LedgerEntry]:
    """The newest entries of a chain, newest first."""
    return list(LedgerEntry.objects.filter(chain=chain).order_by("-seq")[:newest])


def history_of_activation(activation: Activation) -> list[LedgerEntry]:
    """What the ledger says of one activation, newest first."""
    # The id has a check character and 80 random bits: inside a body it can only be this activation.
    entries = LedgerEntry.objects.filter(
        chain=activation.license.license_id, body__contains=f'"{activation.activation_id}"'
    )
    return list(entries.order_by("-seq"))


def booked_for(license_id: str, request_id: str) -> list[LedgerEntry]:
    """Everything that was booked from one Usage Request, oldest first."""
    entries = LedgerEntry.objects.filter(chain=license_id, source__endswith=f":request:{request_id}")
    return list(entries.order_by("seq"))


def request_named(request_id: str) -> UsageRequest | None:
    found = UsageRequest.objects.select_related("license__customer", "instance")
    return found.filter(request_id=request_id).first()


def answer_to(request: UsageRequest) -> UsageLicense | None:
    return UsageLicense.objects.select_related("activation").filter(request=request).first()


def pending_requests() -> QuerySet[UsageRequest]:
    """Usage Requests that wait for a person, oldest first."""
    waiting = UsageRequest.objects.filter(state=RequestState.PENDING)
    return waiting.select_related("license__customer").order_by("received_at", "id")


def open_restorations() -> QuerySet[Restoration]:
    """Restoration cases that wait for a second person, oldest first."""
    waiting = Restoration.objects.filter(state=RestorationState.REQUESTED)
    return waiting.select_related("activation__license__customer").order_by("requested_at", "id")


def licenses_named(license_ids: tuple[str, ...]) -> QuerySet[License]:
    return licenses_with_seats().filter(license_id__in=license_ids).order_by("license_id")


def sighted_tombstones() -> QuerySet[Tombstone]:
    """Restored hosts that were written off and asked again since; `seen` is when, latest first (Design 9.9)."""
    sightings = Sighting.objects.filter(tombstone=OuterRef("pk"))
    open_ones = Tombstone.objects.filter(Exists(sightings), kind=TombstoneKind.RESTORED, settled_at__isnull=True)
    found = open_ones.select_related("license__customer", "activation").annotate(seen=Max("sightings__seen_at"))
    return found.order_by("-seen", "-id")


@dataclass(frozen=True)
class Ending:
    """A license with features that end soon: `features` are (code, last day), the next to end first."""

    license: License
    features: tuple[tuple[str, date], ...]


def ending_soon(today: date, days: int) -> list[Ending]:
    """Licenses whose current terms have a feature with a last day from today to `days` later; first to end first."""
    last = today + timedelta(days=days)
    # The months pick the rows in the database, so that only licenses that may be meant are read.
    months = Q()
    for month in sorted({f"{today + timedelta(days=day):%Y-%m}" for day in range(days + 1)}):
        months |= Q(as_text__contains=f'"{month}-')
    current = LicenseTerms.objects.filter(revision=F("license__terms_revision"))
    current = current.exclude(license__status=LicenseStatus.REVOKED).annotate(as_text=Cast("features", TextField()))
    found = []
    for terms in current.filter(months).select_related("license__customer"):
        features = _ending_features(terms.features, today, last)
        if features:
            found.append(Ending(terms.license, features))
    return sorted(found, key=lambda ending: (ending.features[0][1], ending.license.license_id))


def _ending_features(features: Iterable[dict[str, Any]], today: date, last: date) -> tuple[tuple[str, date], ...]:
    dated = [(feature["code"], date.fromisoformat(feature["expires"])) for feature in features if feature["expires"]]
    return tuple(sorted((row for row in dated if today <= row[1] <= last), key=lambda row: (row[1], row[0])))


def booked_since(since: datetime, kinds: Iterable[str]) -> QuerySet[LedgerEntry]:
    """What was booked of these kinds from then on, newest first."""
    return LedgerEntry.objects.filter(at__gte=since, kind__in=list(kinds)).order_by("-at", "-id")


def numbers_by_kind(entries: QuerySet[LedgerEntry]) -> dict[str, int]:
    """How many of each kind."""
    return dict(entries.order_by().values_list("kind").annotate(Count("pk")))
