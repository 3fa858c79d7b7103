"""A witness on the network: add-checkpoint of C2SP tlog-witness. It checks that we only ever added, and cosigns."""

from __future__ import annotations

import re
import ssl
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from activations.domain.checkpoint import read_note, read_signatures
from activations.domain.cosignatures import VerifierKey, cosignature_of, cosigned_text
from activations.domain.witnesses import Witness
from activations.models import LedgerCheckpoint
from activations.services.proofs import consistency_from
from activations.services.witnessing.keys import key_of
from activations.services.witnessing.outcomes import Failed, Kept, contradiction

TIMEOUT, PATIENCE = 20, 60  # seconds for each answer of the network, and for reading all of it
LARGEST = 64 * 1024
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n?")


@dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes

    @property
    def size(self) -> int | None:
        """What a 409 says: the size of the witness's newest checkpoint."""
        said = _SIZE.fullmatch(self.body)
        return int(said[1]) if said and self.status == 409 else None


def submit(witness: Witness, checkpoint: LedgerCheckpoint, old: int) -> Kept | Failed:
    """Sends the checkpoint with the proof that it continues the one of `old` entries. Where the witness names another
    size, that is taken once.
    """
    try:
        answer = _post(witness, checkpoint, old)
        size = answer.size
        if size is not None and size != old:
            if size > checkpoint.size:
                return contradiction(f"It has a checkpoint of {size} entries, and our newest has {checkpoint.size}.")
            old, answer = size, _post(witness, checkpoint, size)
    except ssl.SSLCertVerificationError as error:
        return Failed(f"Its certificate does not hold: {error.verify_message}. Nothing was sent.")
    except (OSError, HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Failed(f"It cannot be reached: {why}. It is tried again by itself.")
    return _judged(witness, checkpoint, old, answer)


def _judged(witness: Witness, checkpoint: LedgerCheckpoint, old: int, answer: _Answer) -> Kept | Failed:
    match answer.status:
        case 200:
            return _cosigned(witness, checkpoint, answer.body)
        case 422:
            return contradiction(f"It does not accept that our ledger continues the {old} entries that it saw.")
        case 409 if answer.size == old == checkpoint.size:
            return contradiction(f"It has another checkpoint of the same {old} entries.")
        case 409:
            return Failed("It has got another checkpoint meanwhile. It is tried again by itself.")
        case 403 | 404:
            what = "the key that signed the checkpoint" if answer.status == 403 else "this ledger"
            return Failed(f"It does not know {what}. Give whoever runs it this key: {key_of(checkpoint)}")
    return Failed(f"It answered {answer.status}: {_words(answer.body)}. It is tried again by itself.")


def _cosigned(witness: Witness, checkpoint: LedgerCheckpoint, body: bytes) -> Kept | Failed:
    """Keeps the lines by the witness's key; without one configured, those it gave, which nobody has checked."""
    try:
        lines = body.decode()
        signatures = read_signatures(lines)
    except ValueError:
        return Failed("It took the checkpoint, and its answer is no cosignature. Ask whoever runs it.")
    if witness.key is None:
        return Kept(answer=lines)
    good = [
        line
        for line, (name, blob) in zip(lines.splitlines(keepends=True), signatures, strict=True)
        if _holds(witness.key, checkpoint, name, blob)
    ]
    if not good:
        return Failed("It took the checkpoint, and did not cosign it with the key that LEDGER_WITNESSES names for it.")
    return Kept(answer="".join(good))


def _holds(key: VerifierKey, checkpoint: LedgerCheckpoint, name: str, blob: bytes) -> bool:
    cosignature = cosignature_of(key, name, blob)
    if cosignature is None:
        return False
    text = cosigned_text(read_note(checkpoint.note)[0], cosignature.time)
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(cosignature.signature, text.encode())
    except InvalidSignature:
        return False
    return True


def _post(witness: Witness, checkpoint: LedgerCheckpoint, old: int) -> _Answer:
    """One request. Follows no redirects: whoever is configured is the one who must answer. Raises OSError."""
    prefix = urlsplit(witness.target)
    host, port = prefix.hostname or "", prefix.port
    connection: HTTPConnection
    if prefix.scheme == "https":
        connection = HTTPSConnection(host, port, timeout=TIMEOUT, context=ssl.create_default_context())
    else:
        connection = HTTPConnection(host, port, timeout=TIMEOUT)
    try:
        connection.request(
            "POST",
            f"{prefix.path}/add-checkpoint",
            body=consistency_from(old, checkpoint).text.encode(),
            headers={"Content-Type": "text/plain; charset=utf-8", "User-Agent": "chariot-licensing-portal"},
        )
        response = connection.getresponse()
        body, until = b"", time.monotonic() + PATIENCE
        while len(body) <= LARGEST and (part := response.read1(LARGEST)):
            body += part
            if time.monotonic() > until:
                raise TimeoutError("it is too slow")
        return _Answer(response.status, body[:LARGEST])
    finally:
        connection.close()


def _words(body: bytes) -> str:
    plain = " ".join(body[:300].decode("utf-8", "replace").split())
    return "".join(letter for letter in plain if letter.isprintable()) or "nothing more"
