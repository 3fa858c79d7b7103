"""Forms that book once, however often they are sent: the second click is told what the first one booked.

The token of a form is a row of a table, and not of the session: two requests of one session overwrite what the other
one wrote there, and every web process sees the table. The row and the booking are one transaction.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from activations.models import SentForm

KEPT = timedelta(days=1)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")


def new_token() -> str:
    return secrets.token_urlsafe(16)


def first_use(request: HttpRequest, token: str) -> bool:
    """Whether this token is used for the first time. Two clicks at once: only one is the first."""
    with transaction.atomic():
        return bool(_TOKEN.fullmatch(token)) and _claimed(token)[1]


def sent_before(request: HttpRequest) -> SentForm | None:
    """What was booked by an earlier click on the button of the form that is sent here."""
    token = request.POST.get("token", "")
    return SentForm.objects.filter(token=token).first() if _TOKEN.fullmatch(token) else None


class Sending:
    """One form on its way. `before` is the earlier click on its button, if there was one: then nothing is booked."""

    def __init__(self, before: SentForm | None) -> None:
        self.before = before
        self.booked: tuple[str, str] | None = None

    def done(self, booked: str, page: str) -> None:
        """Something was booked: in words, and the address that shows it. Without this the form may be sent again."""
        self.booked = (booked, page)


@contextmanager
def sending(request: HttpRequest) -> Iterator[Sending]:
    """Claims the token of the form in the transaction of what is booked in the block.

    A second click waits here until the first one has booked or failed. A form without a token, which no page of ours
    sends, is taken for one of its own.
    """
    given = request.POST.get("token", "")
    with transaction.atomic():
        row, first = _claimed(given if _TOKEN.fullmatch(given) else new_token())
        form = Sending(None if first else row)
        yield form
        if first and form.booked:
            row.booked, row.page = form.booked
            row.save(update_fields=["booked", "page"])
        elif first:
            row.delete()


def booked_before(request: HttpRequest, before: SentForm, page: str = "admin:index") -> HttpResponse:
    """The answer to a second click: what the first one booked, on the page that shows it."""
    messages.info(
        request, f"This was booked already, by the click before. {before.booked} Nothing was booked twice.".strip()
    )
    return redirect(before.page or page)


def _claimed(token: str) -> tuple[SentForm, bool]:
    now = timezone.now()
    SentForm.objects.filter(sent_at__lt=now - KEPT).delete()
    return SentForm.objects.get_or_create(token=token, defaults={"sent_at": now})
