"""Forms that book once, however often they are sent: the second click is told what the first one booked.

The token of a form is a row of a table, and not of the session: two requests of one session overwrite what the other
one wrote there, and every web process sees the table. The row and the booking are one transaction. A token is good for
the person whose row it is; for everybody else there is none.

After the browser's Back the same form may carry another decision. It is no second click: nothing is booked by it, and
it is told so.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from activations.models import SentForm

KEPT = timedelta(days=1)
ANEW = "Open the form anew and send it again if it is still wanted."
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")
_NO_DECISION = ("csrfmiddlewaretoken", "token")


def new_token() -> str:
    return secrets.token_urlsafe(16)


def sent_before(request: HttpRequest) -> SentForm | None:
    """What this person booked by an earlier click on a button of the form that is sent here."""
    token = request.POST.get("token", "")
    return SentForm.objects.filter(user=_person(request), token=token).first() if _TOKEN.fullmatch(token) else None


def differs(request: HttpRequest, before: SentForm) -> bool:
    """Whether something else is sent now than by the earlier click: another button, choice, reason, address."""
    return before.digest != _digest(request)


class Sending:
    """One form on its way. `before` is the earlier click on its button, if there was one: then nothing is booked."""

    def __init__(self, before: SentForm | None) -> None:
        self.before = before
        self.booked: tuple[str, str] | None = None

    def done(self, booked: str, page: str) -> None:
        """Something was booked: in words, and the address that shows it. Without this the form may be sent again."""
        self.booked = (booked, page)


@contextmanager
def sending(request: HttpRequest, token: str | None = None) -> Iterator[Sending]:
    """Claims the token of the form in the transaction of what is booked in the block.

    A second click waits here until the first one has booked or failed. A form without a token, which no page of ours
    sends, is taken for one of its own. `token`: where the form carries it inside of something sealed.
    """
    given = request.POST.get("token", "") if token is None else token
    with transaction.atomic():
        row, first = _claimed(request, given if _TOKEN.fullmatch(given) else new_token())
        form = Sending(None if first else row)
        yield form
        if first and form.booked:
            row.booked, row.page = form.booked
            row.save(update_fields=["booked", "page"])
        elif first:
            row.delete()


def booked_before(request: HttpRequest, before: SentForm, page: str = "admin:index") -> HttpResponse:
    """The answer to a form that was sent before, on the page that shows what the first click booked."""
    if differs(request, before):
        messages.warning(request, not_booked(before, ANEW))
    else:
        messages.info(
            request, f"This was booked already, by the click before. {before.booked} Nothing was booked twice.".strip()
        )
    return redirect(before.page or page)


def not_booked(
    before: SentForm,
    then: str = "This is the form as things stand now, with what you typed: read it, and send it again if it is still "
    "wanted.",
) -> SafeString:
    """What is said of another decision from a form that was used: not booked, what was, and what to do now."""
    return format_html(
        "What you sent now was not booked, because the form of that page had been used already. Booked with it: {} "
        '<a href="{}">Look at what was booked</a>. {}',
        before.booked,
        resolve_url(before.page or "admin:index"),
        then,
    )


def _person(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied("A form that books is sent by somebody who is signed in.")
    return request.user


def _digest(request: HttpRequest) -> str:
    sent = sorted((name, values) for name, values in request.POST.lists() if name not in _NO_DECISION)
    return hashlib.sha256(json.dumps([request.path, sent]).encode()).hexdigest()


def _claimed(request: HttpRequest, token: str) -> tuple[SentForm, bool]:
    now = timezone.now()
    SentForm.objects.filter(sent_at__lt=now - KEPT).delete()
    return SentForm.objects.get_or_create(
        user=_person(request), token=token, defaults={"sent_at": now, "digest": _digest(request)}
    )
