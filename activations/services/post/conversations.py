"""Who answers a conversation, and where it stands. Nothing here is booked: it is about our work, not a license."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models.functions import Lower
from django.utils import timezone

from activations.domain.words import Actor, ConversationState, Priority
from activations.models import Contact, Conversation, ConversationNote
from activations.services.intake import without_secrets
from activations.services.replies import not_a_sender
from activations.services.results import BadInput, Refused, bad_letters

LONGEST_NOTE = 4000


@dataclass(frozen=True)
class Changed:
    conversation: Conversation


def claim_conversation(*, conversation_pk: int, actor: Actor, held_by: str = "") -> Changed | Refused:
    """Takes a conversation that nobody has; or, named in `held_by`, from the colleague whom the person saw there. Of
    two who claim at once one gets it.
    """
    refused = not_a_sender(actor)
    if refused:
        return refused
    row = Conversation.objects.filter(pk=conversation_pk)
    if not row.filter(assigned_to=held_by).update(assigned_to=actor.name):
        holder = row.values_list("assigned_to", flat=True).first()
        if holder == actor.name:
            return Changed(row.get())
        said = f"{holder} has claimed it" if holder else "it was given back"
        return Refused("conversation-claimed", f"You were not the first: {said} in the meantime.", {"holder": holder})
    return Changed(row.get())


def release_conversation(*, conversation_pk: int, actor: Actor) -> Changed | Refused:
    """Gives one's own conversation back to all."""
    refused = not_a_sender(actor)
    if refused:
        return refused
    row = Conversation.objects.filter(pk=conversation_pk)
    if not row.filter(assigned_to=actor.name).update(assigned_to=""):
        return Refused("conversation-not-yours", "This conversation is not yours, so you cannot give it back.")
    return Changed(row.get())


def place_conversation(*, conversation_pk: int, state: str, actor: Actor) -> Changed | Refused | BadInput:
    """Moves a conversation by hand: done without an answer, waiting for the customer, or open again."""
    refused = not_a_sender(actor)
    if refused:
        return refused
    try:
        wanted = ConversationState(state)
    except ValueError:
        return BadInput("state-unknown", f"Choose one of: {', '.join(ConversationState)}.")
    row = Conversation.objects.filter(pk=conversation_pk)
    # Who holds it is asked by the change itself: a colleague may claim it in between.
    mine = row.filter(assigned_to__in=("", actor.name))
    if not mine.update(state=wanted, waits_since=timezone.now() if wanted is ConversationState.OPEN else None):
        return not_yours(conversation_pk, actor) or Refused(
            "conversation-changed", "A colleague gave this conversation back just now. Look again, then choose."
        )
    return Changed(row.get())


def rank_conversation(*, conversation_pk: int, priority: int, actor: Actor) -> Changed | Refused | BadInput:
    refused = not_a_sender(actor)
    if refused:
        return refused
    if priority not in list(Priority):
        return BadInput("priority-unknown", "Choose normal, high or urgent.")
    Conversation.objects.filter(pk=conversation_pk).update(priority=priority)
    return Changed(Conversation.objects.get(pk=conversation_pk))


def add_note(*, conversation_pk: int, text: str, actor: Actor) -> ConversationNote | Refused | BadInput:
    """A note for colleagues. Secrets in it are blacked out: notes are kept for good."""
    refused = not_a_sender(actor)
    if refused:
        return refused
    text = text.replace("\r\n", "\n").strip()
    if not text:
        return BadInput("note-empty", "The note is empty. Write what your colleagues should know.")
    if len(text) > LONGEST_NOTE:
        return BadInput("note-too-long", f"The note has {len(text)} letters; {LONGEST_NOTE} are kept. Shorten it.")
    unseen = bad_letters(text, "The note", "note-unfit", lines=True)
    if unseen:
        return unseen
    with transaction.atomic():
        return ConversationNote.objects.create(
            conversation_id=conversation_pk,
            text=without_secrets(text),
            written_at=timezone.now(),
            written_by=actor.name,
        )


def not_yours(conversation_pk: int, actor: Actor) -> Refused | None:
    """Why this person may not answer the conversation now: a colleague has claimed it."""
    holder = Conversation.objects.filter(pk=conversation_pk).values_list("assigned_to", flat=True).first()
    if holder and holder != actor.name:
        return Refused(
            "conversation-claimed",
            f"{holder} has claimed this conversation. Ask them, or take it over on its page, before you answer.",
            {"holder": holder},
        )
    return None


def address_warnings(addresses: Iterable[str], customer_pk: int | None) -> dict[str, str]:
    """What speaks against sending to each of the addresses: it is no contact of the customer whose license it is about.
    Those against which nothing speaks are not there.
    """
    wanted = {address for address in addresses if address}
    if customer_pk is None:
        nobody = "No customer is known for this conversation; nothing proves who wrote."
        return dict.fromkeys(wanted, nobody)
    rows = Contact.objects.annotate(lower=Lower("email")).filter(lower__in={address.lower() for address in wanted})
    known: dict[str, dict[int, str]] = {}
    for email, customer, name in rows.order_by("pk").values_list("lower", "customer_id", "customer__name"):
        known.setdefault(email, {})[customer] = name
    return {
        address: _speaks_against(address, known.get(address.lower(), {}))
        for address in wanted
        if customer_pk not in known.get(address.lower(), {})
    }


def _speaks_against(address: str, others: dict[int, str]) -> str:
    for name in others.values():
        return f"{address} is a contact of another customer: {name}."
    return f"{address} is not a contact of this customer. An address can be forged: ask a known contact if in doubt."
