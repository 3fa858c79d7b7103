"""Sending through a provider: a real HTTP server on this machine that answers as Postmark and Mailgun do."""

from __future__ import annotations

import base64
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from activations import tasks
from activations.domain.words import OutgoingState
from activations.mail import sending
from activations.models import OutgoingMail
from activations.services.post import outbox
from activations.services.post.threads import begin_conversation
from licensing_portal.providers import parsed
from tests.mailroom.letters import CUSTOMER
from tests.mailroom.posting import again, queued
from tests.mailroom.provider import Provider, providing
from tests.portal.cast import AGENT

ROOT = Path(__file__).parents[2]
SECRET = "9c1d-our-own-secret-token"
TAKEN = {
    "postmark": (200, {"ErrorCode": 0, "Message": "OK", "MessageID": "b7bc2f4a", "To": CUSTOMER}),
    "mailgun": (200, {"id": "<1@mg.portal.example>", "message": "Queued. Thank you."}),
}
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("nobody_sends_by_itself")]


@pytest.fixture(params=["postmark", "mailgun"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def provider(name: str, settings: Settings) -> Iterator[Provider]:
    with providing() as server:
        url = {"postmark": f"postmark://{SECRET}@", "mailgun": f"mailgun://{SECRET}@mg.portal.example"}[name]
        found = parsed(url)
        assert found is not None
        settings.EMAIL_BACKEND = found.backend
        settings.ANYMAIL = {**found.settings, f"{name.upper()}_API_URL": server.url, "REQUESTS_TIMEOUT": 20}
        settings.DEFAULT_FROM_EMAIL = "Licensing Support <licensing@portal.example>"
        server.answer = TAKEN[name]
        yield server


def with_everything() -> OutgoingMail:
    """An answer in a thread, with a Usage License inline and as a file, in letters that are not ASCII."""
    conversation = begin_conversation("Aktivierung für Köln", timezone.now())
    with transaction.atomic():
        outbox.queue(
            outbox.Letter(key="first", subject=conversation.subject, body="Hello.\n"),
            to=CUSTOMER, by=AGENT.name, conversation=conversation,
        )  # fmt: skip
        letter = outbox.Letter(
            key="second",
            subject=conversation.subject,
            body="Schöne Grüße\n\nUSAGE LICENSE\n",
            attachment="USAGE LICENSE\n",
            attachment_name="USL-1.txt",
        )
        return outbox.queue(letter, to=CUSTOMER, by=AGENT.name, conversation=conversation)


def test_threading_text_and_file_travel(provider: Provider, name: str) -> None:
    mail = with_everything()
    first = OutgoingMail.objects.get(key="first")

    assert sending.send(mail.pk) == OutgoingState.SENT
    assert (again(mail).attempts, mail.problem) == (1, "")
    [asked] = provider.asked
    if name == "postmark":
        sent = asked.json
        headers = {each["Name"]: each["Value"] for each in sent["Headers"]}
        assert (asked.path, asked.headers["X-Postmark-Server-Token"]) == ("/email", SECRET)
        assert (sent["To"], sent["Subject"], sent["TextBody"]) == (CUSTOMER, mail.subject, mail.body)
        assert sent["From"] == "Licensing Support <licensing@portal.example>"
        [file] = sent["Attachments"]
        assert (file["Name"], base64.b64decode(file["Content"])) == ("USL-1.txt", b"USAGE LICENSE\n")
        assert headers["X-PM-KeepID"] == "true", "or the Message-ID is one of theirs, and no answer finds its thread"
        assert "HtmlBody" not in sent
    else:
        form = asked.form
        headers = {each.removeprefix("h:"): value for each, value in form.items() if each.startswith("h:")}
        key = base64.b64encode(f"api:{SECRET}".encode()).decode()
        assert (asked.path, asked.headers["Authorization"]) == ("/mg.portal.example/messages", f"Basic {key}")
        assert (form["to"], form["subject"], form["text"]) == (CUSTOMER, mail.subject, mail.body)
        assert form["attachment"] == ("USL-1.txt", b"USAGE LICENSE\n")
        assert "html" not in form
    headers = {each.lower(): value for each, value in headers.items()}
    assert headers["message-id"] == f"<{mail.message_id}>"
    assert headers["in-reply-to"] == headers["references"] == f"<{first.message_id}>"
    assert headers["auto-submitted"] == "no"
    assert "date" not in headers

    assert sending.send(mail.pk) == "", "it is not sent again"
    assert len(provider.asked) == 1


REFUSALS = [
    ("postmark", (422, {"ErrorCode": 406, "Message": f"Inactive recipient {CUSTOMER}"}), "422 Inactive recipient"),
    ("postmark", (422, {"ErrorCode": 400, "Message": "The sender signature is not defined"}), "422 The sender signa"),
    ("postmark", (413, "Payload Too Large"), "413 Payload Too Large"),
    ("mailgun", (400, {"message": "to parameter is not a valid address"}), "400 to parameter is not a valid"),
    ("mailgun", (404, {"message": "Domain not found: mg.portal.example"}), "404 Domain not found"),
    ("mailgun", (402, {"message": "Payment required"}), "402 Payment required"),
]


@pytest.mark.parametrize(("name", "answer", "said"), REFUSALS)
def test_refused_for_good_in_the_providers_words(provider: Provider, answer: tuple[int, object], said: str) -> None:
    mail, provider.answer = queued(), answer

    assert sending.send(mail.pk) == OutgoingState.FAILED
    assert said in again(mail).problem
    assert mail.problem.startswith("The mail provider refused")
    assert not_tried_again(provider, 1)


def not_tried_again(provider: Provider, times: int) -> bool:
    return tasks.send_mails_job() == 0 and len(provider.asked) == times


@pytest.mark.parametrize("status", [429, 401, 403])
def test_tried_later(provider: Provider, name: str, status: int) -> None:
    """A key of ours that is wrong is no fault of the mail, and too many mails are none either."""
    mail, provider.answer = queued(), (status, {"message": f"No, not with {SECRET}", "Message": f"No: {SECRET}"})

    assert sending.send(mail.pk) == OutgoingState.QUEUED
    assert str(status) in again(mail).problem
    assert SECRET not in mail.problem
    assert ("Check EMAIL_URL" in mail.problem) == (status != 429)

    provider.answer = TAKEN[name]
    OutgoingMail.objects.update(next_attempt_at=timezone.now())
    assert sending.send(mail.pk) == OutgoingState.SENT


def test_a_provider_that_is_not_there(provider: Provider, name: str, settings: Settings) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # and does not listen
        settings.ANYMAIL = {**settings.ANYMAIL, f"{name.upper()}_API_URL": f"http://127.0.0.1:{free.getsockname()[1]}"}
        mail = queued()
        assert sending.send(mail.pk) == OutgoingState.QUEUED
    assert "cannot be reached" in again(mail).problem


def test_a_name_that_nobody_knows(provider: Provider, name: str, settings: Settings) -> None:
    settings.ANYMAIL = {**settings.ANYMAIL, f"{name.upper()}_API_URL": "http://api.provider.invalid"}
    mail = queued()
    assert sending.send(mail.pk) == OutgoingState.QUEUED
    assert "cannot be reached" in again(mail).problem


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_an_error_of_the_provider_is_an_unknown_end(provider: Provider, status: int) -> None:
    mail, provider.answer = queued(), (status, "<h1>Bad Gateway</h1>")

    assert sending.send(mail.pk) == OutgoingState.UNKNOWN
    assert f"did not say whether it took the mail: {status}" in again(mail).problem
    OutgoingMail.objects.update(next_attempt_at=timezone.now())
    assert not_tried_again(provider, 1)


@pytest.mark.parametrize("answer", [(200, "<h1>OK</h1>"), (200, {"unheard": "of"}), (200, [])], ids=str)
def test_an_answer_that_says_nothing_is_an_unknown_end(provider: Provider, answer: tuple[int, object]) -> None:
    mail, provider.answer = queued(), answer
    assert sending.send(mail.pk) == OutgoingState.UNKNOWN
    assert not_tried_again(provider, 1)


@pytest.mark.parametrize("mood", ["hangs", "drops"])
def test_a_connection_that_ends_behind_the_mail_is_an_unknown_end(
    provider: Provider, settings: Settings, mood: str
) -> None:
    settings.ANYMAIL = {**settings.ANYMAIL, "REQUESTS_TIMEOUT": 1}
    mail, provider.mood = queued(), mood

    assert sending.send(mail.pk) == OutgoingState.UNKNOWN
    assert "when it may have had the mail" in again(mail).problem
    provider.mood = "answers"
    OutgoingMail.objects.update(next_attempt_at=timezone.now())
    assert not_tried_again(provider, 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_carries_our_key_nowhere(provider: Provider, name: str, status: int) -> None:
    mail, provider.answer = queued(), (status, {})
    with providing() as elsewhere:
        elsewhere.answer = TAKEN[name]
        provider.headers = {"Location": f"{elsewhere.url}/email"}
        assert sending.send(mail.pk) == OutgoingState.UNKNOWN
        assert not elsewhere.asked


def test_nothing_that_is_logged_or_kept_holds_the_key(provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for status in (200, 401, 422, 500):
        provider.answer = (status, {"message": SECRET, "Message": SECRET, "ErrorCode": 10})
        sending.send(queued().pk)
    assert SECRET not in caplog.text
    assert not any(SECRET in problem for problem in OutgoingMail.objects.values_list("problem", flat=True))


# --- the setting -------------------------------------------------------------------------------------------


def test_what_the_address_says() -> None:
    postmark, stream = parsed("postmark://abc%2Fd@"), parsed("postmark://abc@outbound")
    eu = parsed("mailgun+eu://key@mg.portal.example")
    assert postmark is not None
    assert stream is not None
    assert eu is not None
    assert postmark.settings == {"POSTMARK_SERVER_TOKEN": "abc/d"}
    assert stream.settings["POSTMARK_MESSAGE_STREAM"] == "outbound"
    assert eu.settings["MAILGUN_API_URL"] == "https://api.eu.mailgun.net/v3"
    assert "key" not in repr(eu)
    assert parsed("smtp+tls://user:password@mail.example.com:587") is None
    assert parsed("consolemail://") is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"postmark://{SECRET}", "postmark://SERVER-TOKEN@"),
        (f"postmark://{SECRET}@api.postmarkapp.com", "not whole for postmark"),
        (f"postmark://user:{SECRET}@", "not whole for postmark"),
        (f"mailgun://{SECRET}@", "mailgun://SENDING-KEY@mg.example.com"),
        (f"mailgun://api:{SECRET}@mg.example.com", "not whole for mailgun"),
        (f"mailgun://{SECRET}@mg.example.com:443", "not whole for mailgun"),
        (f"mailgun+eu://{SECRET}@mg.example.com/v3", "not whole for mailgun+eu"),
        (f"sendgrid://{SECRET}@", "does not begin with one of smtp://"),
        (f"https://{SECRET}@api.postmarkapp.com", "does not begin with one of smtp://"),
        (f"smtp+tls://user:{SECRET}@", "names no mail server"),
        (f"smtp://user:{SECRET}@host:port", "is not an address"),
        (SECRET, "does not begin with one of smtp://"),
    ],
)
def test_a_wrong_address_is_named_in_words_without_the_key(url: str, said: str) -> None:
    with pytest.raises(ImproperlyConfigured) as raised:
        parsed(url)
    assert said in str(raised.value)
    assert SECRET not in str(raised.value)


def test_the_check_of_the_settings_says_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PORTAL_VAR_DIR": str(tmp_path), "EMAIL_URL": f"mailgun://{SECRET}@"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("manage.py: EMAIL_URL is not whole for mailgun. Write it like mailgun://SENDING-KEY@")
    assert SECRET not in done.stderr + done.stdout
