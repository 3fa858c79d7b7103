"""What looks like a License Key or deactivation code without being a correct one (docs/adr, 0010).

The letters of a secret are random. A text is taken for a mistyped one only if they are as varied as those of a real
one are: so few letters beyond F, or so few different ones, as one secret in 100,000 has, stand in no secret.
`static/portal/looks.js` follows the same rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from math import comb

from chariot_license.protocol import base32
from chariot_license.protocol.codes import PUBLIC_IDS, parse_public_id
from chariot_license.protocol.errors import CodeError

RARE = 100_000
_SYMBOLS = len(base32.ALPHABET)
_BEYOND_F = frozenset("GHJKMNPQRSTUVWXYZ")  # U stands in no secret: one who typed it meant V
_READ_AS = str.maketrans("ILO", "110")
_VOWELS = frozenset("AEIOU")
_IN_WORDS = frozenset("ILOU")  # letters that no secret has
# Groups that are neither words nor numbers: one secret in 100,000 has fewer. A sentence may have so many, such as P101,
# if it has as many words with letters of no secret.
LEAST_MIXED = 2

_START, _END = r"(?<![0-9A-Za-z])", r"(?![0-9A-Za-z])"
# Addresses, digests, years: hex digits, with one and the same sign between them.
_HEX = re.compile(
    rf"{_START}[0-9A-F]++{_END}(?:([-:. ]|, )[0-9A-F]++{_END}(?:\1[0-9A-F]++{_END})*+)?", re.IGNORECASE | re.ASCII
)
_PUBLIC_ID = re.compile(
    rf"{_START}(?P<prefix>{'|'.join(PUBLIC_IDS)})(?P<rest>(?:[ -]?[0-9A-Z]{{4}}){{4}}[ -]?[0-9A-Z]){_END}",
    re.IGNORECASE | re.ASCII,
)
# ISO 13616: how many letters and digits an international bank account number (IBAN) has, by country.
IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}
_IBAN_START = re.compile(rf"{_START}([A-Z]{{2}})[0-9]{{2}}", re.IGNORECASE | re.ASCII)


def most_of_hex(letters: int) -> int:
    """Up to how many letters beyond F so few random ones have less than once in RARE texts; -1 if not even none."""
    texts = 0
    for beyond in range(letters + 1):
        texts += comb(letters, beyond)
        if texts * RARE >= 2**letters:
            return beyond - 1
    return letters


@cache
def least_hex() -> int:
    """How many hex digits in a row stand in less than one secret in RARE."""
    return next(letters for letters in range(1, 100) if 2**letters > RARE)


@cache
def most_alike(letters: int) -> int:
    """Up to how many different letters so many random ones have less than once in RARE texts; 0 if they always may."""
    texts = [1] + [0] * _SYMBOLS  # by how many different letters they have
    for _ in range(letters):
        texts = [0] + [texts[n] * n + texts[n - 1] * (_SYMBOLS - n + 1) for n in range(1, _SYMBOLS + 1)]
    sum_so_far = 0
    for different, count in enumerate(texts):
        sum_so_far += count
        if sum_so_far * RARE >= _SYMBOLS**letters:
            return different - 1
    return _SYMBOLS


def varied(groups: Sequence[str], *, hex_digits: int = 0) -> bool:
    """Whether these groups of letters and digits, in either case, may be those of a secret with typing mistakes.

    Words and numbers are let through, and what has no more variety than rows of part numbers have. `hex_digits`: how
    many more stand beside these groups that are known to be something else.
    """
    if hex_digits >= least_hex():
        return False
    groups = [group.upper() for group in groups]
    words = [group for group in groups if group.isalpha() and not _VOWELS.isdisjoint(group)]
    others = [group for group in groups if group not in words]  # the words may stand around something else
    mixed = [group for group in others if not group.isdigit()]
    if len(mixed) < LEAST_MIXED:
        return False
    if len(mixed) == LEAST_MIXED and sum(not _IN_WORDS.isdisjoint(word) for word in words) >= LEAST_MIXED:
        return False
    letters = "".join(others).translate(_READ_AS)
    beyond = sum(letter in _BEYOND_F for letter in letters)
    return beyond > _most_of_hex(len(letters)) and len(set(letters)) > most_alike(len(letters))


_most_of_hex = cache(most_of_hex)


_OTHER, _HEX_DIGIT = 1, 2
_RUN = re.compile("[0-9A-Za-z]+")
SHORTEST_GROUP = 4  # of smaller ones, many have no chance to be mixed


def looks_random(text: str, start: int, end: int, known: bytes | bytearray) -> bool:
    """Whether a part of a text, with about as many letters as a secret, may be one with typing mistakes, in whatever
    groups. `known` is what `what_is_known` says of the text.
    """
    groups = [list(range(*match.span())) for match in _RUN.finditer(text, start, end)]
    if max(map(len, groups), default=0) < SHORTEST_GROUP:
        places = [place for group in groups for place in group]
        groups = [places[at : at + SHORTEST_GROUP] for at in range(0, len(places), SHORTEST_GROUP)]
    return random_groups(text, known, groups)


def random_groups(text: str, known: bytes | bytearray, groups: Sequence[Sequence[int]]) -> bool:
    """Whether what stands at these places of a text may be a secret: `known` is what `what_is_known` says of it."""
    free = [group for group in groups if not all(known[place] for place in group)]
    hex_digits = sum(known[place] == _HEX_DIGIT for group in groups for place in group)
    return varied(["".join(text[place] for place in group) for group in free], hex_digits=hex_digits)


def what_is_known(text: str) -> bytearray:
    """For each letter of a text whether it belongs to something that is no secret for certain: 0 for no."""
    known = bytearray(len(text))
    for start, end, by_hex in something_else(text):
        known[start:end] = bytes([_HEX_DIGIT if by_hex else _OTHER]) * (end - start)
    return known


def something_else(text: str) -> list[tuple[int, int, bool]]:
    """From where to where a text has what is no secret for certain, and whether that is known by its hex digits: rows
    of these, whole public ids, and bank account numbers whose check digits hold.
    """
    return sorted([*_hex_rows(text), *_public_ids(text), *_bank_accounts(text)])


def _hex_rows(text: str) -> Iterator[tuple[int, int, bool]]:
    for match in _HEX.finditer(text):
        if sum(map(str.isalnum, match[0])) >= least_hex():
            yield *match.span(), True


def _public_ids(text: str) -> Iterator[tuple[int, int, bool]]:
    for match in _PUBLIC_ID.finditer(text):
        with suppress(CodeError):
            parse_public_id(match["prefix"].upper(), match["rest"])
            yield *match.span(), False


def _bank_accounts(text: str) -> Iterator[tuple[int, int, bool]]:
    for match in _IBAN_START.finditer(text):
        length = IBAN_LENGTHS.get(match[1].upper())
        whole = _iban(length).match(text, match.start()) if length else None
        account = re.sub("[ -]", "", whole[0]).upper() if whole else ""
        # Of the letters of a secret hardly ever half are digits.
        if whole and 2 * sum(map(str.isdigit, account)) >= len(account) and _check_digits_hold(account):
            yield *whole.span(), False


@cache
def _iban(length: int) -> re.Pattern[str]:
    fours, rest = divmod(length, 4)
    last = f"[ -]?[0-9A-Z]{{{rest}}}" if rest else ""
    return re.compile(rf"[0-9A-Z]{{4}}(?:[ -]?[0-9A-Z]{{4}}){{{fours - 1}}}{last}{_END}", re.IGNORECASE | re.ASCII)


def _check_digits_hold(account: str) -> bool:
    """ISO 7064, modulo 97: the first four letters behind the others, and A to Z as 10 to 35."""
    return int("".join(str(int(letter, 36)) for letter in account[4:] + account[:4])) % 97 == 1
