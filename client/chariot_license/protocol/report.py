"""What is said about a block that cannot be read: a sentence one can mail to the customer who sent it."""

from collections.abc import Sequence

from chariot_license.protocol.block import DamagedBlock, Kind

_AGAIN = "Please copy the whole block again, from its first line to its last, and send it as plain text or as a file"


def lines_lost(kind: Kind | None, lines: int | None, damaged: Sequence[int], missing: Sequence[int]) -> DamagedBlock:
    """Return the report for a block of which these lines are damaged and missing."""
    numbers = sorted({*damaged, *missing})
    if lines is not None and len(numbers) == lines and not damaged:
        message = (
            f"Only the first or last line of {_a(kind)} arrived; its {lines} numbered lines are missing. {_AGAIN}."
        )
    elif len(numbers) > 2:
        message = (
            f"Lines {_list(numbers)} of the {_name(kind)} are {_state(damaged, missing)}."
            f" {_AGAIN}; or send just these lines, typed as they stand there."
        )
    elif numbers:
        noun, verb = ("Line", "is") if len(numbers) == 1 else ("Lines", "are")
        message = (
            f"{noun} {_list(numbers)} of the {_name(kind)} {verb} {_state(damaged, missing)},"
            f" and more of it is wrong in a place that cannot be named. {_AGAIN}."
        )
    else:
        message = f"The {_name(kind)} was changed on its way, in a place that cannot be named. {_AGAIN}."
    return DamagedBlock(kind, lines, tuple(damaged), tuple(missing), message)


def ends_lost(read: Sequence[int], damaged: Sequence[int], missing: Sequence[int]) -> DamagedBlock:
    """Return the report for a block of which first and last line and the first numbered line are lost.

    Nothing is left that says what it was or how long; `read` are the lines that are right.
    """
    lost = sorted({*damaged, *missing})
    verb = "is" if len(lost) == 1 else "are"
    gaps = f" Of those before and between them, {_list(lost)} {verb} {_state(damaged, missing)}." if lost else ""
    noun = "line" if len(read) == 1 else "lines"
    message = (
        f"A part of a block arrived: its numbered {noun} {_list(read)}. The first line (CHARIOT ... BEGIN) and the last"
        f" one (CHARIOT ... END) are missing, so nobody can tell how many lines there were.{gaps} {_AGAIN}."
    )
    return DamagedBlock(None, None, tuple(damaged), tuple(missing), message)


def contradictory(
    marks: Kind, content: Kind, lines: int | None, damaged: Sequence[int], missing: Sequence[int]
) -> DamagedBlock:
    """Return the report for a block whose first and last line say another kind than its numbered lines."""
    message = (
        f"This block contradicts itself: its first or last line says {marks.words}, its numbered lines say"
        f" {content.words}. It was put together from two blocks, or changed. {_AGAIN}."
    )
    return DamagedBlock(None, lines, tuple(damaged), tuple(missing), message)


def remains_only(damaged: Sequence[int]) -> DamagedBlock:
    """Return the report for numbered lines of which none is whole."""
    message = f"Parts of a block arrived, of which no line is complete: lines {_list(damaged)} are damaged. {_AGAIN}."
    return DamagedBlock(None, None, tuple(damaged), (), message)


def qr_text_lost(kind: Kind | None) -> DamagedBlock:
    """Return the report for the text of a QR code that is cut off or changed."""
    message = (
        f"The text from the QR code of {_a(kind)} is cut off or changed."
        " Please scan the code again and send its text unchanged, or send the text block instead."
    )
    return DamagedBlock(kind, None, (), (), message)


def _name(kind: Kind | None) -> str:
    return kind.words if kind else "block"


def _a(kind: Kind | None) -> str:
    return f"a {kind.words}" if kind else "a Usage Request or Usage License"


def _state(damaged: Sequence[int], missing: Sequence[int]) -> str:
    if damaged and missing:
        return "damaged or missing"
    return "damaged" if damaged else "missing"


def _list(numbers: Sequence[int]) -> str:
    """Return "4", "4 and 7", "4, 7 and 9" or "1 to 14"."""
    parts: list[str] = []
    start = 0
    for place, number in enumerate(numbers):
        if place + 1 == len(numbers) or numbers[place + 1] != number + 1:
            run = numbers[start : place + 1]
            parts.extend([f"{run[0]} to {run[-1]}"] if len(run) > 2 else [str(one) for one in run])
            start = place + 1
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
