"""What is said about blocks that were recognised and not read, each once (docs/protocol.md, "Reports")."""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from itertools import pairwise

from chariot_license.protocol import report
from chariot_license.protocol.block import MAX_LINES, Content, DamagedBlock, Kind
from chariot_license.protocol.group import SURE_LINES, TAGS, Group
from chariot_license.protocol.scan import LINE_LETTERS, Line, Mark, find_numbers, find_remains

# How far from a first or last line its numbered lines start or end, if they are its own.
NEAR = 3 * LINE_LETTERS
# Letters drawn at random are about this different; dates, tables and codes of characters are not.
MANY_DIFFERENT = 16
FEW_LINES = 40


class Unread:
    """The groups of lines of one text that could not be put together.

    `lines` are all that have the form of a numbered line, in order; `owned` has the place of each line that is part
    of a block that was read, and which.
    """

    def __init__(self, words: str, letters: str, lines: list[Line], owned: Mapping[int, Content]) -> None:
        self._words = words
        self._letters = letters
        self._lines = [line for line in lines if self._random(line)]
        self._taken: set[int] = set()
        self._starts = [line.start for line in self._lines]
        self._owned = owned

    def contradicted(self, marked: list[Group], named: Collection[Content]) -> dict[Content, Kind]:
        """Return the blocks that were read and whose first or last line says another kind, and what it says.

        `named` are blocks whose own first or last line is right: the others around them do not count.
        """
        places = sorted(self._owned)
        said: dict[Content, set[Kind]] = {}
        for group in marked:
            for mark, _, place in self._neighbours(group, places):
                if self._owned[place] not in named:
                    said.setdefault(self._owned[place], set()).add(mark.kind)
        return {content: kinds.pop() for content, kinds in said.items() if content[0] not in kinds}

    def reports(
        self, marked: list[Group], loose: list[Group], read: Collection[Kind]
    ) -> Iterator[tuple[int, DamagedBlock]]:
        """Yield place and report of each block; `read` are the kinds of those that were read."""
        sure = [group for group in marked if group.sure and not group.places <= self._owned.keys()]
        own_tags = {group.tag for group in sure}
        loose = [group for group in loose if group.tag not in own_tags and self._is_block(group)]
        for group in loose:
            group.drop_overlaps()
        seen = [group for group in loose if len(group.checked) >= SURE_LINES]
        # Two lines beside those or the marks of another block are its own, with their numbers exchanged.
        marks = {place for group in marked for mark in group.marks for place in (mark.start, mark.end)}
        others = sorted({*self._owned, *marks, *(place for group in (*sure, *seen) for place in group.places)})
        pairs = [group for group in loose if len(group.checked) < SURE_LINES]
        seen += [group for group in pairs if not any(_near(others, place) for place in group.places)]
        lines_of = {place: group for group in (*sure, *seen) for place in group.places}
        self._taken = {*self._owned, *lines_of}
        places = sorted(self._taken)
        bare = []
        for group in (group for group in marked if not group.sure):
            owners = list(self._neighbours(group, places))
            if not owners:
                bare.append(group)
            for mark, reach, place in owners:
                # The lines know themselves what they belong to: this mark's block id was misread.
                if place in lines_of and lines_of[place].block_id is None:
                    lines_of[place].take_mark(mark, reach)
        for group in (*sure, *seen):
            yield group.start, self._lines_lost(group)
        # Marks alone, or with lines that do not fit them, are worth a word only where there is no other.
        told = {*read, *(group.kind_told for group in (*sure, *seen))}
        for group in bare:
            if group.likely_counts() and not told & {group.kind, None}:
                told.add(group.kind)
                yield group.start, self._lines_lost(group)
        remains = find_remains(self._words, self._letters) if not told else []
        if remains:
            yield 0, report.remains_only(remains)

    def _is_block(self, group: Group) -> bool:
        """Whether lines without marks are surely a block: prose must not be reported as one.

        Two lines in the exact form, or one right behind the other, have the same tag by chance once in 1024 times;
        of other stretches of letters three must have it.
        """
        lines = [versions[0] for versions in group.checked.values() if self._random(versions[0])]
        follows = sum(one.end == after.start for one, after in pairwise(sorted(lines, key=_start)))
        grouped = sum(line.grouped for line in lines)
        count = len(self._lines)
        weak = count <= FEW_LINES and (follows or len(lines) >= SURE_LINES)
        return bool(weak) or grouped > min(1 + count // 300, 2) or follows > 1 + 4 * count // TAGS

    def _random(self, line: Line) -> bool:
        return line.grouped or len(set(self._letters[line.start : line.end])) >= MANY_DIFFERENT

    def _neighbours(self, group: Group, places: list[int]) -> Iterator[tuple[Mark, tuple[int, int], int]]:
        """Yield each mark of `group`, its reach, and where the line next to it starts, among `places`."""
        for mark, (low, high) in zip(group.marks, group.reach, strict=True):
            if mark.begins:
                at = bisect_left(places, low)
                near = at < len(places) and places[at] < min(high, low + NEAR)
            else:
                at = bisect_left(places, high) - 1
                near = at >= 0 and places[at] >= max(low, high - NEAR)
            if near:
                yield mark, (low, high), places[at]

    def _lines_lost(self, group: Group) -> DamagedBlock:
        declared = group.declared()
        # A line far off may have this tag by chance: what the marks say is surer.
        counts = [mark.lines for mark in group.marks if mark.lines] or [declared[1] if declared else 0]
        count = max(counts) or (group.likely_counts()[0] if group.marks else None)
        traces = group.doubtful.keys() | (self._traces(group, group.windows) if group.marks else self._around(group))
        last = count or max(group.checked.keys() | traces)
        lost = [number for number in range(1, last + 1) if number not in group.checked]
        damaged, missing = [n for n in lost if n in traces], [n for n in lost if n not in traces]
        if declared is not None and group.marks_kind not in (None, declared[0]):
            return report.contradictory(group.marks_kind, declared[0], count, damaged, missing)
        if count is None:
            return report.ends_lost(sorted(group.checked), damaged, missing)
        return report.lines_lost(group.kind_told, count, damaged, missing)

    def _around(self, group: Group) -> set[int]:
        """Return the line numbers without a right line, between and beside those of a block that has no marks."""
        low = min(group.places)
        high = min(max(group.places) + LINE_LETTERS, low + MAX_LINES * NEAR)
        beside = self._lines[bisect_left(self._starts, low - NEAR) : bisect_left(self._starts, high + NEAR)]
        wrong = {line.number for line in beside if line.grouped and line.start not in self._taken}
        # Behind the last right line, a number is as likely one of the words that follow.
        return wrong | {number for number in self._traces(group, [(low, high)]) if number < max(group.checked)}

    def _traces(self, group: Group, windows: list[tuple[int, int]]) -> set[int]:
        """Return the line numbers that stand in `windows` without a right line of `group` behind them."""
        found = set()
        for low, high in windows:
            lines = sorted(
                (line.start, number)
                for number, versions in group.checked.items()
                for line in versions
                if low <= line.start < high
            )
            for place in range(bisect_left(self._numbers, (low, 0)), bisect_left(self._numbers, (high, 0))):
                start, number = self._numbers[place]
                at = bisect_left(lines, (start, 0))
                before = lines[at - 1] if at else (low - LINE_LETTERS, 0)
                after = lines[at] if at < len(lines) else (high, MAX_LINES + 1)
                room = before[0] + LINE_LETTERS <= start <= after[0] - LINE_LETTERS // 2
                if room and before[1] < number < after[1] and start not in self._taken:
                    found.add(number)
        return found

    @cached_property
    def _numbers(self) -> list[tuple[int, int]]:
        return find_numbers(self._words)


def _start(line: Line) -> int:
    return line.start


def _near(places: list[int], place: int) -> bool:
    at = bisect_left(places, place)
    return any(abs(other - place) < 5 * LINE_LETTERS for other in places[max(at - 1, 0) : at + 1])
