"""docs/api.md is followed step by step, as it is printed, on a portal that is served, with a real Chariot."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.ops.processes import ROOT
from tests.system.browsing import Desk
from tests.system.portal import Portal

GUIDE = ROOT / "docs/api.md"
# What the guide calls by a name of its own is taken from the answers, as its reader would take it.
NAMES = {
    "token": "TOKEN",
    "license_key": "KEY",
    "digest": "DIGEST",
    "usage_license": "ANSWER",
}


class Reader:
    """Somebody who works through the guide: runs what is printed, and keeps what the answers say."""

    def __init__(self, portal: Portal, address: str, folder: Path) -> None:
        for name in (".venv", "manage.py"):
            (folder / name).symlink_to(ROOT / name)
        self.folder, self.env = folder, {**portal.env, "PORTAL": address, "NO_PROXY": "127.0.0.1"}

    def runs(self, block: str) -> dict[str, Any]:
        """The answer in JSON; of one that is no JSON nothing."""
        done = subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", block],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], **self.env},
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        answer = json.loads(done.stdout) if done.stdout.strip() else {}
        assert answer.get("status", 200) == 200 or "type" not in answer, f"{block}\n{done.stdout}"
        for member, name in NAMES.items():
            if answer.get(member):
                self.env[name] = answer[member]
        return dict(answer)


def steps() -> list[str]:
    part = GUIDE.read_text().split("\n## Step by step\n")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", part, re.DOTALL)


def test_the_guide_works_as_it_is_printed(served: tuple[Portal, str], tmp_path: Path) -> None:
    portal, address = served
    portal.manage("create_staff", "administrator", "--role", "administrator", "--password", "correct-battery-9")
    folder = tmp_path / "guide"
    folder.mkdir()
    reader, blocks = Reader(portal, address, folder), iter(steps())

    reader.runs(next(blocks))
    assert reader.env["TOKEN"].startswith("clt_")
    assert reader.runs(next(blocks))["results"] == []
    bought = reader.runs(next(blocks))
    reader.env["LICENSE"] = bought["license"]["license_id"]
    assert reader.runs(next(blocks))["license"]["key_serial"] == 2
    desk = Desk(portal, address, reader.env["LICENSE"], reader.env["KEY"], tmp_path)
    asked = desk.chariot("request", desk.license_key)
    (folder / "request.txt").write_text(str(asked["usage_request"]))

    assert reader.runs(next(blocks))["booked"] is False
    issued = reader.runs(next(blocks))
    assert (issued["outcome"], issued["booked"]) == ("issued", True)
    desk.chariot("install", given=issued["usage_license"])
    assert len(reader.runs(next(blocks))["results"]) == 1
    assert reader.runs(next(blocks))["allowed"] == 2
    assert reader.runs(next(blocks))["license"]["allowed"] == 3
    reader.env["CODE"] = str(desk.chariot("deactivate")["deactivation_code"])
    assert reader.runs(next(blocks))["effect"] == "freed"

    again = portal.manage("issue_usage_license", "--actor", "agent", given=_another_request(desk))
    held = reader.runs(next(blocks))["results"]
    assert [each["activation_id"] for each in held] == [again["activation_id"]]
    reader.env["ACTIVATION"] = held[0]["activation_id"]
    assert reader.runs(next(blocks))["state"] == "lost"
    assert reader.runs(next(blocks))["state"] == "requested"
    then = reader.runs(next(blocks))
    assert (then["allowed"], then["active"], then["lost"]) == (3, 0, 1)
    assert reader.runs(next(blocks))["results"][0]["kind"] == "license.created"

    export = reader.runs(next(blocks))
    reader.env["EXPORT"] = str(export["id"])
    look = next(blocks)
    for _ in range(60):
        if reader.runs(look)["state"] == "done":
            break
        time.sleep(1)
    reader.runs(next(blocks))
    lines = (folder / "ledger.jsonl").read_text().splitlines()
    assert json.loads(lines[-1]) == {"end": len(lines) - 2}
    proof = reader.runs(next(blocks))
    assert proof["proof"].startswith("c2sp.org/tlog-proof@v1\n")
    assert list(blocks) == []


def _another_request(desk: Desk) -> str:
    return str(desk.chariot("request", desk.license_key)["usage_request"])
