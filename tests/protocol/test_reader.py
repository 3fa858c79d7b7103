"""Blocks are found in what people paste, and each refusal says what to do."""

import random
import time

import pytest
from chariot_license.protocol.block import (
    DamagedBlock,
    FoundBlock,
    Kind,
    block_id,
    block_text,
    edge_line,
    make_frame,
    write_block,
)
from chariot_license.protocol.clean import words_of
from chariot_license.protocol.errors import BlockError
from chariot_license.protocol.parity import parity_lines
from chariot_license.protocol.reader import MAX_REPAIRS, MAX_SOURCE, find_blocks, read_block
from chariot_license.protocol.repair import put_together
from chariot_license.protocol.scan import Budget, find_grouped_lines, find_whole_lines, tag_of
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocol.damage_by_mail import PROSE

REQUEST = random.Random(1).randbytes(366)
LICENSE = random.Random(2).randbytes(900)
REQUEST_BLOCK = write_block(Kind.REQUEST, REQUEST)
LICENSE_BLOCK = write_block(Kind.LICENSE, LICENSE)
FOUND_REQUEST = FoundBlock(Kind.REQUEST, REQUEST, REQUEST_BLOCK, ())
FOUND_LICENSE = FoundBlock(Kind.LICENSE, LICENSE, LICENSE_BLOCK, ())

REPLY = f"""\
From: lead@example.com
Subject: Re: Re: offline activation (plant 07)

Thanks, installed. But 2 weeks later the server was replaced, so here is
a new one from the new host, 65 columns wide as you said:

{REQUEST_BLOCK.replace(chr(10), "  " + chr(10))}
On 24.11.2025 09:12, Support wrote:
> Dear customer,
> here is your license. Paste all 33 lines:
>
{"".join("> " + line + chr(10) for line in LICENSE_BLOCK.splitlines())}
>> On 23.11.2025, you wrote:
>> 01 what do we need for line 12?
"""


def lines_of(block: str, *numbers: int) -> str:
    """Return these lines of a block, 0 for its first one."""
    lines = block.splitlines()
    return "\n".join(lines[number] for number in numbers) + "\n"


def without(block: str, *numbers: int) -> str:
    return lines_of(block, *(number for number in range(len(block.splitlines())) if number not in numbers))


def test_several_blocks_in_a_reply_in_order() -> None:
    assert find_blocks(REPLY) == [FOUND_REQUEST, FOUND_LICENSE]
    assert find_blocks(REPLY.encode("utf-16")) == [FOUND_REQUEST, FOUND_LICENSE]
    assert read_block(REPLY, Kind.REQUEST) == FOUND_REQUEST
    assert read_block(REPLY, Kind.LICENSE) == FOUND_LICENSE


def test_prose_has_no_blocks() -> None:
    assert find_blocks("\n\n".join(PROSE)) == []
    assert find_blocks("") == []
    assert find_blocks(b"") == []


def test_one_block_twice_is_one() -> None:
    assert find_blocks(REQUEST_BLOCK + "and again\n" + REQUEST_BLOCK) == [FOUND_REQUEST]


@pytest.mark.parametrize("lost", [(1, 2, 3, 4), (3, 7, 9, 14), (0, 5, 6, 7, 15), tuple(range(1, 15))])
def test_a_whole_copy_makes_up_for_a_damaged_one(lost: tuple[int, ...]) -> None:
    damaged = without(REQUEST_BLOCK, *lost)
    assert find_blocks(damaged + "once more:\n" + REQUEST_BLOCK) == [FOUND_REQUEST]
    assert find_blocks(REQUEST_BLOCK + "\nmy first try was:\n" + damaged) == [FOUND_REQUEST]


def test_two_damaged_copies_make_up_for_each_other() -> None:
    one, other = without(REQUEST_BLOCK, 2, 3, 4, 5), without(REQUEST_BLOCK, 8, 9, 10, 11, 12)
    assert find_blocks(one + "\n" + other) == [FOUND_REQUEST]


def test_the_missing_lines_may_come_in_a_later_mail() -> None:
    first = without(REQUEST_BLOCK, 4, 7, 9)
    later = "Here are lines 4, 7 and 9 again:\n" + lines_of(REQUEST_BLOCK, 4, 7, 9).lower()
    assert find_blocks(first + PROSE[0] + later) == [FOUND_REQUEST]
    assert find_blocks(later + PROSE[5] + first) == [FOUND_REQUEST]


def test_two_blocks_without_first_and_last_lines() -> None:
    bare = without(REQUEST_BLOCK, 0, 3, 15) + without(LICENSE_BLOCK, 0, 20, 21, 33)
    assert [(block.kind, block.repaired) for block in find_blocks(bare) if isinstance(block, FoundBlock)] == [
        (Kind.REQUEST, (3,)),
        (Kind.LICENSE, (20, 21)),
    ]


