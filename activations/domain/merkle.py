"""The Merkle tree of RFC 6962 section 2.1 over the ledger's entries, kept as a compact range so that it can grow; and
the proofs that are made from it and checked against its roots (RFC 9162, 2.1.3 and 2.1.4).

A compact range is the list of roots of the perfect subtrees a tree of that size splits into, largest first: one hash
for each bit set in the size. Appending a leaf touches only it, so a checkpoint costs what the new entries cost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

# The hash of the perfect subtree of 2**level leaves that begins with leaf `index * 2**level`.
Subtree = Callable[[int, int], bytes]
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """RFC 6962 2.1: SHA-256(0x00 || leaf)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 2.1: SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True)
class Range:
    """A tree of `size` leaves as the roots of its perfect subtrees, largest first."""

    size: int = 0
    roots: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.roots) != self.size.bit_count():
            raise ValueError(
                f"a tree of {self.size} leaves has {self.size.bit_count()} subtrees, not {len(self.roots)}"
            )

    @property
    def root(self) -> bytes:
        if not self.roots:
            return EMPTY_ROOT
        root = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            root = node_hash(left, root)
        return root

    def grown(self, leaves: Iterable[bytes]) -> Range:
        """With more leaf hashes appended."""
        size, roots = self.size, list(self.roots)
        for leaf in leaves:
            node, bits = leaf, size
            while bits & 1:
                node = node_hash(roots.pop(), node)
                bits >>= 1
            roots.append(node)
            size += 1
        return Range(size, tuple(roots))


def root_of(size: int, subtree: Subtree) -> bytes:
    """The root of the tree of the first `size` leaves."""
    return _span(0, size, subtree) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """PATH(index, D[size]) of RFC 6962 2.1.1: from the leaf's sibling up to a child of the root. Raises ValueError for
    a leaf that the tree does not have. Asks for O(log size) subtrees.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_span(middle, end, subtree))
            end = middle
        else:
            path.append(_span(start, middle, subtree))
            start = middle
    return path[::-1]


def consistency_proof(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """PROOF(old, D[new]) of RFC 6962 2.1.2; empty for an old tree that is empty or the same. Raises ValueError if the
    old tree is the larger one. Asks for O(log new) subtrees.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {old} leaves is no beginning of one of {new}")
    path: list[bytes] = []
    start, end = 0, new
    while 0 < old < end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(_span(middle, end, subtree))
            end = middle
        else:
            path.append(_span(start, middle, subtree))
            start = middle
    if start:  # the old tree is not itself a node of which the verifier has the hash
        path.append(_span(start, end, subtree))
    return path[::-1]


def verify_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> bool:
    """RFC 9162 2.1.3.2: whether the tree of that size and root holds this leaf hash at this place."""
    if not 0 <= index < size or len(leaf) != len(EMPTY_ROOT):
        return False
    node, last, found = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = node_hash(step, found)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, step)
        node, last = node >> 1, last >> 1
    return last == 0 and found == root


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    """RFC 9162 2.1.4.2: whether the tree of `old` leaves is a beginning of that of `new` leaves. An empty old tree says
    nothing of a later one, so there is nothing to verify, and the answer is no.
    """
    if not 0 < old <= new:
        return False
    if old == new:
        return not path and old_root == new_root
    steps = list(path) if old & (old - 1) else [old_root, *path]
    if not steps:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            before, after = node_hash(step, before), node_hash(step, after)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            after = node_hash(after, step)
        node, last = node >> 1, last >> 1
    return last == 0 and (before, after) == (old_root, new_root)


def _split(count: int) -> int:
    """The largest power of two below `count` (RFC 6962 2.1); `count` is two or more."""
    return 1 << (count - 1).bit_length() - 1


def _span(start: int, end: int, subtree: Subtree) -> bytes:
    """MTH(D[start:end]) for a node of the tree: of its perfect subtrees, largest first, as `Range` holds them."""
    hashes: list[bytes] = []
    while start < end:
        level = (end - start).bit_length() - 1
        hashes.append(subtree(level, start >> level))
        start += 1 << level
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root
