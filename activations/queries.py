"""Reads that the interfaces share. Nothing here locks, decides or writes."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from activations.domain.words import RequestState, RestorationState
from activations.models import (
    Activation,
    LedgerEntry,
    License,
    LicenseTerms,
    Restoration,
    Seat,
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


def earlier_restorations(restoration: Restoration) -> QuerySet[Restoration]:
    """The other cases of the same license, newest first: what a decision should know."""
    others = Restoration.objects.filter(activation__license=restoration.activation.license)
    return others.exclude(pk=restoration.pk).select_related("activation").order_by("-requested_at", "-id")


def licenses_named(license_ids: tuple[str, ...]) -> QuerySet[License]:
    return licenses_with_seats().filter(license_id__in=license_ids).order_by("license_id")
