"""What a license can be: its customer's name, which features until when, which versions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from chariot_license.protocol.versions import in_range
from django.utils import timezone

from activations.models import Feature, License
from activations.services.results import BadInput, Refused, bad_name
from activations.services.secret_text import without_secrets

if TYPE_CHECKING:
    from activations.services.licenses import FeatureTerm

VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})*")
# What lies outside is a slip of the pen; the far end of the calendar has no second after it to expire at.
EARLIEST_DAY, LATEST_DAY = date(2000, 1, 1), date(2199, 12, 31)
MOST_NAME = 200
MOST_ALLOWED = 10_000
MOST_VERSION = 40


def bad_customer(name: str) -> BadInput | None:
    if not name.strip():
        return BadInput("customer-missing", "Say who the customer is.")
    unfit = bad_name(name.strip(), "The name of the customer", "customer-unfit")
    if unfit:
        return unfit
    if len(name.strip()) > MOST_NAME or not name.strip().isprintable():
        # It stands in every Usage License of the customer, which is as strict (docs/protocol.md).
        message = f"The name of a customer has at most {MOST_NAME} letters, all of them printable."
        return BadInput("customer-unfit", message)
    return None


def bad_contact(name: str, email: str = "") -> BadInput | None:
    """What is wrong with the name of a contact, which may be empty, or would be with an email address that is one."""
    unfit = bad_name(name.strip(), "The name of the contact", "contact-unfit")
    unfit = unfit or bad_name(email.strip(), "The email address of the contact", "email-unfit")
    if unfit is None and len(name.strip()) > MOST_NAME:
        return BadInput("contact-unfit", f"The name of a contact has at most {MOST_NAME} letters.")
    return unfit


def bad_versions(versions: tuple[str, str]) -> BadInput | None:
    for version in filter(None, versions):
        if len(version) > MOST_VERSION or not VERSION.fullmatch(version):
            message = (
                f"{without_secrets(version)!r} is not a version. Write numbers and dots, for example 2.4 or 2.4.1."
            )
            return BadInput("version-unreadable", message)
    low, high = versions
    if low and high and not in_range(low, "", high):
        return BadInput("versions-reversed", f"The lowest version {low} is above the highest, {high}.")
    return None


def bad_features(product: str, features: Sequence[FeatureTerm]) -> BadInput | None:
    known = list(Feature.objects.filter(product__code=product).values_list("code", flat=True))
    if not known:
        return BadInput("product-unknown", f"There is no product {without_secrets(product)}.")
    if not features:
        return BadInput("features-missing", f"Name at least one feature: {', '.join(known)}.")
    codes = [feature.code for feature in features]
    unknown = [code for code in codes if code not in known]
    if unknown:
        return BadInput(
            "feature-unknown", f"{product} has no feature {without_secrets(unknown[0])}. It has: {', '.join(known)}."
        )
    if len(set(codes)) < len(codes):
        return BadInput("feature-twice", "Each feature can be named once.")
    lasts = [feature.expires for feature in features if feature.expires is not None]
    if any(not EARLIEST_DAY <= last <= LATEST_DAY for last in lasts):
        return BadInput(
            "feature-date-out-of-range",
            f"The last day of a feature lies between {EARLIEST_DAY} and {LATEST_DAY}. Leave it out for one that does "
            "not expire.",
        )
    return None


def all_expired(features: Sequence[FeatureTerm]) -> BadInput | None:
    """A license that never grants anything is a slip of the pen. An existing one may be ended like that."""
    today = timezone.now().date()
    lasts = [feature.expires for feature in features]
    if any(last is None or last >= today for last in lasts):
        return None
    newest = max(last for last in lasts if last is not None)
    return BadInput(
        "features-expired",
        f"Every feature would be over before the license begins: the latest last day is {newest}, today is {today}. "
        "Correct the dates.",
    )


def expiry_warnings(features: Sequence[FeatureTerm]) -> tuple[str, ...]:
    """Last days that are over already: allowed, and said, because most of them are typos."""
    today = timezone.now().date()
    return tuple(
        f"The last day of {feature.code}, {feature.expires}, is over already: hosts will not get it."
        for feature in features
        if feature.expires is not None and feature.expires < today
    )


def overtaken(license: License, shown: tuple[int, int] | None) -> Refused | None:
    if shown is None or shown == (license.terms_revision, license.allowed):
        return None
    return Refused(
        "facts-changed",
        f"Somebody changed this license meanwhile: {license.allowed} activations are allowed now, the terms are at "
        f"revision {license.terms_revision}. Nothing was booked. Look at the license, then make your change again.",
    )


def bad_allowed(allowed: int) -> BadInput | None:
    if 1 <= allowed <= MOST_ALLOWED:
        return None
    return BadInput("allowed-out-of-range", f"Allowed activations are between 1 and {MOST_ALLOWED}.")
