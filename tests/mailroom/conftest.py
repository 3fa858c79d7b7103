"""What the tests of mail start from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from activations import tasks
from activations.services.licenses import LicenseCreated
from activations.services.post.signals import something_to_send
from tests.mailroom.smtp import Catcher, catching
from tests.portal.cast import make_keys, make_license


@pytest.fixture
def smtp(settings: Settings) -> Iterator[Catcher]:
    """A mail server that keeps what it gets; the portal sends through it."""
    with catching() as catcher:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", catcher.port
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        settings.DEFAULT_FROM_EMAIL = "Licensing Support <licensing@portal.example>"
        yield catcher


@pytest.fixture
def signing_keys(db: None) -> None:
    make_keys()


@pytest.fixture
def license(signing_keys: None) -> LicenseCreated:
    """A license with two allowed activations, and keys to answer its requests."""
    return make_license(allowed=2)


@pytest.fixture
def nobody_sends_by_itself() -> Iterator[None]:
    """These tests say when a mail is sent; what a commit starts is tested with the jobs."""
    something_to_send.disconnect(tasks._send_soon)
    yield
    something_to_send.connect(tasks._send_soon)
