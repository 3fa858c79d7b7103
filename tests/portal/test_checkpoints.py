"""Checkpoints: every committed entry gets one leaf, and an auditor can check the note with nothing but the key."""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connection, transaction

from activations.models import (
    KeyPurpose,
    LedgerCheckpoint,
    LedgerEntry,
    LedgerLeaf,
    LedgerUncovered,
    SigningKey,
    triggers,
)
from activations.models.rules import Event
from activations.services.checkpoints import CheckpointMade, checkpoint_ledger
from activations.services.ledger_checks import verify_ledger
from activations.services.licenses import LicenseCreated
from activations.services.results import Refused
from activations.services.signing import create_root, rotate_key
from activations.tasks import run_jobs_job, verify_ledger_job
from tests.portal.cast import ADMINISTRATOR, EVERYONE, SOURCE, answered, book_many, make_license
from tests.portal.chariot import Chariot, host
from tests.portal.tampering import unguarded


def checkpoint() -> CheckpointMade:
    made = checkpoint_ledger(actor=ADMINISTRATOR)
    assert isinstance(made, CheckpointMade), made
    return made


def merkle_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, as the RFC writes it: by splitting, not as the portal computes it."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + merkle_root(leaves[:split]) + merkle_root(leaves[split:])).digest()


def test_a_checkpoint_covers_every_entry(license: LicenseCreated) -> None:
    answered(Chariot(license.license_key, host("pump-house")).request())

    made = checkpoint()

    assert (made.size, made.new) == (LedgerEntry.objects.count(), LedgerEntry.objects.count())
    bodies = list(LedgerEntry.objects.order_by("leaf__index").values_list("body", flat=True))
    assert made.root == merkle_root([body.encode() for body in bodies]).hex()


def test_the_note_verifies_with_the_public_key_alone(license: LicenseCreated, settings: Any) -> None:
    made = checkpoint()

    body, signature_line = made.note.split("\n\n")
    origin, size, root = body.split("\n")
    assert (origin, int(size)) == (settings.LEDGER_ORIGIN, made.size)
    assert base64.b64decode(root).hex() == made.root
    dash, name, encoded = signature_line.rstrip("\n").split(" ")
    assert (dash, name) == ("—", origin)
    key_id, signature = (blob := base64.b64decode(encoded))[:4], blob[4:]
    row = SigningKey.objects.get(purpose=KeyPurpose.CHECKPOINT)
    public = x509.load_der_x509_certificate(bytes(row.certificate)).public_key()
    assert isinstance(public, Ed25519PublicKey)
    assert key_id == hashlib.sha256(name.encode() + b"\n\x01" + public.public_bytes_raw()).digest()[:4]
    public.verify(signature, f"{body}\n".encode())


def test_it_grows_by_what_is_new(license: LicenseCreated) -> None:
    first = checkpoint()
    for number in range(3):
        make_license(customer=f"Customer {number}")
        second = checkpoint()
        assert (second.size, second.new) == (first.size + number + 1, 1)

    assert list(LedgerLeaf.objects.order_by("index").values_list("index", flat=True)) == list(range(second.size))
    assert LedgerCheckpoint.objects.count() == 4
    assert verify_ledger().holds


def test_without_new_entries_the_last_one_is_given_again(license: LicenseCreated) -> None:
    first = checkpoint()

    assert checkpoint() == CheckpointMade(first.size, first.root, first.note, 0)
    assert LedgerCheckpoint.objects.count() == 1


def test_checkpoints_of_a_retired_key_still_verify(license: LicenseCreated) -> None:
    checkpoint()
    rotate_key(purpose=KeyPurpose.CHECKPOINT, name="next", actor=ADMINISTRATOR, source=SOURCE)
    checkpoint()

    assert LedgerCheckpoint.objects.count() == 2
    assert verify_ledger().holds


def test_without_a_key_nothing_is_given_a_leaf(db: None) -> None:
    create_root(name="Vendor root", actor=ADMINISTRATOR, source=SOURCE)

    result = checkpoint_ledger(actor=ADMINISTRATOR)

    assert (type(result), getattr(result, "code", None)) == (Refused, "no-signing-key")
    assert not LedgerLeaf.objects.exists()


@pytest.mark.parametrize("actor", [actor for actor in EVERYONE if actor is not ADMINISTRATOR])
def test_only_an_administrator_makes_checkpoints(license: LicenseCreated, actor: Any) -> None:
    result = checkpoint_ledger(actor=actor)

    assert (type(result), getattr(result, "code", None)) == (Refused, "not-allowed")
    assert not LedgerCheckpoint.objects.exists()


@pytest.mark.parametrize("origin", ["my ledger", "a+b", "two\nlines"])
def test_a_ledger_without_a_fit_name_signs_nothing(license: LicenseCreated, settings: Any, origin: str) -> None:
    settings.LEDGER_ORIGIN = origin

    result = checkpoint_ledger(actor=ADMINISTRATOR)

    assert (type(result), getattr(result, "code", None)) == (Refused, "ledger-origin-unfit")
    assert not LedgerLeaf.objects.exists()


