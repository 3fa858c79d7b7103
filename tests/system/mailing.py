"""A portal with mail servers: a mailbox that it fetches, a server that it sends through, and workers of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from tests.ops.processes import ROOT
from tests.system.portal import Portal


@dataclass(frozen=True)
class MailPortal(Portal):
    """`more`: the variables that name its mail servers and its broker."""

    more: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, portal: Portal, **more: str) -> MailPortal:
        return cls(portal.vendor, portal.url, portal.var, more)

    @property
    def env(self) -> dict[str, str]:
        return {**super().env, **self.more}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Of a portal on PostgreSQL: what a statement finds, or changed and returns."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(sql.encode()).fetchall()


class Workers:
    """A Celery worker with two processes, in a process group of its own; killed and started as often as wanted."""

    def __init__(self, portal: MailPortal, log: Path) -> None:
        self._portal, self._log = portal, log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        command = [sys.executable, "-m", "celery", "-A", "licensing_portal", "worker", "--concurrency", "2"]
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [*command, "--loglevel", "WARNING", "--without-gossip", "--without-mingle"],
                cwd=ROOT,
                env=self._portal.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
            )

    def kill(self) -> None:
        """SIGKILL to the worker and its processes."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def start_if_gone(self) -> None:
        """As a supervisor does: Celery's worker gives up when its first processes die."""
        assert self._process is not None
        if self._process.poll() is not None:
            self.kill()
            self.start()

    def kill_one_process(self, choose: Callable[[list[int]], int]) -> bool:
        """SIGKILL to one of the processes that do the jobs; the worker starts another one. False: there is none."""
        assert self._process is not None
        children = _children(self._process.pid)
        if not children:
            return False
        try:
            os.kill(choose(children), signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def log(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    if listed.exists():
        return [int(each) for each in listed.read_text().split()]
    pgrep = shutil.which("pgrep")
    assert pgrep, "needs /proc or pgrep to see the worker's processes"
    found = subprocess.run([pgrep, "-P", str(pid)], capture_output=True, check=False)
    return [int(each) for each in found.stdout.split()]


def wait_until(holds: Callable[[], bool], what: str, log: Callable[[], str], *, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s. The log ends:\n{log()}"
        time.sleep(0.2)
