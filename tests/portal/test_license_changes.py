"""Changing what a license grants, its owner and its License Key."""

from __future__ import annotations

from typing import Any

import pytest

from activations.domain.words import LicenseStatus
from activations.models import License, LicenseTerms
from activations.services.deactivate import deactivate_activation
from activations.services.issue import submit_usage_request
from activations.services.licenses import FeatureTerm, LicenseChanged, LicenseCreated, license_key, replace_license_key
from activations.services.results import Refused
from tests.portal.cast import (
    AGENT,
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
from tests.portal.licensing import SERVER, booked, change, seats


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
