"""The Merkle tree of RFC 6962 section 2.1 over the ledger's entries, kept as a compact range so that it can grow.

A compact range is the list of roots of the perfect subtrees a tree of that size splits into, largest first: one hash
for each bit set in the size. Appending a leaf touches only it, so a checkpoint costs what the new entries cost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

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
