"""Shared by the tests of the Chariot side."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from chariot_license.instance import Instance
from chariot_license.protocol.fingerprint import HostFacts

from tests.client.vendor import PLANT_HOST, Clock, Vendor

CLIENT = Path(__file__).resolve().parents[2] / "client"


@pytest.fixture(scope="session")
def shared_vendor() -> Vendor:
    return Vendor()


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


MakeChariot = Callable[..., Instance]


@pytest.fixture
def chariot(state_dir: Path, vendor: Vendor, clock: Clock) -> MakeChariot:
    """Opens the Chariot of this test anew, as a restart does; keywords swap host, version and so on."""

    def opened(facts: HostFacts = PLANT_HOST, **options: Any) -> Instance:
        settings: dict[str, Any] = {"version": "2.4.1", "roots": vendor.roots, "clock": clock, **options}
        return Instance.for_command_line(settings.pop("state_dir", state_dir), facts=facts, **settings)

    return opened


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


Run = Callable[..., Ran]


def facts_file(folder: Path, facts: HostFacts) -> Path:
    file = folder / f"{facts.hostname}.json"
    named = {
        name: getattr(facts, name) for name in ("machine_id", "board_uuid", "disk_serial", "cpu_model", "hostname")
    }
    file.write_text(json.dumps({**named, "mac": list(facts.macs)}))
    return file


@pytest.fixture
def run(tmp_path: Path, state_dir: Path) -> Run:
    """Runs the real command in a process of its own, with nothing of the caller's environment but PATH."""

    def ran(*arguments: str, stdin: str | bytes = b"", package: Path = CLIENT, **environment: str) -> Ran:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "chariot_license.cli", *arguments],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "PYTHONPATH": str(package),
                "CHARIOT_STATE_DIR": str(state_dir),
                **environment,
            },
            timeout=60,
            check=False,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in err
        return Ran(done.returncode, out, err)

    return ran
