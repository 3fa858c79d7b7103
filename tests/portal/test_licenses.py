"""Creating a license."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from chariot_license.protocol.codes import LicenseKey, format_deactivation_code, parse_public_id
from django.utils import timezone

from activations.models import Activation, Customer, License, LicenseTerms, Seat
from activations.services import licenses
from activations.services.licenses import (
    FeatureTerm,
    LicenseChanged,
    LicenseCreated,
    create_license,
    license_key,
    replace_license_key,
)
from activations.services.results import BadInput, Refused
from tests.portal.cast import EVERYONE, MANAGER, SOURCE, answered, entries, length, license_row
from tests.portal.chariot import Chariot, host
from tests.portal.licensing import SERVER, change, seats

BOTH = ("mqtt-server", "mqtt-server-support")


def create(**what: Any) -> LicenseCreated | Refused | BadInput:
    given = {"customer": "Acme Water", "allowed": 2, "features": [SERVER], "actor": MANAGER, "source": SOURCE, **what}
    return create_license(**given)


def test_a_license_has_a_key_seats_and_terms(db: None) -> None:
    made = create(features=[SERVER, FeatureTerm("mqtt-server-support", date(2027, 6, 30))], versions=("2.0", "2.9"))

    assert isinstance(made, LicenseCreated)
    assert parse_public_id("LIC", made.license_id) == made.license_id
    assert LicenseKey.parse(made.license_key).text == made.license_key
    assert seats(made) == [1, 2]
    terms = LicenseTerms.objects.get()
    assert terms.features == [
        {"code": "mqtt-server", "expires": None},
        {"code": "mqtt-server-support", "expires": "2027-06-30"},
    ]
    assert (terms.revision, terms.version_low, terms.version_high) == (1, "2.0", "2.9")
    assert entries(made.license_id) == [(1, "manager", "license.created", "")]


def test_the_license_key_is_stored_encrypted(db: None) -> None:
    made = create()

    assert isinstance(made, LicenseCreated)
    row = license_row(made.license_id)
    key = LicenseKey.parse(made.license_key)
    stored = bytes(row.key_encrypted) + row.key_digest.encode()
    for part in (made.license_key.encode(), key.secret, key.secret.hex().encode(), key.lookup_id.hex().encode()):
        assert part not in stored
    assert license_key(row) == key
    assert made.license_key not in repr(license_key(row))


def test_a_customer_may_have_several_licenses(db: None) -> None:
    create()
    create(customer=" Acme Water ")

    assert (License.objects.count(), Customer.objects.count()) == (2, 1)


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ({"customer": " "}, "customer-missing"),
        ({"customer": "A" * 201}, "customer-unfit"),
        ({"customer": "Acme\nWater"}, "customer-unfit"),
        ({"customer": "Acme \u202e retaW"}, "customer-unfit"),
        ({"customer": "Acme\u200b Water"}, "customer-unfit"),
        ({"customer": "Acme\u2028Water"}, "customer-unfit"),
        ({"features": [FeatureTerm("mqtt-server", date(2020, 1, 1))]}, "features-expired"),
        ({"features": [FeatureTerm(code, date(2020, 1, 1)) for code in BOTH]}, "features-expired"),
        ({"allowed": 0}, "allowed-out-of-range"),
        ({"allowed": 10_001}, "allowed-out-of-range"),
        ({"features": []}, "features-missing"),
        ({"features": [FeatureTerm("teleport")]}, "feature-unknown"),
        ({"features": [SERVER, SERVER]}, "feature-twice"),
        ({"features": [FeatureTerm("mqtt-server", date.max)]}, "feature-date-out-of-range"),
        ({"features": [FeatureTerm("mqtt-server", date.min)]}, "feature-date-out-of-range"),
        ({"features": [FeatureTerm("mqtt-server", date(2200, 1, 1))]}, "feature-date-out-of-range"),
        ({"product": "mqtt-tools"}, "product-unknown"),
        ({"versions": ("two", "")}, "version-unreadable"),
        ({"versions": ("", "2." * 30)}, "version-unreadable"),
        ({"versions": ("3.0", "2.9")}, "versions-reversed"),
    ],
)
def test_what_no_license_can_be(db: None, what: dict[str, Any], code: str) -> None:
    result = create(**what)

    assert (type(result), getattr(result, "code", None)) == (BadInput, code)
    assert not License.objects.exists()
    assert not Customer.objects.exists()


UNSEEN = [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C, 0x200B, 0xFEFF, 0xAD, 0x2028, 0x2029]


@pytest.mark.parametrize("number", [*UNSEEN, 0x00, 0x1B, 0x7F, 0x85, 0xE0041], ids=hex)
def test_what_cannot_be_seen_is_in_no_name_and_no_reason(license: LicenseCreated, number: int) -> None:
    made = create(customer=f"Acme{chr(number)}Water")
    assert isinstance(made, BadInput)
    assert f"U+{number:04X}" in made.message
    result = change(license, allowed=3, reason=f"they {chr(number)} agreed")
    assert (type(result), result.code) == (BadInput, "reason-unfit")
    assert f"U+{number:04X}" in result.message
    assert length(license.license_id) == 1


def test_a_reason_is_a_few_sentences(license: LicenseCreated) -> None:
    assert change(license, allowed=3, reason="x" * 2001).code == "reason-too-long"
    assert isinstance(change(license, allowed=3, reason="x" * 2000), LicenseChanged)


def test_a_reason_holds_no_deactivation_code(license: LicenseCreated) -> None:
    """In the ledger it would lie for good, and free the seat for whoever reads it."""
    code = format_deactivation_code(b"0123456789abcdef")
    assert change(license, allowed=3, reason=f"the customer says {code}").code == "reason-holds-code"
    assert length(license.license_id) == 1


def test_a_reason_may_have_several_lines(license: LicenseCreated) -> None:
    assert isinstance(
        change(license, allowed=3, reason="Order 4711:\r\n\tone more - für Wasserwerk 水"), LicenseChanged
    )


def test_a_last_day_that_is_over_is_warned_of(license: LicenseCreated) -> None:
    """The day itself still counts. An existing license may be ended like that, a new one not."""
    today = timezone.now().date()
    support = [SERVER, FeatureTerm("mqtt-server-support", today - timedelta(days=1))]

    made = create(features=support)
    assert isinstance(made, LicenseCreated)
    [warning] = made.warnings
    assert warning.startswith("The last day of mqtt-server-support, ")
    assert change(license, features=support).warnings == made.warnings
    assert len(change(license, features=[FeatureTerm("mqtt-server", date(2020, 1, 1))]).warnings) == 1
    last_day = create(features=[FeatureTerm("mqtt-server", today)])
    assert isinstance(last_day, LicenseCreated)
    assert last_day.warnings == ()


def test_the_longest_names_still_fit_into_a_usage_license(signing_keys: None) -> None:
    made = create(customer="水" * 200, versions=("1." * 19 + "1", "9." * 19 + "9"))
    assert isinstance(made, LicenseCreated)
    pump = Chariot(made.license_key, host("pump-house"))

    assert pump.install(answered(pump.request())).customer == "水" * 200


@pytest.mark.parametrize("actor", [actor for actor in EVERYONE if actor is not MANAGER])
def test_only_a_license_manager_makes_and_changes_licenses(license: LicenseCreated, actor: object) -> None:
    made = create(actor=actor)
    assert (type(made), getattr(made, "code", None)) == (Refused, "not-allowed")
    assert change(license, actor=actor, allowed=3).code == "not-allowed"
    replaced = replace_license_key(license_id=license.license_id, actor=actor, source=SOURCE, reason="agreed")  # type: ignore[arg-type]
    assert (type(replaced), getattr(replaced, "code", None)) == (Refused, "not-allowed")
    assert length(license.license_id) == 1


def test_the_largest_license(db: None) -> None:
    made = create(allowed=licenses.MOST_ALLOWED)

    assert isinstance(made, LicenseCreated)
    assert Seat.objects.count() == licenses.MOST_ALLOWED
    assert not Activation.objects.exists()
