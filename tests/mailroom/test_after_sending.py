"""What comes after sending: what a person decides, mails that come back, and what the server was really given."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from activations import tasks
from activations.domain.words import ConversationState, OutgoingState
from activations.mail import sending
from activations.models import IncomingMail, LedgerEntry, OutgoingMail
from activations.models.rules import Event
from activations.services.post import outbox
from activations.services.post.keeping import keep_mail
from activations.services.post.reading import read_kept
from activations.services.results import BadInput, Refused
from tests.mailroom.letters import CUSTOMER, bounce, letter
from tests.mailroom.posting import again, queued
from tests.mailroom.smtp import Catcher, Mood
from tests.portal.cast import AGENT, AUDITOR
from tests.support import without_triggers

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("nobody_sends_by_itself")]


# --- what a person decides ---------------------------------------------------------------------------------


def unknown(smtp: Catcher) -> OutgoingMail:
    mail, smtp.mood = queued(), Mood.DROPS_AFTER_DOT
    assert sending.send(mail.pk) == OutgoingState.UNKNOWN
    smtp.mood = Mood.TAKES
    return again(mail)


@pytest.mark.parametrize(("sent", "state"), [(True, OutgoingState.SENT), (False, OutgoingState.DROPPED)])
def test_an_unknown_mail_is_settled_once(smtp: Catcher, sent: bool, state: OutgoingState) -> None:
    mail = unknown(smtp)
    refused = outbox.settle(mail_pk=mail.pk, sent=sent, actor=AUDITOR)
    assert isinstance(refused, Refused)

    assert isinstance(outbox.settle(mail_pk=mail.pk, sent=sent, actor=AGENT), outbox.Settled)
    assert (again(mail).state, mail.settled_by) == (state, AGENT.name)
    second = outbox.settle(mail_pk=mail.pk, sent=sent, actor=AGENT)
    assert isinstance(second, Refused)
    assert second.code == "mail-settled"
    assert not LedgerEntry.objects.exists(), "what became of a mail is no matter of the ledger"


def test_sent_again_on_a_click_and_once_on_two(smtp: Catcher) -> None:
    mail = unknown(smtp)
    shown = outbox.standing(mail)
    first = outbox.send_again(mail_pk=mail.pk, to_address="bo@acme-water.example", shown=shown, actor=AGENT)
    second = outbox.send_again(mail_pk=mail.pk, to_address="bo@acme-water.example", shown=shown, actor=AGENT)

    assert isinstance(first, outbox.Settled)
    assert isinstance(second, Refused)
    assert second.code == "mail-on-its-way"
    assert (again(mail).state, mail.settled_by) == (OutgoingState.DROPPED, AGENT.name)
    assert (first.mail.to_address, first.mail.subject, first.mail.body) == (
        "bo@acme-water.example", mail.subject, mail.body,
    )  # fmt: skip
    assert OutgoingMail.objects.get(pk=first.mail.pk).again == mail
    assert sending.send(first.mail.pk) == OutgoingState.SENT
    assert smtp.message_ids == [mail.message_id, first.mail.message_id]


def test_a_mail_that_was_sent_is_sent_again_once_for_two_clicks(smtp: Catcher) -> None:
    """The customer lost it: the first one stays what it is, so its state alone cannot tell the second click."""
    mail = queued()
    sending.send(mail.pk)
    shown = outbox.standing(again(mail))
    results = []
    for _ in range(2):
        results.append(outbox.send_again(mail_pk=mail.pk, to_address=CUSTOMER, shown=shown, actor=AGENT))
        tasks.send_mails_job()  # the first may be out before the second click

    assert again(mail).state == OutgoingState.SENT
    assert [type(result) for result in results] == [outbox.Settled, Refused]
    assert mail.sent_again.count() == 1
    assert len(smtp.mails) == 2


def test_sent_again_only_to_an_address(smtp: Catcher) -> None:
    mail = unknown(smtp)
    for address in ("", "nobody", "a@b.example\nBcc: c@d.example", "a@b.example, c@d.example"):
        result = outbox.send_again(mail_pk=mail.pk, to_address=address, shown=outbox.standing(mail), actor=AGENT)
        assert isinstance(result, BadInput), address
        assert result.code == "address-invalid"
    assert again(mail).state == OutgoingState.UNKNOWN


# --- bounces -----------------------------------------------------------------------------------------------


def read(source: bytes) -> IncomingMail:
    mail = read_kept(keep_mail(source, mailbox="test").mail.pk)
    assert mail is not None
    return mail


def test_a_mail_that_comes_back_is_seen_in_its_conversation(smtp: Catcher) -> None:
    conversation = read(letter()).conversation
    assert conversation is not None
    mail = queued(conversation=conversation)
    sending.send(mail.pk)
    conversation.refresh_from_db()
    assert conversation.state == ConversationState.WAITING

    returned = read(bounce(mail.message_id, CUSTOMER))

    assert returned.conversation == conversation
    assert returned.automatic
    assert again(mail).state == OutgoingState.BOUNCED
    assert "User unknown" in mail.problem
    conversation.refresh_from_db()
    assert conversation.state == ConversationState.OPEN
    assert conversation.waits_since is not None


@pytest.mark.parametrize(
    "note",
    [
        outbox.note_sent,
        lambda mail: outbox.note_unknown(mail, "The connection broke."),
        lambda mail: outbox.note_unreached(mail, "451 later"),
        lambda mail: outbox.note_refused(mail, "550 no"),
    ],
    ids=["sent", "unknown", "tried again", "failed"],
)
def test_a_mail_that_comes_back_before_its_sender_noted_anything(
    smtp: Catcher, note: Callable[[OutgoingMail], None]
) -> None:
    """Its sender was killed, or hangs: what came back is certain, and neither a late note nor the sweep undoes it."""
    mail = queued(conversation=read(letter()).conversation)
    held = outbox.claim(mail.pk)
    assert held is not None
    assert again(mail).state == OutgoingState.SENDING

    read(bounce(mail.message_id, CUSTOMER))

    assert (again(mail).state, mail.claim) == (OutgoingState.BOUNCED, "")
    note(held)
    outbox.sweep(timezone.now() + outbox.SENDING_ENDS * 2)
    assert again(mail).state == OutgoingState.BOUNCED
    assert "User unknown" in mail.problem
    assert sending.send(mail.pk) == ""
    assert not smtp.mails


def test_a_mail_that_comes_back_while_it_is_being_sent(
    transactional_db: None, smtp: Catcher, settings: Settings
) -> None:
    """A server that answers late: the mail was delivered, refused and returned before we hear that it was taken."""
    settings.EMAIL_TIMEOUT = 60
    mail, smtp.mood = queued(conversation=read(letter()).conversation), Mood.HANGS_AFTER_DOT
    states: list[str] = []

    def work() -> None:
        try:
            states.append(sending.send(mail.pk))
        finally:
            connection.close()

    sender = threading.Thread(target=work)
    sender.start()
    assert smtp.waiting.wait(30)
    read(bounce(mail.message_id, CUSTOMER))
    smtp.release()
    sender.join()

    assert states == [OutgoingState.BOUNCED]
    assert again(mail).state == OutgoingState.BOUNCED
    assert "User unknown" in mail.problem


def test_a_notice_that_comes_back_is_seen_though_it_stood_in_no_conversation(smtp: Catcher) -> None:
    mail = queued()
    sending.send(mail.pk)

    returned = read(bounce(mail.message_id, CUSTOMER))

    assert again(mail).state == OutgoingState.BOUNCED
    assert returned.conversation is not None
    assert returned.conversation.state == ConversationState.OPEN


def test_a_delay_is_no_bounce_and_a_foreign_mail_bounces_nothing(smtp: Catcher) -> None:
    mail = queued()
    sending.send(mail.pk)

    read(bounce(mail.message_id, CUSTOMER, action="delayed", status="4.4.1"))
    read(bounce("somebody-elses@mx.example", CUSTOMER))

    assert again(mail).state == OutgoingState.SENT


# --- what goes out -----------------------------------------------------------------------------------------


def rewrite(mail: OutgoingMail, **values: str) -> None:
    """Past the triggers, which let nobody change what a mail says."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE" if connection.vendor == "postgresql" else "SELECT 1")
    with without_triggers(connection, [Event.UPDATE]):
        OutgoingMail.objects.filter(pk=mail.pk).update(**values)


