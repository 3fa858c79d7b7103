"""Whose conversation it is, and what speaks against an address."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, connections
from django.utils import timezone

from activations.domain.words import ConversationState, Priority
from activations.models import Contact, Conversation, ConversationNote, Customer, LedgerEntry
from activations.services.post import conversations
from activations.services.post.conversations import Changed, claim_conversation, release_conversation
from activations.services.post.threads import begin_conversation
from activations.services.results import BadInput, Refused
from tests.portal.cast import AGENT, AUDITOR, LEAD, MANAGER

pytestmark = pytest.mark.django_db


@pytest.fixture
def conversation() -> Conversation:
    return begin_conversation("Activation", timezone.now())


def test_the_first_claim_holds(conversation: Conversation) -> None:
    assert isinstance(claim_conversation(conversation_pk=conversation.pk, actor=AGENT), Changed)
    refused = claim_conversation(conversation_pk=conversation.pk, actor=LEAD)
    assert isinstance(refused, Refused)
    assert refused.detail == {"holder": "agent"}
    assert isinstance(claim_conversation(conversation_pk=conversation.pk, actor=AGENT), Changed)  # a second click
    taken = claim_conversation(conversation_pk=conversation.pk, actor=LEAD, held_by="agent")
    assert isinstance(taken, Changed)
    assert taken.conversation.assigned_to == "lead"
    late = claim_conversation(conversation_pk=conversation.pk, actor=MANAGER, held_by="agent")
    assert isinstance(late, Refused)
    assert not LedgerEntry.objects.filter(source__contains="conversation").exists()


def test_only_its_holder_gives_it_back(conversation: Conversation) -> None:
    claim_conversation(conversation_pk=conversation.pk, actor=AGENT)
    assert isinstance(release_conversation(conversation_pk=conversation.pk, actor=LEAD), Refused)
    back = release_conversation(conversation_pk=conversation.pk, actor=AGENT)
    assert isinstance(back, Changed)
    assert back.conversation.assigned_to == ""


@pytest.mark.django_db(transaction=True)
def test_two_who_claim_at_once_are_told_apart() -> None:
    conversation = begin_conversation("Activation", timezone.now())
    results: dict[str, object] = {}
    start = threading.Barrier(2)

    def claim(actor: object) -> None:
        start.wait()
        results[actor.name] = claim_conversation(conversation_pk=conversation.pk, actor=actor)  # type: ignore[attr-defined, arg-type]
        connections.close_all()

    threads = [threading.Thread(target=claim, args=[actor]) for actor in (AGENT, LEAD)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    connection.close()
    assert sorted(type(result).__name__ for result in results.values()) == ["Changed", "Refused"]
    winner = next(name for name, result in results.items() if isinstance(result, Changed))
    assert Conversation.objects.get().assigned_to == winner


def test_auditors_change_nothing(conversation: Conversation) -> None:
    for attempt in (
        claim_conversation(conversation_pk=conversation.pk, actor=AUDITOR),
        release_conversation(conversation_pk=conversation.pk, actor=AUDITOR),
        conversations.place_conversation(conversation_pk=conversation.pk, state="done", actor=AUDITOR),
        conversations.rank_conversation(conversation_pk=conversation.pk, priority=2, actor=AUDITOR),
        conversations.add_note(conversation_pk=conversation.pk, text="I was here", actor=AUDITOR),
    ):
        assert isinstance(attempt, Refused)
        assert attempt.code == "not-allowed"
    assert not ConversationNote.objects.exists()


def test_place_and_priority(conversation: Conversation) -> None:
    done = conversations.place_conversation(conversation_pk=conversation.pk, state="done", actor=AGENT)
    assert isinstance(done, Changed)
    assert (done.conversation.state, done.conversation.waits_since) == (ConversationState.DONE, None)
    again = conversations.place_conversation(conversation_pk=conversation.pk, state="open", actor=AGENT)
    assert isinstance(again, Changed)
    assert again.conversation.waits_since is not None
    claim_conversation(conversation_pk=conversation.pk, actor=LEAD)
    assert isinstance(
        conversations.place_conversation(conversation_pk=conversation.pk, state="done", actor=AGENT), Refused
    )
    assert isinstance(
        conversations.place_conversation(conversation_pk=conversation.pk, state="lost", actor=LEAD), BadInput
    )
    ranked = conversations.rank_conversation(conversation_pk=conversation.pk, priority=2, actor=AGENT)
    assert isinstance(ranked, Changed)
    assert ranked.conversation.priority == Priority.URGENT
    assert isinstance(
        conversations.rank_conversation(conversation_pk=conversation.pk, priority=9, actor=AGENT), BadInput
    )


def test_notes(conversation: Conversation) -> None:
    note = conversations.add_note(conversation_pk=conversation.pk, text="  Called them.\r\nWait.  ", actor=AGENT)
    assert isinstance(note, ConversationNote)
    assert (note.text, note.written_by) == ("Called them.\nWait.", "agent")
    for text in ("", " \n ", "x" * 4001, "left\u202eright"):
        assert isinstance(conversations.add_note(conversation_pk=conversation.pk, text=text, actor=AGENT), BadInput), (
            text[:20]
        )


def test_what_speaks_against_an_address(db: None) -> None:
    acme, mill = Customer.objects.create(name="Acme Water"), Customer.objects.create(name="Northern Paper Mill")
    Contact.objects.create(customer=acme, email="Ada@acme-water.example")
    Contact.objects.create(customer=mill, email="buyer@mill.example")
    addresses = ["ada@ACME-water.example", "buyer@mill.example", "eve@evil.example", ""]
    warned = conversations.address_warnings(addresses, acme.pk)
    assert set(warned) == {"buyer@mill.example", "eve@evil.example"}
    assert "another customer: Northern Paper Mill" in warned["buyer@mill.example"]
    assert "not a contact of this customer" in warned["eve@evil.example"]
    assert "No customer is known" in conversations.address_warnings(addresses, None)["ada@ACME-water.example"]