def test_different_blocks_of_one_kind() -> None:
    blocks = [write_block(Kind.REQUEST, bytes([number]) * 300) for number in range(30)]
    assert [block.text for block in find_blocks("\n".join(blocks)) if isinstance(block, FoundBlock)] == blocks


def test_a_block_inside_another() -> None:
    outer = REQUEST_BLOCK.splitlines(keepends=True)
    assert find_blocks("".join(outer[:6]) + LICENSE_BLOCK + "".join(outer[6:])) == [FOUND_REQUEST, FOUND_LICENSE]


@pytest.mark.parametrize("edge", ["BEGIN", "END"])
@pytest.mark.parametrize("wrong", ["05", "13", "99", "XX"])
def test_a_wrong_line_count_in_first_or_last_line(edge: str, wrong: str) -> None:
    text = REQUEST_BLOCK.replace(f"{edge} 14", f"{edge} {wrong}")
    assert find_blocks(text) == [FOUND_REQUEST]
    assert find_blocks(text.replace("14 LINES", f"{wrong} LINES")) == [FOUND_REQUEST]


def test_a_wrong_kind_in_first_and_last_line() -> None:
    assert find_blocks(REQUEST_BLOCK.replace("USAGE REQUEST", "USAGE LICENSE")) == [FOUND_REQUEST]


def test_a_damaged_block_says_which_lines_and_what_to_do() -> None:
    lines = REQUEST_BLOCK.splitlines()
    lines[4] = lines[4].replace(lines[4][9:14], "?????")
    lines[9] = lines[9][:40]
    text = without("\n".join(lines), 7)
    (block,) = find_blocks(f"{PROSE[0]}\n{text}\n{PROSE[5]}")
    assert block == DamagedBlock(
        Kind.REQUEST,
        14,
        (4, 9),
        (7,),
        "Lines 4, 7 and 9 of the Usage Request are damaged or missing. Please copy the whole block again, from its"
        " first line to its last, and send it as plain text or as a file; or send just these lines, typed as they"
        " stand there.",
    )
    with pytest.raises(BlockError) as error:
        read_block(text, Kind.REQUEST)
    assert error.value.code == "block-damaged"
    assert error.value.message == block.message
    assert error.value.detail == {"kind": "USAGE REQUEST", "lines": 14, "damaged": [4, 9], "missing": [7]}


def test_a_truncated_block_names_the_rest() -> None:
    (block,) = find_blocks(lines_of(LICENSE_BLOCK, *range(8)))
    assert isinstance(block, DamagedBlock)
    assert (block.kind, block.lines, block.missing) == (Kind.LICENSE, 32, tuple(range(8, 33)))
    assert block.message.startswith("Lines 8 to 32 of the Usage License are missing. Please")


def test_a_first_line_alone() -> None:
    (block,) = find_blocks("see below\n" + lines_of(REQUEST_BLOCK, 0))
    assert isinstance(block, DamagedBlock)
    assert block.missing == tuple(range(1, 15))
    assert block.message.startswith("Only the first or last line of a Usage Request arrived; its 14 numbered lines")
    # Talk about another block is not worth a report beside one that was read.
    assert find_blocks(REQUEST_BLOCK + "\nnot: CHARIOT USAGE REQUEST BEGIN 14 LINES 7K2M\n") == [FOUND_REQUEST]


def test_the_block_id_misread_in_first_and_last_line() -> None:
    text = REQUEST_BLOCK.replace(block_id(Kind.REQUEST, REQUEST), "7K2M")
    assert find_blocks(text) == [FOUND_REQUEST]
    (block,) = find_blocks(without(text, 1, 2, 3))
    assert isinstance(block, DamagedBlock)
    assert (block.kind, block.lines, block.damaged, block.missing) == (Kind.REQUEST, 14, (), (1, 2, 3))


def test_a_stretch_of_letters_that_passes_for_a_line_of_the_same_block() -> None:
    """From a group inside a line to the same place in the next one are 54 letters too; once in a while they check."""
    data = random.Random(308).randbytes(366)
    text = write_block(Kind.LICENSE, data)
    words = words_of(text)
    places = {line.start for line in find_grouped_lines(words)}
    tag = tag_of(Kind.LICENSE, block_id(Kind.LICENSE, data))
    assert any(line.tag == tag and line.start not in places for line in find_whole_lines(words, Budget(1000)))
    found = FoundBlock(Kind.LICENSE, data, text, ())
    assert find_blocks(text) == [found]
    assert find_blocks(text.replace(block_id(Kind.LICENSE, data), "7K2M")) == [found]
    assert find_blocks(without(text, 0, 15)) == [found]


