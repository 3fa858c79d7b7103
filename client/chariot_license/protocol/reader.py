"""Finding blocks in what people paste: a whole email, quoted, wrapped, retyped, damaged.

docs/protocol.md, "Reading"; Design 4, 9.15 and 9.16.
"""

from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property

from chariot_license.protocol import qr_text, report
from chariot_license.protocol.block import (
    MAX_LINES,
    Content,
    DamagedBlock,
    FoundBlock,
    Kind,
    block_text,
    numbered_lines,
)
from chariot_license.protocol.clean import words_of
from chariot_license.protocol.errors import BlockError
from chariot_license.protocol.group import Group
from chariot_license.protocol.scan import (
    LINE_LETTERS,
    Budget,
    Line,
    find_any_lines,
    find_grouped_lines,
    find_marks,
    find_numbers,
    find_remains,
    find_whole_lines,
    tag_of,
    windows_of,
)

MAX_SOURCE = 8_000_000
# Ways to put lines together that one text may try. Each way is right by chance once in 2^42 at most (the
# digest and a tag), so a text is misread with a chance below 2^-28.
MAX_REPAIRS = 2**14
# How far from a first or last line its numbered lines start or end, if they are its own.
NEAR = 3 * LINE_LETTERS


def find_blocks(source: str | bytes) -> list[FoundBlock | DamagedBlock]:
    """Return the blocks in `source`, whole or damaged, in order of appearance; the same block once.

    Takes whatever an email makes of a block (docs/protocol.md, "Reading") and the text of a QR code.
    Raises BlockError "input-too-large" above MAX_SOURCE characters or bytes, and nothing else.
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
    "block-damaged" (`detail`: kind, lines, damaged, missing) or "input-too-large".
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
        enough = 5_000 + len(self._letters) // 20
        self._anywhere = Budget(enough)
        self._repairs = Budget(MAX_REPAIRS)
        self._marks = find_marks(self._letters)
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
        self._used: set[tuple[int, bytes]] = set()
        self._owned: set[int] = set()

    def blocks(self) -> list[FoundBlock | DamagedBlock]:
        """Return what was found and what was damaged, in order."""
        marked = [group for group in self._marked_groups() if not self._solve_marked(group)]
        loose = self._solve_loose()
        placed: list[tuple[int, FoundBlock | DamagedBlock]] = []
        for at, block in qr_text.find_payloads(self._words, self._letters, self._found):
            if isinstance(block, DamagedBlock):
                placed.append((at, block))
            else:
                self._found.setdefault((block.kind, block.data), (at, block))
        placed += self._found.values()
        placed += self._reports(marked, loose)
        return [block for _, block in sorted(placed, key=lambda place: place[0])]

    def _marked_groups(self) -> list[Group]:
        groups: dict[tuple[Kind, str], Group] = {}
        for mark, window in zip(self._marks, windows_of(self._marks, len(self._letters)), strict=True):
            group = groups.get(mark.block)
            if group is None:
                group = Group(tag_of(*mark.block), mark.start, mark.kind, mark.block_id)
                groups[mark.block] = group
            group.marks.append(mark)
            group.windows.append(window)
        for group in groups.values():
            group.windows = _merged(group.windows)
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
        self._used.update(written)
        self._owned.update(group.places)
        self._found.setdefault(content, (group.start, FoundBlock(*content, text, repaired)))
        return True

    def _reports(self, marked: list[Group], loose: list[Group]) -> Iterator[tuple[int, DamagedBlock]]:
        """Yield a report for each block that was recognised and not read, once each."""
        sure = [group for group in marked if group.sure and group.places - self._owned]
        unsure = [group for group in marked if not group.sure]
        own_tags = {group.tag for group in sure}
        seen = [group for group in loose if _is_block(group) and group.tag not in own_tags]
        lines_of = {place: group for group in (*sure, *seen) for place in group.places}
        places = sorted({*self._owned, *lines_of})
        bare = []
        for group in unsure:
            owner = self._neighbour(group, places)
            if owner is None:
                bare.append(group)
            elif owner in lines_of:
                # The lines know themselves what they belong to: this mark's block id was misread.
                lines_of[owner].take_marks(group)
        for group in (*sure, *seen):
            yield group.start, self._lines_lost(group) if group.marks else _ends_lost(group)
        # Marks alone, or with lines that do not fit them, are worth a word only where there is no other.
        told = {kind for kind, _ in self._found} | {_kind(group) for group in (*sure, *seen)}
        for group in bare:
            if group.likely_counts() and not told & {group.kind, None}:
                told.add(group.kind)
                yield group.start, self._lines_lost(group)
        remains = find_remains(self._words) if not told else []
        if remains:
            yield 0, report.remains_only(remains)

    def _neighbour(self, group: Group, places: list[int]) -> int | None:
        """Return where the line next to a mark of `group` starts, among `places`."""
        for mark in group.marks:
            low = mark.end if mark.begins else mark.start - NEAR
            high = mark.end + NEAR if mark.begins else mark.start
            at = bisect_left(places, low)
            if at < len(places) and places[at] < high:
                return places[at]
        return None

    def _lines_lost(self, group: Group) -> DamagedBlock:
        # A line far off may have this tag by chance: what the marks say is surer.
        count = max((mark.lines or 0 for mark in group.marks), default=0) or group.likely_counts()[0]
        lost = [number for number in range(1, count + 1) if number not in group.checked]
        traces = self._traces(group) | group.doubtful.keys()
        return report.lines_lost(
            _kind(group),
            count,
            [number for number in lost if number in traces],
            [number for number in lost if number not in traces],
        )

    def _traces(self, group: Group) -> set[int]:
        """Return the line numbers that stand in the windows of `group` without a right line behind them."""
        found = set()
        for low, high in group.windows:
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
                if room and before[1] < number < after[1]:
                    found.add(number)
        return found

    @cached_property
    def _numbers(self) -> list[tuple[int, int]]:
        return find_numbers(self._words)


def _group(tag: int, lines: list[Line]) -> Group:
    group = Group(tag, lines[0].start)
    group.add(lines)
    return group


def _is_block(group: Group) -> bool:
    """Whether lines without marks are surely a block: prose must not be reported as one."""
    lines = {number: versions[0] for number, versions in group.checked.items()}
    followed = sum(number + 1 in lines and lines[number + 1].start == line.end for number, line in lines.items())
    return followed >= 3 or sum(line.grouped for line in lines.values()) >= 3


def _kind(group: Group) -> Kind | None:
    declared = group.declared()
    return declared[0] if declared else group.kind


def _ends_lost(group: Group) -> DamagedBlock:
    declared = group.declared()
    last = declared[1] if declared else max(group.checked)
    lost = [number for number in range(1, last + 1) if number not in group.checked]
    return report.lines_lost(declared[0], last, (), lost) if declared else report.ends_lost(lost)


def _merged(windows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(windows):
        if merged and low <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(high, merged[-1][1])
        else:
            merged.append((low, high))
    return merged


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
