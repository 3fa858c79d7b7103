"""The stable command api_token: what it prints with --json and as text, its exit codes, and whom it takes."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from activations.management.commands.api_token import Command
from activations.models import ApiToken
from activations.services.tokens import NotTaken, token_behind
from tests.portal.cast import entries, length
from tests.portal.commands.asking import answer, run

WHO = ("--actor", "administrator", "--reason", "Orders come from it")
CREATE = ("api_token", "create", "shop", "--scope", "licenses:read", "--scope", "ledger:read", *WHO)
WARNING = "This token is shown once only. Keep it where the system reads its secrets."


def time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def is_taken(text: str) -> bool:
    return not isinstance(token_behind(text), NotTaken)


def test_create() -> None:
    made = answer(*CREATE, "--owner", "lead", "--days", "10", "--rate", "5")
    token, expires = made.pop("token"), made.pop("expires_at")
    assert made == {
        "outcome": "done",
        "name": "shop",
        "scopes": ["ledger:read", "licenses:read"],
        "owner": "lead",
        "rate": 5,
        "warnings": [WARNING],
    }
    row = ApiToken.objects.get()
    assert (time(expires), row.expires_at - row.created_at) == (row.expires_at, timedelta(days=10))
    assert is_taken(token)
    assert entries("portal")[-1][1:] == ("administrator", "api_token.created", "Orders come from it")
    assert answer(*CREATE, exit_code=1)["code"] == "token-exists"


def test_what_is_not_said() -> None:
    made = answer(*CREATE)
    row = ApiToken.objects.get()
    assert (made["owner"], made["rate"]) == ("administrator", 120)
    assert row.expires_at - row.created_at == timedelta(days=365)


def test_as_text_the_token_is_on_standard_output_and_the_warning_is_not() -> None:
    code, out, err = run(*CREATE)
    assert code == 0
    [line] = [line for line in out.splitlines() if line.startswith("token: ")]
    assert is_taken(line.removeprefix("token: "))
    assert err.strip() == f"Warning: {WARNING}"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (("--scope", "all"), "scope-unknown"),
        (("--owner", "nobody"), "owner-unknown"),
        (("--days", "731"), "days-out-of-range"),
        (("--rate", "0"), "rate-out-of-range"),
        (("--reason", " "), "reason-missing"),
        (("--actor", "nobody"), "actor-unknown"),
    ],
)
def test_create_bad_input(more: tuple[str, ...], code: str) -> None:
    before = length("portal")
    assert answer(*CREATE, *more, exit_code=2)["code"] == code
    assert answer(*CREATE[:2], "The Shop", *CREATE[3:], exit_code=2)["code"] == "token-name-unfit"
    assert length("portal") == before


@pytest.mark.parametrize("actor", ["agent", "lead", "manager", "auditor"])
def test_administrators_alone(actor: str) -> None:
    answer(*CREATE)
    for step in (("create", "other", "--scope", "ledger:read"), ("rotate", "shop"), ("revoke", "shop")):
        refused = answer("api_token", *step, "--actor", actor, "--reason", "x", exit_code=1)
        assert refused["code"] == "not-allowed"


def test_rotate() -> None:
    first = answer(*CREATE)["token"]
    second = answer("api_token", "rotate", "shop", "--overlap", "2", *WHO)
    row = ApiToken.objects.get()
    assert row.before_until is not None
    assert time(second["before_until"]) == row.before_until
    assert row.before_until - row.rotated_at == timedelta(hours=2)  # type: ignore[operator]
    assert (is_taken(first), is_taken(second["token"]), second["scopes"]) == (True, True, row.scopes)
    third = answer("api_token", "rotate", "shop", "--overlap", "0", *WHO)
    assert (third["before_until"], is_taken(second["token"]), is_taken(third["token"])) == (None, False, True)
    usual = answer("api_token", "rotate", "shop", *WHO)
    row.refresh_from_db()
    assert time(usual["before_until"]) - row.rotated_at == timedelta(hours=24)  # type: ignore[operator]
    for hours in ("-1", "169", "9" * 30):
        refused = answer("api_token", "rotate", "shop", f"--overlap={hours}", *WHO, exit_code=2)
        assert refused["code"] == "overlap-out-of-range"
    assert answer("api_token", "rotate", "other", *WHO, exit_code=2)["code"] == "token-unknown"


def test_revoke() -> None:
    token = answer(*CREATE)["token"]
    assert answer("api_token", "revoke", "shop", *WHO) == {"outcome": "done", "name": "shop", "state": "revoked"}
    assert not is_taken(token)
    for step in ("revoke", "rotate"):
        assert answer("api_token", step, "shop", *WHO, exit_code=1)["code"] == "token-revoked"
    assert answer("api_token", "revoke", "other", *WHO, exit_code=2)["code"] == "token-unknown"


def test_list() -> None:
    assert answer("api_token", "list") == {"outcome": "done", "tokens": []}
    token = answer(*CREATE, "--owner", "lead", "--days", "20")["token"]
    answer("api_token", "create", "archive", "--scope", "ledger:read", *WHO)
    token_behind(token)
    answer("disable_staff", "lead", "--reason", "left")
    [archive, shop] = answer("api_token", "list")["tokens"]
    row = ApiToken.objects.get(name="shop")
    times = {name: time(shop.pop(name)) for name in ("created_at", "expires_at", "last_used_at")}
    assert times == {"created_at": row.created_at, "expires_at": row.expires_at, "last_used_at": row.last_used_at}
    assert shop == {
        "name": "shop",
        "prefix": row.prefix,
        "state": "ending",
        "scopes": ["ledger:read", "licenses:read"],
        "owner": "lead",
        "owner_active": False,
        "rate": 120,
        "rotated_at": None,
    }
    assert (archive["state"], archive["last_used_at"], archive["owner_active"]) == ("working", None, True)
    _, out, _ = run("api_token", "list")
    assert token not in out
    assert [line.split()[:3] for line in out.splitlines()] == [
        ["archive", archive["prefix"], "working"],
        ["shop", row.prefix, "ending"],
    ]
    assert "lead (disabled)" in out


def test_a_token_that_nobody_saw_says_how_to_get_another() -> None:
    told = Command().again({"outcome": "done", "name": "shop", "token": "clt_x"})
    assert "`manage.py api_token rotate shop`" in told
    assert "clt_x" not in told
    assert "is revoked" in Command().again({"outcome": "done", "name": "shop", "state": "revoked"})
    assert Command().again({"outcome": "done", "tokens": []}) == ""
