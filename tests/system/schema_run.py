"""schemathesis on a portal that is served and holds the demo world: for the test, and for `bench.api_schema`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.ops.processes import answer, free_port, started, until
from tests.system.portal import Portal

RATE = 1_000_000
# One check at a time, with its reason; what is not named here is on.
CONFIG = """
base-url = "{address}"
[auth.openapi.token]
bearer = "{token}"

[checks]
# Ids, codes and Usage Requests that were made up are refused although their shape is right: 422, and 409 by a rule. A
# change of a license without If-Match is 428, with one that was made up 412.
positive_data_acceptance.expected-statuses = ["2xx", "304", "401", "403", "404", "409", "412", "422", "428", "429"]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 422, 428, 429]
# A missing key or If-Match.
missing_required_header.expected-statuses = [400, 401, 403, 406, 415, 422, 428]

# A cursor that was made up is no page of a list: 400, as 422 is about bodies and ids.
{lists}
"""
_LIST = """
[[operations]]
include-operation-id = "{name}"
[operations.checks]
positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "409", "422", "429"]
"""


@dataclass(frozen=True)
class Served:
    address: str
    token: str
    log: Path


@contextmanager
def served_world(portal: Portal, folder: Path) -> Iterator[Served]:
    """The demo world behind gunicorn, and a token with all scopes and a rate that nothing here uses up."""
    portal.manage("create_staff", "administrator", "--role", "administrator", "--password", "correct-battery-9")
    portal.python("from tests.portal.cast import make_keys; make_keys()")
    portal.script("world")
    token = portal.python(
        "from activations.domain.scopes import Scope\n"
        "from activations.models import ApiToken\n"
        "from activations.services.tokens import create_token\n"
        "from tests.portal.cast import ADMINISTRATOR\n"
        "made = create_token(name='schema', scopes=[each.value for each in Scope], owner='administrator',\n"
        "    actor=ADMINISTRATOR, source='cli', reason='Tries the API')\n"
        f"ApiToken.objects.filter(name='schema').update(rate={RATE})\n"
        "print(made.token)"
    ).split()[-1]
    port, log = free_port(), folder / "gunicorn.log"
    command = [sys.executable, "-m", "gunicorn", "licensing_portal.wsgi", "--bind", f"127.0.0.1:{port}"]
    with started([*command, "--workers", "2"], {**portal.env, "ONLINE_RATE": "6000", "UNKNOWN_RATE": "100000"}, log):
        address = f"http://127.0.0.1:{port}"
        until(lambda: (answer(f"{address}/healthz") or (0, ""))[0] == 200, "the portal's answer", log)
        yield Served(address, token, log)


def run(served: Served, folder: Path, *options: str, seconds: int) -> subprocess.CompletedProcess[str]:
    """All phases, all checks. It ends with 1 when it found something."""
    with urllib.request.urlopen(f"{served.address}/api/v1/openapi.json") as got:  # noqa: S310
        document = json.loads(got.read())
    lists = [
        each["operationId"]
        for path in document["paths"].values()
        for each in path.values()
        if any(parameter["name"] == "cursor" for parameter in each.get("parameters", ()))
    ]
    config = folder / "schemathesis.toml"
    config.write_text(
        CONFIG.format(
            address=served.address, token=served.token, lists="".join(_LIST.format(name=name) for name in lists)
        )
    )
    command = [str(Path(sys.executable).with_name("schemathesis")), "--no-color", "--config-file", str(config), "run"]
    return subprocess.run(
        [
            *command,
            f"{served.address}/api/v1/openapi.json",
            "--checks",
            "all",
            "--generation-database",
            "none",
            *options,
        ],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=seconds,
    )


def failures_of_the_portal(served: Served) -> list[str]:
    """What the portal logged as an error of its own."""
    lines = served.log.read_text(errors="replace").splitlines()
    return [line for line in lines if re.search(r" ERROR | Traceback|\" 5\d\d ", line)]
