"""A database that cannot be written: exit code 4, a message that says so, and nothing booked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

from activations.models import LedgerEntry
from activations.services.actors import create_staff
from tests.portal.cast import ADMINISTRATOR, SOURCE, make_keys, make_license
from tests.portal.chariot import Chariot, host
from tests.portal.commands.asking import answer, run


@pytest.fixture(autouse=True)
def _cast(transactional_db: None) -> None:
    for username, role in (("agent", "support-agent"), ("manager", "license-manager")):
        create_staff(username=username, role=role, password=None, actor=ADMINISTRATOR, source=SOURCE)
    make_keys()


@contextmanager
def said_to_the_database(postgresql: str, sqlite: str, *, afterwards: dict[str, str]) -> Iterator[None]:
    commands = {"postgresql": postgresql, "sqlite": sqlite}
    with connection.cursor() as cursor:
        cursor.execute(commands[connection.vendor])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(afterwards[connection.vendor])


def test_a_database_that_is_read_only(tmp_path: Path) -> None:
    license = make_license()
    request = Chariot(license.license_key, host("pump-house")).request()
    file = tmp_path / "request.txt"
    file.write_text(request)
    bookings = (
        ("issue_usage_license", str(file), "--actor", "agent"),
        ("create_license", "--customer", "Acme", "--allowed", "1", "--feature", "mqtt-server", "--actor", "manager"),
        ("change_license", license.license_id, "--suspend", "--reason", "unpaid", "--actor", "manager"),
        ("create_staff", "robin", "--role", "auditor"),
        ("disable_staff", "agent", "--reason", "left"),
        ("signing_key", "rotate"),
        ("signing_key", "create-root", "--out", str(tmp_path / "root.pem")),
        ("checkpoint_ledger",),
        ("export_ledger", "--format", "csv", "--out", str(tmp_path / "ledger.csv")),
    )
    before = LedgerEntry.objects.count()
    with said_to_the_database(
        "SET default_transaction_read_only = on",
        "PRAGMA query_only = ON",
        afterwards={"postgresql": "SET default_transaction_read_only = off", "sqlite": "PRAGMA query_only = OFF"},
    ):
        for booking in bookings:
            unavailable = answer(*booking, exit_code=4)
            assert unavailable["code"] == "database-unavailable", booking
            assert "read" in unavailable["message"].split("(")[-1]
            assert "may be written" in unavailable["message"]
        assert answer("verify_ledger")["problems"] == []
        code, out_text, err = run(*bookings[0])
        assert (code, out_text, "Traceback" in err) == (4, "", False)
        assert "nothing was booked" in err

    assert LedgerEntry.objects.count() == before
    assert answer(*bookings[0])["booked"]


def test_a_full_disk_or_a_server_that_takes_too_long() -> None:
    """SQLite can be told how large it may grow, PostgreSQL how long a statement may take."""
    terms = ("--customer", "Acme", "--allowed", "5000", "--feature", "mqtt-server", "--actor", "manager")
    before = LedgerEntry.objects.count()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")  # what other tests left free in the file would do for a while
    with said_to_the_database(
        "SET statement_timeout = '50ms'",
        "PRAGMA max_page_count = 1",
        afterwards={"postgresql": "SET statement_timeout = '30s'", "sqlite": "PRAGMA max_page_count = 4294967294"},
    ):
        unavailable = answer("create_license", *terms, exit_code=4)

    assert unavailable["code"] == "database-unavailable"
    cause = {"postgresql": "statement timeout", "sqlite": "disk is full"}
    assert cause[connection.vendor] in unavailable["message"]
    assert LedgerEntry.objects.count() == before
    assert answer("create_license", *terms)["license_id"]
