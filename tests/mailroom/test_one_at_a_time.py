"""The periodic jobs of mail: one run of each at a time, so that servers that hang never hold the whole worker."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from activations import tasks
from activations.models import IncomingMail, Mailbox
from licensing_portal.jobs import only_one
from tests.mailroom.imap import ImapServer
from tests.mailroom.letters import letter
from tests.mailroom.posting import again, queued
from tests.mailroom.smtp import Catcher

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("nobody_sends_by_itself")]


def test_only_one_holds_a_name_and_the_next_one_gets_it() -> None:
    with only_one("a") as first, only_one("a") as second, only_one("b") as other:
        assert (first, second, other) == (True, False, True)
    with only_one("a") as after:
        assert after


def test_mailboxes_are_left_to_the_run_that_is_at_them(imap_server: ImapServer, settings: Settings) -> None:
    settings.MAILBOXES = [imap_server.address]
    imap_server.deliver(letter())
    with only_one("fetch-mail"):
        assert tasks.fetch_mail_job() == 0
        assert not Mailbox.objects.exists()
    assert tasks.fetch_mail_job() == 1
    assert IncomingMail.objects.count() == 1


def test_the_outbox_is_left_to_the_run_that_is_at_it_and_one_mail_is_sent_all_the_same(smtp: Catcher) -> None:
    first, second = queued(), queued()
    with only_one("send-mails"):
        assert tasks.send_mails_job() == 0
        assert tasks.send_mail_job(second.pk) == "sent"
    assert again(first).attempts == 0
    assert tasks.send_mails_job() == 1


def test_a_run_begins_no_mail_when_its_time_is_over(smtp: Catcher, monkeypatch: pytest.MonkeyPatch) -> None:
    queued()
    monkeypatch.setattr(tasks, "MOST_SECONDS", -1)
    assert tasks.send_mails_job() == 0
    assert not smtp.connections
