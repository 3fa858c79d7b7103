"""Reading much at once: one consistent state of the database, without holding up those who book meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import connections, transaction


@contextmanager
def snapshot() -> Iterator[None]:
    """A transaction that only reads, and sees nothing of what commits after its first look.

    PostgreSQL: repeatable read, read only. SQLite: a deferred transaction, because the portal's usual one takes the
    write lock when it begins and would keep every booking waiting. Inside a caller's transaction it is the caller's.
    """
    connection: Any = connections["default"]
    if connection.in_atomic_block:
        yield
        return
    connection.ensure_connection()
    with ExitStack() as stack:
        if connection.vendor == "sqlite":
            usual = connection.transaction_mode
            connection.transaction_mode = "DEFERRED"
            try:
                stack.enter_context(transaction.atomic())
            finally:
                connection.transaction_mode = usual
        else:
            stack.enter_context(transaction.atomic())
            connection.cursor().execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield
