"""Files and mails that are given to the desk: whatever their encoding, in attachments, and mails inside mails."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from activations.services.licenses import LicenseCreated
from activations.services.mail_text import text_of_upload
from tests.portal.cast import answered
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser, desk

SignIn = Callable[[str], Browser]


@pytest.fixture
def pump(license: LicenseCreated) -> Chariot:
    return Chariot(license.license_key, host("pump-house"))


def test_a_mail_file_is_read_whatever_its_encoding(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Request", "plant@example.com", "support@example.com"
    message.set_content("Grüße aus dem Werk\n" + pump.request(), cte="base64")
    upload = SimpleUploadedFile("request.eml", bytes(message), content_type="message/rfc822")
    page = sign_in("agent").paste("", upload=upload)
    assert "New activation" in page.words


def test_an_attached_text_file_in_a_mail_is_read(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    message = EmailMessage()
    message["Subject"], message["From"] = "Request", "plant@example.com"
    message.set_content("see attachment")
    message.add_attachment(pump.request().encode(), maintype="text", subtype="plain", filename="request.txt")
    page = sign_in("agent").paste("", upload=SimpleUploadedFile("mail.eml", bytes(message)))
    assert "New activation" in page.words


@pytest.mark.parametrize("name", ["request.txt", "REQUEST.REQ"])
@pytest.mark.parametrize("pasted", [True, False])
def test_an_attachment_of_any_media_type_is_read_by_its_name(
    name: str, pasted: bool, license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    """Base64 in a file of the mail, or in the mail's source as some mail programs show it."""
    message = EmailMessage()
    message["Subject"], message["From"] = "Request", "plant@example.com"
    message.set_content("see attachment")
    data = pump.request().replace("\n", "\r\n").encode("utf-16")
    message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    agent = sign_in("agent")
    if pasted:
        page = agent.paste(bytes(message).decode())
    else:
        page = agent.paste("", upload=SimpleUploadedFile("mail.eml", bytes(message)))
    assert "New activation" in page.words


@pytest.mark.parametrize("as_message", [True, False])
def test_a_mail_in_a_mail_is_read(as_message: bool, license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    inner, outer = EmailMessage(), EmailMessage()
    inner["Subject"], inner["From"] = "Request", "plant@example.com"
    inner.set_content("Grüße\n" + pump.request(), cte="quoted-printable")
    outer["Subject"], outer["From"] = "Fwd", "sales@example.com"
    outer.set_content("forwarded")
    if as_message:
        outer.add_attachment(inner)
    else:
        data = bytes(inner)
        outer.add_attachment(data, maintype="application", subtype="octet-stream", filename="original.eml")
    page = sign_in("agent").paste("", upload=SimpleUploadedFile("mail.eml", bytes(outer)))
    assert "New activation" in page.words


def test_the_license_id_may_stand_in_the_subject_only(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    pump.install(answered(pump.request()))
    message = EmailMessage()
    message["Subject"], message["From"] = f"Deactivation, {license.license_id}", "plant@example.com"
    message.set_content(f"The code is {pump.deactivate()}", cte="base64")
    page = sign_in("agent").paste("", upload=SimpleUploadedFile("mail.eml", bytes(message)))
    assert "Frees a seat" in page.words


def test_mails_inside_mails_inside_mails_end(sign_in: SignIn) -> None:
    data = b"the end"
    for _ in range(9):
        message = EmailMessage()
        message["Subject"], message["From"] = "again", "plant@example.com"
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename="again.eml")
        data = bytes(message)
    page = sign_in("agent").paste("", upload=SimpleUploadedFile("mail.eml", data))
    assert "Nothing found in this text" in page.words


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_text_file_is_read_in_any_usual_encoding(
    encoding: str, license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    data = ("Grüße\r\n" + pump.request().replace("\n", "\r\n")).encode(encoding)
    page = sign_in("agent").paste("", upload=SimpleUploadedFile("request.txt", data))
    assert "New activation" in page.words


def test_a_file_that_is_no_mail_says_so(sign_in: SignIn) -> None:
    agent = sign_in("agent")
    page = agent.paste("", upload=SimpleUploadedFile("photo.txt", bytes(range(256)) * 400))
    assert "Nothing found in this text" in page.words
    page = agent.paste("", upload=SimpleUploadedFile("big.txt", b"x" * 2_000_001))
    assert "larger than 2 MB" in page.words


@pytest.mark.parametrize(
    "head", ["Content-Type: message/rfc822\n\n" * 1000, "Content-Type: multipart/mixed; boundary*=idna''abc\n\n--abc\n"]
)
def test_a_mail_that_nobody_would_write_is_no_failure(head: str, db: None, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    upload = SimpleUploadedFile("mail.eml", b"From: a@example.com\nSubject: x\nMIME-Version: 1.0\n" + head.encode())
    answer = agent.client.post(desk(), {**agent.get(desk()).form(desk()).fields, "upload": upload})
    assert answer.status_code == 200
    assert text_of_upload(b"From: a@example.com\nMIME-Version: 1.0\n" + head.encode())
