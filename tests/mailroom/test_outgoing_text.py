"""What a customer gets: headers that keep the thread together, and a Usage License that a Chariot can read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chariot_license.protocol.block import FoundBlock
from chariot_license.protocol.block import Kind as BlockKind
from chariot_license.protocol.reader import find_blocks
from django.db import transaction
from pytest_django import Settings

from activations import tasks
from activations.domain.words import ConversationState, OutgoingState
from activations.mail import sending
from activations.mailtext.reading import read_mail
from activations.models import IncomingMail, OutgoingMail
from activations.services import replies
from activations.services.licenses import LicenseCreated
from activations.services.post import outbox
from activations.services.post.keeping import keep_mail
from activations.services.post.reading import read_kept
from activations.services.post.signals import something_to_send
from tests.mailroom.letters import CUSTOMER, letter
from tests.mailroom.smtp import Catcher
from tests.portal.cast import AGENT, answered
from tests.portal.chariot import Chariot, host

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_sends_by_itself() -> Iterator[None]:
    something_to_send.disconnect(tasks._send_soon)
    yield
    something_to_send.connect(tasks._send_soon)


def came(source: bytes) -> IncomingMail:
    mail = read_kept(keep_mail(source, mailbox="test").mail.pk)
    assert mail is not None
    assert mail.conversation is not None
    return mail


def answer(
    mail: IncomingMail, key: str, body: str = "Here it is.\n", attachment: str = "", by: str = ""
) -> OutgoingMail:
    conversation = mail.conversation
    assert conversation is not None
    said = outbox.Letter(
        key=key, subject=conversation.subject, body=body, attachment=attachment, attachment_name="license.txt"
    )
    with transaction.atomic():
        queued = outbox.queue(said, to=mail.from_address, by=by or AGENT.name, conversation=conversation)
    assert sending.send(queued.pk) == OutgoingState.SENT
    return queued


def test_the_headers_keep_the_thread_together(smtp: Catcher) -> None:
    first = came(letter(message_id="first@acme-water.example", subject="Aktivierung: Größe"))
    one = answer(first, "one")
    second = came(
        letter(
            message_id="second@acme-water.example",
            subject=f"AW: {one.subject}",
            answers=one.message_id,
            references=("first@acme-water.example",),
        )
    )
    two = answer(second, "two")

    assert second.conversation == first.conversation
    conversation = second.conversation
    assert conversation is not None
    mark = f"[CL-{conversation.token}]"
    got_one, got_two = smtp.messages
    assert got_one["Message-ID"] == f"<{one.message_id}>"
    assert one.message_id.endswith("@portal.example")
    assert got_one["In-Reply-To"] == "<first@acme-water.example>"
    assert got_one["References"] == "<first@acme-water.example>"
    assert got_one["Subject"] == f"Re: Aktivierung: Größe {mark}"
    assert got_one["From"] == "Licensing Support <licensing@portal.example>"
    assert got_one["To"] == CUSTOMER
    assert got_one["Auto-Submitted"] == "no"
    assert got_one["Date"] is not None
    assert got_two["In-Reply-To"] == "<second@acme-water.example>"
    assert got_two["References"].split() == [
        "<first@acme-water.example>", f"<{one.message_id}>", "<second@acme-water.example>",
    ]  # fmt: skip
    assert got_two["Subject"] == got_one["Subject"], "neither Re: nor the mark pile up"
    assert two.references.count("\n") == 2
    conversation.refresh_from_db()
    assert conversation.state == ConversationState.WAITING
    assert conversation.waits_since is None


def test_what_a_machine_wrote_says_so(smtp: Catcher) -> None:
    answer(came(letter()), "one", by="automatic")

    assert smtp.messages[0]["Auto-Submitted"] == "auto-replied"
    assert read_mail(smtp.mails[0]).automatic


def test_a_long_thread_keeps_its_beginning_and_its_end(smtp: Catcher) -> None:
    conversation = came(letter(message_id="m0@acme-water.example")).conversation
    for number in range(1, 40):
        mail = came(letter(message_id=f"m{number}@acme-water.example", answers=f"m{number - 1}@acme-water.example"))
        assert mail.conversation == conversation
    answer(mail, "one")

    references = smtp.messages[0]["References"].split()
    assert len(references) == outbox.MOST_REFERENCES
    assert references[0] == "<m0@acme-water.example>"
    assert references[-1] == "<m39@acme-water.example>"
    assert all(len(line) <= 998 for line in smtp.mails[0].split(b"\r\n"))


def blocks_in(text: str) -> list[str]:
    return [b.text for b in find_blocks(text) if isinstance(b, FoundBlock) and b.kind is BlockKind.LICENSE]


@pytest.mark.parametrize(
    "around",
    [
        "Dear customer,",
        "Sehr geehrte Frau Müller, 您好, مرحبا, „Gruß“",
        "x" * 1500,
        "ü" * 1500,
        ".\n.\nFrom here\n--\n..",
    ],
    ids=["ascii", "non-ascii", "long line", "long non-ascii line", "dots and dashes"],
)
def test_the_usage_license_arrives_inline_and_as_a_file(smtp: Catcher, license: LicenseCreated, around: str) -> None:
    chariot = Chariot(license.license_key, host("pump-house"))
    block = answered(chariot.request())
    body = f"{around}\n\n{block}\n\nYour support\n"
    answer(came(letter()), "one", body=body, attachment=block)

    (raw,), (message,) = smtp.mails, smtp.messages
    assert raw.isascii(), "no server on the way has to carry 8 bits"
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    inline = message.get_body(("plain",))
    assert inline is not None
    assert inline.get_content().replace("\r\n", "\n") == body
    (file,) = message.iter_attachments()
    assert file.get_filename() == "license.txt"
    assert file.get_content_type() == "text/plain"
    for part in (inline.get_content(), file.get_content()):
        assert blocks_in(part) == [block]
    assert blocks_in(raw.decode()) == [block], "and in the raw mail, once"
    assert read_mail(raw).problems == ()
    chariot.install(file.get_content())


def test_a_reply_goes_out_with_what_was_kept(smtp: Catcher, license: LicenseCreated) -> None:
    mail = came(letter())
    with transaction.atomic():
        kept = replies.keep(replies.damaged([3, 7]), actor=AGENT, at=mail.fetched_at)
        envelope = outbox.Envelope(mail.conversation_id or 0, mail.from_address)
        queued = outbox.queue_reply(kept, envelope)
        assert outbox.queue_reply(kept, envelope) == queued
    assert sending.send(queued.pk) == OutgoingState.SENT

    inline = smtp.messages[0].get_body(("plain",))
    assert inline is not None
    assert inline.get_content().replace("\r\n", "\n").strip() == kept.body.strip()
    assert (queued.reply, queued.queued_by) == (kept, AGENT.name)


def test_without_a_mail_server_mails_go_to_files(settings: Settings, tmp_path: Path) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    answer(came(letter()), "one")

    (file,) = tmp_path.iterdir()
    assert b"Here it is." in file.read_bytes()
