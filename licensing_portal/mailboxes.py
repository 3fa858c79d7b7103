"""The support mailboxes that the settings name, as addresses: imaps://user:password@host:993/Folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

PORTS = {"imaps": 993, "imap+tls": 143, "imap": 143}
EXAMPLE = "imaps://licensing%40example.com:password@mail.example.com/INBOX"


@dataclass(frozen=True)
class MailboxAddress:
    """One mailbox on an IMAP server. `security`: "imaps" (TLS from the start), "imap+tls" (STARTTLS), "imap" (none)."""

    security: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    folder: str

    @property
    def name(self) -> str:
        """What the mailbox is called on screens and in the log."""
        return f"{self.user}@{self.host}/{self.folder}" if "@" not in self.user else f"{self.user}/{self.folder}"


def parsed(urls: str, *, production: bool) -> list[MailboxAddress]:
    """The mailboxes of IMAP_URLS, separated by blanks or commas; raises ImproperlyConfigured, never with a password."""
    return [_one(url, number, production) for number, url in enumerate(urls.replace(",", " ").split(), 1)]


def _one(url: str, number: int, production: bool) -> MailboxAddress:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in PORTS or not parts.hostname or not parts.username or not parts.password:
        raise ImproperlyConfigured(
            f"Mailbox {number} of IMAP_URLS is not a whole address. Write it like {EXAMPLE}, with %40 for an @ in the "
            "name, and percent signs likewise for what else is special in the password."
        )
    if production and parts.scheme == "imap":
        raise ImproperlyConfigured(
            f"Mailbox {number} of IMAP_URLS would send its password unencrypted. Use imaps:// or imap+tls://."
        )
    return MailboxAddress(
        security=parts.scheme,
        host=parts.hostname,
        port=port or PORTS[parts.scheme],
        user=unquote(parts.username),
        password=unquote(parts.password),
        folder=unquote(parts.path.lstrip("/")) or "INBOX",
    )
