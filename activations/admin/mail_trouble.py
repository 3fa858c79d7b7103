"""What is wrong with the mail of the portal, for the start page: since when, and whether it mends itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Min, Q
from django.urls import reverse
from django.utils import timezone

from activations.admin.base import when
from activations.domain.words import OutgoingState
from activations.models import Mailbox, OutgoingMail

Trouble = tuple[str, str, str]  # address, name, what is wrong
NOT_RUNNING = (
    "The background jobs do not run. What was booked stays booked, and mails go in and out by themselves once they run "
    "again. Ask an administrator to look at the worker, at beat and at Redis."
)
BY_ITSELF = "Nothing is lost: it is tried again by itself."


def troubles() -> Iterator[Trouble]:
    # A run may wait for the answers of servers that hang, and is then followed by the next.
    late = timezone.now() - timedelta(seconds=3 * settings.MAIL_EVERY + 2 * settings.MAIL_TIMEOUT)
    boxes = list(Mailbox.objects.filter(name__in=[address.name for address in settings.MAILBOXES]))
    mails = _waiting(late)
    yield from _not_running(boxes, mails, late)
    for box in boxes:
        if box.problem:
            read = f"Last read {when(box.reached_at)} (UTC)." if box.reached_at else "It was never read yet."
            yield reverse("admin:inbox"), f"Mailbox {box.name}", f"{read} {box.problem}"
    if mails["tried"]:
        yield _not_taken(mails)


def _waiting(late: datetime) -> dict[str, Any]:
    """Of the mails that wait to be sent: those whose time is long over, and those that the mail server did not take."""
    due = Q(next_attempt_at__lt=late)
    tried = Q(attempts__gt=0) & ~Q(problem="")
    return OutgoingMail.objects.filter(state=OutgoingState.QUEUED).aggregate(
        due=Count("pk", filter=due),
        due_since=Min("next_attempt_at", filter=due),
        tried=Count("pk", filter=tried),
        tried_since=Min("queued_at", filter=tried),
    )


def _not_running(boxes: list[Mailbox], mails: dict[str, Any], late: datetime) -> Iterator[Trouble]:
    """Neither a mailbox was looked at nor a mail sent when it was time for it."""
    said = []
    looked = min((box.tried_at for box in boxes if box.tried_at), default=None)
    if looked and looked < late:
        said.append(f"No mailbox was looked at since {when(looked)} (UTC).")
    if mails["due"]:
        said.append(f"{_mails(mails['due'])} to be sent since {when(mails['due_since'])} (UTC).")
    if said:
        yield _queued(), "Mail stands still", f"{' '.join(said)} {NOT_RUNNING}"


def _not_taken(mails: dict[str, Any]) -> Trouble:
    """Mails that the mail server did not take for now, as one line: they have one cause."""
    tried = OutgoingMail.objects.filter(state=OutgoingState.QUEUED, attempts__gt=0).exclude(problem="")
    problem = tried.order_by("-claimed_at", "-pk").values_list("problem", flat=True).first() or ""
    name = f"{_mails(mails['tried'])} for the mail server since {when(mails['tried_since'])} (UTC)"
    return _queued(), name, f"{problem} {BY_ITSELF}".strip()


def _mails(number: int) -> str:
    return f"{number} mail{'s' * (number > 1)} wait{'s' * (number == 1)}"


def _queued() -> str:
    return f"{reverse('admin:activations_outgoingmail_changelist')}?state__exact={OutgoingState.QUEUED}"
