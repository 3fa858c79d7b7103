"""The API's tests start from what the portal's start from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import caches

from tests.portal.conftest import license, sign_in, signing_keys

__all__ = ["license", "sign_in", "signing_keys"]


@pytest.fixture(autouse=True)
def _nothing_counted() -> Iterator[None]:
    """Each test has its own minute."""
    yield
    for cache in caches.all():
        cache.clear()
