"""The auditor's guide is followed step by step, as it is printed, on a portal with something in its ledger."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs/audit.md"

BEFORE = """
m() { .venv/bin/python manage.py "$@"; }
m migrate --verbosity 0
m signing_key create-root >&2
m signing_key issue >&2
m create_staff manager --role license-manager >&2
m create_license --customer 'Acme Water' --allowed 2 --feature mqtt-server --actor manager --json
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder in which the guide's commands work, of a portal of its own."""
    for name in (".venv", "manage.py", "verifier", "client", "activations", "licensing_portal", "templates"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def blocks() -> list[str]:
    steps = GUIDE.read_text().split("\n## Step by step\n")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", steps, re.DOTALL)


def test_the_guide_works_as_it_is_printed(place: Path) -> None:
    theirs = ("DATABASE_URL", "REDIS_URL", "PORTAL_PROFILE")
    environment = {name: value for name, value in os.environ.items() if name not in theirs}
    environment["PORTAL_VAR_DIR"] = str(place / "var")

    def shell(script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", script],
            cwd=place,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )

    made = shell(BEFORE)
    assert made.returncode == 0, made.stderr
    environment["LICENSE"] = json.loads(made.stdout.splitlines()[-1])["license_id"]

    verdicts = []
    for block in blocks():
        ended = shell(block)
        assert ended.returncode == 0, f"{block}\n{ended.stdout}{ended.stderr}"
        verdicts += [line for line in ended.stdout.splitlines() if line.startswith(("OK", "UNCHECKED", "BROKEN"))]
    assert [verdict.partition(":")[0] for verdict in verdicts] == ["OK", "OK", "OK"], verdicts
    with sqlite3.connect(place / "var/portal.sqlite3") as database:
        database.execute("DROP TRIGGER activations_ledgerentry_update_guard")
        database.execute("UPDATE activations_ledgerentry SET body = replace(body, 'Acme Water', 'Acme Wader')")
    block = next(block for block in blocks() if "cp ledger.jsonl" in block)
    found = shell(block.replace("kept/ledger-1.jsonl", "kept/ledger-2.jsonl"))
    assert found.returncode == 1, found.stdout + found.stderr
    assert found.stdout.startswith(f"BROKEN: Entry 1 of {environment['LICENSE']} ("), found.stdout

    assert (place / "entry.tlog-proof").read_text().startswith("c2sp.org/tlog-proof@v1\nindex ")