def test_no_header_can_be_slipped_in(smtp: Catcher) -> None:
    """However a line break came into the table: nothing goes to another address, and no other header begins."""
    smuggled = "Hello\r\nBcc: eve@elsewhere.example\nX-Evil: yes\x0b\x85\u2028more"
    by_subject, by_address, by_reference = queued(), queued(), queued()
    rewrite(by_subject, subject=smuggled)
    rewrite(by_address, to_address=f"{CUSTOMER}\nBcc: eve@elsewhere.example")
    rewrite(by_reference, in_reply_to="a@b>\r\nBcc: <eve@elsewhere.example")

    assert sending.send(by_subject.pk) == OutgoingState.SENT
    assert sending.send(by_address.pk) == OutgoingState.FAILED
    assert sending.send(by_reference.pk) == OutgoingState.FAILED

    assert smtp.recipients == [[CUSTOMER]]
    (arrived,) = smtp.messages
    assert arrived["Bcc"] is None
    assert arrived["X-Evil"] is None
    assert arrived["Subject"] == "Hello Bcc: eve@elsewhere.example X-Evil: yes more"
    for mail in (by_address, by_reference):
        assert "cannot be written" in again(mail).problem
    assert not OutgoingMail.objects.filter(state=OutgoingState.UNKNOWN).exists()
