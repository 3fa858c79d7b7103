"""Which conversation a mail belongs to, and whether two copies are one mail."""

from __future__ import annotations

import hashlib
import re

from chariot_license.protocol.base32 import ALPHABET, normalise

from activations.mailtext.headers import read_head
from activations.mailtext.values import Mail

_LETTERS = 8
# Read as people type it: I and L as 1, O as 0.
_SUBJECT_MARK = re.compile(r"\[\s?CL-([0-9A-TV-Z]{8})\s?\]", re.IGNORECASE)
_PLUS = re.compile(r"[^@]{1,60}\+cl-([0-9a-tv-z]{8})@", re.IGNORECASE)
_MADE_BY_SENDER = ("from", "date", "subject", "message-id")


def conversation_token(mail: Mail) -> str:
    """Return the 8 letters (Crockford base32) of our mark [CL-XXXXXXXX] in the subject; without one, of the address
    that was written to (support+cl-XXXXXXXX@example.com); "" if there is none. The first mark counts.
    """
    found = _SUBJECT_MARK.findall(mail.subject)
    for address in (*mail.to, *mail.cc):
        found += _PLUS.findall(address.address)
    tokens = (normalise(letters) for letters in found)
    return next((token for token in tokens if len(token) == _LETTERS and set(token) <= set(ALPHABET)), "")


def content_digest(source: bytes) -> str:
    """Return SHA-256, hex, of what the sender made: the body, From, Date, Subject and Message-ID.

    One mail delivered to two mailboxes has one digest: fields that servers add, how fields are folded and how lines
    end are left out.
    """
    head, body = read_head(source, 0, len(source))
    digest = hashlib.sha256(b"chariot-mail-1")
    content = source[body:].replace(b"\r\n", b"\n").rstrip(b"\n")
    fields = [b" ".join(b" ".join(head.all(name)).split()) for name in _MADE_BY_SENDER]
    for piece in (*fields, content):
        digest.update(len(piece).to_bytes(8, "big") + piece)
    return digest.hexdigest()
