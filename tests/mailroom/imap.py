"""A mailbox on a real IMAP server, as its owner and the mail server see it."""

from __future__ import annotations

import imaplib
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote, urlsplit

from licensing_portal.mailboxes import MailboxAddress


@dataclass(frozen=True)
class ImapServer:
    """A server that lets every user in with one password (`bin/services`), and the mailbox of one user there."""

    host: str
    port: int
    password: str
    user: str
    folder: str = "INBOX"

    @classmethod
    def at(cls, url: str) -> ImapServer:
        """A user of one's own, whose mailbox is empty."""
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        return cls(parts.hostname, parts.port, unquote(parts.password or ""), f"user-{secrets.token_hex(8)}")

    def another_user(self) -> ImapServer:
        return replace(self, user=f"user-{secrets.token_hex(8)}")

    @property
    def address(self) -> MailboxAddress:
        return MailboxAddress("imap", self.host, self.port, self.user, self.password, self.folder)

    @property
    def url(self) -> str:
        """As IMAP_URLS has it."""
        return f"imap://{quote(self.user)}:{quote(self.password)}@{self.host}:{self.port}/{quote(self.folder)}"

    @contextmanager
    def connected(self) -> Iterator[imaplib.IMAP4]:
        with imaplib.IMAP4(self.host, self.port) as client:
            client.login(self.user, self.password)
            yield client

    def deliver(self, *mails: bytes) -> None:
        """Puts mails into the folder, which is made if it is missing."""
        with self.connected() as client:
            if self.folder != "INBOX":
                client.create(self.folder)
            for mail in mails:
                status, said = client.append(self.folder, "", "", mail)
                assert status == "OK", said

    def delete(self, uid: int) -> None:
        with self.connected() as client:
            client.select(self.folder)
            client.uid("store", str(uid), "+FLAGS", r"(\Deleted)")
            client.expunge()

    def make_anew(self) -> None:
        """Deletes the folder and makes it again: its UIDs begin anew, under another UIDVALIDITY."""
        before = self.uid_validity()
        with self.connected() as client:
            while True:
                client.delete(self.folder)
                client.create(self.folder)
                if self.uid_validity() != before:  # Dovecot takes the time in seconds
                    return

    def uid_validity(self) -> int:
        with self.connected() as client:
            _, said = client.status(self.folder, "(UIDVALIDITY)")
            found = re.search(rb"UIDVALIDITY (\d+)", said[0])
            assert found
            return int(found[1])

    def seen_from_outside(self) -> list[bytes]:
        """UID, flags and size of each mail: what must be the same before and after a fetch."""
        with self.connected() as client:
            client.select(self.folder, readonly=True)
            _, said = client.uid("fetch", "1:*", "(FLAGS RFC822.SIZE)")
            return [re.sub(rb"\\Recent ?", b"", line) for line in said if isinstance(line, bytes)]
