"""What witnesses keep is what `chariot-ledger-verify` takes as kept."""

from __future__ import annotations

from pathlib import Path

from chariot_ledger_kept import read_kept, read_proof
from pytest_django import Settings

from activations import tasks
from activations.domain.merkle import leaf_hash
from activations.models import LedgerLeaf
from activations.services.proofs import ConsistencyProof, consistency
from activations.services.witnessing.sending import send_checkpoints
from tests.mailroom.smtp import Catcher
from tests.portal.cast import AUDITOR, book_many
from tests.portal.test_checkpoints import checkpoint
from tests.portal.witnessing.test_letters import ADA, a_day_later, attached


def leaves() -> list[tuple[int, bytes, None]]:
    rows = LedgerLeaf.objects.order_by("index").values_list("index", "entry__body")
    return [(index, leaf_hash(body.encode()), None) for index, body in rows]


def test_a_folder(kept: Path) -> None:
    sizes = []
    for count in (3, 255, 300):
        book_many(count)
        sizes.append(checkpoint().size)
        send_checkpoints()

    [found] = read_kept(kept)

    assert {note.size for note in found.notes} == set(sizes)
    assert (found.end, list(found.leaves())) == (sizes[-1], leaves())


def test_the_files_of_two_mails(signing_keys: None, settings: Settings, smtp: Catcher, tmp_path: Path) -> None:
    settings.LEDGER_WITNESSES = [ADA]
    first = checkpoint()
    send_checkpoints()
    a_day_later()
    book_many(280)
    second = checkpoint()
    send_checkpoints()
    tasks.send_mails_job()

    for number, (start, made) in enumerate(((0, first), (first.size, second))):
        name, text = attached(smtp.messages[number])
        (tmp_path / name).write_text(text, "utf-8")
        [found] = read_kept(tmp_path / name)
        assert [note.size for note in found.notes] == [made.size]
        assert list(found.leaves()) == leaves()[start : made.size]


def test_a_consistency_proof(signing_keys: None, tmp_path: Path) -> None:
    first = checkpoint()
    book_many(77)
    second = checkpoint()
    proof = consistency(old=first.size, new=second.size, actor=AUDITOR)
    assert isinstance(proof, ConsistencyProof)
    (tmp_path / "proof").write_text(proof.text, "utf-8")

    old, path, note = read_proof(tmp_path / "proof")

    assert (old, note.size, tuple(path)) == (first.size, second.size, proof.path)
