"""How long the server works for an agent's main job: paste the mail, confirm, take the reply.

    .venv/bin/python -m bench.desk [ROUNDS]

Three actions of a person are three requests that work: the paste, the confirmation and the page with the reply that it
leads to. Each round is another customer's first request, on a portal with 200 licenses of its own in a throw-away
database (SQLite, or a new one beside the database of DATABASE_URL). Prints milliseconds: least, median, most.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import django
from django.core.management import call_command

LICENSES = 200


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("DATABASE_URL", f"sqlite:///{folder}/portal.sqlite3")
        os.environ.update(PORTAL_VAR_DIR=folder, DJANGO_SETTINGS_MODULE="licensing_portal.settings")
        django.setup()
        from django.db import connection
        from django.test.utils import setup_databases, setup_test_environment, teardown_databases

        setup_test_environment()
        old = setup_databases(verbosity=0, interactive=False)
        try:
            _measure(rounds, connection.vendor)
        finally:
            teardown_databases(old, verbosity=0)


def _measure(rounds: int, vendor: str) -> None:
    from tests.portal.cast import make_keys, make_license
    from tests.portal.chariot import Chariot, host
    from tests.portal.web import desk, mail, signed_in

    call_command("migrate", verbosity=0)
    make_keys()
    licenses = [make_license(customer=f"Customer {number}", allowed=5) for number in range(LICENSES)]
    agent = signed_in("agent")
    form = agent.get(desk()).form(desk())
    times: dict[str, list[float]] = {"paste": [], "confirm": [], "reply": [], "all three": []}
    for number in range(rounds):
        made = licenses[number % LICENSES]
        text = mail(Chariot(made.license_key, host(f"host-{number}")).request())
        paste, page = _timed(partial(agent.post, desk(), {**form.fields, "text": text}))
        confirming = page.form("/admin/desk/confirm/")
        data = {**confirming.fields, "book": ""}
        confirm, answer = _timed(partial(agent.client.post, "/admin/desk/confirm/", data))
        reply, shown = _timed(partial(agent.get, answer.headers["Location"]))
        assert "CHARIOT USAGE LICENSE" in shown.block("reply")
        for name, value in (("paste", paste), ("confirm", confirm), ("reply", reply)):
            times[name].append(value)
        times["all three"].append(paste + confirm + reply)
    print(f"{vendor}, {rounds} rounds, milliseconds of server time (least, median, most):")
    for name, values in times.items():
        print(f"  {name:10} {min(values):7.1f} {statistics.median(values):7.1f} {max(values):7.1f}")


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    done = work()
    return (time.perf_counter() - began) * 1000, done


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
