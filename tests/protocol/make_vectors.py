"""Writes docs/vectors/*.json, the known answers for whoever builds the other side. By hand, after a change of format:

    python -m tests.protocol.make_vectors

Everything in them comes from fixed keys and times, so that the files only change when a format does;
test_vectors.py holds them to their bytes.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import cbor2
from chariot_license.protocol import base32, cose
from chariot_license.protocol.block import Kind, write_block
from chariot_license.protocol.codes import (
    LicenseKey,
    commitment,
    format_deactivation_code,
    format_public_id,
)
from chariot_license.protocol.fingerprint import Fingerprint, HostFacts, fingerprint_of, match
from chariot_license.protocol.license import Feature, UsageLicense, digest16, sign_license
from chariot_license.protocol.qr import qr_payload
from chariot_license.protocol.request import UsageRequest, sign_request, thumbprint
from chariot_license.protocol.statement import sign_statement, write_file
from chariot_license.protocol.versions import in_range
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from tests.protocol import samples, test_fingerprint, test_license, test_statement, test_versions, wrong_requests
from tests.protocol import statements as statement_samples
from tests.protocol.samples import some_bytes, usage_license, usage_request

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "vectors"

# Random content teaches nobody anything, and a megabyte does not belong in a repository.
LEFT_OUT = {"1 MB of junk", "1 MB of zeros"}


def plain(value: object) -> Any:
    """A value of the protocol as JSON: bytes as hex, fingerprints by component."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Fingerprint):
        return value.to_json()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def request_from(value: dict[str, Any]) -> UsageRequest:
    """The Usage Request that `plain` wrote."""
    names = ("request_id", "instance_key", "lookup_id", "proof", "previous", "commitment")
    raw = {name: bytes.fromhex(value[name]) if value[name] is not None else None for name in names}
    return UsageRequest(**(value | raw | {"fingerprint": Fingerprint.from_json(value["fingerprint"])}))


def license_from(value: dict[str, Any]) -> UsageLicense:
    """The Usage License that `plain` wrote."""
    raw = {name: bytes.fromhex(value[name]) for name in ("request_id", "instance", "ledger_head")}
    made = {
        "fingerprint": Fingerprint.from_json(value["fingerprint"]),
        "features": tuple(Feature(**feature) for feature in value["features"]),
        "versions": tuple(value["versions"]),
        "revoked": tuple(value["revoked"]),
    }
    return UsageLicense(**(value | raw | made))


def key_pair(key: Ed25519PrivateKey) -> dict[str, str]:
    return {"private": key.private_bytes_raw().hex(), "public": samples.public(key).hex()}


def signed(kind: Kind, data: bytes) -> dict[str, str | int]:
    """A message taken apart: what is signed, and how it travels."""
    protected, _, payload, signature = cbor2.loads(data).value
    return {
        "protected": protected.hex(),
        "payload": payload.hex(),
        "sig_structure": cbor2.dumps(["Signature1", protected, b"", payload]).hex(),
        "signature": signature.hex(),
        "size": len(data),
        "bytes": data.hex(),
        "text_block": write_block(kind, data),
        "qr": qr_payload(kind, data),
    }


def codes() -> dict[str, Any]:
    texts = [b"", b"\x00", b"\xff", b"foobar", some_bytes("base32", 31)]
    labels = [("", "", 1), ("", "", 2), ("LIC", "0" * 16, 1), ("05", "7K2M9Q4T", 2), ("süd", "ZZZZ", 2)]
    ids = [(prefix, some_bytes(prefix, 10)) for prefix in ("LIC", "ACT", "USL", "RES")]
    return {
        "base32": [{"bytes": raw.hex(), "text": base32.encode(raw)} for raw in texts],
        "check_characters": [
            {"label": label, "data": data, "count": count, "check": base32.check_characters(label, data, count)}
            for label, data, count in labels
        ],
        "public_ids": [{"prefix": p, "bytes": raw.hex(), "text": format_public_id(p, raw)} for p, raw in ids],
        "license_keys": [license_key(samples.LICENSE_KEY), license_key(LicenseKey(bytes(8), bytes(16)))],
        "deactivation_codes": [deactivation(samples.DEACTIVATION_SECRET), deactivation(bytes(16))],
    }


def license_key(key: LicenseKey) -> dict[str, str]:
    derived = {name: getattr(key, name).hex() for name in ("lookup_id", "proof_key", "receipt_key", "salt")}
    return {"seed": key.seed.hex(), "secret": key.secret.hex(), "text": key.text} | derived


def deactivation(secret: bytes) -> dict[str, str]:
    thumb = thumbprint(samples.public(samples.INSTANCE_KEY))
    return {
        "secret": secret.hex(),
        "code": format_deactivation_code(secret),
        "thumbprint": thumb.hex(),
        "commitment": commitment(thumb, secret).hex(),
    }


