"""The command as a shell runs it, with redirections, and what can be seen of a running process."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from chariot_license.store import StateStore

from tests.client.conftest import CLIENT, Ran

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
NEEDS_FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full device")
COUNTS = "The Usage Request was made and counts"


class Shell:
    """Runs the command in `folder`, with the state directory `folder`/state and no other environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(CLIENT),
            "CHARIOT_STATE_DIR": str(folder / "state"),
        }

    def __call__(self, arguments: str, redirections: str, before: str = "", **more: str) -> Ran:
        """`redirections` as a shell takes them; `before` are shell commands that come first."""
        command = f"{before}{shlex.quote(sys.executable)} -m chariot_license.cli {arguments} {redirections}"
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**self.environment, **more},
            cwd=self.folder,
            timeout=60,
            check=False,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        for sign in ("Traceback", "Exception ignored", "Fatal Python error"):
            assert sign not in err
        return Ran(done.returncode, out, err)

    def started(
        self, *arguments: str, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        """The command without a shell, running."""
        return subprocess.Popen(
            [sys.executable, "-m", "chariot_license.cli", *arguments],
            env=self.environment,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def counter(self) -> int:
        return StateStore(self.folder / "state").load().counter


def wait_until(happened: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def holds(process: int, file: Path) -> bool:
    """Whether the process has the file open."""
    folder = Path(f"/proc/{process}/fd")
    try:
        return any(entry.readlink() == file.resolve() for entry in folder.iterdir())
    except OSError:
        return False


def loads_cryptography(process: int) -> bool:
    """Whether Python itself has started, and the command is loading what it needs."""
    return "_rust" in Path(f"/proc/{process}/maps").read_text()
