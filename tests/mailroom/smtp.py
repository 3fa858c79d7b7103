"""A real SMTP server that keeps what it got, and answers what a test tells it to."""

from __future__ import annotations

import asyncio
import logging
import smtplib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from enum import StrEnum
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

LARGEST = 60_000_000
logging.getLogger("mail.log").setLevel(logging.WARNING)  # each command that a client gives


class Mood(StrEnum):
    """What the server does with the next mails."""

    TAKES = "takes"
    REFUSES_ADDRESS = "550 on RCPT"
    BUSY = "451 on RCPT"
    CLOSING = "421 on RCPT"
    REFUSES_MAIL = "554 after DATA"
    BUSY_AFTER_DATA = "451 after DATA"
    LOG_IN_FIRST = "530 on MAIL FROM"
    LOG_IN_UNFIT = "534 on MAIL FROM"
    LOG_IN_WRONG = "535 on RCPT"
    LOG_IN_AT_DATA = "530 on DATA"
    ODD_AT_SENDER = "354 on MAIL FROM"
    ODD_AT_ADDRESS = "252 on RCPT"
    NO_CODE_AT_ADDRESS = "no code on RCPT"
    ODD_AT_DATA = "250 on DATA"
    REFUSES_GREETING = "550 on EHLO and HELO"
    YES_200 = "200 after DATA"
    YES_251 = "251 after DATA"
    GO_ON_AFTER_DATA = "takes the mail and says 354"
    ODD_AFTER_DATA = "takes the mail and says 650"
    NO_CODE_AFTER_DATA = "takes the mail and says something without a code"
    ENDLESS_AFTER_DATA = "takes the mail and says a line without end"
    DROPS_AT_ADDRESS = "breaks off at RCPT"
    HANGS_BEFORE_DOT = "does not answer DATA"
    HANGS_AFTER_DOT = "takes the mail and does not answer"
    DROPS_AFTER_DOT = "takes the mail and breaks off"


AT_ADDRESS = {
    Mood.REFUSES_ADDRESS: "550 5.1.1 No such user here",
    Mood.BUSY: "451 4.7.1 Greylisted, come back later",
    Mood.CLOSING: "421 4.3.2 Closing for the night",
    Mood.LOG_IN_WRONG: "535 5.7.8 Credentials invalid",
    Mood.ODD_AT_ADDRESS: "252 Cannot verify it",
    Mood.NO_CODE_AT_ADDRESS: "Well, perhaps",
}
AT_SENDER = {
    Mood.LOG_IN_FIRST: "530 5.7.0 Authentication required",
    Mood.LOG_IN_UNFIT: "534 5.7.9 Mechanism too weak",
    Mood.ODD_AT_SENDER: "354 Go on",
}
AT_DATA = {Mood.LOG_IN_AT_DATA: "530 5.7.0 Authentication required", Mood.ODD_AT_DATA: "250 OK"}
# What is answered although the mail was taken.
TAKEN = {
    Mood.YES_200: "200 Fine",
    Mood.YES_251: "251 Will be forwarded",
    Mood.GO_ON_AFTER_DATA: "354 Go on",
    Mood.ODD_AFTER_DATA: "650 Odd",
    Mood.NO_CODE_AFTER_DATA: "Thank you, we have it",
    Mood.ENDLESS_AFTER_DATA: "250 " + "x" * 20_000,
}
AFTER_DATA = {
    Mood.REFUSES_MAIL: "554 5.7.1 Spam, says our filter",
    Mood.BUSY_AFTER_DATA: "451 4.3.0 Disk full",
}


