"""Tokens of other systems: each rule, each refusal, what is booked, and that no token stands anywhere afterwards."""

from __future__ import annotations

import base64
import json
import logging
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from chariot_license.protocol.codes import format_public_id
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from activations.domain.scopes import ABILITIES, MEANINGS, SHORT, Scope
from activations.domain.words import Ability, Actor
from activations.models import Activation, ApiToken, LedgerEntry, StaffEvent
from activations.services import tokens
from activations.services.actors import create_staff, switch_account
from activations.services.evidence import add_evidence
from activations.services.licenses import LicenseCreated
from activations.services.losses import (
    RestorationCase,
    approve_restoration,
    deny_restoration,
    mark_lost,
    request_restoration,
)
from activations.services.results import BadInput, Refused, bad_name, bad_reason
from activations.services.secret_text import TOKEN, secret_in, secret_in_bytes, without_keys, without_secrets
from activations.services.tokens import (
    NotTaken,
    TokenGiven,
    TokenRevoked,
    TokenState,
    actor_of_token,
    create_token,
    revoke_token,
    rotate_token,
    state_of,
    token_behind,
)
from tests.portal.cast import ADMINISTRATOR, AGENT, EVERYONE, LEAD, SECOND_LEAD, SOURCE, answered, entries, length
from tests.portal.chariot import Chariot, host
from tests.portal.test_at_rest import everything_stored, spellings

pytestmark = pytest.mark.django_db
NOON = datetime(2030, 3, 1, 12, tzinfo=UTC)
ALL = [scope.value for scope in Scope]
MICRO = timedelta(microseconds=1)


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as travelling:
        yield travelling


@pytest.fixture(autouse=True)
def owner() -> User:
    """The member of staff who answers for the tokens here."""
    create_staff(username="lead", role="support-lead", password=None, actor=ADMINISTRATOR, source=SOURCE)
    return User.objects.get(username="lead")


def create(name: str = "shop", *scopes: Scope, **how: Any) -> Any:
    chosen = [scope.value for scope in scopes] or [Scope.READ_LICENSES.value]
    given = {"name": name, "scopes": chosen, "owner": "lead", "actor": ADMINISTRATOR, "reason": "Orders come from it"}
    return create_token(**{**given, "source": SOURCE, **how})


def made(name: str = "shop", *scopes: Scope, **how: Any) -> TokenGiven:
    given = create(name, *scopes, **how)
    assert isinstance(given, TokenGiven), given
    return given


def rotate(name: str = "shop", **how: Any) -> Any:
    return rotate_token(**{"name": name, "actor": ADMINISTRATOR, "source": SOURCE, "reason": "Its year is over", **how})


def revoke(name: str = "shop", **how: Any) -> Any:
    return revoke_token(**{"name": name, "actor": ADMINISTRATOR, "source": SOURCE, "reason": "Switched off", **how})


def is_taken(text: str) -> bool:
    return isinstance(token_behind(text), ApiToken)


def why_not(text: str) -> str:
    found = token_behind(text)
    assert isinstance(found, NotTaken)
    assert text.strip("clt_ ") == "" or text not in found.message
    return found.code


def booked() -> list[tuple[str, str, str, dict[str, Any]]]:
    """What the ledger has of tokens; the staff trail must say the same of each, in its own row."""
    rows = [row for row in LedgerEntry.objects.filter(chain="portal").order_by("seq") if row.kind.startswith("api_")]
    trail = StaffEvent.objects.filter(kind__startswith="api_").order_by("seq")
    found = [(row.actor, row.kind, row.reason, _data(row)) for row in rows]
    assert [(row.actor, row.kind, row.details, row.chain, row.seq, row.subject) for row in trail] == [
        (row.actor, row.kind, _data(row), "portal", row.seq, _data(row)["token"]) for row in rows
    ]
    return found


def _data(row: LedgerEntry) -> dict[str, Any]:
    return dict(json.loads(row.body)["data"])


# --- making one --------------------------------------------------------------------------------------------


def test_a_token_is_made_and_booked_without_itself(clock: Any, owner: User) -> None:
    given = made("shop", Scope.SUBMIT_REQUESTS, Scope.READ_LICENSES, Scope.READ_LICENSES, days=90, rate=30)
    row = ApiToken.objects.get()
    assert given.token.startswith(f"{row.prefix}_")
    assert (row.name, row.owner, row.rate, row.scopes) == ("shop", owner, 30, ["licenses:read", "requests:submit"])
    assert (row.created_at, row.expires_at, row.last_used_at) == (NOON, NOON + timedelta(days=90), None)
    assert given.expires_at == row.expires_at
    assert booked() == [
        (
            "administrator",
            "api_token.created",
            "Orders come from it",
            {
                "token": "shop",
                "prefix": row.prefix,
                "scopes": ["licenses:read", "requests:submit"],
                "owner": "lead",
                "rate": 30,
                "expires_at": "2030-05-30T12:00:00.000000Z",
            },
        )
    ]
    assert given.token not in repr(given)


