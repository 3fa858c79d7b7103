"""Putting a block together from the lines that were seen (Design 9.15).

A damaged line passes its check characters once in a thousand times, so passing them proves nothing by itself:
every way to put the lines together is tried against the digest inside the block, the likely ones first.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, islice, product

from chariot_license.protocol.block import (
    LINE_BYTES,
    PARITY_LINES,
    Content,
    Kind,
    declared_content,
    line_count,
    open_frame,
)
from chariot_license.protocol.parity import Syndromes, xor
from chariot_license.protocol.scan import Budget

# Copies of one block that differ in several lines, each with right check characters.
MAX_CHOICES = 16
_UNKNOWN = bytes(LINE_BYTES)

Accept = Callable[[Kind, bytes], bool]


def put_together(
    count: int,
    checked: Mapping[int, Sequence[bytes]],
    doubtful: Mapping[int, bytes],
    accept: Accept,
    budget: Budget,
) -> Content | None:
    """Return the content of a block of `count` numbered lines, or None if no way to read them is right.

    `checked` has the lines whose check characters are right, by number, in each version seen; `doubtful`
    lines whose check characters are wrong, which may still be the only thing wrong with them.
    """
    numbers = range(1, count + 1)
    weak = [number for number in numbers if not checked.get(number)]
    unknown = [number for number in weak if number not in doubtful]
    if len(unknown) > PARITY_LINES:
        return None
    versions = [
        list(checked.get(number, ())) or [doubtful.get(number, _UNKNOWN) if len(weak) > PARITY_LINES else _UNKNOWN]
        for number in numbers
    ]
    for choice in islice(product(*versions), MAX_CHOICES):
        content = _repair(list(choice), weak, unknown, accept, budget)
        if content is not None:
            return content
    return None


def _repair(lines: list[bytes], weak: list[int], unknown: list[int], accept: Accept, budget: Budget) -> Content | None:
    syndromes = Syndromes(lines)
    for wrong in _suspects(len(lines), weak, unknown):
        if not budget.take():
            return None
        fixed = _rebuild(lines, syndromes, wrong)
        content = _open(fixed) if fixed else None
        if content is not None and accept(*content):
            return content
    return None


def _suspects(count: int, weak: list[int], unknown: list[int]) -> Iterator[tuple[int, ...]]:
    """Yield which lines to take as wrong, at most two, the likely ones first."""
    if len(weak) > PARITY_LINES:
        # Some must be right in spite of their check characters; those never seen cannot be.
        optional = [number for number in weak if number not in unknown]
        for others in combinations(optional, PARITY_LINES - len(unknown)):
            yield (*unknown, *others)
        return
    yield tuple(weak)
    strong = [number for number in range(1, count + 1) if number not in weak]
    for more in range(1, PARITY_LINES - len(weak) + 1):
        for others in combinations(strong, more):
            yield (*weak, *others)


def _rebuild(lines: list[bytes], syndromes: Syndromes, wrong: tuple[int, ...]) -> list[bytes] | None:
    if not wrong:
        return lines
    changes: Sequence[bytes] | None
    if len(wrong) == 1:
        change = syndromes.one(wrong[0])
        changes = None if change is None else (change,)
    else:
        changes = syndromes.two(wrong[0], wrong[1])
    if changes is None:
        return None
    fixed = list(lines)
    for number, change in zip(wrong, changes, strict=True):
        fixed[number - 1] = xor(fixed[number - 1], change)
    return fixed


def _open(lines: list[bytes]) -> Content | None:
    declared = declared_content(lines[0])
    if declared is None or line_count(declared[1]) != len(lines):
        return None
    return open_frame(b"".join(lines[:-PARITY_LINES]))
