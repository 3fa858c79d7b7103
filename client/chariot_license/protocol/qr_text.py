"""The text inside a QR code: the bytes of a block in base32, alphanumeric, without line structure.

docs/protocol.md, "QR code"; Design 4. Kept apart from qr.py so that reading needs no QR library.
"""

import re
from collections.abc import Iterable
from itertools import islice

from chariot_license.protocol import base32, report
from chariot_license.protocol.block import (
    FRAME_BYTES,
    HEAD_BYTES,
    Content,
    DamagedBlock,
    FoundBlock,
    Kind,
    declared_content,
    make_frame,
    open_frame,
    write_block,
)
from chariot_license.protocol.clean import READ_AS
from chariot_license.protocol.errors import CodeError

PREFIX = "CLR1"
# Places that are looked at in one text: each one that is no payload passes the digest by chance once in 2^32.
MAX_PAYLOADS = 1000

_READ_PREFIX = PREFIX.translate(READ_AS)
_START = re.compile(r"(?<![^ ])" + " ?".join(_READ_PREFIX))
# Kind, length and most of the digest: enough to know a cut-off copy of a block that was read whole.
_OPENING = 9
# A shorter word that starts like a payload is a word.
_SHORTEST_WORD = 20


def make_payload(kind: Kind, data: bytes) -> str:
    """Return the text of the QR code. Raises BlockError "block-too-large"."""
    return PREFIX + base32.encode(make_frame(kind, data))


def find_payloads(words: str, letters: str, known: Iterable[Content]) -> list[tuple[int, FoundBlock | DamagedBlock]]:
    """Return the payloads in a text, each with its place in `letters`.

    `known` are the contents found otherwise: what is left of another copy of them is not reported.
    """
    result: list[tuple[int, FoundBlock | DamagedBlock]] = []
    failed: list[tuple[int, str]] = []
    whole: set[Content] = set()
    spaces = counted = 0
    for match in islice(_START.finditer(words), MAX_PAYLOADS):
        spaces += words.count(" ", counted, match.start())
        counted = match.start()
        at = match.start() - spaces + len(PREFIX)
        content = _read(letters, at)
        if content is not None:
            if content not in whole:
                result.append((at, FoundBlock(*content, write_block(*content), ())))
            whole.add(content)
        elif words.find(" ", match.end(), match.start() + _SHORTEST_WORD) < 0:
            failed.append((at, letters[at : at + _OPENING]))
    openings = {base32.encode(make_frame(*content))[:_OPENING] for content in (*known, *whole)}
    for at, opening in failed:
        if opening not in openings:
            openings.add(opening)
            result.append((at, report.qr_text_lost(_declared_kind(letters, at))))
    return result


def _read(letters: str, at: int) -> Content | None:
    declared = _declared(letters, at)
    if declared is None:
        return None
    size = FRAME_BYTES + declared[1]
    try:
        return open_frame(base32.decode(letters[at : at + -(-size * 8 // 5)], size))
    except CodeError:
        return None


def _declared_kind(letters: str, at: int) -> Kind | None:
    declared = _declared(letters, at)
    return declared[0] if declared else None


def _declared(letters: str, at: int) -> tuple[Kind, int] | None:
    head = letters[at : at + 4]
    # Four characters are 20 bits, of which the first 16 are the head of the frame.
    value = 0
    for letter in head:
        value = value << 5 | base32.VALUES[letter]
    return declared_content((value >> 4).to_bytes(HEAD_BYTES, "big")) if len(head) == 4 else None
