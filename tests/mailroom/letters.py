"""Mails as customers write them, in bytes."""

from __future__ import annotations

import secrets
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from django.utils import timezone

CUSTOMER = "ada@acme-water.example"


def letter(
    body: str = "Hello, please help us.\n",
    *,
    subject: str = "Activation of our Chariot",
    sender: str = CUSTOMER,
    message_id: str = "",
    answers: str = "",
    references: tuple[str, ...] = (),
    **headers: str,
) -> bytes:
    """A plain mail. Message-IDs are given without <>; `headers` have an underscore for each hyphen."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = "licensing@portal.example"
    mail["Subject"] = subject
    mail["Date"] = format_datetime(timezone.now())
    mail["Message-ID"] = f"<{message_id or new_id()}>"
    if answers:
        mail["In-Reply-To"] = f"<{answers}>"
    if references or answers:
        mail["References"] = " ".join(f"<{each}>" for each in (*references, answers) if each)
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(body)
    return mail.as_bytes()


def new_id() -> str:
    return f"{secrets.token_hex(12)}@acme-water.example"


def bounce(message_id: str, recipient: str, *, status: str = "5.1.1", action: str = "failed") -> bytes:
    """What a mail server sends back when it cannot deliver a mail (RFC 3464)."""
    return (
        "From: MAILER-DAEMON@mx.acme-water.example\r\nTo: licensing@portal.example\r\n"
        f"Subject: Undelivered Mail Returned to Sender\r\nMessage-ID: <{new_id()}>\r\n"
        f"Date: {format_datetime(timezone.now())}\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="cut"\r\n\r\n'
        "--cut\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nYour mail could not be delivered.\r\n\r\n"
        "--cut\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.acme-water.example\r\n\r\n"
        f"Final-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: {status}\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 User unknown\r\n\r\n"
        "--cut\r\nContent-Type: message/rfc822\r\n\r\n"
        f"From: licensing@portal.example\r\nTo: {recipient}\r\nMessage-ID: <{message_id}>\r\n"
        "Subject: Re: Activation\r\n\r\nthe mail\r\n\r\n--cut--\r\n"
    ).encode()
