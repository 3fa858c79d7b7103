"""How bytes become a text block, and what its parity lines repair."""

import re
from itertools import combinations

import pytest
import reedsolo
from chariot_license.protocol import base32
from chariot_license.protocol.block import (
    LINE_BYTES,
    MAX_DATA,
    DamagedBlock,
    FoundBlock,
    Kind,
    block_id,
    line_label,
    make_frame,
    numbered_lines,
    open_frame,
    write_block,
)
from chariot_license.protocol.errors import BlockError
from chariot_license.protocol.parity import Syndromes, parity_lines, xor
from chariot_license.protocol.reader import find_blocks, read_block
from chariot_license.protocol.scan import Budget, find_grouped_lines, find_whole_lines, tag_of
from hypothesis import given, settings
from hypothesis import strategies as st

kinds = st.sampled_from(Kind)
# As large as a Usage Request may be: 16 lines, the first and the last included.
REQUEST = bytes(number * 7 % 256 for number in range(366))
BLOCK = write_block(Kind.REQUEST, REQUEST).splitlines()
PAIRS = list(combinations(range(1, 15), 2))


def forged(number: int) -> str:
    """Line `number` of BLOCK with other data and check characters that fit it."""
    letters = base32.encode(bytes([number]) * LINE_BYTES)
    check = base32.check_characters(line_label(Kind.REQUEST, block_id(Kind.REQUEST, REQUEST), number), letters, 2)
    return f"{number:02d} {letters} {check}"


def without(*numbers: int) -> str:
    return "\n".join(line for number, line in enumerate(BLOCK) if number not in numbers)


def test_a_small_block_letter_by_letter() -> None:
    assert write_block(Kind.REQUEST, b"Chariot MQTT Server") == (
        "CHARIOT USAGE REQUEST BEGIN 03 LINES RZVV\n"
        "01 209R9 MEE9S 1PGRB JD5QQ 882DA 5A588 2KCNS 7CSBJ 00000 00000 9X\n"
        "02 60TS2 VJFTB 2VH8W PQERS RR6QY FYFRR 7NNYB 9NBWP 00000 00000 1D\n"
        "03 40K1B FW1KJ 3D1GQ 4TBFE GG4TM AMAGG 56SBJ ESJQ4 00000 00000 F5\n"
        "CHARIOT USAGE REQUEST END 03 LINES RZVV\n"
    )


def test_the_frame_byte_by_byte() -> None:
    frame = make_frame(Kind.REQUEST, b"Chariot MQTT Server")
    assert frame.hex() == "101384d1ce4e43686172696f74204d51545420536572766572"
    assert open_frame(frame + bytes(6)) == (Kind.REQUEST, b"Chariot MQTT Server")


def test_the_largest_request_takes_sixteen_lines_in_all() -> None:
    assert len(BLOCK) == 16
    assert BLOCK[0] == "CHARIOT USAGE REQUEST BEGIN 14 LINES RHBY"
    assert BLOCK[-1] == "CHARIOT USAGE REQUEST END 14 LINES RHBY"
    assert len(write_block(Kind.REQUEST, REQUEST + b"x").splitlines()) == 17


@given(kinds, st.binary(max_size=MAX_DATA))
@settings(max_examples=60, deadline=None)
def test_every_block_has_the_form_that_people_can_copy(kind: Kind, data: bytes) -> None:
    text = write_block(kind, data)
    assert text.endswith("\n")
    first, *lines, last = text.splitlines()
    name = block_id(kind, data)
    assert first == f"CHARIOT {kind.value} BEGIN {len(lines):02d} LINES {name}"
    assert last == f"CHARIOT {kind.value} END {len(lines):02d} LINES {name}"
    for number, line in enumerate(lines, start=1):
        assert re.fullmatch(r"\d\d( [0-9A-HJKMNP-TV-Z]{5}){10} [0-9A-HJKMNP-TV-Z]{2}", line)
        assert int(line[:2]) == number
    assert max(map(len, text.splitlines())) <= 66


@given(kinds, st.binary(max_size=MAX_DATA))
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read(kind: Kind, data: bytes) -> None:
    text = write_block(kind, data)
    assert find_blocks(text) == [FoundBlock(kind, data, text, ())]


def test_up_to_99_lines() -> None:
    text = write_block(Kind.LICENSE, bytes(MAX_DATA))
    assert len(text.splitlines()) == 101
    assert read_block(text, Kind.LICENSE).data == bytes(MAX_DATA)
    with pytest.raises(BlockError, match="at most 3001 bytes") as error:
        write_block(Kind.LICENSE, bytes(MAX_DATA + 1))
    assert error.value.code == "block-too-large"
    assert error.value.detail == {"length": MAX_DATA + 1, "limit": MAX_DATA}


@pytest.mark.parametrize("first", range(1, 15))
def test_any_two_lost_lines_are_repaired(first: int) -> None:
    for second in range(first, 15):
        found = read_block(without(first, second), Kind.REQUEST)
        assert (found.data, found.repaired) == (REQUEST, tuple(sorted({first, second})))


@pytest.mark.parametrize("first", range(1, 15))
def test_any_two_lost_lines_are_repaired_without_first_and_last_line(first: int) -> None:
    for second in range(first, 15):
        found = read_block(without(0, first, second, 15), Kind.REQUEST)
        assert (found.data, found.repaired) == (REQUEST, tuple(sorted({first, second})))


