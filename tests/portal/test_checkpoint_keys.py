"""Whose checkpoints count: those of a key that the ledger names, a root issued, and that was current then."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from chariot_license.protocol.certificates import issue_certificate, make_root, serial_hex
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import connection, transaction
from django.utils import timezone

from activations.domain.checkpoint import read_note
from activations.domain.ledger import Kind
from activations.models import KeyPurpose, LedgerCheckpoint, SigningKey
from activations.services import vault
from activations.services.booking import portal_book
from activations.services.ledger_checks import verify_ledger
from activations.services.licenses import LicenseCreated
from activations.services.signing import KeyMade, Signer, rotate_key
from tests.portal.cast import ADMINISTRATOR, SOURCE
from tests.portal.test_checkpoints import checkpoint
from tests.support import without_triggers


def note_by(private: Ed25519PrivateKey, **changes: Any) -> str:
    """The last checkpoint's note as another key would sign it."""
    noted, _ = read_note(LedgerCheckpoint.objects.order_by("-size")[0].note)
    return Signer("", b"", private).sign_checkpoint(replace(noted, **changes))


def key_of(serial: str) -> Ed25519PrivateKey:
    """What somebody has who got hold of a private key and of the key-encryption key."""
    row = SigningKey.objects.get(serial=serial)
    return Ed25519PrivateKey.from_private_bytes(vault.decrypt(bytes(row.private_encrypted or b""), use="signing-key"))


def put_note(size: int, note: str) -> None:
    connection.check_constraints()
    with without_triggers(connection):
        LedgerCheckpoint.objects.filter(size=size).update(note=note)


UNSIGNED = "is not signed by a checkpoint key of this portal"


def plant(purpose: KeyPurpose, issuer: tuple[x509.Certificate, Ed25519PrivateKey] | None) -> Ed25519PrivateKey:
    """A row for a key of one's own, certified by oneself."""
    private, now = Ed25519PrivateKey.generate(), int(timezone.now().timestamp())
    validity = (now - 3600, now + 3600)
    if issuer is None:
        certificate = make_root(private, "Vendor root", 77, *validity)
    else:
        public = private.public_key()
        certificate = issue_certificate(*issuer, public, "checkpoint key", 78, *validity, "checkpoint")
    SigningKey.objects.create(
        purpose=purpose,
        name="planted",
        serial=serial_hex(certificate),
        certificate=certificate.public_bytes(Encoding.DER),
        current=purpose is KeyPurpose.ROOT,
        not_after=certificate.not_valid_after_utc,
        created_at=timezone.now(),
    )
    return private


def own_root() -> tuple[x509.Certificate, Ed25519PrivateKey]:
    private, now = Ed25519PrivateKey.generate(), int(timezone.now().timestamp())
    return make_root(private, "Vendor root", 76, now - 7200, now + 7200), private


def test_a_checkpoint_of_a_planted_key_is_named(license: LicenseCreated) -> None:
    """The row alone: it is certified by a root of one's own, and the ledger does not tell of it."""
    size = checkpoint().size
    private = plant(KeyPurpose.CHECKPOINT, own_root())
    put_note(size, note_by(private))

    assert verify_ledger().problems == (f"the checkpoint of size {size} {UNSIGNED}",)
    assert any(said.startswith("signing key 4e: the ledger says nothing") for said in rebuild())


def test_a_planted_key_that_was_booked_too_is_not_believed(license: LicenseCreated) -> None:
    """With an entry in the portal's chain as well: no root of the portal issued it."""
    private = plant(KeyPurpose.CHECKPOINT, own_root())
    book_key("4e")
    size = checkpoint().size
    put_note(size, note_by(private))

    assert verify_ledger().problems == (f"the checkpoint of size {size} {UNSIGNED}",)
    assert rebuild()[-1:] == ["signing key 4e: its certificate does not hold (certificate-signature-wrong)"]


