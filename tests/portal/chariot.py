"""A Chariot as the portal sees one: it makes real Usage Requests, installs the answers and shows deactivation codes."""

from __future__ import annotations

import copy
import hashlib
import secrets
from dataclasses import replace
from typing import Any, Self

from chariot_license.protocol.block import Kind, write_block
from chariot_license.protocol.codes import LicenseKey, commitment, format_deactivation_code
from chariot_license.protocol.fingerprint import HostFacts, fingerprint_of
from chariot_license.protocol.license import UsageLicense, digest16, read_license
from chariot_license.protocol.reader import read_block
from chariot_license.protocol.request import UsageRequest, request_proof, sign_request, thumbprint
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from activations.services.signing import trusted_roots

PRODUCT = "chariot-mqtt-server"
VERSION = "2.4.1"
MADE_AT = 1_800_000_000  # the host's clock; the portal takes no decision from it


def host(name: str, **changes: Any) -> HostFacts:
    """A host with all four strong components, its own as long as the name is; `changes` swaps single facts."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    facts = HostFacts(
        machine_id=digest[:32],
        board_uuid=f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}",
        macs=(":".join(["02", *(digest[i : i + 2] for i in range(32, 42, 2))]),),
        disk_serial=f"DISK{digest[42:54].upper()}",
        cpu_model="Intel(R) Atom(TM) E3940",
        hostname=name,
    )
    return replace(facts, **changes)


class Chariot:
    """One installation: an Instance key, a counter, one deactivation secret per tenure (Design 9.1).

    The license key is typed in again for each request, as on the License page; `use_key` types another one.
    """

    def __init__(self, license_key: str, facts: HostFacts, *, version: str = VERSION, product: str = PRODUCT) -> None:
        self.facts, self.version, self.product = facts, version, product
        self.use_key(license_key)
        self.key = Ed25519PrivateKey.generate()
        self.counter = 0
        self.pending: bytes | None = None  # request id
        self.installed: UsageLicense | None = None
        self.previous: bytes | None = None
        self.secret = secrets.token_bytes(16)
        self.shown_code: str | None = None

    def use_key(self, license_key: str) -> None:
        self.license_key = LicenseKey.parse(license_key)

    @property
    def thumbprint(self) -> bytes:
        return thumbprint(self.key.public_key().public_bytes_raw())

    @property
    def name(self) -> str:
        """The Instance as the portal's tables and ledger name it."""
        return self.thumbprint.hex()

    def claims(self, **changes: Any) -> UsageRequest:
        """The next Usage Request before it is signed; `changes` swaps single claims."""
        self.counter += 1
        self.pending = changes.get("request_id", secrets.token_bytes(16))
        assert self.pending is not None
        request = UsageRequest(
            request_id=self.pending,
            issued_at=MADE_AT + self.counter,
            counter=self.counter,
            instance_key=self.key.public_key().public_bytes_raw(),
            lookup_id=self.license_key.lookup_id,
            proof=request_proof(self.license_key, self.thumbprint, self.pending),
            previous=self.previous,
            fingerprint=fingerprint_of(self.facts, self.license_key.salt),
            container=self.facts.container,
            virtual=self.facts.virtual,
            hostname=self.facts.hostname or "",
            product=self.product,
            version=self.version,
            commitment=commitment(self.thumbprint, self.secret),
        )
        return replace(request, **changes)

    def request(self, **changes: Any) -> str:
        """Offline > Generate Usage Request: the text block; it takes the place of the one before."""
        return write_block(Kind.REQUEST, sign_request(self.claims(**changes), self.key))

    def install(self, text: str) -> UsageLicense:
        """Upload Usage License > Finish, with the checks that a real Chariot makes."""
        data = read_block(text, Kind.LICENSE).data
        license = read_license(data, trusted_roots())
        assert license.request_id == self.pending, "this answers an earlier request"
        assert license.instance == self.thumbprint, "this is for another Chariot"
        self.installed, self.previous, self.pending = license, digest16(data), None
        return license

    def deactivate(self) -> str:
        """Deactivate: destroys the license and shows the code; the next request begins a new tenure."""
        self.shown_code = format_deactivation_code(self.secret)
        self.installed = self.previous = self.pending = None
        self.secret = secrets.token_bytes(16)
        return self.shown_code

    def snapshot(self) -> Self:
        """A copy of everything on the disk: put back later it is a restored backup, run beside it a clone."""
        return copy.copy(self)

    def clone(self, facts: HostFacts) -> Self:
        """The same disk started on another host."""
        twin = copy.copy(self)
        twin.facts = facts
        return twin

    def reinstalled(self) -> Chariot:
        """Chariot installed anew on the same host: another Instance key, nothing remembered."""
        return Chariot(self.license_key.text, self.facts, version=self.version, product=self.product)
