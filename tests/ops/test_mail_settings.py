"""How often mail is looked at, and when a mail is tried again: settings that a portal refuses when they cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ops.processes import environment, manage, python

SHOW = """
from django.conf import settings
from activations.services.post import outbox
beat = settings.CELERY_BEAT_SCHEDULE
print(beat["fetch-mail"], beat["send-mails"]["schedule"], [int(wait.total_seconds()) for wait in outbox.WAITS])
print(settings.CELERY_WORKER_CONCURRENCY)
"""


def test_they_reach_beat_the_outbox_and_the_worker(tmp_path: Path) -> None:
    env = environment(tmp_path, MAIL_EVERY="120", MAIL_RETRY_AFTER="30,90", WORKER_CONCURRENCY="7")
    done = python(SHOW, env)
    assert done.stdout.splitlines() == [
        "{'task': 'activations.fetch_mail', 'schedule': 120.0, 'options': {'expires': 1200}} 120.0 [30, 90]",
        "7",
    ], done.stderr


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MAIL_EVERY", "0", "MAIL_EVERY is 0. Set it to 1 to 3600."),
        ("WORKER_CONCURRENCY", "1", "WORKER_CONCURRENCY is 1. Set it to 2 to 100."),
        ("MAIL_RETRY_AFTER", "60,0", "MAIL_RETRY_AFTER is a list of seconds, each from 1 to 604800 (a week)"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, name: str, value: str, said: str) -> None:
    done = manage("check", env=environment(tmp_path, **{name: value}))
    assert done.returncode == 2
    assert said in done.stderr
