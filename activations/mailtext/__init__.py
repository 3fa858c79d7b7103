"""Reading mails to the support mailbox. Pure: bytes in, values out; no Django, no clock, no network, no settings."""

from activations.mailtext.marks import content_digest, conversation_token
from activations.mailtext.reading import read_mail
from activations.mailtext.values import Address, Attachment, Bounce, Check, Mail, PartKind

__all__ = [
    "Address", "Attachment", "Bounce", "Check", "Mail", "PartKind", "content_digest", "conversation_token", "read_mail",
]  # fmt: skip
