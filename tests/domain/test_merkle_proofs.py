"""Inclusion and consistency proofs: published vectors, every small tree against the words of the RFC, larger ones."""

from __future__ import annotations

import hashlib
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activations.domain.merkle import (
    EMPTY_ROOT,
    Subtree,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.domain.test_merkle_tree import LEAVES, ROOTS, mth

EXHAUSTIVE = 70

# Proofs over the eight leaves, as the tests of the Certificate Transparency implementations have them. Theirs count
# the leaves from 1, here they count from 0.
PUBLISHED_INCLUSION = [
    (0, 1, []),
    (
        0,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
PUBLISHED_CONSISTENCY = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]


def number(index: int) -> bytes:
    return b"entry %d" % index


def over(leaves: list[bytes]) -> Subtree:
    """The perfect subtrees by the recursive definition."""

    @cache
    def subtree(level: int, index: int) -> bytes:
        part = leaves[index << level : (index + 1) << level]
        assert len(part) == 1 << level, "only of whole subtrees"
        return mth(part)

    return subtree


@cache
def node(start: int, end: int) -> bytes:
    """MTH(D[start:end]) over numbered entries, as the RFC writes it."""
    if end - start == 1:
        return leaf_hash(number(start))
    k = 1
    while k * 2 < end - start:
        k *= 2
    return hashlib.sha256(b"\x01" + node(start, start + k) + node(start + k, end)).digest()


def path(m: int, start: int, end: int) -> list[bytes]:
    """PATH(m, D[start:end]) of RFC 6962 2.1.1, word for word."""
    n = end - start
    if n == 1:
        return []
    k = 1
    while k * 2 < n:
        k *= 2
    if m < k:
        return [*path(m, start, start + k), node(start + k, end)]
    return [*path(m - k, start + k, end), node(start, start + k)]


def subproof(m: int, start: int, end: int, whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[start:end], b) of RFC 6962 2.1.2, word for word."""
    n = end - start
    if m == n:
        return [] if whole else [node(start, end)]
    k = 1
    while k * 2 < n:
        k *= 2
    if m <= k:
        return [*subproof(m, start, start + k, whole), node(start + k, end)]
    return [*subproof(m - k, start + k, end, False), node(start, start + k)]


def of_numbers(level: int, index: int) -> bytes:
    return node(index << level, (index + 1) << level)


@pytest.mark.parametrize(("index", "size", "proof"), PUBLISHED_INCLUSION)
def test_published_inclusion_proofs(index: int, size: int, proof: list[str]) -> None:
    found = inclusion_proof(index, size, over(LEAVES))

    assert [step.hex() for step in found] == proof
    assert verify_inclusion(index, size, leaf_hash(LEAVES[index]), found, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("old", "new", "proof"), PUBLISHED_CONSISTENCY)
def test_published_consistency_proofs(old: int, new: int, proof: list[str]) -> None:
    found = consistency_proof(old, new, over(LEAVES))

    assert [step.hex() for step in found] == proof
    assert verify_consistency(old, bytes.fromhex(ROOTS[old]), new, bytes.fromhex(ROOTS[new]), found)


@pytest.mark.parametrize("size", range(9))
def test_published_roots_from_subtrees(size: int) -> None:
    assert root_of(size, over(LEAVES)).hex() == ROOTS[size]


# The example of RFC 6962 2.1.3: seven leaves, and which nodes of the drawn trees each proof holds.
def test_the_example_of_the_rfc() -> None:
    a, b, c, d, e, f, j = (leaf_hash(number(index)) for index in range(7))
    g, h, i, k, l = node(0, 2), node(2, 4), node(4, 6), node(0, 4), node(4, 7)  # noqa: E741 as the RFC calls them

    assert inclusion_proof(0, 7, of_numbers) == [b, h, l]
    assert inclusion_proof(3, 7, of_numbers) == [c, g, l]
    assert inclusion_proof(4, 7, of_numbers) == [f, j, k]
    assert inclusion_proof(6, 7, of_numbers) == [i, k]
    assert consistency_proof(3, 7, of_numbers) == [c, d, g, l]
    assert consistency_proof(4, 7, of_numbers) == [l]
    assert consistency_proof(6, 7, of_numbers) == [i, j, k]
    assert (a, e) == (leaf_hash(b"entry 0"), leaf_hash(b"entry 4"))


@pytest.mark.parametrize("size", range(1, EXHAUSTIVE + 1))
def test_every_entry_of_every_small_tree(size: int) -> None:
    root = node(0, size)
    assert root_of(size, of_numbers) == root
    for index in range(size):
        found = inclusion_proof(index, size, of_numbers)
        assert found == path(index, 0, size)
        assert verify_inclusion(index, size, leaf_hash(number(index)), found, root)
        others = [other for other in range(size + 1) if other != index]
        assert not any(verify_inclusion(other, size, leaf_hash(number(index)), found, root) for other in others)


@pytest.mark.parametrize("new", range(EXHAUSTIVE + 1))
def test_every_beginning_of_every_small_tree(new: int) -> None:
    root = node(0, new) if new else EMPTY_ROOT
    for old in range(1, new + 1):
        found = consistency_proof(old, new, of_numbers)
        assert found == subproof(old, 0, new, True)
        assert verify_consistency(old, node(0, old), new, root, found)
        for other in range(new + 2):
            if other != old:
                assert not verify_consistency(other, node(0, old), new, root, found)
                assert other == 0 or not verify_consistency(old, node(0, other), new, root, found)
    assert consistency_proof(0, new, of_numbers) == []


@given(st.integers(1, 5000), st.data())
@settings(max_examples=60, deadline=None)
def test_larger_trees(size: int, data: st.DataObject) -> None:
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    asked: list[tuple[int, int]] = []

    def counted(level: int, at: int) -> bytes:
        asked.append((level, at))
        return of_numbers(level, at)

    found = inclusion_proof(index, size, counted)
    assert found == path(index, 0, size)
    assert verify_inclusion(index, size, leaf_hash(number(index)), found, node(0, size))
    assert len(asked) <= 2 * size.bit_length(), "O(log n)"
    asked.clear()
    found = consistency_proof(old, size, counted)
    assert found == subproof(old, 0, size, True)
    assert verify_consistency(old, node(0, old), size, node(0, size), found)
    assert len(asked) <= 2 * size.bit_length(), "O(log n)"


@given(st.integers(2, 300), st.data())
@settings(max_examples=100, deadline=None)
def test_a_proof_with_anything_changed_proves_nothing(size: int, data: st.DataObject) -> None:
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size - 1))
    root, leaf = node(0, size), leaf_hash(number(index))

    def broken(proof: list[bytes]) -> list[bytes]:
        at = data.draw(st.integers(0, len(proof)))
        change = data.draw(st.sampled_from(["flip", "cut", "add"]))
        if change == "add":
            return [*proof[:at], data.draw(st.sampled_from([*proof, bytes(32), root])), *proof[at:]]
        at = min(at, len(proof) - 1)
        if change == "cut":
            return [*proof[:at], *proof[at + 1 :]]
        return [*proof[:at], bytes([proof[at][0] ^ 1]) + proof[at][1:], *proof[at + 1 :]]

    assert not verify_inclusion(index, size, leaf, broken(inclusion_proof(index, size, of_numbers)), root)
    assert not verify_inclusion(index, size, leaf, inclusion_proof(index, size, of_numbers), bytes(32))
    proof = consistency_proof(old, size, of_numbers)
    assert not verify_consistency(old, node(0, old), size, root, broken(proof))
    assert not verify_consistency(old, bytes(32), size, root, proof)
    assert not verify_consistency(old, node(0, old), size, bytes(32), proof)


def test_an_old_tree_that_is_empty_or_the_same() -> None:
    assert verify_consistency(5, node(0, 5), 5, node(0, 5), [])
    assert not verify_consistency(5, node(0, 5), 5, node(0, 4), [])
    assert not verify_consistency(5, node(0, 5), 5, node(0, 5), [node(0, 5)])
    assert not verify_consistency(0, EMPTY_ROOT, 5, node(0, 5), [])
    assert not verify_consistency(4, node(0, 4), 5, node(0, 5), [])
    assert not verify_inclusion(0, 1, b"", [], b"")


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 3), (3, 3), (9, 3)])
def test_a_leaf_that_is_not_there_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="has no leaf"):
        inclusion_proof(index, size, of_numbers)


@pytest.mark.parametrize(("old", "new"), [(-1, 3), (4, 3)])
def test_a_larger_tree_is_no_beginning(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="no beginning"):
        consistency_proof(old, new, of_numbers)
