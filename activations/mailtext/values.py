"""What a mail to the support mailbox is, once it has been read. Values only; docs/mail.md, "How mails are read"."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class PartKind(StrEnum):
    """What an attachment is to support staff."""

    TEXT = "text"
    REQUEST = "request"  # a .txt or .req file, or another text with a block in it
    IMAGE = "image"
    MAIL = "mail"  # message/rfc822, or a file whose name ends in .eml
    ARCHIVE = "archive"
    OTHER = "other"


@dataclass(frozen=True)
class Address:
    """One mail address: `address` has its domain in lower case, and is "" if no mail can be sent to it."""

    name: str
    address: str


@dataclass(frozen=True)
class Attachment:
    """One attached file. `name` is a base name without control characters; `note` is a sentence for staff, or ""."""

    name: str
    media_type: str
    kind: PartKind
    data: bytes
    note: str


@dataclass(frozen=True)
class Check:
    """One result of a check of the sender that our own mail server made (RFC 8601): spf, dkim, dmarc, arc ..."""

    method: str
    result: str
    detail: str


@dataclass(frozen=True)
class Bounce:
    """What a delivery status notification says of one recipient (RFC 3464). `status` is like 5.1.1."""

    recipient: str
    action: str
    status: str
    diagnostic: str
    original_message_id: str


@dataclass(frozen=True)
class Mail:
    """One mail, read. Every text is plain text of bounded length, without control characters or bidi overrides.

    `message_id`, `in_reply_to`, `references`: without <>; "" or missing where the mail has none or no valid one.
    `references`: the oldest first, at most 50.
    `sent_at`: what the sender's clock said, always with a time zone; None if the mail does not say.
    `text`: what a person reads. `own_text`: the same without quoted earlier mails and signatures.
    `searchable`: every text in which a Usage Request, a deactivation code or a License ID may stand.
    `automatic`: made by a machine, or sent on by one; no machine may answer it.
    `by_person`: a person may have written it, although a mailing list or a ticket system sent it on.
    `checks`: only from an Authentication-Results header of a server that the caller trusts.
    `problems`: sentences for staff that say what could not be read, and what to do.
    """

    message_id: str
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    sender: Address
    reply_to: tuple[Address, ...]
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    subject: str
    sent_at: datetime | None
    text: str
    own_text: str
    searchable: tuple[str, ...]
    attachments: tuple[Attachment, ...]
    automatic: bool
    bounces: tuple[Bounce, ...]
    checks: tuple[Check, ...]
    problems: tuple[str, ...]
    by_person: bool = True
