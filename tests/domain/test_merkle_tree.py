"""The Merkle tree against the recursive definition of RFC 6962 2.1 and the published roots of its reference code."""

import hashlib
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activations.domain.merkle import EMPTY_ROOT, Range, leaf_hash, node_hash

# The leaves and roots of the reference implementation's tests (certificate-transparency, merkle_tree_test).
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

SOME_LEAVES = st.lists(st.binary(max_size=8), max_size=40)


def mth(leaves: list[bytes]) -> bytes:
    """MTH(D[n]) of RFC 6962 2.1, word for word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def grown(leaves: list[bytes]) -> Range:
    return Range().grown(leaf_hash(leaf) for leaf in leaves)


@pytest.mark.parametrize("size", range(9))
def test_published_roots(size: int) -> None:
    assert grown(LEAVES[:size]).root.hex() == ROOTS[size]
    assert mth(LEAVES[:size]).hex() == ROOTS[size]


def test_the_empty_tree() -> None:
    assert Range().root == EMPTY_ROOT
    assert Range().size == 0
    assert Range().grown([]) == Range()


@given(SOME_LEAVES)
def test_root_is_that_of_the_recursive_definition(leaves: list[bytes]) -> None:
    tree = grown(leaves)
    assert tree.root == mth(leaves)
    assert tree.size == len(leaves)


@given(SOME_LEAVES, st.lists(st.integers(0, 40), max_size=6))
def test_growing_in_any_steps_gives_the_same_tree(leaves: list[bytes], cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(leaves)) for cut in cuts), len(leaves)]
    tree = Range()
    for start, end in pairwise(edges):
        # Through the constructor, as the stored range of a checkpoint comes back.
        tree = Range(tree.size, tree.roots).grown(leaf_hash(leaf) for leaf in leaves[start:end])
    assert tree == grown(leaves)


def test_a_range_keeps_one_root_for_each_perfect_subtree() -> None:
    tree = grown(LEAVES[:7])
    assert tree.roots == (mth(LEAVES[:4]), mth(LEAVES[4:6]), mth(LEAVES[6:7]))
    assert grown(LEAVES).roots == (mth(LEAVES),)


def test_growing_leaves_the_smaller_tree_as_it_was() -> None:
    small = grown(LEAVES[:3])
    roots = [
        tree.root.hex() for tree in accumulate(LEAVES[3:], lambda t, leaf: t.grown([leaf_hash(leaf)]), initial=small)
    ]
    assert roots == ROOTS[3:]
    assert small.root.hex() == ROOTS[3]


@pytest.mark.parametrize(("size", "count"), [(0, 1), (1, 0), (3, 1), (4, 2), (-1, 1)])
def test_a_range_with_the_wrong_number_of_roots_is_refused(size: int, count: int) -> None:
    with pytest.raises(ValueError, match="leaves"):
        Range(size, (b"\x00" * 32,) * count)


def test_a_leaf_cannot_pass_for_a_node() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)
    assert grown([left + right]).root != grown([b"a", b"b"]).root
