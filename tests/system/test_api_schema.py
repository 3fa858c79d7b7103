"""The API is tried against its own document, by schemathesis, on PostgreSQL and behind gunicorn."""

from __future__ import annotations

from pathlib import Path

from tests.system.portal import Portal
from tests.system.schema_run import failures_of_the_portal, run, served_world

SEED = "20261127"


def test_the_api_keeps_to_its_document(postgres_portal: Portal, tmp_path: Path) -> None:
    with served_world(postgres_portal, tmp_path) as served:
        done = run(
            served,
            tmp_path,
            *("--seed", SEED, "--max-examples", "5", "--workers", "1", "--no-shrink"),
            seconds=1200,
        )
        assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-4_000:]
        assert failures_of_the_portal(served) == []
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert phase in done.stdout, done.stdout[-4_000:]
