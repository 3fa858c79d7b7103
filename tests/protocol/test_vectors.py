"""docs/vectors: the published known answers are what this code does, byte for byte, and never change unnoticed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import cbor2
import pytest
from chariot_license.protocol import base32, cose
from chariot_license.protocol.block import FoundBlock, Kind
from chariot_license.protocol.codes import (
    LicenseKey,
    commitment,
    parse_deactivation_code,
    parse_public_id,
)
from chariot_license.protocol.errors import ProtocolError
from chariot_license.protocol.fingerprint import Fingerprint, HostFacts, fingerprint_of, match
from chariot_license.protocol.license import digest16, read_license, sign_license
from chariot_license.protocol.reader import find_blocks
from chariot_license.protocol.request import proof_holds, read_request, sign_request
from chariot_license.protocol.statement import open_statement, read_signature, write_file
from chariot_license.protocol.versions import in_range
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tests.protocol.make_vectors import FILES, FOLDER, LEFT_OUT, license_from, plain, render, request_from
from tests.protocol.test_certificates import CASES as CERTIFICATE_CASES
from tests.protocol.test_license import CASES as LICENSE_CASES
from tests.protocol.wrong_requests import CASES as REQUEST_CASES

VECTORS: dict[str, Any] = {name: json.loads((FOLDER / name).read_bytes()) for name in FILES}
REQUESTS, LICENSES = VECTORS["usage-request.json"], VECTORS["usage-license.json"]
ROOTS = [x509.load_der_x509_certificate(bytes.fromhex(root["certificate"])) for root in LICENSES["roots"]]

# SHA-256 of the signed bytes. A change here breaks every Chariot in the field: it needs a new `typ` version.
GOLDEN = {
    "typical request": "bf2b69c9c65161f1bff3b66eb2e7073abe66c9044403367f061780727cd8aa6b",
    "largest request": "26ecf139d63ed2a4f5ca72bde41c1dc1342f6f29fbdfe7e00bea4befbac06f8e",
    "smallest request": "35174637d994c7d9ab5309072bf3145c4565d204ca5f737d90dd2a166b6f775b",
    "typical license": "274ff1c545fe658f21d13ef57e67c09822205cbe85085c4dc481c89d517fb4b5",
    "full license": "38adb9e06e23aa5b6443509bd189ee724e3312be920835c88ca0c2089490697d",
}


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_what_the_generator_writes(name: str) -> None:
    assert (FOLDER / name).read_bytes() == render(name)


def test_the_signed_bytes_never_change() -> None:
    found = {f"{one['name']} request": one["bytes"] for one in REQUESTS["accepted"]}
    found |= {f"{one['name']} license": one["bytes"] for one in LICENSES["accepted"]}
    assert {name: hashlib.sha256(bytes.fromhex(text)).hexdigest() for name, text in found.items()} == GOLDEN


def test_one_request_in_full() -> None:
    """The smallest, written out here: raw bytes that no generator had a hand in."""
    smallest = next(one for one in REQUESTS["accepted"] if one["name"] == "smallest")
    assert smallest["bytes"] == "".join(SMALLEST.split())


SMALLEST = """
d2844da201271068636c2d7265712f31a058a5ab061a6ab12d7007508dafcf201ab269fa49b1a3d5fd0f90df08a101a30101
2006215820274ffae2a11c1ec89e776e99b8234c5d0a3e1cf126237bc2d773596d04e85e0420002148e4e0898163c3c00422
50766ab863e3e88a1727f1eda9f0f65de024a02560267363686172696f742d6d7174742d7365727665722765352e302e3228
582018bdfd7f968e764e221366a7343b9d5076373430dce035cd39297c3b88ac983958409ea3a75e9aaa7fd1e93d287e9d62
05fac6ca4b26c1100cec80b19e3dde52ddf1d55990a2ce8bb46d039281fd5b6fb4aac225f579448f717b7479f38e78deee0b
"""


@pytest.mark.parametrize("one", VECTORS["statement.json"]["accepted"], ids=lambda one: one["name"])
def test_statements(one: dict[str, Any]) -> None:
    read = open_statement(one["file"].encode(), ROOTS)
    assert plain(read.claims) == one["values"]
    assert write_file(one["document"], bytes.fromhex(one["bytes"])).decode() == one["file"]
    inside = open_statement(VECTORS["statement.json"]["inside_other_bytes"].encode(), ROOTS)
    assert (inside.document, inside.in_pdf) == (read.document, True)


@pytest.mark.parametrize("one", VECTORS["statement.json"]["rejected"], ids=lambda one: one["name"])
def test_rejected_statements(one: dict[str, str]) -> None:
    with pytest.raises(ProtocolError) as caught:
        read_signature(bytes.fromhex(one["bytes"]), ROOTS)
    assert caught.value.code == one["code"]


@pytest.mark.parametrize("one", REQUESTS["accepted"], ids=lambda one: one["name"])
def test_requests(one: dict[str, Any]) -> None:
    data = bytes.fromhex(one["bytes"])
    request = read_request(data)
    assert plain(request) == one["values"]
    assert request == request_from(one["values"])
    assert sign_request(request, _private(REQUESTS["instance_key"])) == data
    assert request.thumbprint.hex() == REQUESTS["thumbprint"]
    assert proof_holds(request, bytes.fromhex(REQUESTS["license_key"]["proof_key"]))
    _check_parts(one, REQUESTS["instance_key"]["public"])
    _check_text(one, Kind.REQUEST)


@pytest.mark.parametrize("one", LICENSES["accepted"], ids=lambda one: one["name"])
def test_licenses(one: dict[str, Any]) -> None:
    data = bytes.fromhex(one["bytes"])
    license = read_license(data, ROOTS)
    assert plain(license) == one["values"]
    assert license == license_from(one["values"])
    signing = LICENSES["signing_key"]
    assert sign_license(license, _private(signing), bytes.fromhex(signing["certificate"])) == data
    assert digest16(data).hex() == one["digest16"]
    _check_parts(one, signing["public"])
    _check_text(one, Kind.LICENSE)


def _private(pair: dict[str, str]) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(pair["private"]))


def _check_parts(one: dict[str, Any], public: str) -> None:
    protected, unprotected, payload, signature = cbor2.loads(bytes.fromhex(one["bytes"])).value
    parts = [protected.hex(), payload.hex(), signature.hex(), len(bytes.fromhex(one["bytes"]))]
    assert parts == [one["protected"], one["payload"], one["signature"], one["size"]]
    assert unprotected == {}
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    key.verify(signature, bytes.fromhex(one["sig_structure"]))


def _check_text(one: dict[str, Any], kind: Kind) -> None:
    for text in (one["text_block"], one["qr"]):
        (found,) = find_blocks(text)
        assert isinstance(found, FoundBlock)
        assert (found.kind, found.data.hex()) == (kind, one["bytes"])


@pytest.mark.parametrize("one", REQUESTS["rejected"], ids=lambda one: one["name"])
def test_rejected_requests(one: dict[str, str]) -> None:
    with pytest.raises(ProtocolError) as caught:
        read_request(bytes.fromhex(one["bytes"]))
    assert caught.value.code == one["code"]


@pytest.mark.parametrize("one", LICENSES["rejected"], ids=lambda one: one["name"])
def test_rejected_licenses(one: dict[str, str]) -> None:
    with pytest.raises(ProtocolError) as caught:
        read_license(bytes.fromhex(one["bytes"]), ROOTS)
    assert caught.value.code == one["code"]


def test_every_case_of_the_tables_is_published() -> None:
    for cases, file in ((REQUEST_CASES, REQUESTS), (LICENSE_CASES, LICENSES)):
        assert {one["name"] for one in file["rejected"]} == {n for n, (_, code) in cases.items() if code} - LEFT_OUT


def test_codes() -> None:
    codes = VECTORS["codes.json"]
    for one in codes["base32"]:
        assert base32.encode(bytes.fromhex(one["bytes"])) == one["text"]
        assert base32.decode(one["text"], len(one["bytes"]) // 2).hex() == one["bytes"]
    for one in codes["check_characters"]:
        assert base32.check_characters(one["label"], one["data"], one["count"]) == one["check"]
    for one in codes["public_ids"]:
        assert parse_public_id(one["prefix"], one["text"]) == one["text"]
    for one in codes["license_keys"]:
        key = LicenseKey.parse(one["text"])
        assert {name: getattr(key, name) for name in one} == {
            name: value if name == "text" else bytes.fromhex(value) for name, value in one.items()
        }
    for one in codes["deactivation_codes"]:
        secret = parse_deactivation_code(one["code"])
        assert secret.hex() == one["secret"]
        assert commitment(bytes.fromhex(one["thumbprint"]), secret).hex() == one["commitment"]


def test_fingerprints() -> None:
    vectors = VECTORS["fingerprint.json"]
    for one in vectors["hashes"]:
        facts = HostFacts(**(one["facts"] | {"macs": tuple(one["facts"]["macs"])}))
        assert fingerprint_of(facts, bytes.fromhex(vectors["salt"])).to_json() == one["fingerprint"]
    for one in vectors["matches"]:
        found = match(Fingerprint.from_json(one["known"]), Fingerprint.from_json(one["seen"]))
        assert plain(found) | {"words": found.words} == {k: v for k, v in one.items() if k not in ("known", "seen")}


def test_versions_and_signing() -> None:
    for one in VECTORS["versions.json"]["in_range"]:
        assert in_range(one["version"], one["low"], one["high"]) is one["inside"]
    one = VECTORS["cose.json"]
    assert cose.sign({6: 1}, one["typ"], _private(one["key"]), None).hex() == one["bytes"]


def test_the_document_names_every_error_code() -> None:
    document = (FOLDER.parent / "protocol.md").read_text(encoding="utf-8")
    codes = {code for cases in (REQUEST_CASES, LICENSE_CASES) for _, code in cases.values() if code}
    codes |= {code for _, code in CERTIFICATE_CASES.values()}
    # Codes that both kinds have stand once, as "…-truncated".
    unnamed = {c for c in codes if f"`{c}`" not in document and f"`…-{c.partition('-')[2]}`" not in document}
    assert unnamed == set()
    assert len(codes) > 40


def test_the_document_states_the_real_sizes() -> None:
    document = (FOLDER.parent / "protocol.md").read_text(encoding="utf-8")
    sizes = {one["size"] for one in (*REQUESTS["accepted"], *LICENSES["accepted"])}
    assert {size for size in sizes if f"| {size} |" not in document} == set()
    assert f"| {len(bytes.fromhex(LICENSES['signing_key']['certificate']))} |" in document
    for shown in (REQUESTS["license_key"]["text"], VECTORS["codes.json"]["public_ids"][0]["text"]):
        assert shown in document
