"""Entries that commit out of order, late or never, while checkpoints are made: none goes missing from the tree.

PostgreSQL hands out ids when a row is inserted and shows the row when its transaction commits, so whoever remembers
the highest id it has seen forgets those that were slower. The first test shows that such a job would.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from activations.domain.ledger import GENESIS, Entry, Kind
from activations.domain.merkle import consistency_proof, verify_consistency
from activations.models import LedgerCheckpoint, LedgerEntry, LedgerLeaf
from activations.services.booking import Book, iso
from activations.services.checkpoints import CheckpointMade, checkpoint_ledger
from activations.services.ledger_checks import verify_ledger
from activations.services.results import Refused
from activations.services.tiles import Tree
from tests.database.foreign import foreign_postgresql
from tests.portal.cast import ADMINISTRATOR, SOURCE, make_keys
from tests.portal.test_checkpoint_beside import beside
from tests.portal.test_checkpoints import checkpoint, merkle_root

needs_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")


class ByHighestId:
    """The job that one would write first: everything after the highest id it has seen."""

    def __init__(self) -> None:
        self.highest, self.covered = 0, set[int]()

    def look(self) -> None:
        new = set(LedgerEntry.objects.filter(id__gt=self.highest).values_list("id", flat=True))
        self.covered |= new
        self.highest = max([self.highest, *new])


def insert(cursor: Any, chain: str) -> None:
    """The first entry of a chain, by hand: no lock is taken and nothing waits for it."""
    entry = Entry(chain, 1, iso(timezone.now()), "agent", Kind.LICENSE_REVOKED, "", "psql", {}, GENESIS)
    columns = {**vars(entry), "kind": str(entry.kind), "hash": entry.hash, "body": entry.body}
    del columns["data"]
    names, places = ", ".join(f'"{name}"' for name in columns), ", ".join(["%s"] * len(columns))
    cursor.execute(f"INSERT INTO activations_ledgerentry ({names}) VALUES ({places})", [*columns.values()])


def all_have_their_leaf() -> None:
    """Each committed entry once, numbered without gaps, in the order of its chain; every root is that of its leaves."""
    rows = list(LedgerLeaf.objects.order_by("index").values_list("index", "entry__chain", "entry__seq", "entry__body"))
    assert [row[0] for row in rows] == list(range(LedgerEntry.objects.count()))
    reached: dict[str, int] = {}
    for _, chain, seq, _ in rows:
        assert seq == reached.get(chain, 0) + 1
        reached[chain] = seq
    data = [row[3].encode() for row in rows]
    stored = list(LedgerCheckpoint.objects.order_by("size"))
    for row in stored:
        assert row.root == merkle_root(data[: row.size]).hex()
    for old, new in pairwise(stored):
        path = consistency_proof(old.size, new.size, Tree().subtree)
        assert verify_consistency(old.size, bytes.fromhex(old.root), new.size, bytes.fromhex(new.root), path)


@needs_postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("order", "forgotten"), [((3, 2, 1, 0), 3), ((2, 0, 3, 1), 2), ((0, 1, 2, 3), 0)])
def test_commits_in_any_order_with_a_checkpoint_after_each(order: tuple[int, ...], forgotten: int) -> None:
    make_keys()
    simple = ByHighestId()
    with ExitStack() as stack:
        others = [stack.enter_context(foreign_postgresql()) for _ in range(5)]
        for number, other in enumerate(others):
            insert(other, f"LIC-{number}")
        others[4].rollback()
        for number in order:
            others[number].commit()
            simple.look()
            assert checkpoint().new >= 1
            assert LedgerLeaf.objects.filter(entry__chain=f"LIC-{number}").exists()

    all_have_their_leaf()
    assert LedgerLeaf.objects.filter(entry__chain__startswith="LIC-").count() == 4
    missed = LedgerEntry.objects.exclude(id__in=simple.covered).count()
    assert missed == forgotten, "the simple job forgets the slower"


class Rolled(Exception):
    """A booking that changes its mind."""


class Writer:
    """Books to a chain of its own: some stay open until a checkpoint was tried beside them, some are rolled back."""

    def __init__(self, name: str, tries: Tries) -> None:
        self.chain, self.tries, self.committed, self.undone = f"LIC-{name}", tries, 0, 0

    def __call__(self) -> None:
        dice = random.Random(self.chain)
        for number in range(12):
            fate = dice.choice(["quick", "quick", "slow", "rolled back", "slow and rolled back"])
            try:
                with (
                    transaction.atomic(),
                    Book(chain=self.chain, actor=ADMINISTRATOR, source=SOURCE) as book,
                ):
                    for _ in range(dice.randint(1, 3)):
                        book.add(Kind.LEDGER_EXPORTED, {"number": number})
                    if "slow" in fate:
                        self.tries.another()
                    if "rolled" in fate:
                        raise Rolled
            except Rolled:
                self.undone += 1
            else:
                self.committed += 1


class Tries:
    """How often a checkpoint was begun; a slow booking waits for the next one."""

    def __init__(self) -> None:
        self._changed, self.count = threading.Condition(), 0

    def begin(self) -> None:
        with self._changed:
            self.count += 1
            self._changed.notify_all()

    def another(self) -> None:
        with self._changed:
            seen = self.count
            self._changed.wait_for(lambda: self.count > seen, timeout=0.2)


@contextmanager
def all_beside(works: list[Callable[[], None]]) -> Iterator[list[threading.Thread]]:
    with ExitStack() as stack:
        yield [stack.enter_context(beside(work)) for work in works]


@needs_postgresql
@pytest.mark.django_db(transaction=True)
def test_many_who_book_and_two_who_make_checkpoints() -> None:
    make_keys()
    tries, over = Tries(), threading.Event()
    made: list[CheckpointMade] = []

    def make_checkpoints() -> None:
        while not over.is_set():
            tries.begin()
            result = checkpoint_ledger(actor=ADMINISTRATOR)
            if isinstance(result, Refused):
                assert result.code == "ledger-busy"
            else:
                made.append(result)

    writers = [Writer(str(number), tries) for number in range(5)]
    with all_beside([make_checkpoints, make_checkpoints]):
        try:
            with all_beside([*writers]) as threads:
                for thread in threads:
                    thread.join(60)
        finally:
            over.set()
    checkpoint()

    assert all(writer.committed and writer.undone for writer in writers)
    assert LedgerCheckpoint.objects.count() > 3, "or nothing was beside anything"
    assert sum(result.new for result in made) <= LedgerLeaf.objects.count()
    all_have_their_leaf()
    assert verify_ledger().holds
