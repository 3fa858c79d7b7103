"""Background jobs. Each calls one use case; what it finds stands in the database and in the log."""

from __future__ import annotations

import logging
import time
from datetime import date
from itertools import groupby
from typing import Any

from celery import shared_task
from celery.exceptions import OperationalError
from django.dispatch import receiver
from django.utils import timezone

from activations import queries
from activations.domain.words import LicenseStatus, OutgoingState
from activations.mail import fetching, sending
from activations.services import replies
from activations.services.actors import system_actor
from activations.services.checkpoints import CheckpointMade, checkpoint_ledger
from activations.services.ledger_checks import verify_ledger
from activations.services.post import notices, outbox
from activations.services.post.automatic import answer_by_itself
from activations.services.post.reading import read_kept, unread
from activations.services.post.signals import mail_to_read, something_to_send
from licensing_portal.jobs import only_one

MOST_MAILS = 500  # of one run; the next goes on
MOST_SECONDS = 60  # in which a run begins to send mails: one more may take minutes, and a job has four

log = logging.getLogger(__name__)


@shared_task(name="activations.checkpoint_ledger")  # type: ignore[untyped-decorator]  # celery ships no types
def checkpoint_ledger_job() -> int:
    """Signs a checkpoint over what was booked since the last one. Returns the number of new entries."""
    made = checkpoint_ledger(actor=system_actor())
    if not isinstance(made, CheckpointMade):
        log.error("no checkpoint was made: %s", made.message)
        return 0
    return made.new


@shared_task(name="activations.verify_ledger")  # type: ignore[untyped-decorator]  # celery ships no types
def verify_ledger_job() -> int:
    """Verifies the whole ledger against the tables. Returns the number of problems; each is logged as an error."""
    checked = verify_ledger(rebuild_check=True)
    for problem in checked.problems:
        log.error("the ledger does not hold: %s", problem)
    return len(checked.problems)


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


@receiver(something_to_send)
def _send_soon(sender: object, pk: int, **more: object) -> None:
    _wake(send_mail_job, pk)


@receiver(mail_to_read)
def _read_soon(sender: object, pk: int, **more: object) -> None:
    _wake(read_mail_job, pk)
