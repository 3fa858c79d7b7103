"""The tiles of the ledger's tree: written once they are full, from what is there, at a cost of what is new."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from activations.domain.merkle import leaf_hash
from activations.domain.tiles import WIDTH, Tile, hashes_in, root_over
from activations.models import LedgerCheckpoint, LedgerEntry, LedgerLeaf, LedgerTile
from activations.models.rules import Event
from activations.services import checkpoints, tiles
from activations.services.ledger_checks import verify_ledger
from activations.services.tiles import Tree, TreeIncomplete, fill_tiles
from tests.portal.cast import book_many, make_keys
from tests.portal.tampering import unguarded
from tests.portal.test_checkpoints import checkpoint, merkle_root
from tests.support import without_triggers


def leaves() -> list[bytes]:
    bodies = LedgerLeaf.objects.order_by("index").values_list("entry__body", flat=True)
    return [leaf_hash(body.encode()) for body in bodies]


def stored() -> list[tuple[int, int]]:
    return list(LedgerTile.objects.values_list("level", "index"))


def test_a_checkpoint_writes_the_tiles_that_are_full(signing_keys: None) -> None:
    book_many(600 - LedgerEntry.objects.count())

    checkpoint()

    assert stored() == [(0, 0), (0, 1)]
    hashes = leaves()
    for tile in LedgerTile.objects.all():
        part = hashes[tile.index * WIDTH : (tile.index + 1) * WIDTH]
        assert bytes(tile.hashes) == b"".join(part)
        assert bytes(tile.root) == root_over(part)
    assert verify_ledger().holds


@pytest.mark.parametrize("steps", [(255, 1, 1), (256, 256), (1, 254, 2, 255), (700,)])
def test_in_any_steps_the_tiles_are_the_same(signing_keys: None, steps: tuple[int, ...]) -> None:
    total = LedgerEntry.objects.count()
    book_many(steps[0] - total)
    for more in steps[1:]:
        checkpoint()
        book_many(more)
    checkpoint()

    assert stored() == [(0, index) for index in range(sum(steps) // WIDTH)]
    assert verify_ledger().holds


def test_more_tiles_than_one_statement_writes(signing_keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many become full at once when a large portal makes its first checkpoint after an upgrade."""
    monkeypatch.setattr(tiles, "AT_ONCE", 2)
    book_many(5 * WIDTH + 7 - LedgerEntry.objects.count())

    checkpoint()

    assert stored() == [(0, index) for index in range(5)]
    assert verify_ledger().holds


def test_a_ledger_without_any_tile_is_noticed_at_once_and_gets_them_with_its_next_checkpoint(
    signing_keys: None, caplog: pytest.LogCaptureFixture
) -> None:
    book_many(600)
    checkpoint()
    before = LedgerTile.objects.order_by("level", "index").values_list("hashes", flat=True)
    wanted = [bytes(each) for each in before]
    with unguarded():
        LedgerTile.objects.all()._raw_delete("default")

    assert Tree().root(600) == bytes.fromhex(merkle_root(bodies(600)).hex())
    [problem] = verify_ledger().problems
    assert problem.startswith("every tile of the Merkle tree is missing: somebody deleted them")
    assert checkpoint().new == 0
    assert "they are written anew" in caplog.text

    after = LedgerTile.objects.order_by("level", "index").values_list("hashes", flat=True)
    assert [bytes(each) for each in after] == wanted
    assert verify_ledger().holds


