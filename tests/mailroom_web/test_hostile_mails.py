"""Hostile mails through the whole desk: in by IMAP, read, shown as words, and answered by SMTP without harm."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from email.message import EmailMessage

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django import Settings

from activations import tasks
from activations.domain.words import IncomingState, OutgoingState
from activations.mail import sending
from activations.models import IncomingMail, LedgerEntry, OutgoingMail
from activations.services.post.keeping import source_of
from tests.mailroom.imap import ImapServer
from tests.mailroom.smtp import Catcher
from tests.mailroom_web.hostile import HOSTILE, raw, working_parts
from tests.mailroom_web.post import place
from tests.portal.web import Browser

pytestmark = pytest.mark.django_db
SignIn = Callable[[str], Browser]
OUR_HEADERS = {
    "Auto-Submitted", "Content-Transfer-Encoding", "Content-Type", "Date", "From", "MIME-Version", "Message-ID",
    "Subject", "To",
}  # fmt: skip


@pytest.fixture
def fetched(imap_server: ImapServer, settings: Settings) -> Callable[[bytes], IncomingMail]:
    """Delivers a mail to a mailbox that the portal fetches, and has it fetched and read."""
    settings.MAILBOXES = [imap_server.address]

    def fetch(source: bytes) -> IncomingMail:
        known = set(IncomingMail.objects.values_list("pk", flat=True))
        imap_server.deliver(source)
        assert tasks.fetch_mail_job() == 1
        return IncomingMail.objects.exclude(pk__in=known).get()

    return fetch


def shown(agent: Browser, address: str) -> tuple[str, str]:
    """A page as its source and as its words; nothing on it works but what is the portal's."""
    answer = agent.client.get(address)  # not by `get`, which would take the words of a mail for a script
    assert answer.status_code == 200
    source = answer.content.decode()
    assert working_parts(source) == []
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    return source, " ".join(html.unescape(re.sub(r"<[^>]+>", " ", source)).split())


def answered(agent: Browser, mail: IncomingMail, smtp: Catcher) -> EmailMessage:
    """Writes a reply on the conversation's page and sends it; what the mail server got, bounded and ours alone."""
    page = agent.client.get(place("inbox_conversation", mail.conversation_id))
    chosen = re.search(r'name="to" id="[^"]+" value="([^"]+)" checked', page.content.decode())
    assert chosen
    to = html.unescape(chosen[1])
    form = {"conversation": mail.conversation_id, "token": "t" * 20, "body": "Which pump?", "to": to, "unknown": to}
    token = agent.client.cookies["csrftoken"].value
    agent.client.post(place("inbox_write", mail.conversation_id), {**form, "csrfmiddlewaretoken": token})
    queued = OutgoingMail.objects.get()
    assert sending.send(queued.pk) == OutgoingState.SENT, queued.problem
    (source,), (recipients,), (message,) = smtp.mails, smtp.recipients, smtp.messages
    assert recipients == [to]
    assert all(len(line) <= 998 for line in source.split(b"\r\n"))
    threaded = {"In-Reply-To", "References"} if mail.message_id else set()
    assert set(message.keys()) == OUR_HEADERS | threaded
    assert len(message.keys()) == len(set(message.keys()))
    assert message.get_content().strip() == "Which pump?"
    return message


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_mail_is_words_on_a_page_and_can_be_answered(
    name: str, fetched: Callable[[bytes], IncomingMail], smtp: Catcher, sign_in: SignIn
) -> None:
    hostile = HOSTILE[name]
    mail = fetched(hostile.make())
    assert mail.state == IncomingState.READ

    agent = sign_in("agent")
    source, words = shown(agent, place("inbox_conversation", mail.conversation_id))
    assert len(source) < 1_000_000
    assert [said for said in hostile.says if said not in words] == [], words[:3000]
    assert [text for text in hostile.silent if text in words or text in source] == []
    for other in ("inbox", "index"):
        shown(agent, place(other))

    if mail.from_address:
        answered(agent, mail, smtp)
    _downloads_are_no_pages(agent, mail)
    assert not LedgerEntry.objects.exclude(chain="portal").exists()


def test_a_brought_mail_keeps_its_nul_bytes_and_no_table_gets_them(sign_in: SignIn, db: None) -> None:
    """IMAP carries none (RFC 3501, 4.3), and Dovecot puts another byte in their place; a file has them."""
    source = raw("Subject: Pu\0mp", "X-\0: \0", body="Please\0 help us.\0")
    agent = sign_in("agent")
    form = agent.get(place("inbox")).form(place("inbox_bring"))
    agent.client.post(form.action, {**form.fields, "mail": SimpleUploadedFile("a.eml", source)})
    mail = IncomingMail.objects.get()
    _, words = shown(agent, place("inbox_conversation", mail.conversation_id))
    assert "Pump" in words
    assert "Please help us." in words
    assert source_of(mail) == source


def _downloads_are_no_pages(agent: Browser, mail: IncomingMail) -> None:
    for number, file in enumerate(mail.attachments[:3], 1):
        answer = agent.client.get(place("inbox_attachment", mail.pk, number))
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert set("/\\\r\n\u202e") & set(file["name"]) == set()
