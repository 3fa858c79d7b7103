"""From whatever people paste to the letters and digits in it (Design 9.16; docs/protocol.md, "Reading").

Everything that mail programs add to a block, they add between its letters: quote marks, breaks, tags, spaces
of all kinds. So reading starts by throwing all of that away.
"""

import codecs
import html
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import islice

# Characters or bytes that are read at all: more than any mail with a block has in words. Reading 2 MB made to be slow
# takes about two seconds.
MAX_SOURCE = 2_000_000
SPACES = frozenset("\t\n\v\f\r\x1c\x1d\x1e\x1f\x85")
# No text has so many different characters. Of those that have more, only the parts of Unicode are read in which
# characters stand for Latin letters or digits.
MAX_DIFFERENT = 20_000
_NEVER_LATIN = re.compile("[^\x00-\u33ff\ufb00-\ufb06\uff00-\uffef\U0001d400-\U0001d7ff\U0001f100-\U0001f1ff]+")
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
_CELL_TAG = re.compile(r"</?t[dh]\b[^<>]{0,2000}>", re.I)
_TAG = re.compile(r"<[A-Za-z/!][^<>]{0,2000}>")
# What stands before the lines of a quoted text ("Joe Smith> ", "[JS] ", "JS|"): the same words up to the same sign on
# many lines, or numbers of list items. Signs alone need no care, they are no letters.
_SAME_START = re.compile(r"^[^\w\n]*\w[^\n]{0,39}?[^\w\s]", re.MULTILINE)
_LIST_ITEM = re.compile(r"^[^\w\n]*[1-9][0-9]{0,2}[.):\]](?!\w)", re.MULTILINE)
# The smallest block has eight lines when it is wrapped.
_MANY_LINES = 6
# Names of several words, quoted several times, each in its turn.
_MOST_STARTS = 20
_MOST_ROUNDS = 8
_OTHER = re.compile(r"[^0-9A-Z]+")


def words_of(source: str | bytes) -> str:
    """Return the words of `source`, one space between them, in the 32 characters of base32 and no others.

    Where the source may be HTML or quoted-printable, the words of each way to read it follow each other: a
    block then simply comes twice.
    """
    text = source if isinstance(source, str) else decode(source)
    if "\0" in text:
        text = _without_zeros(text)
    found = [_fold(view) for view in views_of(text)]
    return " ".join(words for words in dict.fromkeys(found) if words)


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


def readable(source: str | bytes) -> str:
    """Return what a person would read in `source`: decoded, and without the zeros of UTF-16 taken for other text."""
    text = source if isinstance(source, str) else decode(source)
    return _without_zeros(text) if "\0" in text else text


def _without_zeros(text: str) -> str:
    """Return what UTF-16 says that was taken for Latin-1: it has a zero beside nearly every letter."""
    with suppress(UnicodeEncodeError):
        text = decode(text.encode("latin-1"))
    return text.replace("\0", "")


def views_of(text: str) -> list[str]:
    """Return the ways to read `text`: as it stands; as quoted-printable; as HTML; without what quotes its lines.

    Each builds on the one before, and is left out where it would be no other.
    """
    views = [text]
    if _ESCAPES.search(text) or _SOFT_BREAK.search(text):
        views.append(_ESCAPES.sub(_unescape, _SOFT_BREAK.sub("", text)))
    if _MARKUP.search(views[-1]):
        lines = _TAG.sub("\n", _CELL_TAG.sub(" ", _INLINE_TAG.sub("", views[-1])))
        views.append(html.unescape(_ENDLESS.sub(" ", lines)))
    unquoted = _without_quoting(views[-1])
    if unquoted is not None:
        views.append(unquoted)
    return views


def _without_quoting(text: str) -> str | None:
    """Return `text` without what stands before many of its lines, None if nothing does.

    A block whose lines were wrapped before they were quoted has it between its letters.
    """
    before = text = "\n".join(text.splitlines())
    for _ in range(_MOST_ROUNDS):
        # The same line many times, a greeting in a long thread, is no quoting.
        different = "\n".join(dict.fromkeys(text.split("\n")))
        counts = Counter(_SAME_START.findall(different)).most_common(_MOST_STARTS)
        starts = [re.escape(start) for start, count in counts if count >= _MANY_LINES]
        if starts:
            text = re.sub(f"^(?:{'|'.join(starts)})", "", text, flags=re.MULTILINE)
        elif sum(1 for _ in islice(_LIST_ITEM.finditer(text), _MANY_LINES)) == _MANY_LINES:
            text = _LIST_ITEM.sub("", text)
        else:
            break
    return text if text != before else None


def _unescape(match: re.Match[str]) -> str:
    return _decode_letters(bytes.fromhex(match.group().replace("=", "")))


def _fold(text: str) -> str:
    return _OTHER.sub(" ", folded(text, _plain).upper()).strip().translate(READ_AS)


def folded(text: str, plain: Callable[[str], str]) -> str:
    """Return `text` with `plain` in place of all characters but printable ASCII."""
    different = set(text)
    if len(different) > MAX_DIFFERENT:
        text = _NEVER_LATIN.sub(" ", text)
        different = set(text)
    table = {ord(letter): plain(letter) for letter in different if not " " <= letter <= "~"}
    return text.translate(table) if table else text


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
