"""Who may ask and how much: tokens and sessions that are not taken, the rate of each caller, Redis and its absence."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as portal_settings
from django.core.cache import caches
from django.test import Client
from django.utils import timezone

from activations.api import throttling
from activations.domain.scopes import Scope
from activations.models import ApiToken, License
from activations.services.licenses import LicenseCreated
from activations.services.tokens import TokenGiven, TokenRevoked, revoke_token, rotate_token
from tests.api.calling import Answer, Caller, machine, made_token, person, staff_account
from tests.api.situations import PURCHASE, problem, sent
from tests.portal.cast import ADMINISTRATOR, SOURCE, entries

WHY: dict[str, Any] = {"actor": ADMINISTRATOR, "source": SOURCE, "reason": "it leaked"}
UNSUPPORTED = (415, "media-type-unsupported")

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(db: None) -> Caller:
    return machine(Scope.READ_LICENSES, Scope.CREATE_LICENSES, Scope.CHANGE_LICENSES)


# --- how much ---------------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The clock by which minutes are counted: it stands still, 20 seconds into one."""
    stands = SimpleNamespace(now=60 * 1_000_000 + 20)
    monkeypatch.setattr(throttling, "time", SimpleNamespace(time=lambda: stands.now))
    return stands


@pytest.fixture
def dead_redis(settings: Any) -> Iterator[None]:
    """The shared cache is a Redis at an address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{port}/0",
            "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
        },
        "own": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "own"},
    }
    yield
    settings.CACHES = {name: {"BACKEND": "django.core.cache.backends.dummy.DummyCache"} for name in ("default", "own")}


def counted_down(caller: Caller) -> None:
    """A token of three requests a minute, 20 seconds into one."""
    for left in (2, 1, 0):
        answer = caller.get("/licenses")
        assert answer.status == 200, answer
        assert answer.headers["RateLimit-Policy"] == '"token";q=3;w=60'
        assert answer.headers["RateLimit"] == f'"token";r={left};t=40'


def too_many(caller: Caller) -> None:
    answer = problem(caller.get("/licenses"), 429, "too-many-requests")
    assert answer.headers["Retry-After"] == "40"
    assert answer.headers["RateLimit"] == '"token";r=0;t=40'
    assert "Wait 40 seconds" in answer["detail"]


def test_what_is_left_counts_down_and_comes_back(clock: SimpleNamespace) -> None:
    caller = machine(Scope.READ_LICENSES, Scope.CREATE_LICENSES, rate=3)
    counted_down(caller)
    too_many(caller)
    too_many(caller)
    problem(caller.post("/licenses", PURCHASE), 429, "too-many-requests")
    assert not License.objects.exists()
    clock.now += 39
    assert caller.get("/licenses").headers["Retry-After"] == "1"
    clock.now += 1
    assert caller.get("/licenses").headers["RateLimit"] == '"token";r=2;t=60'


def test_who_is_refused_over_and_over_is_told_to_slow_down(clock: SimpleNamespace) -> None:
    """Without the scope, and without a token that is taken; a good token from the same address goes on."""
    caller = machine(Scope.READ_LICENSES, rate=3)
    for _ in range(3):
        answer = problem(caller.get("/ledger/entries"), 403, "not-allowed")
        assert answer.headers["RateLimit-Policy"] == '"token";q=3;w=60'
    too_many(caller)
    stranger, nobody = Caller("clt_abcdefgh_" + "x" * 43), Caller()
    for number in range(60):
        answer = stranger.get("/licenses") if number % 2 else nobody.get("/licenses")
        assert (answer.status, answer.headers["RateLimit"]) == (401, f'"unknown";r={59 - number};t=40')
    problem(stranger.get("/licenses"), 429, "too-many-requests")
    problem(nobody.get("/licenses"), 429, "too-many-requests")
    assert machine(Scope.READ_LICENSES, name="good").get("/licenses").status == 200


def test_each_token_and_each_person_has_their_own(clock: SimpleNamespace) -> None:
    busy = machine(Scope.READ_LICENSES, name="busy", rate=3)
    counted_down(busy)
    too_many(busy)
    quiet = machine(Scope.READ_LICENSES, name="quiet", rate=3)
    counted_down(quiet)
    answer = person("administrator").get("/licenses")  # who answers for both
    assert (answer.status, answer.headers["RateLimit"]) == (200, '"staff";r=599;t=40')
    assert person("agent").get("/licenses").headers["RateLimit"] == '"staff";r=599;t=40'


def test_a_rotated_token_is_the_same_caller(clock: SimpleNamespace) -> None:
    made = made_token(Scope.READ_LICENSES, rate=3)
    counted_down(Caller(made.token))
    rotated = rotate_token(name=made.name, **WHY)
    assert isinstance(rotated, TokenGiven)
    too_many(Caller(rotated.token))


def test_processes_share_the_count_in_redis(clock: SimpleNamespace, redis_url: str, settings: Any) -> None:
    settings.CACHES = {
        **portal_settings.CACHES,
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": redis_url,
            "KEY_PREFIX": f"test-{uuid.uuid4()}",
        },
    }
    caller = machine(Scope.READ_LICENSES, rate=3)
    counted_down(caller)
    caches["own"].clear()
    too_many(caller)
    keys = caches["default"].get_many([f"api-rate:token:{ApiToken.objects.get().pk}:1000000"])
    assert list(keys.values()) == [4]


def test_without_redis_it_is_answered_and_counted_all_the_same(clock: SimpleNamespace, dead_redis: None) -> None:
    caller = machine(Scope.READ_LICENSES, rate=3)
    counted_down(caller)
    too_many(caller)


# --- who calls --------------------------------------------------------------------------------------------


def turned_away(caller: Caller, code: str) -> Answer:
    answer = problem(caller.get("/licenses"), 401, code)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    problem(caller.post("/licenses", PURCHASE), 401, code)
    return answer


def test_a_token_that_was_revoked() -> None:
    made = made_token(Scope.READ_LICENSES, Scope.CREATE_LICENSES)
    assert Caller(made.token).get("/licenses").status == 200
    assert isinstance(revoke_token(name=made.name, **WHY), TokenRevoked)
    turned_away(Caller(made.token), "token-revoked")


def test_a_token_that_expired() -> None:
    made = made_token(Scope.READ_LICENSES, Scope.CREATE_LICENSES)
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    turned_away(Caller(made.token), "token-expired")


def test_a_token_that_was_rotated() -> None:
    made = made_token(Scope.READ_LICENSES, Scope.CREATE_LICENSES)
    rotated = rotate_token(name=made.name, **WHY)
    assert isinstance(rotated, TokenGiven)
    for token in (made.token, rotated.token):
        assert Caller(token).get("/licenses").status == 200
    ApiToken.objects.update(before_until=timezone.now() - timedelta(seconds=1))
    turned_away(Caller(made.token), "token-unknown")
    assert Caller(rotated.token).get("/licenses").status == 200
    again = rotate_token(name=made.name, overlap=timedelta(0), **WHY)
    assert isinstance(again, TokenGiven)
    turned_away(Caller(rotated.token), "token-unknown")
    assert Caller(again.token).get("/licenses").status == 200


def test_what_is_no_token(db: None) -> None:
    token = made_token(Scope.READ_LICENSES).token
    other = token[:-1] + ("A" if token[-1] != "A" else "B")
    for text, code in (
        ("", "token-unreadable"),
        ("two words", "token-unreadable"),
        (token.upper(), "token-unreadable"),
        (token[:-1], "token-unreadable"),
        (f"{token}\u00e9", "token-unreadable"),
        (other, "token-unknown"),
    ):
        caller = Caller()
        caller.headers = {"Authorization": f"Bearer {text}"}
        answer = turned_away(caller, code)
        assert token not in answer.text
    for header in ("Basic YTpi", "Token abc", token, ""):
        caller = Caller()
        caller.headers = {"Authorization": header}
        turned_away(caller, "not-authenticated")


def test_a_wrong_token_is_not_made_good_by_a_session() -> None:
    caller = person("manager")
    caller.headers = {"Authorization": "Bearer clt_wrong"}
    turned_away(caller, "token-unreadable")


def test_a_token_in_the_address_is_not_looked_at(shop: Caller) -> None:
    token = shop.headers["Authorization"].removeprefix("Bearer ")
    problem(Caller().get("/licenses", access_token=token), 401, "not-authenticated")


@pytest.fixture
def browser(db: None) -> Caller:
    """A manager's session, with CSRF protection as it is for everyone."""
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(staff_account("manager"))
    return Caller(client=client)


