"""Sending through a real SMTP server: every way in which it can end, and that no mail is sent twice by itself."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from datetime import timedelta

import pytest
import time_machine
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from activations import tasks
from activations.domain.words import OutgoingState
from activations.mail import sending
from activations.models import OutgoingMail
from activations.services.post import outbox
from activations.services.post.signals import something_to_send
from tests.mailroom.letters import CUSTOMER
from tests.mailroom.posting import again, queued
from tests.mailroom.smtp import Catcher, Mood

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("nobody_sends_by_itself")]


# --- how it can end ----------------------------------------------------------------------------------------


def test_sent(smtp: Catcher) -> None:
    mail = queued()

    assert sending.send(mail.pk) == OutgoingState.SENT
    assert again(mail).sent_at is not None
    assert (mail.attempts, mail.claim, mail.problem) == (1, "", "")
    assert smtp.message_ids == [mail.message_id]
    assert smtp.recipients == [[CUSTOMER]]

    assert sending.send(mail.pk) == "", "it is not sent again"
    assert len(smtp.mails) == 1


@pytest.mark.parametrize(
    ("mood", "said"),
    [
        (Mood.REFUSES_ADDRESS, "The mail server refused the address: 550 5.1.1 No such user here"),
        (Mood.REFUSES_MAIL, "The mail server refused the mail: 554 5.7.1 Spam, says our filter"),
    ],
)
def test_refused_for_good(smtp: Catcher, mood: Mood, said: str) -> None:
    mail, smtp.mood = queued(), mood

    assert sending.send(mail.pk) == OutgoingState.FAILED
    assert again(mail).problem == said
    assert not smtp.mails

    smtp.mood = Mood.TAKES
    with time_machine.travel(timezone.now() + timedelta(days=2)):
        assert tasks.send_mails_job() == 0, "nothing is tried again by itself"


NOT_FOR_NOW = [Mood.BUSY, Mood.CLOSING, Mood.BUSY_AFTER_DATA, Mood.DROPS_AT_ADDRESS]
ODD_BEFORE = [Mood.ODD_AT_SENDER, Mood.ODD_AT_ADDRESS, Mood.NO_CODE_AT_ADDRESS, Mood.ODD_AT_DATA, Mood.REFUSES_GREETING]
LOG_IN = [Mood.LOG_IN_FIRST, Mood.LOG_IN_UNFIT, Mood.LOG_IN_WRONG, Mood.LOG_IN_AT_DATA]


@pytest.mark.parametrize("mood", [*NOT_FOR_NOW, *ODD_BEFORE, *LOG_IN], ids=str)
def test_not_taken_for_now(smtp: Catcher, mood: Mood) -> None:
    """A server that broke off before the mail was given to it cannot have it."""
    mail, smtp.mood = queued(), mood

    assert sending.send(mail.pk) == OutgoingState.QUEUED
    assert again(mail).problem != ""
    assert timedelta(0) < mail.next_attempt_at - timezone.now() <= outbox.WAITS[0]
    assert sending.send(mail.pk) == "", "it is not due yet"

    smtp.mood = Mood.TAKES
    with time_machine.travel(mail.next_attempt_at):
        assert tasks.send_mails_job() == 1
    assert again(mail).state == OutgoingState.SENT
    assert mail.problem == ""
    assert smtp.message_ids == [mail.message_id]


def test_tried_less_and_less_often_and_then_no_more(smtp: Catcher) -> None:
    mail, smtp.mood = queued(), Mood.BUSY
    waits = []
    now = timezone.now()
    while True:
        with time_machine.travel(now, tick=False):
            state = sending.send(mail.pk)
        if state != OutgoingState.QUEUED:
            break
        waits.append(again(mail).next_attempt_at - now)
        now = mail.next_attempt_at

    assert waits == list(outbox.WAITS)
    assert state == OutgoingState.FAILED
    assert again(mail).attempts == len(outbox.WAITS) + 1
    assert "451 4.7.1 Greylisted" in mail.problem
    assert timedelta(days=2) < now - mail.queued_at < timedelta(days=4)


def test_a_server_that_is_not_there(smtp: Catcher) -> None:
    mail = queued()
    smtp.refuse_connections()

    assert sending.send(mail.pk) == OutgoingState.QUEUED
    assert again(mail).problem == "The connection to the mail server failed: Connection refused"

    smtp.listen()
    with time_machine.travel(mail.next_attempt_at):
        assert sending.send(mail.pk) == OutgoingState.SENT


def test_a_wrong_password_of_ours_is_no_fault_of_the_mail(smtp: Catcher, settings: Settings) -> None:
    """This server knows no AUTH at all; whatever the log-in says, not one byte of the mail was given away."""
    mail = queued()
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "portal", "secret-of-ours"

    assert sending.send(mail.pk) == OutgoingState.QUEUED
    assert again(mail).problem != ""
    assert "secret-of-ours" not in mail.problem


@pytest.mark.parametrize(
    ("mood", "answer"),
    [
        (Mood.LOG_IN_FIRST, "530 5.7.0 Authentication required"),
        (Mood.LOG_IN_UNFIT, "534 5.7.9 Mechanism too weak"),
        (Mood.LOG_IN_WRONG, "535 5.7.8 Credentials invalid"),
        (Mood.LOG_IN_AT_DATA, "530 5.7.0 Authentication required"),
    ],
)
def test_a_log_in_that_is_refused_with_the_mail_is_named(smtp: Catcher, mood: Mood, answer: str) -> None:
    """A server may take the connection and refuse each mail: no fault of the mails, which would all be failed."""
    mail, smtp.mood = queued(), mood

    assert sending.send(mail.pk) == OutgoingState.QUEUED
    assert again(mail).problem.startswith("The mail server refuses the log-in of EMAIL_URL, or wants one: ")
    assert answer in mail.problem


# --- an answer after the mail ------------------------------------------------------------------------------


@pytest.mark.parametrize("mood", [Mood.YES_200, Mood.YES_251], ids=str)
def test_another_yes_is_a_yes(smtp: Catcher, mood: Mood) -> None:
    mail, smtp.mood = queued(), mood

    assert sending.send(mail.pk) == OutgoingState.SENT
    with time_machine.travel(timezone.now() + timedelta(days=2)):
        assert tasks.send_mails_job() == 0
    assert smtp.message_ids == [mail.message_id]


@pytest.mark.parametrize(
    ("mood", "said"),
    [
        (Mood.GO_ON_AFTER_DATA, "The mail server got the mail and said neither yes nor no: 354 Go on"),
        (Mood.ODD_AFTER_DATA, "The mail server got the mail and said neither yes nor no: 650 Odd"),
        (Mood.NO_CODE_AFTER_DATA, "The mail server got the mail and gave an answer without a code."),
        (Mood.ENDLESS_AFTER_DATA, "The mail server gave an answer that is too long to be one."),
    ],
)
def test_neither_yes_nor_no_after_the_mail_is_for_a_person(smtp: Catcher, mood: Mood, said: str) -> None:
    mail, smtp.mood = queued(), mood

    assert sending.send(mail.pk) == OutgoingState.UNKNOWN
    assert again(mail).problem == said
    with time_machine.travel(timezone.now() + timedelta(days=2)):
        assert tasks.send_mails_job() == 0
        assert sending.send(mail.pk) == ""
    assert smtp.message_ids == [mail.message_id]


@pytest.mark.parametrize("mood", [Mood.DROPS_AFTER_DOT, Mood.HANGS_AFTER_DOT, Mood.HANGS_BEFORE_DOT], ids=str)
def test_what_the_server_may_have_is_never_sent_again_by_itself(smtp: Catcher, settings: Settings, mood: Mood) -> None:
    settings.EMAIL_TIMEOUT = 1
    mail, smtp.mood = queued(), mood

    assert sending.send(mail.pk) == OutgoingState.UNKNOWN
    assert again(mail).problem != ""
    arrived = len(smtp.mails)
    assert arrived == (0 if mood is Mood.HANGS_BEFORE_DOT else 1), "which is why nobody can know"

    smtp.mood = Mood.TAKES
    for days in range(1, 5):
        with time_machine.travel(timezone.now() + timedelta(days=days)):
            assert tasks.send_mails_job() == 0
            assert sending.send(mail.pk) == ""
    assert len(smtp.mails) == arrived


def test_a_sender_that_was_killed_leaves_a_mail_that_is_unknown(
    transactional_db: None, smtp: Catcher, settings: Settings
) -> None:
    mail, smtp.mood = queued(), Mood.HANGS_AFTER_DOT
    connection.close()  # a child must not share it
    child = multiprocessing.get_context("fork").Process(target=sending.send, args=(mail.pk,))
    child.start()
    assert child.pid is not None
    assert smtp.waiting.wait(30), "the sender waits for an answer to its mail"
    os.kill(child.pid, signal.SIGKILL)
    child.join()

    assert again(mail).state == OutgoingState.SENDING
    smtp.mood = Mood.TAKES
    assert tasks.send_mails_job() == 0
    assert again(mail).state == OutgoingState.SENDING, "its sender could still be at work"
    with time_machine.travel(timezone.now() + outbox.SENDING_ENDS + timedelta(seconds=1)):
        assert tasks.send_mails_job() == 0
    assert again(mail).state == OutgoingState.UNKNOWN
    assert "ended before the mail server's answer" in mail.problem
    assert smtp.message_ids == [mail.message_id], "its Message-ID tells a person that it arrived"


def test_two_workers_send_it_once(transactional_db: None, smtp: Catcher) -> None:
    mails = [queued() for _ in range(5)]
    start = threading.Barrier(4)
    states: list[str] = []

    def work() -> None:
        start.wait()
        try:
            states.extend(sending.send(mail.pk) for mail in mails)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert sorted(smtp.message_ids) == sorted(mail.message_id for mail in mails)
    assert sorted(states) == [""] * 15 + [OutgoingState.SENT] * 5


def test_without_the_claim_two_workers_send_it_twice(
    transactional_db: None, smtp: Catcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the test above: it would see a mail that goes out twice."""
    mail = queued()
    start = threading.Barrier(2)

    def look_only(pk: int) -> OutgoingMail:
        found = OutgoingMail.objects.get(pk=pk, state=OutgoingState.QUEUED)
        start.wait()
        return found

    monkeypatch.setattr(outbox, "claim", look_only)

    def work() -> None:
        try:
            sending.send(mail.pk)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert smtp.message_ids == [mail.message_id] * 2


def test_a_commit_starts_the_sending(transactional_db: None, smtp: Catcher) -> None:
    something_to_send.connect(tasks._send_soon)
    with transaction.atomic():
        queued()
        transaction.set_rollback(True)
    assert not smtp.mails
    assert not OutgoingMail.objects.exists()

    with transaction.atomic():
        mail = queued()
        assert not smtp.mails, "not before the commit"
    assert smtp.message_ids == [mail.message_id]


def test_the_same_thing_is_queued_once(smtp: Catcher) -> None:
    with transaction.atomic():
        said = outbox.Letter(key="reply:7", subject="a", body="b")
        one, two = (outbox.queue(said, to=CUSTOMER, by="agent", conversation=None) for _ in range(2))
    assert one == two


def test_nothing_is_queued_outside_a_transaction(transactional_db: None) -> None:
    said = outbox.Letter(key="reply:7", subject="a", body="b")
    with pytest.raises(RuntimeError, match="in the transaction of what it tells"):
        outbox.queue(said, to=CUSTOMER, by="agent", conversation=None)
