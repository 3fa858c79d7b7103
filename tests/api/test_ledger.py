"""The ledger over the API: its entries found, copied while more are written, and shown as they are when damaged."""

from __future__ import annotations

import hashlib
import json
import threading
from typing import Any

import pytest
from chariot_ledger_read import inclusion_root, read_note
from chariot_license.protocol.codes import format_public_id
from django.db import connection, connections, transaction
from django.utils import timezone

from activations.domain.ledger import Kind
from activations.domain.scopes import Scope
from activations.models import LedgerEntry
from activations.services.booking import portal_book
from activations.services.licenses import LicenseCreated
from tests.api.calling import Answer, Caller, machine, made_token, person
from tests.api.situations import pages, running
from tests.portal.cast import AGENT, AUDITOR, SOURCE, book_many, make_keys, make_license
from tests.portal.test_checkpoints import checkpoint
from tests.support import without_triggers

pytestmark = pytest.mark.django_db


@pytest.fixture
def archive(signing_keys: None) -> Caller:
    return machine(Scope.READ_LEDGER, name="archive", rate=6000)


def refused(answer: Answer, status: int, code: str) -> Answer:
    assert (answer.status, answer.code) == (status, code), answer
    return answer


def names(*answers: Answer) -> list[tuple[str, int]]:
    return [(each["chain"], each["seq"]) for answer in answers for each in answer["results"]]


# --- entries ----------------------------------------------------------------------------------------------


def test_an_entry_as_it_was_hashed(archive: Caller, license: LicenseCreated) -> None:
    row = LedgerEntry.objects.get(chain=license.license_id, seq=1)

    answer = archive.get(f"/ledger/entries/{license.license_id}/1")

    body = json.loads(answer["body"])
    assert hashlib.sha256(answer["body"].encode()).hexdigest() == answer["hash"] == row.hash
    assert answer.json == {
        "chain": license.license_id,
        "seq": 1,
        "at": body["at"],
        "actor": "manager",
        "kind": "license.created",
        "reason": "",
        "source": SOURCE,
        "data": body["data"],
        "prev": row.prev,
        "hash": row.hash,
        "body": row.body,
    }
    assert body["data"]["customer"] == "Acme Water"
    tag = answer.headers["ETag"]
    assert archive.get(f"/ledger/entries/{license.license_id}/1", headers={"If-None-Match": tag}).status == 304
    assert archive.get(f"/ledger/entries/{license.license_id.lower()}/1").json == answer.json
    assert archive.get("/ledger/entries/portal/1")["chain"] == "portal"


def test_entries_that_are_not_there(archive: Caller, license: LicenseCreated) -> None:
    nobodys = format_public_id("LIC", bytes(10))
    for path in (f"{license.license_id}/99", f"portal/{10**18}", f"portal/{10**30}", f"{nobodys}/1", "portal/0"):
        refused(archive.get(f"/ledger/entries/{path}"), 404, "entry-unknown")
    refused(archive.get("/ledger/entries/LIC-1/1"), 422, "license-id-length")
    for path in ("portal/-1", "portal/one", "portal", f"portal/{'9' * 5000}"):
        refused(archive.get(f"/ledger/entries/{path}"), 404, "not-found")


def test_entries_are_found_by_chain_kind_actor_and_time(archive: Caller, license: LicenseCreated) -> None:
    running(license, "pump-house")
    other = make_license(customer="Beta Mills")

    def found(**asked: Any) -> list[tuple[str, int]]:
        return names(archive.get("/ledger/entries", **asked))

    everything = list(LedgerEntry.objects.order_by("id").values_list("chain", "seq"))
    assert found() == everything
    assert found(chain=license.license_id) == [(license.license_id, seq) for seq in range(1, 5)]
    assert found(chain=other.license_id) == [(other.license_id, 1)]
    assert found(kind="license.created") == [(license.license_id, 1), (other.license_id, 1)]
    assert found(actor="agent") == [(license.license_id, seq) for seq in (2, 3, 4)]
    assert found(actor="agent", kind="activation.created") == [(license.license_id, 3)]
    assert found(actor="nobody") == []
    middle = LedgerEntry.objects.get(chain=license.license_id, seq=2)
    at = f"{middle.at:%Y-%m-%dT%H:%M:%S.%fZ}"
    rows = LedgerEntry.objects.order_by("id")
    assert found(since=at) == list(rows.filter(at__gte=middle.at).values_list("chain", "seq"))
    assert found(until=at) == list(rows.filter(at__lte=middle.at).values_list("chain", "seq"))
    assert (license.license_id, 2) in found(since=at, until=at)
    assert found(since="2999-01-01T00:00:00Z") == []


