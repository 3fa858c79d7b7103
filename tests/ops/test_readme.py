"""Every command of the README does what the README says, as it is printed there."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Started and watched by test_bin_run.py, and running this very test.
ELSEWHERE = {"bin/run", "bin/test"}


def readme_commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def test_the_readme_shows_the_two_commands_and_more() -> None:
    commands = readme_commands()
    assert set(commands) > ELSEWHERE
    assert all(os.access(ROOT / command, os.X_OK) for command in ELSEWHERE)


def test_the_commands_work_in_the_order_they_are_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a database made as bin/run makes it; each command exits 0."""
    monkeypatch.setenv("PORTAL_VAR_DIR", str(tmp_path / "var"))
    for name in ("DATABASE_URL", "REDIS_URL", "PORTAL_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    run(".venv/bin/python manage.py migrate --noinput --verbosity 0")
    for command in readme_commands():
        if command not in ELSEWHERE:
            run(command.replace("--state-dir var/", f"--state-dir {tmp_path}/"))


def run(command: str) -> None:
    ended = subprocess.run(command, shell=True, cwd=ROOT, check=False, capture_output=True, text=True, timeout=120)  # noqa: S602
    assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"
