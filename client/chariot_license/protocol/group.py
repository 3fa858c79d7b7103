"""The lines that belong to one block, as far as they were seen."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from chariot_license.protocol.block import (
    MAX_LINES,
    PARITY_LINES,
    Content,
    Kind,
    block_id,
    declared_content,
    line_count,
)
from chariot_license.protocol.repair import put_together
from chariot_license.protocol.scan import LINE_LETTERS, Budget, Line, Mark, tag_of

# The same line can come in several versions; more than these are not mail but an attack.
MAX_VERSIONS = 4
SURE_LINES = 3
TAGS = 1024


@dataclass
class Group:
    """Lines that share a tag. With marks, the block that the marks name; without, a block that lost both.

    `reach` has for each mark where its lines may be, `windows` the same without overlaps. `checked` has the lines
    with right check characters by number, each version once; `doubtful` those in the windows of the marks whose
    check characters are wrong. `places` are the starts of all `checked` ones; `looked_at` is how many places were
    looked at to find them.
    """

    tag: int
    start: int
    kind: Kind | None = None
    block_id: str | None = None
    marks: list[Mark] = field(default_factory=list)
    reach: list[tuple[int, int]] = field(default_factory=list)
    windows: list[tuple[int, int]] = field(default_factory=list)
    checked: dict[int, list[Line]] = field(default_factory=dict)
    doubtful: dict[int, Line] = field(default_factory=dict)
    places: set[int] = field(default_factory=set)
    looked_at: int = 0

    def add(self, lines: Iterable[Line]) -> None:
        """Take in lines that have this tag."""
        for line in lines:
            self.places.add(line.start)
            versions = self.checked.setdefault(line.number, [])
            if len(versions) < MAX_VERSIONS and all(line.content != one.content for one in versions):
                versions.append(line)

    @property
    def sure(self) -> bool:
        """Whether the lines prove that they belong together: some have this tag by chance."""
        return len(self.checked) >= SURE_LINES + 4 * self.looked_at // TAGS

    def drop_overlaps(self) -> None:
        """Drop stretches of letters that have this tag by chance: they overlap lines that stand in a row."""
        lines = sorted((line for lines in self.checked.values() for line in lines), key=lambda line: line.start)
        row = {line for one, after in pairwise(lines) if one.end == after.start for line in (one, after)}
        rows = sorted(line.start for line in row)
        for line in lines:
            at = bisect_left(rows, line.start - LINE_LETTERS + 1)
            if line not in row and at < len(rows) and rows[at] < line.end:
                self.checked[line.number].remove(line)
                self.places.discard(line.start)
        self.checked = {number: lines for number, lines in self.checked.items() if lines}

    def take_mark(self, mark: Mark, reach: tuple[int, int]) -> None:
        """Take in a first or last line whose numbered lines may be in `reach`."""
        self.marks.append(mark)
        self.reach.append(reach)
        self.windows = _merged([*self.windows, reach])

    @property
    def marks_kind(self) -> Kind | None:
        """Return the kind that the marks say, None if there are none or if they do not agree."""
        kinds = {mark.kind for mark in self.marks}
        return kinds.pop() if len(kinds) == 1 else None

    @property
    def kind_told(self) -> Kind | None:
        """Return the kind as the marks say it; where they say none, as line 1 does."""
        declared = self.declared()
        return self.marks_kind or (declared[0] if declared else None)

    def solve(self, budget: Budget) -> Content | None:
        """Return the content of the block, or None if no way to put it together is right."""
        seen = self.checked.keys() | self.doubtful.keys()
        counts = [
            count for count in self.likely_counts() if sum(number <= count for number in seen) >= count - PARITY_LINES
        ]
        if not counts:
            return None
        checked = {number: [line.content for line in lines] for number, lines in self.checked.items()}
        doubtful = {number: line.content for number, line in self.doubtful.items()}
        for count in counts:
            content = put_together(count, checked, doubtful, self._accepts, budget)
            if content is not None:
                return content
        return None

    def likely_counts(self) -> list[int]:
        """Return how many lines the block may have, the likeliest first."""
        declared = self.declared()
        counts = [declared[1]] if declared else []
        counts += [mark.lines for mark in self.marks if mark.lines]
        top = max(self.checked, default=0)
        counts += [top, top + 1, top + 2]
        return [count for count in dict.fromkeys(counts) if PARITY_LINES < count <= MAX_LINES]

    def declared(self) -> tuple[Kind, int] | None:
        """Return kind and number of lines as line 1 has them, if it was seen."""
        for line in self.checked.get(1, ()):
            content = declared_content(line.content)
            if content is not None:
                return content[0], line_count(content[1])
        return None

    def _accepts(self, kind: Kind, data: bytes) -> bool:
        name = block_id(kind, data)
        if self.block_id is not None:
            return kind is self.kind and name == self.block_id
        return tag_of(kind, name) == self.tag


def _merged(windows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(windows):
        if merged and low <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(high, merged[-1][1])
        else:
            merged.append((low, high))
    return merged
