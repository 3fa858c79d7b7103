"""Giving new ledger entries their place in the Merkle tree, and signing a checkpoint over all of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import Model
from django.utils import timezone

from activations.domain.checkpoint import Checkpoint, valid_name
from activations.domain.merkle import Range, leaf_hash
from activations.domain.tiles import WIDTH
from activations.domain.words import Ability, Actor
from activations.models import (
    KeyPurpose,
    LedgerChain,
    LedgerCheckpoint,
    LedgerEntry,
    LedgerLeaf,
    LedgerTile,
    LedgerUncovered,
    triggers,
)
from activations.services.results import Refused, lacking
from activations.services.signing import NoSigningKey, signer
from activations.services.tiles import fill_tiles

log = logging.getLogger(__name__)

CHUNK = 2000
PATIENCE = "5s"  # how long a checkpoint waits for open bookings, and new bookings for the checkpoint


@dataclass(frozen=True)
class CheckpointMade:
    """`new` is how many entries were added since the last one; with none, the last one is returned again."""

    size: int
    root: str
    note: str
    new: int


@dataclass
class _Growth:
    """The tree as it grows by the entries that have no leaf yet, and the latest time among them."""

    tree: Range
    new: int = 0
    latest: datetime | None = None

    def take_in(self) -> None:
        """Gives every entry that is committed by now its leaf.

        They are found by their marks (LedgerUncovered), which commit with them: whatever order ids are given in and
        transactions end in, an entry that can be seen has its mark until it has its leaf.
        """
        marks, entries = _uncovered()
        for ids in _parts(entries):
            part = list(LedgerEntry.objects.filter(id__in=ids).order_by("id").only("id", "at", "body"))
            first = self.tree.size
            LedgerLeaf.objects.bulk_create(LedgerLeaf(index=first + nth, entry=entry) for nth, entry in enumerate(part))
            self.tree = self.tree.grown(leaf_hash(entry.body.encode()) for entry in part)
            self.latest = max([*(entry.at for entry in part), *([self.latest] if self.latest else [])])
            self.new += len(part)
        for ids in _parts(marks):
            LedgerUncovered.objects.filter(id__in=ids).delete()


def _uncovered() -> tuple[list[int], list[int]]:
    """The ids of all marks, and those of the entries that they mark, in order.

    The marks come by one statement, so they are one picture of what is committed: looked for part by part, a later
    entry of a chain could be found before an earlier one that was not committed yet when its part was read. Then a
    lookup for each, never a join: the database has no figures of a table that is emptied all the time, and may well
    choose to read the whole ledger. Not by the index of the marks, which keeps the places of those that went. A mark
    without an entry, or of one that has its leaf, is swept away with the rest.
    """
    marks, entries = list[int](), list[int]()
    rows = LedgerUncovered.objects.order_by().values_list("id", "hash").iterator(CHUNK)
    while part := list(islice(rows, CHUNK)):
        marks += [mark for mark, _ in part]
        marked = LedgerEntry.objects.filter(hash__in=[digest for _, digest in part]).values_list("id", flat=True)
        covered = LedgerLeaf.objects.filter(entry__in=list(marked)).values_list("entry", flat=True)
        entries += set(marked) - set(covered)
    return marks, sorted(entries)


def _parts(ids: list[int]) -> Iterator[list[int]]:
    return (ids[at : at + CHUNK] for at in range(0, len(ids), CHUNK))


def mark_again() -> int:
    """Marks the entries that have neither leaf nor mark, so that the next checkpoint covers them; returns how many.

    There are none unless somebody took marks away past the triggers. Looks through the whole ledger: once a day.
    """
    with transaction.atomic():
        return triggers.mark_uncovered(connection)


def checkpoint_ledger(*, actor: Actor) -> CheckpointMade | Refused:
    """A signed checkpoint that covers every entry committed by now. Costs what the new entries cost.

    Entries get their leaf when a checkpoint first sees them, in order of id; within a chain that order is the chain's
    own. The last of them are taken in while nobody books, so that no entry is dated before a checkpoint that does not
    cover it (Design 9.17); those before them are many and keep nobody waiting.
    """
    refused = lacking(actor, [Ability.CHECKPOINT_LEDGER])
    if refused:
        return refused
    if not valid_name(settings.LEDGER_ORIGIN):
        return Refused(
            "ledger-origin-unfit",
            "LEDGER_ORIGIN names the ledger in its checkpoints and can hold no spaces, plus signs or control "
            "characters. Set it to a name like licensing.example.com/ledger.",
        )
    try:
        with transaction.atomic():
            made = _checkpoint()
            if isinstance(made, Refused):
                transaction.set_rollback(True)
            return made
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) != "55P03":  # lock_not_available
            raise
        return Refused(
            "ledger-busy",
            f"A booking or another checkpoint is not finished after {PATIENCE}, so no checkpoint was made. Run it "
            "again; nothing is lost, the next checkpoint covers what this one would have.",
        )


def _checkpoint() -> CheckpointMade | Refused:
    _alone(LedgerCheckpoint)  # one checkpoint at a time
    last = LedgerCheckpoint.objects.first()
    if last is not None and last.size >= WIDTH and not LedgerTile.objects.exists():
        log.error(
            "every tile of the ledger's tree was gone (deleted, or never there before an update); they are written anew"
        )
    growth = _Growth(_range(last))
    growth.take_in()
    fill_tiles(growth.tree.size)
    _alone(LedgerChain)  # every booking locks the head of its chain before it looks at the clock
    growth.take_in()
    fill_tiles(growth.tree.size)
    if not growth.new and last is not None:
        return CheckpointMade(last.size, last.root, last.note, 0)
    now = max(time for time in (timezone.now(), growth.latest) if time is not None)
    try:
        key = signer(KeyPurpose.CHECKPOINT, now)
    except NoSigningKey as error:
        return Refused("no-signing-key", str(error))
    tree = growth.tree
    made = LedgerCheckpoint.objects.create(
        size=tree.size,
        root=tree.root.hex(),
        subtrees=[root.hex() for root in tree.roots],
        note=key.sign_checkpoint(Checkpoint(settings.LEDGER_ORIGIN, tree.size, tree.root)),
        created_at=now,
    )
    return CheckpointMade(made.size, made.root, made.note, growth.new)


def _alone(model: type[Model]) -> None:
    """Until the transaction ends nobody else writes to the table or locks its rows; reading goes on.

    Not for long: whoever comes after a lock that waits would wait too. SQLite has one writer at a time anyway.
    """
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [PATIENCE])
        cursor.execute(f'LOCK TABLE "{model._meta.db_table}" IN EXCLUSIVE MODE')


def _range(last: LedgerCheckpoint | None) -> Range:
    if last is None:
        return Range()
    return Range(last.size, tuple(bytes.fromhex(root) for root in last.subtrees))
