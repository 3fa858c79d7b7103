"""Crockford base32 and its check characters: what people read, type and say on the phone.

Bits are taken from the most significant end; unused bits of the last character are zero. The check characters
stay inside the same 32 letters (Crockford's own modulo 37 check needs `*~$=U`, which do not survive mail and
QR codes). They are the remainder of a polynomial over GF(32); docs/protocol.md, "Check characters", has the
definition and what it catches.
"""

import unicodedata

from chariot_license.protocol.errors import CodeError

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
VALUES = {letter: value for value, letter in enumerate(ALPHABET)}
_LOOKALIKES = str.maketrans("ILO", "110")
# Some characters stand for whole sentences; those that stand for a letter or two have at most "(10)" in them.
_LONGEST_FORM = 4
# Nobody types more for one code, whatever separators stand between its letters.
MAX_TYPED = 400


def encode(data: bytes) -> str:
    """Return `data` as ceil(8 * len / 5) characters of ALPHABET, without padding characters."""
    length = -(-len(data) * 8 // 5)
    number = int.from_bytes(data, "big") << (length * 5 - len(data) * 8)
    return "".join(ALPHABET[number >> shift & 31] for shift in range(length * 5 - 5, -1, -5))


def decode(text: str, length: int) -> bytes:
    """Return the `length` bytes that `text` stands for; the text is normalised first.

    Raises CodeError: "base32-character", "base32-length", "base32-padding" (unused bits are not zero, so the
    text cannot come from `encode`).
    """
    wanted = -(-length * 8 // 5)
    letters = normalise(text[: wanted + MAX_TYPED])
    require_alphabet(letters, "base32-character", "text")
    found = len(letters) if len(text) <= wanted + MAX_TYPED else len(text)
    if found != wanted:
        raise CodeError(
            "base32-length",
            f"The text has {found} characters where there should be {wanted}. Copy all of it again.",
            found=found,
            expected=wanted,
        )
    number = 0
    for letter in letters:
        number = number << 5 | VALUES[letter]
    spare = wanted * 5 - length * 8
    if number & ((1 << spare) - 1):
        raise CodeError(
            "base32-padding",
            "The last character cannot be right. Compare it with the original and try again.",
        )
    return (number >> spare).to_bytes(length, "big")


def normalise(text: str) -> str:
    """Return the letters and digits of `text` as one reads them: NFKC, upper case, I and L as 1, O as 0.

    Each character is taken by itself, so that the result is never more than a few times as long as `text`.
    Separators of every kind are dropped: spaces, dashes, punctuation, symbols such as quote marks of mail,
    control characters, zero-width and bidi marks. Letters outside ALPHABET stay, for the caller to name.
    """
    forms = {letter: "".join(filter(_is_letter, read_as(letter))) for letter in set(text)}
    return "".join(map(forms.__getitem__, text)).translate(_LOOKALIKES)


def read_as(character: str) -> str:
    """Return what one character of a text reads as: NFKC, upper case; itself if that is longer than a few letters."""
    form = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", character).upper())
    return form if len(form) <= _LONGEST_FORM else character


def require_alphabet(letters: str, code: str, what: str) -> None:
    """Raise CodeError `code` naming the first character of `letters` that is not in ALPHABET."""
    for place, letter in enumerate(letters, start=1):
        if letter not in VALUES:
            raise CodeError(
                code,
                f"Character {place} of the {what} reads {letter!r}, which is never used in it."
                " Compare it with the original and correct it.",
                position=place,
                character=letter,
            )


def check_characters(label: str, data: str, count: int) -> str:
    """Return `count` (1 or 2) check characters over `label` and the ALPHABET characters `data`.

    `label` keeps the check of one kind of code or line from fitting another. Any one wrong character and any
    two neighbours swapped are always noticed; with two check characters also any two wrong characters fewer
    than 33 places apart, and any other mistake with a chance of 1023 in 1024.
    """
    if count == 1:
        state = 1
        for symbol in _symbols(label, data):
            state = _times(state, 2) ^ symbol
        return ALPHABET[_times(state, 2)]
    if count == 2:
        high, low = 0, 1
        for symbol in [*_symbols(label, data), 0, 0]:
            # One step of dividing by x^2 + x + 3: x^2 counts as x + 3 (in GF(32), minus is plus).
            high, low = low ^ high, symbol ^ _TIMES_3[high]
        return ALPHABET[high] + ALPHABET[low]
    raise ValueError("count must be 1 or 2")


def _symbols(label: str, data: str) -> list[int]:
    symbols = [half for byte in label.encode("utf-8") for half in (byte >> 5, byte & 31)]
    symbols += map(VALUES.__getitem__, data)
    return symbols


def _times(a: int, b: int) -> int:
    """Multiply in GF(32), reduced by x^5 + x^2 + 1."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a & 32:
            a ^= 0b100101
        b >>= 1
    return product


_TIMES_3 = tuple(_times(value, 3) for value in range(32))


def _is_letter(character: str) -> bool:
    return (character.isascii() and character.isalnum()) or unicodedata.category(character)[0] in "LNM"
