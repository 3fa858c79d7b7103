"""Product version ranges, the same on both sides. See docs/protocol.md, "Version range"."""

import re

_NUMBERS = re.compile(r"[0-9]{1,18}(?![0-9])(?:\.[0-9]{1,18}(?![0-9]))*")


def in_range(version: str, low: str, high: str) -> bool:
    """Say whether `low` <= `version` <= `high`, compared number by number at the dots; "" leaves an end open.

    Missing numbers count as 0, and what follows the numbers is ignored ("5.0.2-SNAPSHOT" counts as 5.0.2).
    `high` includes everything that begins with it: 5.1 allows 5.1.7. A version that does not begin with a
    number (of at most 18 digits) lies only in the range that is open at both ends.
    """
    if not low and not high:
        return True
    asked = _numbers(version)
    if asked is None:
        return False
    lowest, highest = _numbers(low), _numbers(high)
    # A limit that nobody can read must not let everything through.
    if (low and lowest is None) or (high and highest is None):
        return False
    if lowest is not None and _trimmed(asked) < _trimmed(lowest):
        return False
    return highest is None or asked[: len(highest)] <= highest


def _numbers(text: str) -> tuple[int, ...] | None:
    found = _NUMBERS.match(text.strip())
    return tuple(int(part) for part in found[0].split(".")) if found else None


def _trimmed(numbers: tuple[int, ...]) -> tuple[int, ...]:
    while numbers and numbers[-1] == 0:
        numbers = numbers[:-1]
    return numbers