def test_a_session_needs_the_csrf_token_for_changes(browser: Caller, license: LicenseCreated) -> None:
    path = f"/licenses/{license.license_id}/suspend"
    assert browser.get("/licenses").status == 200
    for headers in ({}, {"X_CSRFToken": "a" * 64}, {"X_CSRFToken": "short"}):
        answer = problem(browser.post(path, {"reason": "Unpaid"}, **headers), 403, "csrf-failed")
        assert "X-CSRFToken" in answer["detail"]
    assert entries(license.license_id, after=1) == []
    token = "b" * 32
    browser.client.cookies[portal_settings.CSRF_COOKIE_NAME] = token
    done = browser.post(path, {"reason": "Unpaid"}, X_CSRFToken=token)
    assert done.status == 200, done
    assert entries(license.license_id, after=1) == [(2, "manager", "license.suspended", "Unpaid")]


def test_a_token_needs_no_csrf_token() -> None:
    made = made_token(Scope.CREATE_LICENSES, Scope.READ_LICENSES)
    caller = Caller(made.token, Client(enforce_csrf_checks=True, raise_request_exception=False))
    assert caller.post("/licenses", PURCHASE).status == 201


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("application/x-www-form-urlencoded", b"a=" + b"x" * 3_000_000, UNSUPPORTED),
        ("application/x-www-form-urlencoded", b"&".join(b"a=b" for _ in range(2000)), UNSUPPORTED),
        ("multipart/form-data; boundary=seam", b"--seam\r\nno part", UNSUPPORTED),
        ("multipart/form-data", b"nothing", UNSUPPORTED),
        ("application/json; charset=zlib", b"{}", (403, "csrf-failed")),
        ("application/json", b"{", (400, "unreadable")),
        ("application/json", b"[" * 3_000_000, (413, "too-large")),
    ],
)
def test_a_form_in_place_of_json_breaks_nothing(
    browser: Caller, kind: str, body: bytes, expected: tuple[int, str]
) -> None:
    """It is looked into for the CSRF token before anything else."""
    browser.client.cookies[portal_settings.CSRF_COOKIE_NAME] = "b" * 32
    problem(sent(browser, body, content_type=kind), *expected)
