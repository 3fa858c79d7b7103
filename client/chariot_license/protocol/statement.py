"""The license statement: what a customer keeps of the history of a license. docs/protocol.md, "License statement".

A statement is a file {"document": the document as text, "signature": a COSE_Sign1 in base64}, by itself or inside a
PDF whose pages say the same. The signature covers the document by its digest, and the PDF by the digest of all its
bytes around the file.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chariot_license.protocol import certificates, cose, statement_document
from chariot_license.protocol import claims as c
from chariot_license.protocol.codes import parse_public_id
from chariot_license.protocol.errors import CertificateError, CodeError, StatementError

MAX_BYTES = 1400  # of the signature with its certificate
MAX_FILE = 32_000_000  # of a PDF or JSON file
_MAX_NUMBER = 2**53 - 1
_PDF = b"%PDF-"
_START = b'{"document":"'

FORM = cose.Format("statement", "license statement", "cl-sta", 1, MAX_BYTES, True, StatementError)
_REQUIRED = (c.SUB, c.IAT, c.HISTORY, c.DOCUMENT, c.PAGES)


@dataclass(frozen=True)
class StatementClaims:
    """What the signature of a statement says. Times in Unix seconds.

    `length` and `head` (32 bytes) are the license's ledger chain at `as_of`; `document` and `pages` are SHA-256 of
    the document and of the PDF around the file.
    """

    license_id: str
    made_at: int
    as_of: int
    length: int
    head: bytes
    document: bytes
    pages: bytes


@dataclass(frozen=True)
class Statement:
    """A statement that verified: its document (see `statement_document`), what was signed, and by which key (serial).

    `in_pdf`: it was read from a PDF, whose pages are as they were signed.
    """

    document: dict[str, Any]
    claims: StatementClaims
    serial: str
    in_pdf: bool


def sign_statement(claims: StatementClaims, private_key: Ed25519PrivateKey, certificate_der: bytes) -> bytes:
    """Sign with a vendor signing key whose certificate travels along: at most MAX_BYTES.

    Raises StatementError "statement-claim-invalid" for what no reader would accept, CertificateError if the
    certificate is unreadable or not valid at `made_at`, ValueError if the key is not the certificate's.
    """
    certificate = certificates.load_certificate(certificate_der)
    public = private_key.public_key().public_bytes_raw()
    if certificates.raw_public_key(certificate) != public:
        raise ValueError("the private key does not belong to the certificate")
    certificates.check_validity(certificate, claims.made_at)
    data = cose.sign(_to_claims(claims), FORM.typ, private_key, certificate_der)
    cose.verify(_readable(data), public, FORM)
    return data


def signature_size(claims: StatementClaims, certificate_der: bytes) -> int:
    """Return how long the signature will be, in bytes, whatever the digests in `claims` are."""
    # A signature of any key has the length of the real one.
    return len(cose.sign(_to_claims(claims), FORM.typ, Ed25519PrivateKey.generate(), certificate_der))


def read_signature(
    data: bytes, roots: Sequence[x509.Certificate], denied: Collection[str] = ()
) -> tuple[StatementClaims, str]:
    """Return the claims and the serial of the signing key. Raises StatementError or CertificateError.

    `roots` are the pinned vendor roots; the certificate is judged at the time the statement was made. `denied` holds
    the serials of signing certificates that must not be trusted any more.
    """
    opened = cose.open_unverified(data, FORM)
    claims = _from_claims(c.ClaimReader(opened.claims, FORM, _REQUIRED, ()))
    try:
        certificate = certificates.check_certificate(
            opened.certificate or b"", roots, claims.made_at, "usage-license", denied
        )
    except CertificateError as error:
        # The checks are those of a Usage License's certificate, and so are their words.
        words = error.message.replace("Usage License", FORM.words)
        raise CertificateError(error.code, words, **error.detail) from error
    cose.verify(opened, certificates.raw_public_key(certificate), FORM)
    return claims, certificates.serial_hex(certificate)


def write_file(document: str, signature: bytes) -> bytes:
    """Return the statement as a file: one line of ASCII, the same for the same statement."""
    said = {"document": document, "signature": base64.b64encode(signature).decode()}
    return json.dumps(said, separators=(",", ":")).encode()


def pages_digest(pdf: bytes) -> bytes:
    """Return SHA-256 of the PDF without the statement in it. Raises StatementError as `open_statement` does."""
    start, end, _ = _inside(pdf)
    return hashlib.sha256(pdf[:start] + pdf[end:]).digest()


def open_statement(data: bytes, roots: Sequence[x509.Certificate], denied: Collection[str] = ()) -> Statement:
    """Verify a statement, a JSON file or a PDF, and return it. Raises StatementError or CertificateError.

    StatementError: "statement-file-too-large", "statement-not-found", "statement-several",
    "statement-file-malformed", "statement-document-changed", "statement-document-malformed", "statement-pages-changed",
    and those of `cose.open_unverified`, `ClaimReader` and `cose.verify`.
    """
    if len(data) > MAX_FILE:
        raise StatementError(
            "statement-file-too-large",
            f"This file has {len(data)} bytes; no license statement has more than {MAX_FILE}. Check that it is the"
            " file Support sent.",
            size=len(data),
            limit=MAX_FILE,
        )
    in_pdf = data.startswith(_PDF)
    text = _inside(data)[2] if in_pdf else data
    document, signature = _parts(text, strict=in_pdf)
    claims, serial = read_signature(signature, roots, denied)
    if hashlib.sha256(document.encode()).digest() != claims.document:
        raise StatementError(
            "statement-document-changed",
            "The document in this file is not the one that was signed: somebody changed it. Do not rely on it; ask"
            " Support for a new statement.",
        )
    if in_pdf and pages_digest(data) != claims.pages:
        raise StatementError(
            "statement-pages-changed",
            "The pages of this PDF are not those that were signed: they were changed, or a program saved the PDF anew."
            " Do not rely on what they show. Take the file as Support sent it, or ask for the JSON file.",
        )
    return Statement(statement_document.read_document(document, claims), claims, serial, in_pdf)


def with_pages(claims: StatementClaims, pdf: bytes) -> StatementClaims:
    return replace(claims, pages=pages_digest(pdf))


def _inside(pdf: bytes) -> tuple[int, int, bytes]:
    """Where the statement in a PDF begins and ends, and its bytes."""
    start = pdf.find(_START)
    if start < 0:
        raise StatementError(
            "statement-not-found",
            "There is no license statement in this PDF. Only the PDF file that Support sent can be checked, not one"
            " that was printed, scanned or saved anew.",
        )
    if pdf.find(_START, start + 1) >= 0:
        raise StatementError(
            "statement-several",
            "There is more than one license statement in this PDF, which the portal never writes. Do not rely on it;"
            " ask Support for a new one.",
        )
    tail = pdf[start:]
    try:
        _, length = json.JSONDecoder().raw_decode(tail.decode("latin-1"))
    except (ValueError, RecursionError) as error:
        raise _malformed() from error
    return start, start + length, tail[:length]


def _parts(text: bytes, *, strict: bool) -> tuple[str, bytes]:
    """The document and the signature. `strict`: written as `write_file` does, so that each byte in a PDF counts."""
    try:
        found = json.loads(text.decode("utf-8-sig"), object_pairs_hook=statement_document.once)
    except (ValueError, RecursionError) as error:
        raise _malformed() from error
    if not isinstance(found, dict) or set(found) != {"document", "signature"}:
        raise _malformed()
    document, signature = found["document"], found["signature"]
    if not isinstance(document, str) or not isinstance(signature, str):
        raise _malformed()
    try:
        document.encode()
        raw = base64.b64decode(signature, validate=True)
    except (ValueError, binascii.Error) as error:
        raise _malformed() from error
    # One signature has one way to be written.
    if base64.b64encode(raw).decode() != signature or (strict and write_file(document, raw) != text):
        raise _malformed()
    return document, raw


def _malformed() -> StatementError:
    return StatementError(
        "statement-file-malformed",
        "This is not a license statement as the portal writes it: a JSON file with a document and its signature, or"
        " the PDF that holds them. Take the file as Support sent it.",
    )


def _readable(data: bytes) -> cose.Opened:
    opened = cose.open_unverified(data, FORM)
    _from_claims(c.ClaimReader(opened.claims, FORM, _REQUIRED, ()))
    return opened


def _to_claims(claims: StatementClaims) -> dict[int, object]:
    return {
        c.SUB: claims.license_id,
        c.IAT: claims.made_at,
        c.HISTORY: [claims.as_of, claims.length, claims.head],
        c.DOCUMENT: claims.document,
        c.PAGES: claims.pages,
    }


def _from_claims(reader: c.ClaimReader) -> StatementClaims:
    history = reader.items(c.HISTORY, 3)
    if len(history) != 3 or not all(c.is_integer(number, _MAX_NUMBER) for number in history[:2]):
        raise reader.invalid(c.HISTORY)
    as_of, length, head = history
    if length < 1 or not isinstance(head, bytes) or len(head) != 32:
        raise reader.invalid(c.HISTORY)
    license_id = reader.text(c.SUB, 25, 25)
    try:
        canonical = parse_public_id("LIC", license_id)
    except CodeError as error:
        raise reader.invalid(c.SUB) from error
    if canonical != license_id:
        raise reader.invalid(c.SUB)
    return StatementClaims(
        license_id=license_id,
        made_at=reader.integer(c.IAT, _MAX_NUMBER),
        as_of=as_of,
        length=length,
        head=head,
        document=reader.data(c.DOCUMENT, 32),
        pages=reader.data(c.PAGES, 32),
    )
