"""License Keys, deactivation codes and API tokens in any text: codes however they are grouped, and mistyped in their
usual groups.

`find_codes` of the protocol reads whole groups, as portal and Chariot write them. What is kept for good, shown, or put
into an address is searched more thoroughly: other groups, lines broken within a group, look-alike letters, escapes
such as %2D, and texts that are encoded. In other groups than the usual ones only what passes its check characters
counts, so that no Usage Request is blacked out.

In the usual groups a typing mistake hides nothing. Check characters cannot tell such a mistake from prose: every row of
28 letters is at most two letters away from one that passes them. What can is how random the letters are
(`secret_looks`): network addresses, digests, years and bank accounts are let through. `secret_in_bytes` finds neither
mistakes nor escapes.

A token is copied by machines and has no groups: it is known by its beginning, and found across the lines into which
a mail broke it. One that lost some of its letters counts as well, since few tries find them.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header

from chariot_license.protocol import base32
from chariot_license.protocol.clean import LOOKALIKES, MAX_SOURCE, views_of
from chariot_license.protocol.codes import LicenseKey, find_codes, parse_deactivation_code
from chariot_license.protocol.errors import BlockError, CodeError
from chariot_license.protocol.reader import find_blocks

from activations.services.escapes import readings, too_many_escapes
from activations.services.secret_looks import random_groups, what_is_known

KEY, CODE, TOKEN, UNSEARCHED = "key", "code", "token", "unsearched"
NAMES = {KEY: "License Key", CODE: "deactivation code", TOKEN: "API token"}
NAMED = {KEY: "a License Key", CODE: "a deactivation code", TOKEN: "an API token"}
MOST_CANDIDATES = 20_000  # of one text: more of them are no mail, and each costs 50 microseconds

# The usual groups, as the portal and Chariot write them, a sign between two of them forgotten included; wherever one
# begins, since four-letter words before a code look like its first groups. These count with a typing mistake, too.
_USUAL = {
    kind: (re.compile(rf"(?<![0-9A-Z])(?=({letters})(?![0-9A-Z]))", re.IGNORECASE), size)
    for kind, letters, size in (
        (KEY, r"K[0-9A-Z]{5}(?:[^0-9A-Z]{0,3}[0-9A-Z]{6}){6}", 6),
        (CODE, r"[0-9A-Z]{4}(?:[^0-9A-Z\n]{0,3}[0-9A-Z]{4}){6}", 4),
    )
}

_BREAK = r"(?:=?+[ \t]*+\r?+\n[ \t>|]*+)?+"  # within a group: a line that was wrapped, quoted or as quoted-printable
_BETWEEN = r"[^0-9A-Za-z]{1,6}+"
_KEY_SIZES, _CODE_SIZES = (*range(1, 15), 21, 42), (*range(1, 15), 28)
# A deactivation code has no first letter to know it by: in a file, which is no text, only likely groups are sought.
_CODE_SIZES_IN_BYTES = (4, 6, 7, 8, 14, 28)
# What a block has before its groups of five: the number of the line, or such a group.
_IN_A_BLOCK = re.compile(r"(?<![0-9A-Za-z])(?:[0-9A-Za-z]{5}|[0-9]{2})[^0-9A-Za-z]{1,6}\Z")

_BASE64 = re.compile(r"[A-Za-z0-9+/]{24,}(?:[ \t]*\r?\n[ \t>|]*[A-Za-z0-9+/]+)*={0,2}")
# At most 50 in a row are taken as one: Python decodes a row of them in quadratic time.
_ENCODED_WORDS = re.compile(r"=\?[^?\s]{1,40}\?[BbQq]\?[^?\s]*\?=(?:\s+=\?[^?\s]{1,40}\?[BbQq]\?[^?\s]*\?=){0,49}")
_WIDE = re.compile(rb"(?:[\t\n\r\x20-\x7e\xa0]\x00|[\x10-\x15]\x20){28,}[\x20-\x7e]?")


def _grouped(total: int, size: int, broken: str) -> str:
    """What follows the first letter of a code in groups of this size."""

    def letters(count: int) -> str:
        return f"(?:{broken}[0-9A-Za-z]){{{count}}}" if count else ""

    groups = [size] * (total // size) + ([total % size] if total % size else [])
    return letters(size - 1) + "".join(f"{_BETWEEN}[0-9A-Za-z]{letters(count - 1)}" for count in groups[1:])


def _any_grouping(first: str, total: int, sizes: tuple[int, ...], broken: str) -> re.Pattern[str]:
    ways = "|".join(f"(?P<g{size}>{_grouped(total, size, broken)})" for size in sizes)
    # The letter comes first, since only then the places of a large file that have another one cost nothing.
    return re.compile(rf"{first}(?<![0-9A-Za-z]{first})(?=(?:{ways})(?![0-9A-Za-z]))")


def _patterns(code_sizes: tuple[int, ...], broken: str) -> dict[str, re.Pattern[str]]:
    return {
        KEY: _any_grouping("[Kk]", 42, _KEY_SIZES, broken),
        CODE: _any_grouping("[0-9A-Za-z]", 28, code_sizes, broken),
    }


_WRITTEN: tuple[tuple[re.Pattern[str], Callable[[str], object], str], ...] = (
    # Its beginning is in no prose, so a text without it costs one look for that.
    (
        re.compile(
            rf"([cC][lL][tT]\\?_(?:{_BREAK}[A-Za-z0-9]){{6,10}}{_BREAK}\\?_"
            rf"(?:(?:{_BREAK}\\?[A-Za-z0-9_-]){{43}}|(?:\\?[A-Za-z0-9_-]){{32,42}}))"
        ),
        str,
        TOKEN,
    ),
    (re.compile(r"([Kk][0-9A-Za-z]{5}(?:-[0-9A-Za-z]{6}){6})"), LicenseKey.parse, KEY),
    (re.compile(r"([0-9A-Za-z]{4}(?:-[0-9A-Za-z]{4}){6})"), parse_deactivation_code, CODE),
)
_IN_TEXT, _IN_BYTES = _patterns(_CODE_SIZES, _BREAK), _patterns(_CODE_SIZES_IN_BYTES, "")
_PAIRED = ("g1", "g2")  # as network addresses are: these have hex digits only


@dataclass(frozen=True)
class Secret:
    """Where one stands in a text. `plain`: in the groups in which it is written, on one line or several."""

    kind: str
    start: int
    end: int
    plain: bool


def secret_in(text: str) -> str:
    """KEY, CODE, TOKEN or "" for what a text of any length holds in whatever way it is written, mistyped in its usual
    groups included; UNSEARCHED for one that has too much in it that looks like a secret. Never raises.
    """
    for part in _parts(text):
        for view in views_of(part):
            kind = _kind_in(view)
            if kind:
                return TOKEN if _tokens_in(part) else kind
        found = find_codes(part)
        if found.license_keys or found.deactivation_codes:
            return KEY if found.license_keys else CODE
        if any(problem.code == "codes-not-all-read" for problem in found.problems):
            return UNSEARCHED
    return next((kind for kind, _, _ in _encoded(text) if kind), "")


def secret_in_bytes(data: bytes) -> str:
    """KEY, CODE, TOKEN, UNSEARCHED or "" for plain letters and UTF-16 in any file. Takes about 0.15 s a MB."""
    narrow = data.decode("latin-1")
    kind = _written_in(narrow) or _kind_in(narrow, _IN_BYTES)
    if kind:
        return kind
    # Zeros beside the letters: the same search for both byte orders, since only the place of the first zero differs.
    wide = "\n\n".join(run[0][::2].decode("latin-1") for run in _WIDE.finditer(data))
    return _written_in(wide) or _kind_in(wide, _IN_BYTES) if wide else ""


def _written_in(text: str) -> str:
    return next((kind for kind, _, _ in _written(text)), "")


def _written(text: str) -> Iterator[tuple[str, int, int]]:
    """Tokens, and codes with their dashes, whatever letter stands beside them: a file may have the length there, a text
    a word.
    """
    for pattern, parse, kind in _WRITTEN:
        for match in pattern.finditer(text):
            with suppress(CodeError):
                parse(match[1])
                yield kind, *match.span(1)


def without_secrets(text: str) -> str:
    """The text with its License Keys, deactivation codes and API tokens blacked out: people paste theirs, and what is
    kept can never be taken back. A code frees a seat, so it must not lie about until somebody uses it. A text that
    cannot be searched to its end, or from which a secret cannot be cut out, is replaced by a sentence.
    """
    if len(text) > MAX_SOURCE:
        return "[This text is too long to be searched for secrets and is not kept.]"
    masked = _blacked_out(text, tuple(NAMES))
    left = _left_in(masked)
    if left in NAMES:
        # In quoted-printable or between tags: then what it reads as is kept.
        masked = _blacked_out(views_of(masked)[-1], tuple(NAMES))
        left = _left_in(masked) or secret_in(masked)
    if left == UNSEARCHED:
        return "[This text is too long to be searched for secrets and is not kept.]"
    return f"[This text holds {NAMED[left]} and is not kept.]" if left else masked


def without_keys(text: str) -> str | None:
    """The text with its License Keys and tokens blacked out, its deactivation codes left; None if one cannot be cut out
    of it.
    """
    masked = _blacked_out(text, (KEY, TOKEN))
    return None if _tokens_in(masked) or find_codes(masked).license_keys else masked


def _tokens_in(text: str) -> bool:
    """Asked where something was found: what is random in a token is often taken for a deactivation code as well."""
    read = (_folded(read)[0] for view in views_of(text) for read, _ in readings(view))
    return any(kind == TOKEN for folded in read for kind, _, _ in _written(folded))


def _parts(text: str) -> Iterator[str]:
    """Of a text that is longer than what is read at once, parts that overlap by more than a secret."""
    step = MAX_SOURCE - 1000
    for start in range(0, max(len(text), 1), step):
        yield text[start : start + MAX_SOURCE]


def _left_in(masked: str) -> str:
    found = find_codes(masked)
    if any(problem.code == "codes-not-all-read" for problem in found.problems):
        return UNSEARCHED
    if found.license_keys:
        return KEY
    if found.deactivation_codes:
        return CODE
    return next((kind for view in views_of(masked) if (kind := _kind_in(view))), "")


def _kind_in(text: str, patterns: Mapping[str, re.Pattern[str]] = _IN_TEXT) -> str:
    kinds = {one.kind for one in _secrets(text, patterns, mistyped=True)}
    return next((kind for kind in (TOKEN, KEY, CODE, UNSEARCHED) if kind in kinds), "")


def _blacked_out(text: str, kinds: tuple[str, ...]) -> str:
    for kind, start, end in reversed(list(_encoded(text))):
        if kind in kinds:
            text = f"{text[:start]}[encoded text with {NAMED[kind]}]{text[end:]}"
    found = [one for one in _secrets(text) if one.kind in kinds]
    masked = _cut(text, found)
    if any(not one.plain for one in found) and _blocks(masked) != _blocks(text):
        masked = _cut(text, [one for one in found if one.plain])
    return _cut(masked, [one for one in _mistyped(masked) if one.kind in kinds])


def _cut(text: str, found: list[Secret]) -> str:
    kept, at = [], 0
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if one.start >= at:
            kept += [text[at : one.start], f"[{NAMES[one.kind]}]"]
        at = max(at, one.end)
    return "".join([*kept, text[at:]])


def _blocks(text: str) -> list[object]:
    try:
        return list(find_blocks(text))
    except BlockError:
        return []


def _mistyped(text: str) -> Iterator[Secret]:
    """What stands in the usual groups, escaped or not, and is as random as a secret."""
    for read, places in readings(text):
        yield from _mistyped_of(*_folded(read), places)


def _mistyped_of(folded: str, origins: list[int], places: list[int]) -> Iterator[Secret]:
    known: bytearray | None = None
    for kind, (pattern, size) in _USUAL.items():
        for number, match in enumerate(pattern.finditer(folded)):
            if number == MOST_CANDIDATES:
                yield _placed(UNSEARCHED, match.start(1), match.end(1), origins, places, plain=True)
                break
            known = what_is_known(folded) if known is None else known
            if _looks_like(kind, match[1], known[match.start(1) : match.end(1)], size):
                yield _placed(kind, *match.span(1), origins, places, plain=True)


def _looks_like(kind: str, written: str, known: bytes | bytearray, size: int) -> bool:
    places = [place for place, letter in enumerate(written) if letter.isalnum()]
    groups = [places[at : at + size] for at in range(0, len(places), size)]
    if kind == KEY:
        groups[0] = groups[0][1:]  # every License Key begins with K
    return random_groups(written, known, groups)


def _secrets(
    text: str, patterns: Mapping[str, re.Pattern[str]] = _IN_TEXT, *, mistyped: bool = False
) -> Iterator[Secret]:
    """Every secret of a text as it stands and without escapes, with its place; UNSEARCHED if there may be more."""
    if patterns is _IN_BYTES:
        yield from _searched(text, [], [], patterns)
        return
    for read, places in readings(text):
        folded, origins = _folded(read)
        yield from _searched(folded, origins, places, patterns)
        for kind, start, end in _written(folded):
            yield _placed(kind, start, end, origins, places, plain=True)
        if mistyped:
            yield from _mistyped_of(folded, origins, places)
    if too_many_escapes(text):
        yield Secret(UNSEARCHED, len(text), len(text), plain=True)


def _searched(
    folded: str, origins: list[int], places: list[int], patterns: Mapping[str, re.Pattern[str]]
) -> Iterator[Secret]:
    for kind, pattern in patterns.items():
        for number, match in enumerate(pattern.finditer(folded)):
            if number == MOST_CANDIDATES:
                yield _placed(UNSEARCHED, match.start(), match.end(), origins, places, plain=True)
                break
            for name, rest in match.groupdict().items():
                if rest is None or not _is_secret(kind, name, match[0] + rest, folded, match.start()):
                    continue
                plain = name in ("g6", "g4", "g28", "g42")
                yield _placed(kind, match.start(), match.end(name), origins, places, plain=plain)


def _placed(kind: str, start: int, end: int, origins: list[int], places: list[int], *, plain: bool) -> Secret:
    """The secret where it stands in the text itself: `origins` are the places before folding, `places` those before
    escapes were taken away; empty where nothing was moved.
    """
    if origins:
        start, end = origins[start], origins[end - 1] + 1
    return Secret(kind, places[start], places[end], plain=False) if places else Secret(kind, start, end, plain)


def _is_secret(kind: str, name: str, letters: str, folded: str, start: int) -> bool:
    if kind == CODE and not any(map(str.isdigit, letters)):
        return False  # words
    if name in _PAIRED and set(letters.upper()).isdisjoint("GHJKMNPQRSTVWXYZ"):
        return False
    if name == "g5" and _IN_A_BLOCK.search(folded, max(0, start - 12), start):
        return False
    try:
        return bool(LicenseKey.parse(letters) if kind == KEY else parse_deactivation_code(letters))
    except CodeError:
        return False


def _folded(text: str) -> tuple[str, list[int]]:
    """The text with an ASCII letter for every character that looks like one, and where each letter came from (empty:
    all of them stand where they stood). Characters that nobody sees are left out.
    """
    if text.isascii():
        return text, []
    forms = {letter: _form(letter) for letter in set(text) if not letter.isascii()}
    if all(len(form) == 1 for form in forms.values()):
        return text.translate({ord(letter): form for letter, form in forms.items()}), []
    letters, places = [], []
    for place, letter in enumerate(text):
        form = forms.get(letter, letter)
        letters.append(form)
        places += [place] * len(form)
    return "".join(letters), places


def _form(letter: str) -> str:
    """What people read: no accents and frames around a letter or digit, and the digits of other scripts."""
    category = unicodedata.category(letter)
    if category in ("Cf", "Mn", "Me"):
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(letter))
    form = base32.read_as(letter)
    form = LOOKALIKES.get(form, form)
    return form if form.isascii() and form else " "


def _encoded(text: str) -> Iterator[tuple[str, int, int]]:
    """What base64 and the encoded words of a mail's headers hold: kind ("" for nothing), and from where to where."""
    for match in _ENCODED_WORDS.finditer(text):
        try:
            said = str(make_header(decode_header(match[0])))
        except (HeaderParseError, LookupError, ValueError):
            continue
        yield _kind_in(said), match.start(), match.end()
    for match in _BASE64.finditer(text):
        run = re.sub(r"[^A-Za-z0-9+/]", "", match[0])
        if len(run) >= 36:
            # A word before it may be taken for its beginning.
            yield next((kind for skip in range(4) if (kind := _in_base64(run[skip:]))), ""), match.start(), match.end()


def _in_base64(run: str) -> str:
    try:
        data = base64.b64decode(_padded(run))
    except (binascii.Error, ValueError):
        return ""
    return secret_in_bytes(data)


def _padded(run: str) -> str:
    whole = run if len(run) % 4 != 1 else run[:-1]
    return whole + "=" * (-len(whole) % 4)
