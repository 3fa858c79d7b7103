"""Background jobs. Each calls one use case; what it finds stands in the database and in the log."""

from __future__ import annotations

import logging
import time
from datetime import date
from itertools import groupby
from typing import Any

from celery import shared_task
from celery.exceptions import OperationalError
from django.conf import settings
from django.dispatch import receiver
from django.utils import timezone

from activations import queries
from activations.domain.words import LicenseStatus, OutgoingState
from activations.mail import fetching, sending
from activations.services import kept_answers, replies, staff_trail
from activations.services.actors import system_actor
from activations.services.checkpoints import CheckpointMade, checkpoint_ledger
from activations.services.jobs import (
    ledger_export,  # noqa: F401 - a worker learns of this kind of job by it
    running,
)
from activations.services.jobs import queue as job_queue
from activations.services.jobs.ledger_check import ask_for_check
from activations.services.jobs.signals import job_waits
from activations.services.post import notices, outbox
from activations.services.post.automatic import answer_by_itself
from activations.services.post.reading import read_kept, unread
from activations.services.post.signals import mail_to_read, something_to_send
from activations.services.results import Refused
from activations.services.webhooks import delivering, endpoints
from activations.services.webhooks import outbox as event_outbox
from activations.services.webhooks.signals import event_waits
from activations.services.witnessing.sending import send_checkpoints
from licensing_portal.jobs import only_one

MOST_MAILS = 500  # of one run; the next goes on
MOST_JOBS = 20
LONGEST_JOB = 24 * 3600  # seconds; without a number of its own a task has the few minutes of the settings
MOST_SECONDS = 60  # in which a run begins to send mails: one more may take minutes, and a job has four

log = logging.getLogger(__name__)


@shared_task(name="activations.checkpoint_ledger")  # type: ignore[untyped-decorator]  # celery ships no types
def checkpoint_ledger_job() -> int:
    """Signs a checkpoint over what was booked since the last one. Returns the number of new entries."""
    made = checkpoint_ledger(actor=system_actor())
    if not isinstance(made, CheckpointMade):
        log.error("no checkpoint was made: %s", made.message)
        return 0
    if made.new:
        _start(send_checkpoints_job)
    return made.new


@shared_task(name="activations.send_checkpoints")  # type: ignore[untyped-decorator]  # celery ships no types
def send_checkpoints_job() -> int:
    """Sends the newest checkpoint to the witnesses that lack it. Returns how many took it."""
    return send_checkpoints()


@shared_task(name="activations.verify_ledger")  # type: ignore[untyped-decorator]  # celery ships no types
def verify_ledger_job() -> int:
    """Queues the check of the whole ledger and the tables. Returns the number of the job, 0 when none was queued."""
    asked = ask_for_check(actor=system_actor())
    if isinstance(asked, Refused):
        log.error("the ledger is not checked today: %s", asked.message)
        return 0
    return int(asked.pk)


@shared_task(name="activations.run_job", soft_time_limit=LONGEST_JOB, time_limit=LONGEST_JOB + 60)  # type: ignore[untyped-decorator]
def run_job_job(pk: int) -> str:
    """Does what a person asked for, if it still waits. Returns the state of the job afterwards."""
    return running.run(pk)


@shared_task(name="activations.run_jobs", soft_time_limit=LONGEST_JOB, time_limit=LONGEST_JOB + 60)  # type: ignore[untyped-decorator]
def run_jobs_job() -> int:
    """Does what waits, one after the other; queues again what ended in the middle. Returns how many were done."""
    job_queue.sweep(timezone.now())
    return sum(bool(running.run(pk)) for pk in job_queue.waiting().values_list("pk", flat=True)[:MOST_JOBS])


@shared_task(name="activations.fetch_mail")  # type: ignore[untyped-decorator]  # celery ships no types
def fetch_mail_job() -> int:
    """Fetches every mailbox, then reads what was kept and not read yet. Returns the number of new mails.

    One run at a time on each machine: mail servers that hang hold one process of the worker, and the others go on.
    """
    with only_one("fetch-mail") as alone:
        new = fetching.fetch_all() if alone else 0
    read_mails_job()
    return new


@shared_task(name="activations.read_mails")  # type: ignore[untyped-decorator]  # celery ships no types
def read_mails_job() -> int:
    """Reads each mail that is kept and unread; one that cannot be read does not keep the next from it."""
    return sum(_read(pk) for pk in unread().values_list("pk", flat=True)[:MOST_MAILS])


@shared_task(name="activations.read_mail")  # type: ignore[untyped-decorator]  # celery ships no types
def read_mail_job(pk: int) -> bool:
    return _read(pk)


def _read(pk: int) -> bool:
    try:
        mail = read_kept(pk)
        if mail is not None:
            answer_by_itself(mail)
        return mail is not None
    except Exception:
        log.exception("mail %s could not be read or answered; staff see it, or it is read again", pk)
        return False


