"""Notes, cosignatures and add-checkpoint requests that others wrote, as known answers for our reading of them."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from activations.domain.checkpoint import ED25519, Checkpoint, note_text, read_note, read_signatures
from activations.domain.cosignatures import COSIGNATURE, VerifierKey, cosignature_of, cosigned_text, read_key
from activations.domain.merkle import verify_consistency

# A checkpoint of a Certificate Transparency log, as its own server gave it, cosigned by four public witnesses.
REAL = """\
arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— arche2025h1.staging.ct.transparency.dev \
zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
— arche2025h1.staging.ct.transparency.dev \
ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=
— transparency.dev/DEV:witness-little-garden \
2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==
— witness1.smartit.nu/witness1 \
pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==
— remora.n621.de \
2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==
— witness.stagemole.eu \
Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==
"""
REAL_LOG = "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
REAL_WITNESSES = [
    "transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
    "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO",
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
]

# The requests of the tests of filippo.io/torchwood (litewitness), which a witness must take one after the other.
LOG = "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562"
LOG_KEY = VerifierKey(LOG, ED25519, bytes.fromhex("ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f"))
ONE = f"""\
old 0

{LOG}
1
KgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

— {LOG} UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNUbIQY=
"""
THREE = f"""\
old 1
KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

{LOG}
3
RcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=

— {LOG} UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6go=
"""
FIVE = f"""\
old 3
KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
KgMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
wgiIFdZfYNv6WU1OllBKsWnLYIS/DBMqt8Uh/S4OukE=
KgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

{LOG}
5
QrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=

— {LOG} UgIomw/EOJmWi0i1FQsOj+etB7F8IccFam/jgd6wzRns4QPVmyEZtdvl1U2KEmLOZ/ASRcWJi0tW90dJWAShei7sDww=
"""


def signed(key: VerifierKey, text: str, signatures: list[tuple[str, bytes]]) -> bool:
    """Whether one of the lines is by this key, and holds; one that names the key and does not is an error."""
    for name, blob in signatures:
        if (name, blob[:4]) == (key.name, key.id):
            Ed25519PublicKey.from_public_bytes(key.public).verify(blob[4:], text.encode())
            return True
    return False


def cosigned(key: VerifierKey, checkpoint: Checkpoint, signatures: list[tuple[str, bytes]]) -> int:
    """The time of the cosignature by this key; 0 if there is none."""
    for name, blob in signatures:
        found = cosignature_of(key, name, blob)
        if found is not None:
            text = cosigned_text(checkpoint, found.time)
            Ed25519PublicKey.from_public_bytes(key.public).verify(found.signature, text.encode())
            return found.time
    return 0


def test_a_real_checkpoint_and_its_real_cosignatures() -> None:
    checkpoint, signatures = read_note(REAL)

    assert (checkpoint.origin, checkpoint.size) == ("arche2025h1.staging.ct.transparency.dev", 1432088532)
    assert len(signatures) == 6
    assert signed(read_key(REAL_LOG, ED25519), note_text(checkpoint), signatures)
    for text in REAL_WITNESSES:
        key = read_key(text, COSIGNATURE)
        assert str(key) == text
        assert cosigned(key, checkpoint, signatures) == 0x6A122120


def test_anything_changed_and_they_do_not_hold() -> None:
    checkpoint, signatures = read_note(REAL)
    for other in (replace(checkpoint, size=42), replace(checkpoint, root=bytes(32)), replace(checkpoint, origin="x")):
        with pytest.raises(InvalidSignature):
            signed(read_key(REAL_LOG, ED25519), note_text(other), signatures)
        with pytest.raises(InvalidSignature):
            cosigned(read_key(REAL_WITNESSES[2], COSIGNATURE), other, signatures)


def test_published_requests_to_a_witness() -> None:
    before: Checkpoint | None = None
    for request in (ONE, THREE, FIVE):
        proof, _, note = request.partition("\n\n")
        first, *steps = proof.split("\n")
        checkpoint, signatures = read_note(note)
        path = [base64.b64decode(step) for step in steps]
        assert signed(LOG_KEY, note_text(checkpoint), signatures)
        if before is None:
            assert (first, path) == ("old 0", [])
        else:
            assert first == f"old {before.size}"
            known = (before.size, before.root, checkpoint.size, checkpoint.root)
            assert verify_consistency(*known, path)
            assert not verify_consistency(*known, path[:-1])
            assert not verify_consistency(*known, [*path[:-1], bytes(32)])
        before = checkpoint


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "— PeterNeumann "
            "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
        ),
        (
            "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop",
            "— EnochRoot "
            "rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n",
        ),
    ],
)
def test_the_signatures_of_the_first_implementation(key: str, line: str) -> None:
    """Of golang.org/x/mod/sumdb/note: two keys, one text."""
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"

    assert signed(read_key(key, ED25519), text, read_signatures(line))
    with pytest.raises(InvalidSignature):
        signed(read_key(key, ED25519), text + "\n", read_signatures(line))


def test_the_example_of_signed_note() -> None:
    key = read_key("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", ED25519)
    signature = "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM="
    line = f"— example.com/foo {signature}\n"

    assert signed(key, "This is an example message.\n", read_signatures(line))
