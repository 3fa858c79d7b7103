"""Forgetting old mails: who wrote, what they wrote and the original; that a mail came, when, and what was found in it
stay. Run by hand or by cron: how long mails are kept is for the owner of the portal to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from activations.domain.ledger import PORTAL_CHAIN, Kind
from activations.domain.words import Actor, ConversationState, IncomingState, OutgoingState
from activations.models import IncomingMail, LedgerEntry, OutgoingMail
from activations.models.privacy import ERASED, PSEUDONYM_DOMAIN
from activations.services.booking import iso, portal_book
from activations.services.privacy.finding import Erase
from activations.services.privacy.person import pseudonym_of
from activations.services.privacy.pseudonymise import erase, not_allowed
from activations.services.results import BadInput, Refused, bad_reason

LEAST_DAYS = 30
AT_ONCE = 500  # mails of one transaction, which holds up whoever books to the portal's chain
_OVER = (OutgoingState.SENT, OutgoingState.DROPPED)


@dataclass(frozen=True)
class Forgotten:
    """How many mails; `entries` of the ledger that say so."""

    before: datetime
    incoming: int
    outgoing: int
    entries: int


def forget_mails(
    *, older_than: timedelta, actor: Actor, source: str, reason: str = "", dry_run: bool = False
) -> Forgotten | Refused | BadInput:
    """Erases the mails of conversations that are done and in which nothing came or went for so long, and the addresses
    of other mails that went out before. Some hundred at a time, each time booked.
    """
    problem = not_allowed(actor) or (None if dry_run else bad_reason(reason))
    if problem:
        return problem
    if older_than < timedelta(days=LEAST_DAYS):
        return BadInput(
            "too-young", f"Mails are kept for at least {LEAST_DAYS} days. Say --older-than 730d, for example."
        )
    before = timezone.now() - older_than
    incoming, outgoing = _incoming(before).count(), _outgoing(before).count()
    entries = 0
    while not dry_run and _forget_some(before, actor, source, reason):
        entries += 1
    return Forgotten(before, incoming, outgoing, entries)


def _incoming(before: datetime) -> Any:
    old = IncomingMail.objects.filter(fetched_at__lt=before, conversation__latest_at__lt=before)
    done = old.filter(conversation__state=ConversationState.DONE).exclude(state=IncomingState.STORED)
    return done.exclude(source__sealed=b"", text=ERASED)


def _outgoing(before: datetime) -> Any:
    old = OutgoingMail.objects.filter(queued_at__lt=before, state__in=_OVER)
    living = old.filter(conversation__isnull=False).exclude(
        conversation__state=ConversationState.DONE, conversation__latest_at__lt=before
    )
    return old.exclude(pk__in=living.values("pk")).exclude(to_address__endswith=f"@{PSEUDONYM_DOMAIN}")


def _forget_some(before: datetime, actor: Actor, source: str, reason: str) -> bool:
    with transaction.atomic():
        with portal_book(actor=actor, source=source, reason=reason) as book:
            incoming = list(_incoming(before).select_related("source").order_by("pk")[:AT_ONCE])
            outgoing = list(_outgoing(before).order_by("pk")[:AT_ONCE])
            if not incoming and not outgoing:
                return False
            sealed = [mail for mail in incoming if bytes(mail.source.sealed)]
            counts = {"mailsource": len(sealed), "outgoingmail": len(outgoing)}
            data = {
                "before": iso(before),
                "erased": {table: count for table, count in counts.items() if count},
                "rewritten": {"incomingmail": len(incoming)} if incoming else {},
            }
            book.add(Kind.MAILS_FORGOTTEN, data)
        seq = LedgerEntry.objects.filter(chain=PORTAL_CHAIN).order_by("-seq").values_list("seq", flat=True)[0]
        erase([Erase("mailsource", mail.source_id, "sealed") for mail in sealed], seq=seq)
        for mail in outgoing:
            erase([Erase("outgoingmail", mail.pk, "to_address")], seq=seq, pseudonym=_pseudonym(mail.to_address))
        for mail in incoming:
            IncomingMail.objects.filter(pk=mail.pk).update(**_of(mail))
    return True


def _of(mail: IncomingMail) -> dict[str, Any]:
    return {
        "from_name": "",
        "from_address": _pseudonym(mail.from_address),
        "reply_address": _pseudonym(mail.reply_address),
        "subject": ERASED,
        "text": ERASED,
        "own_text": ERASED,
        "attachments": [{**file, "name": f"file {number}"} for number, file in enumerate(mail.attachments, 1)],
        "checks": [],
    }


def _pseudonym(address: str) -> str:
    """The same that a pseudonymised contact of this address has."""
    if not address or address.endswith(f"@{PSEUDONYM_DOMAIN}"):
        return address
    return f"{pseudonym_of(address)}@{PSEUDONYM_DOMAIN}"
