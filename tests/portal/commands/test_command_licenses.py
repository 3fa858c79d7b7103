"""The stable commands create_license and change_license."""

from __future__ import annotations

import pytest
from chariot_license.protocol.codes import LicenseKey

from activations.models import License, LicenseTerms
from activations.services.licenses import LicenseCreated
from tests.portal.cast import length
from tests.portal.commands.asking import LICENSE, answer, change, run


def test_create_license() -> None:
    made = answer(*LICENSE, "--feature", "mqtt-server", "mqtt-server-support:2030-12-31", "--actor", "manager")

    assert set(made) == {"outcome", "license_id", "license_key", "warnings"}
    LicenseKey.parse(made["license_key"])
    assert License.objects.get().allowed == 3
    assert LicenseTerms.objects.get().features[1] == {"code": "mqtt-server-support", "expires": "2030-12-31"}


def test_features_may_be_given_one_by_one() -> None:
    answer(*LICENSE, "--feature", "mqtt-server", "--feature", "iot-bridge-snowflake", "--actor", "manager")

    assert len(LicenseTerms.objects.get().features) == 2


@pytest.mark.parametrize(
    ("more", "exit_code", "code"),
    [
        (("--feature", "mqtt-server", "--actor", "agent"), 1, "not-allowed"),
        (("--feature", "mqtt-server", "--actor", "nobody"), 2, "actor-unknown"),
        (("--feature", "teleport", "--actor", "manager"), 2, "feature-unknown"),
        (("--feature", "mqtt-server:tomorrow", "--actor", "manager"), 2, "feature-date"),
        (("--feature", "mqtt-server:20991231", "--actor", "manager"), 2, "feature-date"),
        (("--feature", "mqtt-server:2099-W01-1", "--actor", "manager"), 2, "feature-date"),
        (("--feature", "mqtt-server:\uff12099-01-01", "--actor", "manager"), 2, "feature-date"),
        (("--feature", "mqtt-server:2099-02-30", "--actor", "manager"), 2, "feature-date"),
        (("--feature", "mqtt-server:2020-01-01", "--actor", "manager"), 2, "features-expired"),
        (("--feature", "mqtt-server", "--lowest-version", "x", "--actor", "manager"), 2, "version-unreadable"),
        (("--feature", "mqtt-server", "--actor", "\udcff"), 2, "argument-unreadable"),
    ],
)
def test_create_license_refused(more: tuple[str, ...], exit_code: int, code: str) -> None:
    assert answer(*LICENSE, *more, exit_code=exit_code)["code"] == code
    assert not License.objects.exists()


def test_change_license(license: LicenseCreated) -> None:
    changed = change(license, "--allowed", "5", "--feature", "iot-bridge-snowflake", "--suspend")

    assert changed == {
        "outcome": "done",
        "license_id": license.license_id,
        "terms_revision": 2,
        "allowed": 5,
        "status": "suspended",
        "online": False,
        "changes": ["license.terms_changed", "license.allowed_changed", "license.suspended"],
        "warnings": [],
    }
    assert change(license, "--reinstate")["status"] == "active"
    assert change(license, "--highest-version", "2.9")["changes"] == ["license.terms_changed"]
    assert change(license, "--revoke")["status"] == "revoked"
    assert change(license, "--reinstate", exit_code=1)["code"] == "license-revoked"
    assert change(license, "--allowed", "6", actor="lead", exit_code=1)["code"] == "not-allowed"


def test_online_activation_is_switched_on_and_off(license: LicenseCreated) -> None:
    assert change(license, "--online", "on")["online"] is True
    assert License.objects.get().online
    assert change(license, "--online", "on", exit_code=1)["code"] == "nothing-changed"
    assert change(license, "--online", "off")["changes"] == ["license.online_changed"]
    assert not License.objects.get().online
    assert change(license, "--online", "on", actor="agent", exit_code=1)["code"] == "not-allowed"


def test_a_license_may_be_created_with_online_activation() -> None:
    answer(*LICENSE, "--feature", "mqtt-server", "--online", "--actor", "manager")

    assert License.objects.get().online


def test_change_license_keeps_the_version_that_is_not_named(license: LicenseCreated) -> None:
    def versions(*what: str) -> tuple[str, str]:
        change(license, *what)
        return LicenseTerms.objects.values_list("version_low", "version_high").latest("revision")

    assert versions("--highest-version", "2.9") == ("", "2.9")
    assert versions("--lowest-version", "2.0") == ("2.0", "2.9")
    assert versions("--highest-version", "") == ("2.0", "")
    assert versions("--lowest-version", "", "--highest-version", "3") == ("", "3")
    assert length(license.license_id) == 5


def test_change_license_books_nothing_that_is_so_already(license: LicenseCreated) -> None:
    before = License.objects.get().allowed
    for what in (("--allowed", str(before)), ("--feature", "mqtt-server"), ("--lowest-version", "")):
        refused = change(license, *what, exit_code=1)
        assert (refused["outcome"], refused["code"]) == ("refused", "nothing-changed")
    assert length(license.license_id) == 1


def test_change_license_replaces_the_key(license: LicenseCreated) -> None:
    replaced = change(license, "--replace-key")["license_key"]
    moved = change(license, "--customer", "Beta Mills")["license_key"]

    assert len({license.license_key, replaced, moved}) == 3
    assert change(license, "--replace-key", "--allowed", "3", exit_code=2)["code"] == "replace-key-alone"
    assert change(license, "--customer", "Beta Mills", exit_code=1)["code"] == "customer-unchanged"


def test_a_last_day_that_is_over_is_said(license: LicenseCreated) -> None:
    features = ("--feature", "mqtt-server", "mqtt-server-support:2020-01-01")

    [warning] = change(license, *features)["warnings"]
    assert change(license, "--feature", "mqtt-server")["warnings"] == []
    code, out, err = run("change_license", license.license_id, *features, "--reason", "x", "--actor", "manager")

    assert warning.startswith("The last day of mqtt-server-support, 2020-01-01, is over already")
    assert (code, err) == (0, f"Warning: {warning}\n")
    assert "warnings" not in out
    [warning] = answer(*LICENSE, *features, "--actor", "manager")["warnings"]
    assert "2020-01-01" in warning


def test_lists_are_lines_for_people(license: LicenseCreated) -> None:
    code, out, _ = run(
        "change_license", license.license_id, "--allowed", "5", "--suspend", "--reason", "x", "--actor", "manager"
    )

    assert code == 0
    assert out.splitlines() == [
        f"license_id: {license.license_id}",
        "terms_revision: 1",
        "allowed: 5",
        "status: suspended",
        "online: no",
        "changes:",
        "  license.allowed_changed",
        "  license.suspended",
    ]
    code, out, _ = run("verify_ledger")
    assert (code, out.splitlines()[3:]) == (0, ["rebuild_check: no", "problems: none"])


def test_change_license_bad_input(license: LicenseCreated) -> None:
    assert change(license, exit_code=2)["code"] == "nothing-to-change"
    assert change(LicenseCreated("LIC-1", ""), "--suspend", exit_code=2)["code"] == "license-id-length"
    assert change(license, "--allowed", "0", exit_code=2)["code"] == "allowed-out-of-range"
    assert length(license.license_id) == 1
