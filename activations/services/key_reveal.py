"""Showing a License Key to a person: allowed to few, with a reason, and booked before it is seen."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db import transaction

from activations.domain.ledger import Kind
from activations.domain.words import Ability, Actor
from activations.models import License
from activations.services.booking import Book, lock_license
from activations.services.licenses import license_key
from activations.services.results import BadInput, Refused, bad_reason, lacking, public_id


@dataclass(frozen=True)
class LicenseKeyShown:
    license_id: str
    key_serial: int
    license_key: str = field(repr=False)


def show_license_key(
    *, license_id: str, actor: Actor, source: str, reason: str
) -> LicenseKeyShown | Refused | BadInput:
    """The License Key in clear, for the customer who lost the mail it came in. Each time it is shown is an entry."""
    problem = lacking(actor, [Ability.SHOW_LICENSE_KEY]) or bad_reason(reason)
    if problem:
        return problem
    named = public_id("LIC", license_id)
    if isinstance(named, BadInput):
        return named
    found = License.objects.filter(license_id=named).values_list("pk", flat=True).first()
    if found is None:
        return BadInput("license-unknown", f"There is no license {named}.")
    with transaction.atomic():
        license = lock_license(found)
        with Book(chain=named, actor=actor, source=source, reason=reason) as book:
            book.add(Kind.LICENSE_KEY_SHOWN, {"key_serial": license.key_serial})
        return LicenseKeyShown(named, license.key_serial, license_key(license).text)
