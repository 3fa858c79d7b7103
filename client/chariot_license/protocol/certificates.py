"""Vendor root and signing certificates: X.509 with Ed25519, one step deep. Design 9.13.

`cryptography`'s path verifier refuses Ed25519, and `verify_directly_issued_by` accepts an issuer that is no CA,
so the few checks that one step needs stand here, in the order of docs/protocol.md, "Signing certificate".
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, NameOID, SignatureAlgorithmOID

from chariot_license.protocol.cose import is_sound_key
from chariot_license.protocol.errors import CertificateError

Purpose = Literal["usage-license", "checkpoint"]

# 32473 is the enterprise number that RFC 5612 keeps for documentation.
PURPOSE_OIDS = {
    "usage-license": x509.ObjectIdentifier("1.3.6.1.4.1.32473.1.1"),
    "checkpoint": x509.ObjectIdentifier("1.3.6.1.4.1.32473.1.2"),
}
MAX_BYTES = 1024
_KNOWN_EXTENSIONS = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
}


def make_root(
    private_key: Ed25519PrivateKey, name: str, serial: int, not_before: int, not_after: int
) -> x509.Certificate:
    """Return a self-signed root with the common name `name`. The two roots a client pins need different names."""
    public = private_key.public_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        _builder(subject, subject, public, serial, (not_before, not_after))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(digital_signature=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(private_key, None)
    )


def issue_certificate(  # noqa: PLR0917
    root_cert: x509.Certificate,
    root_key: Ed25519PrivateKey,
    public_key: Ed25519PublicKey,
    name: str,
    serial: int,
    not_before: int,
    not_after: int,
    purpose: Purpose,
) -> x509.Certificate:
    """Return the certificate of a signing key, for one purpose, signed by the root."""
    if root_cert.public_key() != root_key.public_key():
        raise ValueError("the root key does not belong to the root certificate")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    identifier = root_cert.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _builder(subject, root_cert.subject, public_key, serial, (not_before, not_after))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([PURPOSE_OIDS[purpose]]), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(root_key, None)
    )


def check_certificate(
    der: bytes, roots: Sequence[x509.Certificate], at: int, purpose: Purpose, denied: Collection[str] = ()
) -> x509.Certificate:
    """Return the certificate if one of the pinned `roots` issued it for `purpose` and it was valid at `at`.

    `at` is the time the signed statement claims for itself, in Unix seconds, so that no host clock decides.
    `denied` holds revoked serials as `serial_hex` writes them.
    Raises CertificateError: "certificate-malformed", "certificate-algorithm", "certificate-weak-key",
    "certificate-unknown-issuer", "certificate-signature-wrong", "certificate-is-ca", "certificate-key-usage",
    "certificate-purpose", "certificate-unknown-extension", "certificate-not-yet-valid", "certificate-expired",
    "certificate-revoked".
    """
    certificate = load_certificate(der)
    _check_issued(certificate, roots)
    _check_extensions(certificate, purpose)
    check_validity(certificate, at)
    if certificate.serial_number in {int(serial, 16) for serial in denied}:
        raise CertificateError(
            "certificate-revoked",
            "The key that signed this Usage License has been revoked. Ask Support for a new Usage License.",
            serial=serial_hex(certificate),
        )
    return certificate


def load_certificate(der: bytes) -> x509.Certificate:
    """Return a readable X.509 v3 certificate of a sound Ed25519 key, nothing else about it checked.

    Raises CertificateError: "certificate-malformed", "certificate-algorithm", "certificate-weak-key".
    """
    if len(der) > MAX_BYTES:
        raise _malformed()
    try:
        certificate = x509.load_der_x509_certificate(der)
        # Parsed lazily: each of these can raise for a certificate that loaded.
        whole = certificate.public_bytes(Encoding.DER) == der
        usable = certificate.version == x509.Version.v3 and certificate.extensions is not None
        usable = usable and certificate.serial_number > 0
        _ = (certificate.subject, certificate.issuer)
        _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    except Exception as error:
        raise _malformed() from error
    if not (whole and usable):
        raise _malformed()
    if certificate.signature_algorithm_oid != SignatureAlgorithmOID.ED25519:
        raise _algorithm_error()
    if not is_sound_key(raw_public_key(certificate)):
        raise CertificateError(
            "certificate-weak-key",
            "The signing certificate holds a key that nobody can have made properly. Do not use this Usage"
            " License; report it to Support.",
        )
    return certificate


def check_validity(certificate: x509.Certificate, at: int) -> None:
    """Raise CertificateError unless `at` lies within the validity, both ends included (RFC 5280 4.1.2.5)."""
    first, last = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    detail = {"issued_at": at, "not_before": int(first), "not_after": int(last)}
    if at < first:
        raise CertificateError(
            "certificate-not-yet-valid",
            "This Usage License claims to be older than the key that signed it. Ask Support for a new one.",
            **detail,
        )
    if at > last:
        raise CertificateError(
            "certificate-expired",
            "The key that signed this Usage License had expired when it signed. Ask Support for a new one.",
            **detail,
        )


def serial_hex(certificate: x509.Certificate) -> str:
    """Return the serial number in lower-case hex with an even number of digits."""
    text = f"{certificate.serial_number:x}"
    return text.zfill(len(text) + len(text) % 2)


def raw_public_key(certificate: x509.Certificate) -> bytes:
    """Return the 32 bytes of the certificate's Ed25519 key; CertificateError "certificate-algorithm"."""
    try:
        public = certificate.public_key()
    except Exception as error:
        # Keys of unknown or broken types raise several exceptions here, none of which is a promise.
        raise _algorithm_error() from error
    if not isinstance(public, Ed25519PublicKey):
        raise _algorithm_error()
    return public.public_bytes_raw()


