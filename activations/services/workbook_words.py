"""What a workbook holds too much of, in the words of who made the list: by the names that spreadsheet programs give to
the parts of an .xlsx file (ECMA-376, part 1, 12 and 13).
"""

from __future__ import annotations

import re

from activations.services.secret_text import without_secrets

_AS_VALUES = "Copy the list into a new workbook, as values only"
_CELLS = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_./-]{1,80}")
# The first that fits counts: comments lie in the folder of the drawings.
_OTHERS = [
    (re.compile(names, re.IGNORECASE), what, remedy)
    for names, what, remedy in (
        (r"xl/sharedStrings\.xml", "too many texts in its cells, or texts with fonts of their own inside", _AS_VALUES),
        (r"xl/(.*/)?([^/]*comment[^/]*|vmlDrawing[^/]*)", "too many comments", "Remove the comments"),
        (r"xl/styles\.xml", "too many cell styles", _AS_VALUES),
        (r"xl/calcChain\.xml", "too many formulas", _AS_VALUES),
        (
            r"xl/(media|drawings|charts|embeddings)/.*",
            "pictures or drawings that are too large",
            "Remove the pictures and drawings",
        ),
    )
]


def too_much_of(name: str, *, most_tags: int) -> tuple[str, str]:
    """What there is too much of in the part of this name, and what helps. `most_tags`: that a workbook's cells may
    take; an empty coloured cell takes one, a filled one four.
    """
    if _CELLS.fullmatch(name):
        what = (
            f"too many cells, empty coloured ones included: about {most_tags // 4:,} filled cells or {most_tags:,} "
            "empty coloured ones fit in, all sheets together"
        )
        return what, "Delete the rows below the last filled one, the columns beside the list and the other sheets"
    for names, what, remedy in _OTHERS:
        if names.fullmatch(name):
            return what, remedy
    which = f" ({name})" if _PLAIN_NAME.fullmatch(name) and without_secrets(name) == name else ""
    return f"a part that is larger than a list needs{which}", "Copy the list into a new workbook"
