"""The staff trail: who did what around the bookings, insert-only, in the transaction of the change where there is one.

Who asks, and from where, the interface says once per request (`asking`); a command has no address.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from activations.domain.ledger import PORTAL_CHAIN, Entry
from activations.domain.staff_trail import BOOKED, SEVERAL_ACCOUNTS, UNKNOWN_ACCOUNT, StaffKind, subject_of
from activations.models import FailedSignIns, StaffEvent

BY_COMMAND = "command-line"
NOBODY = "anonymous"
# Kept apart within one minute; what is more is counted together, so that no attack fills the disk.
MOST_A_MINUTE = 20
LONGEST_AGENT = 120


@dataclass(frozen=True)
class Caller:
    """Who sent the request that is being answered. `name` is asked when it is needed: signing in changes it."""

    name: Callable[[], str]
    address: str = ""
    agent: str = ""


_COMMAND = Caller(lambda: BY_COMMAND)
_caller: ContextVar[Caller] = ContextVar("caller", default=_COMMAND)
_told_elsewhere: ContextVar[bool] = ContextVar("told_elsewhere", default=False)


@contextmanager
def asking(caller: Caller) -> Iterator[None]:
    """Everything recorded inside was asked for by this caller."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)


@contextmanager
def told_elsewhere() -> Iterator[None]:
    """Changes of accounts and roles inside are told by a ledger entry, so not once more by the tables' signals."""
    token = _told_elsewhere.set(True)
    try:
        yield
    finally:
        _told_elsewhere.reset(token)


def record(
    kind: StaffKind,
    subject: str,
    details: dict[str, Any] | None = None,
    *,
    actor: str | None = None,
    using: str = "default",
) -> None:
    """One row, in the caller's transaction if there is one. Without an actor: whoever sent the request."""
    caller = _caller.get()
    StaffEvent.objects.using(using).create(
        at=timezone.now(),
        actor=(caller.name() if actor is None else actor)[:150],
        kind=kind.value,
        subject=subject[:200],
        details=details or {},
        address=caller.address,
        agent=caller.agent,
    )


def record_change(kind: StaffKind, subject: str, details: dict[str, Any], *, using: str = "default") -> None:
    """A change that was seen at the table itself, unless an entry of the ledger tells it."""
    if not _told_elsewhere.get():
        record(kind, subject, details, using=using)


def record_booked(entries: Iterable[Entry], at: datetime) -> None:
    """The rows beside those entries of the ledger that the trail tells too."""
    caller = _caller.get()
    StaffEvent.objects.bulk_create(
        row_of(entry, at, caller.address, caller.agent) for entry in entries if entry.kind in BOOKED
    )


def row_of(entry: Entry, at: datetime, address: str = "", agent: str = "") -> StaffEvent:
    return StaffEvent(
        at=at,
        actor=entry.actor,
        kind=entry.kind,
        subject=subject_of(entry.chain, dict(entry.data), PORTAL_CHAIN)[:200],
        details=json.loads(json.dumps(dict(entry.data))),
        address=address,
        agent=agent,
        chain=entry.chain,
        seq=entry.seq,
    )


# --- sign-ins that failed ----------------------------------------------------------------------------------


def record_failed_sign_in(typed: str, now: datetime) -> None:
    """The first one of an account from an address in a minute is a row at once; the others are counted, and one more
    row says how many there were when the minute is over. So a minute has at most twice `MOST_A_MINUTE` rows and two.
    """
    account, address = _account(typed), _caller.get().address
    minute = now.replace(second=0, microsecond=0)
    with transaction.atomic():
        sum_up(now)
        tallies = FailedSignIns.objects.filter(minute=minute)
        if not tallies.filter(account=account, address=address).exists() and tallies.count() >= MOST_A_MINUTE:
            account, address = SEVERAL_ACCOUNTS, ""
        tally, new = FailedSignIns.objects.get_or_create(minute=minute, account=account, address=address)
        counted = not new and FailedSignIns.objects.filter(pk=tally.pk).update(tries=F("tries") + 1)
        if not counted:  # new, or summed up by another process in this moment
            record(StaffKind.SIGN_IN_FAILED, account, actor=account)


def _account(typed: str) -> str:
    """The name of an account there is; anything else could be a password."""
    name = User.normalize_username(typed or "")
    return name if name and User.objects.filter(username=name).exists() else UNKNOWN_ACCOUNT


def sum_up(now: datetime) -> int:
    """Says of each minute that is over how many more sign-ins failed in it. Returns how many rows were written."""
    minute = now.replace(second=0, microsecond=0)
    with transaction.atomic():
        over = list(FailedSignIns.objects.select_for_update(skip_locked=True).filter(minute__lt=minute)[:1000])
        rows = [
            StaffEvent(
                at=now,
                actor=tally.account,
                kind=StaffKind.SIGN_INS_FAILED.value,
                subject=tally.account,
                details={"tries": tally.tries - 1, "minute": f"{tally.minute:%Y-%m-%dT%H:%MZ}"},
                address=tally.address,
            )
            for tally in over
            if tally.tries > 1
        ]
        StaffEvent.objects.bulk_create(rows)
        FailedSignIns.objects.filter(pk__in=[tally.pk for tally in over]).delete()
    return len(rows)
