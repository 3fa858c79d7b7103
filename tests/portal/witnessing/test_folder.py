"""A folder that keeps checkpoints: everything in it is checked as somebody does who has the folder and nothing else."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from pytest_django import Settings

from activations.domain.checkpoint import ED25519
from activations.domain.cosignatures import read_key
from activations.domain.merkle import verify_consistency
from activations.domain.tiles import WIDTH, Tile
from activations.ledger_queries import WitnessStanding, witness_states
from activations.models import LedgerCheckpoint, LedgerEntry, LedgerLeaf, LedgerTile, WitnessReceipt, WitnessState
from activations.services.witnessing import folder
from activations.services.witnessing.sending import send_checkpoints
from tests.portal.cast import book_many
from tests.portal.tampering import unguarded
from tests.portal.test_checkpoints import checkpoint, merkle_root
from tests.portal.witnessing.conftest import log_public
from tests.portal.witnessing.test_network import make_anew, standing, waiting_is_over


def content(kept: Path) -> dict[str, bytes]:
    return {str(file.relative_to(kept)): file.read_bytes() for file in sorted(kept.rglob("*")) if file.is_file()}


def said(note: bytes) -> tuple[int, bytes]:
    lines = note.decode().split("\n")
    return int(lines[1]), base64.b64decode(lines[2])


def leaves_in(kept: Path, size: int) -> list[bytes]:
    """The leaf hashes of a tree, by the paths of tlog-tiles."""
    found: list[bytes] = []
    for index in range(-(-size // WIDTH)):
        width = min(WIDTH, size - index * WIDTH)
        tile = (kept / Tile(0, index, width).path).read_bytes()
        assert len(tile) == width * 32
        found += [tile[at : at + 32] for at in range(0, len(tile), 32)]
    return found


def root_of_hashes(hashes: list[bytes]) -> bytes:
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + root_of_hashes(hashes[:split]) + root_of_hashes(hashes[split:])).digest()


def test_each_checkpoint_is_kept_with_its_tiles(kept: Path) -> None:
    notes: dict[int, bytes] = {}
    for count in (0, 1, 249, 3, 600):
        book_many(count)
        made = checkpoint()
        notes[made.size] = made.note.encode()
        send_checkpoints()

    names = set(content(kept))
    assert (kept / "checkpoint").read_bytes() == notes[max(notes)]
    assert {name for name in names if name.startswith("checkpoints/")} == {f"checkpoints/{size}" for size in notes}
    bodies = LedgerLeaf.objects.order_by("index").values_list("entry__body", flat=True)
    data = [body.encode() for body in bodies]
    for size, note in notes.items():
        assert (kept / "checkpoints" / str(size)).read_bytes() == note
        hashes = leaves_in(kept, size)
        assert hashes == [hashlib.sha256(b"\x00" + body).digest() for body in data[:size]]
        assert said(note) == (size, root_of_hashes(hashes))
    top = (kept / Tile(1, 0, max(notes) // WIDTH).path).read_bytes()
    assert top == b"".join(merkle_root(data[at * WIDTH : (at + 1) * WIDTH]) for at in range(max(notes) // WIDTH))
    assert not [name for name in names if ".part-" in name]
    [key] = (kept / "keys").iterdir()
    assert key.read_text() == f"{read_key(key.read_text().strip(), ED25519)}\n"
    assert read_key(key.read_text().strip(), ED25519).public == log_public()
    assert standing().problem == ""
    assert WitnessReceipt.objects.count() == len(notes)


def test_only_what_is_new_is_written(kept: Path) -> None:
    book_many(700)
    checkpoint()
    send_checkpoints()
    before = {name: (kept / name).stat().st_mtime_ns for name in content(kept)}
    book_many(5)
    made = checkpoint()
    send_checkpoints()

    new = set(content(kept)) - set(before)
    assert new == {f"checkpoints/{made.size}", Tile(0, made.size // WIDTH, made.size % WIDTH).path}
    assert {name for name, at in before.items() if (kept / name).stat().st_mtime_ns != at} == {"checkpoint"}


def test_only_the_newest_goes_and_covers_those_that_were_missed(kept: Path) -> None:
    checkpoint()
    send_checkpoints()
    first = (kept / "checkpoint").read_bytes()
    for _ in range(3):
        book_many(2)
        made = checkpoint()
    send_checkpoints()

    assert sorted(int(file.name) for file in (kept / "checkpoints").iterdir()) == [said(first)[0], made.size]


def untouched(kept: Path) -> WitnessStanding:
    """Sending changes nothing in the folder and says so."""
    before = content(kept)
    waiting_is_over()
    assert send_checkpoints() == 0
    assert content(kept) == before
    return standing()


def test_a_ledger_that_was_made_anew_leaves_the_folder_as_it_is(kept: Path) -> None:
    book_many(300)
    first = checkpoint()
    send_checkpoints()
    make_anew()
    book_many(1)
    second = checkpoint()
    assert not verify_consistency(first.size, bytes.fromhex(first.root), second.size, bytes.fromhex(second.root), [])

    found = untouched(kept)

    assert found.contradicts
    assert f"keeps a checkpoint of {first.size} entries with another root" in found.problem


def test_a_ledger_that_was_cut_leaves_the_folder_as_it_is(kept: Path) -> None:
    """The database was restored from a backup, or somebody took the end away."""
    checkpoint()
    book_many(3)
    made = checkpoint()
    send_checkpoints()
    with unguarded():
        for model in (WitnessReceipt, LedgerCheckpoint, LedgerTile, LedgerLeaf):
            model._default_manager.all()._raw_delete("default")
        LedgerEntry.objects.filter(pk=LedgerEntry.objects.order_by("-pk")[0].pk)._raw_delete("default")
    checkpoint()

    found = untouched(kept)

    assert found.contradicts
    assert f"keeps a checkpoint of {made.size} entries, and the ledger's newest has {made.size - 1}" in found.problem


def test_the_folder_of_another_portal(kept: Path, settings: Settings) -> None:
    checkpoint()
    send_checkpoints()
    settings.LEDGER_ORIGIN = "other.example/ledger"
    book_many(1)
    checkpoint()

    found = untouched(kept)

    assert found.contradicts
    assert "checkpoints of another ledger" in found.problem


@pytest.mark.parametrize("junk", [b"", b"junk", b"\xff\xfe", b"a\n1\n\n"])
def test_a_checkpoint_that_cannot_be_read_is_left_alone(kept: Path, junk: bytes) -> None:
    (kept / "checkpoint").write_bytes(junk)
    checkpoint()

    found = untouched(kept)

    assert found.contradicts
    assert "a checkpoint that cannot be read" in found.problem


def test_a_file_with_other_content_is_never_written_over(kept: Path) -> None:
    book_many(300)
    made = checkpoint()
    for name in (f"checkpoints/{made.size}", Tile(0, 0).path):
        (kept / name).parent.mkdir(parents=True, exist_ok=True)
        (kept / name).write_bytes(b"mine")
        waiting_is_over()
        assert send_checkpoints() == 0
        assert (kept / name).read_bytes() == b"mine"
        assert not (kept / "checkpoint").exists()
        assert (standing().contradicts, name in standing().problem) == (True, True)
        (kept / name).unlink()
    waiting_is_over()
    assert send_checkpoints() == 1


def test_a_folder_that_is_not_there_is_not_made(kept: Path) -> None:
    """Or the checkpoints of an unmounted disk would land beside the database."""
    kept.rmdir()
    checkpoint()

    assert send_checkpoints() == 0
    assert not kept.exists()
    assert (standing().contradicts, "There is no folder" in standing().problem) == (False, True)
    kept.mkdir()
    waiting_is_over()
    assert send_checkpoints() == 1


def test_a_folder_that_cannot_be_written_is_said(kept: Path) -> None:
    """What is in its way is a file, so that this holds for root too."""
    (kept / "tile").write_text("in the way")
    checkpoint()

    assert send_checkpoints() == 0
    assert (standing().contradicts, "cannot be read or written" in standing().problem) == (False, True)


@pytest.mark.parametrize("written", range(7))
def test_what_was_begun_is_finished(kept: Path, monkeypatch: pytest.MonkeyPatch, written: int) -> None:
    """Killed at each write in turn: no file is ever half there, `checkpoint` comes last, and the next run goes on."""
    book_many(520)
    checkpoint()
    real, left = folder._part, written

    def breaks(root: Path, data: bytes) -> Path:
        nonlocal left
        left -= 1
        if left < 0:
            (root / f"{folder.PART}left").write_bytes(data[: len(data) // 2])
            raise KeyboardInterrupt
        return real(root, data)

    monkeypatch.setattr(folder, "_part", breaks)
    with pytest.raises(KeyboardInterrupt):
        send_checkpoints()
    assert not (kept / "checkpoint").exists()
    before = {name: data for name, data in content(kept).items() if folder.PART not in name}
    assert len(before) == written

    monkeypatch.setattr(folder, "_part", real)
    waiting_is_over()
    assert send_checkpoints() == 1
    assert before.items() <= content(kept).items()
    assert leaves_in(kept, LedgerCheckpoint.objects.get().size)
    assert not list(kept.glob(f"{folder.PART}*"))
    assert WitnessState.objects.get().problem == ""


def test_two_witnesses_each_have_their_own(kept: Path, settings: Settings, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    settings.LEDGER_WITNESSES = [f"file://{kept}", f"file://{other}", f"file://{kept}/"]
    checkpoint()

    assert send_checkpoints() == 2
    assert content(kept) == content(other)
    assert len(witness_states()) == 2
