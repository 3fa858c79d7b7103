"""Tries the API against its own document for as long as you like, with new values each time.

    TEST_POSTGRES_URL=postgres://... .venv/bin/python -m bench.api_schema [MINUTES] [SEED]     (10 minutes by default)

Needs a PostgreSQL server where it may make a database. Prints what was tried and what was found; ends with 1 if
something was, also what the portal itself logged as an error. The seed of a run is printed: give it to repeat the run.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from tests.system.conftest import migrate, postgres_database
from tests.system.portal import Portal
from tests.system.schema_run import failures_of_the_portal, run, served_world


def main(minutes: float, seed: str) -> int:
    server = os.environ.get("TEST_POSTGRES_URL")
    if not server:
        print("Set TEST_POSTGRES_URL to a PostgreSQL server where this may make a database.")
        return 2
    with tempfile.TemporaryDirectory() as name, postgres_database(server) as url:
        folder = Path(name)
        with closing(Portal("postgresql", url, folder / "var")) as portal:
            migrate(portal)
            with served_world(portal, folder) as served:
                seconds = max(1, round(60 * minutes))
                options = ("--seed", seed, "--max-time", str(seconds), "--continue-on-failure")
                # The examples and the coverage phase are carried out whole, however long that takes.
                done = run(served, folder, *options, seconds=seconds + 1800)
                own = failures_of_the_portal(served)
    print(done.stdout, done.stderr, sep="\n")
    print(f"Logged by the portal as errors: {len(own)}", *own[:50], sep="\n")
    return 1 if done.returncode or own else 0


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(main(float(given[0]) if given else 10, given[1] if len(given) > 1 else str(secrets.randbelow(2**32))))