def test_damage_that_cannot_be_named() -> None:
    """Right check characters and parity everywhere, and a digest of other data: only a writer could do that."""
    frame = make_frame(Kind.REQUEST, b"one")[:6] + b"two"
    line = frame.ljust(31, b"\0")
    text = block_text(Kind.REQUEST, b"one", [line, *parity_lines([line])])
    (block,) = find_blocks(text)
    assert isinstance(block, DamagedBlock)
    assert (block.kind, block.lines, block.damaged, block.missing) == (Kind.REQUEST, 3, (), ())
    assert block.message.startswith("The Usage Request was changed on its way, in a place that cannot be named.")


def test_lines_without_first_and_last_line_are_reported() -> None:
    (block,) = find_blocks(without(REQUEST_BLOCK, 0, 5, 6, 7, 15))
    assert isinstance(block, DamagedBlock)
    assert (block.kind, block.lines, block.missing) == (Kind.REQUEST, 14, (5, 6, 7))
    (block,) = find_blocks(without(REQUEST_BLOCK, 0, 1, 5, 7, 15))
    assert isinstance(block, DamagedBlock)
    assert (block.kind, block.lines, block.missing) == (None, None, (1, 5, 7))
    (block,) = find_blocks("\n".join(line[:50] for line in REQUEST_BLOCK.splitlines()[1:-1]))
    assert isinstance(block, DamagedBlock)
    assert (block.kind, block.lines, block.damaged) == (None, None, tuple(range(1, 15)))


@pytest.mark.parametrize(
    ("source", "kind", "code"),
    [
        ("Hello, please activate us.", Kind.REQUEST, "no-block"),
        (LICENSE_BLOCK, Kind.REQUEST, "wrong-kind"),
        (without(LICENSE_BLOCK, 3, 4, 5), Kind.REQUEST, "wrong-kind"),
        (without(LICENSE_BLOCK, 3, 4, 5), Kind.LICENSE, "block-damaged"),
        (REQUEST_BLOCK + write_block(Kind.REQUEST, b"2"), Kind.REQUEST, "several-blocks"),
        (REQUEST_BLOCK + without(write_block(Kind.REQUEST, LICENSE), 3, 4, 5), Kind.REQUEST, "several-blocks"),
        (" " * (MAX_SOURCE + 1), Kind.REQUEST, "input-too-large"),
    ],
)
def test_read_block_refuses(source: str, kind: Kind, code: str) -> None:
    with pytest.raises(BlockError) as error:
        read_block(source, kind)
    assert error.value.code == code
    assert error.value.message == str(error.value)


def test_read_block_ignores_the_other_kind() -> None:
    assert read_block(REQUEST_BLOCK + without(LICENSE_BLOCK, 3, 4, 5), Kind.REQUEST) == FOUND_REQUEST


@given(st.text(max_size=400) | st.binary(max_size=400), st.sampled_from(Kind))
@settings(max_examples=300, deadline=None)
def test_arbitrary_input_raises_nothing_but_block_errors(source: str | bytes, kind: Kind) -> None:
    with pytest.raises(BlockError) as error:
        read_block(source, kind)
    assert error.value.code == "no-block"


TRICKY = ("> ", "\n", "01 ", "<br>", "=\n", "=3D", "&nbsp;", "\u200b", "\x00", "\ud800", "<p ")
WORDS = ("CLR1", "CHARIOT USAGE REQUEST BEGIN ", "CHARIOTUSAGELICENSEEND", "14", "LINES", "7K2M")
PIECES = st.sampled_from([*REQUEST_BLOCK.splitlines(), *LICENSE_BLOCK.splitlines()[:6], *TRICKY, *WORDS])


@given(st.lists(PIECES | st.text(max_size=8), max_size=60).map("\n".join))
@settings(max_examples=200, deadline=None)
def test_pieces_of_blocks_in_any_order_are_never_read_wrongly(source: str) -> None:
    for block in find_blocks(source):
        if isinstance(block, FoundBlock):
            assert block in (FOUND_REQUEST, FOUND_LICENSE) or block.data in (REQUEST, LICENSE)
        else:
            assert block.message


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


@pytest.mark.parametrize("name", JUNK)
def test_a_megabyte_of_junk_takes_a_second(name: str) -> None:
    started = time.process_time()
    blocks = find_blocks(JUNK[name])
    # Measured: 0.1 to 0.9 s. The limit leaves room for slow machines, none for anything that grows faster.
    assert time.process_time() - started < 4
    assert not any(isinstance(block, FoundBlock) for block in blocks)
    assert len(blocks) <= 1


def test_a_block_behind_a_megabyte_of_junk_is_found() -> None:
    assert find_blocks(str(JUNK["words of digits"]) + "\n" + REQUEST_BLOCK) == [FOUND_REQUEST]


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


def test_a_character_reference_of_thousands_of_digits_is_no_character() -> None:
    assert find_blocks("<p>&#" + "9" * 5000 + ";</p>") == []
    assert find_blocks("&#x" + "9" * 5000 + ";") == []
