"""The text block that people copy, mail, photograph or retype: how its bytes become lines.

docs/protocol.md, "Text block"; Design 4 and 9.15. Finding blocks in what people paste is reader.py.
"""

import hashlib
from dataclasses import dataclass
from enum import Enum

from chariot_license.protocol import base32, parity
from chariot_license.protocol.errors import BlockError

GROUP = 5
LINE_BYTES = 31
# 31 bytes fill 50 base32 characters and leave two zero bits: ten groups of five.
LINE_CHARACTERS = 50
PARITY_LINES = 2
MAX_LINES = 99
HEAD_BYTES = 2
DIGEST_BYTES = 4
FRAME_BYTES = HEAD_BYTES + DIGEST_BYTES
MAX_DATA = (MAX_LINES - PARITY_LINES) * LINE_BYTES - FRAME_BYTES
BLOCK_ID_CHARACTERS = 4
DIGEST_LABEL = b"chariot-block-1"


class Kind(Enum):
    """What a block carries; the value stands in its first and last line."""

    REQUEST = "USAGE REQUEST"
    LICENSE = "USAGE LICENSE"

    @property
    def number(self) -> int:
        """The kind as it stands in the top four bits of the frame."""
        return _KIND_NUMBERS[self]

    @property
    def words(self) -> str:
        """The kind as it stands in a sentence."""
        return self.value.title()


_KIND_NUMBERS = {Kind.REQUEST: 1, Kind.LICENSE: 2}
KINDS = {number: kind for kind, number in _KIND_NUMBERS.items()}

Content = tuple[Kind, bytes]


@dataclass(frozen=True)
class FoundBlock:
    """A block whose data is exactly what was written.

    `text` is the block as `write_block` writes it, `repaired` the numbers of the lines that were missing or
    damaged in what was read.
    """

    kind: Kind
    data: bytes
    text: str
    repaired: tuple[int, ...]


@dataclass(frozen=True)
class DamagedBlock:
    """A block that was recognised and cannot be read.

    `kind` and `lines` (how many numbered lines it has) are None where nothing that was left tells.
    `damaged` are numbers of lines that are there and wrong, `missing` of those not there at all. `message`
    is for the person who sent it.
    """

    kind: Kind | None
    lines: int | None
    damaged: tuple[int, ...]
    missing: tuple[int, ...]
    message: str


def write_block(kind: Kind, data: bytes) -> str:
    """Return the block for `data` (0 to MAX_DATA bytes): lines of at most 66 columns, each with its newline.

    Raises BlockError "block-too-large".
    """
    return block_text(kind, data, numbered_lines(kind, data))


def block_text(kind: Kind, data: bytes, lines: list[bytes]) -> str:
    """Return the block for `data` whose `numbered_lines` are at hand."""
    name = block_id(kind, data)
    text = [edge_line(kind, "BEGIN", len(lines), name)]
    for number, line in enumerate(lines, start=1):
        letters = base32.encode(line)
        groups = (letters[at : at + GROUP] for at in range(0, LINE_CHARACTERS, GROUP))
        check = base32.check_characters(line_label(kind, name, number), letters, 2)
        text.append(" ".join((f"{number:02d}", *groups, check)))
    text.append(edge_line(kind, "END", len(lines), name))
    return "\n".join(text) + "\n"


def numbered_lines(kind: Kind, data: bytes) -> list[bytes]:
    """Return the LINE_BYTES bytes of every numbered line, the two parity lines last.

    Raises BlockError "block-too-large".
    """
    frame = make_frame(kind, data)
    padded = frame.ljust(data_lines(len(data)) * LINE_BYTES, b"\0")
    lines = [padded[at : at + LINE_BYTES] for at in range(0, len(padded), LINE_BYTES)]
    return [*lines, *parity.parity_lines(lines)]


def make_frame(kind: Kind, data: bytes) -> bytes:
    """Return kind and length (2 bytes), digest (4 bytes) and `data`: the bytes of the block and the QR code.

    Raises BlockError "block-too-large".
    """
    if len(data) > MAX_DATA:
        raise BlockError(
            "block-too-large",
            f"A text block holds at most {MAX_DATA} bytes; these are {len(data)}."
            " Use fewer features in one license, or send the data as a file.",
            length=len(data),
            limit=MAX_DATA,
        )
    return _head(kind, data) + _digest(kind, data)[:DIGEST_BYTES] + data


def open_frame(frame: bytes) -> tuple[Kind, bytes] | None:
    """Return kind and data if `frame` begins with a right frame and only zero bytes follow it, else None."""
    declared = declared_content(frame)
    if declared is None:
        return None
    kind, length = declared
    end = FRAME_BYTES + length
    data = frame[FRAME_BYTES:end]
    if len(data) != length or frame[end:].strip(b"\0"):
        return None
    if frame[HEAD_BYTES:FRAME_BYTES] != _digest(kind, data)[:DIGEST_BYTES]:
        return None
    return kind, data


def declared_content(frame: bytes) -> tuple[Kind, int] | None:
    """Return the kind and data length that the first two bytes of a frame declare, None if they cannot be."""
    head = int.from_bytes(frame[:HEAD_BYTES], "big")
    kind = KINDS.get(head >> 12)
    length = head & 0xFFF
    if len(frame) < HEAD_BYTES or kind is None or length > MAX_DATA:
        return None
    return kind, length


def data_lines(length: int) -> int:
    """Return how many lines hold `length` bytes of data, parity lines not counted."""
    return -(-(FRAME_BYTES + length) // LINE_BYTES)


def line_count(length: int) -> int:
    """Return how many numbered lines a block with `length` bytes of data has."""
    return data_lines(length) + PARITY_LINES


def block_id(kind: Kind, data: bytes) -> str:
    """Return the four characters that tell the lines of one block from those of another.

    They come from the same SHA-256 as the digest in the frame and from other bits of it, so that together
    they are 52 bits that a misread block would have to meet.
    """
    following = _digest(kind, data)[DIGEST_BYTES : DIGEST_BYTES + 3]
    return base32.encode(following)[:BLOCK_ID_CHARACTERS]


def edge_line(kind: Kind, edge: str, lines: int, name: str) -> str:
    """Return the first (`edge` "BEGIN") or last ("END") line of a block."""
    return f"CHARIOT {kind.value} {edge} {lines:02d} LINES {name}"


def line_label(kind: Kind, name: str, number: int) -> str:
    """Return what the check characters of a line cover besides its data."""
    return f"{kind.value} {name} {number:02d}"


def _head(kind: Kind, data: bytes) -> bytes:
    return (kind.number << 12 | len(data)).to_bytes(HEAD_BYTES, "big")


def _digest(kind: Kind, data: bytes) -> bytes:
    return hashlib.sha256(DIGEST_LABEL + _head(kind, data) + data).digest()
