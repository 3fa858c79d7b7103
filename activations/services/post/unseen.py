"""Marks that nobody sees and that letters need all the same: what a reply in the customer's language may hold.

Persian joins or parts letters by them, Hindi and Sinhala make half letters, emoji are put together of several, and
text from right to left says where a number belongs. Anywhere else they only make a text read otherwise than it is.
"""

from __future__ import annotations

import re
import unicodedata

from activations.services.results import BadInput, bad_letters

JOINERS = "\u200c\u200d"
DIRECTIONS = "\u200e\u200f\u061c"
# Counted as format characters, and seen: the signs before numbers and the end of a verse.
_SEEN = re.compile("[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd]")
_FLAGS = re.compile(
    "\U0001f3f4(?:"
    + "|".join("".join(chr(0xE0000 + ord(letter)) for letter in name) for name in ("gbeng", "gbsct", "gbwls"))
    + ")\U000e007f"
)  # England, Scotland and Wales, which have no other way to be written
# No format characters by their category, and not seen either.
_BLANK = re.compile("[\u115f\u1160\u3164\uffa0\u2800]")
_UNCASED = ("Lo", "Lm", "Mn", "Mc")  # letters that have no capitals, with their vowels: those that join


def bad_marks(text: str, what: str, code: str) -> BadInput | None:
    """As `bad_letters` with lines; but marks that stand where letters need them are taken."""
    rest = _FLAGS.sub("", _SEEN.sub("", text))
    leftward = any(unicodedata.bidirectional(letter) in ("R", "AL") and letter.isalpha() for letter in rest)
    kept = [
        letter
        for place, letter in enumerate(rest)
        if not (_joins(rest, place) if letter in JOINERS else leftward and letter in DIRECTIONS)
    ]
    return bad_letters("".join(kept), what, code, lines=True)


def only_seen(text: str) -> str:
    """The text without all that nobody sees, and without accents: what a secret with such things inside reads as."""
    return "".join(letter for letter in _BLANK.sub("", text) if unicodedata.category(letter) not in ("Cf", "Mn", "Me"))


def _joins(text: str, place: int) -> bool:
    """Whether the joiner stands behind a letter that joins, or between two parts of an emoji; one at a time."""
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    if not before or (after and after in JOINERS):
        return False
    if text[place] == "\u200d" and after and unicodedata.category(after) in ("So", "Sm"):
        part = text[place - 2 : place - 1] if before == "\ufe0f" else before
        return bool(part) and unicodedata.category(part) in ("So", "Sk")
    return unicodedata.category(before) in _UNCASED and before != "\ufe0f"