@pytest.mark.parametrize(
    "asked",
    [
        {"kind": "license.sold"},
        {"since": "yesterday"},
        {"until": "2026-13-01T00:00:00Z"},
        {"licence": "LIC-1"},
        {"page_size": "-1"},
        {"page_size": "many"},
        {"actor": "a\x00b"},
    ],
)
def test_a_filter_that_cannot_be_meant(archive: Caller, asked: dict[str, str]) -> None:
    answer = archive.get("/ledger/entries", **asked)
    assert (answer.status, answer.code) in {(400, "invalid"), (400, "unreadable")}
    assert next(iter(asked)) in answer.text or "NUL" in answer["detail"]


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "1969-07-20T20:17:40Z"])
def test_the_ends_of_the_calendar_are_only_times(archive: Caller, license: LicenseCreated, at: str) -> None:
    for name in ("since", "until"):
        assert archive.get("/ledger/entries", **{name: at}).status in (200, 400)


# --- copying the ledger -----------------------------------------------------------------------------------


def test_a_copy_holds_all_that_was_there_once_while_more_is_written(archive: Caller, license: LicenseCreated) -> None:
    book_many(40)
    running(license, "pump-house")
    before = list(LedgerEntry.objects.order_by("id").values_list("chain", "seq"))

    copied = names(*pages(archive, "/ledger/entries", between=lambda: book_many(3), page_size=7))

    assert copied == before
    assert names(*pages(archive, "/ledger/entries", page_size=200)) == list(
        LedgerEntry.objects.order_by("id").values_list("chain", "seq")
    )


def test_a_copy_of_one_chain_can_be_followed_backwards(archive: Caller, license: LicenseCreated) -> None:
    book_many(10)
    forth = list(pages(archive, "/ledger/entries", chain="portal", page_size=4))
    book_many(1)
    back = archive.get(forth[-1]["previous"].split("/api/v1", 1)[1])
    assert back["results"] == forth[-2]["results"]
    seqs = [seq for _, seq in names(*forth)]
    assert seqs == list(range(1, len(seqs) + 1))


@pytest.mark.django_db(transaction=True)
def test_a_copy_leaves_no_gap_where_a_booking_commits_late() -> None:
    """An entry has its number before it is committed. Here one commits after newer ones were read, and then its chain
    goes on: the copy ends before, and the next one has all of it.
    """
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    make_keys()
    license = make_license(allowed=5)
    archive = Caller(made_token(Scope.READ_LEDGER, name="archive", rate=6000).token)
    written, go_on = threading.Event(), threading.Event()

    def books_slowly() -> None:
        try:
            with transaction.atomic():
                running(license, "pump-house")
                written.set()
                assert go_on.wait(30)
        finally:
            connections.close_all()

    slow = threading.Thread(target=books_slowly)
    slow.start()
    assert written.wait(30)
    book_many(12)  # of the portal's chain; their numbers are above those of the booking that waits
    there = list(LedgerEntry.objects.order_by("id").values_list("chain", "seq"))

    def late() -> None:
        if not go_on.is_set():
            go_on.set()
            slow.join()
            running(license, "shed")

    copied = names(*pages(archive, "/ledger/entries", between=late, page_size=len(there) - 3))

    assert len(copied) == len(set(copied))
    assert set(there) <= set(copied)
    for chain in {chain for chain, _ in copied}:
        seqs = [seq for name, seq in copied if name == chain]
        assert seqs == list(range(1, len(seqs) + 1)), chain
    later = names(*pages(archive, "/ledger/entries", page_size=200))
    assert sorted(later) == sorted(LedgerEntry.objects.values_list("chain", "seq"))


@pytest.mark.parametrize("up_to", ["", "x", "-1", "1e3", "9" * 20, "\u0663"])
def test_the_end_of_a_copy_is_not_made_up(archive: Caller, up_to: str) -> None:
    refused(archive.get("/ledger/entries", up_to=up_to), 400, "cursor-unfit")


# --- damage -----------------------------------------------------------------------------------------------


