"""The Usage License: a CBOR Web Token that the vendor signs. docs/protocol.md, "Usage License"."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chariot_license.protocol import base32, certificates, cose
from chariot_license.protocol import claims as c
from chariot_license.protocol.codes import PUBLIC_ID_BYTES, format_public_id, parse_public_id
from chariot_license.protocol.errors import CodeError, LicenseError
from chariot_license.protocol.fingerprint import Fingerprint

MAX_BYTES = 2800
MAX_CUSTOMER_BYTES = 800
MAX_FEATURES = 64
MAX_REVOKED = 32
_MAX_NUMBER = 2**53 - 1

FORM = cose.Format("license", "Usage License", "cl-lic", 1, MAX_BYTES, True, LicenseError)
_REQUIRED = (
    c.SUB, c.IAT, c.CTI, c.CNF, c.FINGERPRINT, c.PRODUCT, c.ACTIVATION, c.REQUEST_ID, c.VERSIONS, c.FEATURES,
    c.TERMS_REVISION, c.LEDGER_HEAD, c.CUSTOMER,
)  # fmt: skip
_OPTIONAL = (c.TEST, c.SUPERSEDES, c.REVOKED)


@dataclass(frozen=True)
class Feature:
    """A licensed feature; `expires` in Unix seconds, None if it never does."""

    code: str
    expires: int | None = None


@dataclass(frozen=True)
class UsageLicense:
    """What one Usage License grants.

    Ids are canonical texts (LIC-..., ACT-..., USL-...); request_id 16 bytes, instance 32 bytes (thumbprint of
    the Instance key), ledger_head 16 bytes. `versions` is (lowest, highest), "" for an open end. `supersedes` is
    the Usage License id that this one replaces. `revoked` holds serials of signing certificates (`serial_hex`)
    that must no longer be trusted. `test` marks an answer to a request with the test mark.
    """

    usage_license_id: str
    license_id: str
    activation_id: str
    request_id: bytes
    instance: bytes
    fingerprint: Fingerprint
    product: str
    versions: tuple[str, str]
    features: tuple[Feature, ...]
    terms_revision: int
    supersedes: str | None
    issued_at: int
    ledger_head: bytes
    customer: str
    revoked: tuple[str, ...] = field(default=())
    test: bool = field(default=False)


def sign_license(license: UsageLicense, private_key: Ed25519PrivateKey, certificate_der: bytes) -> bytes:
    """Sign with a vendor signing key whose certificate travels along: at most MAX_BYTES.

    Raises LicenseError "license-claim-invalid" or "license-too-large" for what no reader would accept,
    CodeError for a wrong id, CertificateError if the certificate is unreadable or not valid at `issued_at`,
    ValueError if the key is not the certificate's.
    """
    certificate = certificates.load_certificate(certificate_der)
    public = private_key.public_key().public_bytes_raw()
    if certificates.raw_public_key(certificate) != public:
        raise ValueError("the private key does not belong to the certificate")
    certificates.check_validity(certificate, license.issued_at)
    data = cose.sign(_to_claims(license), FORM.typ, private_key, certificate_der)
    # Reading it back holds the limits in one place: what no Chariot accepts is never sent to a customer.
    cose.verify(_readable(data), public, FORM)
    return data


def check_license(license: UsageLicense, certificate_der: bytes) -> None:
    """Raise what `sign_license` would raise for the values of `license`, without the key of the certificate."""
    certificates.check_validity(certificates.load_certificate(certificate_der), license.issued_at)
    # A signature of any key has the length of the real one.
    _readable(cose.sign(_to_claims(license), FORM.typ, Ed25519PrivateKey.generate(), certificate_der))


def read_license(data: bytes, roots: Sequence[x509.Certificate], denied: Collection[str] = ()) -> UsageLicense:
    """Check form, claims, signing certificate and signature. LicenseError or CertificateError otherwise.

    `roots` are the pinned vendor roots, `denied` the serials of signing certificates that this client must not
    trust any more; what the license itself lists as revoked counts as well. Whether the license is for this
    Instance, host and request is the caller's to check.
    """
    opened = cose.open_unverified(data, FORM)
    license = _from_claims(c.ClaimReader(opened.claims, FORM, _REQUIRED, _OPTIONAL))
    certificate = certificates.check_certificate(
        opened.certificate or b"", roots, license.issued_at, "usage-license", {*denied, *license.revoked}
    )
    cose.verify(opened, certificates.raw_public_key(certificate), FORM)
    return license


def digest16(data: bytes) -> bytes:
    """Return the first 16 bytes of SHA-256: how a request names the previous Usage License."""
    return hashlib.sha256(data).digest()[:16]


def _readable(data: bytes) -> cose.Opened:
    opened = cose.open_unverified(data, FORM)
    _from_claims(c.ClaimReader(opened.claims, FORM, _REQUIRED, _OPTIONAL))
    return opened


def _to_claims(license: UsageLicense) -> dict[int, object]:
    claims: dict[int, object] = {
        c.SUB: license.license_id,
        c.IAT: license.issued_at,
        c.CTI: _id_bytes("USL", license.usage_license_id),
        # 5 is `ckt`, the thumbprint confirmation method of RFC 9679.
        c.CNF: {5: license.instance},
        c.FINGERPRINT: license.fingerprint.to_claim(),
        c.PRODUCT: license.product,
        c.ACTIVATION: _id_bytes("ACT", license.activation_id),
        c.REQUEST_ID: license.request_id,
        c.VERSIONS: list(license.versions),
        c.FEATURES: [[feature.code, feature.expires] for feature in license.features],
        c.TERMS_REVISION: license.terms_revision,
        c.LEDGER_HEAD: license.ledger_head,
        c.CUSTOMER: license.customer,
    }
    if license.supersedes is not None:
        claims[c.SUPERSEDES] = _id_bytes("USL", license.supersedes)
    if license.revoked:
        claims[c.REVOKED] = [_serial_bytes(serial) for serial in license.revoked]
    if license.test:
        claims[c.TEST] = True
    return claims


def _from_claims(reader: c.ClaimReader) -> UsageLicense:
    try:
        fingerprint = Fingerprint.from_claim(reader.raw(c.FINGERPRINT))
    except ValueError as error:
        raise reader.invalid(c.FINGERPRINT) from error
    supersedes = reader.optional_data(c.SUPERSEDES, PUBLIC_ID_BYTES)
    return UsageLicense(
        usage_license_id=format_public_id("USL", reader.data(c.CTI, PUBLIC_ID_BYTES)),
        license_id=_license_id(reader),
        activation_id=format_public_id("ACT", reader.data(c.ACTIVATION, PUBLIC_ID_BYTES)),
        request_id=reader.data(c.REQUEST_ID, 16),
        instance=_instance(reader),
        fingerprint=fingerprint,
        product=reader.text(c.PRODUCT, 60, 1),
        versions=_versions(reader),
        features=_features(reader),
        terms_revision=reader.integer(c.TERMS_REVISION, _MAX_NUMBER),
        supersedes=None if supersedes is None else format_public_id("USL", supersedes),
        issued_at=reader.integer(c.IAT, _MAX_NUMBER),
        ledger_head=reader.data(c.LEDGER_HEAD, 16),
        customer=reader.any_text(c.CUSTOMER, MAX_CUSTOMER_BYTES),
        revoked=_revoked(reader),
        test=reader.flag(c.TEST),
    )


def _license_id(reader: c.ClaimReader) -> str:
    text = reader.text(c.SUB, 25, 25)
    try:
        canonical = parse_public_id("LIC", text)
    except CodeError as error:
        raise reader.invalid(c.SUB) from error
    if canonical != text:
        raise reader.invalid(c.SUB)
    return text


def _instance(reader: c.ClaimReader) -> bytes:
    confirmation = reader.raw(c.CNF)
    if not isinstance(confirmation, dict) or [*confirmation] != [5]:
        raise reader.invalid(c.CNF)
    thumbprint = confirmation[5]
    if not isinstance(thumbprint, bytes) or len(thumbprint) != 32:
        raise reader.invalid(c.CNF)
    return thumbprint


def _versions(reader: c.ClaimReader) -> tuple[str, str]:
    found = reader.items(c.VERSIONS, 2)
    if len(found) != 2 or not all(c.is_plain(version, 40) for version in found):
        raise reader.invalid(c.VERSIONS)
    return found[0], found[1]


def _features(reader: c.ClaimReader) -> tuple[Feature, ...]:
    features = []
    for item in reader.items(c.FEATURES, MAX_FEATURES):
        if not isinstance(item, list) or len(item) != 2 or not c.is_plain(item[0], 60, 1):
            raise reader.invalid(c.FEATURES)
        if item[1] is not None and not c.is_integer(item[1], _MAX_NUMBER):
            raise reader.invalid(c.FEATURES)
        features.append(Feature(item[0], item[1]))
    if len({feature.code for feature in features}) != len(features):
        raise reader.invalid(c.FEATURES)
    return tuple(features)


def _revoked(reader: c.ClaimReader) -> tuple[str, ...]:
    if not reader.has(c.REVOKED):
        return ()
    found = reader.items(c.REVOKED, MAX_REVOKED)
    for serial in found:
        if not isinstance(serial, bytes) or not 1 <= len(serial) <= 20 or not serial[0]:
            raise reader.invalid(c.REVOKED)
    # An empty list would be a second way to write "none", a repeated serial a second way to write it once.
    if not found or len(set(found)) != len(found):
        raise reader.invalid(c.REVOKED)
    return tuple(serial.hex() for serial in found)


def _id_bytes(prefix: str, text: str) -> bytes:
    letters = base32.normalise(parse_public_id(prefix, text))
    return base32.decode(letters[len(prefix) : -1], PUBLIC_ID_BYTES)


def _serial_bytes(serial: str) -> bytes:
    number = int(serial, 16)
    return number.to_bytes(max(1, -(-number.bit_length() // 8)), "big")
