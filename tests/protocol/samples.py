"""Fixed keys and messages for the protocol's tests and vectors, and a forger that signs whatever it is given."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import cbor2
from chariot_license.protocol.certificates import Purpose, issue_certificate, make_root
from chariot_license.protocol.codes import LicenseKey, commitment, format_public_id
from chariot_license.protocol.fingerprint import HostFacts, fingerprint_of
from chariot_license.protocol.license import Feature, UsageLicense
from chariot_license.protocol.request import UsageRequest, request_proof, thumbprint
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

DAY = 86_400
ISSUED_AT = 1_790_000_000
NOT_BEFORE = ISSUED_AT - 30 * DAY
NOT_AFTER = ISSUED_AT + 1000 * DAY


def some_bytes(label: str, size: int) -> bytes:
    """The same bytes for the same label, for ever."""
    return hashlib.shake_256(label.encode()).digest(size)


def private_key(label: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(some_bytes(label, 32))


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


LICENSE_KEY = LicenseKey(some_bytes("seed", 8), some_bytes("secret", 16))
INSTANCE_KEY = private_key("instance")
ROOT_KEY, SPARE_KEY, FOREIGN_KEY = private_key("root"), private_key("spare root"), private_key("foreign root")
SIGNING_KEY = private_key("signing")
DEACTIVATION_SECRET = some_bytes("deactivation", 16)

ROOT = make_root(ROOT_KEY, "Chariot License Root A", 1, NOT_BEFORE - DAY, NOT_AFTER + 10_000 * DAY)
SPARE = make_root(SPARE_KEY, "Chariot License Root B", 2, NOT_BEFORE - DAY, NOT_AFTER + 10_000 * DAY)
ROOTS = (ROOT, SPARE)

FACTS = HostFacts(
    machine_id="0f3f7a6e9c1b4d528e70a1b2c3d4e5f6",
    board_uuid="4C4C4544-0042-3510-8058-B7C04F4E3432",
    macs=("B4:45:06:2A:9C:11", "b4-45-06-2a-9c-10"),
    disk_serial="S4EVNX0R412345",
    cpu_model="Intel(R) Xeon(R) E-2278G CPU @ 3.40GHz",
    hostname="mqtt-01.plant.example",
    container=None,
    virtual="vmware",
)
FINGERPRINT = fingerprint_of(FACTS, LICENSE_KEY.salt)


def certificate(
    *,
    root: x509.Certificate = ROOT,
    root_key: Ed25519PrivateKey = ROOT_KEY,
    signing_key: Ed25519PrivateKey = SIGNING_KEY,
    serial: int = 0x1F2E3D4C5B6A7988,
    not_before: int = NOT_BEFORE,
    not_after: int = NOT_AFTER,
    purpose: Purpose = "usage-license",
) -> bytes:
    made = issue_certificate(
        root, root_key, signing_key.public_key(), "Chariot License Signing 1", serial, not_before, not_after, purpose
    )
    return made.public_bytes(Encoding.DER)


def usage_request(**changes: Any) -> UsageRequest:
    """A typical Usage Request; its proof fits LICENSE_KEY."""
    print_of_key, request_id = thumbprint(public(INSTANCE_KEY)), some_bytes("request id", 16)
    request = UsageRequest(
        request_id=request_id,
        issued_at=ISSUED_AT - 3600,
        counter=1,
        instance_key=public(INSTANCE_KEY),
        lookup_id=LICENSE_KEY.lookup_id,
        proof=request_proof(LICENSE_KEY, print_of_key, request_id),
        previous=None,
        fingerprint=FINGERPRINT,
        container=None,
        virtual="vmware",
        hostname="mqtt-01.plant.example",
        product="chariot-mqtt-server",
        version="5.0.2",
        commitment=commitment(print_of_key, DEACTIVATION_SECRET),
        test=False,
    )
    return replace(request, **changes)


def largest_request() -> UsageRequest:
    """Every optional claim present and every limit reached."""
    return usage_request(
        issued_at=2**32 - 1,
        counter=2**32 - 1,
        previous=some_bytes("previous", 16),
        container="docker",
        hostname="h" * 23,
        version="10.12.20261",
        test=True,
    )


def usage_license(**changes: Any) -> UsageLicense:
    """The answer to `usage_request()`."""
    license = UsageLicense(
        usage_license_id=format_public_id("USL", some_bytes("usl", 10)),
        license_id=format_public_id("LIC", some_bytes("lic", 10)),
        activation_id=format_public_id("ACT", some_bytes("act", 10)),
        request_id=some_bytes("request id", 16),
        instance=thumbprint(public(INSTANCE_KEY)),
        fingerprint=FINGERPRINT,
        product="chariot-mqtt-server",
        versions=("5", ""),
        features=(
            Feature("mqtt-server"),
            Feature("iot-bridge-snowflake", ISSUED_AT + 365 * DAY),
            Feature("mqtt-server-support", ISSUED_AT + 365 * DAY),
        ),
        terms_revision=1,
        supersedes=None,
        issued_at=ISSUED_AT,
        ledger_head=some_bytes("ledger head", 16),
        customer="Acme Water",
        revoked=(),
        test=False,
    )
    return replace(license, **changes)


def parts(data: bytes) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """The protected header and the claims of a message, to be changed and signed again by `forge`."""
    protected, _, payload, _ = cbor2.loads(data).value
    return cbor2.loads(protected), cbor2.loads(payload)


def forge(
    protected: bytes | dict[Any, Any],
    payload: bytes | Any,
    key: Ed25519PrivateKey,
    *,
    unprotected: dict[Any, Any] | None = None,
    tag: int | None = 18,
) -> bytes:
    """A COSE_Sign1 with a good signature over anything at all; written without the library under test."""
    head = protected if isinstance(protected, bytes) else cbor2.dumps(protected, canonical=True)
    body = payload if isinstance(payload, bytes) else cbor2.dumps(payload, canonical=True)
    signature = key.sign(cbor2.dumps(["Signature1", head, b"", body]))
    message = [head, unprotected or {}, body, signature]
    return cbor2.dumps(message if tag is None else cbor2.CBORTag(tag, message), canonical=True)
