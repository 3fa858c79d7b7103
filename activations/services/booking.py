"""The lock and the ledger: every use case books through these, inside its own transaction."""

from __future__ import annotations

from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from django.db import transaction
from django.utils import timezone

from activations.domain.ledger import GENESIS, PORTAL_CHAIN, Entry, Kind
from activations.domain.words import Actor
from activations.models import LedgerChain, LedgerCheckpoint, LedgerEntry, License
from activations.services.results import plain_lines
from activations.services.staff_trail import record_booked
from activations.services.webhooks.queueing import queue_booked


def lock_license(pk: int) -> License:
    """The license row, locked and read afresh. Refuses outside a transaction, where a lock would hold nothing.

    Everything that changes a license's seats, activations or ledger takes this lock first, then the Instance's
    (Design 9.8). SQLite has no row locks: there the transaction began IMMEDIATE and holds the database.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("a license can be locked only inside a transaction")
    # Locked without a join: PostgreSQL would drop the row if its customer changed while the lock was waited for.
    locked = License.objects.select_for_update().values_list("pk", flat=True).get(pk=pk)
    return License.objects.select_related("customer", "product").get(pk=locked)


def lock_chain(name: str) -> LedgerChain:
    """The head of a chain, locked; made on first use. Taken after the license's and the Instance's lock."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("the ledger is written only inside a transaction")
    LedgerChain.objects.get_or_create(name=name, defaults={"head": GENESIS})
    return LedgerChain.objects.select_for_update().get(name=name)


def booking_time(chain: str) -> datetime:
    """The time that a booking to this chain would carry now; under the license's lock it carries that, or a later."""
    return _not_before(LedgerChain.objects.filter(name=chain).values_list("latest_at", flat=True).first())


def _not_before(latest: datetime | None) -> datetime:
    checkpoint = LedgerCheckpoint.objects.values_list("created_at", flat=True).first()
    return max([timezone.now(), *(time for time in (latest, checkpoint) if time is not None)])


class Book:
    """Writes entries to one chain: `with Book(...) as book: book.add(...)`. Nothing is written if the block fails.

    `actor` and `reason` are what every entry says. `head` is the chain's head before the booking (64 hex digits).
    `now` is the time every entry carries: times never decrease along a chain, nor precede the last checkpoint
    (Design 9.17), whatever the machine's clock says.
    """

    def __init__(self, *, chain: str, actor: Actor, source: str, reason: str = "") -> None:
        self._chain, self.source = chain, source
        self.actor, self.reason = actor, plain_lines(reason)
        self._entries: list[Entry] = []

    def __enter__(self) -> Self:
        self._row = lock_chain(self._chain)
        self.head = self._row.head
        self.now = _not_before(self._row.latest_at)
        return self

    def add(self, kind: Kind, data: dict[str, Any], *, reason: str | None = None) -> None:
        last = self._entries[-1] if self._entries else None
        self._entries.append(
            Entry(
                chain=self._chain,
                seq=last.seq + 1 if last else self._row.length + 1,
                at=iso(self.now),
                actor=self.actor.name,
                kind=kind.value,
                reason=self.reason if reason is None else reason,
                source=self.source,
                data=data,
                prev=last.hash if last else self._row.head,
            )
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None or not self._entries:
            return
        LedgerEntry.objects.bulk_create([_row(entry, self.now) for entry in self._entries])
        record_booked(self._entries, self.now)
        queue_booked(self._chain, self._entries, self.now)
        last = self._entries[-1]
        LedgerChain.objects.filter(name=self._chain).update(length=last.seq, head=last.hash, latest_at=self.now)


def portal_book(*, actor: Actor, source: str, reason: str = "") -> Book:
    """The chain for what concerns no single license: keys, staff, exports (Design 9.17)."""
    return Book(chain=PORTAL_CHAIN, actor=actor, source=source, reason=reason)


def iso(time: datetime) -> str:
    """UTC with microseconds and a Z, of fixed width so that text order is time order."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")  # years before 1000, too


def _row(entry: Entry, at: datetime) -> LedgerEntry:
    return LedgerEntry(
        chain=entry.chain,
        seq=entry.seq,
        at=at,
        actor=entry.actor,
        kind=entry.kind,
        reason=entry.reason,
        source=entry.source,
        prev=entry.prev,
        hash=entry.hash,
        body=entry.body,
    )
