"""Checkpoints: every committed entry gets one leaf, and an auditor can check the note with nothing but the key."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from activations.models import KeyPurpose, LedgerCheckpoint, LedgerEntry, LedgerLeaf, SigningKey
from activations.services.checkpoints import CheckpointMade, checkpoint_ledger
from activations.services.ledger_checks import verify_ledger
from activations.services.licenses import LicenseCreated
from activations.services.results import Refused
from activations.services.signing import create_root, rotate_key
from tests.portal.cast import ADMINISTRATOR, EVERYONE, SOURCE, answered, make_license
from tests.portal.chariot import Chariot, host


def checkpoint() -> CheckpointMade:
    made = checkpoint_ledger(actor=ADMINISTRATOR)
    assert isinstance(made, CheckpointMade), made
    return made


def merkle_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, as the RFC writes it: by splitting, not as the portal computes it."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + merkle_root(leaves[:split]) + merkle_root(leaves[split:])).digest()


def test_a_checkpoint_covers_every_entry(license: LicenseCreated) -> None:
    answered(Chariot(license.license_key, host("pump-house")).request())

    made = checkpoint()

    assert (made.size, made.new) == (LedgerEntry.objects.count(), LedgerEntry.objects.count())
    bodies = list(LedgerEntry.objects.order_by("leaf__index").values_list("body", flat=True))
    assert made.root == merkle_root([body.encode() for body in bodies]).hex()


def test_the_note_verifies_with_the_public_key_alone(license: LicenseCreated, settings: Any) -> None:
    made = checkpoint()

    body, signature_line = made.note.split("\n\n")
    origin, size, root = body.split("\n")
    assert (origin, int(size)) == (settings.LEDGER_ORIGIN, made.size)
    assert base64.b64decode(root).hex() == made.root
    dash, name, encoded = signature_line.rstrip("\n").split(" ")
    assert (dash, name) == ("—", origin)
    key_id, signature = (blob := base64.b64decode(encoded))[:4], blob[4:]
    row = SigningKey.objects.get(purpose=KeyPurpose.CHECKPOINT)
    public = x509.load_der_x509_certificate(bytes(row.certificate)).public_key()
    assert isinstance(public, Ed25519PublicKey)
    assert key_id == hashlib.sha256(name.encode() + b"\n\x01" + public.public_bytes_raw()).digest()[:4]
    public.verify(signature, f"{body}\n".encode())


def test_it_grows_by_what_is_new(license: LicenseCreated) -> None:
    first = checkpoint()
    for number in range(3):
        make_license(customer=f"Customer {number}")
        second = checkpoint()
        assert (second.size, second.new) == (first.size + number + 1, 1)

    assert list(LedgerLeaf.objects.order_by("index").values_list("index", flat=True)) == list(range(second.size))
    assert LedgerCheckpoint.objects.count() == 4
    assert verify_ledger().holds


def test_without_new_entries_the_last_one_is_given_again(license: LicenseCreated) -> None:
    first = checkpoint()

    assert checkpoint() == CheckpointMade(first.size, first.root, first.note, 0)
    assert LedgerCheckpoint.objects.count() == 1


def test_checkpoints_of_a_retired_key_still_verify(license: LicenseCreated) -> None:
    checkpoint()
    rotate_key(purpose=KeyPurpose.CHECKPOINT, name="next", actor=ADMINISTRATOR, source=SOURCE)
    checkpoint()

    assert LedgerCheckpoint.objects.count() == 2
    assert verify_ledger().holds


def test_without_a_key_nothing_is_given_a_leaf(db: None) -> None:
    create_root(name="Vendor root", actor=ADMINISTRATOR, source=SOURCE)

    result = checkpoint_ledger(actor=ADMINISTRATOR)

    assert (type(result), getattr(result, "code", None)) == (Refused, "no-signing-key")
    assert not LedgerLeaf.objects.exists()


@pytest.mark.parametrize("actor", [actor for actor in EVERYONE if actor is not ADMINISTRATOR])
def test_only_an_administrator_makes_checkpoints(license: LicenseCreated, actor: Any) -> None:
    result = checkpoint_ledger(actor=actor)

    assert (type(result), getattr(result, "code", None)) == (Refused, "not-allowed")
    assert not LedgerCheckpoint.objects.exists()


@pytest.mark.parametrize("origin", ["my ledger", "a+b", "two\nlines"])
def test_a_ledger_without_a_fit_name_signs_nothing(license: LicenseCreated, settings: Any, origin: str) -> None:
    settings.LEDGER_ORIGIN = origin

    result = checkpoint_ledger(actor=ADMINISTRATOR)

    assert (type(result), getattr(result, "code", None)) == (Refused, "ledger-origin-unfit")
    assert not LedgerLeaf.objects.exists()
