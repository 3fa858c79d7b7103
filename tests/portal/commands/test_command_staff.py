"""The stable commands for staff accounts: what each prints with --json, its exit code, and the role it takes."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from activations.domain.words import ROLES, Ability
from activations.services.post.outbox import Letter, queue
from tests.portal.cast import entries, length
from tests.portal.commands.asking import answer, run


@pytest.mark.parametrize("role", ROLES)
def test_create_staff(role: str) -> None:
    made = answer("create_staff", "robin", "--role", role)
    warned = made.pop("warnings")
    assert made == {"outcome": "done", "username": "robin", "role": role}
    assert bool(warned) == (Ability.DECIDE_RESTORATION in ROLES[role])
    assert answer("create_staff", "robin", "--role", role, exit_code=1)["code"] == "account-exists"
    assert entries("portal")[-1][1:] == ("command-line", "staff.created", "")


def test_create_staff_bad_input() -> None:
    assert answer("create_staff", "robin", "--role", "boss", exit_code=2)["code"] == "role-unknown"
    assert (
        answer("create_staff", "robin", "--role", "auditor", "--password", "x", exit_code=2)["code"]
        == "account-invalid"
    )


def test_create_staff_with_an_address() -> None:
    given = ("create_staff", "robin", "--role", "support-lead", "--email")
    assert answer(*given, "nowhere", exit_code=2)["code"] == "email-invalid"
    assert answer(*given, "robin@portal.example")["warnings"] == []
    assert User.objects.get(username="robin").email == "robin@portal.example"


def test_create_staff_warns_in_text_of_reminders_that_reach_nobody() -> None:
    code, _, said = run("create_staff", "robin", "--role", "support-lead")
    assert code == 0
    assert "Warning: robin may decide restorations and has no email address" in said
    assert "change_staff robin --email" in said


def test_change_staff() -> None:
    before = length("portal")
    given = ("change_staff", "lead")
    done = {"outcome": "done", "username": "lead", "warnings": []}
    assert answer(*given, "--email", "lead@portal.example") == {**done, "email": "set"}
    assert answer(*given, "--email", "lead@portal.example", exit_code=1)["code"] == "nothing-changed"
    assert answer(*given, "--email", "lead@west.example", "--actor", "administrator")["email"] == "changed"
    removed = answer(*given, "--no-email")
    assert removed["email"] == "removed"
    assert "lead may decide restorations and has no email address" in removed["warnings"][0]
    assert length("portal") == before


def test_change_staff_refused() -> None:
    given = ("change_staff", "lead", "--email", "lead@portal.example")
    assert answer(*given, "--actor", "manager", exit_code=1)["code"] == "not-allowed"
    assert answer(*given, "--actor", "nobody", exit_code=2)["code"] == "actor-unknown"
    assert answer("change_staff", "nobody", "--no-email", exit_code=2)["code"] == "account-unknown"
    assert answer("change_staff", "lead", "--email", "", exit_code=2)["code"] == "email-invalid"
    assert User.objects.get(username="lead").email == ""


def test_hold_mails() -> None:
    with transaction.atomic():
        mail = queue(Letter("x", "News", "Hello."), to="ada@acme.example", by="agent", conversation=None)
    mail.refresh_from_db()
    assert mail.state == "queued"  # a commit that never comes in this test sends nothing
    given = ("hold_mails", "--actor", "administrator", "--reason", "restored the backup")
    held = answer(*given)
    assert (held["held"], held["sending"]) == (1, 0)
    assert "outbox" in held["message"]
    assert entries("portal")[-1][1:] == ("administrator", "mails.held", "restored the backup")
    assert answer(*given)["held"] == 0
    assert answer("hold_mails", "--actor", "lead", "--reason", "x", exit_code=1)["code"] == "not-allowed"
    assert answer("hold_mails", "--actor", "administrator", "--reason", " ", exit_code=2)["code"] == "reason-missing"


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
