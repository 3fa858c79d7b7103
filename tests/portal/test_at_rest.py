"""What a stolen copy of the database shows: no private key, no License Key, no deactivation code, in no table."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from chariot_license.protocol.codes import LicenseKey
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import connection

from activations.models import KeyPurpose, PortalSecret, SigningKey
from activations.services import vault
from activations.services.deactivate import deactivate_activation
from activations.services.licenses import LicenseCreated, replace_license_key
from activations.services.losses import mark_lost
from tests.portal.cast import AGENT, MANAGER, SOURCE, answered
from tests.portal.chariot import Chariot, host


def everything_stored() -> bytes:
    """Every value of every row of every table, as bytes."""
    found: list[bytes] = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            found += [_bytes(value) for row in cursor.fetchall() for value in row]
    return b"\n".join(found)


def _bytes(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()


def spellings(secret: bytes) -> Iterator[bytes]:
    """The ways in which bytes get into a row by mistake."""
    yield secret
    yield secret.hex().encode()
    yield base64.b64encode(secret).rstrip(b"=")
    yield base64.urlsafe_b64encode(secret).rstrip(b"=")
    yield str(secret).encode()


@pytest.fixture
def used(license: LicenseCreated) -> dict[str, bytes]:
    """The secrets of a portal where a key was replaced, a host was lost, and one was deactivated."""
    pump, mill = (Chariot(license.license_key, host(name)) for name in ("pump-house", "mill"))
    answered(mill.request())
    activation_id = pump.install(answered(pump.request())).activation_id
    mark_lost(activation_id=activation_id, actor=AGENT, source=SOURCE, reason="flooded")
    tenure, code = pump.secret, pump.deactivate()
    deactivate_activation(license_id=license.license_id, code=code, actor=AGENT, source=SOURCE)
    replaced = replace_license_key(license_id=license.license_id, actor=MANAGER, source=SOURCE, reason="leaked")
    assert isinstance(replaced, LicenseCreated)
    secrets = {"deactivation secret": tenure, "deactivation code": code.encode()}
    for which, text in (("first", license.license_key), ("second", replaced.license_key)):
        key = LicenseKey.parse(text)
        secrets |= {f"{which} License Key": text.encode(), f"{which} secret": key.secret, "seed": key.seed}
        secrets |= {f"{which} proof key": key.proof_key, f"{which} receipt key": key.receipt_key}
    for row in SigningKey.objects.all():
        secrets[f"private key of {row.name}"] = vault.decrypt(bytes(row.private_encrypted or b""), use="signing-key")
    stored = PortalSecret.objects.get(name="key-digest")
    secrets["digest secret"] = vault.decrypt(bytes(stored.value_encrypted), use="portal-secret")
    return secrets


def test_no_secret_stands_in_any_table(used: dict[str, bytes]) -> None:
    stored = everything_stored()

    assert b"pump-house" in stored  # it looks where things stand
    assert {row.purpose for row in SigningKey.objects.all()} == set(KeyPurpose.values)
    for name, secret in used.items():
        assert not [spelling for spelling in spellings(secret) if spelling in stored], name


def test_the_stored_certificates_verify_with_openssl(signing_keys: None, tmp_path: Path) -> None:
    for row in SigningKey.objects.all():
        certificate = x509.load_der_x509_certificate(bytes(row.certificate))
        (tmp_path / f"{row.purpose}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))

    for purpose in (KeyPurpose.USAGE_LICENSE, KeyPurpose.CHECKPOINT):
        done = subprocess.run(
            ["openssl", "verify", "-x509_strict", "-check_ss_sig", "-CAfile", "root.pem", f"{purpose.value}.pem"],
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stdout) == (0, f"{purpose.value}.pem: OK\n"), done.stderr
