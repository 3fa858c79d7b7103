"""What the start page says when mail does not come in or go out: what, since when, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import time_machine
from django.utils import timezone
from pytest_django import Settings

from activations.domain.words import OutgoingState
from activations.models import Mailbox, OutgoingMail
from licensing_portal.mailboxes import MailboxAddress
from tests.mailroom.posting import queued
from tests.mailroom_web.post import place
from tests.portal.web import Browser

pytestmark = pytest.mark.django_db
SignIn = Callable[[str], Browser]
NOBODY = "Every mail went out, and every mailbox is reached."


@pytest.fixture(autouse=True)
def mailboxes(settings: Settings) -> None:
    settings.MAILBOXES = [MailboxAddress("imaps", "mail.example", 993, "support@portal.example", "secret", "INBOX")]
    settings.MAIL_EVERY, settings.MAIL_TIMEOUT = 60, 60


def box(tried: datetime | None = None, reached: datetime | None = None, problem: str = "", name: str = "") -> None:
    Mailbox.objects.create(
        name=name or "support@portal.example/INBOX", tried_at=tried, reached_at=reached, problem=problem
    )


def home(sign_in: SignIn) -> str:
    return sign_in("agent").get("/admin/").words


def minutes_ago(minutes: int) -> datetime:
    return timezone.now() - timedelta(minutes=minutes)


def shown(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} (UTC)"


def test_nothing_is_said_while_all_goes_well(sign_in: SignIn) -> None:
    box(tried=minutes_ago(2), reached=minutes_ago(2))
    queued()
    assert NOBODY in home(sign_in)


def test_a_mailbox_that_cannot_be_read_since_when(sign_in: SignIn) -> None:
    box(tried=minutes_ago(1), reached=minutes_ago(90), problem="The mail server did not answer.")
    words = home(sign_in)
    assert f"Mailbox support@portal.example/INBOX Last read {shown(minutes_ago(90))}." in words
    assert "The mail server did not answer." in words


def test_a_mailbox_that_was_never_read(sign_in: SignIn) -> None:
    box(tried=minutes_ago(1), problem="The mail server has no folder INBOX.")
    assert "Mailbox support@portal.example/INBOX It was never read yet. The mail server has no folder" in home(sign_in)


def test_a_mailbox_that_is_fetched_no_longer_is_no_trouble(sign_in: SignIn) -> None:
    box(tried=minutes_ago(9000), problem="The mail server cannot be reached.", name="sales@portal.example/INBOX")
    assert NOBODY in home(sign_in)


def test_jobs_that_do_not_run_are_told_by_the_mailboxes(sign_in: SignIn) -> None:
    box(tried=minutes_ago(6), reached=minutes_ago(6))
    words = home(sign_in)
    assert f"Mail stands still No mailbox was looked at since {shown(minutes_ago(6))}." in words
    assert "look at the worker, at beat and at Redis" in words


def test_jobs_that_do_not_run_are_told_by_the_outbox(sign_in: SignIn) -> None:
    first, second, _ = queued(), queued(), queued()
    OutgoingMail.objects.filter(pk__in=[first.pk, second.pk]).update(next_attempt_at=minutes_ago(6))
    words = home(sign_in)
    assert f"Mail stands still 2 mails wait to be sent since {shown(minutes_ago(6))}." in words
    assert "No mailbox was looked at" not in words


def test_a_mail_server_that_takes_nothing_is_named_once_with_its_words(sign_in: SignIn) -> None:
    since = minutes_ago(30)
    with time_machine.travel(since, tick=False):
        mails = [queued(), queued()]
    later = timezone.now() + timedelta(hours=1)
    OutgoingMail.objects.filter(pk__in=[mail.pk for mail in mails]).update(
        attempts=3, next_attempt_at=later, claimed_at=since, problem="The mail server said: 451 no"
    )
    words = home(sign_in)
    assert (
        f"2 mails wait for the mail server since {shown(since)} The mail server said: 451 no Nothing is lost" in words
    )
    assert "Mail stands still" not in words
    listed = sign_in("agent").get(place("activations_outgoingmail_changelist") + "?state__exact=queued").words
    assert listed.count("ada@acme-water.example") == 2


def test_what_a_person_has_to_decide_is_named_too(sign_in: SignIn) -> None:
    mail = queued()
    OutgoingMail.objects.filter(pk=mail.pk).update(state=OutgoingState.FAILED, problem="No such user")
    assert "failed: No such user" in home(sign_in)
