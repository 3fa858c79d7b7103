"""The forms of a conversation: a second click sends nothing twice, and nothing else is taken for a second click."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from activations.models import ConversationNote, LedgerEntry, OutgoingMail, Reply
from activations.services.licenses import LicenseCreated
from activations.services.post.conversations import claim_conversation, release_conversation
from tests.mailroom.letters import CUSTOMER, letter
from tests.mailroom_web.post import arrived, conversation, known, opened, place
from tests.portal.cast import LEAD
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser, Page

pytestmark = pytest.mark.django_db
SignIn = Callable[[str], Browser]
USED = "because the form of that page had been used already"


@pytest.fixture
def damaged(license: LicenseCreated) -> str:
    lines = Chariot(license.license_key, host("pump-house")).request().splitlines()
    return "\n".join([*lines[:3], *lines[7:]])


def shown(browser: Browser) -> Page:
    return browser.get(place("inbox_conversation", conversation().pk))


def test_a_draft_that_could_not_go_out_may_be_sent_again(
    license: LicenseCreated, damaged: str, sign_in: SignIn
) -> None:
    agent = sign_in("agent")
    page = opened(agent, arrived(letter(damaged)))
    form, before = page.form(place("desk_keep_reply")), LedgerEntry.objects.count()
    claim_conversation(conversation_pk=conversation().pk, actor=LEAD, held_by="agent")
    assert "lead has claimed this conversation" in page.send(form, unknown=CUSTOMER).words
    release_conversation(conversation_pk=conversation().pk, actor=LEAD)
    assert f"The reply is queued for {CUSTOMER}." in page.send(form, unknown=CUSTOMER).words
    again = page.send(form, unknown=CUSTOMER)
    assert "This reply was kept already, by the click before." in again.words
    assert again.path == place("inbox_conversation", conversation().pk)
    assert OutgoingMail.objects.get().reply == Reply.objects.get()
    assert LedgerEntry.objects.count() == before


def test_a_draft_for_another_address_after_back_is_not_sent(
    license: LicenseCreated, damaged: str, sign_in: SignIn
) -> None:
    agent, address = sign_in("agent"), "other@acme-water.example"
    page = opened(agent, arrived(letter(damaged, Reply_To=address)))
    form = page.form(place("desk_keep_reply"))
    page.send(form, unknown=CUSTOMER)
    other = page.send(form, to=address, unknown=address)
    assert "Nothing was sent" in other.words
    assert USED in other.words
    assert "kept already" not in other.words
    assert OutgoingMail.objects.get().to_address == CUSTOMER
    assert Reply.objects.count() == 1
    again = other.form(place("desk_keep_reply"))
    assert again.fields["to"] == address
    assert f"The reply is queued for {address}." in other.send(again, unknown=address).words


def test_another_note_after_back_is_not_dropped(sign_in: SignIn) -> None:
    arrived(letter("Hello"))
    page = shown(sign_in("agent"))
    form = page.form(place("inbox_note", conversation().pk))
    page.send(form, note="Called them.")
    other = page.send(form, note="They called back.")
    assert USED in other.words
    assert [note.text for note in ConversationNote.objects.all()] == ["Called them."]
    again = other.form(form.action)
    assert again.fields["note"] == "They called back."
    assert "The note is kept." in other.send(again).words
    assert ConversationNote.objects.count() == 2


def test_another_reply_after_back_is_not_dropped(license: LicenseCreated, sign_in: SignIn) -> None:
    known(license.license_id)
    arrived(letter("Hello"))
    page = shown(sign_in("agent"))
    form = page.form(place("inbox_write", conversation().pk))
    page.send(form, body="Which pump?")
    other = page.send(form, body="Which valve?")
    assert USED in other.words
    assert "queued already" not in other.words
    assert [mail.body for mail in OutgoingMail.objects.all()] == ["Which pump?\n"]
    again = other.form(form.action)
    assert again.fields["body"] == "Which valve?"
    assert f"The reply is queued for {CUSTOMER}." in other.send(again).words


def test_a_reply_with_the_token_of_somebody_else_is_a_reply_of_its_own(
    license: LicenseCreated, sign_in: SignIn
) -> None:
    known(license.license_id)
    arrived(letter("Hello"))
    agent, lead = sign_in("agent"), sign_in("lead")
    page, theirs = shown(lead), shown(agent)
    token = theirs.form(place("inbox_write", conversation().pk)).fields["token"]
    theirs.send(theirs.form(place("inbox_write", conversation().pk)), body="Which pump?")
    page.send(page.form(place("inbox_write", conversation().pk)), body="Which valve?", token=token)
    written = OutgoingMail.objects.order_by("pk").values_list("queued_by", "body")
    assert list(written) == [("agent", "Which pump?\n"), ("lead", "Which valve?\n")]
