"""EMAIL_URL: a mail server by SMTP, or a provider that takes mail through its own interface (django-anymail)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

SMTP = ("smtp", "smtp+tls", "smtps", "smtp+ssl")
ELSEWHERE = ("filemail", "consolemail", "memorymail", "dummymail")
# Only providers that keep our Message-ID are here: by it the customer's answer finds its conversation.
EXAMPLES = {
    "postmark": "postmark://SERVER-TOKEN@ or postmark://SERVER-TOKEN@MESSAGE-STREAM",
    "mailgun": "mailgun://SENDING-KEY@mg.example.com",
    "mailgun+eu": "mailgun+eu://SENDING-KEY@mg.example.com",
}
SMTP_EXAMPLE = "smtp+tls://USER:PASSWORD@mail.example.com:587"
_STREAM = re.compile(r"[a-z0-9][a-z0-9_-]{0,29}\Z")
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+\Z")


@dataclass(frozen=True)
class Provider:
    """The backend of Django, and what ANYMAIL holds for it."""

    backend: str
    settings: dict[str, str] = field(repr=False)


def parsed(url: str) -> Provider | None:
    """The provider that EMAIL_URL names; None for a mail server or a place on this machine, which django-environ reads.
    Raises ImproperlyConfigured for an address that is none, never with what is secret in it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ImproperlyConfigured(
            f"EMAIL_URL is not an address. Write it like {SMTP_EXAMPLE}, with percent signs for what is special in "
            "the password."
        ) from None
    if parts.scheme in SMTP:
        if not parts.hostname:
            raise ImproperlyConfigured(f"EMAIL_URL names no mail server. Write it like {SMTP_EXAMPLE}")
        return None
    if parts.scheme in ELSEWHERE:
        return None
    if parts.scheme not in EXAMPLES:
        known = ", ".join(f"{each}://" for each in (*SMTP, *EXAMPLES))
        raise ImproperlyConfigured(f"EMAIL_URL does not begin with one of {known}. Write it like {SMTP_EXAMPLE}")
    if not parts.username or parts.password or port or parts.path.strip("/") or parts.query or parts.fragment:
        raise _wrong(parts.scheme)
    return _postmark(parts) if parts.scheme == "postmark" else _mailgun(parts)


def _postmark(parts: SplitResult) -> Provider:
    stream = parts.hostname or ""
    if stream and not _STREAM.match(stream):
        raise _wrong(parts.scheme)
    more = {"POSTMARK_MESSAGE_STREAM": stream} if stream else {}
    return Provider(
        "anymail.backends.postmark.EmailBackend", {"POSTMARK_SERVER_TOKEN": unquote(parts.username or ""), **more}
    )


def _mailgun(parts: SplitResult) -> Provider:
    domain = parts.hostname or ""
    if not _DOMAIN.match(domain):
        raise _wrong(parts.scheme)
    place = "api.eu.mailgun.net" if parts.scheme == "mailgun+eu" else "api.mailgun.net"
    return Provider(
        "anymail.backends.mailgun.EmailBackend",
        {
            "MAILGUN_API_KEY": unquote(parts.username or ""),
            "MAILGUN_SENDER_DOMAIN": domain,
            "MAILGUN_API_URL": f"https://{place}/v3",
        },
    )


def _wrong(scheme: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"EMAIL_URL is not whole for {scheme}. Write it like {EXAMPLES[scheme]}, with percent signs for what is "
        "special in the key, and nothing behind it."
    )
