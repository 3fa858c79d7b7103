"""The setting that names the witnesses, and the keys in it."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from activations.domain.checkpoint import ED25519, Checkpoint, note_text, read_note
from activations.domain.cosignatures import COSIGNATURE, VerifierKey, cosignature_of, cosigned_text, read_key
from activations.domain.witnesses import Witness, WitnessKind, read_witness

KEY = VerifierKey("witness.example.com/w1", COSIGNATURE, bytes(range(32)))
GO = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


@pytest.mark.parametrize(
    ("text", "witness"),
    [
        ("file:///mnt/auditor", Witness(WitnessKind.FOLDER, "file:///mnt/auditor", "/mnt/auditor")),
        ("file:///mnt/the%20auditor/", Witness(WitnessKind.FOLDER, "file:///mnt/the auditor", "/mnt/the auditor")),
        ("file://localhost/mnt/a", Witness(WitnessKind.FOLDER, "file:///mnt/a", "/mnt/a")),
        ("mailto:ada@audit.example", Witness(WitnessKind.MAIL, "mailto:ada@audit.example", "ada@audit.example")),
        ("https://w.example/log/", Witness(WitnessKind.HTTP, "https://w.example/log", "https://w.example/log")),
        (f"https://w.example#{KEY}", Witness(WitnessKind.HTTP, "https://w.example", "https://w.example", KEY)),
        ("http://127.0.0.1:8010/w", Witness(WitnessKind.HTTP, "http://127.0.0.1:8010/w", "http://127.0.0.1:8010/w")),
        ("http://[::1]:8010", Witness(WitnessKind.HTTP, "http://[::1]:8010", "http://[::1]:8010")),
        ("http://localhost", Witness(WitnessKind.HTTP, "http://localhost", "http://localhost")),
    ],
)
def test_addresses(text: str, witness: Witness) -> None:
    assert read_witness(text) == witness


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "begins with none of"),
        ("/mnt/auditor", "begins with none of"),
        ("ftp://w.example/", "begins with none of"),
        ("file://mnt/auditor", "three slashes"),
        ("file:///", "not the root"),
        ("file:///mnt/../etc", "whole"),
        ("file:///mnt/a#b", "nothing behind"),
        ("mailto:ada", "mailto:name@example.com"),
        ("mailto:ada@audit.example,eve@evil.example", "one each"),
        ("mailto:ada@audit.example?cc=eve@evil.example", "nothing behind"),
        ("http://w.example/", "https:// only"),
        ("http://127.0.0.1.evil.example/", "https:// only"),
        ("https://", "https://host/prefix"),
        ("https://w.example?x=1", "https://host/prefix"),
        ("https://ada:secret@w.example/", "a name or a password"),
        ("https://w.example:port/", "no address"),
        (f"https://w.example#{GO}", "not the key of a witness"),
        (f"https://w.example#{str(KEY)[:-4]}", "not the key of a witness"),
        ("https://w.example/" + "x" * 500, "longer than"),
    ],
)
def test_what_is_no_address(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as raised:
        read_witness(text)
    assert "secret" not in str(raised.value)


@given(st.text())
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    for given_text in (text, f"https://{text}", f"file:///{text}", f"mailto:{text}", f"https://w.example#{text}"):
        try:
            read_witness(given_text)
        except ValueError:
            continue


def test_published_verifier_keys() -> None:
    """Of golang.org/x/mod/sumdb: the checksum database's, and that of the tests of its notes."""
    for text, name in ((GO, "sum.golang.org"), (NEUMANN, "PeterNeumann")):
        key = read_key(text, ED25519)
        assert (key.name, str(key)) == (name, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no verifier key"),
        ("sum.golang.org", "no verifier key"),
        (GO.replace("033de0ae", "033de0af"), "a letter is wrong"),
        (GO.replace("sum.", "sun."), "a letter is wrong"),
        (GO[:-1], "no verifier key"),
        (GO[:-4], "not a key for Ed25519"),
        (GO.replace("sum.golang.org", "sum golang"), "no verifier key"),
        (f"{GO}\n", "no verifier key"),
        (str(KEY), "not a key for Ed25519"),
    ],
)
def test_what_is_no_verifier_key(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_key(text, ED25519)


def test_a_real_signature_of_a_real_log() -> None:
    """The checksum database of Go signed its tree of 20 852 163 records; C2SP prints that signature in its examples,
    under another name of a log, which is why it holds for the text with the log's own name alone.
    """
    signature = base64.b64decode(
        "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8="
    )
    root = base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    key = read_key(GO, ED25519)

    assert signature[:4] == key.id
    text = note_text(Checkpoint("go.sum database tree", 20852163, root))
    Ed25519PublicKey.from_public_bytes(key.public).verify(signature[4:], text.encode())


# The example of C2SP tlog-cosignature.
PUBLISHED = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa \
Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 \
jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""


def test_the_published_example_of_a_cosignature() -> None:
    checkpoint, signatures = read_note(PUBLISHED)
    name, blob = signatures[1]

    assert (name, blob[:4].hex(), len(blob)) == ("witness.example.com/w1", "8d66cf3f", 4 + 8 + 64)
    assert int.from_bytes(blob[4:12], "big") == 1679315147
    assert cosigned_text(checkpoint, 1679315147) == (
        "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n"
        "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )


def test_a_cosignature_is_found_by_name_key_and_length() -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    key = VerifierKey("witness.example.com/w1", COSIGNATURE, private.public_key().public_bytes_raw())
    blob = key.id + (1679315147).to_bytes(8, "big") + bytes(64)

    found = cosignature_of(key, key.name, blob)

    assert found is not None
    assert (found.time, found.signature) == (1679315147, bytes(64))
    assert cosignature_of(key, "witness.example.com/w2", blob) is None
    assert cosignature_of(key, key.name, b"\0\0\0\0" + blob[4:]) is None
    assert cosignature_of(key, key.name, blob[:-1]) is None
    assert cosignature_of(key, key.name, blob + b"\0") is None
