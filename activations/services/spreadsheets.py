"""Text that goes into a file for a spreadsheet: never taken for a formula (docs/audit.md, "Exports")."""

from __future__ import annotations

import re
import unicodedata

# Where the comma is the decimal sign, spreadsheets part a CSV file at semicolons whatever stands in quotation marks;
# everywhere they part pasted text at tabs and line breaks. What follows one begins a cell of its own. Fullwidth signs
# count too.
_FORMULA = re.compile('\\A[\t\r\n]|(?:\\A|(?<=[;\t\r\n]))[ "]*[=+\\-@\uff1d\uff0b\uff0d\uff20]')
# Spaces of all kinds, and what nobody sees: programs that read a file leave them out before they look for a formula.
_UNSEEN = ("Cc", "Cf", "Zl", "Zp", "Zs")
_BREAKS = "\t\r\n"


def kept_as_text(text: str) -> str:
    """The text with an apostrophe before each place where a formula could begin: in front, behind ; and breaks,
    whatever spaces and unseen characters stand before its sign.
    """
    unseen = {letter for letter in set(text) if letter not in _BREAKS and unicodedata.category(letter) in _UNSEEN}
    seen = text.translate({ord(letter): " " for letter in unseen})
    kept, at = [], 0
    for match in _FORMULA.finditer(seen):
        kept.append(text[at : match.start()])
        at = match.start()
    return "'".join([*kept, text[at:]])
