"""Creating and changing licenses, as the tests of both ask for it."""

from __future__ import annotations

from typing import Any

from activations.models import Seat
from activations.services.licenses import FeatureTerm, LicenseChange, LicenseCreated, change_license
from tests.portal.cast import MANAGER, SOURCE, entries

SERVER = FeatureTerm("mqtt-server")


def change(license: LicenseCreated, *, actor: object = MANAGER, reason: str = "agreed", **what: Any) -> Any:
    return change_license(
        license_id=license.license_id,
        change=LicenseChange(**what),
        actor=actor,  # type: ignore[arg-type]
        source=SOURCE,
        reason=reason,
    )


def seats(license: LicenseCreated) -> list[int]:
    rows = Seat.objects.filter(license__license_id=license.license_id).order_by("number")
    return list(rows.values_list("number", flat=True))


def booked(license: LicenseCreated, after: int) -> list[str]:
    found = entries(license.license_id, after=after)
    assert all((actor, reason) == ("manager", "agreed") for _, actor, _, reason in found), found
    return [kind for _, _, kind, _ in found]
