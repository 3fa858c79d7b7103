"""Verifying the ledger, and comparing the tables with what the ledger folds to (Design 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields

from django.db import connection
from django.db.models import Max, OuterRef, Subquery

from activations.domain.ledger import GENESIS, Finding, Stored, check_chain
from activations.models import LedgerChain, LedgerCheckpoint, LedgerEntry, triggers
from activations.services.booking import iso
from activations.services.snapshot import snapshot
from activations.services.verification.checkpoints import checkpoint_problems
from activations.services.verification.keys import KnownKeys, known_keys
from activations.services.verification.rebuild import rebuild_problems
from activations.services.verification.tables import table_state

__all__ = ["Verification", "table_state", "verify_ledger"]

CHUNK = 2000


@dataclass(frozen=True)
class Verification:
    """What was checked and what was found wrong, in words; no problems means that everything holds."""

    entries: int
    chains: int
    checkpoints: int
    problems: tuple[str, ...] = field(default=())

    @property
    def holds(self) -> bool:
        return not self.problems


def verify_ledger(
    *,
    rebuild_check: bool = False,
    report: Callable[[str], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Verification:
    """Every chain, head, checkpoint and trigger; with `rebuild_check` also the tables against the ledger.

    `report` is told each problem as it is found, `progress` how many entries were gone through, those of the tables'
    check counted once more. Reads one consistent snapshot, so that bookings made meanwhile are no
    findings; inside a caller's transaction it is that transaction's.
    """
    found = []
    with snapshot():
        for problem in _problems(_Passed(progress), rebuild_check=rebuild_check):
            found.append(problem)
            if report is not None:
                report(problem)
        return Verification(
            entries=LedgerEntry.objects.count(),
            chains=LedgerChain.objects.filter(length__gt=0).count(),
            checkpoints=LedgerCheckpoint.objects.count(),
            problems=tuple(found),
        )


class _Passed:
    """Counts what was gone through, and tells so now and then."""

    def __init__(self, progress: Callable[[int], None] | None) -> None:
        self._progress, self._count, self._told = progress, 0, 0

    def __call__(self, entries: int) -> None:
        self._count += entries
        if self._progress is not None and self._count >= self._told + CHUNK:
            self._told = self._count
            self._progress(self._count)


def _problems(passed: _Passed, *, rebuild_check: bool) -> Iterator[str]:
    yield from map(str, check_chain(_stored(passed)))
    yield from map(str, _wrong_heads())
    try:
        keys = known_keys()
    except ValueError as error:
        yield f"the signing keys cannot be told ({error})"
        keys = KnownKeys()
    yield from checkpoint_problems(keys)
    yield from (f"trigger {name} is {state}" for name, state in triggers.problems(connection).items())
    if rebuild_check:
        yield from rebuild_problems(keys, passed)


def _stored(passed: _Passed) -> Iterator[Stored]:
    columns = [field.name for field in fields(Stored)]
    for row in LedgerEntry.objects.order_by("chain", "seq").values(*columns).iterator(CHUNK):
        yield Stored(**{**row, "at": iso(row["at"])})
        passed(1)


def _wrong_heads() -> Iterator[Finding]:
    """A chain whose head names an entry that is not its last: entries were cut off, or added behind its back."""
    last = LedgerEntry.objects.filter(chain=OuterRef("name")).order_by("-seq")
    chains = LedgerChain.objects.annotate(
        last_seq=Subquery(last.values("seq")[:1]),
        last_hash=Subquery(last.values("hash")[:1]),
        last_at=Subquery(last.values("at")[:1]),
    )
    for chain in chains.order_by("name").iterator(CHUNK):
        seq, digest = (chain.last_seq, chain.last_hash) if chain.last_seq else (0, GENESIS)
        if (seq, digest) != (chain.length, chain.head):
            yield Finding(chain.name, chain.length, f"is the head of its chain, but the last entry is {seq}")
        elif chain.latest_at != chain.last_at:
            yield Finding(chain.name, chain.length, "is not of the time that the head of its chain says")
    headless = LedgerEntry.objects.exclude(chain__in=LedgerChain.objects.values("name"))
    for row in headless.values("chain").annotate(last=Max("seq")).order_by("chain"):
        yield Finding(row["chain"], row["last"], "its chain has no head")