def damage(row: LedgerEntry, **columns: Any) -> None:
    """As somebody with the database changes it, past the triggers."""
    connection.check_constraints()
    with without_triggers(connection):
        LedgerEntry.objects.filter(pk=row.pk).update(**columns)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "5",
        '{"data":{}}',
        '{"data":NaN}',
        '{"data":1e999}',
        '{"data":"\\ud800"}',
        '{"data":{"data":{}},"data":5}',
        "[" * 100_000,
        '{"data":' + "9" * 5000 + "}",
        "\u2028\u202e\ufffe",
    ],
)
def test_a_damaged_entry_is_shown_as_it_is(archive: Caller, license: LicenseCreated, body: str) -> None:
    running(license, "pump-house")
    checkpoint()
    row = LedgerEntry.objects.get(chain=license.license_id, seq=2)
    damage(row, body=body)

    one = archive.get(f"/ledger/entries/{license.license_id}/2")
    every = archive.get("/ledger/entries", page_size=200)

    assert (one.status, one["body"], one["data"], one["hash"]) == (200, body, {}, row.hash)
    assert [each for each in every["results"] if each["body"] == body] == [one.json]
    proof = archive.get("/ledger/proofs/inclusion", chain=license.license_id, seq=2)
    assert proof.status in (200, 409), proof
    if proof.status == 200:  # and it does not hold
        note = read_note(proof["checkpoint"], "the answer")
        leaf = hashlib.sha256(b"\x00" + body.encode()).digest()
        assert (
            inclusion_root(leaf, proof["index"], proof["size"], [bytes.fromhex(each) for each in proof["path"]])
            != note.root
        )


@pytest.mark.parametrize("kind", ["license.created", "activation.created", "license.allowed_changed"])
def test_the_past_of_a_damaged_ledger_is_refused(archive: Caller, license: LicenseCreated, kind: str) -> None:
    running(license, "pump-house")
    row = LedgerEntry.objects.get(chain=license.license_id, seq=3)
    for body in ("", "[]", '{"data":5}', '{"data":"\\ud800"}', "[" * 100_000):
        damage(row, body=body, kind=kind)
        answer = refused(archive.get(f"/as-of/licenses/{license.license_id}"), 409, "ledger-unreadable")
        assert "verify_ledger" in answer["detail"]
        for asked in ({}, {"customer": "Acme Water"}):
            refused(archive.get("/as-of/licenses", **asked), 409, "ledger-unreadable")


def test_columns_that_were_changed_are_shown(archive: Caller, license: LicenseCreated) -> None:
    row = LedgerEntry.objects.get(chain=license.license_id, seq=1)
    damage(row, kind="no.such.kind", actor="", source="\u202e")
    answer = archive.get(f"/ledger/entries/{license.license_id}/1")
    assert (answer.status, answer["kind"], answer["actor"]) == (200, "no.such.kind", "")


# --- who reads and who wrote ------------------------------------------------------------------------------


def test_reading_books_nothing(archive: Caller, license: LicenseCreated) -> None:
    checkpoint()
    before = LedgerEntry.objects.count()
    auditor = person("auditor")  # a new account is booked
    assert LedgerEntry.objects.count() == before + 1
    for caller in (archive, auditor):
        for path in ("entries", "checkpoints", f"entries/{license.license_id}/1", "proofs/consistency?old=1"):
            assert caller.get(f"/ledger/{path}").status == 200
    assert LedgerEntry.objects.count() == before + 1


def test_a_token_s_own_bookings_name_it(archive: Caller, license: LicenseCreated) -> None:
    """And an account cannot have a name that passes for a token's."""
    with transaction.atomic(), portal_book(actor=AUDITOR, source=SOURCE) as book:
        book.add(Kind.LEDGER_EXPORTED, {"entries": 1})
    desk = machine(Scope.MARK_LOST, name="desk-robot")
    running(license, "pump-house")
    activation = person("agent").get("/activations")["results"][0]["activation_id"]
    assert desk.post(f"/activations/{activation}/mark-lost", {"reason": "Gone."}).status == 200
    found = archive.get("/ledger/entries", actor="token:desk-robot")["results"]
    assert [(each["kind"], each["source"], each["reason"]) for each in found] == [("activation.lost", "api", "Gone.")]
    assert found[0]["at"] <= f"{timezone.now():%Y-%m-%dT%H:%M:%S.%fZ}"
    assert archive.get("/ledger/entries", actor=AGENT.name)["results"]
