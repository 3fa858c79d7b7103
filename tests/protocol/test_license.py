"""Usage Licenses: what is signed comes back, and every way one can be wrong has its own error."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from chariot_license.protocol import claims as c
from chariot_license.protocol.certificates import issue_certificate, make_root
from chariot_license.protocol.codes import format_public_id
from chariot_license.protocol.errors import CertificateError, CodeError, LicenseError, ProtocolError
from chariot_license.protocol.license import (
    MAX_BYTES,
    Feature,
    UsageLicense,
    digest16,
    read_license,
    sign_license,
)
from chariot_license.protocol.request import sign_request
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from pycose.headers import Algorithm
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
    private_key,
    public,
    usage_license,
    usage_request,
)

DER = certificate()
GOOD = sign_license(usage_license(), SIGNING_KEY, DER)
HEADER, CLAIMS = parts(GOOD)
FULL = usage_license(
    supersedes=format_public_id("USL", bytes(10)),
    versions=("5.0.2", "5.99"),
    revoked=("01ff", "1234567890abcdef1234567890abcdef12345678"),
    customer="Wasserwerk Süd GmbH & Co. 水",
    test=True,
)


def test_what_is_signed_comes_back() -> None:
    for license in (usage_license(), FULL, usage_license(features=(), customer="")):
        assert read_license(sign_license(license, SIGNING_KEY, DER), ROOTS) == license


def test_signing_is_deterministic() -> None:
    assert sign_license(usage_license(), SIGNING_KEY, DER) == GOOD


def test_real_sizes() -> None:
    """The figures that docs/protocol.md states."""
    assert (len(DER), len(GOOD), len(sign_license(FULL, SIGNING_KEY, DER))) == (346, 740, 809)


def test_the_spare_root_serves_as_well() -> None:
    der = certificate(root=samples.SPARE, root_key=samples.SPARE_KEY)
    assert read_license(sign_license(usage_license(), SIGNING_KEY, der), ROOTS) == usage_license()


def test_the_digest_that_the_next_request_names() -> None:
    assert len(digest16(GOOD)) == 16
    assert digest16(GOOD) != digest16(GOOD + b"\0")


def test_a_second_cose_implementation_verifies_it() -> None:
    message = CoseMessage.decode(GOOD)
    assert isinstance(message, Sign1Message)
    assert message.phdr[Algorithm].identifier == -8
    message.key = OKPKey(crv=Ed25519, x=public(SIGNING_KEY))
    assert message.verify_signature()
    assert message.payload is not None
    assert cbor2.loads(message.payload) == CLAIMS
    message.key = OKPKey(crv=Ed25519, x=public(FOREIGN_KEY))
    assert not message.verify_signature()


@pytest.mark.parametrize(
    ("changes", "claim"),
    [
        ({"features": (Feature("same"), Feature("same"))}, "features"),
        ({"features": (Feature(""),)}, "features"),
        ({"features": (Feature("f" * 61),)}, "features"),
        ({"features": (Feature("early", -1),)}, "features"),
        ({"features": tuple(Feature(str(n)) for n in range(65))}, "features"),
        ({"customer": "two\nlines"}, "customer"),
        ({"customer": "right \u202e to left"}, "customer"),
        ({"customer": "x" * 801}, "customer"),
        ({"product": ""}, "product"),
        ({"versions": ("5", "ü")}, "versions"),
        ({"versions": ("5",)}, "versions"),
        ({"terms_revision": -1}, "terms revision"),
        ({"ledger_head": bytes(32)}, "ledger head"),
        ({"request_id": b""}, "request id"),
        ({"instance": bytes(31)}, "cnf"),
        ({"license_id": "LIC-1"}, "sub"),
        ({"revoked": tuple(f"{n:02x}" for n in range(33))}, "revoked"),
    ],
)
def test_nothing_is_signed_that_no_chariot_would_accept(changes: dict[str, Any], claim: str) -> None:
    with pytest.raises(LicenseError) as caught:
        sign_license(usage_license(**changes), SIGNING_KEY, DER)
    assert (caught.value.code, caught.value.detail) == ("license-claim-invalid", {"claim": claim})


def test_a_license_that_no_block_could_hold_is_not_signed() -> None:
    many = tuple(Feature(f"{n:060}", ISSUED_AT) for n in range(64))
    with pytest.raises(LicenseError) as caught:
        sign_license(usage_license(features=many), SIGNING_KEY, DER)
    assert caught.value.code == "license-too-large"


def test_signing_checks_its_own_certificate() -> None:
    with pytest.raises(ValueError, match="private key"):
        sign_license(usage_license(), FOREIGN_KEY, DER)
    for der, code in (
        (certificate(not_after=ISSUED_AT - 1), "certificate-expired"),
        (certificate(not_before=ISSUED_AT + 1), "certificate-not-yet-valid"),
        (b"", "certificate-malformed"),
    ):
        with pytest.raises(CertificateError) as caught:
            sign_license(usage_license(), SIGNING_KEY, der)
        assert caught.value.code == code
    with pytest.raises(CodeError) as wrong_id:
        sign_license(usage_license(activation_id="ACT-1"), SIGNING_KEY, DER)
    assert wrong_id.value.code == "activation-id-length"


def message(
    header: dict[Any, Any] | bytes | None = None, payload: Any = None, key: Any = SIGNING_KEY, **more: Any
) -> Callable[[], bytes]:
    return lambda: forge(HEADER if header is None else header, CLAIMS if payload is None else payload, key, **more)


def without(mapping: dict[Any, Any], key: Any) -> dict[Any, Any]:
    return {k: v for k, v in mapping.items() if k != key}


def signed_by(der: bytes, key: Any = SIGNING_KEY, issued_at: int = ISSUED_AT) -> Callable[[], bytes]:
    """A license with a good signature and another certificate."""
    return message(HEADER | {33: der}, CLAIMS | {c.IAT: issued_at}, key)


def swapped_payload() -> bytes:
    mine, other = cbor2.loads(GOOD).value, cbor2.loads(sign_license(FULL, SIGNING_KEY, DER)).value
    return cbor2.dumps(cbor2.CBORTag(18, [mine[0], {}, other[2], mine[3]]))


def raw(mapping: dict[Any, Any], extra: bytes) -> bytes:
    return bytes([0xA0 | len(mapping) + 1]) + extra + cbor2.dumps(mapping, canonical=True)[1:]


def claim(number: int, value: Any) -> Callable[[], bytes]:
    return message(payload=CLAIMS | {number: value})


FOREIGN = make_root(FOREIGN_KEY, "Some Other Root", 1, samples.NOT_BEFORE, samples.NOT_AFTER)
TWIN = make_root(FOREIGN_KEY, "Chariot License Root A", 1, samples.NOT_BEFORE, samples.NOT_AFTER)

CASES: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "license-truncated"),
    "last byte missing": (lambda: GOOD[:-1], "license-truncated"),
    "half missing": (lambda: GOOD[:400], "license-truncated"),
    "trailing bytes": (lambda: GOOD + b"\0\0", "license-trailing-bytes"),
    "1 MB of junk": (lambda: os.urandom(1_000_000), "license-too-large"),
    "one byte too many": (lambda: bytes(MAX_BYTES + 1), "license-too-large"),
    "text": (lambda: b"CHARIOT USAGE LICENSE", "license-not-sign1"),
    "untagged": (message(tag=None), "license-not-sign1"),
    "MAC0": (message(tag=17), "license-not-sign1"),
    "alg missing": (message(without(HEADER, 1)), "license-alg-missing"),
    "alg unprotected": (message(without(HEADER, 1), unprotected={1: -8}), "license-alg-unprotected"),
    "alg different": (message(HEADER | {1: -7}), "license-alg-unsupported"),
    "unprotected header": (message(unprotected={33: DER}), "license-unprotected-header"),
    "crit unknown": (message(HEADER | {2: [-70000], -70000: 1}), "license-crit-unsupported"),
    "kid": (message(HEADER | {4: b"kid"}), "license-header-unknown"),
    "x5t beside": (message(HEADER | {34: [-16, bytes(32)]}), "license-header-unknown"),
    "typ missing": (message(without(HEADER, 16)), "license-typ-missing"),
    "a request": (lambda: sign_request(usage_request(), INSTANCE_KEY), "license-wrong-type"),
    "typ of a request": (message(HEADER | {16: "cl-req/1"}), "license-wrong-type"),
    "future version": (message(HEADER | {16: "cl-lic/2"}), "license-version-unsupported"),
    "no certificate": (message(without(HEADER, 33)), "license-certificate-missing"),
    "chain of two": (message(HEADER | {33: [DER, ROOT.public_bytes(Encoding.DER)]}), "license-certificate-count"),
    "chain of one in a list": (message(HEADER | {33: [DER]}), "license-certificate-count"),
    "certificate unprotected": (message(without(HEADER, 33), unprotected={33: DER}), "license-unprotected-header"),
    "duplicate key in the header": (message(raw(HEADER, b"\x01\x27")), "license-duplicate-key"),
    "duplicate claim": (message(payload=raw(CLAIMS, b"\x06\x00")), "license-duplicate-key"),
    "claims out of order": (message(payload=raw(without(CLAIMS, c.CTI), b"\x07\x00")), "license-not-deterministic"),
    "float": (claim(c.IAT, 1.5), "license-malformed"),
    "extra claim": (claim(4, ISSUED_AT + 1), "license-claim-unknown"),
    "extra claim of a request": (claim(c.COUNTER, 1), "license-claim-unknown"),
    "extra claim, text": (message(payload=without(CLAIMS, c.CUSTOMER) | {"x": 1}), "license-claim-unknown"),
    "sub with a typo": (claim(c.SUB, CLAIMS[c.SUB][:-1] + "0"), "license-claim-invalid"),
    "sub in lower case": (claim(c.SUB, CLAIMS[c.SUB].lower()), "license-claim-invalid"),
    "cnf with a key": (claim(c.CNF, {1: {1: 1, -1: 6, -2: bytes(32)}}), "license-claim-invalid"),
    "cnf with both": (claim(c.CNF, {5: bytes(32), 3: b"k"}), "license-claim-invalid"),
    "cnf short": (claim(c.CNF, {5: bytes(31)}), "license-claim-invalid"),
    "one version": (claim(c.VERSIONS, ["5"]), "license-claim-invalid"),
    "three versions": (claim(c.VERSIONS, ["5", "6", "7"]), "license-claim-invalid"),
    "feature as text": (claim(c.FEATURES, ["mqtt-server"]), "license-claim-invalid"),
    "feature without expiry": (claim(c.FEATURES, [["mqtt-server"]]), "license-claim-invalid"),
    "feature with text expiry": (claim(c.FEATURES, [["mqtt-server", "never"]]), "license-claim-invalid"),
    "feature with expiry true": (claim(c.FEATURES, [["mqtt-server", True]]), "license-claim-invalid"),
    "revoked empty": (claim(c.REVOKED, []), "license-claim-invalid"),
    "revoked as text": (claim(c.REVOKED, ["ab"]), "license-claim-invalid"),
    "revoked with a leading zero": (claim(c.REVOKED, [b"\0\1"]), "license-claim-invalid"),
    "revoked zero": (claim(c.REVOKED, [b"\0"]), "license-claim-invalid"),
    "revoked twice": (claim(c.REVOKED, [b"\1", b"\1"]), "license-claim-invalid"),
    "fingerprint with true for 1": (claim(c.FINGERPRINT, {True: bytes(8)}), "license-claim-invalid"),
    "customer with a line separator": (claim(c.CUSTOMER, "Acme\u2028Water"), "license-claim-invalid"),
    "customer with a paragraph separator": (claim(c.CUSTOMER, "Acme\u2029Water"), "license-claim-invalid"),
    "customer with an Arabic letter mark": (claim(c.CUSTOMER, "Acme\u061c Water"), "license-claim-invalid"),
    "customer reordered": (claim(c.CUSTOMER, "Acme \u202eretaW"), "license-claim-invalid"),
    "test mark false": (claim(c.TEST, False), "license-claim-invalid"),
    "supersedes null": (claim(c.SUPERSEDES, None), "license-claim-invalid"),
    "certificate is junk": (signed_by(b"junk"), "certificate-malformed"),
    "certificate with a byte more": (signed_by(DER + b"\0"), "certificate-malformed"),
    "expired certificate": (signed_by(certificate(not_after=ISSUED_AT - 1)), "certificate-expired"),
    "issued after expiry": (signed_by(DER, issued_at=samples.NOT_AFTER + 1), "certificate-expired"),
    "certificate not yet valid": (signed_by(certificate(not_before=ISSUED_AT + 1)), "certificate-not-yet-valid"),
    "issued too early": (signed_by(DER, issued_at=0), "certificate-not-yet-valid"),
    "foreign root": (signed_by(certificate(root=FOREIGN, root_key=FOREIGN_KEY)), "certificate-unknown-issuer"),
    "foreign root of the same name": (
        signed_by(certificate(root=TWIN, root_key=FOREIGN_KEY)),
        "certificate-signature-wrong",
    ),
    "signed by the root itself": (signed_by(ROOT.public_bytes(Encoding.DER), ROOT_KEY), "certificate-is-ca"),
    "signed by a checkpoint key": (signed_by(certificate(purpose="checkpoint")), "certificate-purpose"),
    "other key": (message(key=FOREIGN_KEY), "license-signature-wrong"),
    "signed by the Instance": (message(key=INSTANCE_KEY), "license-signature-wrong"),
    "certificate of another signing key": (
        signed_by(certificate(signing_key=private_key("second signing key"))),
        "license-signature-wrong",
    ),
    "swapped payload": (swapped_payload, "license-signature-wrong"),
    "one bit of the signature": (lambda: GOOD[:-1] + bytes([GOOD[-1] ^ 1]), "license-signature-wrong"),
    "revoked by itself": (claim(c.REVOKED, [bytes.fromhex("1f2e3d4c5b6a7988")]), "certificate-revoked"),
}
WRONG_TYPES: tuple[object, ...] = (None, True, [], 2**53, -1)
for _claim in CLAIMS:
    CASES[f"{c.NAMES[_claim]} missing"] = (message(payload=without(CLAIMS, _claim)), "license-claim-missing")
    for _wrong in WRONG_TYPES:
        if (_claim, _wrong) == (c.FEATURES, []):
            continue  # a license may have no features
        CASES[f"{c.NAMES[_claim]} {_wrong}"] = (claim(_claim, _wrong), "license-claim-invalid")


@pytest.mark.parametrize("case", CASES)
def test_every_wrong_license_has_its_own_error(case: str) -> None:
    build, code = CASES[case]
    with pytest.raises((LicenseError, CertificateError)) as caught:
        read_license(build(), ROOTS)
    assert caught.value.code == code
    assert caught.value.message.endswith(".")


def test_the_forger_itself_makes_good_licenses() -> None:
    """The negative control of the table: its unchanged message is the good one."""
    assert forge(HEADER, CLAIMS, SIGNING_KEY) == GOOD


def test_a_denied_signing_certificate_is_revoked() -> None:
    with pytest.raises(CertificateError) as caught:
        read_license(GOOD, ROOTS, denied=["1f2e3d4c5b6a7988"])
    assert caught.value.code == "certificate-revoked"
    assert read_license(GOOD, ROOTS, denied=["1f2e3d4c5b6a7989"]) == usage_license()


def test_without_its_root_a_license_is_worth_nothing() -> None:
    with pytest.raises(CertificateError) as caught:
        read_license(GOOD, [samples.SPARE])
    assert caught.value.code == "certificate-unknown-issuer"


def test_a_low_order_signing_key_is_refused_even_with_a_certificate() -> None:
    weak = Ed25519PublicKey.from_public_bytes(b"\x01" + bytes(31))
    made = issue_certificate(ROOT, ROOT_KEY, weak, "weak", 9, samples.NOT_BEFORE, samples.NOT_AFTER, "usage-license")
    protected = cbor2.dumps({1: -8, 16: "cl-lic/1", 33: made.public_bytes(Encoding.DER)}, canonical=True)
    payload = cbor2.dumps(CLAIMS, canonical=True)
    data = cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, b"\x01" + bytes(63)]))
    with pytest.raises(CertificateError) as caught:
        read_license(data, ROOTS)
    assert caught.value.code == "certificate-weak-key"


@given(st.binary(max_size=900))
def test_no_bytes_raise_anything_else(junk: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_license(junk, ROOTS)


@given(st.data())
@settings(max_examples=300)
def test_a_changed_license_is_refused_by_name(data: st.DataObject) -> None:
    changed = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(changed) - 1))
        kind = data.draw(st.sampled_from(["flip", "insert", "delete"]))
        if kind == "flip":
            changed[place] ^= data.draw(st.integers(1, 255))
        elif kind == "insert":
            changed.insert(place, data.draw(st.integers(0, 255)))
        elif len(changed) > 1:
            del changed[place]
    if bytes(changed) != GOOD:
        with pytest.raises(ProtocolError):
            read_license(bytes(changed), ROOTS)


PLAIN = st.characters(min_codepoint=32, max_codepoint=126)


@given(
    st.builds(
        usage_license,
        request_id=st.binary(min_size=16, max_size=16),
        features=st.lists(
            st.builds(Feature, st.text(PLAIN, min_size=1, max_size=20), st.none() | st.integers(0, 2**53 - 1)),
            max_size=8,
            unique_by=lambda feature: feature.code,
        ).map(tuple),
        versions=st.tuples(st.text(PLAIN, max_size=12), st.text(PLAIN, max_size=12)),
        supersedes=st.none() | st.binary(min_size=10, max_size=10).map(lambda raw: format_public_id("USL", raw)),
        customer=st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=60),
        revoked=st.lists(
            st.integers(1, 2**64).map(lambda n: n.to_bytes(-(-n.bit_length() // 8)).hex()), max_size=4, unique=True
        ).map(tuple),
        terms_revision=st.integers(0, 2**53 - 1),
        test=st.booleans(),
    )
)
def test_every_permitted_license_comes_back(license: UsageLicense) -> None:
    assert read_license(sign_license(license, SIGNING_KEY, DER), ROOTS) == license
