"""Creating a license, and changing what it grants."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from chariot_license.protocol.codes import LicenseKey, format_deactivation_code, parse_public_id
from django.utils import timezone

from activations.domain.words import LicenseStatus
from activations.models import Activation, Customer, License, LicenseTerms, Seat
from activations.services import licenses
from activations.services.deactivate import deactivate_activation
from activations.services.issue import submit_usage_request
from activations.services.licenses import (
    FeatureTerm,
    LicenseChange,
    LicenseChanged,
    LicenseCreated,
    change_license,
    create_license,
    license_key,
    replace_license_key,
)
from activations.services.results import BadInput, Refused
from tests.portal.cast import (
    AGENT,
    EVERYONE,
    MANAGER,
    SOURCE,
    answered,
    entries,
    issue,
    length,
    license_row,
    make_license,
    occupied,
)
from tests.portal.chariot import Chariot, host

SERVER = FeatureTerm("mqtt-server")
BOTH = ("mqtt-server", "mqtt-server-support")


def create(**what: Any) -> LicenseCreated | Refused | BadInput:
    given = {"customer": "Acme Water", "allowed": 2, "features": [SERVER], "actor": MANAGER, "source": SOURCE, **what}
    return create_license(**given)


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


# --- create -----------------------------------------------------------------------------------------------


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


# --- change -----------------------------------------------------------------------------------------------


def test_terms_change_as_a_new_revision(license: LicenseCreated) -> None:
    result = change(license, features=[SERVER, FeatureTerm("iot-bridge-snowflake")], versions=("2.0", ""))

    assert (result.terms_revision, result.changes) == (2, ("license.terms_changed",))
    assert booked(license, 1) == ["license.terms_changed"]
    first, second = LicenseTerms.objects.order_by("revision")
    assert first.features == [{"code": "mqtt-server", "expires": None}]
    assert (second.revision, second.version_low, len(second.features)) == (2, "2.0", 2)


def test_versions_alone_keep_the_features(license: LicenseCreated) -> None:
    change(license, versions=("2.0", "2.9"))

    assert LicenseTerms.objects.get(revision=2).features == [{"code": "mqtt-server", "expires": None}]


@pytest.mark.parametrize(
    ("versions", "stored"),
    [
        (("2.1", None), ["2.1", "2.9"]),
        ((None, "3.0"), ["2.0", "3.0"]),
        (("", None), ["", "2.9"]),
        ((None, ""), ["2.0", ""]),
        (("", ""), ["", ""]),
    ],
)
def test_a_version_that_is_not_named_stays(
    license: LicenseCreated, versions: tuple[str | None, str | None], stored: list[str]
) -> None:
    change(license, versions=("2.0", "2.9"))

    assert change(license, versions=versions).terms_revision == 3

    terms = LicenseTerms.objects.get(revision=3)
    assert [terms.version_low, terms.version_high] == stored
    assert booked(license, after=1) == ["license.terms_changed"] * 2


def test_a_version_is_held_against_the_one_that_stays(license: LicenseCreated) -> None:
    change(license, versions=("2.0", "2.9"))

    assert change(license, versions=("3.0", None)).code == "versions-reversed"
    assert change(license, versions=("3.0", "")).terms_revision == 3
    assert booked(license, after=1) == ["license.terms_changed"] * 2


SAME: list[dict[str, Any]] = [
    {"allowed": 2},
    {"features": [FeatureTerm("mqtt-server-support"), SERVER]},
    {"versions": ("2.0", "2.9")},
    {"versions": ("2.0", None)},
    {"versions": (None, None)},
    {"allowed": 2, "features": [SERVER, FeatureTerm("mqtt-server-support")], "versions": (None, "2.9")},
]


@pytest.mark.parametrize("same", SAME)
def test_what_is_so_already_is_not_booked_again(license: LicenseCreated, same: dict[str, Any]) -> None:
    change(license, features=[SERVER, FeatureTerm("mqtt-server-support")], versions=("2.0", "2.9"))

    refused = change(license, **same)

    assert isinstance(refused, Refused)
    assert refused.code == "nothing-changed"
    assert refused.message.startswith("Nothing was booked")
    assert booked(license, after=1) == ["license.terms_changed"]
    assert License.objects.get().terms_revision == LicenseTerms.objects.count() == 2


@pytest.mark.parametrize("same", SAME)
def test_only_what_differs_is_booked(license: LicenseCreated, same: dict[str, Any]) -> None:
    change(license, features=[SERVER, FeatureTerm("mqtt-server-support")], versions=("2.0", "2.9"))

    result = change(license, status=LicenseStatus.SUSPENDED, **same)

    assert result.changes == ("license.suspended",)
    assert (result.terms_revision, result.allowed) == (2, 2)
    assert booked(license, after=2) == ["license.suspended"]


def test_nothing_is_changed_of_a_revoked_license(license: LicenseCreated) -> None:
    change(license, status=LicenseStatus.REVOKED)

    assert change(license, allowed=2).code == "license-revoked"


def test_more_activations_are_more_seats(license: LicenseCreated) -> None:
    result = change(license, allowed=4)

    assert (result.allowed, seats(license)) == (4, [1, 2, 3, 4])
    assert booked(license, 1) == ["license.allowed_changed"]


def test_fewer_activations_take_free_seats_only(license: LicenseCreated) -> None:
    """The seat that is held stays, whatever its number; a later raise fills the gap."""
    pump, mill = (Chariot(license.license_key, host(name)) for name in ("pump-house", "mill"))
    for chariot in (pump, mill):
        chariot.install(answered(chariot.request()))
    deactivate_activation(license_id=license.license_id, code=pump.deactivate(), actor=AGENT, source=SOURCE)

    assert change(license, allowed=1).allowed == 1
    assert seats(license) == [2]
    assert change(license, allowed=3).allowed == 3
    assert seats(license) == [1, 2, 3]


def test_allowed_is_never_below_what_is_occupied(license: LicenseCreated) -> None:
    for name in ("pump-house", "mill"):
        answered(Chariot(license.license_key, host(name)).request())
    before = length(license.license_id)

    result = change(license, allowed=1, features=[FeatureTerm("iot-bridge-snowflake")])

    assert (type(result), result.code) == (Refused, "allowed-below-occupied")
    assert length(license.license_id) == before  # all of it or none
    assert LicenseTerms.objects.count() == 1


def test_suspend_reinstate_revoke(license: LicenseCreated) -> None:
    assert change(license, status=LicenseStatus.SUSPENDED).status == "suspended"
    assert change(license, status=LicenseStatus.SUSPENDED).code == "status-unchanged"
    assert change(license, status=LicenseStatus.ACTIVE).status == "active"
    assert change(license, status=LicenseStatus.REVOKED).status == "revoked"
    for what in ({"status": LicenseStatus.ACTIVE}, {"allowed": 5}):
        assert change(license, **what).code == "license-revoked"
    assert booked(license, 1) == ["license.suspended", "license.reinstated", "license.revoked"]


def test_several_changes_are_booked_together(license: LicenseCreated) -> None:
    result = change(license, allowed=5, versions=("2.0", ""), status=LicenseStatus.SUSPENDED, customer="Beta Mills")

    assert isinstance(result, LicenseChanged)
    assert (
        booked(license, 1)
        == list(result.changes)
        == [
            "license.terms_changed",
            "license.allowed_changed",
            "license.suspended",
            "license.transferred",
            "license.key_replaced",
        ]
    )


def test_a_transfer_ends_the_earlier_owners_key(license: LicenseCreated) -> None:
    pump = Chariot(license.license_key, host("pump-house"))
    pump.install(answered(pump.request()))

    result = change(license, customer="Beta Mills")

    assert result.license_key not in (None, license.license_key)
    assert license_row(license.license_id).customer.name == "Beta Mills"
    refused = submit_usage_request(source=pump.request(), actor=AGENT, origin=SOURCE)
    assert isinstance(refused, Refused)
    assert refused.code == "license-key-replaced"
    pump.use_key(result.license_key)
    assert pump.install(answered(pump.request())).customer == "Beta Mills"


def test_a_transfer_to_its_own_customer_replaces_no_key(license: LicenseCreated) -> None:
    result = change(license, customer=" Acme Water ", allowed=5)

    assert (type(result), result.code) == (Refused, "customer-unchanged")
    assert length(license.license_id) == 1
    assert license_key(license_row(license.license_id)).text == license.license_key


def test_a_replaced_key_keeps_the_hosts_recognisable(license: LicenseCreated) -> None:
    pump = Chariot(license.license_key, host("pump-house"))
    pump.install(answered(pump.request()))
    old = pump.request()

    made = replace_license_key(license_id=license.license_id, actor=MANAGER, source=SOURCE, reason="leaked")

    assert isinstance(made, LicenseCreated)
    assert entries(license.license_id)[-1][1:] == ("manager", "license.key_replaced", "leaked")
    refused = submit_usage_request(source=old, actor=AGENT, origin=SOURCE)
    assert isinstance(refused, Refused)
    assert refused.code == "license-key-replaced"
    pump.use_key(made.license_key)
    assert issue(pump.request()).decision.code == "updated"
    assert occupied(license.license_id) == 1


def test_identifiers_as_people_type_them(license: LicenseCreated) -> None:
    typed = LicenseCreated(license.license_id.lower().replace("-", " "), "")

    assert change(typed, allowed=3).license_id == license.license_id


def test_bad_input_changes_nothing(license: LicenseCreated) -> None:
    unknown = make_license()
    License.objects.get(license_id=unknown.license_id)
    mistyped = LicenseCreated(license.license_id[:-1] + ("0" if license.license_id[-1] != "0" else "2"), "")
    codes = [
        change(license).code,
        change(license, allowed=3, reason="  ").code,
        change(mistyped, allowed=3).code,
        change(license, features=[FeatureTerm("teleport")]).code,
        change(license, versions=("x", "")).code,
        change(license, customer="").code,
        change(license, allowed=-1).code,
    ]
    assert codes == [
        "nothing-to-change",
        "reason-missing",
        "license-id-typo",
        "feature-unknown",
        "version-unreadable",
        "customer-missing",
        "allowed-out-of-range",
    ]
    assert length(license.license_id) == 1


def test_the_largest_license(db: None) -> None:
    made = create(allowed=licenses.MOST_ALLOWED)

    assert isinstance(made, LicenseCreated)
    assert Seat.objects.count() == licenses.MOST_ALLOWED
    assert not Activation.objects.exists()
