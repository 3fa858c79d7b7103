"""Mail between people: an SMTP server that puts what it takes into mailboxes on a real IMAP server, and whoever writes
and reads there.
"""

from __future__ import annotations

import asyncio
import http.server
import smtplib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.mailroom.imap import ImapServer
from tests.mailroom.smtp import Catcher


class Delivery(Catcher):
    """Knows the mailbox of each address; what it takes for one of them is in that mailbox before it says yes."""

    def __init__(self, mailboxes: dict[str, ImapServer]) -> None:
        super().__init__()
        self.mailboxes = mailboxes

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if address not in self.mailboxes:
            return "550 5.1.1 No such user here"
        return await super().handle_RCPT(server, session, envelope, address, options)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        received = b"Return-Path: <" + (envelope.mail_from or "").encode() + b">\r\n"
        for address in envelope.rcpt_tos:
            await asyncio.to_thread(self.mailboxes[address].deliver, received + envelope.content)
        return await super().handle_DATA(server, session, envelope)


@contextmanager
def delivering(mailboxes: dict[str, ImapServer]) -> Iterator[Delivery]:
    made = Delivery(mailboxes)
    made.start()
    try:
        yield made
    finally:
        made.stop()


@dataclass(frozen=True)
class Correspondent:
    """Somebody with a mail program: sends by SMTP and reads the own mailbox."""

    address: str
    mailbox: ImapServer
    server: Delivery

    def send(self, source: bytes, to: str) -> None:
        with smtplib.SMTP("127.0.0.1", self.server.port) as connection:
            connection.sendmail(self.address, [to], source)

    def received(self) -> list[bytes]:
        """What is in the mailbox, in the order in which it came."""
        with self.mailbox.connected() as client:
            client.select("INBOX", readonly=True)
            _, said = client.uid("fetch", "1:*", "(BODY.PEEK[])")
        return [bytes(each[1]) for each in said if isinstance(each, tuple)]

    def messages(self) -> list[EmailMessage]:
        parser: Any = BytesParser(policy=default)
        return [parser.parsebytes(source) for source in self.received()]


class Elsewhere:
    """A web server of somebody else, which notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        asked = self.asked

        class Answers(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(204)
                self.end_headers()

            do_POST = do_GET  # noqa: N815  # the name that the standard library looks for

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
