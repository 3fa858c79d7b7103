"""The Usage Request: a CBOR Web Token that an Instance signs. docs/protocol.md, "Usage Request"."""

import hashlib
import hmac
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chariot_license.protocol import cbor, cose
from chariot_license.protocol import claims as c
from chariot_license.protocol.codes import LicenseKey
from chariot_license.protocol.cose import thumbprint
from chariot_license.protocol.errors import RequestError
from chariot_license.protocol.fingerprint import Fingerprint

__all__ = [
    "CONTAINERS", "MAX_BYTES", "VIRTUALS", "UsageRequest", "fit_hostname", "proof_holds", "read_request",
    "request_proof", "sign_request", "thumbprint",
]  # fmt: skip

MAX_BYTES = 366
MAX_HOSTNAME = 23
MAX_PRODUCT_AND_VERSION = 30
_MAX_TIME = _MAX_COUNTER = 2**32 - 1

# One byte each instead of a word, which a request has no room for. Any other word travels as the first.
CONTAINERS = (
    "container", "docker", "podman", "kubernetes", "containerd", "cri-o", "lxc", "systemd-nspawn", "openvz", "rkt",
    "wsl",
)  # fmt: skip
VIRTUALS = (
    "vm", "kvm", "qemu", "vmware", "virtualbox", "hyper-v", "xen", "parallels", "bhyve", "aws", "gcp", "openstack",
    "nutanix", "digitalocean",
)  # fmt: skip

FORM = cose.Format("request", "Usage Request", "cl-req", 1, MAX_BYTES, False, RequestError)
_REQUIRED = (
    c.IAT, c.CTI, c.CNF, c.COUNTER, c.LOOKUP_ID, c.PROOF, c.FINGERPRINT, c.HOSTNAME, c.PRODUCT, c.VERSION,
    c.COMMITMENT,
)  # fmt: skip
_OPTIONAL = (c.PREVIOUS, c.CONTAINER, c.VIRTUAL, c.TEST)


@dataclass(frozen=True)
class UsageRequest:
    """What one Usage Request says.

    Sizes in bytes: request_id 16, instance_key 32 (raw Ed25519 public key), lookup_id 8, proof 16, previous 16
    (`digest16` of the previous Usage License; None if there was none), commitment 32. `issued_at` is the host's
    clock in Unix seconds and proves nothing. `container` and `virtual` are words of CONTAINERS and VIRTUALS or
    None. `test` marks a request made with a test switch.
    """

    request_id: bytes
    issued_at: int
    counter: int
    instance_key: bytes
    lookup_id: bytes
    proof: bytes
    previous: bytes | None
    fingerprint: Fingerprint
    container: str | None
    virtual: str | None
    hostname: str
    product: str
    version: str
    commitment: bytes
    test: bool = field(default=False)

    @property
    def thumbprint(self) -> bytes:
        """The 32 bytes that name this Instance (RFC 9679, SHA-256)."""
        return thumbprint(self.instance_key)


def sign_request(request: UsageRequest, private_key: Ed25519PrivateKey) -> bytes:
    """Sign with the Instance's key: at most MAX_BYTES.

    Hostname: at most 23 printable ASCII characters, see `fit_hostname`; product and version: together at most
    30. A word that is not in CONTAINERS or VIRTUALS travels as "container" or "vm".
    Raises RequestError "request-claim-invalid" for a value that no reader would accept, ValueError if the key
    is not the one of `instance_key`.
    """
    if private_key.public_key().public_bytes_raw() != request.instance_key:
        raise ValueError("the private key does not belong to the instance key")
    data = cose.sign(_to_claims(request), FORM.typ, private_key, None)
    # Reading it back holds the limits in one place: what nobody accepts is never handed to a customer.
    read_request(data)
    return data


def read_request(data: bytes) -> UsageRequest:
    """Check form, claims and the Instance's own signature. Raises RequestError; codes in docs/protocol.md.

    The signature proves that the sender has the key in the request, nothing about the License: that is
    `proof_holds`.
    """
    opened = cose.open_unverified(data, FORM)
    request = _from_claims(c.ClaimReader(opened.claims, FORM, _REQUIRED, _OPTIONAL))
    cose.verify(opened, request.instance_key, FORM)
    return request


def request_proof(key: LicenseKey, thumbprint: bytes, request_id: bytes) -> bytes:
    """Return the 16 bytes that prove possession of the License Key in one request (Design 9.14)."""
    return _proof(key.proof_key, thumbprint, request_id)


