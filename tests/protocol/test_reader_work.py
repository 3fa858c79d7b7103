"""Whatever comes in, reading it is bounded work, and a block before or behind junk is still found."""

import random
import sys
from collections.abc import Callable

import pytest
from chariot_license.protocol.block import DamagedBlock, FoundBlock, Kind, edge_line, write_block
from chariot_license.protocol.clean import words_of
from chariot_license.protocol.errors import BlockError
from chariot_license.protocol.qr import qr_payload
from chariot_license.protocol.reader import MAX_BLOCKS, MAX_MARKS, MAX_REPAIRS, find_blocks, next_to_lines
from chariot_license.protocol.repair import put_together
from chariot_license.protocol.scan import Budget, find_marks

from tests.protocol.test_reader import REQUEST, REQUEST_BLOCK, without

NOISE = random.Random(5)
JUNK: dict[str, str | bytes] = {
    "random bytes": NOISE.randbytes(1_000_000),
    "words of digits": " ".join(str(NOISE.randrange(10, 100)) for _ in range(333_000)),
    "line numbers": "01 " * 333_000,
    "tags": "<a" * 500_000,
    "entities": "&#" * 500_000,
    "soft breaks": "=\n" * 500_000,
    "zeros": "0" * 1_000_000,
    "payload starts": "CLR1 25Q72 " * 90_000,
    "first lines": "".join(edge_line(Kind.REQUEST, "BEGIN", 99, f"{number:04d}") + "\n" for number in range(10_000)),
    "last lines": "".join(edge_line(Kind.REQUEST, "END", 14, f"{number:04d}") + "\n" for number in range(10_000)),
    "one first line": (edge_line(Kind.LICENSE, "BEGIN", 99, "7K2M") + "\n" + "01 02 03 " * 40) * 2_500,
}


JUNK |= {
    "first lines that are glued": "".join(f"CHARIOTUSAGEREQUESTBEGIN16LINES{number:04d}" for number in range(9_999)),
    "lines of digits behind names": "".join(f"=3{n % 9}<p>JS&gt; {NOISE.randrange(10**40)}\n" for n in range(18_000)),
    "one payload": (qr_payload(Kind.REQUEST, b"x") + "\n") * 50_000,
}


def calls(read: Callable[[], list[FoundBlock | DamagedBlock]]) -> tuple[int, list[FoundBlock | DamagedBlock]]:
    """Return how many functions were called: the work that depends on nothing but the text."""
    count = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        blocks = read()
    finally:
        sys.setprofile(None)
    return count, blocks


@pytest.mark.parametrize("name", JUNK)
def test_a_megabyte_of_junk_is_little_work(name: str) -> None:
    work, blocks = calls(lambda: find_blocks(JUNK[name]))
    assert work < 2_500_000
    assert not any(isinstance(block, FoundBlock) and block.data != b"x" for block in blocks)
    assert len(blocks) <= 1


@pytest.mark.parametrize("name", ["first lines", "last lines", "first lines that are glued", "one first line"])
def test_work_does_not_grow_with_the_number_of_first_and_last_lines(name: str) -> None:
    junk = str(JUNK[name])
    half, _ = calls(lambda: find_blocks(junk[: len(junk) // 2]))
    whole, _ = calls(lambda: find_blocks(junk))
    assert whole < half * 2 + 10_000


@pytest.mark.parametrize("name", JUNK)
def test_a_block_before_or_behind_a_megabyte_of_junk_is_found(name: str) -> None:
    source = JUNK[name]
    junk = source if isinstance(source, str) else source.decode("latin-1")
    damaged = without(REQUEST_BLOCK, 4, 7)
    for text in (f"{REQUEST_BLOCK}\n{junk}", f"{junk}\n{REQUEST_BLOCK}", f"{junk}\n{damaged}"):
        found = [block for block in find_blocks(text) if isinstance(block, FoundBlock) and block.data != b"x"]
        assert [(block.kind, block.data) for block in found] == [(Kind.REQUEST, REQUEST)]


def test_the_first_and_last_lines_that_are_looked_at_are_bounded() -> None:
    junk = "".join(edge_line(Kind.REQUEST, "BEGIN", 14, f"{number:04d}") + "\n" for number in range(5_000))
    marks = find_marks(words_of(junk).replace(" ", ""))
    assert len(marks) == 5_000
    starts = {marks[number].end for number in (2_000, 4_999)}
    chosen = next_to_lines(list(marks), starts)
    assert len(chosen) == MAX_MARKS
    assert chosen[-2:] == [marks[2_000], marks[4_999]]
    assert chosen[:-2] == marks[: MAX_MARKS - 2]


@pytest.mark.parametrize("left_out", [(), (3, 4, 5)])
@pytest.mark.parametrize("form", [write_block, qr_payload])
def test_too_many_blocks_are_refused(left_out: tuple[int, ...], form: Callable[[Kind, bytes], str]) -> None:
    blocks = [form(Kind.REQUEST, random.Random(number).randbytes(120)) + "\n" for number in range(MAX_BLOCKS + 1)]
    if form is write_block:
        blocks = [without(block, *left_out) for block in blocks]
    assert len(find_blocks("\n".join(blocks[:-1]))) == MAX_BLOCKS
    with pytest.raises(BlockError) as error:
        find_blocks("\n".join(blocks))
    assert error.value.code == "too-many-blocks"


def test_the_ways_tried_to_put_lines_together_are_bounded() -> None:
    """The bound on false reads in docs/protocol.md rests on it."""
    rng = random.Random(9)
    budget = Budget(MAX_REPAIRS)
    tried = 0

    def accept(kind: Kind, data: bytes) -> bool:
        raise AssertionError("random lines met the digest")

    while budget.left > 0:
        lines = {number: [rng.randbytes(31)] for number in range(1, 100)}
        assert put_together(99, lines, {}, accept, budget) is None
        tried += 1
    # No line or any one or two of 99 taken as wrong: 4951 ways each.
    assert tried == -(-MAX_REPAIRS // 4951)
