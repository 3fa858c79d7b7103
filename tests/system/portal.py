"""A portal with a fresh database of its own, worked through its commands in processes of their own, as users do.

The processes are forked from one that has the portal imported (`warm`): they start in milliseconds.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.ops.processes import ROOT, environment
from tests.system.warm import Warm


@dataclass(frozen=True)
class Portal:
    """`vendor` names the database: sqlite or postgresql."""

    vendor: str
    url: str
    var: Path

    @property
    def env(self) -> dict[str, str]:
        return environment(
            self.var,
            DATABASE_URL=self.url,
            DJANGO_SETTINGS_MODULE="licensing_portal.settings",
            # Dozens of processes wait for one license on two cores: slow is no failure here.
            PORTAL_LOCK_TIMEOUT="120",
            PORTAL_STATEMENT_TIMEOUT="120",
        )

    def manage(self, *arguments: str, given: str = "", exit_code: int = 0) -> dict[str, Any]:
        """The JSON answer of a command; fails the test when it exits with another code."""
        return dict(json.loads(self.text("manage", *arguments, "--json", given=given, exit_code=exit_code)))

    def script(self, name: str, *arguments: str, given: str = "", seconds: int = 400) -> Any:
        """The JSON that a module of tests.system prints, run with this portal's database."""
        return json.loads(self.text("module", f"tests.system.{name}", *arguments, given=given, seconds=seconds))

    def python(self, code: str) -> str:
        """What the code prints, run in a process that is set up as the portal's."""
        return self.text("code", code)

    def text(self, kind: str, *arguments: str, given: str = "", exit_code: int = 0, seconds: int = 120) -> str:
        """What a process of its own prints; fails the test when it exits with another code. `kind`: see `warm`."""
        done = self._warm.run(kind, *arguments, given=given, seconds=seconds)
        told = (arguments, done.returncode, done.stdout[-2000:], done.stderr[-4000:])
        assert done.returncode == exit_code, told
        return done.stdout

    @cached_property
    def _warm(self) -> Warm:
        return Warm(self.env)

    def close(self) -> None:
        """Ends what `manage` and the others started; the database stays."""
        if "_warm" in self.__dict__:
            self._warm.close()

    def run(self, command: list[str], given: str = "", seconds: int = 120) -> subprocess.CompletedProcess[str]:
        """A command started anew, as a shell starts it."""
        return subprocess.run(
            command,
            cwd=ROOT,
            env=self.env,
            input=given,
            check=False,
            capture_output=True,
            text=True,
            timeout=seconds,
        )

    def sell(self, *, allowed: int, licenses: int = 1) -> list[str]:
        """Makes the signing keys and licenses; their License Keys."""
        make = "from tests.portal.cast import make_keys, make_license; make_keys()"
        each = f"for _ in range({licenses}): print(make_license(allowed={allowed}).license_key)"
        return self.python(f"{make}\n{each}").split()
