"""Mails of ours that did not go, and what is answered without a person."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from activations.domain.words import OutgoingState
from activations.models import AutomaticAnswer, Customer, LedgerEntry, OutgoingMail
from activations.services.post.answers import write_reply
from activations.services.post.conversations import claim_conversation
from activations.services.post.outbox import Envelope
from tests.mailroom.letters import CUSTOMER, letter
from tests.mailroom_web.post import arrived, conversation, place
from tests.portal.cast import AGENT, LEAD
from tests.portal.web import Browser, Page

pytestmark = pytest.mark.django_db
SignIn = Callable[[str], Browser]


@pytest.fixture
def unknown(db: None) -> OutgoingMail:
    """A mail of which nobody knows whether it went."""
    arrived(letter("Hello"))
    sent = write_reply(token="t" * 20, body="Hello", actor=AGENT, envelope=Envelope(conversation().pk, CUSTOMER))
    assert isinstance(sent, OutgoingMail)
    OutgoingMail.objects.filter(pk=sent.pk).update(state=OutgoingState.UNKNOWN, problem="The connection broke.")
    return sent


def shown(browser: Browser, mail: OutgoingMail) -> Page:
    return browser.get(place("activations_outgoingmail_change", mail.pk))


def test_the_list_and_the_page_say_how_it_stands(unknown: OutgoingMail, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    assert CUSTOMER in agent.get(place("activations_outgoingmail_changelist") + "?state__exact=unknown").words
    assert CUSTOMER not in agent.get(place("activations_outgoingmail_changelist") + "?state__exact=sent").words
    page = shown(agent, unknown)
    assert "Nobody knows whether the mail server took it" in page.words
    assert "The connection broke." in page.words


@pytest.mark.parametrize(("do", "state"), [("sent", OutgoingState.SENT), ("drop", OutgoingState.DROPPED)])
def test_a_person_decides(unknown: OutgoingMail, sign_in: SignIn, do: str, state: str) -> None:
    agent = sign_in("agent")
    page = shown(agent, unknown)
    page.send(page.form(place("outbox_decide", unknown.pk)), do=do)
    unknown.refresh_from_db()
    assert (unknown.state, unknown.settled_by) == (state, "agent")
    page = page.send(page.form(place("outbox_decide", unknown.pk)), do=do)
    assert "before you did" in page.words


def test_sending_again_needs_the_tick_and_goes_once(unknown: OutgoingMail, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    page = shown(agent, unknown)
    form = next(form for form in page.forms if "shown" in form.fields)
    assert "Tick the box" in page.send(form).words
    for _ in range(2):
        page.send(form, unknown=CUSTOMER)
    again = OutgoingMail.objects.get(again=unknown)
    assert (again.to_address, again.state) == (CUSTOMER, OutgoingState.QUEUED)
    unknown.refresh_from_db()
    assert unknown.state == OutgoingState.DROPPED


def test_what_a_colleague_holds_is_not_sent_again(unknown: OutgoingMail, sign_in: SignIn) -> None:
    claim_conversation(conversation_pk=conversation().pk, actor=LEAD)
    page = shown(sign_in("agent"), unknown)
    form = next(form for form in page.forms if "shown" in form.fields)
    assert "lead has claimed this conversation" in page.send(form, unknown=CUSTOMER).words
    assert OutgoingMail.objects.count() == 1


def test_the_auditor_only_reads(unknown: OutgoingMail, sign_in: SignIn) -> None:
    auditor = sign_in("auditor")
    page = shown(auditor, unknown)
    assert "Hello" in page.words
    assert [form for form in page.forms if form.action == place("outbox_decide", unknown.pk)] == []
    assert auditor.client.post(place("outbox_decide", unknown.pk), {"do": "sent"}).status_code == 403


def test_automatic_answers_are_allowed_by_a_license_manager(sign_in: SignIn, db: None) -> None:
    acme = Customer.objects.create(name="Acme Water")
    manager, here = sign_in("manager"), place("automatic_answers")
    before = LedgerEntry.objects.count()
    page = manager.get(here)
    form = next(form for form in page.forms if form.fields.get("outcome") == "re-sent")
    page = manager.post(here, {**form.fields, "allowed": "yes"})
    row = AutomaticAnswer.objects.get()
    assert (row.outcome, row.customer, row.allowed, row.changed_by) == ("re-sent", None, True, "manager")
    assert "by manager" in page.words
    page = manager.post(here, {**form.fields, "allowed": "yes"})
    assert "nothing was booked" in page.words
    one = next(form for form in page.forms if "customer_due" in form.fields)
    page = manager.post(here, {**one.fields, "outcome": "damaged", "customer_name": "Nobody", "allowed": "yes"})
    assert "no customer of this name" in page.words
    manager.post(here, {**one.fields, "outcome": "re-sent", "customer_name": acme.name, "allowed": "no"})
    assert not AutomaticAnswer.objects.get(customer=acme).allowed
    manager.post(here, {**form.fields, "customer_name": acme.name, "allowed": "as-all"})
    assert not AutomaticAnswer.objects.filter(customer=acme).exists()
    kinds = LedgerEntry.objects.order_by("pk").values_list("kind", flat=True)[before:]
    assert list(kinds) == ["automatic_answer.changed"] * 3


def test_others_read_what_is_automatic(sign_in: SignIn, db: None) -> None:
    auditor, here = sign_in("auditor"), place("automatic_answers")
    page = auditor.get(here)
    assert "As it is set" in page.words
    assert [form for form in page.forms if "outcome" in form.fields] == []
    auditor.client.post(here, {"outcome": "re-sent", "allowed": "yes"})
    assert not AutomaticAnswer.objects.exists()
    assert sign_in("agent").client.get(here).status_code == 403
