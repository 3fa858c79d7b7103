"""What a text reads without its escapes, as links, JSON and scripts have them, and where each letter of it stood."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate, islice

MOST_ESCAPES = 20_000  # runs of them in one text: more of them are no mail, and each costs microseconds

# As in links (RFC 3986, 2.1, and as scripts wrote them before it), and as in JSON and scripts.
_ESCAPED = re.compile(
    r"(?:%[0-9A-Fa-f]{2})+|%u[0-9A-Fa-f]{4}"
    r"|\\(?:u[0-9A-Fa-f]{4}|u\{0*[0-9A-Fa-f]{1,4}\}|x[0-9A-Fa-f]{2}|[0-3][0-7]{2}|[nrt])"
)
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t"}
_DEPTH = 2  # a link within a link: %252D


def readings(text: str) -> Iterator[tuple[str, list[int]]]:
    """The text as it stands, and what it reads without its escapes, with where each letter began (one place more than
    there are letters; empty: all of them stand where they stood).
    """
    yield text, []
    if not _ESCAPED.search(text) or too_many_escapes(text):
        return
    places: list[int] = []
    for _ in range(_DEPTH):
        text, begun = _unescaped(text)
        places = [places[place] for place in begun] if places else begun
        if not _ESCAPED.search(text):
            break
    yield text, places


def too_many_escapes(text: str) -> bool:
    return next(islice(_ESCAPED.finditer(text), MOST_ESCAPES, None), None) is not None


def _unescaped(text: str) -> tuple[str, list[int]]:
    letters: list[str] = []
    places: list[int] = []
    at = 0
    for match in _ESCAPED.finditer(text):
        start, end = match.span()
        letters.append(text[at:start])
        places += range(at, start)
        if text[start] == "%" and text[start + 1] not in "uU":
            said, sizes = _percent(bytes.fromhex(match[0].replace("%", "")))
            if sizes:
                places += accumulate((3 * size for size in sizes[:-1]), initial=start)
            else:
                places += range(start, end, 3)
        else:
            said = _letter(match[0])
            places.append(start)
        letters.append(said)
        at = end
    letters.append(text[at:])
    places += range(at, len(text) + 1)
    return "".join(letters), places


def _letter(escape: str) -> str:
    said = escape[1:]
    if said in _CONTROLS:
        return _CONTROLS[said]
    return chr(int(said, 8)) if said.isdigit() else chr(int(said[1:].strip("{}"), 16))


def _percent(data: bytes) -> tuple[str, list[int]]:
    """What percent-encoded bytes say, and how many of them each letter has (empty: one each)."""
    try:
        said = data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1"), []
    return said, [] if said.isascii() else [len(letter.encode("utf-8")) for letter in said]
