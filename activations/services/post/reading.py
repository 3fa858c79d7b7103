"""Reading a kept mail: what it says, which conversation it belongs to, and what the desk can do with it.

Two steps, each whole or absent: the mail joins a conversation, then its findings are worked out by dry runs. A
process that dies in between leaves a mail that `unread` names again.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from activations.domain.words import IncomingState
from activations.mailtext.reading import read_mail
from activations.mailtext.values import Address, Attachment, Mail
from activations.models import IncomingMail
from activations.services.intake import without_secrets
from activations.services.post.findings import find_in
from activations.services.post.keeping import source_of
from activations.services.post.threads import join

log = logging.getLogger(__name__)

MOST_READINGS = 3  # a mail that ends its reader each time is left to a person
REST = timedelta(minutes=10)  # a mail that another process is reading is not taken from it
UNREADABLE = (
    "Reading this mail failed each time it was tried. Open the original; if a Usage Request is in it, paste it on the "
    "desk."
)


def unread() -> QuerySet[IncomingMail]:
    """Mails that are stored and not read, oldest first."""
    tired = Q(readings__gt=0, begun_at__gt=timezone.now() - REST)
    return IncomingMail.objects.filter(state=IncomingState.STORED).exclude(tired).order_by("id")


def read_kept(mail_pk: int) -> IncomingMail | None:
    """Reads one stored mail; None if it was read already, or another process is at it."""
    begun = unread().filter(pk=mail_pk).update(readings=F("readings") + 1, begun_at=timezone.now())
    if not begun:
        return None
    mail = IncomingMail.objects.select_related("source").get(pk=mail_pk)
    if mail.readings > MOST_READINGS:
        return _give_up(mail)
    source = source_of(mail)
    read = read_mail(source, trusted_servers=frozenset(settings.TRUSTED_MAIL_SERVERS))
    found = find_in(read)
    with transaction.atomic():
        mail.conversation = join(mail, read, found)
        _write(mail, read)
        found.write(mail)
    return mail


def look_again(mail: IncomingMail) -> Mail:
    """The kept mail as values, for a page that shows or opens it; its secrets are in it."""
    return read_mail(source_of(mail), trusted_servers=frozenset(settings.TRUSTED_MAIL_SERVERS))


def _give_up(mail: IncomingMail) -> IncomingMail:
    log.error("mail %s could not be read %d times", mail.pk, MOST_READINGS)
    nobody = Address("", "")
    blank = Mail(
        message_id="", in_reply_to=(), references=(), sender=nobody, reply_to=(), to=(), cc=(), subject="",
        sent_at=None, text="", own_text="", searchable=(), attachments=(), automatic=True, bounces=(), checks=(),
        problems=(UNREADABLE,),
    )  # fmt: skip
    with transaction.atomic():
        mail.conversation = join(mail, blank, find_in(blank))
        _write(mail, blank, state=IncomingState.UNREADABLE)
    return mail


def _write(mail: IncomingMail, read: Mail, state: IncomingState = IncomingState.READ) -> None:
    mail.state = state
    mail.message_id = read.message_id
    mail.in_reply_to = read.in_reply_to[0] if read.in_reply_to else ""
    mail.from_name, mail.from_address = without_secrets(read.sender.name)[:200], read.sender.address[:254]
    mail.reply_address = reply_address(read)
    mail.subject = without_secrets(read.subject)[:300]
    mail.sent_at = read.sent_at
    mail.text, mail.own_text = without_secrets(read.text), without_secrets(read.own_text)
    mail.automatic = read.automatic
    mail.checks = [{"method": c.method, "result": c.result, "detail": c.detail} for c in read.checks]
    mail.attachments = [_told(each) for each in read.attachments]
    mail.problems = list(read.problems)
    mail.save()


def _told(part: Attachment) -> dict[str, object]:
    name = without_secrets(part.name)
    return {"name": name, "type": part.media_type, "size": len(part.data), "kind": part.kind.value, "note": part.note}


def reply_address(read: Mail) -> str:
    """Where an answer goes by the mail's Reply-To, if that is another address than its sender's."""
    wanted = [each.address for each in read.reply_to if each.address]
    return wanted[0][:254] if wanted and wanted[0].lower() != read.sender.address.lower() else ""
