"""A small vendor: a root, a signing key, and Usage Licenses that answer real Usage Requests."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

from chariot_license.protocol.block import Kind, write_block
from chariot_license.protocol.certificates import issue_certificate, make_root
from chariot_license.protocol.codes import LicenseKey, format_public_id
from chariot_license.protocol.fingerprint import HostFacts
from chariot_license.protocol.license import Feature, UsageLicense, sign_license
from chariot_license.protocol.reader import read_block
from chariot_license.protocol.request import UsageRequest, read_request
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

YEAR = 365 * 24 * 60 * 60
NOW = 1_800_000_000  # 2027-01-15 08:00 UTC

PLANT_HOST = HostFacts(
    machine_id="3f1c9a5be2d94c0f8a7765d1e0b4c2aa",
    board_uuid="8a1b4c6d-12ef-4a90-9c33-0f5e7d2b6a18",
    macs=("00:1b:21:3c:9d:e8",),
    disk_serial="S4EWNX0R512345",
    cpu_model="Intel(R) Atom(TM) E3940",
    hostname="plant-7",
)
OTHER_HOST = HostFacts(
    machine_id="b7e2d05c4f1848d6a0c9e3317f5d2266",
    board_uuid="d3f0a9e7-55c1-4b8e-8d02-76b1f4a3c9e5",
    macs=("00:1b:21:77:10:4c",),
    disk_serial="PHYF0042",
    cpu_model="Intel(R) Atom(TM) E3940",
    hostname="plant-8",
)


def new_license_key() -> LicenseKey:
    return LicenseKey(secrets.token_bytes(8), secrets.token_bytes(16))


def read_made(block: str) -> UsageRequest:
    return read_request(read_block(block, Kind.REQUEST).data)


class Vendor:
    """Signs whatever it is asked to; the rules under test are the Chariot side's."""

    def __init__(self, name: str = "Test Vendor Root", not_before: int = NOW - YEAR) -> None:
        self.root_key = Ed25519PrivateKey.generate()
        self.root = make_root(self.root_key, name, 1, not_before, NOW + 30 * YEAR)
        self.license_id = format_public_id("LIC", secrets.token_bytes(10))
        self.activation_id = format_public_id("ACT", secrets.token_bytes(10))
        self.not_before = not_before
        self.use_signing_key(serial=2)

    def use_signing_key(self, serial: int) -> None:
        self.signing_key = Ed25519PrivateKey.generate()
        public = self.signing_key.public_key()
        self.certificate = issue_certificate(
            self.root, self.root_key, public, "Signing", serial, self.not_before, NOW + 10 * YEAR, "usage-license"
        )

    @property
    def roots(self) -> tuple[x509.Certificate, ...]:
        return (self.root,)

    def write_root(self, file: Path) -> Path:
        file.write_bytes(self.root.public_bytes(serialization.Encoding.PEM))
        return file

    def license_for(self, block: str, **changes: Any) -> UsageLicense:
        request = read_made(block)
        license = UsageLicense(
            usage_license_id=format_public_id("USL", secrets.token_bytes(10)),
            license_id=self.license_id,
            activation_id=self.activation_id,
            request_id=request.request_id,
            instance=request.thumbprint,
            fingerprint=request.fingerprint,
            product=request.product,
            versions=("", ""),
            features=(Feature("mqtt-server", None), Feature("mqtt-server-support", NOW + 90 * 86400)),
            terms_revision=1,
            supersedes=None,
            issued_at=NOW,
            ledger_head=bytes(16),
            customer="Acme Water",
            test=request.test,
        )
        return replace(license, **changes)

    def answer(self, block: str, **changes: Any) -> str:
        """The Usage License block that answers a Usage Request block; `changes` swaps single claims."""
        return self.sign(self.license_for(block, **changes))

    def sign(self, license: UsageLicense) -> str:
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        return write_block(Kind.LICENSE, sign_license(license, self.signing_key, der))


class Clock:
    """A host clock that tests set."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
