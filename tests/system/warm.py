"""A process that has the portal imported and forks for each command: seconds of imports are paid once a portal.

    python -m tests.system.warm

Each command still runs in a process of its own, with connections of its own, and ends with it. A line on the standard
input asks for one: {"kind": "manage" | "module" | "code", "arguments": [...], "folder": "..."}. The folder holds its
standard input as the file `given`, and gets its output as `out` and `err`. The line that answers is its exit code; one
below zero is the signal that ended it. The end of the input ends this process.
"""

from __future__ import annotations

import json
import os
import runpy
import select
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from tests.ops.processes import ROOT

READY = "ready"


class Warm:
    """The caller's side: one such process, ended by `close` or by the end of the tests."""

    def __init__(self, env: dict[str, str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="portal-warm-")
        self._log = (Path(self._folder.name) / "log").open("w+b")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.system.warm"],
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        self._count = 0
        assert self._answer(60) == READY

    def run(self, kind: str, *arguments: str, given: str, seconds: int) -> subprocess.CompletedProcess[str]:
        self._count += 1
        folder = Path(self._folder.name) / str(self._count)
        folder.mkdir()
        (folder / "given").write_text(given)
        order = {"kind": kind, "arguments": arguments, "folder": str(folder)}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        code = int(self._answer(seconds))
        out, err = ((folder / name).read_text() for name in ("out", "err"))
        return subprocess.CompletedProcess([kind, *arguments], code, out, err)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=20)
        self._log.close()
        self._folder.cleanup()

    def _answer(self, seconds: int) -> str:
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], seconds)[0]:
            self._process.kill()
            raise TimeoutError(f"no answer within {seconds} seconds")
        line = self._process.stdout.readline().decode().strip()
        if not line:
            self._log.seek(0)
            raise AssertionError(f"the process that forks is gone:\n{self._log.read().decode()}")
        return line


def main() -> None:
    orders, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "w")
    _import_what_commands_use()
    print(READY, file=answers, flush=True)
    for line in orders:
        child = os.fork()
        if child == 0:
            orders.close()
            answers.close()
            _work(**json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)


def _import_what_commands_use() -> None:
    import django

    django.setup()
    import importlib

    from django.core.management import get_commands
    from django.urls import get_resolver

    _ = get_resolver().url_patterns
    for name, app in get_commands().items():
        if app == "activations":
            importlib.import_module(f"activations.management.commands.{name}")
    importlib.import_module("tests.portal.cast")


def _work(kind: str, arguments: list[str], folder: str) -> None:
    """Never returns: the child ends here, whatever it was asked for."""
    code: Any = 0
    try:
        _redirect(Path(folder))
        _run(kind, arguments)
    except SystemExit as end:
        code = end.code or 0
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        connections = sys.modules["django.db"].connections
        connections.close_all()  # as at the end of any process
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _redirect(folder: Path) -> None:
    for number, name, flags in ((0, "given", os.O_RDONLY), (1, "out", os.O_WRONLY), (2, "err", os.O_WRONLY)):
        opened = os.open(folder / name, flags | (0 if number == 0 else os.O_CREAT | os.O_APPEND), 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  # the inherited one may have read ahead


def _run(kind: str, arguments: list[str]) -> None:
    if kind == "manage":
        sys.argv = ["manage.py", *arguments]
        runpy.run_path("manage.py", run_name="__main__")
    elif kind == "module":
        sys.argv = list(arguments)
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    else:
        exec(arguments[0], {"__name__": "__main__"})  # noqa: S102  # the tests' own code


if __name__ == "__main__":
    main()
