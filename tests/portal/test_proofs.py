"""Proofs that the portal gives, checked as an auditor does who has the note, the key and the RFC, not the portal."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from activations.domain.merkle import verify_consistency, verify_inclusion
from activations.domain.words import Actor
from activations.models import LedgerEntry, SigningKey
from activations.services.checkpoints import CheckpointMade
from activations.services.licenses import LicenseCreated
from activations.services.proofs import ConsistencyProof, InclusionProof, consistency, inclusion
from activations.services.results import BadInput, Refused
from tests.portal.cast import AGENT, AUDITOR, answered, book_many
from tests.portal.chariot import Chariot, host
from tests.portal.test_checkpoints import checkpoint


@dataclass(frozen=True)
class Read:
    """A proof text as it is written: what stands before the hashes, the hashes, and what the checkpoint says."""

    head: list[str]
    path: list[bytes]
    size: int
    root: bytes


def read(text: str) -> Read:
    """By the words of tlog-proof, tlog-witness and signed-note; the signature with `cryptography` alone."""
    before, note = text.split("\n\n", 1)
    lines = before.split("\n")
    head = [line for line in lines if len(line) != 44]  # 32 bytes in base64
    body, _, signature = note.partition("\n\n")
    origin, size, root = body.split("\n")
    assert signature.startswith(f"— {origin} ")
    blob = base64.b64decode(signature.split(" ")[2])
    row = SigningKey.objects.get(purpose="checkpoint")
    public = x509.load_der_x509_certificate(bytes(row.certificate)).public_key()
    assert isinstance(public, Ed25519PublicKey)
    public.verify(blob[4:], f"{body}\n".encode())
    path = [base64.b64decode(line, validate=True) for line in lines[len(head) :]]
    return Read(head, path, int(size), base64.b64decode(root))


@pytest.fixture
def checkpoints(license: LicenseCreated) -> list[CheckpointMade]:
    made = [checkpoint()]
    for count in (1, 250, 5, 300):
        book_many(count)
        made.append(checkpoint())
    return made


def test_every_entry_of_every_checkpoint_is_proved(license: LicenseCreated, checkpoints: list[CheckpointMade]) -> None:
    for entry in LedgerEntry.objects.select_related("leaf").filter(leaf__index__in=[0, 3, 5, 200, 255, 256, 400, 557]):
        for made in checkpoints:
            found = inclusion(chain=entry.chain, seq=entry.seq, size=made.size, actor=AUDITOR)
            if entry.leaf.index >= made.size:
                assert isinstance(found, Refused)
                assert found.code == "not-covered"
                continue
            assert isinstance(found, InclusionProof)
            proof = read(found.text)
            assert proof.head == ["c2sp.org/tlog-proof@v1", f"index {entry.leaf.index}"]
            assert (proof.size, proof.root.hex()) == (made.size, made.root)
            leaf = hashlib.sha256(b"\x00" + entry.body.encode()).digest()
            assert found.leaf == leaf.hex()
            assert verify_inclusion(entry.leaf.index, made.size, leaf, proof.path, proof.root)


def test_each_checkpoint_continues_those_before_it(checkpoints: list[CheckpointMade]) -> None:
    for new in checkpoints:
        for old in checkpoints:
            found = consistency(old=old.size, new=new.size, actor=AUDITOR)
            if old.size > new.size:
                assert (type(found), getattr(found, "code", "")) == (BadInput, "sizes-reversed")
                continue
            assert isinstance(found, ConsistencyProof)
            proof = read(found.text)
            assert proof.head == [f"old {old.size}"]
            assert proof.root.hex() == new.root
            assert verify_consistency(old.size, bytes.fromhex(old.root), new.size, proof.root, proof.path)


def test_without_a_size_it_is_the_newest(license: LicenseCreated, checkpoints: list[CheckpointMade]) -> None:
    one = inclusion(chain=license.license_id, seq=1, actor=AUDITOR)
    other = consistency(old=checkpoints[0].size, actor=AUDITOR)

    assert isinstance(one, InclusionProof)
    assert isinstance(other, ConsistencyProof)
    assert one.size == other.new == checkpoints[-1].size
    assert one.note == other.note == checkpoints[-1].note


def test_before_the_first_checkpoint_there_is_nothing_to_prove(license: LicenseCreated) -> None:
    for found in (inclusion(chain="portal", seq=1, actor=AUDITOR), consistency(old=1, actor=AUDITOR)):
        assert (type(found), getattr(found, "code", "")) == (Refused, "no-checkpoint")


def test_an_entry_after_the_newest_checkpoint_waits(license: LicenseCreated) -> None:
    checkpoint()
    answered(Chariot(license.license_key, host("pump-house")).request())

    found = inclusion(chain=license.license_id, seq=2, actor=AUDITOR)

    assert isinstance(found, Refused)
    assert (found.code, "checkpoint_ledger" in found.message) == ("not-covered", True)
    checkpoint()
    assert isinstance(inclusion(chain=license.license_id, seq=2, actor=AUDITOR), InclusionProof)


@pytest.mark.parametrize(
    ("chain", "seq", "size", "code"),
    [
        ("portal", 10_000, None, "entry-unknown"),
        ("portal", 0, None, "entry-unknown"),
        ("portal", -1, None, "entry-unknown"),
        ("portal", 10**30, None, "entry-unknown"),
        ("LIC-1", 1, None, "license-id-length"),
        ("portal", 1, 2, "checkpoint-unknown"),
        ("portal", 1, 0, "checkpoint-unknown"),
        ("portal", 1, -5, "checkpoint-unknown"),
        ("portal", 1, 10**30, "checkpoint-unknown"),
    ],
)
def test_what_there_is_not(license: LicenseCreated, chain: str, seq: int, size: int | None, code: str) -> None:
    checkpoint()

    found = inclusion(chain=chain, seq=seq, size=size, actor=AUDITOR)

    assert (type(found), getattr(found, "code", "")) == (BadInput, code)


def test_a_checkpoint_that_there_is_not_is_said_with_its_neighbours(checkpoints: list[CheckpointMade]) -> None:
    found = consistency(old=1, new=checkpoints[1].size + 1, actor=AUDITOR)

    assert isinstance(found, BadInput)
    assert f"have {checkpoints[1].size} and {checkpoints[2].size}." in found.message


def test_who_may_not_read_the_ledger_gets_no_proof(checkpoints: list[CheckpointMade]) -> None:
    for actor in (AGENT, Actor("anonymous")):
        for found in (inclusion(chain="portal", seq=1, actor=actor), consistency(old=1, actor=actor)):
            assert (type(found), getattr(found, "code", "")) == (Refused, "not-allowed")
