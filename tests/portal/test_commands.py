"""The stable commands: what each prints with --json, its exit code, and the role it takes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from chariot_license.protocol.block import Kind
from chariot_license.protocol.codes import LicenseKey
from chariot_license.protocol.license import read_license
from chariot_license.protocol.reader import read_block
from cryptography import x509
from django.core.management import call_command
from django.utils import timezone

from activations.domain.words import ROLES
from activations.models import Activation, IntakeEntry, LedgerEntry, License, LicenseTerms, UsageRequest
from activations.services.actors import create_staff
from activations.services.licenses import LicenseCreated
from tests.ops.processes import ROOT, environment
from tests.portal.cast import ADMINISTRATOR, SOURCE, entries, length
from tests.portal.chariot import Chariot, host

USERS = {
    "agent": "support-agent",
    "lead": "support-lead",
    "second-lead": "support-lead",
    "manager": "license-manager",
    "auditor": "auditor",
    "administrator": "administrator",
}


@pytest.fixture(autouse=True)
def staff(db: None) -> None:
    for username, role in USERS.items():
        create_staff(username=username, role=role, password=None, actor=ADMINISTRATOR, source=SOURCE)


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command(*arguments, stdout=out, stderr=err)
    except SystemExit as stop:
        return int(str(stop.code)), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def answer(*arguments: str, exit_code: int = 0) -> dict[str, Any]:
    """The JSON answer; fails the test when the exit code is another one."""
    code, out, err = run(*arguments, "--json")
    assert (code, err) == (exit_code, ""), (out, err)
    [line] = out.splitlines()
    found = json.loads(line)
    assert found["outcome"] in {0: ("done", "issued", "re-sent"), 1: ("refused",), 2: ("bad-input",)}.get(
        exit_code, ("pending", "unavailable")
    )
    assert exit_code == 0 or (found["code"] and found["message"])
    return dict(found)


@pytest.fixture
def given(tmp_path: Path) -> Any:
    """Writes a text to a file and returns its name."""

    def write(text: str) -> str:
        file = tmp_path / f"{len(list(tmp_path.iterdir()))}.txt"
        file.write_text(text)
        return str(file)

    return write


@pytest.fixture
def pump(license: LicenseCreated) -> Chariot:
    return Chariot(license.license_key, host("pump-house"))


def issue(file: str, *more: str, actor: str = "agent", exit_code: int = 0) -> dict[str, Any]:
    return answer("issue_usage_license", file, "--actor", actor, *more, exit_code=exit_code)


# --- create_staff -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_create_staff(role: str) -> None:
    assert answer("create_staff", "robin", "--role", role) == {"outcome": "done", "username": "robin", "role": role}
    assert answer("create_staff", "robin", "--role", role, exit_code=1)["code"] == "account-exists"
    assert entries("portal")[-1][1:] == ("command-line", "staff.created", "")


def test_create_staff_bad_input() -> None:
    assert answer("create_staff", "robin", "--role", "boss", exit_code=2)["code"] == "role-unknown"
    assert (
        answer("create_staff", "robin", "--role", "auditor", "--password", "x", exit_code=2)["code"]
        == "account-invalid"
    )


def test_disable_and_enable_staff() -> None:
    disable, enable = (
        ("disable_staff", "agent", "--reason", "left us"),
        ("enable_staff", "agent", "--reason", "is back"),
    )
    as_the_agent = ("mark_lost", "ACT-1", "--reason", "x", "--actor", "agent")

    assert answer(*disable, "--actor", "administrator") == {"outcome": "done", "username": "agent", "active": False}
    assert entries("portal")[-1][1:] == ("administrator", "staff.disabled", "left us")
    assert answer(*as_the_agent, exit_code=2)["code"] == "actor-unknown"
    assert answer(*disable, exit_code=1)["code"] == "account-disabled"
    assert answer(*enable) == {"outcome": "done", "username": "agent", "active": True}
    assert entries("portal")[-1][1:] == ("command-line", "staff.enabled", "is back")
    assert answer(*as_the_agent, exit_code=2)["code"] == "activation-id-length"
    assert answer(*enable, exit_code=1)["code"] == "account-enabled"


def test_disable_staff_refused() -> None:
    before = length("portal")
    for actor, code in (("manager", "not-allowed"), ("lead", "not-allowed")):
        given = ("disable_staff", "agent", "--reason", "x", "--actor", actor)
        assert answer(*given, exit_code=1)["code"] == code
    assert answer("disable_staff", "nobody", "--reason", "x", exit_code=2)["code"] == "account-unknown"
    assert answer("disable_staff", "agent", "--reason", " ", exit_code=2)["code"] == "reason-missing"
    assert length("portal") == before


# --- create_license, change_license -----------------------------------------------------------------------

LICENSE = ("create_license", "--customer", "Acme Water", "--allowed", "3")


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


def change(license: LicenseCreated, *what: str, actor: str = "manager", exit_code: int = 0) -> dict[str, Any]:
    return answer(
        "change_license", license.license_id, *what, "--reason", "agreed", "--actor", actor, exit_code=exit_code
    )


def test_change_license(license: LicenseCreated) -> None:
    changed = change(license, "--allowed", "5", "--feature", "iot-bridge-snowflake", "--suspend")

    assert changed == {
        "outcome": "done",
        "license_id": license.license_id,
        "terms_revision": 2,
        "allowed": 5,
        "status": "suspended",
        "changes": ["license.terms_changed", "license.allowed_changed", "license.suspended"],
        "warnings": [],
    }
    assert change(license, "--reinstate")["status"] == "active"
    assert change(license, "--highest-version", "2.9")["changes"] == ["license.terms_changed"]
    assert change(license, "--revoke")["status"] == "revoked"
    assert change(license, "--reinstate", exit_code=1)["code"] == "license-revoked"
    assert change(license, "--allowed", "6", actor="lead", exit_code=1)["code"] == "not-allowed"


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


# --- issue_usage_license ----------------------------------------------------------------------------------


def test_issue_usage_license(license: LicenseCreated, pump: Chariot, given: Any) -> None:
    file = given(f"Dear Support,\n{pump.request()}")

    dry = issue(file, "--dry-run")
    issued = issue(file, "--expect", dry["digest"])
    again = issue(file)

    assert (dry["outcome"], dry["code"], dry["booked"], dry["usage_license"]) == ("issued", "activated", False, None)
    assert (issued["outcome"], issued["code"], issued["booked"]) == ("issued", "activated", True)
    assert (issued["license_id"], issued["activation_id"]) == (
        license.license_id,
        Activation.objects.get().activation_id,
    )
    assert (issued["seats_before"], issued["seats_after"]) == (0, 1)
    granted = pump.install(issued["usage_license"])
    assert granted.usage_license_id == issued["usage_license_id"]
    assert (again["outcome"], again["usage_license"]) == ("re-sent", issued["usage_license"])
    assert {source for source in LedgerEntry.objects.values_list("source", flat=True) if "request" in source} == {
        f"command:request:{issued['request_id']}"
    }


def test_without_json_it_prints_the_block_alone(pump: Chariot, given: Any) -> None:
    code, out, err = run("issue_usage_license", given(pump.request()), "--actor", "agent")

    assert code == 0
    assert pump.install(out)
    assert out.startswith("CHARIOT USAGE LICENSE")
    assert "Takes a seat" in err


def test_it_reads_standard_input(pump: Chariot, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in ((), ("-",)):
        text = pump.request()
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert answer("issue_usage_license", *arguments, "--actor", "agent")["booked"]


def test_a_refusal_by_the_table_exits_1(license: LicenseCreated, pump: Chariot, given: Any) -> None:
    change(license, "--suspend")

    refused = issue(given(pump.request()), exit_code=1)

    assert (refused["outcome"], refused["code"], refused["booked"]) == ("refused", "license-suspended", True)
    assert refused["customer_message"]


def test_facts_that_changed_exit_1(license: LicenseCreated, pump: Chariot, given: Any) -> None:
    file = given(pump.request())
    digest = issue(file, "--dry-run")["digest"]
    change(license, "--allowed", "7")
    before = length(license.license_id)

    stale = issue(file, "--expect", digest, exit_code=1)

    assert (stale["code"], stale["booked"]) == ("facts-changed", False)
    assert length(license.license_id) == before
    assert issue(file, "--expect", stale["digest"])["booked"]


def test_what_a_person_must_decide_exits_3(license: LicenseCreated, pump: Chariot, given: Any) -> None:
    pump.install(issue(given(pump.request()))["usage_license"])
    fresh = pump.reinstalled()
    file = given(fresh.request())

    pending = issue(file, exit_code=3)

    assert (pending["outcome"], pending["code"]) == ("pending", "same-host")
    assert [option["decide"] for option in pending["options"]] == ["reinstalled", "second", "refuse"]
    assert "--decide reinstalled --activation ACT-" in pending["message"]
    assert UsageRequest.objects.get(state="pending")
    code, out, err = run("issue_usage_license", file, "--actor", "agent")
    assert (code, out) == (3, "")
    assert "--decide second" in err
    target = pending["options"][0]["activation_id"]
    decided = issue(file, "--decide", "reinstalled", "--activation", target)
    assert (decided["code"], decided["activation_id"]) == ("reinstalled", target)


def test_leads_decide_with_a_reason(license: LicenseCreated, pump: Chariot, given: Any) -> None:
    pump.install(issue(given(pump.request()))["usage_license"])
    pump.facts = host("pump-house-2")
    file = given(pump.request())
    assert issue(file, exit_code=3)["code"] == "host-changed"

    assert issue(file, "--decide", "rebind", exit_code=1)["code"] == "not-allowed"
    assert issue(file, "--decide", "rebind", actor="lead", exit_code=2)["code"] == "reason-missing"
    assert issue(file, "--decide", "second", actor="lead", exit_code=1)["code"] == "choice-not-open"
    done = issue(file, "--decide", "rebind", "--reason", "lightning", actor="lead")
    assert done["code"] == "rebound"
    assert entries(license.license_id)[-1][1:] == ("lead", "usage_license.issued", "lightning")


def test_bad_input_exits_2(license: LicenseCreated, pump: Chariot, given: Any) -> None:
    assert issue(given("hello"), exit_code=2)["code"] == "no-block"
    assert issue(given(pump.request() + pump.request()), exit_code=2)["code"] == "several-requests"
    assert issue("/no/such/file", exit_code=2)["code"] == "file-unreadable"
    assert issue(given(pump.request()), actor="auditor", exit_code=1)["code"] == "not-allowed"
    assert issue(given(pump.request()), actor="nobody", exit_code=2)["code"] == "actor-unknown"
    assert IntakeEntry.objects.count() == 2
    assert length(license.license_id) == 1


def test_an_expired_signing_key_exits_4(license: LicenseCreated, pump: Chariot, given: Any) -> None:
    file = given(pump.request())

    with time_machine.travel(timezone.now() + timedelta(days=4 * 365)):
        unavailable = issue(file, exit_code=4)

    assert (unavailable["code"], "rotate" in unavailable["message"]) == ("keys", True)
    assert length(license.license_id) == 1


# --- deactivate_activation, mark_lost, restoration --------------------------------------------------------


def test_deactivate_activation(license: LicenseCreated, pump: Chariot, given: Any) -> None:
    activation_id = issue(given(pump.request()))["activation_id"]
    code = pump.deactivate()
    arguments = ("deactivate_activation", license.license_id, code, "--actor", "agent")

    assert answer(*arguments)["effect"] == "freed"
    again = answer(*arguments)
    assert (again["effect"], again["activation_id"]) == ("repeated", activation_id)
    assert answer(*arguments[:2], code[:-1], *arguments[3:], exit_code=2)["code"] == "deactivation-code-length"
    unknown = Chariot(license.license_key, host("mill")).deactivate()
    assert answer(*arguments[:2], unknown, *arguments[3:], exit_code=1)["code"] == "code-unknown"
    assert answer(*arguments[:4], "manager", exit_code=1)["code"] == "not-allowed"


def test_lost_and_restored(license: LicenseCreated, pump: Chariot, given: Any) -> None:
    activation_id = issue(given(pump.request()))["activation_id"]
    agent, lead = ("--reason", "flooded", "--actor", "agent"), ("--reason", "seen", "--actor", "lead")

    assert answer("restoration", "request", activation_id, *agent, exit_code=1)["code"] == "not-lost"
    lost = answer("mark_lost", activation_id, *agent)
    assert (lost["license_id"], lost["activation_id"], lost["state"]) == (license.license_id, activation_id, "lost")
    assert answer("mark_lost", activation_id, *agent, exit_code=1)["code"] == "not-active"
    case = answer("restoration", "request", activation_id, *agent)["restoration_id"]
    assert answer("restoration", "approve", case, *agent, exit_code=1)["code"] == "not-allowed"
    assert answer("restoration", "deny", case, *lead)["state"] == "denied"
    case = answer("restoration", "request", activation_id, *lead)["restoration_id"]
    assert answer("restoration", "approve", case, *lead, exit_code=1)["code"] == "same-person"
    approved = answer("restoration", "approve", case, "--reason", "seen", "--actor", "second-lead")
    assert approved == {
        "outcome": "done",
        "restoration_id": case,
        "activation_id": activation_id,
        "license_id": license.license_id,
        "state": "approved",
    }
    assert answer("restoration", "approve", case[:-1], *lead, exit_code=2)["code"] == "restoration-id-length"
    assert answer("mark_lost", "ACT-1", *agent, exit_code=2)["code"] == "activation-id-length"


# --- the ledger -------------------------------------------------------------------------------------------


def test_verify_ledger(license: LicenseCreated) -> None:
    sound = answer("verify_ledger", "--rebuild-check")
    assert (sound["entries"], sound["problems"], sound["rebuild_check"]) == (LedgerEntry.objects.count(), [], True)

    License.objects.update(allowed=3)
    assert answer("verify_ledger")["problems"] == []
    broken = answer("verify_ledger", "--rebuild-check", exit_code=1)
    assert broken["code"] == "ledger-broken"
    assert len(broken["problems"]) == 1
    code, out, err = run("verify_ledger", "--rebuild-check")
    assert (code, out) == (1, "")
    assert broken["problems"][0] in err


def test_export_ledger(license: LicenseCreated, tmp_path: Path) -> None:
    out = tmp_path / "ledger.jsonl"

    exported = answer("export_ledger", "--format", "jsonl", "--license", license.license_id, "--out", str(out))

    assert (exported["entries"], exported["out"]) == (1, str(out))
    assert json.loads(json.loads(out.read_text())["body"])["kind"] == "license.created"
    assert list(tmp_path.iterdir()) == [out]
    assert entries("portal")[-1][1:] == ("command-line", "ledger.exported", "")


def test_export_ledger_to_standard_output(license: LicenseCreated, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run("export_ledger", "--format", "csv", "--actor", "auditor")

    assert code == 0
    assert capsys.readouterr().out.startswith("chain,seq,at,actor,kind,reason,source,data,prev,hash")
    assert "entries exported" in err


@pytest.mark.parametrize(
    ("more", "exit_code", "code"),
    [
        (("--until", "yesterday"), 2, "time-unreadable"),
        (("--until", "20261231"), 2, "time-unreadable"),
        (("--until", "2026-W01-1"), 2, "time-unreadable"),
        (("--until", "2026-11-24T13:00:00"), 2, "time-unreadable"),
        (("--until", "2026-11-24T25:00:00Z"), 2, "time-unreadable"),
        (("--until", "9999-12-31T23:59:59-12:00"), 2, "time-out-of-range"),
        (("--until", "0001-01-01T00:00:00+12:00"), 2, "time-out-of-range"),
        (("--until", "0001-01-01"), 2, "time-out-of-range"),
        (("--license", "LIC-1"), 2, "license-id-length"),
        (("--actor", "agent"), 1, "not-allowed"),
        (("--out", "/no/such/folder/x"), 2, "file-unwritable"),
        (("--out", "/dev/null"), 2, "file-unwritable"),
        (("--out", "/"), 2, "file-unwritable"),
        (("--out", "/proc/x"), 2, "file-unwritable"),
        (("--out", "x" * 300), 2, "file-unwritable"),
    ],
)
def test_export_ledger_refused(
    license: LicenseCreated, tmp_path: Path, more: tuple[str, ...], exit_code: int, code: str
) -> None:
    out = tmp_path / "ledger.jsonl"
    arguments = ("export_ledger", "--format", "jsonl", "--out", str(out), *more)

    before = length("portal")

    assert answer(*arguments, exit_code=exit_code)["code"] == code
    assert not list(tmp_path.iterdir())
    assert length("portal") == before


@pytest.mark.parametrize("until", ["2999-01-01", "2999-01-01T00:00:00.5+14:00", "2999-01-01t00:00:00z"])
def test_export_ledger_until_a_time(license: LicenseCreated, tmp_path: Path, until: str) -> None:
    out = tmp_path / "ledger.jsonl"

    assert answer("export_ledger", "--format", "jsonl", "--out", str(out), "--until", until)["entries"] > 1
    assert Path("/dev/null").is_char_device()


def test_export_ledger_in_json_needs_a_file(license: LicenseCreated) -> None:
    assert answer("export_ledger", "--format", "jsonl", exit_code=2)["code"] == "out-missing"


def test_checkpoint_ledger(license: LicenseCreated) -> None:
    made = answer("checkpoint_ledger")

    assert (made["size"], made["new"]) == (LedgerEntry.objects.count(), LedgerEntry.objects.count())
    assert made["checkpoint"].split("\n")[1] == str(made["size"])
    assert answer("checkpoint_ledger", "--actor", "administrator")["new"] == 0
    assert answer("checkpoint_ledger", "--actor", "auditor", exit_code=1)["code"] == "not-allowed"
    code, out, _ = run("checkpoint_ledger")
    assert (code, out) == (0, made["checkpoint"])


# --- signing_key ------------------------------------------------------------------------------------------


def test_signing_key(tmp_path: Path) -> None:
    out = tmp_path / "trust" / "root.pem"
    assert answer("signing_key", "issue", exit_code=1)["code"] == "no-root"

    root = answer("signing_key", "create-root", "--out", str(out))
    issued = answer("signing_key", "issue")["keys"]

    assert root["trust_root"] == str(out)
    assert out.read_text() == root["certificate"]
    assert [key["purpose"] for key in issued] == ["usage-license", "checkpoint"]
    assert answer("signing_key", "issue", exit_code=1)["code"] == "key-exists"
    [rotated] = answer("signing_key", "rotate")["keys"]
    listed = {(key["purpose"], key["state"]): key["serial"] for key in answer("signing_key", "list")["keys"]}
    assert listed == {
        ("root", "current"): root["serial"],
        ("usage-license", "retired"): issued[0]["serial"],
        ("usage-license", "current"): rotated["serial"],
        ("checkpoint", "current"): issued[1]["serial"],
    }


def test_the_trust_root_file_holds_both_roots(tmp_path: Path) -> None:
    out = tmp_path / "root.pem"
    for _ in range(2):
        answer("signing_key", "create-root", "--out", str(out))

    assert len(x509.load_pem_x509_certificates(out.read_bytes())) == 2
    assert answer("signing_key", "create-root", "--out", str(out), exit_code=1)["code"] == "roots-complete"


def test_what_the_trust_root_file_says_is_enough_for_a_chariot(
    license: LicenseCreated, pump: Chariot, given: Any, tmp_path: Path
) -> None:
    out = tmp_path / "root.pem"
    answer("signing_key", "create-root", "--name", "Spare", "--out", str(out))
    text = issue(given(pump.request()))["usage_license"]

    roots = x509.load_pem_x509_certificates(out.read_bytes())

    assert read_license(read_block(text, Kind.LICENSE).data, roots).license_id == license.license_id


def test_a_root_is_not_made_for_a_file_that_nobody_gets(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    for out in (tmp_path, tmp_path / "file" / "root.pem", Path("/dev/full"), Path("/proc/root.pem")):
        assert answer("signing_key", "create-root", "--out", str(out), exit_code=2)["code"] == "file-unwritable"

    assert answer("signing_key", "list")["keys"] == []
    assert [kind for _, _, kind, _ in entries("portal")] == ["staff.created"] * len(USERS)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_retire_root(license: LicenseCreated, tmp_path: Path) -> None:
    out = tmp_path / "root.pem"
    first = next(key for key in answer("signing_key", "list")["keys"] if key["purpose"] == "root")["serial"]
    retire = ("signing_key", "retire-root", first, "--reason", "its card was lost", "--out", str(out))
    assert answer(*retire, exit_code=1)["code"] == "root-last"
    spare = answer("signing_key", "create-root", "--out", str(out))

    retired = answer(*retire, "--actor", "administrator")

    assert (retired["serial"], len(retired["warnings"])) == (first, 2)
    assert out.read_text() == spare["certificate"]
    assert entries("portal")[-1][1:] == ("administrator", "signing_key.retired", "its card was lost")
    states = {key["serial"]: key["state"] for key in answer("signing_key", "list")["keys"]}
    assert (states[first], states[spare["serial"]]) == ("retired", "current")
    assert answer(*retire, exit_code=1)["code"] == "root-retired"
    assert answer(*retire, "--actor", "agent", exit_code=1)["code"] == "not-allowed"
    assert answer(*retire[:2], "00", *retire[3:], exit_code=2)["code"] == "root-unknown"
    assert out.read_text() == spare["certificate"]


def test_signing_key_refused(tmp_path: Path) -> None:
    root = ("signing_key", "create-root", "--out", str(tmp_path / "root.pem"))

    assert answer(*root, "--actor", "agent", exit_code=1)["code"] == "not-allowed"
    assert answer(*root, "--name", "x" * 65, exit_code=2)["code"] == "name-unfit"
    assert answer("signing_key", "rotate", exit_code=1)["code"] == "no-root"


# --- as a process -----------------------------------------------------------------------------------------


def process(var: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(var, **variables),
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


def test_arguments_that_cannot_be_understood_are_answered_in_json_too(tmp_path: Path) -> None:
    done = process(tmp_path, "restoration", "approve", "--json")

    assert done.returncode == 2
    found = json.loads(done.stdout)
    assert (found["outcome"], found["code"]) == ("bad-input", "usage")
    assert "RESTORATION_ID" in found["message"]
    assert process(tmp_path, "restoration", "approve").returncode == 2


def test_a_database_without_tables_is_named_and_exits_4(tmp_path: Path) -> None:
    done = process(tmp_path, "issue_usage_license", "--actor", "agent", "--json")

    assert done.returncode == 4
    assert json.loads(done.stdout)["code"] == "database-unavailable"
    assert "migrate" in json.loads(done.stdout)["message"]
    assert "Traceback" not in done.stderr


def test_a_database_that_is_not_there_exits_4(tmp_path: Path) -> None:
    url = "postgres://nobody@127.0.0.1:9/nothing"
    done = process(tmp_path, "verify_ledger", "--json", DATABASE_URL=url)

    assert done.returncode == 4, done.stderr
    assert json.loads(done.stdout)["code"] == "database-unavailable"
    assert "Traceback" not in done.stderr