@shared_task(name="activations.send_mail")  # type: ignore[untyped-decorator]  # celery ships no types
def send_mail_job(pk: int) -> str:
    """Sends one mail of the outbox, if it is due and nobody else has it. Returns its state afterwards."""
    return sending.send(pk)


@shared_task(name="activations.send_mails")  # type: ignore[untyped-decorator]  # celery ships no types
def send_mails_job() -> int:
    """Sends every mail that is due, and says which ones were left in the middle. Returns how many were sent.

    One run at a time on each machine, as for fetching; a mail that a person has just queued has a job of its own.
    """
    with only_one("send-mails") as alone:
        return _send_all() if alone else 0


def _send_all() -> int:
    now, until = timezone.now(), time.monotonic() + MOST_SECONDS
    lost = outbox.sweep(now)
    if lost:
        log.error("%d mails were being sent when their sender ended; staff must decide on them", lost)
    sent = 0
    for pk in outbox.due(now).values_list("pk", flat=True)[:MOST_MAILS]:
        if time.monotonic() > until:
            break
        sent += sending.send(pk) == OutgoingState.SENT
    return sent


@shared_task(name="activations.send_notices")  # type: ignore[untyped-decorator]  # celery ships no types
def send_notices_job() -> int:
    """Queues what nobody asked for: ending features, waiting cases, written-off hosts. Returns how many mails."""
    now = timezone.now()
    told = notices.remind_of_restorations(now) + notices.tell_of_sightings(now)
    for ending in queries.ending_soon(now.date(), max(notices.ENDING_DAYS)):
        if ending.license.status == LicenseStatus.ACTIVE:
            told += _tell_of_ending(ending, now.date())
    return told


@shared_task(name="activations.sum_up_sign_ins")  # type: ignore[untyped-decorator]  # celery ships no types
def sum_up_sign_ins_job() -> int:
    """Writes into the staff trail how many more sign-ins failed in each minute that is over. Returns how many rows."""
    return staff_trail.sum_up(timezone.now())


def _tell_of_ending(ending: queries.Ending, today: date) -> int:
    """One mail for each last day: two features that end together are one piece of news."""
    told = 0
    for last_day, features in groupby(ending.features, key=lambda feature: feature[1]):
        draft = replies.features_ending(ending.license.license_id, features)
        told += notices.tell_of_ending(ending.license, last_day, draft, today=today)
    return told


def _wake(job: Any, pk: int) -> None:
    """Starts a job that a person waits for. Without a broker it is no loss: the periodic job finds the row."""
    try:
        job.delay(pk)
    except OperationalError:
        log.warning("the broker cannot be reached; %s of %s waits for the periodic job", job.name, pk)


def _start(job: Any) -> None:
    """Starts a job before its time. Without a broker it is no loss: it comes at its time."""
    try:
        job.delay()
    except OperationalError:
        log.warning("the broker cannot be reached; %s waits for its time", job.name)


@receiver(something_to_send)
def _send_soon(sender: object, pk: int, **more: object) -> None:
    _wake(send_mail_job, pk)


@receiver(job_waits)
def _run_soon(sender: object, pk: int, **more: object) -> None:
    if settings.CELERY_BROKER_URL:  # without one it would be done here and now, while a person waits for the page
        _wake(run_job_job, pk)


@receiver(mail_to_read)
def _read_soon(sender: object, pk: int, **more: object) -> None:
    _wake(read_mail_job, pk)


@shared_task(name="activations.send_webhooks")  # type: ignore[untyped-decorator]  # celery ships no types
def send_webhooks_job() -> int:
    """Sends every event that is due, and takes up what was left in the middle. Returns how many arrived."""
    now = timezone.now()
    left = event_outbox.sweep(now)
    if left:
        log.error("%d events were being sent when their sender ended; they are sent once more", left)
    endpoints.forget_old_secrets(now)
    event_outbox.prune(now)
    return delivering.send_due()


@shared_task(name="activations.send_webhook")  # type: ignore[untyped-decorator]  # celery ships no types
def send_webhook_job(pk: int) -> int:
    """Sends what is due for one receiver. Returns how many events arrived."""
    return delivering.send_to(pk)


@shared_task(name="activations.forget_api_answers")  # type: ignore[untyped-decorator]  # celery ships no types
def forget_api_answers_job() -> int:
    """Takes away the answers of the API that are no longer kept. Returns how many."""
    return kept_answers.forget(timezone.now())


@receiver(event_waits)
def _send_event_soon(sender: object, pk: int, **more: object) -> None:
    # A receiver that fails is left to the periodic job, which sends to all of them side by side: each of its events
    # would hold a process of the worker. Without a broker it would be sent while a person waits for the page.
    if settings.CELERY_BROKER_URL and not event_outbox.is_failing(pk):
        _wake(send_webhook_job, pk)
