"""Checkpoints beside bookings that are open: nothing is forgotten, and times never precede a checkpoint (9.17).

Each works by a connection of its own, as other processes do.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

import pytest
from django.db import connection, transaction
from django.utils import timezone

from activations.domain.ledger import GENESIS, Entry, Kind
from activations.models import LedgerCheckpoint, LedgerEntry, LedgerLeaf
from activations.services.booking import iso, portal_book
from activations.services.checkpoints import checkpoint_ledger
from activations.services.ledger_checks import verify_ledger
from activations.services.results import Refused
from tests.database.foreign import foreign_postgresql
from tests.portal.cast import ADMINISTRATOR, SOURCE, answered, make_keys, make_license
from tests.portal.chariot import Chariot, host
from tests.portal.test_checkpoints import checkpoint

needs_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")


@contextmanager
def beside(work: Callable[[], None]) -> Iterator[threading.Thread]:
    """The work in a thread, where Django opens another connection; it has ended, and well, when the block ends."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    yield thread
    thread.join(20)
    assert not thread.is_alive()
    assert failures == []


class Booking:
    """A booking that stays open, with its time taken and its entry made, until it may commit."""

    def __init__(self) -> None:
        self.open, self.commit = threading.Event(), threading.Event()

    def __call__(self) -> None:
        with transaction.atomic(), portal_book(actor=ADMINISTRATOR, source=SOURCE, reason="open") as book:
            book.add(Kind.LEDGER_EXPORTED, {})
            self.open.set()
            assert self.commit.wait(20)


@needs_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_checkpoint_waits_for_a_booking_that_is_open_and_covers_it() -> None:
    make_keys()
    make_license()
    booking = Booking()
    with beside(booking):
        assert booking.open.wait(20)
        with beside(lambda: void(checkpoint())) as signing:
            signing.join(0.5)
            assert signing.is_alive(), "nothing is signed while its time may be before that of the checkpoint"
            booking.commit.set()

    stored = LedgerCheckpoint.objects.get()
    assert stored.size == LedgerEntry.objects.count() == LedgerLeaf.objects.count()
    assert LedgerEntry.objects.get(reason="open").at <= stored.created_at
    assert verify_ledger(rebuild_check=True).holds


@needs_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_booking_that_comes_meanwhile_waits_and_is_not_dated_before_the_checkpoint() -> None:
    """Design 9.17. Its machine has another clock, which is behind."""
    make_keys()
    made = make_license()
    request = Chariot(made.license_key, host("pump-house")).request()
    behind = timezone.now()
    time.sleep(0.01)

    def book() -> None:
        with mock.patch("activations.services.booking.timezone.now", return_value=behind):
            answered(request)

    with ExitStack() as stack, transaction.atomic():
        checkpoint()  # done, and not committed yet
        booking = stack.enter_context(beside(book))
        booking.join(0.5)
        waited = booking.is_alive()

    assert waited, "it would have taken its time before it could see the checkpoint"
    stored = LedgerCheckpoint.objects.get()
    times = LedgerEntry.objects.filter(leaf__isnull=True).values_list("at", flat=True)
    assert len(times) == 3
    assert all(at >= stored.created_at for at in times)
    assert checkpoint().new == 3
    assert verify_ledger(rebuild_check=True).holds


@needs_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_booking_that_does_not_end_holds_up_nobody_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who book queue up behind a checkpoint that waits, so it gives up, and the next one covers everything."""
    make_keys()
    monkeypatch.setattr("activations.services.checkpoints.PATIENCE", "300ms")
    booking = Booking()
    with beside(booking):
        assert booking.open.wait(20)
        result = checkpoint_ledger(actor=ADMINISTRATOR)
        assert (type(result), getattr(result, "code", None)) == (Refused, "ledger-busy")
        assert not LedgerLeaf.objects.exists()
        booking.commit.set()

    assert checkpoint().new == LedgerEntry.objects.count()
    assert verify_ledger().holds


@needs_postgresql
@pytest.mark.django_db(transaction=True)
def test_an_entry_written_by_hand_that_commits_late_comes_next_time_and_is_named() -> None:
    """Not through a booking, so it took no lock: it is not forgotten, and its time shows when it was slipped in."""
    make_keys()
    entry = Entry("LIC-LATE", 1, iso(timezone.now()), "agent", Kind.LICENSE_REVOKED, "", "psql", {}, GENESIS)
    columns = {**vars(entry), "kind": str(entry.kind), "hash": entry.hash, "body": entry.body}
    del columns["data"]
    with foreign_postgresql() as other:
        names = ", ".join(f'"{name}"' for name in columns)
        places = ", ".join(["%s"] * len(columns))
        other.execute(f"INSERT INTO activations_ledgerentry ({names}) VALUES ({places})", [*columns.values()])
        first = checkpoint()
        assert first.size == LedgerEntry.objects.count()
        other.commit()

    assert checkpoint().new == 1
    assert LedgerLeaf.objects.get(entry__chain="LIC-LATE").index == first.size
    assert "LIC-LATE entry 1: is dated before a checkpoint that does not cover it" in verify_ledger().problems


def void(value: object) -> None:
    """A thread gives nothing back."""
