"""Where the hashes of the Merkle tree lie in tiles of height 8 (C2SP tlog-tiles).

Tile `index` of level L holds the hashes of 256 consecutive perfect subtrees of 256**L leaves each; one at the right
edge of the tree, with fewer, is partial. A subtree between two levels is hashed from the tile that spans it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from activations.domain.merkle import Range

HEIGHT = 8
WIDTH = 1 << HEIGHT
HASH_BYTES = 32
TILE_BYTES = WIDTH * HASH_BYTES


@dataclass(frozen=True, order=True)
class Tile:
    """A tile of a tree of a certain size: full with `width` 256, or partial."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """tile/<L>/<N>[.p/<W>]; N in groups of three digits, all but the last with an x."""
        digits = f"{self.index:03}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        number = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{self.level}/{number}{partial}"

    @property
    def full(self) -> bool:
        return self.width == WIDTH


def tiles_of(size: int, since: int = 0) -> Iterator[Tile]:
    """The tiles of a tree of `size` leaves that one of `since` leaves does not have, level by level, in order."""
    level = 0
    while size:
        for index in range(since // WIDTH, size // WIDTH):
            yield Tile(level, index)
        if size % WIDTH and size != since:
            yield Tile(level, size // WIDTH, size % WIDTH)
        size, since, level = size // WIDTH, since // WIDTH, level + 1


def place(level: int, index: int) -> tuple[int, int, int, int]:
    """Where a perfect subtree lies: level and index of its tile, and from which to which of the tile's hashes."""
    tile_level, height = divmod(level, HEIGHT)
    first = index << height
    start = first % WIDTH
    return tile_level, first // WIDTH, start, start + (1 << height)


def hashes_in(tile: bytes) -> list[bytes]:
    """The hashes of a tile, or of a part of one."""
    return [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]


def root_over(hashes: list[bytes]) -> bytes:
    """The root over hashes of one level; for a full tile, the hash that stands for it on the level above."""
    return Range().grown(hashes).root
