"""What the portal's tests start from. A test that needs real commits asks for `transactional_db` as well."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from activations.services.licenses import LicenseCreated
from tests.portal.cast import make_keys, make_license
from tests.portal.web import Browser, signed_in


@pytest.fixture
def signing_keys(db: None) -> None:
    """A vendor root, a key that signs Usage Licenses and one that signs checkpoints."""
    make_keys()


@pytest.fixture
def license(signing_keys: None) -> LicenseCreated:
    """A license with two allowed activations, and keys to answer its requests."""
    return make_license(allowed=2)


@pytest.fixture
def sign_in(db: None) -> Callable[[str], Browser]:
    """A browser signed in as one of the cast, by user name; the account is made on first use."""
    return signed_in
