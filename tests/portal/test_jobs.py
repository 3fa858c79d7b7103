"""Work that is asked for and done later: claimed once, heard of, cancelled, begun again, and its file."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections
from django.utils import timezone

from activations.domain.words import JobState
from activations.models import Job, JobPart, License
from activations.services.jobs import queue, running
from activations.services.jobs.ledger_check import ask_for_check, last_check, last_passed
from activations.services.licenses import LicenseCreated
from activations.services.results import Refused
from activations.services.snapshot import snapshot
from activations.tasks import run_job_job, run_jobs_job, verify_ledger_job
from tests.portal.cast import ADMINISTRATOR, AGENT, AUDITOR, LEAD

FILE = bytes(range(256)) * 3000  # three parts


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> str:
    """A kind of job that writes FILE, and does before the end what a test puts into its order."""

    def runner(work: running.Work) -> dict[str, object]:
        work.advance(0, 2)
        if work.job.asked_for.get("fail") == "in words":
            raise running.CannotRun("The list is gone. Open it again.")
        if work.job.asked_for.get("fail"):
            raise ZeroDivisionError
        kept = work.keep(io.BytesIO(FILE))
        if work.job.asked_for.get("cancelled"):
            queue.cancel(work.job.pk, actor=LEAD)
        work.advance(2)
        return {"bytes": kept}

    monkeypatch.setitem(running.RUNNERS, "test", runner)
    return "test"


def asked(kind: str, **asked_for: Any) -> Job:
    job = queue.ask(kind, asked_for, actor=LEAD)
    assert isinstance(job, Job), job
    return job


@pytest.mark.django_db
def test_a_job_is_done_once_and_its_file_is_there(kind: str) -> None:
    job = asked(kind)
    assert (job.state, job.asked_by, job.done, job.total) == ("queued", "lead", 0, None)

    assert running.run(job.pk) == "done"
    assert running.run(job.pk) == ""

    job.refresh_from_db()
    assert (job.done, job.total, job.result, job.claim, job.problem) == (2, 2, {"bytes": len(FILE)}, "", "")
    assert JobPart.objects.filter(job=job).count() == 3
    assert b"".join(queue.file_of(job)) == FILE


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fail", "words"),
    [("in words", "The list is gone. Open it again."), ("unexpectedly", "ZeroDivisionError"), (None, "does not know")],
)
def test_a_job_that_cannot_be_done_says_why(kind: str, fail: str | None, words: str) -> None:
    job = asked(kind if fail else "unknown", fail=fail)

    assert running.run(job.pk) == "failed"

    job.refresh_from_db()
    assert words in job.problem
    assert job.ended_at is not None
    assert not JobPart.objects.exists()


@pytest.mark.django_db
def test_a_cancelled_job_stops_and_leaves_no_file(kind: str) -> None:
    job = asked(kind, cancelled=True)

    assert running.run(job.pk) == "cancelled"

    job.refresh_from_db()
    assert (job.state, job.result) == ("cancelled", {})
    assert not JobPart.objects.exists()
    assert isinstance(queue.cancel(job.pk, actor=LEAD), Refused)
    assert queue.cancel(asked(kind).pk, actor=AGENT).code == "not-yours"  # type: ignore[union-attr]
    assert queue.cancel(999_999, actor=LEAD).code == "job-unknown"  # type: ignore[union-attr]


@pytest.mark.django_db
def test_a_job_whose_process_ended_is_begun_again_and_given_up_in_the_end(kind: str) -> None:
    job = asked(kind)
    for attempt in range(1, queue.MOST_ATTEMPTS + 1):
        mine = queue.claim(job.pk)
        assert mine is not None
        assert mine.attempts == attempt
        assert queue.claim(job.pk) is None
        queue.keep_part(mine, 1, b"half")
        assert queue.sweep(timezone.now()) == 0
        assert queue.sweep(timezone.now() + queue.SILENT + timedelta(seconds=1)) == 1
        with pytest.raises(queue.Stopped):  # the process that was taken for dead and comes back
            queue.keep_part(mine, 2, b"more")
        assert not queue.end(mine, {"bytes": 4})

    job.refresh_from_db()
    assert (job.state, job.result) == ("failed", {})
    assert "3 times" in job.problem


@pytest.mark.django_db
def test_files_go_after_a_while(kind: str) -> None:
    job = asked(kind)
    running.run(job.pk)

    queue.sweep(timezone.now() + queue.KEPT - timedelta(minutes=1))
    assert JobPart.objects.count() == 3
    queue.sweep(timezone.now() + queue.KEPT + timedelta(minutes=1))
    assert not JobPart.objects.exists()
    assert Job.objects.filter(pk=job.pk).exists()


@pytest.mark.django_db
def test_nobody_has_more_than_a_few_open_jobs(kind: str) -> None:
    for _ in range(queue.MOST_OPEN):
        asked(kind)

    refused = queue.ask(kind, {}, actor=LEAD)

    assert isinstance(refused, Refused)
    assert refused.code == "jobs-waiting"
    assert isinstance(queue.ask(kind, {}, actor=AGENT), Job)


def test_the_ledger_is_checked_as_a_job(license: LicenseCreated) -> None:
    first = ask_for_check(actor=AUDITOR)
    assert isinstance(first, Job)
    assert ask_for_check(actor=ADMINISTRATOR) == first  # one at a time
    assert isinstance(ask_for_check(actor=AGENT), Refused)

    assert run_jobs_job() == 1
    first.refresh_from_db()
    assert (first.state, first.result["holds"], first.result["problems"]) == (JobState.DONE, True, 0)
    assert last_check() == last_passed() == first

    License.objects.update(allowed=7)
    verify_ledger_job()
    run_jobs_job()
    second = last_check()
    assert second is not None
    assert second.asked_by == "command-line"
    assert (second.result["holds"], second.result["problems"]) == (False, 1)
    assert "allowed" in second.result["named"][0]
    assert last_passed() == first


@pytest.mark.django_db(transaction=True)
def test_a_job_is_heard_of_and_can_be_stopped_while_it_reads_one_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a snapshot nothing can be written: the signs of life come from another connection, and so does the stop."""
    seen: list[tuple[int, int | None]] = []

    def runner(work: running.Work) -> dict[str, object]:
        with snapshot():
            assert Job.objects.get(pk=work.job.pk).done == 0
            work.advance(7, 9)
            wait_until(lambda: elsewhere(progress) == (7, 9))
            seen.append(elsewhere(progress))
            assert Job.objects.get(pk=work.job.pk).done == 0  # it is one snapshot indeed
            elsewhere(lambda: queue.cancel(work.job.pk, actor=LEAD))
            wait_until(lambda: work.advance(8))  # raises Stopped
        return {}

    def progress() -> tuple[int, int | None]:
        job = Job.objects.get()
        return job.done, job.total

    monkeypatch.setitem(running.RUNNERS, "test", runner)
    monkeypatch.setattr(running, "BEAT", 0.05)
    job = asked("test")

    assert running.run(job.pk) == "cancelled"
    assert seen == [(7, 9)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_many_who_ask_at_once_get_one_check() -> None:
    def ask() -> int:
        try:
            job = ask_for_check(actor=AUDITOR)
            assert isinstance(job, Job)
            return job.pk
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask) for _ in range(8)]
        assert len({each.result(timeout=60) for each in asked}) == 1
    assert Job.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_that_one_person_asks_for_at_once_no_more_than_allowed_are_taken(kind: str) -> None:
    """All of them have counted before one has written, unless they wait for each other."""
    start = threading.Barrier(12)

    def ask(number: int) -> bool:
        try:
            start.wait(60)
            return isinstance(queue.ask(kind, {}, actor=LEAD if number % 2 else AGENT), Job)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(12) as pool:
        taken = list(pool.map(ask, range(12)))
    assert sum(taken) == 2 * queue.MOST_OPEN
    for actor in (LEAD, AGENT):
        assert Job.objects.filter(asked_by=actor.name).count() == queue.MOST_OPEN


@pytest.mark.django_db
def test_a_job_that_the_database_refuses_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def runner(work: running.Work) -> dict[str, object]:
        raise IntegrityError("UNIQUE constraint failed: activations_staffevent.chain\nDETAIL: more")

    monkeypatch.setitem(running.RUNNERS, "test", runner)
    job = asked("test")
    assert running.run(job.pk) == "failed"
    job.refresh_from_db()
    assert "The database refused what was to be booked (UNIQUE constraint failed" in job.problem


def test_jobs_have_the_time_they_need() -> None:
    """Celery takes None for "as the settings say", which is a few minutes."""
    for task in (run_job_job, run_jobs_job):
        assert task.soft_time_limit == 24 * 3600
        assert task.time_limit > task.soft_time_limit


def elsewhere(ask: Callable[[], Any]) -> Any:
    """What another connection gets."""

    def there() -> Any:
        try:
            return ask()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(there).result(timeout=60)


def wait_until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
