"""Handing out what of a mail may hold a License Key or a deactivation code: with a reason, booked before it goes."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db import transaction

from activations.domain.ledger import Kind
from activations.domain.words import Ability, Actor
from activations.models import IncomingMail
from activations.services import vault
from activations.services.booking import portal_book
from activations.services.post.keeping import source_of
from activations.services.post.reading import look_again
from activations.services.results import BadInput, Refused, bad_reason, lacking

TAKERS = (Ability.SHOW_LICENSE_KEY, Ability.DECIDE_AS_LEAD)  # one of them is needed


@dataclass(frozen=True)
class Taken:
    data: bytes = field(repr=False)


def take(*, mail_pk: int, file: int, actor: Actor, source: str, reason: str) -> Taken | Refused | BadInput:
    """The mail byte for byte (`file` 0), or one of its files by number. Each time is an entry, as for a License Key;
    the entry names no file, since a name may be anything.
    """
    problem = (None if actor.abilities & set(TAKERS) else lacking(actor, TAKERS)) or bad_reason(reason)
    if problem:
        return problem
    mail = IncomingMail.objects.select_related("source", "conversation").get(pk=mail_pk)
    try:
        data = _bytes(mail, file)
    except vault.VaultError:
        return Refused(
            "mail-sealed",
            "The mail was erased, or does not open with the keys of this portal. Ask an administrator.",
        )
    if data is None:
        return BadInput("file-unknown", "This mail has no such file. Look at the mail again.")
    told = {"mail": mail.pk, "sha256": mail.source.sha256, "file": file}
    with transaction.atomic(), portal_book(actor=actor, source=source, reason=reason) as book:
        book.add(
            Kind.MAIL_TAKEN, {**told, "conversation": mail.conversation.token if mail.conversation is not None else ""}
        )
    return Taken(data)


def _bytes(mail: IncomingMail, file: int) -> bytes | None:
    if file == 0:
        return source_of(mail)
    files = look_again(mail).attachments
    return files[file - 1].data if 1 <= file <= len(files) else None
