"""Idempotency-Key: a call that booked is answered again and books once, however often and however it is sent."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.db import connection, transaction
from django.utils import timezone

from activations.api import once
from activations.domain.scopes import Scope
from activations.models import ApiCall, IntakeEntry, LedgerEntry, License
from activations.services.kept_answers import KEPT, claim, forget
from activations.services.licenses import LicenseCreated
from tests.api.calling import Answer, Caller, machine, person
from tests.portal.cast import entries, length
from tests.portal.chariot import Chariot, host

PURCHASE = {"customer": "Acme Water", "allowed": 1, "features": [{"code": "mqtt-server"}]}
KEY = "order-4711-license"


@pytest.fixture
def shop(signing_keys: None) -> Caller:
    return machine(Scope.CREATE_LICENSES, Scope.CHANGE_LICENSES, Scope.SUBMIT_REQUESTS, Scope.DEACTIVATE)


def test_the_same_call_is_answered_again_and_books_once(shop: Caller) -> None:
    first = shop.post("/licenses", PURCHASE, key=KEY)
    again = shop.post("/licenses", dict(reversed(PURCHASE.items())), key=KEY)
    assert (first.status, again.status) == (201, 201)
    assert again.json == first.json
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert License.objects.count() == 1
    assert length(first["license"]["license_id"]) == 1


def test_the_license_key_of_a_kept_answer_is_not_readable(shop: Caller) -> None:
    secret = shop.post("/licenses", PURCHASE, key=KEY)["license_key"]
    row = ApiCall.objects.get()
    assert secret.encode() not in bytes(row.answer_encrypted)
    assert secret not in f"{row.headers} {row.digest} {row.key} {row.caller}"


def test_another_call_under_a_used_key_is_refused(shop: Caller) -> None:
    shop.post("/licenses", PURCHASE, key=KEY)
    other = shop.post("/licenses", {**PURCHASE, "allowed": 2}, key=KEY)
    assert (other.status, other.code) == (422, "idempotency-key-reused")
    elsewhere = shop.post("/deactivations", {"license_id": "LIC-1", "code": "x"}, key=KEY)
    assert (elsewhere.status, elsewhere.code) == (422, "idempotency-key-reused")
    assert License.objects.count() == 1


def test_keys_belong_to_who_sends_them(shop: Caller) -> None:
    shop.post("/licenses", PURCHASE, key=KEY)
    other = machine(Scope.CREATE_LICENSES, name="another-shop").post("/licenses", PURCHASE, key=KEY)
    manager = person("manager").post("/licenses", PURCHASE, key=KEY)
    assert (other.status, manager.status) == (201, 201)
    assert License.objects.count() == 3


def test_what_booked_nothing_can_be_sent_again_under_its_key(shop: Caller) -> None:
    refused = shop.post("/licenses", {**PURCHASE, "features": [{"code": "warp-drive"}]}, key=KEY)
    assert (refused.status, refused.code) == (422, "feature-unknown")
    assert not ApiCall.objects.exists()
    assert shop.post("/licenses", PURCHASE, key=KEY).status == 201


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("", "idempotency-key-missing"),
        ("short", "idempotency-key-unfit"),
        ("with a space", "idempotency-key-unfit"),
        ("x" * 256, "idempotency-key-unfit"),
    ],
)
def test_a_key_is_due_and_has_its_form(shop: Caller, key: str, code: str) -> None:
    answer = shop.post("/licenses", PURCHASE, key=key)
    assert (answer.status, answer.code) == (400, code)
    assert not License.objects.exists()


def test_a_key_in_quotes_is_the_same_key(shop: Caller) -> None:
    """The draft writes it as a structured string, most clients as it is."""
    first = shop.post("/licenses", PURCHASE, key=KEY)
    assert shop.post("/licenses", PURCHASE, key=f'"{KEY}"').json == first.json


def test_keys_are_kept_for_a_week(shop: Caller) -> None:
    shop.post("/licenses", PURCHASE, key=KEY)
    with time_machine.travel(timezone.now() + KEPT + timedelta(seconds=1)):
        assert shop.post("/licenses", PURCHASE, key=KEY).status == 201
    assert License.objects.count() == 2


def test_old_answers_go_by_themselves(shop: Caller) -> None:
    """One may hold a License Key, and nobody may call for months."""
    shop.post("/licenses", PURCHASE, key=KEY)
    assert forget(timezone.now()) == 0
    with time_machine.travel(timezone.now() + KEPT + timedelta(seconds=1)):
        shop.post("/licenses", PURCHASE, key="order-4712-license")
        assert forget(timezone.now()) == 1
    assert [row.key for row in ApiCall.objects.all()] == ["order-4712-license"]


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_a_call_of_another_beside_an_old_answer(shop: Caller) -> None:
    """A call that is still open holds nothing that another one needs, old rows neither."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    shop.post("/licenses", PURCHASE, key=KEY)
    ApiCall.objects.update(called_at=timezone.now() - KEPT - timedelta(days=1))
    inside, over = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                claim("somebody", "another-key", "digest")
                inside.set()
                assert over.wait(60)
        finally:
            connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert inside.wait(60)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")  # waiting would fail
        answer = shop.post("/licenses", PURCHASE, key="order-4712-license")
        assert forget(timezone.now()) == 1
    finally:
        over.set()
        holder.join()
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")
    assert answer.status == 201, answer


