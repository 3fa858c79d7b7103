"""A license statement with fixed content, as JSON and inside something that passes for a PDF."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785
from chariot_license.protocol.codes import format_public_id
from chariot_license.protocol.statement import StatementClaims, sign_statement, signature_size, with_pages, write_file

from tests.protocol.samples import ISSUED_AT, SIGNING_KEY, certificate, some_bytes

AT = "2026-09-21T14:13:20.000000Z"  # ISSUED_AT
HASHES = [hashlib.sha256(f"entry {number}".encode()).hexdigest() for number in (1, 2, 3)]
ACTIVATION, GIVEN = format_public_id("ACT", some_bytes("act", 10)), format_public_id("USL", some_bytes("usl", 10))

DOCUMENT: dict[str, Any] = {
    "statement": "chariot-statement-1",
    "license_id": format_public_id("LIC", some_bytes("lic", 10)),
    "customer": "Wasserwerk Süd GmbH & Co. 水",
    "product": "chariot-mqtt-server",
    "status": "active",
    "as_of": AT,
    "made_at": AT,
    "terms": {
        "revision": 1,
        "features": [
            {"code": "mqtt-server", "expires": None},
            {"code": "mqtt-server-support", "expires": "2027-03-31"},
        ],
        "versions": ["5", ""],
    },
    "seats": {"allowed": 2, "active": 1, "lost": 0, "free": 1},
    "activations": [
        {
            "activation_id": ACTIVATION,
            "host": "mqtt-01.plant.example",
            "state": "active",
            "seat": 1,
            "version": "5.0.2",
            "since": AT,
            "usage_license_id": GIVEN,
        }
    ],
    "history": [
        {"seq": 1, "at": AT, "what": "License created", "activation_id": None, "detail": "2 activations allowed"},
        {"seq": 3, "at": AT, "what": "Usage License issued", "activation_id": ACTIVATION, "detail": GIVEN},
    ],
    "ledger": {
        "origin": "licensing.example/ledger",
        "length": 3,
        "head": HASHES[-1],
        "entry_hashes": HASHES,
        "checkpoint": None,
    },
}
TEXT = rfc8785.dumps(DOCUMENT).decode()


def claims_for(text: str, **changes: Any) -> StatementClaims:
    made = {
        "license_id": DOCUMENT["license_id"],
        "made_at": ISSUED_AT,
        "as_of": ISSUED_AT,
        "length": 3,
        "head": bytes.fromhex(HASHES[-1]),
        "document": hashlib.sha256(text.encode()).digest(),
        "pages": bytes(32),
    }
    return StatementClaims(**(made | changes))


CLAIMS = claims_for(TEXT)


def pdf_around(file: bytes) -> bytes:
    """What a reader of statements sees of a PDF: bytes before and behind the file."""
    return b"%PDF-1.4\n1 0 obj (page one) endobj\nstream\n" + file + b"\nendstream\ntrailer\n%%EOF\n"


def statement_pdf() -> bytes:
    der = certificate()
    unsigned = pdf_around(write_file(TEXT, bytes(signature_size(CLAIMS, der))))
    return pdf_around(write_file(TEXT, sign_statement(with_pages(CLAIMS, unsigned), SIGNING_KEY, der)))
