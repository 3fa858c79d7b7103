"""Commands whose standard input, output or error is closed, full, endless, or read by nobody: as real processes."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from chariot_license.protocol.clean import MAX_SOURCE

from tests.ops.processes import ROOT, environment
from tests.portal.chariot import Chariot, host

READING = {
    "export": ("export_ledger", "--format", "jsonl"),
    "verify": ("verify_ledger", "--rebuild-check"),
    "verify-json": ("verify_ledger", "--json"),
    "keys": ("signing_key", "list"),
    "help": ("verify_ledger", "--help"),
    "refused": ("create_staff", "agent", "--role", "auditor", "--json"),
    "bad-usage": ("restoration", "approve", "--json"),
}
# What some of them end with and print first when all is well.
PLAIN = {
    "export": (0, '{"export": "chariot-ledger-1"'),
    "verify": (0, "entries: "),
    "refused": (1, '{"outcome": "refused", "code": "account-exists"'),
    "bad-usage": (2, '{"outcome": "bad-input", "code": "usage"'),
}


class Portal:
    """A portal on SQLite with staff, keys and one license, whose commands run as processes."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.done("migrate", "--verbosity", "0")
        for username, role in (("agent", "support-agent"), ("manager", "license-manager")):
            self.done("create_staff", username, "--role", role)
        self.done("signing_key", "create-root")
        self.done("signing_key", "issue")
        terms = ("--customer", "Acme Water", "--allowed", "9", "--feature", "mqtt-server")
        self.license = json.loads(self.done("create_license", *terms, "--actor", "manager", "--json"))

    def request(self, name: str) -> str:
        return Chariot(self.license["license_key"], host(name)).request()

    def run(self, *arguments: str, redirect: str = "", **how: Any) -> subprocess.CompletedProcess[str]:
        """Through a shell, which closes and redirects as a user's does."""
        given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE} | how
        if "input" in given:
            del given["stdin"]
        return subprocess.run(
            ["/bin/sh", "-c", f'ulimit -v 2000000; exec "$0" manage.py "$@" {redirect}', sys.executable, *arguments],
            cwd=ROOT,
            env=environment(self.var),
            check=False,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            **given,
        )

    def done(self, *arguments: str) -> str:
        ended = self.run(*arguments)
        assert ended.returncode == 0, ended.stderr
        return str(ended.stdout)

    def entries(self) -> int:
        with closing(sqlite3.connect(self.var / "portal.sqlite3")) as database:
            return int(database.execute("SELECT count(*) FROM activations_ledgerentry").fetchone()[0])


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Portal:
    return Portal(tmp_path_factory.mktemp("portal"))


