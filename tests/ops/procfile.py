"""The processes of the Procfile, started as it says."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.ops.processes import ROOT, answer, started, until

PROCFILE = dict(
    re.split(r":\s*", line, maxsplit=1) for line in (ROOT / "Procfile").read_text().splitlines() if line.strip()
)


@contextmanager
def running(env: dict[str, str], folder: Path) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """All that stay up, by name; each logs to NAME.log in the folder. They run once `/healthz` answers at PORT."""
    host = env["ALLOWED_HOSTS"].split(",")[0]
    with ExitStack() as processes:
        made = {
            name: processes.enter_context(started(shlex.split(command), env, folder / f"{name}.log"))
            for name, command in PROCFILE.items()
            if name != "release"
        }

        def answers() -> bool:
            return (answer(f"http://127.0.0.1:{env['PORT']}/healthz", Host=host) or (0, ""))[0] == 200

        until(answers, "the web process's answer", folder / "web.log")
        yield made