def fingerprints() -> dict[str, Any]:
    facts = [
        samples.FACTS,
        HostFacts(),
        HostFacts(machine_id=" ABC\tdef ", macs=("02:00:00:00:00:03", "020000000001", "02-00-00-00-00-02", "bad")),
        HostFacts(board_uuid="00000000-0000-0000-0000-000000000000", disk_serial="To Be Filled By O.E.M."),
    ]
    return {
        "salt": samples.LICENSE_KEY.salt.hex(),
        "hashes": [
            {"facts": plain(host), "fingerprint": fingerprint_of(host, samples.LICENSE_KEY.salt).to_json()}
            for host in facts
        ],
        "matches": [matching(known, seen) for known, seen, *_ in test_fingerprint.MATCHES],
    }


def matching(known: dict[str, str], seen: dict[str, str]) -> dict[str, Any]:
    before, now = test_fingerprint.fingerprint(**known), test_fingerprint.fingerprint(**seen)
    found = match(before, now)
    return {"known": before.to_json(), "seen": now.to_json(), **plain(found), "words": found.words}


def requests() -> dict[str, Any]:
    cases = {
        "typical": usage_request(),
        "largest": samples.largest_request(),
        "smallest": usage_request(fingerprint=Fingerprint({}), virtual=None, hostname="", counter=0),
    }
    return {
        "license_key": license_key(samples.LICENSE_KEY),
        "instance_key": key_pair(samples.INSTANCE_KEY),
        "thumbprint": thumbprint(samples.public(samples.INSTANCE_KEY)).hex(),
        "accepted": [
            {"name": name, "values": plain(request)} | signed(Kind.REQUEST, sign_request(request, samples.INSTANCE_KEY))
            for name, request in cases.items()
        ],
        "rejected": rejected(wrong_requests.CASES),
    }


def licenses() -> dict[str, Any]:
    der = samples.certificate()
    roots = [(samples.ROOT, samples.ROOT_KEY), (samples.SPARE, samples.SPARE_KEY)]
    cases = {"typical": usage_license(), "full": test_license.FULL}
    return {
        "roots": [{"certificate": root.public_bytes(Encoding.DER).hex()} | key_pair(key) for root, key in roots],
        "signing_key": {"certificate": der.hex()} | key_pair(samples.SIGNING_KEY),
        "accepted": [
            {"name": name, "values": plain(license), "digest16": digest16(data).hex()} | signed(Kind.LICENSE, data)
            for name, license in cases.items()
            for data in [sign_license(license, samples.SIGNING_KEY, der)]
        ],
        "rejected": rejected(test_license.CASES),
    }


def statements() -> dict[str, Any]:
    der = samples.certificate()
    data = sign_statement(statement_samples.CLAIMS, samples.SIGNING_KEY, der)
    protected, _, payload, signature = cbor2.loads(data).value
    return {
        "roots": licenses()["roots"],
        "signing_key": {"certificate": der.hex()} | key_pair(samples.SIGNING_KEY),
        "accepted": [
            {
                "name": "typical",
                "values": plain(statement_samples.CLAIMS),
                "document": statement_samples.TEXT,
                "protected": protected.hex(),
                "payload": payload.hex(),
                "signature": signature.hex(),
                "bytes": data.hex(),
                "file": write_file(statement_samples.TEXT, data).decode(),
            }
        ],
        "inside_other_bytes": statement_samples.statement_pdf().decode(),
        "rejected": rejected(test_statement.CASES),
    }


def rejected(cases: dict[str, Any]) -> list[dict[str, str]]:
    return [
        {"name": name, "code": code, "bytes": build().hex()}
        for name, (build, code) in cases.items()
        if code and name not in LEFT_OUT
    ]


def versions() -> dict[str, Any]:
    cases = test_versions.RANGES
    return {
        "in_range": [
            {"version": version, "low": low, "high": high, "inside": in_range(version, low, high)}
            for version, low, high, _ in cases
        ]
    }


def signing() -> dict[str, Any]:
    """One message by itself: the COSE layer without claims to understand."""
    data = cose.sign({6: 1}, "cl-req/1", samples.INSTANCE_KEY, None)
    return {"key": key_pair(samples.INSTANCE_KEY), "claims": "{6: 1}", "typ": "cl-req/1", "bytes": data.hex()}


FILES = {
    "codes.json": codes,
    "cose.json": signing,
    "fingerprint.json": fingerprints,
    "usage-request.json": requests,
    "usage-license.json": licenses,
    "statement.json": statements,
    "versions.json": versions,
}


def render(name: str) -> bytes:
    return (json.dumps(FILES[name](), indent=1, ensure_ascii=False) + "\n").encode()


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file in FILES:
        (FOLDER / file).write_bytes(render(file))
        print(f"docs/vectors/{file}")