def test_a_checkpoint_costs_what_is_new(signing_keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies read, and statements: of a ledger of 2000 entries no more than of one of 700."""
    hashed: list[bytes] = []

    def counted(data: bytes) -> bytes:
        hashed.append(data)
        return leaf_hash(data)

    monkeypatch.setattr(checkpoints, "leaf_hash", counted)
    monkeypatch.setattr(tiles, "leaf_hash", counted)
    costs = []
    for size in (700, 2000):
        book_many(size - LedgerEntry.objects.count())
        checkpoint()
        book_many(10)
        hashed.clear()
        with CaptureQueriesContext(
            connection,
        ) as asked:
            checkpoint()
        costs.append((len(hashed), len(asked)))

    assert costs[0] == costs[1]
    assert costs[0][0] == 10, "no tile became full, so nothing was read again"


def test_an_entry_is_read_twice_at_most(signing_keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for its leaf, once when its tile becomes full, however many checkpoints there are between."""
    hashed: list[bytes] = []

    def counted(data: bytes) -> bytes:
        hashed.append(data)
        return leaf_hash(data)

    monkeypatch.setattr(checkpoints, "leaf_hash", counted)
    monkeypatch.setattr(tiles, "leaf_hash", counted)
    for _ in range(25):
        book_many(41)
        checkpoint()

    total = LedgerLeaf.objects.count()
    assert len(hashed) == total + total // WIDTH * WIDTH


def bodies(count: int) -> list[bytes]:
    rows = LedgerLeaf.objects.order_by("index").values_list("entry__body", flat=True)[:count]
    return [body.encode() for body in rows]


def test_the_tree_from_tiles_is_that_of_the_entries(signing_keys: None) -> None:
    book_many(1100)
    checkpoint()
    tree, data = Tree(), bodies(1100)

    for size in (1, 2, 255, 256, 257, 511, 512, 513, 1000, 1024, 1100):
        assert tree.root(size) == merkle_root(data[:size])
    assert tree.root(0) == hashlib.sha256().digest()
    assert tree.root(LedgerCheckpoint.objects.get().size).hex() == LedgerCheckpoint.objects.get().root
    assert hashes_in(tree.tile(Tile(0, 2))) == leaves()[512:768]
    assert hashes_in(tree.tile(Tile(0, 4, 7))) == leaves()[1024:1031]
    assert hashes_in(tree.tile(Tile(1, 0, 4))) == [merkle_root(data[at : at + 256]) for at in (0, 256, 512, 768)]
    with pytest.raises(TreeIncomplete, match=r"Leaf \d+ of the ledger's tree is missing"):
        tree.root(5000)


@pytest.fixture
def many_tiles(db: None) -> list[bytes]:
    """65 536 leaves by their hashes alone: the roots of their 256 tiles."""
    hashes = [b"".join(hashlib.sha256(b"%d" % (at * WIDTH + n)).digest() for n in range(WIDTH)) for at in range(WIDTH)]
    roots = [root_over(hashes_in(each)) for each in hashes]
    connection.check_constraints()
    with without_triggers(connection, [Event.INSERT]):
        LedgerTile.objects.bulk_create(
            [
                LedgerTile(level=0, index=at, hashes=tile, root=root)
                for at, (tile, root) in enumerate(zip(hashes, roots, strict=True))
            ],
            batch_size=50,
        )
    return roots


def test_a_full_level_makes_a_tile_of_the_next(many_tiles: list[bytes]) -> None:
    partial = Tree().tile(Tile(1, 0, 255))
    assert fill_tiles(WIDTH * WIDTH) == 1

    tile = LedgerTile.objects.get(level=1)
    assert (tile.index, bytes(tile.hashes)) == (0, b"".join(many_tiles))
    assert partial == b"".join(many_tiles[:-1])
    assert bytes(tile.root) == root_over(many_tiles) == Tree().root(WIDTH * WIDTH) == Tree().subtree(16, 0)
    assert Tree().subtree(9, 1) == root_over(many_tiles[2:4])
    assert fill_tiles(WIDTH * WIDTH) == 0


def test_a_proof_reads_a_few_rows_of_many(many_tiles: list[bytes], django_assert_max_num_queries: Any) -> None:
    from activations.domain.merkle import consistency_proof, inclusion_proof

    fill_tiles(WIDTH * WIDTH)
    with django_assert_max_num_queries(4):
        assert len(inclusion_proof(12_345, WIDTH * WIDTH, Tree().subtree)) == 16
    with django_assert_max_num_queries(6):
        consistency_proof(12_345, WIDTH * WIDTH, Tree().subtree)


def test_what_was_taken_away_is_named(signing_keys: None) -> None:
    book_many(800)
    checkpoint()
    with unguarded():
        LedgerTile.objects.filter(index=1)._raw_delete("default")
        found = verify_ledger().problems
        assert "tile 0/1 of the Merkle tree is missing" in found
        LedgerTile.objects.filter(index=2).update(index=7)
        assert "tile 0/7 of the Merkle tree stands over leaves that there are not" in verify_ledger().problems


def test_a_changed_entry_is_named_by_the_tile_that_kept_its_hash(signing_keys: None) -> None:
    """Even when the chain, its head and the checkpoints' roots were made anew, as far as the tile stands."""
    book_many(300)
    checkpoint()
    entry = LedgerEntry.objects.get(leaf__index=77)
    with unguarded():
        LedgerEntry.objects.filter(pk=entry.pk).update(body=entry.body.replace('"entries":', '"Entries":'))
        found = verify_ledger().problems

    assert f"tile 0/0 of the Merkle tree holds another hash than leaf 77 gives, portal entry {entry.seq}" in found


def test_keys_alone_make_no_tile(db: None) -> None:
    make_keys()
    checkpoint()

    assert stored() == []
    assert verify_ledger().holds, "a ledger too short for a tile lacks none"
