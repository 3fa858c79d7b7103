"""Shared by all tests: lifting the database's own defences for what only a test may do."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.core.management import call_command
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import TransactionTestCase

from activations.models import triggers
from activations.models.rules import Event

# What emptying a table takes: Django deletes on SQLite and truncates on PostgreSQL.
EMPTYING = {"sqlite": (Event.DELETE,), "postgresql": (Event.TRUNCATE,)}


@contextmanager
def without_triggers(connection: BaseDatabaseWrapper, events: Collection[Event] = tuple(Event)) -> Iterator[None]:
    """The triggers that watch these events are gone inside, and back afterwards whatever happened."""
    triggers.uninstall(connection, events)
    try:
        yield
    finally:
        triggers.install(connection)


def flush(alias: str = "default") -> None:
    """Empties the database, past the triggers; the roles and the catalog are made again."""
    connection = connections[alias]
    with without_triggers(connection, EMPTYING[connection.vendor]):
        call_command("flush", verbosity=0, interactive=False, database=alias)


@contextmanager
def tests_may_flush() -> Iterator[None]:
    """Lets Django empty the database after each transactional test, as `django_db(transaction=True)` needs it."""
    flush_after_test = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def past_the_triggers(test: Any) -> None:
        with ExitStack() as lifted:
            for alias in test._databases_names(include_mirrors=False):
                connection = connections[alias]
                lifted.enter_context(without_triggers(connection, EMPTYING[connection.vendor]))
            flush_after_test(test)

    TransactionTestCase._fixture_teardown = past_the_triggers  # type: ignore[attr-defined]
    try:
        yield
    finally:
        TransactionTestCase._fixture_teardown = flush_after_test  # type: ignore[attr-defined]
