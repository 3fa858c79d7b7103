"""A client is generated from the API's document, its types hold, and it plays the round trip on a served portal."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ops.processes import ROOT
from tests.system.browsing import Desk

BIN = Path(sys.executable).parent
CONFIG = """
project_name_override: portal-client
package_name_override: portal_client
# Problem Details are JSON, and the files of an export are bytes.
content_type_overrides:
  application/problem+json: application/json
  application/jsonl: application/octet-stream
  text/csv: application/octet-stream
"""
# The generator passes what it got in `__exit__` on as `*object`: its template, and nothing of our document.
TYPES = """
[mypy]
strict = true
[mypy-portal_client.client]
disable_error_code = arg-type
"""


def done(*command: str, folder: Path) -> str:
    """What it printed; fails the test when it failed."""
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "MYPYPATH": str(folder)}
    ran = subprocess.run(command, cwd=folder, env=env, check=False, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout[-6_000:] + ran.stderr[-6_000:]
    return ran.stdout + ran.stderr


def generated(desk: Desk, folder: Path) -> None:
    """`portal_client` in the folder, without a warning about what the generator does not read."""
    document = folder / "openapi.json"
    document.write_text(desk.portal.text("manage", "spectacular", "--validate", "--format", "openapi-json"))
    (folder / "config.yml").write_text(CONFIG)
    told = done(
        *(str(BIN / "openapi-python-client"), "generate", "--path", str(document), "--config", "config.yml"),
        *("--meta", "none", "--output-path", str(folder / "portal_client"), "--fail-on-warning"),
        folder=folder,
    )
    assert "WARNING" not in told.upper(), told


def test_a_generated_client_plays_the_round_trip(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "client"
    folder.mkdir()
    generated(desk, folder)
    (folder / "story.py").write_text((ROOT / "tests/system/api_story.py").read_text())
    (folder / "mypy.ini").write_text(TYPES)
    assert "no issues found" in done(
        *(str(BIN / "mypy"), "--config-file", "mypy.ini", "--cache-dir", str(tmp_path / "mypy")),
        "story.py",
        folder=folder,
    )

    desk.portal.manage("create_staff", "administrator", "--role", "administrator", "--password", "correct-battery-9")
    token = desk.portal.python(
        "from activations.domain.scopes import Scope\n"
        "from activations.services.tokens import create_token\n"
        "from tests.portal.cast import ADMINISTRATOR\n"
        "print(create_token(name='purchase-system', scopes=[each.value for each in Scope], owner='administrator',\n"
        "    actor=ADMINISTRATOR, source='command', reason='It has to work').token)"
    ).split()[-1]
    monkeypatch.syspath_prepend(str(folder))
    for name in [name for name in sys.modules if name.split(".")[0] in ("portal_client", "story")]:
        monkeypatch.delitem(sys.modules, name)
    story = importlib.import_module("story")
    client = story.AuthenticatedClient(base_url=desk.address, token=token, timeout=60)
    license_id = story.play(client, desk.chariot)
    booked = desk.portal.text("manage", "export_ledger", "--format", "jsonl", "--license", license_id)
    assert booked.count("token:purchase-system") >= 5
