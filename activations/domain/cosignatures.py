"""Keys and cosignatures of witnesses, without the signing: C2SP signed-note keys, tlog-cosignature (Ed25519)."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from activations.domain.checkpoint import ED25519, KEY_ID_BYTES, Checkpoint, note_text, valid_name

COSIGNATURE = b"\x04"  # the signature type of C2SP signed-note
PUBLIC_BYTES, SIGNATURE_BYTES, TIME_BYTES = 32, 64, 8


@dataclass(frozen=True)
class VerifierKey:
    """`type`: the signature type byte; `public`: 32 bytes."""

    name: str
    type: bytes
    public: bytes

    @property
    def id(self) -> bytes:
        """The 4-byte key id that stands before each of its signatures."""
        return hashlib.sha256(self.name.encode() + b"\n" + self.type + self.public).digest()[:KEY_ID_BYTES]

    def __str__(self) -> str:
        """The verifier key as text (vkey): name, key id and key, as C2SP signed-note writes it."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(self.type + self.public).decode()}"


@dataclass(frozen=True)
class Cosignature:
    """Of which time (POSIX seconds), and the Ed25519 signature over `cosigned_text`."""

    time: int
    signature: bytes


def read_key(text: str, *types: bytes) -> VerifierKey:
    """The key a vkey says. Raises ValueError, in words, for anything else, and for a type that is not wanted."""
    name, _, rest = text.partition("+")
    given, _, encoded = rest.partition("+")
    try:
        data = base64.b64decode(encoded, validate=True)
    except ValueError:
        data = b""
    if not valid_name(name) or not data or base64.b64encode(data).decode() != encoded:
        raise ValueError("it is no verifier key of a note (name+hash+base64)")
    if data[:1] not in types or len(data) != 1 + PUBLIC_BYTES:
        raise ValueError("it is not a key for Ed25519 signatures of this kind")
    key = VerifierKey(name, data[:1], data[1:])
    if given != key.id.hex():
        raise ValueError("its hash is not that of its name and key: a letter is wrong or missing")
    return key


def log_key(origin: str, public: bytes) -> VerifierKey:
    """The key of a ledger, as a witness wants it."""
    return VerifierKey(origin, ED25519, public)


def cosigned_text(checkpoint: Checkpoint, time: int) -> str:
    """The message of a cosignature/v1."""
    return f"cosignature/v1\ntime {time}\n{note_text(checkpoint)}"


def cosignature_of(key: VerifierKey, name: str, blob: bytes) -> Cosignature | None:
    """What a signature line holds if it says it is by this key; `blob` as `read_signatures` gives it."""
    if (name, blob[:KEY_ID_BYTES], len(blob)) != (key.name, key.id, KEY_ID_BYTES + TIME_BYTES + SIGNATURE_BYTES):
        return None
    stamped = blob[KEY_ID_BYTES:]
    return Cosignature(int.from_bytes(stamped[:TIME_BYTES], "big"), stamped[TIME_BYTES:])