def _check_issued(certificate: x509.Certificate, roots: Sequence[x509.Certificate]) -> None:
    issuer = certificate.issuer.public_bytes()
    named = [root for root in roots if root.subject.public_bytes() == issuer]
    if not named:
        raise CertificateError(
            "certificate-unknown-issuer",
            "This Usage License was not issued by a portal that this Chariot trusts. Ask Support for one from the"
            " right portal.",
            issuer=certificate.issuer.rfc4514_string()[:80],
        )
    for root in named:
        public = root.public_key()
        if not isinstance(public, Ed25519PublicKey):
            continue
        try:
            public.verify(certificate.signature, certificate.tbs_certificate_bytes)
        except InvalidSignature:
            continue
        return
    raise CertificateError(
        "certificate-signature-wrong",
        "The signing certificate in this Usage License is forged or damaged. Ask Support for a new one.",
    )


def _check_extensions(certificate: x509.Certificate, purpose: Purpose) -> None:
    found = {extension.oid: extension for extension in certificate.extensions}
    basic, usage, purposes = (
        found[oid].value if oid in found else None
        for oid in (ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE)
    )
    if not isinstance(basic, x509.BasicConstraints) or basic.ca:
        raise _unfit("is-ca", "it is a certificate for issuing others, not for signing")
    if usage != _key_usage(digital_signature=True):
        raise _unfit("key-usage", "its key is not meant for signatures alone")
    if not isinstance(purposes, x509.ExtendedKeyUsage) or list(purposes) != [PURPOSE_OIDS[purpose]]:
        raise _unfit("purpose", f"its key is not meant for this purpose ({purpose})")
    if any(extension.critical and oid not in _KNOWN_EXTENSIONS for oid, extension in found.items()):
        raise _unfit("unknown-extension", "it demands an extension nobody here knows")


def _builder(
    subject: x509.Name, issuer: x509.Name, public: Ed25519PublicKey, serial: int, validity: tuple[int, int]
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=public,
        serial_number=serial,
        not_valid_before=datetime.fromtimestamp(validity[0], UTC),
        not_valid_after=datetime.fromtimestamp(validity[1], UTC),
    )


def _key_usage(*, digital_signature: bool) -> x509.KeyUsage:
    """Signing keys: digitalSignature alone. Roots: keyCertSign and cRLSign."""
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not digital_signature,
        crl_sign=not digital_signature,
        encipher_only=False,
        decipher_only=False,
    )


def _malformed() -> CertificateError:
    return CertificateError(
        "certificate-malformed",
        "The signing certificate in this Usage License cannot be read. Ask Support for a new Usage License.",
    )


def _algorithm_error() -> CertificateError:
    return CertificateError(
        "certificate-algorithm",
        "The signing certificate in this Usage License is not an Ed25519 one. Ask Support for a new Usage License.",
    )


def _unfit(reason: str, why: str) -> CertificateError:
    return CertificateError(
        f"certificate-{reason}",
        f"The signing certificate in this Usage License is not accepted: {why}. Ask Support for a new one.",
    )
