"""A checkpoint over the whole ledger: C2SP tlog-checkpoint in a C2SP signed note, without the signing."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass

ED25519 = b"\x01"  # the signature type of C2SP signed-note
ROOT_BYTES = 32
KEY_ID_BYTES = 4
_SIZE = re.compile("0|[1-9][0-9]*", re.ASCII)


@dataclass(frozen=True)
class Checkpoint:
    """A tree head: the log's name (see `valid_name`), its number of leaves, the 32-byte root.

    `extensions` are further lines that the format allows; this portal writes none, and signs them if there are any.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()


def valid_name(name: str) -> bool:
    """Whether C2SP signed-note lets a key, and this portal a log, be called so: no spaces, no plus, not empty."""
    return bool(name) and "+" not in name and not any(letter.isspace() or letter < " " for letter in name)


def note_text(checkpoint: Checkpoint) -> str:
    """The text that is signed: origin, size, root and extensions, a line each, the final newline included."""
    root = base64.b64encode(checkpoint.root).decode()
    return "".join(f"{line}\n" for line in (checkpoint.origin, checkpoint.size, root, *checkpoint.extensions))


def key_hash(origin: str, public_key: bytes) -> bytes:
    """The 4-byte key id of C2SP signed-note: SHA-256(name || LF || type || key), first four bytes."""
    return hashlib.sha256(origin.encode() + b"\n" + ED25519 + public_key).digest()[:KEY_ID_BYTES]


def read_signatures(lines: str) -> list[tuple[str, bytes]]:
    """Signature lines alone, each with its newline, as (name, 4-byte key id and signature). Raises ValueError."""
    if not lines.endswith("\n"):
        raise ValueError("not signature lines of a note")
    return [_signature(line) for line in lines[:-1].split("\n")]


def read_note(note: str) -> tuple[Checkpoint, list[tuple[str, bytes]]]:
    """The checkpoint a note says, and its signature lines as (name, 4-byte key id and signature).

    Raises ValueError for anything that is not a checkpoint note, letter by letter.
    """
    note.encode()  # a lone surrogate is no text, and UnicodeEncodeError is a ValueError
    if any(letter < " " and letter != "\n" for letter in note):
        raise ValueError("a note holds no control characters but line ends")
    body, separator, tail = note.partition("\n\n")
    lines = body.split("\n")
    if not separator or len(lines) < 3 or not tail.endswith("\n"):
        raise ValueError("not a checkpoint note")
    origin, size, root, *extensions = lines
    if not valid_name(origin):
        raise ValueError("the origin of the note is no name of a log: it is empty, or has a space or a plus sign")
    if not _SIZE.fullmatch(size):
        raise ValueError("the tree size of the note is not a number")
    checkpoint = Checkpoint(origin, int(size), _base64(root, "root hash"), tuple(extensions))
    if len(checkpoint.root) != ROOT_BYTES:
        raise ValueError("the root hash of the note is not 32 bytes long")
    return checkpoint, read_signatures(tail)


def _signature(line: str) -> tuple[str, bytes]:
    dash, name, encoded = line.split(" ") if line.count(" ") == 2 else ("", "", "")
    if dash != "—" or not valid_name(name):
        raise ValueError("not a signature line of a note")
    signature = _base64(encoded, "signature")
    if len(signature) <= KEY_ID_BYTES:
        raise ValueError("a signature of the note is too short")
    return name, signature


def _base64(text: str, what: str) -> bytes:
    """RFC 4648 section 4, written the one way it can be: with its padding, and no bits left over (section 3.5)."""
    problem = f"the {what} of the note is not base64"
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError(problem) from None
    if base64.b64encode(data).decode() != text:
        raise ValueError(problem)
    return data
