"""The periodic jobs of the embedded default: when each is due, and that one that fails stops no other."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from pytest_django import Settings

from licensing_portal import jobs
from licensing_portal.jobs import QUIET, Schedule
from tests.ops.processes import environment, python


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