class Catcher:
    """`mails`: what was received whole, in order, whether or not its sender was told so."""

    def __init__(self) -> None:
        self.mood = Mood.TAKES
        self.mails: list[bytes] = []
        self.recipients: list[list[str]] = []
        self.connections = 0
        self.slow = 0.0  # seconds between taking a mail and saying so
        self.waiting = threading.Event()  # set when a sender was left hanging
        self.port = 0
        self._released = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def messages(self) -> list[EmailMessage]:
        parser: Any = BytesParser(policy=default)
        return [parser.parsebytes(mail) for mail in self.mails]

    @property
    def message_ids(self) -> list[str]:
        """Of every mail that arrived, without <>: what a person greps for in a mail server's log."""
        return [str(message["Message-ID"]).strip("<>") for message in self.messages]

    # --- aiosmtpd's hooks ----------------------------------------------------------------------------------

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if self.mood in AT_SENDER:
            return AT_SENDER[self.mood]
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if self.mood is Mood.DROPS_AT_ADDRESS:
            return self._drop(server)
        if self.mood in AT_ADDRESS:
            if self.mood is Mood.CLOSING:
                await server.push(AT_ADDRESS[self.mood])
                return self._drop(server)
            return AT_ADDRESS[self.mood]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.mood in AFTER_DATA:
            return AFTER_DATA[self.mood]
        assert isinstance(envelope.content, bytes)
        self.recipients.append(list(envelope.rcpt_tos))
        self.mails.append(envelope.content)
        await asyncio.sleep(self.slow)
        if self.mood is Mood.HANGS_AFTER_DOT:
            self.waiting.set()
            await self._released.wait()
        if self.mood is Mood.DROPS_AFTER_DOT:
            return self._drop(server)
        return TAKEN.get(self.mood, "250 OK")

    def release(self) -> None:
        """Says yes at last to a sender that was left hanging after its mail, and to all that come."""
        self._loop.call_soon_threadsafe(self._released.set)

    async def hang(self) -> None:
        self.waiting.set()
        await asyncio.sleep(3600)

    @staticmethod
    def _drop(server: SMTP) -> str:
        assert isinstance(server.transport, asyncio.WriteTransport)
        server.transport.abort()
        return "421 gone"

    # --- running -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _listen(self) -> None:
        def talk() -> SMTP:
            self.connections += 1
            return _Smtp(self, data_size_limit=LARGEST, loop=self._loop, enable_SMTPUTF8=False)

        self._server = await self._loop.create_server(talk, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _deafen(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def start(self) -> None:
        self._thread.start()
        self.listen()

    def listen(self) -> None:
        """Takes connections, on the port of before if there was one."""
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def refuse_connections(self) -> None:
        asyncio.run_coroutine_threadsafe(self._deafen(), self._loop).result(10)

    async def _end(self) -> None:
        await self._deafen()
        tasks = [task for task in asyncio.all_tasks(self._loop) if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def stop(self) -> None:
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


class _Smtp(SMTP):
    """aiosmtpd has no hook between DATA and the mail, and none that refuses a greeting."""

    def __init__(self, catcher: Catcher, **how: Any) -> None:
        super().__init__(catcher, **how)
        self._catcher = catcher

    async def smtp_DATA(self, arg: str) -> None:
        if self._catcher.mood is Mood.HANGS_BEFORE_DOT:
            await self._catcher.hang()
        if self._catcher.mood in AT_DATA:
            await self.push(AT_DATA[self._catcher.mood])
        else:
            await super().smtp_DATA(arg)

    async def smtp_EHLO(self, hostname: str) -> None:
        if self._catcher.mood is Mood.REFUSES_GREETING:
            await self.push("550 5.7.1 Your name is not welcome")
        else:
            await super().smtp_EHLO(hostname)

    async def smtp_HELO(self, hostname: str) -> None:
        await self.smtp_EHLO(hostname)


@contextmanager
def catching() -> Iterator[Catcher]:
    catcher = Catcher()
    catcher.start()
    try:
        yield catcher
    finally:
        catcher.stop()


def deliver(catcher: Catcher, source: bytes, sender: str, recipient: str) -> None:
    """A mail that somebody else sends through the server."""
    with smtplib.SMTP("127.0.0.1", catcher.port) as connection:
        connection.sendmail(sender, [recipient], source)
