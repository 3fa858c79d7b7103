"""Fresh databases for the tests of the whole system: files of SQLite, and databases of the PostgreSQL server."""

from __future__ import annotations

import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
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
def sqlite_portal(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Portal]:
    file = tmp_path / "portal.sqlite3"
    shutil.copy(migrated_sqlite, file)
    with closing(Portal("sqlite", f"sqlite:///{file}", tmp_path / "var")) as portal:
        yield portal


@pytest.fixture
def postgres_portal(migrated_postgres: str, postgres_url: str, tmp_path: Path) -> Iterator[Portal]:
    with (
        postgres_database(postgres_url, migrated_postgres) as url,
        closing(Portal("postgresql", url, tmp_path / "var")) as portal,
    ):
        yield portal


@pytest.fixture(params=["sqlite", "postgresql"])
def portal(request: pytest.FixtureRequest) -> Portal:
    """The same test on each database."""
    name = "sqlite_portal" if request.param == "sqlite" else "postgres_portal"
    found = request.getfixturevalue(name)
    assert isinstance(found, Portal)
    return found


@pytest.fixture
def copies(request: pytest.FixtureRequest, portal: Portal, tmp_path: Path) -> Iterator[Callable[[int], list[str]]]:
    """Makes so many copies of the portal's database, as it is then; their names as Django knows them."""
    with ExitStack() as made:

        def copied(number: int) -> str:
            if portal.vendor == "sqlite":
                return str(shutil.copy(tmp_path / "portal.sqlite3", tmp_path / f"copy-{number}.sqlite3"))
            server = str(request.getfixturevalue("postgres_url"))
            url = made.enter_context(postgres_database(server, urlsplit(portal.url).path.lstrip("/")))
            return urlsplit(url).path.lstrip("/")

        yield lambda count: [copied(number) for number in range(count)]
