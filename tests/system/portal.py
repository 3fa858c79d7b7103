"""A portal with a fresh database of its own, worked through its commands in processes of their own, as users do."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.ops.processes import ROOT, environment


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
        done = self.run([sys.executable, "manage.py", *arguments, "--json"], given)
        assert done.returncode == exit_code, (arguments, done.returncode, done.stdout, done.stderr)
        return dict(json.loads(done.stdout))

    def script(self, name: str, *arguments: str, given: str = "", seconds: int = 400) -> Any:
        """The JSON that a module of tests.system prints, run with this portal's database."""
        done = self.run([sys.executable, "-m", f"tests.system.{name}", *arguments], given, seconds)
        assert done.returncode == 0, (name, arguments, done.returncode, done.stdout[-2000:], done.stderr[-4000:])
        return json.loads(done.stdout)

    def run(self, command: list[str], given: str = "", seconds: int = 120) -> subprocess.CompletedProcess[str]:
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

    def python(self, code: str) -> str:
        """What the code prints, run in a process that is set up as the portal's."""
        done = self.run([sys.executable, "-c", f"import django; django.setup()\n{code}"])
        assert done.returncode == 0, done.stderr
        return done.stdout

    def sell(self, *, allowed: int, licenses: int = 1) -> list[str]:
        """Makes the signing keys and licenses; their License Keys."""
        make = "from tests.portal.cast import make_keys, make_license; make_keys()"
        each = f"for _ in range({licenses}): print(make_license(allowed={allowed}).license_key)"
        return self.python(f"{make}\n{each}").split()
