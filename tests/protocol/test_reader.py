"""Blocks are found in what people paste, and each refusal says what to do."""

import random
import textwrap

import pytest
from chariot_license.protocol.block import (
    DamagedBlock,
    FoundBlock,
    Kind,
    block_id,
    block_text,
    make_frame,
    write_block,
)
from chariot_license.protocol.clean import MAX_SOURCE, words_of
from chariot_license.protocol.errors import BlockError
from chariot_license.protocol.parity import parity_lines
from chariot_license.protocol.qr import qr_payload
from chariot_license.protocol.reader import find_blocks, read_block
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


AS_LICENSE = REQUEST_BLOCK.replace("USAGE REQUEST", "USAGE LICENSE")


@pytest.mark.parametrize("lost", [(), (0,), (15,), (3, 7), (4, 7, 9), (0, 4, 7, 9)])
@pytest.mark.parametrize("name", [block_id(Kind.REQUEST, REQUEST), "7K2M"])
def test_first_and_last_line_that_say_another_kind_are_a_contradiction(lost: tuple[int, ...], name: str) -> None:
    text = without(AS_LICENSE.replace(block_id(Kind.REQUEST, REQUEST), name), *lost)
    (block,) = find_blocks(f"{PROSE[0]}\n{text}\n{PROSE[5]}")
    assert isinstance(block, DamagedBlock)
    assert (block.kind, block.lines) == (None, 14)
    assert block.missing == (() if len(lost) < 3 else (4, 7, 9))
    assert "says Usage License, its numbered lines say Usage Request" in block.message
    for kind in Kind:
        with pytest.raises(BlockError) as error:
            read_block(text, kind)
        assert error.value.code == "block-damaged"


def test_a_contradiction_needs_marks_that_agree_and_no_better_copy() -> None:
    first_wrong = AS_LICENSE.splitlines()[0] + "\n" + without(REQUEST_BLOCK, 0)
    assert find_blocks(first_wrong) == [FOUND_REQUEST]
    other_name = first_wrong.replace(block_id(Kind.REQUEST, REQUEST), "7K2M")
    assert find_blocks(other_name) == [FOUND_REQUEST]
    assert find_blocks(AS_LICENSE + "\n" + REQUEST_BLOCK) == [FOUND_REQUEST]
    assert find_blocks(AS_LICENSE + "\n" + qr_payload(Kind.REQUEST, REQUEST)) == [FOUND_REQUEST]
    # The marks of a block that lost all of its lines are not those of its neighbour.
    bare = without(REQUEST_BLOCK, 0, 15)
    assert FOUND_LICENSE in find_blocks(lines_of(REQUEST_BLOCK, 0) + LICENSE_BLOCK)
    assert find_blocks(bare + PROSE[0] * 3 + LICENSE_BLOCK) == [FOUND_REQUEST, FOUND_LICENSE]


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
    assert block.message == (
        "A part of a block arrived: its numbered lines 2 to 4, 6 and 8 to 14. The first line (CHARIOT ... BEGIN) and"
        " the last one (CHARIOT ... END) are missing, so nobody can tell how many lines there were. Of those before"
        " and between them, 1, 5 and 7 are missing. Please copy the whole block again, from its first line to its"
        " last, and send it as plain text or as a file."
    )
    (block,) = find_blocks("\n".join(line[:50] for line in REQUEST_BLOCK.splitlines()[1:-1]))
    assert isinstance(block, DamagedBlock)
    assert (block.kind, block.lines, block.damaged) == (None, None, tuple(range(1, 15)))


@pytest.mark.parametrize("size", [60, 340, 900])
@pytest.mark.parametrize("width", [66, 40])
def test_two_lines_of_a_block_are_enough_to_report_it(size: int, width: int) -> None:
    """With three lines lost and first and last line gone too, and up to all but two neighbours gone."""
    for seed in range(40):
        rng = random.Random(seed)
        lines = write_block(Kind.REQUEST, rng.randbytes(size)).splitlines()[1:-1]
        left = rng.randrange(2, len(lines) - 2)
        start = rng.randrange(len(lines) - left + 1)
        kept = range(start, start + left) if seed % 2 else sorted(rng.sample(range(len(lines)), left))
        text = "\n".join(part for number in kept for part in textwrap.wrap(lines[number], width))
        (block,) = find_blocks(f"{rng.choice(PROSE[:7])}\n\n{text}\n\n{rng.choice(PROSE[:7])}")
        assert isinstance(block, DamagedBlock)
        numbers = [number + 1 for number in kept]
        assert block.lines == (len(lines) if 1 in numbers else None)
        last = block.lines or numbers[-1]
        assert block.missing == tuple(number for number in range(1, last + 1) if number not in numbers)


def test_wrong_lines_beside_right_ones_are_named_without_first_and_last_line() -> None:
    lines = REQUEST_BLOCK.splitlines()
    for number in (2, 6, 9, 14):
        lines[number] = lines[number][:21] + ("A" if lines[number][21] != "A" else "B") + lines[number][22:]
    (block,) = find_blocks("\n".join(lines[2:-1]))
    assert isinstance(block, DamagedBlock)
    assert (block.lines, block.damaged, block.missing) == (None, (2, 6, 9, 14), (1,))


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


def test_a_character_reference_of_thousands_of_digits_is_no_character() -> None:
    assert find_blocks("<p>&#" + "9" * 5000 + ";</p>") == []
    assert find_blocks("&#x" + "9" * 5000 + ";") == []
