"""The options that locking and durability rest on are in force on the connection, not only in the settings."""

from __future__ import annotations

import json
from pathlib import Path

import environ  # type: ignore[import-untyped]
import pytest
from django.core.exceptions import ImproperlyConfigured

from licensing_portal import databases
from tests.ops.processes import environment, manage, production, python

BOUNDS = {"lock_seconds": 7, "statement_seconds": 8, "idle_seconds": 9}

ASK_SQLITE = """
import json
from django.db import connection, transaction
names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
with transaction.atomic(), connection.cursor() as cursor:
    found = {}
    for name in names:
        cursor.execute(f"PRAGMA {name}")
        found[name] = cursor.fetchone()[0]
    import sqlite3
    other = sqlite3.connect(connection.settings_dict["NAME"], timeout=0, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        found["held"] = False
    except sqlite3.OperationalError:
        found["held"] = True
print(json.dumps(found))
"""

ASK_POSTGRESQL = """
import json
from django.db import connection
names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "application_name", "fsync")
with connection.cursor() as cursor:
    found = {}
    for name in names:
        cursor.execute(f"SHOW {name}")
        found[name] = cursor.fetchone()[0]
print(json.dumps(found))
"""


def test_sqlite_is_durable_and_takes_its_write_lock_at_begin(tmp_path: Path) -> None:
    done = python(ASK_SQLITE, environment(tmp_path))
    assert json.loads(done.stdout) == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "busy_timeout": 20_000,
        "held": True,
    }
    assert (tmp_path / "portal.sqlite3").exists()


def test_postgresql_bounds_every_wait(postgres_url: str, tmp_path: Path) -> None:
    done = python(ASK_POSTGRESQL, environment(tmp_path, DATABASE_URL=postgres_url, PORTAL_LOCK_TIMEOUT="3"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "lock_timeout": "3s",
        "statement_timeout": "30s",
        "idle_in_transaction_session_timeout": "30s",
        "application_name": "licensing-portal",
        "fsync": "on",
    }


def test_what_the_address_itself_asks_for_wins() -> None:
    parsed = environ.Env.db_url_config(
        "postgres://u:p@h/n?options=-c%20lock_timeout%3D1s&sslmode=require&conn_max_age=0"
    )
    config = databases.with_portal_options(parsed, **BOUNDS)
    assert config["OPTIONS"]["options"] == (
        "-c lock_timeout=7s -c statement_timeout=8s -c idle_in_transaction_session_timeout=9s -c lock_timeout=1s"
    )
    assert config["OPTIONS"]["sslmode"] == "require"
    assert config["CONN_MAX_AGE"] == 0
    assert config["CONN_HEALTH_CHECKS"] is True


def test_a_database_without_triggers_for_the_ledger_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="PostgreSQL and SQLite only"):
        databases.with_portal_options(environ.Env.db_url_config("mysql://u:p@h/n"), **BOUNDS)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("/r6", "does not begin with the kind of database"),
        ("://u:hidden@h/n", "does not begin with the kind of database"),
        ("redis://u:hidden@h/0", "'redis' is no kind of database"),
        ("postgres://u:hidden@h:70000/n", "its host or port cannot be one"),
        ("postgres://u:hidden@h:http/n", "its host or port cannot be one"),
        ("postgres://u:hid/den@h/n", "its host or port cannot be one"),
        ("postgres://[::1/n", "its host or port cannot be one"),
        ("postgres://u:hidden@h", "names no database after the host"),
        ("sqlite://var/portal.sqlite3", "an SQLite file has no host"),
    ],
)
def test_an_address_that_cannot_be_one_is_named_and_not_repeated(url: str, said: str, tmp_path: Path) -> None:
    done = manage("check", env=environment(tmp_path, DATABASE_URL=url))

    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert said in line
    assert "postgres://USER:PASSWORD@HOST:5432/NAME" in line
    assert "hid" not in line


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgres://u:p%40%2F@h:5432/n", "n"),
        ("postgresql://u@/n?host=/run/postgresql", "n"),
        ("postgres://?service=licensing", ""),
        ("sqlite:////absolute/path.sqlite3", "/absolute/path.sqlite3"),
        ("sqlite:///relative.sqlite3", "relative.sqlite3"),
        ("sqlite://:memory:", ":memory:"),
    ],
)
def test_the_addresses_that_are_good(url: str, name: str) -> None:
    assert databases.parsed(url)["NAME"] == name


def test_a_server_that_may_lose_commits_is_named(postgres_url: str, tmp_path: Path) -> None:
    careless = f"{postgres_url}?options=-c%20synchronous_commit%3Doff"
    arguments = ("check", "--database", "default", "--fail-level", "WARNING")
    done = manage(*arguments, env=environment(tmp_path, DATABASE_URL=careless))
    assert done.returncode == 1
    assert "portal.W001" in done.stderr
    assert "runs with synchronous_commit off" in done.stderr


def test_the_deployment_check_is_clean_in_production(postgres_url: str, redis_url: str, tmp_path: Path) -> None:
    env = production(
        tmp_path, DATABASE_URL=postgres_url, REDIS_URL=redis_url, EMAIL_URL="smtp+tls://u:p@mail.example.com:587"
    )
    # Without --database: this server is empty, and whether the triggers are there is another test's question.
    done = manage("check", "--deploy", "--fail-level", "WARNING", env=env)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_the_deployment_check_names_what_production_lacks(tmp_path: Path) -> None:
    done = manage("check", "--deploy", env=production(tmp_path))
    assert done.returncode == 0, done.stderr
    for warning in ("portal.W002", "portal.W003", "portal.W004"):
        assert warning in done.stderr
