"""The open door of the API: no token, one question, and an answer that says how to go on."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.core.cache import caches

from activations.models import IntakeEntry, UsageRequest
from activations.services.licenses import LicenseCreated
from activations.services.online import MOST_TEXT
from tests.api.calling import Answer, Caller
from tests.portal.cast import issue, length, make_license
from tests.portal.chariot import Chariot, host


@pytest.fixture(autouse=True)
def _nothing_counted() -> None:
    caches["default"].clear()


@pytest.fixture
def online(signing_keys: None) -> LicenseCreated:
    return make_license(allowed=1, online=True)


def asked(text: Any) -> Answer:
    return Caller().post("/online/usage-requests", {"usage_request": text}, key="")


def test_it_answers_with_the_usage_license(online: LicenseCreated) -> None:
    pump = Chariot(online.license_key, host("pump-house"))
    text = pump.request()

    first, again = asked(text), asked(text)

    assert (first.status, again.status) == (200, 200)
    granted = pump.install(first["usage_license"])
    assert first.json == {
        "outcome": "issued",
        "code": "activated",
        "message": "Here is the Usage License for your Chariot.",
        "usage_license": first["usage_license"],
        "usage_license_id": granted.usage_license_id,
        "activation_id": granted.activation_id,
        "license_id": online.license_id,
    }
    assert (again["outcome"], again["code"], again["usage_license"]) == ("re-sent", "re-sent", first["usage_license"])
    assert first.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in first.headers


def test_what_waits_says_when_to_ask_again(license: LicenseCreated) -> None:
    text = Chariot(license.license_key, host("pump-house")).request()

    waits = asked(text)

    request = UsageRequest.objects.get()
    assert waits.status == 202
    assert waits.headers["Retry-After"] == "60"
    assert waits["message"].endswith("Ask again with the same Usage Request to get the answer.")
    assert {name: waits[name] for name in ("outcome", "code", "license_id", "request_id", "retry_after")} == {
        "outcome": "pending",
        "code": "online-activation-off",
        "license_id": license.license_id,
        "request_id": request.request_id,
        "retry_after": 60,
    }
    issue(text)
    assert asked(text)["outcome"] == "re-sent"


def test_a_rule_says_no_in_the_words_of_the_customer(online: LicenseCreated) -> None:
    asked(Chariot(online.license_key, host("pump-house")).request())

    no = asked(Chariot(online.license_key, host("weir")).request())

    assert (no.status, no.code, no["license_id"]) == (409, "no-seat", online.license_id)
    assert no["detail"].startswith("All activations of your license are in use.")


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("Hello", 422, "no-block"),
        ("", 422, "no-block"),
        ("x" * (MOST_TEXT + 1), 413, "input-too-large"),
        ("x" * (7 * MOST_TEXT), 413, "input-too-large"),
        (7, 422, "no-block"),
        (None, 400, "invalid"),
        (["CHARIOT"], 400, "invalid"),
        ("a\x00b", 400, "invalid"),
    ],
)
def test_what_is_no_usage_request(db: None, text: Any, status: int, code: str) -> None:
    answer = asked(text)

    assert (answer.status, answer.code) == (status, code)
    assert not IntakeEntry.objects.exists()


def test_damaged_lines_are_named(online: LicenseCreated) -> None:
    lines = Chariot(online.license_key, host("pump-house")).request().splitlines()

    answer = asked("\n".join([*lines[:2], *lines[6:]]))

    assert (answer.status, answer.code) == (422, "block-damaged")
    assert answer["lines"]


def test_who_has_not_the_key_learns_no_license_id(online: LicenseCreated) -> None:
    before = length(online.license_id)

    answer = asked(Chariot(online.license_key, host("pump-house")).request(proof=bytes(16)))

    assert (answer.status, answer.code) == (409, "license-proof-wrong")
    assert online.license_id not in answer.text
    assert length(online.license_id) == before


def test_too_many_from_one_address_are_told_to_wait(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ONLINE_RATE", 2)

    answers = [asked("Hello") for _ in range(3)]

    assert [answer.status for answer in answers] == [422, 422, 429]
    assert answers[2].code == "too-many-requests"
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 60


def test_only_posting_is_answered(db: None) -> None:
    answer = Caller().get("/online/usage-requests")

    assert (answer.status, answer.code) == (405, "method-not-allowed")
