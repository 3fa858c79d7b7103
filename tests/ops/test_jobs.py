"""The periodic jobs of the embedded default: when each is due, and that one that fails stops no other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from django.db import connection
from pytest_django import Settings

from activations import tasks
from activations.domain.words import JobState, OutgoingState
from activations.models import Job, LedgerCheckpoint, LedgerEntry
from activations.services.exports import Exported, export_chosen
from activations.services.jobs import queue, running
from activations.services.post.signals import something_to_send
from licensing_portal import jobs
from licensing_portal.jobs import QUIET, Schedule
from tests.mailroom.posting import again, queued
from tests.mailroom.smtp import catching
from tests.ops.processes import environment, python
from tests.portal.cast import AUDITOR, SOURCE, book_many, make_keys
from tests.portal.test_jobs import wait_until


def test_each_job_has_its_own_time() -> None:
    schedule = Schedule({"quick": {"task": "a", "schedule": 60.0}, "slow": {"task": "b", "schedule": 3600.0}}, now=1000)
    ran = {second: tasks for second in range(1000, 1000 + 7300, 5) if (tasks := schedule.due(second))}
    assert [second - 1000 for second, tasks in ran.items() if "b" in tasks] == [QUIET, QUIET + 3600, QUIET + 7200]
    assert [second - 1000 for second, tasks in ran.items() if "a" in tasks][:4] == [0, 60, 120, 180]


def test_a_web_process_knows_every_periodic_job_and_hears_what_is_queued(tmp_path: Path) -> None:
    code = """
import licensing_portal.wsgi
from django.conf import settings
from activations.services.post.signals import mail_to_read, something_to_send
from licensing_portal.celery import app
print({job["task"] for job in settings.CELERY_BEAT_SCHEDULE.values()} - set(app.tasks))
print(something_to_send.has_listeners(), mail_to_read.has_listeners())
"""
    done = python(code, environment(tmp_path / "var"))

    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["set()", "True True"]


@pytest.mark.django_db
def test_a_job_runs_here_and_now(settings: Settings) -> None:
    settings.MAILBOXES = []
    jobs.run_one("activations.send_mails")


@pytest.mark.django_db
def test_a_job_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        jobs.run_one("activations.no_such_job")
    assert "activations.no_such_job failed" in caplog.text


def test_with_a_broker_there_is_no_thread(settings: Settings) -> None:
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    assert jobs.start() is None


@contextmanager
def embedded(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The threads of the embedded portal, with all jobs due at any moment."""
    names = ("run_jobs", "send_mails", "checkpoint_ledger")
    settings.CELERY_BEAT_SCHEDULE = {name: {"task": f"activations.{name}", "schedule": 0.01} for name in names}
    monkeypatch.setattr(jobs, "TICK", 0.02)
    over = threading.Event()
    thread = jobs.start(over)
    assert thread is not None
    try:
        yield
    finally:
        over.set()
        thread.join(60)
    assert not thread.is_alive()


def test_mails_and_checkpoints_go_on_while_an_export_takes_long(
    transactional_db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The export is held open in the middle, with its snapshot of the database, until the mail has gone."""
    make_keys()
    begun, released = threading.Event(), threading.Event()

    def held(done: int, total: int) -> None:
        begun.set()
        assert released.wait(60)

    def runner(work: running.Work) -> dict[str, object]:
        everything = LedgerEntry.objects.all()
        made = export_chosen(entries=everything, chosen={}, out=BytesIO(), actor=AUDITOR, source=SOURCE, tell=held)
        assert isinstance(made, Exported)
        return {"rows": made.entries}

    monkeypatch.setitem(running.RUNNERS, "test", runner)
    monkeypatch.setattr(running, "BEAT", 0.05)
    something_to_send.disconnect(tasks._send_soon)
    job = queue.ask("test", {}, actor=AUDITOR)
    assert isinstance(job, Job)
    try:
        with catching() as smtp, embedded(settings, monkeypatch):
            settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
            settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", smtp.port
            try:
                assert begun.wait(60)
                covered = LedgerCheckpoint.objects.count()
                mail = queued()
                book_many(3)
                wait_until(lambda: again(mail).state == OutgoingState.SENT)
                wait_until(lambda: LedgerCheckpoint.objects.count() > covered)
                job.refresh_from_db()
                assert job.state == JobState.RUNNING
            finally:
                released.set()
            wait_until(lambda: Job.objects.get(pk=job.pk).state == JobState.DONE)
        assert smtp.message_ids == [mail.message_id]
    finally:
        something_to_send.connect(tasks._send_soon)
        connection.close()
