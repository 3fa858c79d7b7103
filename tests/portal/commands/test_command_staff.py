"""The stable commands for staff accounts: what each prints with --json, its exit code, and the role it takes."""

from __future__ import annotations

import pytest

from activations.domain.words import ROLES
from tests.portal.cast import entries, length
from tests.portal.commands.asking import answer


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
