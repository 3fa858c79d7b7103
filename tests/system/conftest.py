"""Fresh databases for the tests of the whole system: files of SQLite, and databases of the PostgreSQL server."""

from __future__ import annotations

import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.system.browsing import browser, context, desk, page, served  # noqa: F401  # fixtures
from tests.system.portal import Portal


@contextmanager
def postgres_database(server: str, template: str = "template1") -> Iterator[str]:
    """The URL of a new database on the server, dropped afterwards whoever is still connected."""
    name = f"portal_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database file to copy; a migration takes seconds, a copy does not."""
    folder = tmp_path_factory.mktemp("migrated")
    portal = Portal("sqlite", f"sqlite:///{folder / 'portal.sqlite3'}", folder / "var")
    migrate(portal)
    return folder / "portal.sqlite3"


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a migrated database to copy."""
    with postgres_database(postgres_url) as url:
        migrate(Portal("postgresql", url, tmp_path_factory.mktemp("migrated-postgres") / "var"))
        yield urlsplit(url).path.lstrip("/")


def migrate(portal: Portal) -> None:
    done = portal.run([sys.executable, "manage.py", "migrate", "-v0"])
    assert done.returncode == 0, done.stderr


@pytest.fixture
def sqlite_portal(migrated_sqlite: Path, tmp_path: Path) -> Portal:
    file = tmp_path / "portal.sqlite3"
    shutil.copy(migrated_sqlite, file)
    return Portal("sqlite", f"sqlite:///{file}", tmp_path / "var")


@pytest.fixture
def postgres_portal(migrated_postgres: str, postgres_url: str, tmp_path: Path) -> Iterator[Portal]:
    with postgres_database(postgres_url, migrated_postgres) as url:
        yield Portal("postgresql", url, tmp_path / "var")


@pytest.fixture(params=["sqlite", "postgresql"])
def portal(request: pytest.FixtureRequest) -> Portal:
    """The same test on each database."""
    name = "sqlite_portal" if request.param == "sqlite" else "postgres_portal"
    found = request.getfixturevalue(name)
    assert isinstance(found, Portal)
    return found
