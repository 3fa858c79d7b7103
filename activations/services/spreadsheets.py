"""Text that goes into a file for a spreadsheet: never taken for a formula (docs/auditors.md, "Exports")."""

from __future__ import annotations

import re

# Where the comma is the decimal sign, spreadsheets part a CSV file at semicolons whatever stands in quotation marks;
# everywhere they part pasted text at tabs and line breaks. What follows one begins a cell of its own. Fullwidth signs
# count too.
_FORMULA = re.compile('(\\A[\t\r\n]|(?:\\A|(?<=[;\t\r\n]))[ "]*[=+\\-@\uff1d\uff0b\uff0d\uff20])')


def kept_as_text(text: str) -> str:
    """The text with an apostrophe before each place where a formula could begin: in front, behind ; and breaks."""
    return _FORMULA.sub(r"'\1", text)
