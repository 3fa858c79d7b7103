"""The periodic jobs without a second process: in the embedded default two threads of the web server do beat's work.

One is for the jobs that people asked for, which may take hours: a check of the ledger, a large export. The other does
all the rest, so that mails and checkpoints do not wait for them. One process at a time does so: it holds a lock on a
file, and when it ends, the next one that waits goes on.
"""

from __future__ import annotations

import fcntl
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import close_old_connections, connections

from licensing_portal.celery import app

log = logging.getLogger(__name__)

TICK = 5.0  # seconds between looks at what is due
QUIET = 60.0  # seconds after the start in which only the quick jobs run
LONG = frozenset({"activations.run_jobs"})  # tasks that may take longer than others can wait for


class Schedule:
    """When each job of CELERY_BEAT_SCHEDULE is due; `now` counts seconds. Those that take long wait for the portal to
    have started: at first they are due a minute later.
    """

    def __init__(self, jobs: Mapping[str, Mapping[str, Any]], now: float) -> None:
        self._jobs = jobs
        self._next = {name: now + (QUIET if job["schedule"] > QUIET else 0) for name, job in jobs.items()}

    def due(self, now: float) -> list[str]:
        """The tasks to run now, by name; each is due again after its own time."""
        names = [name for name, at in self._next.items() if now >= at]
        for name in names:
            self._next[name] = now + float(self._jobs[name]["schedule"])
        return [str(self._jobs[name]["task"]) for name in names]


@contextmanager
def only_one(name: str) -> Iterator[bool]:
    """Whether no other process of this machine is in a block of this name; the system ends it with its process."""
    settings.VAR_DIR.mkdir(parents=True, exist_ok=True)
    with (settings.VAR_DIR / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def run_one(task: str) -> None:
    """Runs a job here and now. One that fails is logged, and the others go on."""
    close_old_connections()
    try:
        app.tasks[task].apply(throw=True)
    except Exception:
        log.exception("the job %s failed; it runs again at its next time", task)
    finally:
        close_old_connections()


def start(over: threading.Event | None = None) -> threading.Thread | None:
    """Starts the threads, unless there is a broker and with it a worker and beat. They begin nothing after `over`."""
    if settings.CELERY_BROKER_URL:
        return None
    thread = threading.Thread(target=_run, args=[over or threading.Event()], name="jobs", daemon=True)
    thread.start()
    return thread


def _run(over: threading.Event) -> None:
    settings.VAR_DIR.mkdir(parents=True, exist_ok=True)
    with (settings.VAR_DIR / "jobs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        jobs = settings.CELERY_BEAT_SCHEDULE
        long = {name: job for name, job in jobs.items() if job["task"] in LONG}
        rest = {name: job for name, job in jobs.items() if name not in long}
        beside = threading.Thread(target=_keep_running, args=[long, over], name="long-jobs", daemon=True)
        beside.start()
        _keep_running(rest, over)
        beside.join()  # the lock is for both


def _keep_running(jobs: Mapping[str, Mapping[str, Any]], over: threading.Event) -> None:
    schedule = Schedule(jobs, time.monotonic())
    try:
        while not over.is_set():
            for task in schedule.due(time.monotonic()):
                run_one(task)
            over.wait(TICK)
    finally:
        connections.close_all()
