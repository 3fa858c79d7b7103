"""Giving new ledger entries their place in the Merkle tree, and signing a checkpoint over all of them."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from activations.domain.checkpoint import Checkpoint
from activations.domain.merkle import Range, leaf_hash
from activations.domain.words import Ability, Actor
from activations.models import KeyPurpose, LedgerCheckpoint, LedgerEntry, LedgerLeaf
from activations.services.booking import lock_chain
from activations.services.results import Refused, lacking
from activations.services.signing import NoSigningKey, signer

CHUNK = 2000
CHECKPOINT_LOCK = "checkpoints"  # a chain row without entries: one checkpoint is made at a time


@dataclass(frozen=True)
class CheckpointMade:
    """`new` is how many entries were added since the last one; with none, the last one is returned again."""

    size: int
    root: str
    note: str
    new: int


def checkpoint_ledger(*, actor: Actor) -> CheckpointMade | Refused:
    """A signed checkpoint that covers every entry committed by now. Costs what the new entries cost.

    Entries get their leaf when a checkpoint first sees them, in order of id: one that commits late has no leaf yet
    and comes next time, so none is forgotten. Within a chain that order is the chain's own.
    """
    refused = lacking(actor, [Ability.CHECKPOINT_LEDGER])
    if refused:
        return refused
    with transaction.atomic():
        lock_chain(CHECKPOINT_LOCK)
        last = LedgerCheckpoint.objects.first()
        tree = _range(last)
        entries = LedgerEntry.objects.filter(leaf__isnull=True).order_by("id")
        leaves: list[LedgerLeaf] = []
        hashes: list[bytes] = []
        latest = timezone.now()
        for entry in entries.only("id", "at", "body").iterator(CHUNK):
            leaves.append(LedgerLeaf(index=tree.size + len(leaves), entry=entry))
            hashes.append(leaf_hash(entry.body.encode()))
            latest = max(latest, entry.at)
        if not leaves and last is not None:
            return CheckpointMade(last.size, last.root, last.note, 0)
        tree = tree.grown(hashes)
        LedgerLeaf.objects.bulk_create(leaves, batch_size=CHUNK)
        try:
            key = signer(KeyPurpose.CHECKPOINT, latest)
        except NoSigningKey as error:
            transaction.set_rollback(True)
            return Refused("no-signing-key", str(error))
        note = key.sign_checkpoint(Checkpoint(settings.LEDGER_ORIGIN, tree.size, tree.root))
        made = LedgerCheckpoint.objects.create(
            size=tree.size,
            root=tree.root.hex(),
            subtrees=[root.hex() for root in tree.roots],
            note=note,
            created_at=latest,
        )
        return CheckpointMade(made.size, made.root, made.note, len(leaves))


def _range(last: LedgerCheckpoint | None) -> Range:
    if last is None:
        return Range()
    return Range(last.size, tuple(bytes.fromhex(root) for root in last.subtrees))