def test_the_actor_of_a_token_may_what_its_scopes_say_and_nothing_that_a_person_decides() -> None:
    row = token_behind(made("shop", *Scope).token)
    assert isinstance(row, ApiToken)
    actor = actor_of_token(row)
    assert actor.name == "token:shop"
    assert actor.abilities == frozenset().union(*ABILITIES.values())
    people = {Ability.DECIDE_AS_LEAD, Ability.DECIDE_RESTORATION, Ability.MANAGE_STAFF, Ability.SHOW_LICENSE_KEY}
    assert not people & actor.abilities
    row.scopes = [*row.scopes, "licenses:everything"]  # of another release
    assert actor_of_token(row) == actor


def test_every_scope_is_told_in_words() -> None:
    assert set(MEANINGS) == set(SHORT) == set(ABILITIES) == set(Scope)


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"name": ""}, "token-name-unfit"),
        ({"name": "Shop"}, "token-name-unfit"),
        ({"name": "shop_1"}, "token-name-unfit"),
        ({"name": "-shop"}, "token-name-unfit"),
        ({"name": "shop\n"}, "token-name-unfit"),
        ({"name": "s" * 61}, "token-name-unfit"),
        ({"scopes": []}, "scope-unknown"),
        ({"scopes": ["licenses:read", "restorations:decide"]}, "scope-unknown"),
        ({"rate": 0}, "rate-out-of-range"),
        ({"rate": 6001}, "rate-out-of-range"),
        ({"days": 0}, "days-out-of-range"),
        ({"days": 731}, "days-out-of-range"),
        ({"owner": "nobody"}, "owner-unknown"),
        ({"owner": None, "actor": Actor("command-line", ADMINISTRATOR.abilities)}, "owner-unknown"),
        ({"reason": " "}, "reason-missing"),
    ],
)
def test_what_no_token_is_made_with(how: dict[str, Any], code: str) -> None:
    result = create(**{"name": "shop", **how})
    assert (type(result), result.code) == (BadInput, code)
    assert (ApiToken.objects.count(), booked()) == (0, [])


def test_the_ends_of_what_is_allowed() -> None:
    assert made("s" * 60, days=1, rate=1).expires_at < made("t", days=730, rate=6000).expires_at


def test_a_secret_is_no_name(license: LicenseCreated) -> None:
    result = create(name=license.license_key.lower())
    assert (type(result), result.code) == (BadInput, "token-name-unfit")
    assert license.license_key.lower() not in result.message


@pytest.mark.parametrize("actor", EVERYONE, ids=lambda actor: actor.name)
def test_administrators_alone_make_rotate_and_revoke(actor: Actor) -> None:
    made("shop")
    before = booked()
    for result in (create(name="other", actor=actor), rotate(actor=actor), revoke(actor=actor)):
        if actor == ADMINISTRATOR:
            assert isinstance(result, TokenGiven | TokenRevoked)
        else:
            assert (type(result), result.code) == (Refused, "not-allowed")
            assert "an administrator" in result.message
            assert booked() == before


def test_no_token_can_make_another() -> None:
    row = token_behind(made("shop", *Scope).token)
    assert isinstance(row, ApiToken)
    assert create(name="other", actor=actor_of_token(row)).code == "not-allowed"


def test_a_name_is_given_once_even_after_the_token_was_revoked() -> None:
    made("shop")
    assert create("shop").code == "token-exists"
    revoke("shop")
    before = length("portal")
    result = create("shop")
    assert (type(result), result.code, length("portal")) == (Refused, "token-exists", before)


def test_who_answers_for_it_is_an_active_member_of_staff(owner: User) -> None:
    create_staff(username="administrator", role="administrator", password=None, actor=ADMINISTRATOR, source=SOURCE)
    assert isinstance(create("mine", owner=None), TokenGiven)
    assert ApiToken.objects.get().owner.username == "administrator"
    User.objects.create_user("customer", is_staff=False)
    switch_account(username="lead", active=False, actor=ADMINISTRATOR, source=SOURCE, reason="left")
    for name in ("customer", "lead"):
        assert create("shop", owner=name).code == "owner-unknown"


# --- taking one --------------------------------------------------------------------------------------------


