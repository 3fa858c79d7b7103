"""From a finding to the booked and queued answer: the dry run, the address, and what stops it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.sessions.models import Session

from activations.domain.words import ConversationState, OutgoingState
from activations.models import IntakeEntry, LedgerEntry, OutgoingMail, Reply
from activations.services.deactivate import Deactivated, deactivate_activation
from activations.services.licenses import LicenseCreated
from activations.services.post.conversations import claim_conversation, release_conversation
from tests.mailroom.letters import CUSTOMER, letter
from tests.mailroom_web.post import arrived, conversation, known, opened, place
from tests.portal.cast import AGENT, LEAD, SOURCE, answered, entries, length
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser, Form, Page

pytestmark = pytest.mark.django_db
SignIn = Callable[[str], Browser]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def chariot(license: LicenseCreated) -> Chariot:
    return Chariot(license.license_key, host("pump-house"))


def test_open_confirm_and_the_mail_is_queued(license: LicenseCreated, chariot: Chariot, sign_in: SignIn) -> None:
    known(license.license_id)
    mail = arrived(letter(f"Please:\n\n{chariot.request()}\n"))
    agent, before = sign_in("agent"), length(license.license_id)
    page = opened(agent, mail)
    assert page.path == place("inbox_finding", mail.findings.get().pk)
    assert conversation().assigned_to == "agent"  # opened and claimed in one
    assert "New activation" in page.words
    assert "Reply goes to" in page.words
    form = page.form(place("desk_confirm"))
    assert (form.fields["to"], form.fields["conversation"]) == (CUSTOMER, str(conversation().pk))
    done = agent.confirm(page)
    sent = OutgoingMail.objects.get()
    assert (sent.to_address, sent.state, sent.conversation) == (CUSTOMER, OutgoingState.QUEUED, conversation())
    assert f"The reply is queued for {CUSTOMER}." in done.words
    assert place("inbox_conversation", conversation().pk) in done.html
    assert conversation().state == ConversationState.WAITING
    assert [(actor, kind) for _, actor, kind, _ in entries(license.license_id, after=before)] == [
        ("agent", "request.received"),
        ("agent", "activation.created"),
        ("agent", "usage_license.issued"),
    ]
    again = agent.confirm(page)
    assert "booked already" in again.words
    assert OutgoingMail.objects.count() == 1
    words = agent.get(place("inbox_conversation", conversation().pk)).words
    assert f"We to {CUSTOMER}" in words


def test_a_second_request_in_the_mail_is_not_forgotten(
    license: LicenseCreated, chariot: Chariot, sign_in: SignIn
) -> None:
    known(license.license_id)
    other = Chariot(license.license_key, host("filter-hall"))
    mail = arrived(letter(f"{chariot.request()}\n\nand\n\n{other.request()}\n"))
    agent = sign_in("agent")
    first = agent.confirm(opened(agent, mail))
    assert "1 more Usage Request in this conversation is not booked yet" in first.words
    second = agent.confirm(opened(agent, mail, 1))
    assert "not booked yet" not in second.words
    assert OutgoingMail.objects.count() == 2


def test_a_claim_in_between_books_nothing(license: LicenseCreated, chariot: Chariot, sign_in: SignIn) -> None:
    known(license.license_id)
    mail = arrived(letter(chariot.request()))
    agent = sign_in("agent")
    page = opened(agent, mail)
    claim_conversation(conversation_pk=conversation().pk, actor=LEAD, held_by="agent")
    before = LedgerEntry.objects.count()
    refused = agent.confirm(page)
    assert "lead has claimed this conversation, so nothing was booked or sent" in refused.words
    assert (LedgerEntry.objects.count(), OutgoingMail.objects.count()) == (before, 0)
    release_conversation(conversation_pk=conversation().pk, actor=LEAD)
    assert "is queued for" in agent.confirm(refused).words


def test_what_a_colleague_holds_is_not_claimed_by_opening_it(chariot: Chariot, sign_in: SignIn) -> None:
    mail = arrived(letter(chariot.request()))
    claim_conversation(conversation_pk=conversation().pk, actor=LEAD)
    page = opened(sign_in("agent"), mail)
    assert conversation().assigned_to == "lead"
    assert "lead has claimed this conversation" in page.words


def test_an_unknown_address_needs_its_tick(license: LicenseCreated, chariot: Chariot, sign_in: SignIn) -> None:
    known(license.license_id, "buyer@acme-water.example")
    mail = arrived(letter(chariot.request(), sender="eve@evil.example", Reply_To="other@evil.example"))
    agent, before = sign_in("agent"), LedgerEntry.objects.count()
    page = opened(agent, mail)
    offered = [value for value, _ in page.form(place("desk_confirm")).choices["to"]]
    assert offered == ["eve@evil.example", "other@evil.example", "buyer@acme-water.example"]
    assert "not its sender" in page.words
    for wrong in ({}, {"unknown": "eve@evil.example", "to": "other@evil.example"}, {"to": "nobody@else.example"}):
        refused = agent.confirm(page, **wrong)
        assert "nothing was booked or sent" in refused.words, wrong
        assert (LedgerEntry.objects.count(), OutgoingMail.objects.count()) == (before, 0)
    agent.confirm(page, unknown="eve@evil.example")
    assert OutgoingMail.objects.get().to_address == "eve@evil.example"


def test_a_contact_may_be_chosen_in_place_of_the_stranger(
    license: LicenseCreated, chariot: Chariot, sign_in: SignIn
) -> None:
    known(license.license_id, "buyer@acme-water.example")
    mail = arrived(letter(chariot.request(), sender="eve@evil.example"))
    agent = sign_in("agent")
    agent.confirm(opened(agent, mail), to="buyer@acme-water.example")
    assert OutgoingMail.objects.get().to_address == "buyer@acme-water.example"


def test_a_refusal_is_mailed_too(license: LicenseCreated, chariot: Chariot, sign_in: SignIn) -> None:
    known(license.license_id)
    mail = arrived(letter(chariot.request()))
    agent = sign_in("agent")
    page = opened(agent, mail)
    form = next(form for form in page.forms if form.fields.get("choice") == "refuse")
    page.send(form, reason="Not paid")
    sent = OutgoingMail.objects.get()
    assert (sent.to_address, sent.attachment) == (CUSTOMER, "")


def test_a_code_is_read_out_of_the_original(license: LicenseCreated, chariot: Chariot, sign_in: SignIn) -> None:
    known(license.license_id)
    chariot.install(answered(chariot.request()))
    code = chariot.deactivate()
    mail = arrived(letter(f"{license.license_id}\n{code}\n"))
    assert code not in mail.text
    agent = sign_in("agent")
    assert code not in agent.get(place("inbox_conversation", mail.conversation_id)).html
    page = opened(agent, mail)
    assert "Frees a seat" in page.words
    done = page.send(page.form(place("desk_deactivate")))
    assert f"The reply is queued for {CUSTOMER}." in done.words
    sent = OutgoingMail.objects.get()
    assert code not in sent.body
    page.send(page.form(place("desk_deactivate")))
    assert OutgoingMail.objects.count() == 1


def test_a_code_that_was_booked_before_is_a_draft_that_somebody_sends(
    license: LicenseCreated, chariot: Chariot, sign_in: SignIn
) -> None:
    chariot.install(answered(chariot.request()))
    code = chariot.deactivate()
    freed = deactivate_activation(license_id=license.license_id, code=code, actor=AGENT, source=SOURCE)
    assert isinstance(freed, Deactivated)
    known(license.license_id)
    mail = arrived(letter(f"{license.license_id}\n{code}\n"))
    page = opened(sign_in("agent"), mail)
    assert "Booked before" in page.words
    draft = page.send(page.form(place("desk_deactivate")))
    assert "Nothing was sent yet." in draft.words
    form = draft.form(place("desk_keep_reply"))
    assert form.fields["to"] == CUSTOMER
    before = LedgerEntry.objects.count()
    for _ in range(2):
        page = draft.send(form)
    assert f"We to {CUSTOMER}" in page.words or "kept already" in page.words
    assert OutgoingMail.objects.get().body == Reply.objects.get().body
    assert LedgerEntry.objects.count() == before


def test_a_code_without_license_id_is_tried_on_the_conversations_license(
    license: LicenseCreated, chariot: Chariot, sign_in: SignIn
) -> None:
    known(license.license_id)
    first = arrived(letter(chariot.request(), message_id="a@acme-water.example"))
    agent = sign_in("agent")
    agent.confirm(opened(agent, first))
    chariot.install(answered(chariot.request()))
    mail = arrived(letter(chariot.deactivate(), answers="a@acme-water.example"))
    assert mail.conversation_id == first.conversation_id
    assert "Frees a seat" in opened(agent, mail).words


def test_a_claim_in_between_frees_no_seat(license: LicenseCreated, chariot: Chariot, sign_in: SignIn) -> None:
    known(license.license_id)
    chariot.install(answered(chariot.request()))
    mail = arrived(letter(f"{license.license_id}\n{chariot.deactivate()}\n"))
    agent = sign_in("agent")
    page = opened(agent, mail)
    claim_conversation(conversation_pk=conversation().pk, actor=LEAD, held_by="agent")
    before = LedgerEntry.objects.count()
    refused = page.send(page.form(place("desk_deactivate")))
    assert "lead has claimed this conversation" in refused.words
    assert (LedgerEntry.objects.count(), OutgoingMail.objects.count()) == (before, 0)


def test_a_damaged_request_leads_to_the_draft(license: LicenseCreated, chariot: Chariot, sign_in: SignIn) -> None:
    lines = chariot.request().splitlines()
    mail = arrived(letter("\n".join([*lines[:3], *lines[7:]])))
    agent = sign_in("agent")
    page = opened(agent, mail)
    form = page.form(place("desk_keep_reply"))
    refused = page.send(form)
    assert "Tick the box" in refused.words
    assert not OutgoingMail.objects.exists()
    done = refused.send(refused.form(place("desk_keep_reply")), unknown=CUSTOMER)
    assert f"The reply is queued for {CUSTOMER}." in done.words
    assert OutgoingMail.objects.get().reply == Reply.objects.get()
    refused.send(refused.form(place("desk_keep_reply")), unknown=CUSTOMER)
    assert OutgoingMail.objects.count() == 1


def test_without_a_conversation_nothing_is_mailed(license: LicenseCreated, chariot: Chariot, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    page = agent.paste(chariot.request())
    assert "Reply goes to" not in page.words
    assert "Usage License issued" in agent.confirm(page).words
    assert not OutgoingMail.objects.exists()
    page = agent.paste(chariot.request())
    refused = agent.confirm(page, conversation="999")
    assert "There is no such conversation" in refused.words


def test_a_license_manager_opens_no_request(chariot: Chariot, sign_in: SignIn) -> None:
    mail = arrived(letter(chariot.request()))
    manager = sign_in("manager")
    finding = mail.findings.get().pk
    assert place("inbox_open", finding) not in manager.get(place("inbox_conversation", mail.conversation_id)).html
    assert manager.client.get(place("inbox_finding", finding)).status_code == 403


def test_a_request_with_a_key_that_is_not_ours_leads_to_the_draft_and_books_nothing(
    signing_keys: None, sign_in: SignIn
) -> None:
    text = (ROOT / "tests/mails/plain.eml").read_bytes()
    mail = arrived(text)
    agent = sign_in("agent")
    before = LedgerEntry.objects.count()
    page = opened(agent, mail)
    assert "Nothing was booked; the mail is kept as it came." in page.words
    assert not IntakeEntry.objects.exists()
    address = mail.from_address
    done = page.send(page.form(place("desk_keep_reply")), unknown=address)
    assert f"The reply is queued for {address}." in done.words
    assert LedgerEntry.objects.count() == before


def after_signing_in(agent: Browser, form: Form, **typed: str) -> Page:
    """The button of a form, pressed when the session has ended, then the sign-in: what was posted is gone."""
    Session.objects.all().delete()
    answer = agent.client.post(form.action, {**form.fields, **typed})
    assert answer.status_code == 302
    address = urlsplit(answer.headers["Location"])
    assert address.path == place("login")
    agent.client.force_login(agent.user)
    return agent.get(parse_qs(address.query)["next"][0])


def test_a_session_that_ends_at_confirm_ends_at_the_same_dry_run(
    license: LicenseCreated, chariot: Chariot, sign_in: SignIn
) -> None:
    known(license.license_id)
    mail = arrived(letter(f"Please:\n\n{chariot.request()}\n"))
    agent = sign_in("agent")
    first = opened(agent, mail)
    before = LedgerEntry.objects.count()
    page = after_signing_in(agent, first.form(place("desk_confirm")), book="")
    assert page.path == place("inbox_finding", mail.findings.get().pk)
    assert "New activation" in page.words
    form = page.form(place("desk_confirm"))
    assert (form.fields["to"], form.fields["conversation"]) == (CUSTOMER, str(conversation().pk))
    assert (LedgerEntry.objects.count(), OutgoingMail.objects.count()) == (before, 0)
    # Once more from a page that came back by the form itself, which knows the finding by its address alone.
    refused = agent.confirm(page, to="nobody@else.example")
    assert "nothing was booked or sent" in refused.words
    page = after_signing_in(agent, refused.form(place("desk_confirm")), book="")
    assert page.path == place("inbox_finding", mail.findings.get().pk)
    assert f"The reply is queued for {CUSTOMER}." in agent.confirm(page).words
    assert OutgoingMail.objects.get().conversation == conversation()


def test_a_session_that_ends_at_a_code_or_a_draft_ends_at_the_same_finding(
    license: LicenseCreated, chariot: Chariot, sign_in: SignIn
) -> None:
    known(license.license_id)
    chariot.install(answered(chariot.request()))
    mail = arrived(letter(f"{license.license_id}\n{chariot.deactivate()}\n", subject="A code"))
    agent = sign_in("agent")
    page = after_signing_in(agent, opened(agent, mail).form(place("desk_deactivate")))
    assert "Frees a seat" in page.words
    assert page.form(place("desk_deactivate")).fields["conversation"] == str(mail.conversation_id)
    lines = chariot.request().splitlines()
    damaged = arrived(letter("\n".join([*lines[:3], *lines[7:]]), subject="Damaged"))
    page = after_signing_in(agent, opened(agent, damaged).form(place("desk_keep_reply")))
    assert page.form(place("desk_keep_reply")).fields["conversation"] == str(damaged.conversation_id)


def test_a_finding_of_nobody_in_the_address_leads_to_the_desk_or_is_not_found(sign_in: SignIn, db: None) -> None:
    agent = sign_in("agent").client
    for wrong in ("x", "-1", "\u0663", "9" * 30):
        answer = agent.get(place("desk_confirm"), {"finding": wrong})
        assert answer.headers["Location"] == place("desk"), wrong
    assert agent.get(place("desk_confirm"), {"finding": "999"}, follow=True).status_code == 404
