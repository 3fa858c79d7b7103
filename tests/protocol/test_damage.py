"""A block damaged in the ways that mail does is read, repaired or reported by line; never read wrongly."""

import random
import textwrap
from collections import Counter

import pytest
from chariot_license.protocol.block import DamagedBlock, FoundBlock, Kind, write_block
from chariot_license.protocol.reader import find_blocks

from tests.protocol import damage
from tests.protocol.damage_by_mail import KINDS, QUOTES

SAMPLES = 1000
SIZES = (60, 340, 366, 900)
# Letters that are no longer ASCII do not survive being read in the wrong encoding.
FOREIGN = {"fullwidth", "cyrillic_lookalikes", "arabic_digits", "mathematical_letters"}
GARBLED = {"utf_8_read_as_latin_1", "utf_16_read_as_latin_1"}


def choose(rng: random.Random) -> list[damage.Damage]:
    """Return one to three kinds in the order of life, at most two of them losses, else one a stage."""
    chosen: list[damage.Damage] = []
    for one in rng.sample(sorted(KINDS.values(), key=lambda one: one.name), rng.randrange(1, 4)):
        same = [other for other in chosen if other.stage == one.stage]
        names = {one.name, *(other.name for other in chosen)}
        if (same and one.stage != damage.RETYPED) or (names & GARBLED and names & FOREIGN):
            continue
        chosen.append(one)
    return sorted(chosen, key=lambda one: (one.stage, one.edges, one.lines == 0))


def damaged(rng: random.Random, kinds: list[damage.Damage], text: str) -> str | bytes:
    source: str | bytes = text
    for one in kinds:
        assert isinstance(source, str)
        source = one.apply(rng, source)
    return source


def outcome(kinds: list[damage.Damage], found: list[FoundBlock], context: object) -> str:
    """Return what became of it, having checked that it is no less than what must be possible."""
    lines, edges = sum(one.lines for one in kinds), sum(one.edges for one in kinds)
    if edges < 2:
        assert found or lines > 2, context
        assert lines or found[0].repaired == (), context
    if not found:
        return "reported"
    return "repaired" if found[0].repaired else "read"


@pytest.mark.parametrize("part", range(10))
def test_mail_damage_is_read_repaired_or_reported(part: int) -> None:
    outcomes = Counter[str]()
    for seed in range(part, SAMPLES, 10):
        rng = random.Random(seed)
        kind = rng.choice(list(Kind))
        data = rng.randbytes(rng.choice(SIZES))
        kinds = choose(rng)
        context = seed, [one.name for one in kinds]
        blocks = find_blocks(damaged(rng, kinds, write_block(kind, data)))

        assert len(blocks) == 1, context
        found = [block for block in blocks if isinstance(block, FoundBlock)]
        assert all((block.kind, block.data) == (kind, data) for block in found), context
        outcomes[outcome(kinds, found, context)] += 1
        for block in blocks:
            if isinstance(block, DamagedBlock):
                assert block.damaged or block.missing, context
                assert block.message, context
    # Not worth much if nearly everything came out the same way.
    assert min(outcomes[name] for name in ("read", "repaired", "reported")) >= 5


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_alone(name: str) -> None:
    one = KINDS[name]
    for seed in range(5):
        rng = random.Random(f"{name} {seed}")
        data = rng.randbytes(366)
        (block,) = find_blocks(one.apply(rng, write_block(Kind.REQUEST, data)))
        if one.lines <= 2:
            assert isinstance(block, FoundBlock)
            assert len(block.repaired) <= one.lines
        assert not isinstance(block, FoundBlock) or block.data == data


@pytest.mark.parametrize("mark", QUOTES)
@pytest.mark.parametrize("lost", [(), (4,), (3, 9), (0, 15), (0, 5, 6), (3, 7, 9), (0, 3, 7, 9, 15)])
def test_a_block_that_was_wrapped_and_then_quoted(mark: str, lost: tuple[int, ...]) -> None:
    data = random.Random(mark).randbytes(366)
    lines = write_block(Kind.REQUEST, data).splitlines()
    for width in (20, 33, 40, 52, 60):
        pieces = [
            part for number, line in enumerate(lines) if number not in lost for part in textwrap.wrap(line, width)
        ]
        quoted = "".join(f"{mark}{piece}\n" for piece in ["Hello Support,", "", *pieces, "", "Thank you"])
        (block,) = find_blocks(f"Dear customer, see below.\n\nOn Monday you wrote:\n{quoted}\n-- \nSupport, 01 555")
        numbers = tuple(number for number in lost if 0 < number < 15)
        if len(numbers) > 2:
            assert isinstance(block, DamagedBlock)
            assert tuple(sorted({*block.damaged, *block.missing})) == numbers
        else:
            assert block == FoundBlock(Kind.REQUEST, data, "\n".join(lines) + "\n", numbers)


def spaced(text: str) -> str:
    rng = random.Random(7982)
    return "".join(letter + " " * (rng.random() < 0.17) for letter in text)


@pytest.mark.parametrize("width", [40, 50, 56, 59])
def test_lines_cut_off_and_broken_into_other_groups_are_reported(width: int) -> None:
    lines = write_block(Kind.LICENSE, random.Random(7982).randbytes(366)).splitlines()[1:-1]
    (block,) = find_blocks(spaced("\n".join(line[:width] for line in lines)))
    assert isinstance(block, DamagedBlock)
    assert len(block.damaged) >= 4


@pytest.mark.parametrize(
    "row",
    [
        "{:02d} the pump of plant number seven was serviced and put back",
        "{:02d} 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF",
        "{:02d} 2025 11 24 09 12 33 2025 11 25 10 13 34 2025 11 26 11 14 35",
    ],
)
def test_rows_of_equal_length_are_no_remains_of_a_block(row: str) -> None:
    assert find_blocks("\n".join(row.format(number) for number in range(1, 30))) == []


def test_words_before_every_line_that_are_no_quoting_do_no_harm() -> None:
    data = random.Random(7).randbytes(366)
    text = write_block(Kind.REQUEST, data)
    commas = text.replace(" ", ",")
    for source in (commas * 8, "".join(f"{number}. {line}\n" for number, line in enumerate(text.splitlines(), 1)) * 8):
        assert find_blocks(source) == [FoundBlock(Kind.REQUEST, data, text, ())]
