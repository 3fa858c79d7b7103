"""License statements: what is signed comes back, every byte counts, and no other signed kind passes for one."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from chariot_license.protocol import claims as c
from chariot_license.protocol.certificates import make_root
from chariot_license.protocol.codes import format_public_id
from chariot_license.protocol.errors import CertificateError, LicenseError, ProtocolError, StatementError
from chariot_license.protocol.license import read_license, sign_license
from chariot_license.protocol.request import read_request
from chariot_license.protocol.statement import (
    MAX_BYTES,
    StatementClaims,
    open_statement,
    pages_digest,
    read_signature,
    sign_statement,
    signature_size,
    with_pages,
    write_file,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from pycose.keys.curves import Ed25519
from pycose.keys.okp import OKPKey
from pycose.messages.cosemessage import CoseMessage
from pycose.messages.sign1message import Sign1Message

from tests.protocol import samples
from tests.protocol.samples import (
    FOREIGN_KEY,
    INSTANCE_KEY,
    ISSUED_AT,
    ROOT,
    ROOT_KEY,
    ROOTS,
    SIGNING_KEY,
    certificate,
    forge,
    parts,
    public,
    usage_license,
)
from tests.protocol.statements import CLAIMS, DOCUMENT, TEXT, claims_for, pdf_around, statement_pdf

DER = certificate()
GOOD = sign_statement(CLAIMS, SIGNING_KEY, DER)
FILE = write_file(TEXT, GOOD)
PDF = statement_pdf()
HEADER, SAID = parts(GOOD)


def test_what_is_signed_comes_back() -> None:
    assert read_signature(GOOD, ROOTS) == (CLAIMS, "1f2e3d4c5b6a7988")
    read = open_statement(FILE, ROOTS)
    assert (read.document, read.claims, read.serial, read.in_pdf) == (DOCUMENT, CLAIMS, "1f2e3d4c5b6a7988", False)
    inside = open_statement(PDF, ROOTS)
    assert (inside.document, inside.in_pdf) == (DOCUMENT, True)


def test_signing_is_deterministic_and_its_size_known() -> None:
    assert sign_statement(CLAIMS, SIGNING_KEY, DER) == GOOD
    assert signature_size(CLAIMS, DER) == len(GOOD) == 585


def test_the_signed_bytes_never_change() -> None:
    """A change here breaks every statement that a customer keeps: it needs a new `typ` version."""
    assert hashlib.sha256(GOOD).hexdigest() == "f435f2439777687304af5c93423db6e8e4c46c15f132bf2ac6f759b4b29c5874"


def test_a_file_with_white_space_around_and_a_mark_before_is_the_same() -> None:
    assert open_statement(b"\xef\xbb\xbf" + FILE + b"\r\n", ROOTS).document == DOCUMENT
    pretty = json.dumps(json.loads(FILE), indent=2).encode()
    assert open_statement(pretty, ROOTS).document == DOCUMENT


def test_a_second_cose_implementation_verifies_it() -> None:
    message = CoseMessage.decode(GOOD)
    assert isinstance(message, Sign1Message)
    message.key = OKPKey(crv=Ed25519, x=public(SIGNING_KEY))
    assert message.verify_signature()
    assert message.payload is not None
    assert cbor2.loads(message.payload) == SAID
    message.key = OKPKey(crv=Ed25519, x=public(FOREIGN_KEY))
    assert not message.verify_signature()


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_byte_of_the_signature_can_be_changed(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(GOOD) - 1))
    changed = bytearray(GOOD)
    changed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises((StatementError, CertificateError)):
        read_signature(bytes(changed), ROOTS)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_byte_of_a_pdf_can_be_changed(data: st.DataObject) -> None:
    """Header, pages, the file inside and what follows it: each byte is under the signature."""
    place = data.draw(st.integers(0, len(PDF) - 1))
    changed = bytearray(PDF)
    changed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises((StatementError, CertificateError)):
        open_statement(bytes(changed), ROOTS)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_letter_of_the_document_can_be_changed(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(TEXT) - 1))
    letter = data.draw(st.characters(exclude_categories=["Cs"]).filter(lambda one: one != TEXT[place]))
    kind = data.draw(st.sampled_from(["swap", "insert", "delete"]))
    changed = TEXT[:place] + {"swap": letter, "insert": letter + TEXT[place], "delete": ""}[kind] + TEXT[place + 1 :]
    with pytest.raises(StatementError) as caught:
        open_statement(write_file(changed, GOOD), ROOTS)
    assert caught.value.code == "statement-document-changed"


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.binary(max_size=400), st.text(max_size=400).map(str.encode), st.binary().map(lambda b: b"%PDF-" + b))
)
def test_whatever_comes_in_only_named_errors_come_out(junk: bytes) -> None:
    for data in (junk, FILE[: len(junk)] + junk, PDF[: len(junk)] + junk):
        with pytest.raises(ProtocolError):
            open_statement(data, ROOTS)


def test_bytes_before_and_after_a_pdf_are_noticed() -> None:
    for data in (PDF + b"\n", PDF + b"%%EOF\n", PDF[:-1], PDF.replace(b"page one", b"page two")):
        assert code_of(data) == "statement-pages-changed"
    assert code_of(PDF + FILE) == "statement-several"
    assert code_of(pdf_around(b"no file here")) == "statement-not-found"


def test_a_file_cannot_be_written_otherwise_inside_a_pdf() -> None:
    """Or bytes of a PDF could change under its signature."""
    loose = json.dumps(json.loads(FILE), separators=(",", ": ")).encode().replace(b'{"document": "', b'{"document":"')
    assert open_statement(loose, ROOTS).document == DOCUMENT
    assert code_of(pdf_around(loose)) == "statement-file-malformed"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "statement-file-malformed"),
        (b"[]", "statement-file-malformed"),
        (FILE[:-1], "statement-file-malformed"),
        (b'{"document":"x"}', "statement-file-malformed"),
        (FILE[:-1] + b',"more":1}', "statement-file-malformed"),
        (FILE[:-1] + b',"document":"x"}', "statement-file-malformed"),
        (b'{"document":1,"signature":""}', "statement-file-malformed"),
        (b'{"document":"\\ud800","signature":""}', "statement-file-malformed"),
        (b'{"document":"x","signature":"A"}', "statement-file-malformed"),
        (b'{"document":"x","signature":"AB=="}', "statement-file-malformed"),
        (b"[" * 100_000, "statement-file-malformed"),
        (b'{"document":"x","signature":""}', "statement-truncated"),
        (b"x" * 32_000_001, "statement-file-too-large"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(len(value)),
)
def test_files_that_are_none(data: bytes, code: str) -> None:
    assert code_of(data) == code


def test_no_other_signed_kind_passes_for_a_statement_nor_the_reverse() -> None:
    license = sign_license(usage_license(), SIGNING_KEY, DER)
    assert code_of(write_file(TEXT, license)) == "statement-wrong-type"
    with pytest.raises(LicenseError) as caught:
        read_license(GOOD, ROOTS)
    assert caught.value.code == "license-wrong-type"
    assert "license statement" in caught.value.message
    with pytest.raises(ProtocolError):
        read_request(GOOD)  # longer than any request
    # Under the header of the other kind, well signed: its claims give it away.
    with pytest.raises(LicenseError) as claims:
        read_license(forge(HEADER | {16: "cl-lic/1"}, SAID, SIGNING_KEY), ROOTS)
    assert claims.value.code == "license-claim-unknown"
    license_claims = parts(license)[1]
    assert code_of(write_file(TEXT, forge(HEADER, license_claims, SIGNING_KEY))) == "statement-claim-unknown"


def message(
    header: dict[Any, Any] | None = None, payload: Any = None, key: Any = SIGNING_KEY, **more: Any
) -> Callable[[], bytes]:
    return lambda: forge(HEADER if header is None else header, SAID if payload is None else payload, key, **more)


def claim(number: int, value: Any) -> Callable[[], bytes]:
    return message(payload=SAID | {number: value})


def signed_by(der: bytes, key: Ed25519PrivateKey = SIGNING_KEY, made_at: int = ISSUED_AT) -> Callable[[], bytes]:
    return message(HEADER | {33: der}, SAID | {c.IAT: made_at}, key)


def without(mapping: dict[Any, Any], key: Any) -> dict[Any, Any]:
    return {name: value for name, value in mapping.items() if name != key}


FOREIGN = make_root(FOREIGN_KEY, "Some Other Root", 1, samples.NOT_BEFORE, samples.NOT_AFTER)
HEAD = bytes.fromhex(DOCUMENT["ledger"]["head"])
CASES: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "statement-truncated"),
    "last byte missing": (lambda: GOOD[:-1], "statement-truncated"),
    "trailing bytes": (lambda: GOOD + b"\0\0", "statement-trailing-bytes"),
    "one byte too many": (lambda: bytes(MAX_BYTES + 1), "statement-too-large"),
    "untagged": (message(tag=None), "statement-not-sign1"),
    "alg missing": (message(without(HEADER, 1)), "statement-alg-missing"),
    "alg different": (message(HEADER | {1: -7}), "statement-alg-unsupported"),
    "unprotected header": (message(unprotected={33: DER}), "statement-unprotected-header"),
    "kid": (message(HEADER | {4: b"kid"}), "statement-header-unknown"),
    "typ missing": (message(without(HEADER, 16)), "statement-typ-missing"),
    "typ of a Usage License": (message(HEADER | {16: "cl-lic/1"}), "statement-wrong-type"),
    "future version": (message(HEADER | {16: "cl-sta/2"}), "statement-version-unsupported"),
    "no certificate": (message(without(HEADER, 33)), "statement-certificate-missing"),
    "chain of one in a list": (message(HEADER | {33: [DER]}), "statement-certificate-count"),
    "float": (claim(c.IAT, 1.5), "statement-malformed"),
    "claim of a license": (claim(c.CUSTOMER, "Acme Water"), "statement-claim-unknown"),
    "sub in lower case": (claim(c.SUB, SAID[c.SUB].lower()), "statement-claim-invalid"),
    "sub with a typo": (claim(c.SUB, SAID[c.SUB][:-1] + "0"), "statement-claim-invalid"),
    "history short": (claim(c.HISTORY, [ISSUED_AT, 3]), "statement-claim-invalid"),
    "history of nothing": (claim(c.HISTORY, [ISSUED_AT, 0, HEAD]), "statement-claim-invalid"),
    "history with half a head": (claim(c.HISTORY, [ISSUED_AT, 3, HEAD[:16]]), "statement-claim-invalid"),
    "history with true": (claim(c.HISTORY, [ISSUED_AT, True, HEAD]), "statement-claim-invalid"),
    "half a digest": (claim(c.DOCUMENT, bytes(16)), "statement-claim-invalid"),
    "certificate is junk": (signed_by(b"junk"), "certificate-malformed"),
    "expired certificate": (signed_by(certificate(not_after=ISSUED_AT - 1)), "certificate-expired"),
    "made after expiry": (signed_by(DER, made_at=samples.NOT_AFTER + 1), "certificate-expired"),
    "certificate not yet valid": (signed_by(certificate(not_before=ISSUED_AT + 1)), "certificate-not-yet-valid"),
    "other root": (signed_by(certificate(root=FOREIGN, root_key=FOREIGN_KEY)), "certificate-unknown-issuer"),
    "signed by the root itself": (signed_by(ROOT.public_bytes(Encoding.DER), ROOT_KEY), "certificate-is-ca"),
    "signed by a checkpoint key": (signed_by(certificate(purpose="checkpoint")), "certificate-purpose"),
    "signed by an Instance": (message(key=INSTANCE_KEY), "statement-signature-wrong"),
    "one bit of the signature": (lambda: GOOD[:-1] + bytes([GOOD[-1] ^ 1]), "statement-signature-wrong"),
}
WRONG_TYPES: tuple[object, ...] = (None, True, [], 2**53, -1)
for _claim in SAID:
    CASES[f"{c.NAMES[_claim]} missing"] = (message(payload=without(SAID, _claim)), "statement-claim-missing")
    for _wrong in WRONG_TYPES:
        CASES[f"{c.NAMES[_claim]} {_wrong}"] = (claim(_claim, _wrong), "statement-claim-invalid")


@pytest.mark.parametrize("case", CASES)
def test_every_wrong_signature_has_its_own_error(case: str) -> None:
    build, code = CASES[case]
    with pytest.raises((StatementError, CertificateError)) as caught:
        read_signature(build(), ROOTS)
    assert caught.value.code == code
    assert caught.value.message.endswith(".")
    assert "Usage License" not in caught.value.message or code == "statement-wrong-type"


def test_the_forger_itself_makes_good_statements() -> None:
    """The negative control of the table: its unchanged message is the good one."""
    assert forge(HEADER, SAID, SIGNING_KEY) == GOOD


def test_a_denied_signing_certificate_is_revoked() -> None:
    with pytest.raises(CertificateError, match="license statement") as caught:
        read_signature(GOOD, ROOTS, denied=["1f2e3d4c5b6a7988"])
    assert caught.value.code == "certificate-revoked"


@pytest.mark.parametrize(
    "changes",
    [
        {"license_id": "LIC-1"},
        {"length": 0},
        {"head": bytes(16)},
        {"document": bytes(31)},
        {"pages": b""},
        {"as_of": -1},
    ],
    ids=str,
)
def test_nothing_is_signed_that_no_reader_would_accept(changes: dict[str, Any]) -> None:
    with pytest.raises(StatementError) as caught:
        sign_statement(replace(CLAIMS, **changes), SIGNING_KEY, DER)
    assert caught.value.code == "statement-claim-invalid"


def test_signing_checks_its_own_certificate() -> None:
    with pytest.raises(ValueError, match="private key"):
        sign_statement(CLAIMS, FOREIGN_KEY, DER)
    with pytest.raises(CertificateError, match="expired"):
        sign_statement(CLAIMS, SIGNING_KEY, certificate(not_after=ISSUED_AT - 1))


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another license": lambda said: said | {"license_id": format_public_id("LIC", bytes(10))},
    "another time": lambda said: said | {"as_of": "2026-09-21T14:13:21.000000Z"},
    "another time of making": lambda said: said | {"made_at": "2026-09-21T14:13:21.000000Z"},
    "a time that does not exist": lambda said: said | {"as_of": "2026-02-30T14:13:20.000000Z"},
    "a time without microseconds": lambda said: said | {"as_of": "2026-09-21T14:13:20Z"},
    "a part missing": lambda said: without(said, "seats"),
    "a part more": lambda said: said | {"more": 1},
    "a list": lambda said: [said],
    "seats as text": lambda said: said | {"seats": said["seats"] | {"free": "1"}},
    "seats true": lambda said: said | {"seats": said["seats"] | {"free": True}},
    "three versions": lambda said: said | {"terms": said["terms"] | {"versions": ["", "", ""]}},
    "an activation without a host": lambda said: said | {"activations": [without(said["activations"][0], "host")]},
    "an entry out of order": lambda said: said | {"history": said["history"][::-1]},
    "an entry twice": lambda said: said | {"history": [said["history"][0], *said["history"]]},
    "an entry beyond the end": lambda said: said | {"history": [said["history"][0] | {"seq": 4}]},
    "a hash too few": lambda said: (
        said | {"ledger": said["ledger"] | {"entry_hashes": said["ledger"]["entry_hashes"][1:]}}
    ),
    "another head": lambda said: said | {"ledger": said["ledger"] | {"head": "0" * 64}},
    "another last hash": lambda said: (
        said | {"ledger": said["ledger"] | {"entry_hashes": [*said["ledger"]["entry_hashes"][:-1], "0" * 64]}}
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_document_that_contradicts_its_signature_is_refused_though_signed(case: str) -> None:
    text = json.dumps(CHANGES[case](DOCUMENT))
    assert code_of(signed(text)) == "statement-document-malformed"


def test_a_document_of_a_later_kind_says_so() -> None:
    assert code_of(signed(json.dumps(DOCUMENT | {"statement": "chariot-statement-2"}))) == "statement-document-unknown"
    assert code_of(signed("no JSON")) == "statement-document-malformed"
    assert code_of(signed(TEXT[:-1] + ',"customer":"Someone else"}')) == "statement-document-malformed"


def test_the_digest_of_the_pages_leaves_the_file_out() -> None:
    assert pages_digest(pdf_around(FILE)) == pages_digest(PDF)
    assert with_pages(CLAIMS, PDF).pages == hashlib.sha256(pdf_around(b"")).digest()


def signed(text: str) -> bytes:
    """A file with a good signature over any document."""
    return write_file(text, sign_statement(claims_for(text), SIGNING_KEY, DER))


def code_of(data: bytes) -> str:
    with pytest.raises((StatementError, CertificateError)) as caught:
        open_statement(data, ROOTS)
    assert caught.value.message.endswith(".")
    return caught.value.code


def test_the_claims_are_small_integers_and_the_digests_whole() -> None:
    assert {key: SAID[key] for key in (c.SUB, c.IAT)} == {2: DOCUMENT["license_id"], 6: ISSUED_AT}
    assert SAID[-22] == [ISSUED_AT, 3, HEAD]
    assert SAID[-23] == hashlib.sha256(TEXT.encode()).digest()
    assert isinstance(CLAIMS, StatementClaims)
    assert base64.b64decode(json.loads(FILE)["signature"]) == GOOD