def proof_holds(request: UsageRequest, proof_key: bytes) -> bool:
    """Say, in constant time, whether the request was made with the License Key of this proof key."""
    return hmac.compare_digest(_proof(proof_key, request.thumbprint, request.request_id), request.proof)


def fit_hostname(label: str) -> str:
    """Return a label that fits a request: printable ASCII, at most 23 characters, "~" at the end if cut."""
    plain = "".join(letter if " " <= letter <= "~" else "?" for letter in label.strip())
    return plain if len(plain) <= MAX_HOSTNAME else plain[: MAX_HOSTNAME - 1] + "~"


def _proof(proof_key: bytes, thumbprint: bytes, request_id: bytes) -> bytes:
    message = b"chariot-request-1" + thumbprint + request_id
    return hmac.new(proof_key, message, hashlib.sha256).digest()[:16]


def _to_claims(request: UsageRequest) -> dict[int, object]:
    claims: dict[int, object] = {
        c.IAT: request.issued_at,
        c.CTI: request.request_id,
        c.CNF: {1: cose.cose_key(request.instance_key)},
        c.COUNTER: request.counter,
        c.LOOKUP_ID: request.lookup_id,
        c.PROOF: request.proof,
        c.FINGERPRINT: request.fingerprint.to_claim(),
        c.HOSTNAME: request.hostname,
        c.PRODUCT: request.product,
        c.VERSION: request.version,
        c.COMMITMENT: request.commitment,
    }
    if request.previous is not None:
        claims[c.PREVIOUS] = request.previous
    if request.container is not None:
        claims[c.CONTAINER] = _hint_number(CONTAINERS, request.container)
    if request.virtual is not None:
        claims[c.VIRTUAL] = _hint_number(VIRTUALS, request.virtual)
    if request.test:
        claims[c.TEST] = True
    return claims


def _from_claims(reader: c.ClaimReader) -> UsageRequest:
    try:
        fingerprint = Fingerprint.from_claim(reader.raw(c.FINGERPRINT))
    except ValueError as error:
        raise reader.invalid(c.FINGERPRINT) from error
    product, version = reader.text(c.PRODUCT, MAX_PRODUCT_AND_VERSION, 1), reader.text(c.VERSION, 29, 1)
    if len(product) + len(version) > MAX_PRODUCT_AND_VERSION:
        raise reader.invalid(c.VERSION)
    return UsageRequest(
        request_id=reader.data(c.CTI, 16),
        issued_at=reader.integer(c.IAT, _MAX_TIME),
        counter=reader.integer(c.COUNTER, _MAX_COUNTER),
        instance_key=_confirmation_key(reader),
        lookup_id=reader.data(c.LOOKUP_ID, 8),
        proof=reader.data(c.PROOF, 16),
        previous=reader.optional_data(c.PREVIOUS, 16),
        fingerprint=fingerprint,
        container=_hint(reader, c.CONTAINER, CONTAINERS),
        virtual=_hint(reader, c.VIRTUAL, VIRTUALS),
        hostname=reader.text(c.HOSTNAME, MAX_HOSTNAME),
        product=product,
        version=version,
        commitment=reader.data(c.COMMITMENT, 32),
        test=reader.flag(c.TEST),
    )


def _confirmation_key(reader: c.ClaimReader) -> bytes:
    """Return the raw key of cnf, which must be exactly {1: {1: 1, -1: 6, -2: 32 bytes}} (RFC 8747)."""
    confirmation = reader.raw(c.CNF)
    key = confirmation.get(1) if isinstance(confirmation, dict) and len(confirmation) == 1 else None
    public = key.get(-2) if isinstance(key, dict) else None
    if not isinstance(public, bytes) or len(public) != 32:
        raise reader.invalid(c.CNF)
    # Compared as bytes: in Python true equals 1, in CBOR it does not.
    if cbor.dumps(confirmation) != cbor.dumps({1: cose.cose_key(public)}):
        raise reader.invalid(c.CNF)
    return public


def _hint_number(words: tuple[str, ...], word: str) -> int:
    return words.index(word) if word in words else 0


def _hint(reader: c.ClaimReader, claim: int, words: tuple[str, ...]) -> str | None:
    if not reader.has(claim):
        return None
    number = reader.integer(claim, 23)
    # A number from a newer client still says that there is a container or a virtual machine.
    return words[number] if number < len(words) else words[0]
