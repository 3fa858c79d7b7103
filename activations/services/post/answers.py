"""Replies that answer no booking: a damaged text, an unknown key, a code that was booked before, and what a person
writes. They are drafts until the person who sends them says so; where a conversation is answered, they go out by mail.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from activations.domain.words import Actor
from activations.models import Conversation, OutgoingMail, Reply
from activations.services.post.outbox import Envelope, Letter, not_sendable, queue, queue_reply
from activations.services.post.unseen import bad_marks, only_seen
from activations.services.replies import Draft, keep, not_a_sender
from activations.services.results import BadInput, Refused, plain_lines
from activations.services.secret_text import NAMED, secret_in

LONGEST_LETTER = 20_000


def keep_sent(*, draft: Draft, actor: Actor, envelope: Envelope | None = None) -> Reply | Refused | BadInput:
    """Stores a draft that was sent although nothing was booked; with an envelope, it is the mail that sends it."""
    refused = not_a_sender(actor)
    if refused:
        return refused
    with transaction.atomic():
        problem = not_sendable(envelope, actor) if envelope else None
        if problem:
            return problem
        kept = keep(draft, actor=actor, at=timezone.now())
        if envelope:
            queue_reply(kept, envelope)
        return kept


def write_reply(*, token: str, body: str, actor: Actor, envelope: Envelope) -> OutgoingMail | Refused | BadInput:
    """A reply in a person's own words, into the thread. `token` is the form's: sent twice, it goes out once."""
    refused = not_a_sender(actor)
    if refused:
        return refused
    body = plain_lines(body).strip()
    unfit = _unfit(body)
    if unfit:
        return unfit
    with transaction.atomic():
        problem = not_sendable(envelope, actor)
        if problem:
            return problem
        conversation = Conversation.objects.get(pk=envelope.conversation_id)
        letter = Letter(
            key=f"written:{token}",
            subject=conversation.subject,
            body=f"{body}\n",
            license_pk=conversation.license_id,
        )
        return queue(letter, to=envelope.to_address, by=actor.name, conversation=conversation)


def _unfit(body: str) -> BadInput | None:
    if not body:
        return BadInput("letter-empty", "The reply is empty. Write what the customer should read.")
    if len(body) > LONGEST_LETTER:
        return BadInput("letter-too-long", f"The reply has {len(body)} letters; {LONGEST_LETTER} are sent. Shorten it.")
    held = secret_in(body) or secret_in(only_seen(body))
    if held:
        name = NAMED.get(held, "a License Key or a deactivation code")
        return BadInput(
            "letter-holds-secret", f"The reply holds {name}, which is secret and would be kept. Take it out."
        )
    return bad_marks(body, "The reply", "letter-unfit")
