"""From whatever people paste to the letters and digits in it (Design 9.16; docs/protocol.md, "Reading").

Everything that mail programs add to a block, they add between its letters: quote marks, breaks, tags, spaces
of all kinds. So reading starts by throwing all of that away.
"""

import codecs
import html
import re
import unicodedata
from contextlib import suppress

SPACES = frozenset("\t\n\v\f\r\x1c\x1d\x1e\x1f\x85")
# What UTF-8 looks like when it is taken for Latin-1. Some of it would otherwise be read as letters or digits.
JUNK = frozenset("\u2122" + "".join(chr(code) for code in range(0xA0, 0x100) if code != 0xAD))
# What a Russian or Greek keyboard, or text recognition, gives for a letter that looks the same.
LOOKALIKES = dict(zip("АВЕКМНОРСТУХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧİ", "ABEKMHOPCTYXIJSABEZHIKMNOPTYXI", strict=True))
# U is in no block; people who see one saw a V.
READ_AS = str.maketrans("ILOU", "110V")

_SOFT_BREAK = re.compile(r"=[ \t]*\r*\n")
_ESCAPES = re.compile(r"(?:=[0-9A-Fa-f]{2})+")
# No character has so long a number, and Python refuses to read one of thousands of digits.
_ENDLESS = re.compile(r"&#[xX]?[0-9a-fA-F]{9,};?")
_MARKUP = re.compile(r"<[A-Za-z/!]|&(?:#|[A-Za-z]{2,8};)")
# A tag ends at the next angle bracket at the latest: a lone "<" must not swallow a block.
_INLINE_TAG = re.compile(r"</?(?:a|abbr|b|code|em|font|i|kbd|span|strong|tt|u|wbr|o:p)\b[^<>]{0,2000}>", re.I)
_TAG = re.compile(r"<[A-Za-z/!][^<>]{0,2000}>")
# "JS> " is how some programs quote; ">" alone needs no care.
_INITIALS = re.compile(r"^[ \t]*[A-Za-z]{1,3}(?=>)", re.MULTILINE)
_OTHER = re.compile(r"[^0-9A-Z]+")


def words_of(source: str | bytes) -> str:
    """Return the words of `source`, one space between them, in the 32 characters of base32 and no others.

    Where the source may be HTML or quoted-printable, the words of each way to read it follow each other: a
    block then simply comes twice.
    """
    text = source if isinstance(source, str) else decode(source)
    if "\0" in text:
        text = _without_zeros(text)
    found: list[str] = []
    for view in _views(text):
        words = _fold(view)
        if words and words not in found:
            found.append(words)
    return " ".join(found)


def decode(source: bytes) -> str:
    """Return the text of `source` in UTF-8, UTF-16 or, failing both, Latin-1 as Windows writes it."""
    if source.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return source.decode("utf-16", "replace")
    # UTF-16 without its mark: letters have their zeros on one side, fullwidth ones at least the spaces.
    even, odd = source[0::2].count(0), source[1::2].count(0)
    if max(even, odd) > len(source) // (8 if _is_utf_8(source) else 40):
        return source.decode("utf-16-le" if odd >= even else "utf-16-be", "replace")
    return _decode_letters(source)


def _is_utf_8(source: bytes) -> bool:
    try:
        source.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _decode_letters(source: bytes) -> str:
    return source.decode("utf-8") if _is_utf_8(source) else source.decode("cp1252", "replace")


def _without_zeros(text: str) -> str:
    """Return what UTF-16 says that was taken for Latin-1: it has a zero beside nearly every letter."""
    with suppress(UnicodeEncodeError):
        text = decode(text.encode("latin-1"))
    return text.replace("\0", "")


def _views(text: str) -> list[str]:
    views = [text]
    if _ESCAPES.search(text) or _SOFT_BREAK.search(text):
        views.append(_ESCAPES.sub(_unescape, _SOFT_BREAK.sub("", text)))
    if _MARKUP.search(views[-1]):
        views.append(html.unescape(_ENDLESS.sub(" ", _TAG.sub("\n", _INLINE_TAG.sub("", views[-1])))))
    return views


def _unescape(match: re.Match[str]) -> str:
    return _decode_letters(bytes.fromhex(match.group().replace("=", "")))


def _fold(text: str) -> str:
    text = _INITIALS.sub("", text)
    table = {ord(letter): _plain(letter) for letter in set(text) if not " " <= letter <= "~"}
    return _OTHER.sub(" ", text.translate(table).upper()).strip().translate(READ_AS)


def _plain(letter: str) -> str:
    """Return what one character outside printable ASCII is for us: letters, a space, or nothing."""
    if letter in SPACES or letter in JUNK:
        return " "
    kept = []
    for part in unicodedata.normalize("NFKC", letter.upper()):
        category = unicodedata.category(part)
        if category == "Nd":
            kept.append(str(unicodedata.decimal(part)))
        elif part in LOOKALIKES or part.isascii():
            kept.append(LOOKALIKES.get(part, part if part.isprintable() else ""))
        elif category not in ("Cf", "Cc", "Mn", "Me"):
            kept.append(" ")
    return "".join(kept)
