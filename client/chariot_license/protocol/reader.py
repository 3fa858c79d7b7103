"""Finding blocks in what people paste: a whole email, quoted, wrapped, retyped, damaged.

docs/protocol.md, "Reading"; Design 4, 9.15 and 9.16.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sized

from chariot_license.protocol import qr_text, report
from chariot_license.protocol.block import (
    Content,
    DamagedBlock,
    FoundBlock,
    Kind,
    block_text,
    numbered_lines,
)
from chariot_license.protocol.clean import MAX_SOURCE, words_of
from chariot_license.protocol.errors import BlockError
from chariot_license.protocol.group import Group
from chariot_license.protocol.scan import (
    LINE_LETTERS,
    Budget,
    Line,
    Mark,
    find_any_lines,
    find_grouped_lines,
    find_marks,
    find_whole_lines,
    tag_of,
    windows_of,
)
from chariot_license.protocol.unread import Unread

# Ways to put lines together that one text may try. Each way is right by chance once in 2^42 at most (the
# digest and a tag), so a text is misread with a chance below 2^-28.
MAX_REPAIRS = 2**14
# First and last lines, blocks and false starts of lines that one text may have. More of them are no mail; what gives
# way is said in docs/protocol.md, "Cost".
MAX_MARKS = 500
MAX_BLOCKS = 200
MAX_FALSE_STARTS = 20_000


def find_blocks(source: str | bytes) -> list[FoundBlock | DamagedBlock]:
    """Return the blocks in `source`, whole or damaged, in order of appearance; the same block once.

    Takes whatever an email makes of a block (docs/protocol.md, "Reading") and the text of a QR code.
    Raises BlockError "input-too-large" above MAX_SOURCE characters or bytes, "too-many-blocks" above MAX_BLOCKS,
    and nothing else.
    """
    if len(source) > MAX_SOURCE:
        raise BlockError(
            "input-too-large",
            f"This text is larger than {MAX_SOURCE // 1_000_000} MB."
            " Paste only the part with the block, from its first line to its last.",
            length=len(source),
            limit=MAX_SOURCE,
        )
    return _Reading(words_of(source)).blocks()


def read_block(source: str | bytes, kind: Kind) -> FoundBlock:
    """Return the one block of `kind` in `source`.

    Raises BlockError "no-block", "wrong-kind" (only the other kind is there), "several-blocks",
    "block-damaged" (`detail`: kind, lines, damaged, missing), "input-too-large" or "too-many-blocks".
    """
    blocks = find_blocks(source)
    found = [block for block in blocks if isinstance(block, FoundBlock) and block.kind is kind]
    damaged = [block for block in blocks if isinstance(block, DamagedBlock) and block.kind in (kind, None)]
    if len(found) == 1 and not damaged:
        return found[0]
    if len(found) + len(damaged) > 1:
        raise BlockError(
            "several-blocks",
            f"This text has {len(found) + len(damaged)} different {kind.words}s."
            " Paste only the one that is meant; as a rule that is the newest.",
            found=len(found),
            damaged=len(damaged),
        )
    if damaged:
        raise BlockError(
            "block-damaged",
            damaged[0].message,
            kind=kind.value,
            lines=damaged[0].lines,
            damaged=list(damaged[0].damaged),
            missing=list(damaged[0].missing),
        )
    if blocks:
        other = next(one for one in Kind if one is not kind)
        raise BlockError("wrong-kind", f"This is a {other.words}. A {kind.words} is needed here.", expected=kind.value)
    raise BlockError(
        "no-block",
        f"No {kind.words} was found in this text. Copy all of it, from the line that starts with"
        f" CHARIOT {kind.value} BEGIN to the line that starts with CHARIOT {kind.value} END.",
        expected=kind.value,
    )


class _Reading:
    """One text being read."""

    def __init__(self, words: str) -> None:
        self._words = words
        self._letters = words.replace(" ", "")
        # A line takes 54 letters, and by chance one place in 40 looks like the start of one.
        enough = min(5_000 + len(self._letters) // 20, MAX_FALSE_STARTS)
        self._anywhere = Budget(enough)
        self._repairs = Budget(MAX_REPAIRS)
        grouped = find_grouped_lines(words)
        # Groups inside a line can look like the start of another: what has the form of a line goes first.
        taken = sorted(line.start for line in grouped)
        others = [line for line in find_whole_lines(words, Budget(enough)) if not _overlaps(line, taken)]
        self._lines = sorted([*grouped, *others], key=lambda line: line.start)
        self._starts = [line.start for line in self._lines]
        self._by_tag: dict[int, dict[int, Line]] = {}
        for line in self._lines:
            self._by_tag.setdefault(line.tag, {}).setdefault(line.number, line)
        self._found: dict[Content, tuple[int, FoundBlock]] = {}
        self._used: dict[tuple[int, bytes], Content] = {}
        self._owned: dict[int, Content] = {}
        self._named: set[Content] = set()
        self._marks = next_to_lines(find_marks(self._letters), set(self._starts))

    def blocks(self) -> list[FoundBlock | DamagedBlock]:
        """Return what was found and what was damaged, in order."""
        marked = [group for group in self._marked_groups() if not self._solve_marked(group)]
        self._named.update(self._found)
        loose = self._solve_loose()
        for line in self._lines:
            if (line.number, line.content) in self._used:
                self._owned.setdefault(line.start, self._used[line.number, line.content])
        unread = Unread(self._words, self._letters, self._lines, self._owned)
        contradicted = unread.contradicted(marked, self._named)
        parted = {content: self._found.pop(content) for content in contradicted}
        placed: list[tuple[int, FoundBlock | DamagedBlock]] = []
        for at, block in qr_text.find_payloads(self._words, self._letters, (*self._found, *parted)):
            if isinstance(block, DamagedBlock):
                placed.append((at, block))
            else:
                self._keep((block.kind, block.data), at, block)
        for content, (at, block) in parted.items():
            if content not in self._found:
                lines = len(numbered_lines(*content))
                placed.append((at, report.contradictory(contradicted[content], block.kind, lines, (), ())))
        placed += self._found.values()
        for one in unread.reports(marked, loose, {kind for kind, _ in (*self._found, *parted)}):
            placed.append(one)
            _require_few(placed)
        return [block for _, block in sorted(placed, key=lambda place: place[0])]

    def _marked_groups(self) -> list[Group]:
        groups: dict[tuple[Kind, str], Group] = {}
        for mark, reach in zip(self._marks, windows_of(self._marks, len(self._letters)), strict=True):
            group = groups.get(mark.block)
            if group is None:
                group = Group(tag_of(*mark.block), mark.start, mark.kind, mark.block_id)
                groups[mark.block] = group
            group.take_mark(mark, reach)
        return list(groups.values())

    def _solve_marked(self, group: Group) -> bool:
        group.add(
            line for low, high in group.windows for line in self._lines_between(low, high) if line.tag == group.tag
        )
        # Lines may have been moved away from their marks.
        elsewhere = self._by_tag.get(group.tag, {})
        group.add(line for number, line in elsewhere.items() if number not in group.checked)
        gaps = [gap for low, high in group.windows for gap in _gaps(low, high, sorted(group.places))]
        for low, high in gaps:
            for line in self._lines_between(low, high):
                if line.number not in group.checked:
                    group.doubtful.setdefault(line.number, line)
        if self._solve(group):
            return True
        before = len(group.places)
        for low, high in gaps:
            lines = list(find_any_lines(self._letters, low, high, self._anywhere))
            group.looked_at += len(lines)
            group.add(line for line in lines if line.tag == group.tag and line.number)
        return len(group.places) > before and self._solve(group)

    def _lines_between(self, low: int, high: int) -> Iterator[Line]:
        for place in range(bisect_left(self._starts, low), len(self._lines)):
            if self._lines[place].end > high:
                return
            yield self._lines[place]

    def _solve_loose(self) -> list[Group]:
        """Put together the lines that are in no block so far, by tag; return the groups that are not solved."""
        tags: dict[int, list[Line]] = {}
        for line in self._lines:
            if (line.number, line.content) not in self._used:
                tags.setdefault(line.tag, []).append(line)
        unsolved = []
        for tag, lines in tags.items():
            whole = _group(tag, lines)
            # Two blocks that happen to share their tag, or copies that differ.
            conflict = any(len(versions) > 1 for versions in whole.checked.values())
            parts = [_group(tag, run) for run in _runs(lines)] if conflict else []
            left = [part for part in parts if not self._solve(part)]
            if len(left) < len(parts):
                unsolved += left
            elif not self._solve(whole):
                unsolved.append(whole)
        return unsolved

    def _solve(self, group: Group) -> bool:
        content = group.solve(self._repairs)
        if content is None:
            return False
        written = list(enumerate(numbered_lines(*content), start=1))
        intact = {(line.number, line.content) for lines in group.checked.values() for line in lines}
        repaired = tuple(number for number, line in written if (number, line) not in intact)
        text = block_text(*content, [line for _, line in written])
        self._used.update(dict.fromkeys(written, content))
        self._owned.update(dict.fromkeys(group.places, content))
        self._keep(content, group.start, FoundBlock(*content, text, repaired))
        return True

    def _keep(self, content: Content, at: int, block: FoundBlock) -> None:
        self._found.setdefault(content, (at, block))
        _require_few(self._found)


def _require_few(blocks: Sized) -> None:
    if len(blocks) > MAX_BLOCKS:
        raise BlockError(
            "too-many-blocks",
            f"This text has more than {MAX_BLOCKS} blocks. Paste only the one that is meant, or a few at a time.",
            limit=MAX_BLOCKS,
        )


def next_to_lines(marks: list[Mark], starts: set[int]) -> list[Mark]:
    """Return at most MAX_MARKS of `marks`: those with a numbered line right beside them, then the first ones."""
    if len(marks) > MAX_MARKS:
        marks.sort(key=lambda mark: (mark.end if mark.begins else mark.start - LINE_LETTERS) not in starts)
        marks = sorted(marks[:MAX_MARKS], key=lambda mark: mark.start)
    return marks


def _group(tag: int, lines: list[Line]) -> Group:
    group = Group(tag, lines[0].start)
    group.add(lines)
    return group


def _gaps(low: int, high: int, places: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the stretches between `low` and `high` with room for a line that none at `places` fills."""
    for start in [*places[bisect_left(places, low) : bisect_left(places, high)], high]:
        if start - low >= LINE_LETTERS:
            yield low, start
        low = start + LINE_LETTERS


def _overlaps(line: Line, starts: list[int]) -> bool:
    at = bisect_left(starts, line.start - LINE_LETTERS + 1)
    return at < len(starts) and starts[at] < line.end


def _runs(lines: list[Line]) -> list[list[Line]]:
    """Split `lines` wherever the numbers start again."""
    runs: list[list[Line]] = []
    for line in lines:
        if runs and line.number > runs[-1][-1].number:
            runs[-1].append(line)
        else:
            runs.append([line])
    return runs