@pytest.fixture
def nobody_reads() -> Iterator[int]:
    """The end of a pipe to write to, whose other end is closed: `| head -1` after its first line."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def quiet(ended: subprocess.CompletedProcess[str]) -> bool:
    """No traceback, and nothing that Python says when it ends."""
    return not any(word in ended.stderr for word in ("Traceback", "Exception ignored", "Error:"))


@pytest.mark.parametrize("arguments", READING.values(), ids=READING)
def test_a_reader_that_went_away_is_no_failure(portal: Portal, nobody_reads: int, arguments: tuple[str, ...]) -> None:
    before = portal.entries()

    ended = portal.run(*arguments, stdout=nobody_reads)

    assert (ended.returncode, ended.stderr.replace("The ledger holds.\n", "")) == (141, "")
    assert portal.entries() == before


@pytest.mark.parametrize("redirect", [">&-", ">/dev/full"])
@pytest.mark.parametrize("arguments", READING.values(), ids=READING)
def test_an_output_that_takes_nothing_is_named(portal: Portal, arguments: tuple[str, ...], redirect: str) -> None:
    before = portal.entries()

    ended = portal.run(*arguments, redirect=redirect)

    assert ended.returncode == 5
    assert quiet(ended)
    assert "could not be written to standard output: " in ended.stderr
    assert ("No space left on device" if "full" in redirect else "it is closed") in ended.stderr
    assert "Nothing was booked" in ended.stderr
    assert portal.entries() == before


@pytest.mark.parametrize("redirect", ["2>&-", "2>/dev/full", "<&-", "<&- 2>&-"])
@pytest.mark.parametrize("name", PLAIN)
def test_messages_that_nobody_can_get_change_nothing(portal: Portal, name: str, redirect: str) -> None:
    exit_code, first = PLAIN[name]
    ended = portal.run(*READING[name], redirect=redirect)

    assert ended.returncode == exit_code
    assert quiet(ended)
    assert ended.stdout.startswith(first)


def test_nothing_is_written_into_the_database_in_place_of_standard_output(portal: Portal) -> None:
    ended = portal.run("create_staff", "robin", "--role", "auditor", redirect=">&- 2>&- <&-")

    assert ended.returncode == 5
    assert "The ledger holds" in portal.run("verify_ledger", "--rebuild-check").stderr


# --- what was booked although its answer was lost ----------------------------------------------------------


@pytest.mark.parametrize(("redirect", "code"), [(">/dev/full", 5), (">&-", 5), ("", 141)])
def test_a_lost_usage_license_comes_with_the_same_request(
    portal: Portal, nobody_reads: int, tmp_path: Path, redirect: str, code: int
) -> None:
    file = tmp_path / "request.txt"
    file.write_text(portal.request(f"host {code} {redirect}"))
    command = ("issue_usage_license", str(file), "--actor", "agent", "--json")

    lost = portal.run(*command, redirect=redirect, **({} if redirect else {"stdout": nobody_reads}))

    assert lost.returncode == code
    assert quiet(lost)
    assert "It was booked: give the same Usage Request again" in lost.stderr
    again = json.loads(portal.done(*command))
    assert (again["outcome"], again["booked"]) == ("re-sent", True)
    assert again["usage_license"].startswith("CHARIOT USAGE LICENSE")


def test_a_lost_dry_run_says_that_nothing_was_booked(portal: Portal) -> None:
    ended = portal.run(
        "issue_usage_license", "--actor", "agent", "--dry-run", "--json", redirect=">&-", input=portal.request("dry")
    )

    assert (ended.returncode, "Nothing was booked" in ended.stderr) == (5, True)


def test_a_lost_license_key_can_be_replaced(portal: Portal, nobody_reads: int) -> None:
    terms = ("--customer", "Beta Mills", "--allowed", "1", "--feature", "mqtt-server")

    lost = portal.run("create_license", *terms, "--actor", "manager", stdout=nobody_reads)

    assert (lost.returncode, quiet(lost)) == (141, True)
    license_id = lost.stderr.split("License ")[1].split(" ")[0]
    assert f"change_license {license_id} --replace-key" in lost.stderr
    who = ("--actor", "manager", "--reason", "the key was never seen")
    assert "license_key: " in portal.done("change_license", license_id, "--replace-key", *who)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("checkpoint_ledger",), "run the command again"),
        (("create_staff", "colleague", "--role", "auditor"), "The account colleague was made"),
        (("disable_staff", "leaver", "--reason", "left"), "The account leaver is disabled"),
        (("signing_key", "rotate"), "signing_key list"),
    ],
)
def test_what_was_booked_is_said(portal: Portal, arguments: tuple[str, ...], said: str) -> None:
    portal.run("create_staff", "leaver", "--role", "auditor")  # there already the next time
    before = portal.entries()

    lost = portal.run(*arguments, redirect=">/dev/full")

    assert (lost.returncode, quiet(lost)) == (5, True)
    assert said in lost.stderr
    assert portal.entries() >= before


# --- input -------------------------------------------------------------------------------------------------


def refused(portal: Portal, *arguments: str, **how: Any) -> str:
    ended = portal.run(*arguments, "--json", **how)
    assert (ended.returncode, ended.stderr) == (2, ""), ended.stderr
    return str(json.loads(ended.stdout)["code"])


def test_a_closed_standard_input_is_named(portal: Portal) -> None:
    assert refused(portal, "issue_usage_license", "--actor", "agent", redirect="<&-") == "input-missing"
    password = ("create_staff", "sam", "--role", "auditor", "--password", "-")
    assert refused(portal, *password, redirect="<&-") == "input-missing"


def test_no_input_is_read_without_an_end(portal: Portal, tmp_path: Path) -> None:
    """The processes may have 2 GB of memory: reading all of it cannot end well."""
    large = tmp_path / "large.txt"
    with large.open("wb") as file:
        file.truncate(MAX_SOURCE + 1)
    command = ("issue_usage_license", "--actor", "agent")
    for name in ("/dev/zero", str(large)):
        assert refused(portal, *command, name) == "input-too-large"
    assert refused(portal, *command, redirect="</dev/zero") == "input-too-large"
    password = ("create_staff", "sam", "--role", "auditor", "--password", "-")
    assert refused(portal, *password, redirect="</dev/zero") == "password-too-long"


def test_the_largest_input_that_the_reader_takes_is_read(portal: Portal, tmp_path: Path) -> None:
    large = tmp_path / "large.txt"
    large.write_bytes(portal.request("large").encode().ljust(MAX_SOURCE, b"\n"))

    assert json.loads(portal.done("issue_usage_license", str(large), "--actor", "agent", "--json"))["booked"]


def test_what_is_no_file_is_named(portal: Portal, tmp_path: Path) -> None:
    command = ("issue_usage_license", "--actor", "agent")
    assert refused(portal, *command, str(tmp_path)) == "file-unreadable"
    assert refused(portal, *command, "x" * 5000) == "file-unreadable"


def test_a_password_on_standard_input(portal: Portal) -> None:
    password = ("create_staff", "lee", "--role", "auditor", "--password", "-")

    assert portal.run(*password, input="seven brass valves\n").returncode == 0
