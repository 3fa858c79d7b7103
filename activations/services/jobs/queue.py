"""The life of a job: asked for, claimed by one process, heard of while it works, ended once.

    queued -> running -> done, failed or cancelled
    running, and its process not heard of any more -> queued again, or failed after `MOST_ATTEMPTS`

Every step is a conditional UPDATE, so that of two processes one has the job, and one that was given up for dead learns
of it before it writes another part.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from activations.domain.words import Actor, JobState
from activations.models import Job, JobPart
from activations.models.jobs import OPEN
from activations.services.jobs.signals import job_waits
from activations.services.results import Refused

MOST_ATTEMPTS = 3
SILENT = timedelta(minutes=5)  # a process not heard of for so long has ended
KEPT = timedelta(days=7)  # how long the file of a job can be fetched
MOST_OPEN = 3  # jobs one person may have waiting or running
_LOCK = 0x6A6F62  # of PostgreSQL's advisory locks, those with this number are ours


class Stopped(Exception):
    """The job was cancelled, or another process has it: what was begun is left as it is."""


def ask(kind: str, asked_for: dict[str, Any], *, actor: Actor, alone: bool = False) -> Job | Refused:
    """Queues a job. `alone`: one of its kind at a time, whoever asks; the one that is open is the answer then."""
    try:
        return _ask(kind, asked_for, actor, alone=alone)
    except IntegrityError:  # somebody else asked in the same moment
        return Job.objects.get(kind=kind, state__in=OPEN)


def _ask(kind: str, asked_for: dict[str, Any], actor: Actor, *, alone: bool) -> Job | Refused:
    with transaction.atomic():
        mine = Job.objects.filter(state__in=OPEN)
        if alone:
            open_one = mine.filter(kind=kind).first()
            if open_one is not None:
                return open_one
        _one_at_a_time(actor)
        if mine.filter(asked_by=actor.name).count() >= MOST_OPEN:
            return Refused(
                "jobs-waiting",
                f"{MOST_OPEN} of your jobs are not finished yet. Wait for one of them to end, or cancel it.",
            )
        job = Job.objects.create(kind=kind, asked_by=actor.name, asked_at=timezone.now(), asked_for=asked_for)
        transaction.on_commit(lambda: job_waits.send(Job, pk=job.pk), robust=True)
        return job


def _one_at_a_time(actor: Actor) -> None:
    """Until the transaction ends nobody else asks for a job in this name: the count that follows holds.

    By name, for not everybody who asks has an account. SQLite has one writer at a time anyway, from the beginning on.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_LOCK, actor.name])


def asked_by(user: User) -> QuerySet[Job]:
    """The jobs of this account, and not those of an earlier one with the same name. The portal deletes no account, but
    whoever administers the database may, and then give the name to somebody else.
    """
    return Job.objects.filter(asked_by=user.get_username(), asked_at__gte=user.date_joined)


def waiting() -> QuerySet[Job]:
    return Job.objects.filter(state=JobState.QUEUED).order_by("asked_at", "id")


def claim(pk: int) -> Job | None:
    """The job, from now on this process's; None when somebody else has it or nobody wants it any more."""
    now, token = timezone.now(), secrets.token_hex(16)
    queued = Job.objects.filter(pk=pk, state=JobState.QUEUED)
    with transaction.atomic():
        mine = queued.update(
            state=JobState.RUNNING,
            claim=token,
            started_at=now,
            beat_at=now,
            done=0,
            attempts=F("attempts") + 1,
        )
        if mine:
            JobPart.objects.filter(job_id=pk).delete()  # of an attempt whose process ended
    return Job.objects.get(pk=pk) if mine else None


def beat(job: Job, done: int, total: int | None) -> bool:
    """Notes how far it is. False when the job is not this process's any more: cancelled, or given up for dead."""
    return bool(_mine(job).update(done=done, total=total, beat_at=timezone.now()))


def keep_part(job: Job, number: int, data: bytes) -> None:
    """Keeps a piece of the file. Raises Stopped when the job is not this process's any more."""
    with transaction.atomic():
        if not _mine(job).update(beat_at=timezone.now()):
            raise Stopped
        JobPart.objects.create(job=job, number=number, data=data)


def end(job: Job, result: dict[str, Any]) -> bool:
    """Whether it ended as done; not if it was cancelled in the last moment."""
    ended = {"state": JobState.DONE, "claim": "", "ended_at": timezone.now(), "result": result}
    return bool(_mine(job).update(**ended))


def fail(job: Job, problem: str) -> None:
    _mine(job).update(state=JobState.FAILED, claim="", ended_at=timezone.now(), problem=problem[:1000])
    JobPart.objects.filter(job=job, job__state=JobState.FAILED).delete()


def cancel(pk: int, *, actor: Actor) -> Refused | None:
    """By who asked for it. What a process is writing just then it learns at its next step."""
    mine = Job.objects.filter(pk=pk, asked_by=actor.name)
    if not mine.filter(state__in=OPEN).update(state=JobState.CANCELLED, claim="", ended_at=timezone.now()):
        job = Job.objects.filter(pk=pk).first()
        if job is None:
            return Refused("job-unknown", "There is no such job any more. Ask for it again.")
        if job.asked_by != actor.name:
            return Refused("not-yours", f"{job.asked_by} asked for this, so only they can cancel it.")
        return Refused("job-ended", f"This job is {job.state} already, so there was nothing to cancel.")
    JobPart.objects.filter(job_id=pk).delete()
    return None


def sweep(now: datetime) -> int:
    """Jobs whose process was not heard of are queued again, or failed; old ones and their files go. How many moved."""
    silent = Job.objects.filter(state=JobState.RUNNING, beat_at__lt=now - SILENT)
    given_up = silent.filter(attempts__gte=MOST_ATTEMPTS).update(
        state=JobState.FAILED,
        claim="",
        ended_at=now,
        problem=f"The process that did this ended {MOST_ATTEMPTS} times before it was done. Tell an administrator.",
    )
    again = silent.update(state=JobState.QUEUED, claim="")
    JobPart.objects.filter(job__ended_at__lt=now - KEPT).delete()
    return given_up + again


def file_of(job: Job) -> Iterator[bytes]:
    """The file piece by piece, however large."""
    last = 0
    while True:
        part = JobPart.objects.filter(job=job, number__gt=last).order_by("number").first()
        if part is None:
            return
        yield bytes(part.data)
        last = part.number


def _mine(job: Job) -> QuerySet[Job]:
    return Job.objects.filter(pk=job.pk, state=JobState.RUNNING, claim=job.claim)
