"""Tiles: the examples of C2SP tlog-tiles, and that a tree cut into tiles gives back every subtree."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activations.domain.tiles import HASH_BYTES, TILE_BYTES, WIDTH, Tile, hashes_in, place, root_over, tiles_of
from tests.domain.test_merkle_proofs import node, of_numbers


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(1, 0, 17), "tile/1/000.p/17"),
        (Tile(0, 999), "tile/0/999"),
        (Tile(0, 1000), "tile/0/x001/000"),
        (Tile(63, 12345, 255), "tile/63/x012/345.p/255"),
    ],
)
def test_the_path_of_a_tile(tile: Tile, path: str) -> None:
    assert tile.path == path


def test_the_published_example_of_a_tree_in_tiles() -> None:
    """A tree of 70,000 leaves."""
    tiles = list(tiles_of(70_000))

    assert [tile for tile in tiles if not tile.full] == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert [tile for tile in tiles if tile.full] == [*(Tile(0, n) for n in range(273)), Tile(1, 0)]
    assert list(tiles_of(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles_of(0)) == []


@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_what_a_tree_has_more_than_a_smaller_one(one: int, other: int) -> None:
    small, large = sorted((one, other))

    more = set(tiles_of(large, since=small))

    assert more == set(tiles_of(large)) - set(tiles_of(small))


@given(st.integers(0, 20), st.integers(0, 2000))
@settings(deadline=None)
def test_where_a_subtree_lies(level: int, index: int) -> None:
    tile_level, tile, start, end = place(level, index)

    below = 256**tile_level
    first = (tile * WIDTH + start) * below
    assert (first, (tile * WIDTH + end) * below) == (index << level, (index + 1) << level)
    assert 0 <= start < end <= WIDTH


@pytest.mark.parametrize(("level", "index"), [(0, 0), (0, 255), (3, 17), (7, 1), (8, 0), (8, 2)])
def test_a_subtree_is_hashed_from_its_tile(level: int, index: int) -> None:
    tile_level, tile, start, end = place(level, index)
    at = [(tile * WIDTH + offset) * 256**tile_level for offset in range(start, end)]

    assert root_over([node(first, first + 256**tile_level) for first in at]) == of_numbers(level, index)


def test_a_tile_is_a_row_of_hashes() -> None:
    hashes = [bytes([number]) * HASH_BYTES for number in range(WIDTH)]

    assert len(b"".join(hashes)) == TILE_BYTES == 8192
    assert hashes_in(b"".join(hashes)) == hashes
    assert hashes_in(b"") == []
