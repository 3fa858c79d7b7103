"""Redis goes away while a job is being done: the worker lives on, and connects again by itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from licensing_portal import celery
from licensing_portal.broker import Transport
from tests.ops.processes import production, started, until
from tests.system.parts import RedisServer, redis_server

# A worker of the portal with one more job, which ends when a file is there.
WORKER = """
import sys, time
from pathlib import Path
from licensing_portal.celery import app
folder = Path(sys.argv[1])
@app.task(name="tests.wait")
def wait(name):
    (folder / f"{name}.begun").touch()
    while not (folder / f"{name}.end").exists():
        time.sleep(0.05)
    (folder / f"{name}.done").touch()
app.worker_main(["worker", "--loglevel", "INFO", "--concurrency", "2"])
"""


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as server:
        yield server


def test_every_address_of_redis_is_spoken_to_in_our_way() -> None:
    for scheme in ("redis", "rediss"):
        assert isinstance(celery.app.connection(f"{scheme}://127.0.0.1:1/0").transport, Transport)


def test_a_worker_that_is_at_work_survives_the_loss_of_redis(redis: RedisServer, tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    env = production(tmp_path / "var", REDIS_URL=redis.url, DATABASE_URL=f"sqlite:///{tmp_path / 'portal.sqlite3'}")
    with started([sys.executable, "-c", WORKER, str(tmp_path)], env, log) as worker:
        send(redis, "first")
        until((tmp_path / "first.begun").exists, "the first job", log)
        redis.kill()
        until(lambda: "Cannot connect to redis" in log.read_text(), "the worker's attempt to connect again", log)
        (tmp_path / "first.end").touch()
        until((tmp_path / "first.done").exists, "the end of the first job", log)

        redis.start()
        send(redis, "second")
        (tmp_path / "second.end").touch()
        until((tmp_path / "second.done").exists, "the second job", log)
        assert worker.poll() is None
        assert "Unrecoverable" not in log.read_text()


def send(redis: RedisServer, name: str) -> None:
    Celery(broker=redis.url).send_task("tests.wait", [name])
