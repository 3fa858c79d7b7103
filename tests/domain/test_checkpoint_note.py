"""The text of a checkpoint: written one way only, and read strictly."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activations.domain.checkpoint import Checkpoint, key_hash, note_text, read_note

ROOT = base64.b64encode(bytes(range(32))).decode()
SIGNATURE = base64.b64encode(b"\x01\x02\x03\x04" + bytes(64)).decode()
NOTE = f"example.com/ledger\n7\n{ROOT}\n\n— example.com/ledger {SIGNATURE}\n"


def test_a_note_says_its_checkpoint_and_its_signatures() -> None:
    checkpoint, signatures = read_note(NOTE)

    assert checkpoint == Checkpoint("example.com/ledger", 7, bytes(range(32)))
    assert signatures == [("example.com/ledger", b"\x01\x02\x03\x04" + bytes(64))]
    assert NOTE.startswith(note_text(checkpoint) + "\n")


def test_a_witness_signs_below() -> None:
    _, signatures = read_note(f"{NOTE}— witness.example {SIGNATURE}\n")

    assert [name for name, _ in signatures] == ["example.com/ledger", "witness.example"]


def test_the_key_id_of_a_known_key() -> None:
    """The first vector of golang.org/x/mod/sumdb/note: PeterNeumann+c74f20a3."""
    key = base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")

    assert key_hash("PeterNeumann", key[1:]).hex() == "c74f20a3"


@pytest.mark.parametrize(
    ("note", "said"),
    [
        ("", "not a checkpoint note"),
        ("junk", "not a checkpoint note"),
        (NOTE.replace("\n\n", "\n"), "not a checkpoint note"),
        (NOTE.rstrip("\n"), "not a checkpoint note"),
        (f"example.com/ledger\n7\n\n— example.com/ledger {SIGNATURE}\n", "not a checkpoint note"),
        (NOTE.replace("—", "-"), "not a signature line"),
        (NOTE.replace("— ", "—"), "not a signature line"),
        (NOTE.replace("— ", "—  "), "not a signature line"),
        (NOTE + "\n", "not a signature line"),
        (f"{NOTE}and more\n", "not a signature line"),
        (NOTE.replace("\n7\n", "\n07\n"), "tree size"),
        (NOTE.replace("\n7\n", "\n-7\n"), "tree size"),
        (NOTE.replace("\n7\n", "\n+7\n"), "tree size"),
        (NOTE.replace("\n7\n", "\n7 \n"), "tree size"),
        (NOTE.replace("\n7\n", "\n\u0667\n"), "tree size"),
        (NOTE.replace("\n7\n", "\nseven\n"), "tree size"),
        (NOTE.replace("\n7\n", f"\n1{'0' * 5000}\n"), None),
        (NOTE.replace(ROOT, ROOT[:-1]), None),
        (NOTE.replace(ROOT, f"{ROOT[:-2]}*="), None),
        (NOTE.replace(SIGNATURE, f"{SIGNATURE[:-3]}!=="), None),
        (NOTE.replace(SIGNATURE, "水"), None),
    ],
)
def test_what_is_no_note(note: str, said: str | None) -> None:
    with pytest.raises(ValueError, match=said):
        read_note(note)


@given(st.text())
def test_any_text_is_a_note_or_a_value_error(text: str) -> None:
    for note in (text, NOTE.replace(ROOT, text), NOTE.replace(SIGNATURE, text), NOTE.replace("7", text, 1)):
        try:
            read_note(note)
        except ValueError:
            continue


@given(st.integers(min_value=0), st.binary(min_size=32, max_size=32))
def test_what_is_written_is_read(size: int, root: bytes) -> None:
    checkpoint = Checkpoint("example.com/ledger", size, root)

    assert read_note(f"{note_text(checkpoint)}\n— example.com/ledger {SIGNATURE}\n")[0] == checkpoint
