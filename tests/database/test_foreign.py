"""The same refusals on committed rows, for a connection that is not the portal's."""

from __future__ import annotations

import sqlite3

import psycopg
import pytest
from django.db import connection

from activations.models import triggers
from tests.database.cases import all_cases
from tests.database.foreign import foreign_postgresql, foreign_sqlite
from tests.database.statements import WATCHED, Case

CASES = all_cases(connection.vendor)
EVICTION = (
    "INSERT OR REPLACE INTO activations_ledgerentry (id, chain, seq, at, actor, kind, reason, source, prev, hash, body)"
    " SELECT id, chain, seq, at, actor, kind, 'forged', source, prev, hash, body FROM activations_ledgerentry"
)


def contents() -> dict[str, list[object]]:
    found: dict[str, list[object]] = {}
    with connection.cursor() as cursor:
        for table in WATCHED:
            cursor.execute(f"SELECT * FROM activations_{table} ORDER BY 1")
            found[table] = list(cursor.fetchall())
    return found


def wrongly_answered(case: Case, answer: str) -> list[str]:
    return [] if answer == case.message else [f"{case.name}: {answer}"]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="DATABASE_URL names no SQLite database")
def test_an_sqlite_shell_is_refused_everything(committed_world: None) -> None:
    before, wrong = contents(), []
    with foreign_sqlite() as other:
        for case in CASES:
            answer = "done"
            try:
                other.execute(case.sql)
            except sqlite3.Error as error:
                answer = str(error)
            other.rollback()
            wrong += wrongly_answered(case, answer)
    assert wrong == []
    assert contents() == before


@pytest.mark.skipif(connection.vendor != "sqlite", reason="DATABASE_URL names no SQLite database")
def test_without_the_triggers_an_sqlite_shell_forges_the_ledger(committed_world: None) -> None:
    triggers.uninstall(connection)
    with foreign_sqlite() as other:
        other.execute(EVICTION)
        other.commit()
        assert other.execute("SELECT DISTINCT reason FROM activations_ledgerentry").fetchall() == [("forged",)]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="DATABASE_URL names no PostgreSQL database")
@pytest.mark.parametrize("role", ["origin", "local", "replica"])
def test_psql_is_refused_everything(role: str, committed_world: None) -> None:
    before, wrong = contents(), []
    with foreign_postgresql() as other:
        for case in CASES:
            answer = "done"
            try:
                other.execute(f"SET LOCAL session_replication_role = {role}")
                other.execute(case.sql)
            except psycopg.Error as error:
                answer = str(error).splitlines()[0]
            other.rollback()
            wrong += wrongly_answered(case, answer)
    assert wrong == []
    assert contents() == before


@pytest.mark.skipif(connection.vendor != "postgresql", reason="DATABASE_URL names no PostgreSQL database")
def test_without_always_a_replica_session_is_let_through(committed_world: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE activations_ledgerentry ENABLE TRIGGER activations_ledgerentry_update_guard"
        )  # ordinary, not ALWAYS
    try:
        assert triggers.problems(connection) == {"activations_ledgerentry_update_guard": "altered"}
        with foreign_postgresql() as other:
            other.execute("SET session_replication_role = replica")
            assert other.execute("UPDATE activations_ledgerentry SET reason = 'forged'").rowcount == 4
            other.rollback()
    finally:
        triggers.install(connection)
