"""Connections to the test database that know nothing of the portal or of Django."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from django.db import connection


@contextmanager
def foreign_postgresql() -> Iterator[psycopg.Connection[Any]]:
    """As psql would connect."""
    settings = connection.settings_dict
    with closing(
        psycopg.connect(
            host=settings["HOST"],
            port=settings["PORT"] or None,
            user=settings["USER"],
            password=settings["PASSWORD"],
            dbname=settings["NAME"],
            options="-c timezone=UTC -c lock_timeout=10s",
        )
    ) as other:
        yield other


@contextmanager
def foreign_sqlite() -> Iterator[sqlite3.Connection]:
    """As the sqlite3 shell would open the file: no foreign keys, and REPLACE calls no delete triggers."""
    with closing(sqlite3.connect(str(connection.settings_dict["NAME"]), uri=True)) as other:
        assert other.execute("PRAGMA recursive_triggers").fetchone() == (0,)
        assert other.execute("PRAGMA foreign_keys").fetchone() == (0,)
        yield other
