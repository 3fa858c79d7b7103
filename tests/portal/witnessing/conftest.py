"""A ledger with keys, and witnesses to send its checkpoints to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pytest_django import Settings

from activations.models import SigningKey
from tests.mailroom.conftest import smtp  # noqa: F401 - a fixture
from tests.portal.witnessing.server import Log, Network, witnessing


def log_public() -> bytes:
    row = SigningKey.objects.get(purpose="checkpoint", current=True)
    public = x509.load_der_x509_certificate(bytes(row.certificate)).public_key()
    assert isinstance(public, Ed25519PublicKey)
    return public.public_bytes_raw()


@pytest.fixture
def network(signing_keys: None, settings: Settings) -> Iterator[Network]:
    """A witness on this machine that knows the ledger's key, and is named by the settings with its own."""
    with witnessing() as found:
        found.logs[settings.LEDGER_ORIGIN] = Log(log_public())
        settings.LEDGER_WITNESSES = [f"{found.url}#{found.vkey}"]
        yield found


@pytest.fixture
def kept(signing_keys: None, settings: Settings, tmp_path: Path) -> Path:
    """A folder that is a witness."""
    folder = tmp_path / "kept"
    folder.mkdir()
    settings.LEDGER_WITNESSES = [f"file://{folder}"]
    return folder
