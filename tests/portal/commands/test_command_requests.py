"""The stable commands that answer Usage Requests, free seats and give lost activations back."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from activations.models import Activation, IntakeEntry, LedgerEntry, UsageRequest
from activations.services.licenses import LicenseCreated
from tests.portal.cast import entries, length
from tests.portal.chariot import Chariot, host
from tests.portal.commands.asking import answer, change, issue, run

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
