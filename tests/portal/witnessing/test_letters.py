"""Checkpoints by mail, through the outbox and a real mail server."""

from __future__ import annotations

import base64
from datetime import timedelta
from email.message import EmailMessage

import pytest
from django.utils import timezone
from pytest_django import Settings

from activations import tasks
from activations.domain.checkpoint import read_note
from activations.domain.merkle import leaf_hash
from activations.domain.words import OutgoingState
from activations.ledger_queries import witness_states
from activations.models import LedgerLeaf, OutgoingMail, WitnessReceipt
from activations.services.witnessing import letters
from activations.services.witnessing.sending import send_checkpoints
from tests.mailroom.smtp import Catcher, Mood
from tests.portal.cast import book_many
from tests.portal.tampering import unguarded
from tests.portal.test_checkpoints import checkpoint
from tests.portal.witnessing.conftest import log_public

ADA = "mailto:ada@audit.example"


@pytest.fixture(autouse=True)
def ada(signing_keys: None, settings: Settings, smtp: Catcher) -> None:
    settings.LEDGER_WITNESSES = [ADA]


def a_day_later() -> None:
    with unguarded():
        for receipt in WitnessReceipt.objects.all():
            WitnessReceipt.objects.filter(pk=receipt.pk).update(at=receipt.at - timedelta(days=1))


def attached(message: EmailMessage) -> tuple[str, str]:
    [part] = list(message.iter_attachments())
    return str(part.get_filename()), str(part.get_content()).replace("\r\n", "\n")


def text_of(message: EmailMessage) -> str:
    body = message.get_body()
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def hashes(start: int, end: int) -> list[bytes]:
    rows = LedgerLeaf.objects.filter(index__gte=start, index__lt=end).order_by("index")
    return [leaf_hash(body.encode()) for body in rows.values_list("entry__body", flat=True)]


def test_the_mail_holds_the_checkpoint_and_the_hashes(smtp: Catcher) -> None:
    book_many(300)
    made = checkpoint()

    assert send_checkpoints() == 1
    tasks.send_mails_job()

    [message] = smtp.messages
    assert message["To"] == "ada@audit.example"
    assert str(made.size) in message["Subject"]
    assert made.note in text_of(message)
    public = base64.b64encode(b"\x01" + log_public()).decode()
    assert "chariot-ledger-verify EXPORT --kept FILE --key " in text_of(message)
    assert f"+{public}\n" in text_of(message)
    name, file = attached(message)
    assert name == f"ledger-leaves-0-{made.size}.txt"
    head, _, note = file.partition("\n\n")
    assert note == made.note
    first, *lines = head.split("\n")
    assert first == f"chariot-ledger-leaves-1 0 {made.size}"
    assert [base64.b64decode(line) for line in lines] == hashes(0, made.size)
    assert read_note(note)[0].size == made.size


def test_at_most_one_a_day_and_then_the_newest(smtp: Catcher) -> None:
    first = checkpoint()
    send_checkpoints()
    for _ in range(3):
        book_many(4)
        made = checkpoint()
        assert send_checkpoints() == 0

    a_day_later()
    assert (send_checkpoints(), send_checkpoints()) == (1, 0)
    tasks.send_mails_job()

    assert len(smtp.messages) == 2
    name, file = attached(smtp.messages[1])
    assert name == f"ledger-leaves-{first.size}-{made.size}.txt"
    assert [base64.b64decode(line) for line in file.partition("\n\n")[0].split("\n")[1:]] == hashes(
        first.size, made.size
    )


def test_without_anything_new_there_is_no_mail(smtp: Catcher) -> None:
    checkpoint()
    send_checkpoints()
    a_day_later()

    assert send_checkpoints() == 0
    assert OutgoingMail.objects.count() == 1


def test_many_entries_come_in_parts(smtp: Catcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters, "MOST_LEAVES", 100)
    book_many(250)
    made = checkpoint()
    for _ in range(3):
        send_checkpoints()
        a_day_later()
        book_many(1)
        checkpoint()
    tasks.send_mails_job()

    ends = [attached(message)[0] for message in smtp.messages]
    assert ends == ["ledger-leaves-0-100.txt", "ledger-leaves-100-200.txt", f"ledger-leaves-200-{made.size + 2}.txt"]
    assert f"The hashes of entries 101 to {made.size} come with the next mails" in " ".join(
        text_of(smtp.messages[0]).split()
    )


def test_a_mail_that_was_refused_is_shown_and_its_hashes_come_again(smtp: Catcher) -> None:
    made = checkpoint()
    smtp.mood = Mood.REFUSES_ADDRESS
    send_checkpoints()
    tasks.send_mails_job()

    [standing] = witness_states()
    assert OutgoingMail.objects.get().state == OutgoingState.FAILED
    assert f"The mail with checkpoint {made.size} is failed" in standing.problem
    assert "outbox" in standing.problem

    smtp.mood = Mood.TAKES
    book_many(2)
    again = checkpoint()
    a_day_later()
    send_checkpoints()
    tasks.send_mails_job()
    assert [attached(message)[0] for message in smtp.messages] == [f"ledger-leaves-0-{again.size}.txt"]
    assert witness_states()[0].problem == ""


def test_the_job_makes_the_mail_with_the_checkpoint(smtp: Catcher) -> None:
    assert tasks.checkpoint_ledger_job() > 0
    assert OutgoingMail.objects.count() == 1
    assert tasks.checkpoint_ledger_job() == 0
    assert tasks.send_checkpoints_job() == 0


def test_the_interval_is_a_day(smtp: Catcher) -> None:
    checkpoint()
    send_checkpoints()
    now = timezone.now()

    assert not letters.is_due(ADA, now + timedelta(hours=22))
    assert letters.is_due(ADA, now + timedelta(hours=23, minutes=1))
