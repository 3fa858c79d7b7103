"""Marks and lines of blocks among the words of a text: what was seen, before anything is believed.

Two views of the same words are searched. `words` keeps their limits, so that a line is told from prose by
starting and ending where words do. `letters` has no limits at all, because mail can add and remove spaces
and breaks anywhere.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice, pairwise, takewhile
from typing import NamedTuple

from chariot_license.protocol import base32
from chariot_license.protocol.block import (
    GROUP,
    LINE_BYTES,
    LINE_CHARACTERS,
    MAX_LINES,
    PARITY_LINES,
    Kind,
    line_label,
)
from chariot_license.protocol.clean import READ_AS

NUMBER_CHARACTERS = 2
CHECK_CHARACTERS = 2
# They only tell a damaged line from a missing one; text with more of them is no email.
MAX_NUMBERS = 50_000
LINE_LETTERS = NUMBER_CHARACTERS + LINE_CHARACTERS + CHECK_CHARACTERS

# 31 bytes in 50 characters: the last one has its two low bits zero.
_SPARE_BITS = 5 * LINE_CHARACTERS - 8 * LINE_BYTES
_DIGITS = str.maketrans(base32.ALPHABET, "0123456789abcdefghijklmnopqrstuv")
_LAST = "[" + base32.ALPHABET[::4] + "]"
# These look ahead only: a line without its check characters would take the number of the next one for them.
_GROUPED_LINE = re.compile(
    rf" (?=(\d\d(?: [^ ]{{{GROUP}}}){{{LINE_CHARACTERS // GROUP - 1}}} [^ ]{{{GROUP - 1}}}{_LAST} [^ ]{{2}})(?![^ ]))"
)
_CUT_LINE = re.compile(rf" (\d\d)(?: [^ ]{{{GROUP}}}){{6}}")
_WHOLE_LINE = re.compile(rf" (?=(\d ?\d ?(?:[^ ] ?){{49}}{_LAST} ?[^ ] ?[^ ])(?![^ ]))")
_NUMBER = re.compile(r" (\d\d)(?![^ ])")
_SHORTEST_CUT = 32
_RANDOM_LETTERS = 17  # hexadecimal digits are 16
_DIGITS_OF_ITS_OWN = frozenset("23456789")  # as 0 and 1, letters of prose are read
_ANY_LINE = re.compile(rf"(?=(\d\d.{{49}}{_LAST}..))")
_KIND_WORDS = {kind.value.replace(" ", "").translate(READ_AS): kind for kind in Kind}
_MARK = re.compile(
    "CHARIOT({})(BEGIN|END)(..)LINES(.{{4}})".translate(READ_AS).format("|".join(_KIND_WORDS)),
)


class Line(NamedTuple):
    """54 letters that may be a numbered line.

    `tag` is the same for all lines of one block (see `tag_of`); `grouped` says whether the words are those
    of a numbered line too.
    """

    number: int
    content: bytes
    tag: int
    start: int
    grouped: bool = False

    @property
    def end(self) -> int:
        """Where the line ends in `letters`."""
        return self.start + LINE_LETTERS


class Mark(NamedTuple):
    """A first or last line. `lines` is None where it cannot be read."""

    kind: Kind
    begins: bool
    lines: int | None
    block_id: str
    start: int
    end: int

    @property
    def block(self) -> tuple[Kind, str]:
        """Which block this mark is of."""
        return self.kind, self.block_id


@dataclass
class Budget:
    """How much work one text may cause, so that junk made to look like blocks stays harmless."""

    left: int

    def take(self) -> bool:
        """Whether one more step may be made."""
        self.left -= 1
        return self.left >= 0


def find_marks(letters: str) -> list[Mark]:
    """Return the first and last lines of blocks in `letters`, in order."""
    marks = []
    for match in _MARK.finditer(letters):
        words, edge, digits, block_id = match.groups()
        count = int(digits) if digits.isdigit() else 0
        marks.append(
            Mark(
                _KIND_WORDS[words],
                edge != "END",
                count if count > PARITY_LINES else None,
                block_id,
                match.start(),
                match.end(),
            )
        )
    return marks


def windows_of(marks: list[Mark], length: int) -> list[tuple[int, int]]:
    """Return for each of `marks` (in order) the part of `letters` in which its lines are expected.

    That is up to the next beginning (or back to the last end) of another block, so that all windows together
    are no more than twice the text, however many marks it has.
    """
    windows = [(mark.end, min(length, mark.end + _reach(mark))) for mark in marks]
    limits = _limits([mark for mark in reversed(marks) if mark.begins])
    for place, mark in enumerate(marks):
        if mark.begins and mark in limits:
            windows[place] = (mark.end, min(windows[place][1], limits[mark].start))
    limits = _limits([mark for mark in marks if not mark.begins])
    for place, mark in enumerate(marks):
        if not mark.begins:
            low = max(0, mark.start - _reach(mark))
            windows[place] = (max(low, limits[mark].end) if mark in limits else low, mark.start)
    return windows


def _limits(marks: list[Mark]) -> dict[Mark, Mark]:
    """Return for each mark the nearest one of another block among those before it in `marks`."""
    limits: dict[Mark, Mark] = {}
    before: Mark | None = None
    for mark in marks:
        if before is not None:
            other = before if before.block != mark.block else limits.get(before)
            if other is not None:
                limits[mark] = other
        before = mark
    return limits


def _reach(mark: Mark) -> int:
    """Return how far from its mark a block is looked for: three times its length, and a page of prose."""
    return (mark.lines or MAX_LINES) * LINE_LETTERS * 3 + 4000


def find_grouped_lines(words: str) -> list[Line]:
    """Return what has the words of a numbered line: a number, ten groups of five, two check characters."""
    found = _placed(_GROUPED_LINE.finditer(" " + words), words)
    lines = [_line(text, start)._replace(grouped=True) for text, start in found]
    return [line for line in lines if line.number]


def find_whole_lines(words: str, budget: Budget) -> list[Line]:
    """Return what starts and ends with a word and has the length of a numbered line."""
    found = _placed(_WHOLE_LINE.finditer(" " + words), words)
    lines = [_line(text, start) for text, start in takewhile(lambda _: budget.take(), found)]
    return [line for line in lines if line.number]


def find_any_lines(letters: str, start: int, end: int, budget: Budget) -> Iterator[Line]:
    """Yield whatever has the length and looks of a numbered line between `start` and `end`."""
    for match in _ANY_LINE.finditer(letters, start, end):
        if not budget.take():
            return
        yield _line(match.group(1), match.start())


def find_numbers(words: str) -> list[tuple[int, int]]:
    """Return place in `letters` and value of the words of two digits."""
    found = _placed(islice(_NUMBER.finditer(" " + words), MAX_NUMBERS), words)
    return [(start, int(text)) for text, start in found]


def find_remains(words: str, letters: str) -> list[int]:
    """Return the numbers of what are lines of a block with their ends cut off: three in a row at least, or, where the
    groups were lost too, four that are equally long.
    """
    numbers = [int(match.group(1)) for match in _CUT_LINE.finditer(" " + words)]
    rising = {number for number, after in pairwise(numbers) if after == number + 1}
    if len(rising) < 2:
        rising = _equally_long(find_numbers(words), letters)
    return sorted(rising | {number + 1 for number in rising})


def _equally_long(numbers: list[tuple[int, int]], letters: str) -> set[int]:
    """Return the numbers before which the next one stands, for the length that has most of them.

    What stands between must look like a line's data: prose has few digits, a table of numbers has few letters.
    """
    places = {(start, number) for start, number in numbers}
    by_length: dict[int, set[int]] = {}
    for start, number in numbers:
        for length in range(_SHORTEST_CUT, LINE_LETTERS):
            if (start + length, number + 1) not in places:
                continue
            between = set(letters[start + NUMBER_CHARACTERS : start + length])
            random = len(between) >= _RANDOM_LETTERS and len(between & _DIGITS_OF_ITS_OWN) >= 4
            if random and between <= base32.VALUES.keys():
                by_length.setdefault(length, set()).add(number)
    longest = max(by_length.values(), key=len, default=set())
    return longest if len(longest) >= 3 else set()


def tag_of(kind: Kind, block_id: str) -> int:
    """Return the ten bits that the check characters of every line of this block share.

    The check characters are linear (docs/protocol.md, "Check characters"): with what data and line number
    add to them taken out, kind and block id are left. So lines of one block know each other even where its
    first and last line are lost.
    """
    return _check(line_label(kind, block_id, 1), "0" * LINE_CHARACTERS)


def _placed(matches: Iterable[re.Match[str]], words: str) -> Iterator[tuple[str, int]]:
    """Yield the letters of each match in words that were given a space in front, and their place.

    That space lets every word start with one, so that patterns can too: it is what makes the search quick.
    """
    spaces = counted = 0
    for match in matches:
        start = match.start()
        spaces += words.count(" ", counted, start)
        counted = start
        yield match.group(1).replace(" ", ""), start - spaces


def _line(letters: str, start: int) -> Line:
    value = int(letters[NUMBER_CHARACTERS:-CHECK_CHARACTERS].translate(_DIGITS), 32)
    number = int(letters[:NUMBER_CHARACTERS])
    tag = base32.VALUES[letters[-2]] << 5 ^ base32.VALUES[letters[-1]] ^ _number_shares()[number]
    for bit, mask in enumerate(_data_masks()):
        tag ^= ((value & mask).bit_count() & 1) << bit
    return Line(number, (value >> _SPARE_BITS).to_bytes(LINE_BYTES, "big"), tag, start)


@cache
def _number_shares() -> tuple[int, ...]:
    """Return for each line number what it adds to the check characters, line 1 being zero."""
    zeros = "0" * LINE_CHARACTERS
    first = _check(line_label(Kind.REQUEST, "0000", 1), zeros)
    return tuple(first ^ _check(line_label(Kind.REQUEST, "0000", number), zeros) for number in range(MAX_LINES + 1))


@cache
def _data_masks() -> tuple[int, ...]:
    """Return for each bit of the check characters the bits of the data that it is the parity of."""
    zeros = "0" * LINE_CHARACTERS
    base = _check("", zeros)
    masks = [0] * (5 * CHECK_CHARACTERS)
    for place in range(LINE_CHARACTERS):
        for bit in range(5):
            changed = base ^ _check("", zeros[:place] + base32.ALPHABET[1 << bit] + zeros[place + 1 :])
            for check_bit in range(len(masks)):
                if changed >> check_bit & 1:
                    masks[check_bit] |= 1 << bit + 5 * (LINE_CHARACTERS - 1 - place)
    return tuple(masks)


def _check(label: str, letters: str) -> int:
    check = base32.check_characters(label, letters, CHECK_CHARACTERS)
    return base32.VALUES[check[0]] << 5 | base32.VALUES[check[1]]
