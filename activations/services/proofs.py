"""Proofs for auditors: that an entry stands where it stood, and that one checkpoint continues another (RFC 6962)."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from activations.domain.ledger import PORTAL_CHAIN
from activations.domain.merkle import consistency_proof, inclusion_proof, leaf_hash
from activations.domain.words import Ability, Actor
from activations.models import LedgerCheckpoint, LedgerEntry
from activations.services.results import BadInput, Refused, lacking, public_id
from activations.services.tiles import Tree, TreeIncomplete

TLOG_PROOF = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True)
class InclusionProof:
    """`entry` of the tree of `size` leaves: its place, its leaf hash (hex), and the path to the checkpoint's root.

    `text` is a C2SP tlog-proof: whoever holds the entry's body and the log's key needs nothing else.
    """

    chain: str
    seq: int
    index: int
    size: int
    body: str
    leaf: str
    path: tuple[bytes, ...]
    note: str

    @property
    def text(self) -> str:
        return f"{TLOG_PROOF}\nindex {self.index}\n{hash_lines(self.path)}\n{self.note}"


@dataclass(frozen=True)
class ConsistencyProof:
    """That the tree of `old` leaves is the beginning of that of `new` leaves, whose checkpoint is `note`.

    `text` is the body of add-checkpoint (C2SP tlog-witness).
    """

    old: int
    new: int
    path: tuple[bytes, ...]
    note: str

    @property
    def text(self) -> str:
        return f"old {self.old}\n{hash_lines(self.path)}\n{self.note}"


def hash_lines(hashes: Iterable[bytes]) -> str:
    """A hash a line, base64, as the texts of C2SP have them."""
    return "".join(f"{base64.b64encode(each).decode()}\n" for each in hashes)


def inclusion(*, chain: str, seq: int, size: int | None = None, actor: Actor) -> InclusionProof | Refused | BadInput:
    """That the checkpoint of `size` entries, or the newest, holds this entry. `chain`: a License ID, or `portal`."""
    refused = lacking(actor, [Ability.READ_LEDGER])
    if refused:
        return refused
    name = chain if chain == PORTAL_CHAIN else public_id("LIC", chain)
    if isinstance(name, BadInput):
        return name
    entry = LedgerEntry.objects.filter(chain=name, seq=seq).select_related("leaf").first()
    if entry is None:
        return BadInput("entry-unknown", f"The ledger has no entry {seq} of {name}.")
    found = _checkpoint(size)
    if isinstance(found, Refused | BadInput):
        return found
    leaf = getattr(entry, "leaf", None)
    if leaf is None or leaf.index >= found.size:
        return _not_covered(name, seq, found, newest=size is None or leaf is None)
    try:
        path = inclusion_proof(leaf.index, found.size, Tree().subtree)
    except TreeIncomplete as error:
        return Refused("tree-incomplete", str(error))
    digest = leaf_hash(entry.body.encode()).hex()
    return InclusionProof(name, seq, leaf.index, found.size, entry.body, digest, tuple(path), found.note)


def _not_covered(name: str, seq: int, found: LedgerCheckpoint, *, newest: bool) -> Refused:
    if newest:
        return Refused(
            "not-covered",
            f"No checkpoint covers {name} entry {seq} yet. Make one with `manage.py checkpoint_ledger`, or wait for "
            "the job that does, and ask again.",
        )
    return Refused(
        "not-covered",
        f"The checkpoint of {found.size} entries was made before {name} entry {seq}. Ask for a larger size, or leave "
        "it out: the newest checkpoint is taken.",
    )


def consistency(*, old: int, new: int | None = None, actor: Actor) -> ConsistencyProof | Refused | BadInput:
    """That the checkpoint of `new` entries, or the newest, continues the tree of the first `old` entries."""
    refused = lacking(actor, [Ability.READ_LEDGER])
    if refused:
        return refused
    found = _checkpoint(new)
    if isinstance(found, Refused | BadInput):
        return found
    if not 0 <= old <= found.size:
        return BadInput(
            "sizes-reversed",
            f"A checkpoint of {old} entries cannot come before one of {found.size}. Give the smaller size first.",
        )
    try:
        return consistency_from(old, found)
    except TreeIncomplete as error:
        return Refused("tree-incomplete", str(error))


def consistency_from(old: int, checkpoint: LedgerCheckpoint) -> ConsistencyProof:
    """From a tree of any size up to that of the checkpoint. Raises TreeIncomplete."""
    path = consistency_proof(old, checkpoint.size, Tree().subtree)
    return ConsistencyProof(old, checkpoint.size, tuple(path), checkpoint.note)


def _checkpoint(size: int | None) -> LedgerCheckpoint | Refused | BadInput:
    if size is None:
        newest = LedgerCheckpoint.objects.first()
        return newest or Refused(
            "no-checkpoint",
            "There is no checkpoint yet. Make one with `manage.py checkpoint_ledger`, or wait for the job that does.",
        )
    found = LedgerCheckpoint.objects.filter(size=size).first() if 0 < size < 1 << 63 else None
    if found is not None:
        return found
    near = [str(each) for each in _near(size)]
    said = f" The nearest have {' and '.join(near)}." if near else ""
    return BadInput("checkpoint-unknown", f"There is no checkpoint of {size} entries.{said}")


def _near(size: int) -> list[int]:
    sizes = LedgerCheckpoint.objects.values_list("size", flat=True)
    if not 0 <= size < 1 << 63:
        return list(sizes[:1])
    below, above = sizes.filter(size__lt=size).first(), sizes.filter(size__gt=size).order_by("size").first()
    return [each for each in (below, above) if each is not None]
