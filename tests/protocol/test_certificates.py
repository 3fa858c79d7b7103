"""Vendor roots and signing certificates: every way one can be unfit has its own name."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from chariot_license.protocol.certificates import (
    PURPOSE_OIDS,
    check_certificate,
    issue_certificate,
    load_certificate,
    make_root,
    raw_public_key,
    serial_hex,
)
from chariot_license.protocol.errors import CertificateError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocol import samples
from tests.protocol.samples import ISSUED_AT, NOT_AFTER, NOT_BEFORE, ROOT, ROOT_KEY, ROOTS, certificate

GOOD = certificate()


def usage(*, digital_signature: bool = True, key_cert_sign: bool = False, key_agreement: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature, False, False, False, key_agreement, key_cert_sign, False, False, False
    )  # fmt: skip


def custom(
    *extensions: tuple[x509.ExtensionType, bool],
    public: Any = None,
    leave_out: Collection[type[x509.ExtensionType]] = (),
    key: Any = ROOT_KEY,
    algorithm: hashes.SHA256 | None = None,
) -> bytes:
    """A certificate that ROOT issued properly but for what is given."""
    chosen = {
        x509.BasicConstraints: (x509.BasicConstraints(ca=False, path_length=None), True),
        x509.KeyUsage: (usage(), True),
        x509.ExtendedKeyUsage: (x509.ExtendedKeyUsage([PURPOSE_OIDS["usage-license"]]), True),
    }
    for extension, critical in extensions:
        chosen[type(extension)] = (extension, critical)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Chariot License Signing 1")]))
        .issuer_name(ROOT.subject)
        .public_key(public or samples.SIGNING_KEY.public_key())
        .serial_number(7)
        .not_valid_before(datetime.fromtimestamp(NOT_BEFORE, UTC))
        .not_valid_after(datetime.fromtimestamp(NOT_AFTER, UTC))
    )
    for kind, (extension, critical) in chosen.items():
        if kind not in leave_out:
            builder = builder.add_extension(extension, critical)
    return builder.sign(key, algorithm).public_bytes(Encoding.DER)


def foreign_root_of_the_same_name() -> bytes:
    twin = make_root(samples.FOREIGN_KEY, "Chariot License Root A", 1, NOT_BEFORE, NOT_AFTER)
    return certificate(root=twin, root_key=samples.FOREIGN_KEY)


def issued_by_a_signing_certificate() -> bytes:
    """A signing key that plays the root: the classic mistake of checking one signature and no CA flag."""
    return custom(key=samples.SIGNING_KEY)


CASES: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "certificate-malformed"),
    "junk": (lambda: b"\x30\x82" + b"junk" * 50, "certificate-malformed"),
    "truncated": (lambda: GOOD[:-1], "certificate-malformed"),
    "trailing bytes": (lambda: GOOD + b"\0", "certificate-malformed"),
    "PEM": (lambda: load_certificate(GOOD).public_bytes(Encoding.PEM), "certificate-malformed"),
    "too large": (
        lambda: custom((x509.SubjectAlternativeName([x509.DNSName("x" * 60)] * 20), False)),
        "certificate-malformed",
    ),
    "P-256 key": (lambda: custom(public=ec.generate_private_key(ec.SECP256R1()).public_key()), "certificate-algorithm"),
    "signed with ECDSA": (
        lambda: custom(key=ec.generate_private_key(ec.SECP256R1()), algorithm=hashes.SHA256()),
        "certificate-algorithm",
    ),
    "low-order key": (
        lambda: custom(public=Ed25519PublicKey.from_public_bytes(b"\x01" + bytes(31))),
        "certificate-weak-key",
    ),
    "foreign root": (
        lambda: certificate(
            root=make_root(samples.FOREIGN_KEY, "Some Other Root", 1, NOT_BEFORE, NOT_AFTER),
            root_key=samples.FOREIGN_KEY,
        ),
        "certificate-unknown-issuer",
    ),
    "foreign root of the same name": (foreign_root_of_the_same_name, "certificate-signature-wrong"),
    "issued by a signing certificate": (issued_by_a_signing_certificate, "certificate-signature-wrong"),
    "one bit changed": (lambda: GOOD[:-1] + bytes([GOOD[-1] ^ 1]), "certificate-signature-wrong"),
    "the root itself": (lambda: ROOT.public_bytes(Encoding.DER), "certificate-is-ca"),
    "CA flag": (lambda: custom((x509.BasicConstraints(ca=True, path_length=None), True)), "certificate-is-ca"),
    "no basic constraints": (lambda: custom(leave_out=[x509.BasicConstraints]), "certificate-is-ca"),
    "no key usage": (lambda: custom(leave_out=[x509.KeyUsage]), "certificate-key-usage"),
    "key usage without signature": (
        lambda: custom((usage(digital_signature=False, key_agreement=True), True)),
        "certificate-key-usage",
    ),
    "key usage with more": (lambda: custom((usage(key_cert_sign=True), True)), "certificate-key-usage"),
    "checkpoint key": (lambda: certificate(purpose="checkpoint"), "certificate-purpose"),
    "no extended key usage": (lambda: custom(leave_out=[x509.ExtendedKeyUsage]), "certificate-purpose"),
    "two purposes": (lambda: custom((x509.ExtendedKeyUsage([*PURPOSE_OIDS.values()]), True)), "certificate-purpose"),
    "any purpose": (
        lambda: custom((x509.ExtendedKeyUsage([x509.ObjectIdentifier("2.5.29.37.0")]), True)),
        "certificate-purpose",
    ),
    "unknown critical extension": (
        lambda: custom((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.32473.99"), b"\x05\0"), True)),
        "certificate-unknown-extension",
    ),
    "not yet valid": (lambda: certificate(not_before=ISSUED_AT + 1), "certificate-not-yet-valid"),
    "expired": (lambda: certificate(not_after=ISSUED_AT - 1), "certificate-expired"),
}


@pytest.mark.parametrize("case", CASES)
def test_every_unfit_certificate_has_its_own_error(case: str) -> None:
    build, code = CASES[case]
    with pytest.raises(CertificateError) as caught:
        check_certificate(build(), ROOTS, ISSUED_AT, "usage-license")
    assert caught.value.code == code
    assert caught.value.message.endswith(".")


def test_both_pinned_roots_are_trusted_and_each_alone_trusts_its_own() -> None:
    spare = certificate(root=samples.SPARE, root_key=samples.SPARE_KEY)
    for der in (GOOD, spare):
        assert check_certificate(der, ROOTS, ISSUED_AT, "usage-license").public_bytes(Encoding.DER) == der
    with pytest.raises(CertificateError, match="trusts"):
        check_certificate(spare, [ROOT], ISSUED_AT, "usage-license")
    with pytest.raises(CertificateError, match="trusts"):
        check_certificate(GOOD, [], ISSUED_AT, "usage-license")


@pytest.mark.parametrize("at", [NOT_BEFORE, ISSUED_AT, NOT_AFTER])
def test_validity_includes_both_ends(at: int) -> None:
    assert check_certificate(GOOD, ROOTS, at, "usage-license")


def test_an_extension_that_is_not_critical_is_ignored() -> None:
    assert check_certificate(custom((x509.OCSPNoCheck(), False)), ROOTS, ISSUED_AT, "usage-license")


def test_a_checkpoint_key_is_good_for_checkpoints() -> None:
    assert check_certificate(certificate(purpose="checkpoint"), ROOTS, ISSUED_AT, "checkpoint")


@pytest.mark.parametrize("written", ["1f2e3d4c5b6a7988", "1F2E3D4C5B6A7988", "001f2e3d4c5b6a7988"])
def test_a_denied_serial_is_revoked_however_it_is_written(written: str) -> None:
    with pytest.raises(CertificateError) as caught:
        check_certificate(GOOD, ROOTS, ISSUED_AT, "usage-license", ["ab", written])
    assert caught.value.code == "certificate-revoked"
    assert caught.value.detail == {"serial": "1f2e3d4c5b6a7988"}


def test_serials_have_whole_bytes() -> None:
    assert serial_hex(load_certificate(certificate(serial=0x123))) == "0123"


def test_a_certificate_is_only_issued_with_the_key_of_its_root() -> None:
    with pytest.raises(ValueError, match="root key"):
        certificate(root_key=samples.FOREIGN_KEY)


def test_the_profile_is_what_the_document_says() -> None:
    made = load_certificate(GOOD)
    assert made.version == x509.Version.v3
    assert [(e.oid.dotted_string, e.critical) for e in made.extensions] == [
        ("2.5.29.19", True),
        ("2.5.29.15", True),
        ("2.5.29.37", True),
        ("2.5.29.35", False),
    ]
    assert [(e.oid.dotted_string, e.critical) for e in ROOT.extensions] == [
        ("2.5.29.19", True),
        ("2.5.29.15", True),
        ("2.5.29.14", False),
    ]
    assert made.signature_algorithm_oid.dotted_string == "1.3.101.112"
    assert raw_public_key(made) == samples.public(samples.SIGNING_KEY)


def openssl_verify(folder: Path, der: bytes, *roots: x509.Certificate, at: int) -> subprocess.CompletedProcess[str]:
    (folder / "roots.pem").write_bytes(b"".join(root.public_bytes(Encoding.PEM) for root in roots))
    (folder / "signing.pem").write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
    command = ["openssl", "verify", "-x509_strict", "-check_ss_sig", "-attime", str(at)]
    command += ["-CAfile", str(folder / "roots.pem"), str(folder / "signing.pem")]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_openssl_agrees(tmp_path: Path) -> None:
    good = openssl_verify(tmp_path, GOOD, *ROOTS, at=ISSUED_AT)
    assert good.returncode == 0, good.stderr
    assert good.stdout.endswith("signing.pem: OK\n")
    assert "expired" in openssl_verify(tmp_path, GOOD, *ROOTS, at=NOT_AFTER + 1).stderr
    assert "not yet valid" in openssl_verify(tmp_path, GOOD, *ROOTS, at=NOT_BEFORE - 1).stderr
    assert openssl_verify(tmp_path, GOOD, samples.SPARE, at=ISSUED_AT).returncode != 0
    assert openssl_verify(tmp_path, foreign_root_of_the_same_name(), *ROOTS, at=ISSUED_AT).returncode != 0


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_changed_certificate_is_refused_by_name(data: st.DataObject) -> None:
    changed = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(GOOD) - 1))] ^= data.draw(st.integers(1, 255))
    if bytes(changed) != GOOD:
        with pytest.raises(CertificateError):
            check_certificate(bytes(changed), ROOTS, ISSUED_AT, "usage-license")


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_else(junk: bytes) -> None:
    with pytest.raises(CertificateError):
        check_certificate(junk, ROOTS, ISSUED_AT, "usage-license")


def test_years_far_away_are_read() -> None:
    late = int((datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - timedelta(0)).timestamp())
    root = make_root(ROOT_KEY, "Late", 1, 0, late)
    made = issue_certificate(root, ROOT_KEY, samples.SIGNING_KEY.public_key(), "S", 5, 0, late, "usage-license")
    assert check_certificate(made.public_bytes(Encoding.DER), [root], late, "usage-license")
