"""The stable commands as processes: arguments that nobody understands, and a database that is not there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.ops.processes import ROOT, environment


def process(var: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(var, **variables),
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


def test_arguments_that_cannot_be_understood_are_answered_in_json_too(tmp_path: Path) -> None:
    done = process(tmp_path, "restoration", "approve", "--json")

    assert done.returncode == 2
    found = json.loads(done.stdout)
    assert (found["outcome"], found["code"]) == ("bad-input", "usage")
    assert "RESTORATION_ID" in found["message"]
    assert process(tmp_path, "restoration", "approve").returncode == 2


def test_a_database_without_tables_is_named_and_exits_4(tmp_path: Path) -> None:
    done = process(tmp_path, "issue_usage_license", "--actor", "agent", "--json")

    assert done.returncode == 4
    assert json.loads(done.stdout)["code"] == "database-unavailable"
    assert "migrate" in json.loads(done.stdout)["message"]
    assert "Traceback" not in done.stderr


def test_a_database_that_is_not_there_exits_4(tmp_path: Path) -> None:
    url = "postgres://nobody@127.0.0.1:9/nothing"
    done = process(tmp_path, "verify_ledger", "--json", DATABASE_URL=url)

    assert done.returncode == 4, done.stderr
    assert json.loads(done.stdout)["code"] == "database-unavailable"
    assert "Traceback" not in done.stderr
