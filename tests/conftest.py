"""What every test may use. Which database the portal's tests run on is DATABASE_URL's choice, as for the portal."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections

from tests import support
from tests.mailroom.imap import ImapServer

ROOT = Path(__file__).resolve().parent.parent

# Started in the background of a shell, a process ignores Ctrl-C, and so would every command that a test starts.
if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In bin/test, which runs the portal's tests on both databases, some run once only: what touches no database runs
    on SQLite, what a page shows on PostgreSQL, the stricter one. What services, constraints, triggers and locks do
    runs on both.
    """
    if not os.environ.get("PORTAL_TESTS_ONCE"):
        return
    wanted = _is_page if connection.vendor == "sqlite" else _needs_no_database
    left_out = [item for item in items if wanted(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not wanted(item)]


def _is_page(item: pytest.Item) -> bool:
    return "sign_in" in getattr(item, "fixturenames", ()) or any(
        folder in item.path.as_posix() for folder in ("tests/mailroom_web/", "tests/api/")
    )


def _needs_no_database(item: pytest.Item) -> bool:
    return not item.get_closest_marker("django_db") and not {"db", "transactional_db"} & set(
        getattr(item, "fixturenames", ())
    )


def _service(variable: str, name: str) -> str:
    """The address that bin/test gives; missing there it is an error, elsewhere a skip that says how to get one."""
    url = os.environ.get(variable, "")
    if not url:
        if os.environ.get("PORTAL_TESTS_COMPLETE"):
            pytest.fail(f"{variable} is not set: bin/test promises a {name} to every test")
        pytest.skip(f'needs a {name}: eval "$(bin/services start "$(mktemp -d)")", or run bin/test')
    return url


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """A real PostgreSQL server, as its superuser, database `postgres`: make a database of your own on it."""
    return _service("TEST_POSTGRES_URL", "PostgreSQL server")


@pytest.fixture(scope="session")
def redis_url() -> str:
    """A real Redis server; choose your own database number or key names."""
    return _service("TEST_REDIS_URL", "Redis server")


@pytest.fixture
def imap_server() -> ImapServer:
    """A real IMAP server, and on it the empty mailbox of a user whom no other test knows."""
    return ImapServer.at(_service("TEST_IMAP_URL", "Dovecot IMAP server"))


@pytest.fixture(scope="session", autouse=True)
def own_var_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the portal writes under var/ goes to a folder of this test run, never to the user's."""
    folder = tmp_path_factory.mktemp("var")
    settings.VAR_DIR = folder
    settings.TRUST_ROOT_FILE = folder / "trust-root.pem"
    return folder


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """SQLite as in production, a file in WAL mode: Django's default for tests, in memory, locks differently."""
    database: dict[str, Any] = connections["default"].settings_dict
    if connections["default"].vendor == "sqlite":
        database["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")


@pytest.fixture(scope="session", autouse=True)
def _tests_may_flush() -> Iterator[None]:
    """Transactional tests empty the database afterwards, which its triggers refuse: `support` lifts them for that."""
    with support.tests_may_flush():
        yield