def test_a_refusal_that_was_booked_is_kept(shop: Caller, license: LicenseCreated) -> None:
    """Out of seats: the request is in the ledger as refused, so the answer is that of this call for good."""
    for name in ("one", "two"):
        assert shop.post("/usage-requests", {"text": Chariot(license.license_key, host(name)).request()}).status == 200
    third = Chariot(license.license_key, host("three")).request()
    first = shop.post("/usage-requests", {"text": third}, key=KEY)
    booked = length(license.license_id)
    again = shop.post("/usage-requests", {"text": third}, key=KEY)
    assert (first.status, first.code) == (again.status, again.code) == (409, "no-seat")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert length(license.license_id) == booked


def test_what_cannot_be_read_stays_in_the_intake_log(shop: Caller, license: LicenseCreated) -> None:
    stranger = Chariot(license.license_key, host("one"))
    text = stranger.request()
    shop.post(f"/licenses/{license.license_id}/replace-key", {"reason": "Leaked"})
    answer = shop.post("/usage-requests", {"text": text}, key=KEY)
    assert answer.code == "license-key-replaced"
    assert IntakeEntry.objects.get().received_by == "token:purchase-system"
    assert not ApiCall.objects.filter(key=KEY).exists()


@pytest.mark.django_db(transaction=True)
def test_twice_at_once_books_once_and_answers_both_the_same(shop: Caller) -> None:
    def send(barrier: threading.Barrier) -> Answer:
        try:
            caller = Caller()
            caller.headers = shop.headers
            barrier.wait(timeout=10)
            return caller.post("/licenses", PURCHASE, key=KEY)
        finally:
            connection.close()

    barrier = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        answers = [each.result() for each in [pool.submit(send, barrier) for _ in range(4)]]
    assert [answer.status for answer in answers] == [201] * 4
    assert len({answer.text for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert License.objects.count() == 1
    license_id = answers[0]["license"]["license_id"]
    assert entries(license_id) == [(1, "token:purchase-system", "license.created", "")]


def test_a_failure_in_the_middle_keeps_nothing(shop: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the booking and before its answer is kept: neither is there, and the call can be sent again."""

    def fail(*args: object) -> bool:
        assert License.objects.count() == 1  # booked, as this call sees it
        raise RuntimeError("the process ended here")

    before = LedgerEntry.objects.count()
    with monkeypatch.context() as patch:
        patch.setattr(once, "is_booked", fail)
        failed = shop.post("/licenses", PURCHASE, key=KEY)
    assert (failed.status, failed.code) == (500, "unexpected")
    assert "the process" not in failed.text
    assert (License.objects.count(), LedgerEntry.objects.count(), ApiCall.objects.count()) == (0, before, 0)
    assert shop.post("/licenses", PURCHASE, key=KEY).status == 201