def test_a_planted_root_is_named(license: LicenseCreated) -> None:
    checkpoint()
    plant(KeyPurpose.ROOT, None)

    assert any(said.startswith("signing key 4d: the ledger says nothing") for said in rebuild())


def test_a_root_that_is_none_is_not_believed(license: LicenseCreated) -> None:
    """A signing certificate booked as a root: it may issue nothing."""
    plant(KeyPurpose.CHECKPOINT, own_root())
    SigningKey.objects.filter(name="planted").update(name="spare")
    book_key("4e", purpose="root")

    assert "signing key 4e: its certificate is not that of a root" in rebuild()


def book_key(serial: str, purpose: str = "checkpoint") -> None:
    row = SigningKey.objects.get(serial=serial)
    digest = hashlib.sha256(bytes(row.certificate)).hexdigest()
    with transaction.atomic(), portal_book(actor=ADMINISTRATOR, source=SOURCE) as book:
        data = {"purpose": purpose, "name": "planted", "serial": serial, "sha256": digest}
        book.add(Kind.SIGNING_KEY_CREATED, data)


def rebuild() -> list[str]:
    return [said for said in verify_ledger(rebuild_check=True).problems if "checkpoint of size" not in said]


def test_a_checkpoint_signed_anew_by_a_later_key_is_named(license: LicenseCreated) -> None:
    """A real key of the portal, but the entry that made it comes after the checkpoint."""
    size = checkpoint().size
    made = rotate_key(purpose=KeyPurpose.CHECKPOINT, name="next", actor=ADMINISTRATOR, source=SOURCE)
    assert isinstance(made, KeyMade)
    put_note(size, note_by(key_of(made.serial)))
    said = f"the checkpoint of size {size} is signed by a checkpoint key that was not current then"

    assert verify_ledger().problems == (said,)
    checkpoint()
    assert verify_ledger().problems == (said,)


def test_a_checkpoint_signed_by_a_retired_key_is_named(license: LicenseCreated) -> None:
    before = SigningKey.objects.get(purpose=KeyPurpose.CHECKPOINT).serial
    rotate_key(purpose=KeyPurpose.CHECKPOINT, name="next", actor=ADMINISTRATOR, source=SOURCE)
    size = checkpoint().size
    put_note(size, note_by(key_of(before)))

    assert verify_ledger().problems == (
        f"the checkpoint of size {size} is signed by a checkpoint key that was not current then",
    )


def test_a_key_that_signs_usage_licenses_signs_no_checkpoint(license: LicenseCreated) -> None:
    size = checkpoint().size
    put_note(size, note_by(key_of(SigningKey.objects.get(purpose=KeyPurpose.USAGE_LICENSE).serial)))

    assert verify_ledger().problems == (f"the checkpoint of size {size} {UNSIGNED}",)


def test_a_checkpoint_of_another_ledger_is_named(license: LicenseCreated) -> None:
    size = checkpoint().size
    serial = SigningKey.objects.get(purpose=KeyPurpose.CHECKPOINT).serial
    put_note(size, note_by(key_of(serial), origin="licensing.example.com/another"))

    [said] = verify_ledger().problems
    assert said.startswith(f"the checkpoint of size {size} is of another ledger (licensing.example.com/another)")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda note: note.replace("\n\n", "\nadded later\n\n"), UNSIGNED),
        (lambda note: note + note.rpartition("\n\n")[2], "has other signature lines than the one the portal writes"),
        (lambda note: note.replace("— ", "— somebody.else/"), "has other signature lines"),
        (lambda note: note.replace("\n\n", "\r\n\r\n"), "is unreadable: "),
        (lambda note: note[:-1], "is unreadable: "),
    ],
)
def test_a_note_that_was_changed_is_named(license: LicenseCreated, change: Callable[[str], str], said: str) -> None:
    made = checkpoint()
    put_note(made.size, change(made.note))

    assert any(f"the checkpoint of size {made.size} {said}" in problem for problem in verify_ledger().problems)
