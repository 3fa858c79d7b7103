"""A checkpoint over the whole ledger: C2SP tlog-checkpoint in a C2SP signed note, without the signing."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

ED25519 = b"\x01"  # the signature type of C2SP signed-note


@dataclass(frozen=True)
class Checkpoint:
    """A tree head: the log's name (no spaces or plus signs), its number of leaves, and the 32-byte root."""

    origin: str
    size: int
    root: bytes


def note_text(checkpoint: Checkpoint) -> str:
    """The text that is signed: origin, size and root, a line each, the final newline included."""
    return f"{checkpoint.origin}\n{checkpoint.size}\n{base64.b64encode(checkpoint.root).decode()}\n"


def key_hash(origin: str, public_key: bytes) -> bytes:
    """The 4-byte key id of C2SP signed-note: SHA-256(name || LF || type || key), first four bytes."""
    return hashlib.sha256(origin.encode() + b"\n" + ED25519 + public_key).digest()[:4]


def read_note(note: str) -> tuple[Checkpoint, list[tuple[str, bytes]]]:
    """The checkpoint a note says, and its signature lines as (name, 4-byte key id and signature).

    Raises ValueError for anything that is not a checkpoint note.
    """
    body, separator, tail = note.partition("\n\n")
    lines = body.split("\n")
    if not separator or len(lines) < 3 or not tail.endswith("\n"):
        raise ValueError("not a checkpoint note")
    signatures = []
    for line in tail[:-1].split("\n"):
        dash, name, encoded = line.split(" ") if line.count(" ") == 2 else ("", "", "")
        if dash != "—":
            raise ValueError("not a signature line of a note")
        signatures.append((name, base64.b64decode(encoded, validate=True)))
    size = lines[1]
    if not size.isascii() or not size.isdigit() or size != str(int(size)):
        raise ValueError("the tree size of the note is not a number")
    return Checkpoint(lines[0], int(size), base64.b64decode(lines[2], validate=True)), signatures
