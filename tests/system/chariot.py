"""A Chariot worked through its own command, on a host of its own, in processes of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.ops.processes import environment


@dataclass(frozen=True)
class Host:
    """A host that trusts a test portal's root; its facts follow from its name."""

    folder: Path
    name: str
    trust_root: Path

    def run(self, *arguments: str, given: str = "", exit_code: int = 0) -> dict[str, Any]:
        """The JSON answer of a `chariot-license` command; fails the test when it exits with another code."""
        self.folder.mkdir(parents=True, exist_ok=True)
        facts = self.folder / "facts.json"
        facts.write_text(
            json.dumps(
                {
                    "machine_id": f"{self.name}-machine",
                    "board_uuid": f"{self.name}-board",
                    "disk_serial": f"{self.name}-disk",
                    "hostname": self.name,
                }
            )
        )
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "chariot_license.cli",
                "--state-dir",
                str(self.folder / "state"),
                "--json",
                *arguments,
            ],
            env=environment(self.folder, CHARIOT_HOST_FACTS=str(facts), CHARIOT_TRUST_ROOT=str(self.trust_root)),
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == exit_code, (arguments, done.returncode, done.stdout, done.stderr)
        return dict(json.loads(done.stdout))

    def request(self, license_key: str) -> str:
        return str(self.run("request", "-", given=license_key)["usage_request"])
