"""bin/run on a machine with nothing but Python: a fresh copy of the project, an empty home directory."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.ops.processes import ROOT, answer, free_port

NOT_IN_A_CLONE = (
    ".git",
    ".venv",
    "var",
    "staticfiles",
    "*.egg-info",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
    "build",
)
# How pip reaches its index from here; everything else is as on a new machine.
NETWORK = ("PIP_", "SSL_", "REQUESTS_", "HTTP", "http", "NO_PROXY", "no_proxy")


def fresh_copy(folder: Path) -> tuple[Path, dict[str, str]]:
    """A clone's files (in a folder with a space in its name) and the environment of a new user."""
    project, home = folder / "licensing portal", folder / "home"
    shutil.copytree(ROOT, project, ignore=shutil.ignore_patterns(*NOT_IN_A_CLONE))
    home.mkdir()
    base = Path(sys.base_prefix) / "bin" / "python3"
    network = {name: value for name, value in os.environ.items() if name.startswith(NETWORK)}
    return project, {**network, "PATH": "/usr/bin:/bin", "HOME": str(home), "PYTHON": str(base)}


def bin_run(project: Path, env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bin/run", *arguments],
        cwd=project,
        env=env,
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
        stdin=subprocess.DEVNULL,
    )


def test_from_a_fresh_copy_with_an_empty_home(tmp_path: Path) -> None:
    project, env = fresh_copy(tmp_path)

    checked = bin_run(project, env, "--check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stderr.splitlines()[-1] == "bin/run --check: every step of the round trip held."
    assert "CHARIOT USAGE LICENSE BEGIN" in checked.stdout + checked.stderr
    assert not (project / "var").exists()
    assert list((tmp_path / "home").iterdir()) == []
    assert (project / ".venv" / "bin" / "chariot-license").exists()

    first = run_until_it_serves_then_interrupt(project, env)
    assert "CHARIOT USAGE LICENSE BEGIN" in first
    again = run_until_it_serves_then_interrupt(project, env)
    assert "The round trip was played when this database was made" in again
    assert "CHARIOT USAGE LICENSE BEGIN" not in again
    for shown in (first, again):
        assert "Sign in with:" in shown
        assert "CHARIOT USAGE REQUEST BEGIN" in shown.split("Sign in with:")[1]

    # The whole trip stands or falls with each step: without its client the check says so.
    (project / "client" / "chariot_license" / "instance.py").write_text("raise SystemExit('broken on purpose')\n")
    broken = bin_run(project, env, "--check")
    assert broken.returncode == 1
    assert "bin/run: the round trip did not hold" in broken.stderr


def run_until_it_serves_then_interrupt(project: Path, env: dict[str, str]) -> str:
    """Runs bin/run on a terminal, as a person does, up to Ctrl-C; returns what it showed."""
    port = free_port()
    env = {**env, "PORT": str(port)}
    screen, terminal = pty.openpty()
    process = subprocess.Popen(
        ["bin/run"], cwd=project, env=env, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    )
    os.close(terminal)
    shown, end = "", time.monotonic() + 120
    try:
        while "stop it with Ctrl-C" not in shown:
            assert time.monotonic() < end, shown
            shown += os.read(screen, 65536).decode(errors="replace")
        assert answer(f"http://127.0.0.1:{port}/healthz") == (200, '{"status": "ok"}')
        assert (answer(f"http://127.0.0.1:{port}/admin/login/") or (0, ""))[0] == 200

        busy = bin_run(project, env)
        assert busy.returncode == 1
        assert busy.stderr.splitlines()[-1].startswith(f"bin/run: port {port} is in use")

        # Ctrl-C: the terminal signals every process in its foreground group.
        os.killpg(process.pid, 2)
        assert process.wait(timeout=60) == 130
        assert answer(f"http://127.0.0.1:{port}/healthz") is None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 9)
            process.wait()
        os.close(screen)
    return shown.replace("\r\n", "\n")


def test_a_python_without_venv_is_told_which_package_to_install(tmp_path: Path) -> None:
    project, env = fresh_copy(tmp_path)
    python = tmp_path / "python3"  # Debian's, when python3-venv is not installed
    python.write_text(f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1 ;; esac\nexec {sys.base_prefix}/bin/python3 "$@"\n')
    python.chmod(0o755)
    done = bin_run(project, {**env, "PYTHON": str(python)}, "--check")
    assert done.returncode == 1
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f"Debian, Ubuntu: apt-get install python{version}-venv" in done.stderr
    assert not (project / ".venv").exists()


def test_an_unknown_argument_is_told_the_usage() -> None:
    for program in ("bin/run", "bin/test", "bin/lock"):
        done = subprocess.run([program, "--chekc"], cwd=ROOT, check=False, capture_output=True, text=True)
        assert done.returncode == 2
        assert f"usage: {program}" in done.stderr


def test_production_is_not_started_by_bin_run() -> None:
    env = {"PATH": "/usr/bin:/bin", "PORTAL_PROFILE": "production"}
    done = subprocess.run(["bin/run"], cwd=ROOT, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Production starts the processes of the Procfile" in done.stderr
