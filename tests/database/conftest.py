from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction

from tests.database.factory import make_world


@contextmanager
def _undone_afterwards() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def _world(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock(), _undone_afterwards():
        make_world()
        # PostgreSQL truncates no table while foreign keys of this very transaction wait to be checked.
        connection.check_constraints()
        yield


@pytest.fixture
def world(_world: None, db: None) -> Iterator[None]:
    """The rows of `factory`, made once for all tests of a module; what a test does to them is undone."""
    with _undone_afterwards():  # before `db` looks for foreign keys that lead nowhere
        yield


@pytest.fixture
def committed_world(transactional_db: None) -> None:
    """The same rows where other connections see them."""
    make_world()
