"""Where the parts of a mail begin and end (RFC 2046), and their transfer encodings (RFC 2045).

The parser of Python's email package is not used for this: it compares each line with every open boundary and calls
itself once a level, so that a mail of a few hundred kilobytes takes minutes, or ends in RecursionError. Here a part is
two offsets into the source, and everything is counted.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass

# Lines of one mail that begin like a boundary and are none.
MOST_FALSE_SEAMS = 50_000

_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
_BASE64_RUN = re.compile(rb"[A-Za-z0-9+/\s]*")
_PADDING = re.compile(rb"[=\s]*")
AS_THEY_ARE = frozenset({"", "7bit", "8bit", "binary", "none", "7-bit", "8-bit", "utf-8", "us-ascii"})


@dataclass(frozen=True)
class Seams:
    """How a multipart is made up: the spans of its parts, and of what stands before and behind them.

    `more`: there were further parts than asked for; they begin at the end of the last span. `closed`: the closing
    boundary was there.
    """

    parts: tuple[tuple[int, int], ...]
    outside: tuple[tuple[int, int], ...]
    more: bool
    closed: bool


def find_seams(source: bytes, start: int, end: int, boundary: str, most: int) -> Seams:
    """Return the seams of the multipart between `start` and `end`, at most `most` parts of it."""
    mark = b"--" + boundary.encode("utf-8", "replace")
    at = start if source.startswith(mark, start, end) else _next(source, mark, start, end)
    spans: list[tuple[int, int]] = []
    before: tuple[int, int] | None = None
    opened = -1
    false = 0
    closed = more = False
    while at >= 0 and not closed:
        line_end = source.find(b"\n", at, end)
        line_end = end if line_end < 0 else line_end
        rest = source[at + len(mark) : min(line_end, at + len(mark) + 200)].strip(b" \t\r")
        if rest in (b"", b"--"):
            if opened < 0:
                before = (start, at)
            else:
                spans.append((opened, max(opened, at - 1 - (source[at - 2 : at - 1] == b"\r"))))
            opened = min(line_end + 1, end)
            closed = rest == b"--"
            if len(spans) >= most and not closed:
                more = True
                break
        else:
            false += 1
            if false > MOST_FALSE_SEAMS:
                more = True
                break
        at = _next(source, mark, line_end, end)
    if opened >= 0 and not closed and not more and opened < end:
        spans.append((opened, end))
    behind = (opened, end) if closed or more else (end, end)
    return Seams(tuple(spans), (before or (start, start), behind), more, closed)


def _next(source: bytes, mark: bytes, start: int, end: int) -> int:
    found = source.find(b"\n" + mark, max(start - 1, 0), end)
    return found + 1 if found >= 0 else -1


def decode_transfer(body: bytes, encoding: str) -> tuple[bytes, bool]:
    """Return the content of a part, and whether its transfer encoding was whole and known."""
    if encoding == "base64":
        return _from_base64(body)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(body), True
    if encoding in ("x-uuencode", "uuencode", "x-uue", "uue"):
        return _from_uuencode(body)
    return body, encoding in AS_THEY_ARE


def _from_base64(body: bytes) -> tuple[bytes, bool]:
    stop = _BASE64_RUN.match(body).end()  # type: ignore[union-attr]  # it matches nothing, too
    padded = _PADDING.match(body, stop).end()  # type: ignore[union-attr]
    tail = body[padded:].strip()
    if not tail:
        data, whole = _letters_to_bytes(body[:stop])
        return data, whole
    if padded == stop:
        # A character that base64 does not have: mail programs read on behind it.
        return _letters_to_bytes(body)[0], False
    # Mailing lists and gateways write their footer behind the encoded text as it is.
    more = tail if re.search(rb"[^A-Za-z0-9+/=\s]", tail) else _letters_to_bytes(tail)[0]
    return _letters_to_bytes(body[:stop])[0] + b"\n" + more, False


def _letters_to_bytes(text: bytes) -> tuple[bytes, bool]:
    letters = text.translate(None, _NOT_BASE64)
    lone = len(letters) % 4 == 1
    if lone:
        letters = letters[:-1]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4)), not lone


def _from_uuencode(body: bytes) -> tuple[bytes, bool]:
    begin = re.search(rb"^begin [0-7]{3,4} [^\n]{0,1000}\n", body, re.MULTILINE)
    if not begin:
        return body, False
    out: list[bytes] = []
    for line in body[begin.end() :].split(b"\n"):
        if line.strip() == b"end":
            return b"".join(out), True
        try:
            out.append(binascii.a2b_uu(line.rstrip(b"\r")))
        except binascii.Error:
            return b"".join(out), False
    return b"".join(out), False
