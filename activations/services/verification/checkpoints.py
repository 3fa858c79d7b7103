"""Checkpoints against the entries they cover: the Merkle tree of RFC 6962, the note, and the key that signed it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from chariot_license.protocol.certificates import check_validity, load_certificate
from chariot_license.protocol.errors import CertificateError
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings
from django.db.models import Exists, OuterRef

from activations.domain.checkpoint import Checkpoint, key_hash, note_text, read_note
from activations.domain.merkle import Range, leaf_hash
from activations.models import LedgerCheckpoint, LedgerEntry, LedgerLeaf, LedgerUncovered
from activations.services.booking import iso
from activations.services.verification.keys import KnownKey, KnownKeys
from activations.services.verification.tiles import TileCheck

CHUNK = 2000


@dataclass
class _Tree:
    """The tree as it grows: how far it covers each chain, its newest entry, and the time of the last checkpoint."""

    range: Range = field(default_factory=Range)
    covered: dict[str, int] = field(default_factory=dict)
    newest: datetime | None = None
    floor: datetime | None = None


def checkpoint_problems(keys: KnownKeys) -> Iterator[str]:
    """Grows the tree over the leaves in order and compares it with each checkpoint on the way."""
    stored = list(LedgerCheckpoint.objects.order_by("size", "id"))
    wanted: dict[int, LedgerCheckpoint] = {}
    for size, count in Counter(row.size for row in stored).items():
        if size < 1 or count > 1:
            yield f"there are {count} checkpoints of size {size}"
    for row in stored:
        wanted.setdefault(row.size, row)
    tree = _Tree()
    tiles = TileCheck(covered=stored[-1].size if stored else 0)
    leaves = LedgerLeaf.objects.order_by("index").values_list(
        "index", "entry__chain", "entry__seq", "entry__at", "entry__body"
    )
    for index, chain, seq, at, body in leaves.iterator(CHUNK):
        if index != tree.range.size:
            yield f"leaf {tree.range.size} of the Merkle tree is missing"
            return
        yield from _leaf_problems(tree, index, chain, seq, at)
        leaf = leaf_hash(body.encode())
        tree.range = tree.range.grown([leaf])
        yield from tiles.take(leaf)
        found = wanted.pop(tree.range.size, None)
        if found is not None:
            yield from _problems(found, tree, keys)
    yield from tiles.end()
    size = tree.range.size
    yield from (f"the checkpoint of size {more} covers more entries than there are ({size})" for more in wanted)
    yield from _uncovered(stored, tree)


def _leaf_problems(tree: _Tree, index: int, chain: str, seq: int, at: datetime) -> Iterator[str]:
    """Leaves of a chain stand in its order, and nothing that a checkpoint leaves out is older than it (9.17)."""
    if seq != tree.covered.get(chain, 0) + 1:
        yield f"leaf {index} of the Merkle tree ({chain} entry {seq}) stands out of the order of its chain"
    if tree.floor is not None and at < tree.floor:
        yield f"{chain} entry {seq}: is dated before a checkpoint that does not cover it"
    tree.covered[chain] = seq
    tree.newest = at if tree.newest is None else max(tree.newest, at)


def _uncovered(stored: list[LedgerCheckpoint], tree: _Tree) -> Iterator[str]:
    last = stored[-1].size if stored else 0
    if tree.range.size > last:
        yield f"leaf {last} of the Merkle tree and those after it are covered by no checkpoint"
    marked = Exists(LedgerUncovered.objects.filter(hash=OuterRef("hash")))
    lost = LedgerEntry.objects.filter(~marked, leaf__isnull=True).order_by("chain", "seq")
    for chain, seq in lost.values_list("chain", "seq").iterator(CHUNK):
        yield f"{chain} entry {seq}: has no leaf, nor the mark by which the next checkpoint would find it"
    if tree.floor is None:
        return
    late = LedgerEntry.objects.filter(leaf__isnull=True, at__lt=tree.floor).order_by("chain", "seq")
    for chain, seq in late.values_list("chain", "seq").iterator(CHUNK):
        yield f"{chain} entry {seq}: is dated before a checkpoint that does not cover it"


def _problems(row: LedgerCheckpoint, tree: _Tree, keys: KnownKeys) -> Iterator[str]:
    name, size, root = f"the checkpoint of size {row.size}", tree.range.size, tree.range.root
    floors = [time for time in (tree.floor, tree.newest) if time is not None]
    if any(row.created_at < floor for floor in floors):
        yield f"{name} is dated {iso(row.created_at)}, before what it covers"
    tree.floor = max([row.created_at, *floors])
    try:
        noted, signatures = read_note(row.note)
    except ValueError as error:
        yield f"{name} is unreadable: {error}"
        return
    subtrees = [subtree.hex() for subtree in tree.range.roots]
    if (row.root, row.subtrees, noted.root, noted.size) != (root.hex(), subtrees, root, size):
        yield f"{name} does not fit the entries it covers"
    if noted.origin != settings.LEDGER_ORIGIN:
        yield f"{name} is of another ledger ({noted.origin}) than LEDGER_ORIGIN names ({settings.LEDGER_ORIGIN})"
    # The portal writes one line; a further one would be somebody's addition to a row that never changes.
    if len(signatures) != 1 or signatures[0][0] != noted.origin:
        yield f"{name} has other signature lines than the one the portal writes"
    signed = [key for key in keys.checkpoint.values() if _signed(key, noted, signatures)]
    if not signed:
        yield f"{name} is not signed by a checkpoint key of this portal"
    elif not any(_was_current(key, row) for key in signed):
        yield f"{name} is signed by a checkpoint key that was not current then"


def _signed(key: KnownKey, noted: Checkpoint, signatures: list[tuple[str, bytes]]) -> bool:
    """Whether a signature line's content (4-byte key id, then Ed25519) is by this key."""
    public = Ed25519PublicKey.from_public_bytes(key.public)
    for name, signature in signatures:
        if name != noted.origin or signature[:4] != key_hash(noted.origin, key.public):
            continue
        try:
            public.verify(signature[4:], note_text(noted).encode())
        except InvalidSignature:
            continue
        return True
    return False


def _was_current(key: KnownKey, row: LedgerCheckpoint) -> bool:
    """The checkpoint covers the entry that made the key, not one that retired it; its certificate was valid."""
    try:
        check_validity(load_certificate(key.certificate), int(row.created_at.timestamp()))
    except CertificateError:
        return False
    return key.made is not None and key.made < row.size and (key.retired is None or key.retired >= row.size)