def marked() -> set[str]:
    return set(LedgerUncovered.objects.values_list("hash", flat=True))


def test_what_is_new_is_marked_until_it_has_its_leaf(license: LicenseCreated) -> None:
    assert marked() == set(LedgerEntry.objects.values_list("hash", flat=True))
    checkpoint()
    assert marked() == set()
    make_license(customer="Beta Mills")
    assert marked() == set(LedgerEntry.objects.filter(leaf__isnull=True).values_list("hash", flat=True))
    assert len(marked()) == 1


def work_of(act: Callable[[], object]) -> int:
    """What the database did, counted by itself and not by a clock, triggers included. PostgreSQL: rows and index
    entries that scans of the ledger's tables gave. SQLite: instructions of its machine, in tens.
    """
    if connection.vendor == "postgresql":
        with transaction.atomic():
            before = _read_by_scans()
            act()
            return _read_by_scans() - before
    steps = []
    database: Any = connection.connection
    database.set_progress_handler(lambda: steps.append(1), 10)
    try:
        act()
    finally:
        database.set_progress_handler(None, 0)
    return len(steps)


def _read_by_scans() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(pg_stat_get_xact_tuples_returned(oid) + pg_stat_get_xact_tuples_fetched(oid)) FROM pg_class "
            "WHERE relname LIKE 'activations_ledger%' OR oid IN (SELECT indexrelid FROM pg_index JOIN pg_class AS t "
            "ON t.oid = indrelid WHERE t.relname LIKE 'activations_ledger%')"
        )
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_a_checkpoint_reads_what_is_new_however_long_the_ledger_is(transactional_db: None, signing_keys: None) -> None:
    """Of 1,000 entries and of 20,000; before the database has counted its tables (ANALYZE), and after."""
    work, looks = list[int](), list[int]()
    for size in (1_000, 20_000):
        while (missing := size - LedgerEntry.objects.count()) > 0:
            book_many(min(missing, 2_000))
        checkpoint()
        for counted in (False, True):
            if counted:
                with connection.cursor() as cursor:
                    cursor.execute("ANALYZE")
            book_many(10)
            work.append(work_of(checkpoint))
        looks.append(work_of(lambda: LedgerEntry.objects.filter(leaf__isnull=True).count()))

    few, many = work[:2], work[2:]
    # A database may read a small table whole: twenty times as many entries are no more work, and far from all of it.
    assert max(many) <= 2 * max(few), work
    assert max(many) < looks[1] / 10, (work, looks)
    assert looks[1] > 10 * looks[0], "what is read of old entries would be counted"


def test_an_entry_whose_mark_was_taken_away_is_named_and_covered_all_the_same(
    license: LicenseCreated, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody with the database, past the triggers: the daily check finds the entry by looking at all of them."""
    checkpoint()
    with unguarded(Event.DELETE):
        make_license(customer="Beta Mills")
        LedgerUncovered.objects.all()._raw_delete("default")
    entry = LedgerEntry.objects.latest("id")
    made = checkpoint()
    assert made.new == 0, "it is forgotten"
    lost = f"{entry.chain} entry 1: has no leaf, nor the mark by which the next checkpoint would find it"
    assert verify_ledger().problems == (lost,)

    with caplog.at_level(logging.ERROR):
        verify_ledger_job()
        assert run_jobs_job() == 1

    assert "1 entries had lost the mark" in caplog.text
    assert checkpoint().new == 1
    assert LedgerLeaf.objects.get(entry=entry).index == made.size
    assert lost not in verify_ledger().problems


def test_what_was_booked_past_the_trigger_is_marked_when_it_is_put_back(license: LicenseCreated) -> None:
    """As with a portal that is updated: its entries are older than the marks."""
    checkpoint()
    with unguarded():
        make_license(customer="Beta Mills")
        assert marked() == set()
    assert len(marked()) == 1
    assert triggers.mark_uncovered(connection) == 0
    assert checkpoint().new == 1


def test_marks_of_nothing_and_of_what_is_covered_hold_nothing_up(license: LicenseCreated) -> None:
    checkpoint()
    covered = LedgerEntry.objects.earliest("id").hash
    LedgerUncovered.objects.bulk_create([LedgerUncovered(hash="0" * 64), LedgerUncovered(hash=covered)])
    make_license(customer="Beta Mills")

    assert checkpoint().new == 1
    assert marked() == set()
    assert verify_ledger().holds


def test_entries_that_are_marked_late_come_in_the_order_of_their_chain(
    license: LicenseCreated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In parts, too: a mark that was put back is the youngest, and its entry the oldest."""
    from activations.services import checkpoints

    monkeypatch.setattr(checkpoints, "CHUNK", 3)
    book_many(10)
    with unguarded(Event.DELETE):
        LedgerUncovered.objects.filter(hash=LedgerEntry.objects.earliest("id").hash)._raw_delete("default")
    assert triggers.mark_uncovered(connection) == 1

    checkpoint()

    assert verify_ledger().holds
