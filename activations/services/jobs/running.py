"""Running a job: the one function for each kind, how it is heard of meanwhile, and what becomes of one that fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import IO, Self

from django.db import Error as DatabaseFailure
from django.db import IntegrityError, close_old_connections, connection, connections

from activations.models import Job
from activations.services.jobs import queue

BEAT = 5.0  # seconds between two signs of life
PART = 256 * 1024  # bytes of a piece of a file

log = logging.getLogger(__name__)


class CannotRun(Exception):
    """Why a job cannot be done, in words for the person who asked."""


class Work:
    """A job as the function that does it sees it.

    Signs of life come from a thread with a connection of its own: what works reads one snapshot of the database for as
    long as it takes, in which nothing can be written (`snapshot`). Inside a caller's transaction there is no other
    connection that sees the job; there the signs are written as they are given.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._done, self._parts = 0, 0
        self._total: int | None = None
        self._stopped, self._over = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if not connection.in_atomic_block:
            self._thread = threading.Thread(target=self._beat, name=f"job-{self.job.pk}", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def advance(self, done: int, total: int | None = None) -> None:
        """How far it is. Raises `queue.Stopped` when it was cancelled, or another process has it."""
        self._done, self._total = done, self._total if total is None else total
        if self._thread is None and not queue.beat(self.job, self._done, self._total):
            self._stopped.set()
        if self._stopped.is_set():
            raise queue.Stopped

    def keep(self, file: IO[bytes]) -> int:
        """Keeps what was written as the job's file; its length in bytes. Outside the snapshot it was written from."""
        file.seek(0)
        size = 0
        while data := file.read(PART):
            self._parts += 1
            queue.keep_part(self.job, self._parts, data)
            size += len(data)
        return size

    def last_beat(self) -> None:
        """The end is shown as the end."""
        queue.beat(self.job, self._done, self._total)

    def _beat(self) -> None:
        try:
            while not self._over.wait(BEAT):
                close_old_connections()
                if not queue.beat(self.job, self._done, self._total):
                    self._stopped.set()
                    return
        except DatabaseFailure:
            log.warning("job %s: a sign of life could not be written", self.job.pk)
            self._stopped.set()
        finally:
            connections.close_all()


# A runner does the whole job and returns its result, of JSON types.
Runner = Callable[[Work], dict[str, object]]
RUNNERS: dict[str, Runner] = {}


def runs(kind: str) -> Callable[[Runner], Runner]:
    """Names the function that does jobs of this kind."""

    def register(runner: Runner) -> Runner:
        RUNNERS[kind] = runner
        return runner

    return register


def run(pk: int) -> str:
    """Does the job if nobody else has it; returns its state afterwards, "" when it was not ours."""
    job = queue.claim(pk)
    if job is None:
        return ""
    try:
        _run(job)
    except queue.Stopped:
        log.info("job %s was stopped", pk)
    except CannotRun as problem:
        queue.fail(job, str(problem))
    except IntegrityError as error:
        log.exception("job %s (%s): the database refused it", pk, job.kind)
        queue.fail(
            job,
            f"The database refused what was to be booked ({str(error).strip().splitlines()[0]}). Have the ledger "
            "checked (Audit, Check), and tell an administrator.",
        )
    except DatabaseFailure:
        raise  # it may be gone for a moment: the job is not heard of any more, and begun again
    except Exception as error:
        log.exception("job %s (%s) failed", pk, job.kind)
        queue.fail(
            job,
            f"This ended with an error that nobody expected ({type(error).__name__}). Tell an administrator: the "
            "portal's log has the details.",
        )
    job.refresh_from_db()
    return str(job.state)


def _run(job: Job) -> None:
    runner = RUNNERS.get(job.kind)
    if runner is None:
        raise CannotRun(f"This portal does not know jobs called {job.kind}. Tell an administrator.")
    with Work(job) as work:
        result = runner(work)
    work.last_beat()
    queue.end(job, result)
