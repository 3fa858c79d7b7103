"""The Merkle tree as it is stored: writing the tiles that have become full, and reading any part of it from them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

from django.db.models import Max

from activations.domain.merkle import leaf_hash, root_of
from activations.domain.tiles import HASH_BYTES, WIDTH, Tile, hashes_in, place, root_over
from activations.models import LedgerLeaf, LedgerTile

CHUNK = 2000
AT_ONCE = 64  # tiles written by one statement


class TreeIncomplete(Exception):
    """Leaves or tiles that must be there are not: somebody took them away. `verify_ledger` names them."""


def fill_tiles(size: int) -> int:
    """Writes every tile of the tree of `size` leaves that is full and not there yet; returns how many.

    In the transaction of the checkpoint, which is alone. Reads the leaves since the last full tile and no others.
    """
    made = _write(0, range(_stored(0), size // WIDTH), _full_of_leaves(_stored(0) * WIDTH, size // WIDTH * WIDTH))
    level, count = 1, size // WIDTH // WIDTH
    while count:
        begin = _stored(level)
        made += _write(level, range(begin, count), _full_of_roots(level, begin * WIDTH, count * WIDTH))
        level, count = level + 1, count // WIDTH
    return made


def _stored(level: int) -> int:
    """How many tiles of a level there are; they have no gaps."""
    last = LedgerTile.objects.filter(level=level).aggregate(last=Max("index"))["last"]
    return 0 if last is None else last + 1


def _write(level: int, indexes: range, tiles: Iterator[bytes]) -> int:
    rows = (
        LedgerTile(level=level, index=index, hashes=hashes, root=root_over(hashes_in(hashes)))
        for index, hashes in zip(indexes, tiles, strict=True)
    )
    return sum(len(LedgerTile.objects.bulk_create(some)) for some in _some(rows))


def _some(rows: Iterator[LedgerTile]) -> Iterator[list[LedgerTile]]:
    while some := list(islice(rows, AT_ONCE)):
        yield some


def _full_of_leaves(start: int, end: int) -> Iterator[bytes]:
    return _joined(leaf_hashes(start, end)) if start < end else iter(())


def _full_of_roots(level: int, start: int, end: int) -> Iterator[bytes]:
    return _joined(_roots(level - 1, start, end)) if start < end else iter(())


def _joined(hashes: Iterator[bytes]) -> Iterator[bytes]:
    part = bytearray()
    for each in hashes:
        part += each
        if len(part) == WIDTH * HASH_BYTES:
            yield bytes(part)
            part.clear()


def leaf_hashes(start: int, end: int) -> Iterator[bytes]:
    """The hashes of the leaves from `start` up to but without `end`, from the entries themselves."""
    rows = LedgerLeaf.objects.filter(index__gte=start, index__lt=end).order_by("index")
    at = start
    for index, body in rows.values_list("index", "entry__body").iterator(CHUNK):
        if index != at:
            break
        yield leaf_hash(body.encode())
        at += 1
    if at != end:
        raise TreeIncomplete(f"Leaf {at} of the ledger's tree is missing. Run `manage.py verify_ledger`.")


def _roots(level: int, start: int, end: int) -> Iterator[bytes]:
    rows = LedgerTile.objects.filter(level=level, index__gte=start, index__lt=end).order_by("index")
    at = start
    for index, root in rows.values_list("index", "root").iterator(CHUNK):
        if index != at:
            break
        yield bytes(root)
        at += 1
    if at != end:
        raise TreeIncomplete(f"Tile {level}/{at} of the ledger's tree is missing. Run `manage.py verify_ledger`.")


class Tree:
    """The tree over the leaves that have a checkpoint, read from the tiles; what has no full tile yet is computed.

    A proof reads at most one tile, or the part of one at the right edge, for each of its subtrees.
    """

    def __init__(self) -> None:
        self._kept = lru_cache(maxsize=32)(_tile)

    def subtree(self, level: int, index: int) -> bytes:
        tile_level, tile, start, end = place(level, index)
        return root_over(self._hashes(tile_level, tile, start, end))

    def root(self, size: int) -> bytes:
        return root_of(size, self.subtree)

    def tile(self, tile: Tile) -> bytes:
        """The bytes of a tile, full or partial."""
        return b"".join(self._hashes(tile.level, tile.index, 0, tile.width))

    def _hashes(self, level: int, tile: int, start: int, end: int) -> list[bytes]:
        stored = self._kept(level, tile)
        if stored is not None:
            return hashes_in(stored)[start:end]
        first = tile * WIDTH
        return list(_computed(level, first + start, first + end))


def _tile(level: int, index: int) -> bytes | None:
    found = LedgerTile.objects.filter(level=level, index=index).values_list("hashes", flat=True).first()
    return None if found is None else bytes(found)


def _computed(level: int, start: int, end: int) -> Iterator[bytes]:
    """Hashes that no tile holds yet."""
    if level == 0:
        yield from leaf_hashes(start, end)
        return
    stored = min(max(_stored(level - 1), start), end)
    yield from _roots(level - 1, start, stored)
    for index in range(stored, end):  # only until the first checkpoint of a portal that had none of them
        yield root_over(list(_computed(level - 1, index * WIDTH, (index + 1) * WIDTH)))
