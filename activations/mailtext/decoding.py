"""From the bytes of a mail to the letters a person reads: charsets, encoded words, letters that may not be shown."""

from __future__ import annotations

import binascii
import codecs
import re
import unicodedata
from email.errors import HeaderParseError
from email.header import decode_header

from chariot_license.protocol.clean import decode as decode_unnamed

# What mail programs call a charset, and which charset they mean by it (WHATWG Encoding has most of these).
_MEANT = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "latin-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874",
    "gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949", "shift_jis": "cp932", "big5": "cp950",
    "iso2022_jp": "iso2022_jp_ext", "utf-16": "utf-16",
}  # fmt: skip
_NAMES = {
    "ks_c_5601-1987": "cp949", "ks_c_5601": "cp949", "gb_2312-80": "gb18030", "hz": "hz", "x-sjis": "cp932",
    "x-gbk": "gb18030", "cp-850": "cp850", "utf8mb4": "utf-8", "x-mac-roman": "mac_roman", "macintosh": "mac_roman",
    "unicode-1-1-utf-7": "utf-7", "iso-8859-8-i": "iso8859-8", "iso-8859-6-i": "iso8859-6",
    "windows-31j": "cp932", "cp936": "gb18030", "windows-936": "gb18030", "windows-949": "cp949", "dos-874": "cp874",
}  # fmt: skip
_CHARSET = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_+-]{0,39}")
# Codecs of Python that are no charsets, or take quadratic time.
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "unicode_escape"})
_SINGLE_BYTES = frozenset({"cp1252", "ascii", "iso8859-15", "cp1250", "iso8859-2"})

# Marks that turn the direction of what follows; a file name or subject with one reads as something it is not.
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
# Zero-width and direction marks are part of Arabic, Hebrew and Persian words; in a text they stay.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufff9-\ufffb\ud800-\udfff]")
_BREAKS = re.compile("\r\n?|\x85|\u2028|\u2029")
_MANY_BLANKS = re.compile(r"\n(?:[ \t\u00a0]{0,200}\n){3,}")

# One header that is looked at: RFC 2047 takes quadratic time in Python, and no subject is longer.
MAX_HEADER = 16_000


def codec_of(charset: str) -> str | None:
    """Return the codec for the charset a mail names; None if there is none."""
    name = charset.strip().strip("'\"").lower()
    if not _CHARSET.fullmatch(name):
        return None
    try:
        codec = codecs.lookup(_NAMES.get(name, name)).name
    except (LookupError, ValueError):
        return None
    return None if codec in _NO_CHARSETS else _MEANT.get(codec, codec)


def decoded(data: bytes, charset: str = "") -> tuple[str, bool]:
    """Return the text of `data`, and whether every letter of it could be read.

    The charset that the mail names is tried first. Mail programs name wrong ones: what is UTF-8 and called Latin-1
    is read as UTF-8, what is Latin-1 and called UTF-8 as Windows writes it, what is called nothing as both show.
    """
    codec = codec_of(charset) if charset else None
    if codec is None:
        return decode_unnamed(data).removeprefix("\ufeff"), not charset or data.isascii()
    if codec in _SINGLE_BYTES and not data.isascii() and _reads(data, "utf-8"):
        codec = "utf-8"
    try:
        return data.decode(codec).removeprefix("\ufeff"), True
    except (UnicodeError, LookupError):
        pass
    text = _replaced(data, codec)
    lost = text.count("\ufffd")
    if codec == "utf-8" and lost > sum(not letter.isascii() for letter in text) - lost:
        return data.decode("cp1252", "replace"), True
    return text, False


def _reads(data: bytes, codec: str) -> bool:
    try:
        data.decode(codec)
    except UnicodeError:
        return False
    return True


def _replaced(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec, "replace")
    except (UnicodeError, LookupError):
        return data.decode("cp1252", "replace")


def header_letters(raw: bytes, charset: str = "") -> str:
    """Return the letters of a header value, unfolded; encoded words stay.

    Letters beyond ASCII that no encoded word holds are UTF-8 (RFC 6532), or what `charset`, that of the text, makes of
    them: older programs write so.
    """
    raw = raw[:MAX_HEADER]
    plain = raw.isascii() and b"\x1b" not in raw
    if plain or (_reads(raw, "utf-8") and b"\x1b" not in raw):
        text = raw.decode("utf-8")
    else:
        codec = codec_of(charset)
        text = decoded(raw, charset if codec and _reads(raw, codec) else "utf-8")[0]
    return " ".join(text.replace("\r", "").split("\n"))


def header_text(raw: bytes, charset: str = "") -> str:
    """Return the text of one header value: unfolded, encoded words decoded (RFC 2047)."""
    return decoded_words(header_letters(raw, charset))


def decoded_words(text: str) -> str:
    """Return `text` with its encoded words decoded; those that cannot be stay as they are."""
    if "=?" not in text:
        return text
    try:
        pieces = decode_header(text[:MAX_HEADER])
    except (HeaderParseError, ValueError, TypeError, IndexError, AttributeError, binascii.Error):
        return text
    words = []
    for piece, charset in pieces:
        if isinstance(piece, str):
            words.append(piece)
        elif charset is None:
            # Python encodes what stands between encoded words like this, whatever letters are in it.
            words.append(_plain_piece(piece))
        else:
            words.append(decoded(piece, charset.split("*")[0])[0])
    return "".join(words)


def _plain_piece(piece: bytes) -> str:
    try:
        return piece.decode("raw-unicode-escape")
    except UnicodeError:
        return piece.decode("latin-1")


def one_line(text: str, most: int) -> str:
    """Return `text` as one line of at most `most` letters, without controls, turns of direction and halves."""
    text = _TURNS.sub("", _CONTROLS.sub("", _BREAKS.sub(" ", text[: most * 4])))
    return _without_unassigned(" ".join(text.split()))[:most].rstrip()


def _without_unassigned(text: str) -> str:
    return "".join(letter for letter in text if unicodedata.category(letter) not in ("Cn", "Co", "Cs"))


def readable_text(text: str) -> str:
    """Return `text` for reading: lines end in "\\n", no controls, no turns of direction, at most three blank lines."""
    text = _TURNS.sub("", _CONTROLS.sub("", _BREAKS.sub("\n", text)))
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    return _MANY_BLANKS.sub("\n\n\n\n", text).strip("\n")


def storable(text: str) -> str:
    """Return `text` as a table and a page can hold it: no NUL, no half of a character. Nothing else is changed."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def file_name(text: str, most: int = 120) -> str:
    """Return the base name of a file without control letters, direction marks and path; "" if nothing is left."""
    name = "".join(letter for letter in text[:4000] if unicodedata.category(letter) != "Cf")
    name = one_line(name, 1000).replace("\\", "/").rsplit("/", 1)[-1].strip(" .")
    if len(name) <= most:
        return name
    stem, dot, ending = name.rpartition(".")
    return stem[: most - len(ending) - 1] + dot + ending if dot and len(ending) <= 10 else name[:most]
