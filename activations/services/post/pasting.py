"""A mail that somebody pastes: its whole source, or its words with who wrote them."""

from __future__ import annotations

import re
from email.message import EmailMessage
from email.policy import SMTP

from activations.domain.words import Actor
from activations.services.post.keeping import LARGEST, Kept, keep_mail
from activations.services.post.outbox import bad_address
from activations.services.replies import not_a_sender
from activations.services.results import BadInput, Refused

LONGEST_SUBJECT = 250
# The source of a mail begins with its header: lines of a name and a colon, From among them, before the first empty one.
_HEADER = re.compile(r"(?:[A-Za-z][A-Za-z0-9-]{0,70}:[^\n]*\n(?:[ \t][^\n]*\n)*)+(?=\n)")
_FROM = re.compile(r"^From:", re.IGNORECASE | re.MULTILINE)


def is_source(text: str) -> bool:
    """Whether the text is a mail as it travelled ("Show original"), and not only its words."""
    header = _HEADER.match(text.lstrip("\n").replace("\r\n", "\n"))
    return header is not None and _FROM.search(header[0]) is not None


def paste_mail(*, text: str, sender: str, subject: str, actor: Actor) -> Kept | Refused | BadInput:
    """Keeps what was pasted like a mail that was fetched; the same pasted again is the same mail. Of words alone,
    `sender` is who wrote them, as the agent says: no server vouches for it, and the inbox shows that.
    """
    refused = not_a_sender(actor)
    if refused:
        return refused
    if not text.strip():
        return BadInput("mail-empty", "Paste the mail: its text, or its source.")
    if len(text) > LARGEST // 4:
        return BadInput("mail-too-large", "This is more text than a mail should have. Paste what matters of it.")
    mailbox = f"pasted by {actor.name}"
    if is_source(text):
        return keep_mail(text.lstrip("\r\n").encode("utf-8", "replace"), mailbox=mailbox)
    problem = bad_address(sender.strip())
    if problem:
        return BadInput(
            problem.code, "Say which address this mail came from, as its From line has it: the reply goes there."
        )
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender.strip()
    # A line end in a subject would be a header of its own.
    mail["Subject"] = " ".join(subject.split())[:LONGEST_SUBJECT] or "(pasted without a subject)"
    mail.set_content(text.replace("\x00", "\ufffd"))
    return keep_mail(mail.as_bytes(), mailbox=mailbox)
