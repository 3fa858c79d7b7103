"""The vendor root certificates this side trusts."""

from importlib import resources
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chariot_license.errors import InputError
from chariot_license.files import NotReadable, read_small

MOST_ROOT_BYTES = 64 * 1024


def pinned_roots() -> tuple[x509.Certificate, ...]:
    """Return the roots placed in the package's `trust` folder at release; none in a development tree."""
    folder = resources.files("chariot_license") / "trust"
    if not folder.is_dir():
        return ()
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".pem")), key=lambda file: file.name)
    return tuple(root for file in files for root in read_roots(file.read_bytes(), file.name))


def read_roots(pem: bytes, name: str) -> tuple[x509.Certificate, ...]:
    """Read one or more root certificates from PEM text; `name` is the file's, for the message.

    Raises InputError "trust-root-invalid".
    """
    try:
        roots = tuple(x509.load_pem_x509_certificates(pem))
    except ValueError as error:
        raise InputError("trust-root-invalid", f"{name} holds no certificate in PEM form. {_WANTED}") from error
    try:
        usable = all(_is_root(root) for root in roots)
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise InputError("trust-root-invalid", f"{name} holds a damaged or unknown certificate. {_WANTED}") from error
    if not usable:
        raise InputError("trust-root-invalid", f"{name} holds a certificate that is no vendor root. {_WANTED}")
    return roots


def roots_from_file(file: Path) -> tuple[x509.Certificate, ...]:
    """Read the root certificates of a test portal. Raises InputError "trust-root-unreadable", "trust-root-invalid"."""
    try:
        pem = read_small(file, MOST_ROOT_BYTES)
    except NotReadable as error:
        raise InputError(
            "trust-root-unreadable", f"The trust root {file} cannot be read: {error}. Check its path."
        ) from error
    return read_roots(pem, str(file))


def _is_root(certificate: x509.Certificate) -> bool:
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    return basic.ca and isinstance(certificate.public_key(), Ed25519PublicKey)


_WANTED = "Use the trust-root.pem that the portal's `signing_key create-root` writes."
