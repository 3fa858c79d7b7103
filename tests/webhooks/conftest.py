"""What the tests of webhooks start from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from licensing_portal.receivers import parsed
from tests.portal.conftest import license, sign_in, signing_keys
from tests.webhooks.receiver import Authority, Receiver, receiving

__all__ = ["license", "sign_in", "signing_keys"]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def receiver(settings: Settings, authority: Authority) -> Iterator[Receiver]:
    """A receiver in the plant, which the settings let us reach."""
    with receiving(authority.context("localhost", "127.0.0.1")) as there:
        settings.WEBHOOK_CA_FILE = str(authority.file)
        settings.WEBHOOK_ALLOW = parsed([f"localhost:{there.port}"])
        yield there
