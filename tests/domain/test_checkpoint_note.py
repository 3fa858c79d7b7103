"""The text of a checkpoint: written one way only, and read strictly."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from activations.domain.checkpoint import Checkpoint, key_hash, note_text, read_note, valid_name

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
        (NOTE.replace("\n7\n", "\n\n"), "not a checkpoint note"),
        (NOTE.replace("\n7\n", "\n0x7\n"), "tree size"),
        (NOTE.replace("\n7\n", "\n7_0\n"), "tree size"),
        (NOTE.replace("\n7\n", "\n00\n"), "tree size"),
        (NOTE.replace("\n7\n", f"\n1{'0' * 5000}\n"), None),
        (NOTE.replace("\n7\n", "\r\n7\r\n"), "control characters"),
        (NOTE.replace("\n7\n", "\t\n7\n"), "control characters"),
        (f"\ufeff{NOTE}".replace("ledger\n7", "ledger\n 7"), "tree size"),
        (NOTE.replace("example.com/ledger\n7", "\n7"), "origin"),
        (NOTE.replace("example.com/ledger\n7", "example.com/my ledger\n7"), "origin"),
        (NOTE.replace("example.com/ledger\n7", "example.com/\u00a0ledger\n7"), "origin"),
        (NOTE.replace("example.com/ledger\n7", "example.com/\u2028ledger\n7"), "origin"),
        (NOTE.replace("example.com/ledger\n7", "example.com/ledger+1\n7"), "origin"),
        (NOTE.replace("example.com/ledger\n7", "example.com/\ud800\n7"), None),
        (NOTE.replace(ROOT, ROOT[:-1]), "root hash"),
        (NOTE.replace(ROOT, f"{ROOT[:-2]}*="), "root hash"),
        (NOTE.replace(ROOT, f"{ROOT[:-2]}9="), "root hash"),  # the same 32 bytes, with a bit left over
        (NOTE.replace(ROOT, f" {ROOT}"), "root hash"),
        (NOTE.replace(ROOT, f"{ROOT}="), "root hash"),
        (NOTE.replace(ROOT, base64.b64encode(bytes(31)).decode()), "root hash of the note is not 32 bytes"),
        (NOTE.replace(ROOT, base64.b64encode(bytes(33)).decode()), "root hash of the note is not 32 bytes"),
        (NOTE.replace(ROOT, base64.urlsafe_b64encode(b"\xff" * 32).decode()), "root hash"),
        (NOTE.replace(SIGNATURE, f"{SIGNATURE[:-3]}!=="), "signature"),
        (NOTE.replace(SIGNATURE, "水"), "signature"),
        (NOTE.replace(SIGNATURE, ""), "signature"),
        (NOTE.replace(SIGNATURE, base64.b64encode(b"\x01\x02\x03\x04").decode()), "too short"),
        (NOTE.replace("— example.com/ledger", "— "), "not a signature line"),
        (NOTE.replace("— example.com/ledger", "— example+com"), "not a signature line"),
        (NOTE.replace("— example.com/ledger", "— example\u3000com"), "not a signature line"),
        (f"{NOTE}\n— example.com/ledger {SIGNATURE}\n", "not a signature line"),
    ],
)
def test_what_is_no_note(note: str, said: str | None) -> None:
    with pytest.raises(ValueError, match=said):
        read_note(note)


# The example of C2SP tlog-checkpoint.
PUBLISHED = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa \
Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
"""


def test_the_published_example_of_a_checkpoint() -> None:
    checkpoint, [(name, signature)] = read_note(PUBLISHED)

    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.root.hex() == "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62"
    assert (name, len(signature), signature[:4].hex()) == (checkpoint.origin, 4 + 64, "033de0ae")
    assert PUBLISHED.startswith(note_text(checkpoint) + "\n")


def test_a_published_signature_is_over_the_text_with_its_last_newline() -> None:
    """The example of golang.org/x/mod/sumdb/note: a note that is no checkpoint, signed by the key named above."""
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    key = base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    signature = base64.b64decode(
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    )

    assert signature[:4] == key_hash("PeterNeumann", key[1:])
    Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature[4:], text.encode())


def test_the_key_id_of_the_go_checksum_database() -> None:
    key = base64.b64decode("Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8")

    assert key_hash("sum.golang.org", key[1:]).hex() == "033de0ae"


def test_further_lines_belong_to_what_is_signed() -> None:
    """The format allows them; a line that is added afterwards must not slip past the signature."""
    checkpoint, _ = read_note(NOTE.replace(ROOT, f"{ROOT}\nadded later\nand more"))

    assert checkpoint.extensions == ("added later", "and more")
    assert note_text(checkpoint) == f"example.com/ledger\n7\n{ROOT}\nadded later\nand more\n"


def test_an_empty_tree_has_a_size_too() -> None:
    assert read_note(NOTE.replace("\n7\n", "\n0\n"))[0].size == 0


@pytest.mark.parametrize("name", ["example.com/ledger", "licensing.localhost/ledger", "PeterNeumann", "水"])
def test_names_of_logs(name: str) -> None:
    assert valid_name(name)


@pytest.mark.parametrize("name", ["", " ", "a b", "a\nb", "a\x00b", "a+b", "a\u2003b", "a\u0085b"])
def test_what_is_no_name_of_a_log(name: str) -> None:
    assert not valid_name(name)


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