def test_what_is_no_token_is_told_apart_from_one_that_is_not_known() -> None:
    token = made("shop").token
    for text in ("", "clt_", token[:-1], f"{token} ", f" {token}", token.upper(), f"{token}\n", "x" * 5000):
        assert why_not(text) == "token-unreadable"
    assert why_not(token[:-1] + ("A" if token[-1] != "A" else "B")) == "token-unknown"


def test_a_token_is_taken_until_it_expires(clock: Any) -> None:
    given = made("shop", days=1)
    clock.move_to(given.expires_at - MICRO)
    assert is_taken(given.token)
    clock.move_to(given.expires_at)
    assert why_not(given.token) == "token-expired"
    assert not tokens.usable(ApiToken.objects.get())


def test_the_last_use_is_noted_once_a_minute_at_most(clock: Any) -> None:
    given = made("shop")

    def used(after: float) -> datetime | None:
        clock.move_to(NOON + timedelta(seconds=after))
        assert is_taken(given.token)
        return ApiToken.objects.get().last_used_at

    first = NOON + timedelta(seconds=5)
    assert used(5) == first
    with CaptureQueriesContext(connection) as asked:
        assert used(65) == first  # a minute, and not more
    assert not [query for query in asked if query["sql"].startswith("UPDATE")]
    assert used(65.001) == NOON + timedelta(seconds=65.001)
    clock.move_to(NOON + timedelta(hours=1))
    token_behind(given.token[:-1] + "!")
    tokens.found_by(given.token)
    assert ApiToken.objects.get().last_used_at == NOON + timedelta(seconds=65.001)  # neither is a use


def test_a_token_whose_owner_is_disabled_goes_on_and_is_found(owner: User) -> None:
    given = made("shop")
    assert not tokens.nobody_answers().exists()
    switch_account(username="lead", active=False, actor=ADMINISTRATOR, source=SOURCE, reason="left")
    assert is_taken(given.token)
    assert [row.name for row in tokens.nobody_answers()] == ["shop"]
    revoke()
    assert not tokens.nobody_answers().exists()


def test_its_state(clock: Any) -> None:
    made("shop", days=31)

    def state() -> TokenState:
        [found] = [one for one in TokenState if tokens.in_state(one).exists()]
        assert state_of(ApiToken.objects.get()) is found
        return found

    assert state() is TokenState.WORKING
    clock.move_to(NOON + timedelta(days=1))
    assert state() is TokenState.ENDING
    clock.move_to(NOON + timedelta(days=31))
    assert state() is TokenState.EXPIRED
    revoke()
    assert state() is TokenState.REVOKED


# --- rotating ----------------------------------------------------------------------------------------------


def test_the_token_before_works_until_its_end_and_not_after(clock: Any) -> None:
    first = made("shop", Scope.READ_LEDGER, days=90, rate=7)
    clock.move_to(NOON + timedelta(days=80))
    second = rotate(overlap=timedelta(hours=2))
    now = NOON + timedelta(days=80)
    assert (second.before_until, second.expires_at) == (now + timedelta(hours=2), now + timedelta(days=90))
    row = ApiToken.objects.get()
    assert (row.scopes, row.rate, row.owner.username, row.created_at) == (["ledger:read"], 7, "lead", NOON)
    assert second.token.startswith(f"{row.prefix}_")
    assert booked()[1:] == [
        (
            "administrator",
            "api_token.rotated",
            "Its year is over",
            {
                "token": "shop",
                "prefix": row.prefix,
                "expires_at": "2030-08-18T12:00:00.000000Z",
                "before_until": "2030-05-20T14:00:00.000000Z",
            },
        )
    ]
    clock.move_to(now + timedelta(hours=2) - MICRO)
    assert (is_taken(first.token), is_taken(second.token)) == (True, True)
    clock.move_to(now + timedelta(hours=2))
    assert (why_not(first.token), is_taken(second.token)) == ("token-unknown", True)


def test_rotated_without_overlap_the_token_before_is_refused_at_once(clock: Any) -> None:
    first = made("shop")
    second = rotate(overlap=timedelta(0))
    assert (second.before_until, why_not(first.token), is_taken(second.token)) == (None, "token-unknown", True)
    assert booked()[-1][3]["before_until"] is None


def test_an_overlap_makes_no_token_live_longer(clock: Any) -> None:
    first = made("shop", days=1)
    clock.move_to(first.expires_at - timedelta(hours=1))
    assert rotate().before_until == first.expires_at
    clock.move_to(first.expires_at)
    assert why_not(first.token) == "token-unknown"


