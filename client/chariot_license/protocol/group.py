"""The lines that belong to one block, as far as they were seen."""

from collections.abc import Iterable
from dataclasses import dataclass, field

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
from chariot_license.protocol.scan import Budget, Line, Mark, tag_of

# The same line can come in several versions; more than these are not mail but an attack.
MAX_VERSIONS = 4
SURE_LINES = 3
TAGS = 1024


@dataclass
class Group:
    """Lines that share a tag. With marks, the block that the marks name; without, a block that lost both.

    `checked` has the lines with right check characters by number, each version once; `doubtful` those in
    the windows of the marks whose check characters are wrong. `places` are the starts of all `checked` ones;
    `looked_at` is how many places were looked at to find them.
    """

    tag: int
    start: int
    kind: Kind | None = None
    block_id: str | None = None
    marks: list[Mark] = field(default_factory=list)
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

    def take_marks(self, other: "Group") -> None:
        """Take over the marks of `other` if this has none."""
        if not self.marks:
            self.kind, self.marks, self.windows = other.kind, other.marks, other.windows

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
