"""Text for the PDF of a statement: each letter in a font that has it, and none left out.

Bitstream Vera, which comes with reportlab, and Noto Sans for the Latin, Greek and Cyrillic letters that Vera lacks are
embedded; the CJK fonts are those of the PDF standard, which the reader brings. A letter that none of them has is
written as its code point, [U+0E01]: a name that cannot be shown must not look like another name.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from itertools import groupby
from xml.sax.saxutils import escape

import fontpkg_noto_sans
from reportlab.lib.fonts import addMapping
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont

PLAIN, BOLD, MORE = "Vera", "VeraBd", "NotoSans"
_NOTO = "NotoSans[wdth,wght].ttf"
# The font of each CJK script, and the encoding that lists its letters.
_CJK = {
    "STSong-Light": "gb2312",
    "MSung-Light": "big5",
    "HeiseiKakuGo-W5": "shift_jis",
    "HYGothic-Medium": "euc_kr",
}
_KANA, _HANGUL = range(0x3040, 0x3100), (range(0x1100, 0x1200), range(0x3130, 0x3190), range(0xAC00, 0xD7B0))


@lru_cache(maxsize=1)
def fonts() -> None:
    """Registers the fonts, once a process."""
    pdfmetrics.registerFont(TTFont(PLAIN, "Vera.ttf"))
    pdfmetrics.registerFont(TTFont(BOLD, "VeraBd.ttf"))
    for bold, name in ((0, PLAIN), (1, BOLD)):
        for italic in (0, 1):
            addMapping(PLAIN, bold, italic, name)
    pdfmetrics.registerFont(TTFont(MORE, str(fontpkg_noto_sans.ROOT / "files" / _NOTO)))
    for name in _CJK:
        pdfmetrics.registerFont(UnicodeCIDFont(name))
    for name in (MORE, *_CJK):
        for bold in (0, 1):
            for italic in (0, 1):
                addMapping(name, bold, italic, name)  # they come in one weight


def markup(text: str) -> str:
    """The text as reportlab's paragraphs take it, with the font of each stretch of it."""
    order = _order(text)
    runs = groupby(text, key=lambda letter: _font(letter, order))
    return "".join(_run(name, "".join(letters)) for name, letters in runs)


def by_number(text: str) -> str:
    """The code points of the letters whose font is not in the PDF, in order, each once; "" when all are in it.

    A reader without such a font shows nothing in their place.
    """
    order = _order(text)
    found = dict.fromkeys(letter for letter in text if _font(letter, order) in _CJK)
    return " ".join(f"U+{ord(letter):04X}" for letter in found)


def _run(name: str | None, text: str) -> str:
    if name is None:
        return "".join(f"[U+{ord(letter):04X}]" for letter in text)
    return escape(text) if name == PLAIN else f'<font name="{name}">{escape(text)}</font>'


def _order(text: str) -> tuple[str, ...]:
    """Which fonts to look into first: Han letters are drawn differently in each country, and one letter that Vera
    lacks has the whole text in Noto, so that a word is in one font.
    """
    if any(ord(letter) in _noto() and ord(letter) not in _vera() for letter in text):
        return (MORE, *_CJK)
    codes = [ord(letter) for letter in text]
    if any(code in _KANA for code in codes):
        first = "HeiseiKakuGo-W5"
    elif any(code in part for code in codes for part in _HANGUL):
        first = "HYGothic-Medium"
    else:
        wide = [letter for letter in text if ord(letter) > 0x2E7F]
        first = next((name for name in _CJK if all(_in_encoding(letter, name) for letter in wide)), "STSong-Light")
    return (first, *(name for name in _CJK if name != first))


def _font(letter: str, order: tuple[str, ...]) -> str | None:
    if letter == " ":
        return PLAIN
    if unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp", "Co", "Cs", "Cn"):
        return None
    for name, has in ((MORE, _noto), (PLAIN, _vera)) if order[0] == MORE else ((PLAIN, _vera), (MORE, _noto)):
        if ord(letter) in has():
            return name
    return next((name for name in order if name in _CJK and _in_encoding(letter, name)), None)


@lru_cache(maxsize=1)
def _vera() -> frozenset[int]:
    fonts()
    found: dict[int, int] = pdfmetrics.getFont(PLAIN).face.charToGlyph
    bold: dict[int, int] = pdfmetrics.getFont(BOLD).face.charToGlyph
    return frozenset(code for code, glyph in found.items() if glyph and bold.get(code))


@lru_cache(maxsize=1)
def _noto() -> frozenset[int]:
    """Of what it has, letters alone: signs and punctuation stay with the script they stand in."""
    fonts()
    found: dict[int, int] = pdfmetrics.getFont(MORE).face.charToGlyph
    return frozenset(code for code, glyph in found.items() if glyph and unicodedata.category(chr(code))[0] in "LM")


def _in_encoding(letter: str, name: str) -> bool:
    try:
        letter.encode(_CJK[name])
    except UnicodeEncodeError:
        return False
    return True