def test_an_expired_token_can_be_rotated_and_the_expired_one_stays_so(clock: Any) -> None:
    first = made("shop", days=30)
    clock.move_to(NOON + timedelta(days=300))
    second = rotate()
    assert (second.before_until, second.expires_at) == (None, NOON + timedelta(days=330))
    assert (why_not(first.token), is_taken(second.token)) == ("token-unknown", True)


def test_rotated_twice_only_the_last_one_before_is_taken() -> None:
    first, second, third = made("shop"), rotate(), rotate(days=10)
    assert [is_taken(each.token) for each in (first, second, third)] == [False, True, True]
    assert third.expires_at < second.expires_at


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"name": "other"}, "token-unknown"),
        ({"overlap": timedelta(seconds=-1)}, "overlap-out-of-range"),
        ({"overlap": timedelta(days=7, seconds=1)}, "overlap-out-of-range"),
        ({"days": 0}, "days-out-of-range"),
        ({"days": 731}, "days-out-of-range"),
        ({"reason": ""}, "reason-missing"),
    ],
)
def test_what_no_token_is_rotated_with(how: dict[str, Any], code: str) -> None:
    first = made("shop")
    before = booked()
    result = rotate(**how)
    assert (type(result), result.code, booked()) == (BadInput, code, before)
    assert is_taken(first.token)
    assert isinstance(rotate(overlap=timedelta(days=7)), TokenGiven)


# --- revoking ----------------------------------------------------------------------------------------------


def test_a_revoked_token_is_refused_at_once_and_so_is_the_one_before(clock: Any) -> None:
    first, second = made("shop"), rotate()
    assert revoke() == TokenRevoked("shop")
    assert (why_not(first.token), why_not(second.token)) == ("token-unknown", "token-revoked")
    row = ApiToken.objects.get()
    assert (row.revoked_at, tokens.usable(row)) == (NOON, False)
    data = {"token": "shop", "prefix": row.prefix}
    assert booked()[2:] == [("administrator", "api_token.revoked", "Switched off", data)]


def test_what_is_revoked_stays_so() -> None:
    made("shop")
    revoke()
    before = booked()
    for result in (revoke(), rotate()):
        assert (type(result), result.code, booked()) == (Refused, "token-revoked", before)
    for how, code in (({"name": "other"}, "token-unknown"), ({"reason": ""}, "reason-missing")):
        assert (type(revoke(**how)), revoke(**how).code) == (BadInput, code)


# --- two people --------------------------------------------------------------------------------------------


@pytest.fixture
def lost(license: LicenseCreated) -> str:
    chariot = Chariot(license.license_key, host("pump-house"))
    activation_id = chariot.install(answered(chariot.request())).activation_id
    mark_lost(activation_id=activation_id, actor=AGENT, source=SOURCE, reason="flooded")
    return str(activation_id)


def asked_by_token(activation_id: str, **how: Any) -> RestorationCase:
    row = token_behind(made("claims", Scope.REQUEST_RESTORATIONS, **how).token)
    assert isinstance(row, ApiToken)
    case = request_restoration(activation_id=activation_id, actor=actor_of_token(row), source=SOURCE, reason="flooded")
    assert isinstance(case, RestorationCase), case
    return case


def test_the_owner_decides_nothing_that_the_token_asked_for(lost: str) -> None:
    case = asked_by_token(lost)
    revoke("claims")  # what it asked for stays theirs
    for decide in (approve_restoration, deny_restoration):
        result = decide(restoration_id=case.restoration_id, actor=LEAD, source=SOURCE, reason="fine")
        assert (type(result), getattr(result, "code", "")) == (Refused, "same-person")
        assert "token:claims" in getattr(result, "message", "")
    decided = approve_restoration(restoration_id=case.restoration_id, actor=SECOND_LEAD, source=SOURCE, reason="seen")
    assert isinstance(decided, RestorationCase)
    assert Activation.objects.get().state == "restored"


@pytest.mark.parametrize("step", ["made", "rotated"])
def test_who_had_the_token_in_hand_decides_nothing_that_it_asked_for(lost: str, step: str) -> None:
    """A superuser has every ability: they could make a token, ask with it, and approve."""
    root = Actor("root", frozenset(Ability))
    case = asked_by_token(lost, **({"actor": root} if step == "made" else {}))
    if step == "rotated":
        rotate("claims", actor=root)
    result = approve_restoration(restoration_id=case.restoration_id, actor=root, source=SOURCE, reason="fine")
    assert (type(result), getattr(result, "code", "")) == (Refused, "same-person")
    assert Activation.objects.get().state == "lost"


# --- a secret ----------------------------------------------------------------------------------------------


