"""Holding the outbox after a restore: what a backup has as queued may have been sent since it was made."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from activations.domain.ledger import Kind
from activations.domain.words import Ability, Actor, OutgoingState
from activations.models import OutgoingMail
from activations.services.booking import portal_book
from activations.services.results import BadInput, Refused, bad_reason, lacking

HELD = "Held after a restore: it may have been sent before. Send it again or leave it."


@dataclass(frozen=True)
class MailsHeld:
    """How many mails a person has to decide on; `sending` more will be unknown by themselves (`outbox.sweep`)."""

    held: int
    sending: int


def hold_mails(*, actor: Actor, source: str, reason: str) -> MailsHeld | Refused | BadInput:
    """Makes every queued mail unknown, so that none goes out before a person has said so; booked with their number."""
    problem = lacking(actor, [Ability.MANAGE_STAFF]) or bad_reason(reason)
    if problem:
        return problem
    with transaction.atomic(), portal_book(actor=actor, source=source, reason=reason) as book:
        queued = OutgoingMail.objects.filter(state=OutgoingState.QUEUED)
        held = queued.update(state=OutgoingState.UNKNOWN, problem=HELD)
        if held:
            book.add(Kind.MAILS_HELD, {"mails": held})
        sending = OutgoingMail.objects.filter(state=OutgoingState.SENDING).count()
    return MailsHeld(held, sending)