@pytest.mark.parametrize("first", range(1, 15))
def test_any_two_wrong_lines_that_pass_their_check_are_repaired(first: int) -> None:
    """One damaged line in a thousand has right check characters: the digest tells."""
    for second in range(first, 15):
        lines = [forged(number) if number in (first, second) else line for number, line in enumerate(BLOCK)]
        found = read_block("\n".join(lines), Kind.REQUEST)
        assert (found.data, found.repaired) == (REQUEST, tuple(sorted({first, second})))


@pytest.mark.parametrize("first", range(1, 15))
def test_one_lost_line_and_one_that_passes_its_check_are_repaired(first: int) -> None:
    for second in set(range(1, 15)) - {first}:
        lines = [forged(first) if number == first else line for number, line in enumerate(BLOCK)]
        del lines[second]
        assert read_block("\n".join(lines), Kind.REQUEST).data == REQUEST


def test_any_three_lost_lines_are_reported() -> None:
    for lost in combinations(range(1, 15), 3):
        (report,) = find_blocks(without(*lost))
        assert isinstance(report, DamagedBlock)
        assert (report.kind, report.lines, report.damaged, report.missing) == (Kind.REQUEST, 14, (), lost)


def test_three_damaged_lines_are_reported() -> None:
    for wrong in combinations(range(1, 15), 3):
        lines = [
            line[:9] + ("X" if line[9] != "X" else "Y") + line[10:] if number in wrong else line
            for number, line in enumerate(BLOCK)
        ]
        (report,) = find_blocks("\n".join(lines))
        assert isinstance(report, DamagedBlock)
        assert (report.kind, report.lines, report.damaged, report.missing) == (Kind.REQUEST, 14, wrong, ())


def test_wrong_check_characters_alone_cost_nothing() -> None:
    """The data of every line is right: two are taken as lost, and the digest vouches for the others."""
    lines = [line[:-2] + ("00" if line[-2:] != "00" else "11") if line[:1].isdigit() else line for line in BLOCK]
    assert read_block("\n".join(lines), Kind.REQUEST).data == REQUEST


def test_lines_of_another_block_never_help() -> None:
    other = write_block(Kind.REQUEST, REQUEST[::-1]).splitlines()
    mixed = "\n".join(other[number] if number in (3, 8, 11) else line for number, line in enumerate(BLOCK))
    reports = [block for block in find_blocks(mixed) if isinstance(block, DamagedBlock)]
    assert len(reports) == len(find_blocks(mixed))
    assert [(report.kind, report.damaged) for report in reports] == [(Kind.REQUEST, (3, 8, 11)), (None, ())]


@given(st.binary(max_size=200), st.integers(0, 199), st.integers(1, 255))
def test_a_changed_frame_does_not_open(data: bytes, place: int, change: int) -> None:
    frame = bytearray(make_frame(Kind.LICENSE, data))
    frame[place % len(frame)] ^= change
    assert open_frame(bytes(frame)) is None


@given(st.lists(st.binary(min_size=LINE_BYTES, max_size=LINE_BYTES), min_size=1, max_size=97))
@settings(max_examples=30, deadline=None)
def test_parity_is_reed_solomon_as_documented(lines: list[bytes]) -> None:
    """The two sums of docs/protocol.md hold, and another decoder repairs by them."""
    whole = [*lines, *parity_lines(lines)]
    codec = reedsolo.RSCodec(2)
    for column in range(LINE_BYTES):
        plain = weighted = 0
        weight = 1
        for line in reversed(whole):
            plain ^= line[column]
            weighted ^= reedsolo.gf_mul(weight, line[column])
            weight = reedsolo.gf_mul(weight, 2)
        assert (plain, weighted) == (0, 0)
        word = bytes(line[column] for line in whole)
        broken = bytes([word[0] ^ 90, *word[1:-1], word[-1] ^ 165])
        assert bytes(codec.decode(broken, erase_pos=[0, len(word) - 1])[1]) == word


@given(st.lists(st.binary(min_size=4, max_size=4), min_size=1, max_size=40), st.data())
@settings(max_examples=50, deadline=None)
def test_syndromes_give_back_two_lines(lines: list[bytes], data: st.DataObject) -> None:
    whole = [*lines, *parity_lines(lines)]
    assert Syndromes(whole).one(1) == bytes(4)
    first, second = sorted(data.draw(st.sets(st.integers(1, len(whole)), min_size=2, max_size=2)))
    broken = list(whole)
    broken[first - 1], broken[second - 1] = bytes(4), b"zzzz"
    changes = Syndromes(broken).two(first, second)
    assert [xor(broken[first - 1], changes[0]), xor(broken[second - 1], changes[1])] == [
        whole[first - 1],
        whole[second - 1],
    ]


@given(kinds, st.binary(max_size=400))
@settings(max_examples=30, deadline=None)
def test_lines_of_one_block_share_their_tag(kind: Kind, data: bytes) -> None:
    """The reader's short cut agrees with the check characters as they are defined."""
    lines = write_block(kind, data).splitlines()[1:-1]
    words = " ".join(lines)
    seen = find_grouped_lines(words)
    assert [line.number for line in seen] == list(range(1, len(lines) + 1))
    assert {line.tag for line in seen} == {tag_of(kind, block_id(kind, data))}
    assert [line.content for line in seen] == numbered_lines(kind, data)
    assert {line.start for line in seen} <= {line.start for line in find_whole_lines(words, Budget(10_000))}