def test_a_token_stands_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), CaptureQueriesContext(connection) as asked:
        first, second = made("shop"), rotate()
        assert all(is_taken(each.token) for each in (first, second))
        revoke()
    assert entries("portal")[-1][2] == "api_token.revoked"
    stored = everything_stored()
    assert first.token[:12].encode() in stored  # it looks where things stand
    told = [stored, caplog.text.encode(), str([query["sql"] for query in asked]).encode()]
    for given in (first, second):
        for secret in (given.token.encode(), given.token.split("_", 2)[2].encode(), given.token[13:].encode()):
            assert not [spelling for spelling in spellings(secret) for text in told if spelling in text]


CHANCE = random.Random(11)
SAMPLES = [
    f"clt_{''.join(CHANCE.choices('abcdefghijklmnopqrstuvwxyz234567', k=8))}_"
    f"{base64.urlsafe_b64encode(CHANCE.randbytes(32)).decode().rstrip('=')}"
    for _ in range(25)
]


def ways(token: str) -> list[str]:
    """A token as mails, links and people leave it."""
    return [
        token,
        f"Authorization: Bearer {token}",
        f"TOKEN='{token}'",
        f"x{token}Thanks",
        f"{token[:20]}\n> {token[20:]}",
        f"{token[:40]}=\r\n{token[40:]}",
        token.replace("_", "%5F"),
        token.replace("_", "\\_"),
        token.replace("_", "\\u005f"),
        token.replace("_", "&#95;"),
        token.replace("c", "\uff43").replace("l", "\uff4c"),
        token[:30] + "\u200b" + token[30:],
        f"C{token[1:]}",
        token[:-5],
        token[:15] + token[16:],
    ]


def test_a_token_is_blacked_out_however_it_was_pasted() -> None:
    for token in SAMPLES:
        for way in ways(token):
            text = f"Dear Support, it is {way}, thanks."
            assert secret_in(text) == TOKEN, way
            masked = without_secrets(text)
            assert "API token]" in masked or "&#95;" in way, way
            assert secret_in(masked) == ""
            assert token[25:40] not in masked
            assert masked.startswith("Dear Support, it is ")
            assert masked.endswith(", thanks.")
            on_page = without_keys(text)
            assert on_page is None or token[25:40] not in on_page
        assert secret_in_bytes(b"\x00\x01" + token.encode() + b"\xff") == TOKEN
        assert secret_in_bytes(token.encode("utf-16-le")) == TOKEN


def test_what_a_token_begins_with_is_no_secret() -> None:
    made("shop")
    prefix = ApiToken.objects.get().prefix
    for text in (prefix, f"{prefix}_", f"{prefix}_…", "clt_", "clt_customers_of_this_year", "ctl_abcdefgh_" + "A" * 43):
        assert (secret_in(text), without_secrets(text)) == ("", text)
        assert bad_reason(f"It leaked: {text}") is None


def test_no_reason_and_no_name_holds_a_token() -> None:
    made("shop")
    before = length("portal")
    for way in [way for token in SAMPLES[:5] for way in ways(token)]:
        for result in (bad_reason(f"Leaked: {way}"), revoke(reason=f"Leaked: {way}")):
            assert isinstance(result, BadInput)
            assert result.code in ("reason-holds-token", "reason-unfit")  # an unseen letter is refused before
            assert way not in result.message
        named = bad_name(f"Acme {way}", "The name", "name-unfit")
        assert isinstance(named, BadInput)
        assert (named.code, way in named.message) == ("name-unfit", False)
    assert length("portal") == before
    assert "holds an API token" in str(bad_name(SAMPLES[0], "The name", "name-unfit"))


def test_no_evidence_holds_a_token() -> None:
    case = format_public_id("RES", b"0123456789")
    for name, content in ((f"{SAMPLES[0]}.txt", b"Hello"), ("a.txt", f"It is {SAMPLES[0]}.".encode())):
        added = add_evidence(restoration_id=case, name=name, content=content, actor=AGENT, source=SOURCE)
        assert isinstance(added, BadInput)
        assert added.code == "evidence-holds-token"
        assert SAMPLES[0] not in added.message


@pytest.mark.parametrize(
    "junk", ["clt_", "clt_a", "clt_abcdefgh_", "clt_abcdefgh_\n", "clt_abcdefgh_" + "A" * 31 + "\n> "]
)
def test_a_megabyte_that_nearly_is_one_is_searched(junk: str) -> None:
    """How long it takes: `python -m bench.secret_search`."""
    token = SAMPLES[0]
    text = f"{(junk * 1_000_000)[:1_000_000]} {token}"
    assert secret_in(text) == TOKEN
    assert token not in without_secrets(text)
