"""Keeping a mail before anything is read out of it: what a customer sent is never lost, and is on the desk once."""

from __future__ import annotations

import hashlib
import logging
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils import timezone

from activations.domain.words import Actor
from activations.mailtext.marks import content_digest
from activations.models import IncomingMail, Mailbox, MailSource
from activations.services import vault
from activations.services.replies import not_a_sender
from activations.services.results import BadInput, Refused

log = logging.getLogger(__name__)

USE = "mail"  # of the vault: a sealed mail cannot be put in the place of another kind of secret
LARGEST = 40_000_000  # bytes; mail servers take 25 MB of files, and base64 makes them a third larger


@dataclass(frozen=True)
class Kept:
    """The mail that is kept, and whether it is new: the same mail may come from two mailboxes, or twice from one."""

    mail: IncomingMail
    new: bool


def keep_mail(source: bytes, *, mailbox: str) -> Kept:
    """Stores a mail untouched. `mailbox` says where it came from. Reading it is another step: `reading.read_kept`."""
    digest = content_digest(source)
    known = IncomingMail.objects.filter(content_digest=digest).first()
    if known is not None:
        return Kept(known, new=False)
    try:
        with transaction.atomic():
            stored = MailSource.objects.create(
                sealed=vault.encrypt(zlib.compress(source), use=USE),
                size=len(source),
                sha256=hashlib.sha256(source).hexdigest(),
            )
            mail = IncomingMail.objects.create(
                content_digest=digest, source=stored, mailbox=mailbox[:200], fetched_at=timezone.now()
            )
    except IntegrityError:  # another process fetched it from another mailbox at the same moment
        return Kept(IncomingMail.objects.get(content_digest=digest), new=False)
    return Kept(mail, new=True)


def bring_mail(*, source: bytes, actor: Actor) -> Kept | Refused | BadInput:
    """A mail file that somebody brings to the desk, kept like one that was fetched."""
    refused = not_a_sender(actor)
    if refused:
        return refused
    if len(source) > LARGEST:
        return BadInput(
            "mail-too-large", f"This mail has more than {LARGEST // 1_000_000} MB. Bring what matters of it."
        )
    if not source.strip():
        return BadInput("mail-empty", "This file is empty. Save the mail in your mail program again and bring that.")
    return keep_mail(source, mailbox=f"brought by {actor.name}")


def keep_fetched(*, box: str, uid_validity: int, uid: int, source: bytes) -> Kept:
    """Stores a fetched mail and that the mailbox was fetched up to it, together or not at all: a crash before the
    commit fetches it again, a crash after it goes on with the next.
    """
    with transaction.atomic():
        position = Mailbox.objects.select_for_update().get(name=box)
        kept = keep_mail(source, mailbox=box)
        moved = position.last_uid if position.uid_validity == uid_validity else 0
        Mailbox.objects.filter(pk=position.pk).update(uid_validity=uid_validity, last_uid=max(moved, uid))
    return kept


def position_of(box: str, uid_validity: int, uid_next: int = 0) -> int:
    """The last UID that was fetched; 0 for a mailbox that is new, or was made anew (RFC 3501, 2.3.1.1).

    Some servers make a folder anew under the same UIDVALIDITY, mostly 1. The UID that the next mail will have
    (`uid_next`; 0: the server did not say) tells: none that was given away can come again. Without this, mails would be
    waited for that never come. What is fetched twice is known by its content.
    """
    position, _ = Mailbox.objects.get_or_create(name=box)
    if position.uid_validity != uid_validity:
        return 0
    if 0 < uid_next <= position.last_uid:
        log.warning("mailbox %s begins anew: its next UID is %d, fetched was %d", box, uid_next, position.last_uid)
        Mailbox.objects.filter(pk=position.pk, last_uid=position.last_uid).update(last_uid=0)
        return 0
    return position.last_uid


def longest_ago(boxes: Iterable[str]) -> list[str]:
    """The mailboxes in the order in which they are fetched: the one that was never tried, or longest ago, first."""
    names = list(boxes)
    rows = Mailbox.objects.filter(name__in=names, tried_at__isnull=False).order_by("tried_at", "pk")
    tried = list(rows.values_list("name", flat=True))
    return [name for name in names if name not in tried] + tried


def note_reached(box: str, problem: str = "") -> None:
    """How the last fetch of this mailbox went; `problem` is a sentence for staff, without secrets."""
    now = timezone.now()
    Mailbox.objects.get_or_create(name=box)
    said: dict[str, object] = {"tried_at": now, "problem": problem}
    if not problem:
        said["reached_at"] = now
    Mailbox.objects.filter(name=box).update(**said)


def source_of(mail: IncomingMail) -> bytes:
    """The mail, byte for byte as it came. Raises `vault.VaultError` where the key is not the one it was sealed with, or
    the mail was erased.
    """
    if not bytes(mail.source.sealed):
        raise vault.VaultError("This mail was erased for the sake of a person: its digest and its date are kept.")
    return zlib.decompress(vault.decrypt(bytes(mail.source.sealed), use=USE))
