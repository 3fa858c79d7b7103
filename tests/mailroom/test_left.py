"""Whose turn it is after an answer: ours, while a mail of the conversation holds something else that waits."""

from __future__ import annotations

import pytest
from django.db import transaction

from activations import mail_queries
from activations.domain.decisions import Chosen
from activations.domain.words import Choice, ConversationState, FindingKind
from activations.models import Conversation, OutgoingMail
from activations.services.deactivate import Deactivated, deactivate_activation
from activations.services.issue import Submission, submit_usage_request
from activations.services.licenses import LicenseCreated
from activations.services.post import answers, left, outbox
from activations.services.post.outbox import Envelope
from tests.mailroom.letters import CUSTOMER, letter
from tests.mailroom.test_answering import arrived, confirm
from tests.portal.cast import AGENT, SOURCE, answered, issue
from tests.portal.chariot import Chariot, host

pytestmark = pytest.mark.django_db


@pytest.fixture
def two(license: LicenseCreated) -> list[Chariot]:
    return [Chariot(license.license_key, host(name)) for name in ("pump-house", "filter-hall")]


def to_it() -> Envelope:
    return Envelope(Conversation.objects.get().pk, CUSTOMER)


def stands() -> dict[str, str]:
    """Host of each Usage Request in the conversation: how it stands."""
    row = Conversation.objects.get()
    found = [each for mail in row.incoming.all() for each in mail.findings.filter(kind=FindingKind.REQUEST)]
    told = left.standings(found, row)
    return {each.hostname: told[each.pk].words for each in found}


def test_the_second_request_of_a_mail_waits_after_the_first_answer(two: list[Chariot]) -> None:
    texts = [chariot.request() for chariot in two]
    mail = arrived(letter("\n\nand\n\n".join(texts)))
    assert Conversation.objects.get().waits_since == mail.fetched_at

    confirm(texts[0], to_it())
    row = Conversation.objects.get()
    assert (row.state, row.waits_since) == (ConversationState.OPEN, mail.fetched_at)
    assert stands() == {"pump-house": left.TOLD.words, "filter-hall": left.WAITS.words}
    assert (len(left.left_in(row)), mail_queries.not_booked(row)) == (1, 1)

    confirm(texts[1], to_it())
    row = Conversation.objects.get()
    assert (row.state, row.waits_since) == (ConversationState.WAITING, None)
    assert stands() == dict.fromkeys(["pump-house", "filter-hall"], left.TOLD.words)
    assert (left.left_in(row), mail_queries.not_booked(row)) == ([], 0)


def test_an_older_mail_of_the_thread_waits_too(two: list[Chariot]) -> None:
    first = arrived(letter(two[0].request(), message_id="first@acme-water.example"))
    text = two[1].request()
    arrived(letter(text, answers="first@acme-water.example"))
    confirm(text, to_it())
    row = Conversation.objects.get()
    assert (row.state, row.waits_since) == (ConversationState.OPEN, first.fetched_at)


def test_a_request_that_a_later_one_replaced_is_not_waited_for(two: list[Chariot]) -> None:
    """The customer gave up the first one: nothing is left of it to answer."""
    arrived(letter(two[0].request(), message_id="first@acme-water.example"))
    text = two[0].request()
    arrived(letter(text, answers="first@acme-water.example"))
    assert len(left.left_in(Conversation.objects.get())) == 2
    confirm(text, to_it())
    row = Conversation.objects.get()
    assert row.state == ConversationState.WAITING
    found = [each for mail in row.incoming.order_by("id") for each in mail.findings.all()]
    told = left.standings(found, row)
    assert [told[each.pk] for each in found] == [left.LATER, left.TOLD]


def test_the_same_request_quoted_again_is_one(two: list[Chariot]) -> None:
    text = two[0].request()
    arrived(letter(text, message_id="first@acme-water.example"))
    arrived(letter(f"Any news?\n\n> {text}", answers="first@acme-water.example"))
    assert len(left.left_in(Conversation.objects.get())) == 1
    confirm(text, to_it())
    assert Conversation.objects.get().state == ConversationState.WAITING


def test_what_was_booked_without_a_mail_says_so(two: list[Chariot]) -> None:
    text = two[0].request()
    arrived(letter(text))
    issue(text)
    assert stands() == {"pump-house": left.BOOKED.words}
    assert left.left_in(Conversation.objects.get()) == []


def test_what_waits_for_a_lead_still_waits_for_us(license: LicenseCreated, two: list[Chariot]) -> None:
    """The reply says that somebody looks into it; the answer itself is due."""
    two[0].install(answered(two[0].request()))
    text = two[0].reinstalled().request()
    mail = arrived(letter(text))
    parked = confirm(text, to_it())
    assert isinstance(parked, Submission)
    assert OutgoingMail.objects.count() == 1
    row = Conversation.objects.get()
    assert (row.state, row.waits_since) == (ConversationState.OPEN, mail.fetched_at)
    assert stands() == {"pump-house": left.PARKED.words}
    assert mail_queries.not_booked(row) == 0
    done = submit_usage_request(
        source=text,
        actor=AGENT,
        origin="desk",
        reply=True,
        envelope=to_it(),
        chosen=Chosen(frozenset([Choice.REINSTALLED])),
        reason="a new disk",
    )
    assert isinstance(done, Submission)
    assert Conversation.objects.get().state == ConversationState.WAITING


def test_a_question_in_own_words_waits_for_the_customer(two: list[Chariot]) -> None:
    arrived(letter(two[0].request()))
    sent = answers.write_reply(token="t" * 20, body="Which pump is it?", actor=AGENT, envelope=to_it())
    assert isinstance(sent, OutgoingMail)
    row = Conversation.objects.get()
    assert (row.state, row.waits_since) == (ConversationState.WAITING, None)
    assert stands() == {"pump-house": left.WAITS.words}


def test_a_code_beside_a_request_waits_until_it_is_answered(license: LicenseCreated, two: list[Chariot]) -> None:
    two[0].install(answered(two[0].request()))
    code, text = two[0].deactivate(), two[1].request()
    mail = arrived(letter(f"{license.license_id}\n{code}\n\n{text}\n", message_id="first@acme-water.example"))
    arrived(letter(f"Did you get this?\n> {code}\n", answers="first@acme-water.example"))
    confirm(text, to_it())
    row = Conversation.objects.get()
    assert row.state == ConversationState.OPEN
    assert [each.kind for each in left.left_in(row)] == [FindingKind.CODE], "quoted, it is still one"
    done = deactivate_activation(
        license_id=license.license_id, code=code, actor=AGENT, source=SOURCE, reply=True, envelope=to_it()
    )
    assert isinstance(done, Deactivated)
    row = Conversation.objects.get()
    assert (row.state, left.left_in(row)) == (ConversationState.WAITING, [])
    assert mail.findings.count() > 1


def test_sent_again_it_answers_nothing_more(license: LicenseCreated, two: list[Chariot]) -> None:
    texts = [chariot.request() for chariot in two]
    arrived(letter("\n\nand\n\n".join(texts)))
    confirm(texts[0], to_it())
    OutgoingMail.objects.update(state="sent")
    mail = OutgoingMail.objects.get()
    with transaction.atomic():
        outbox.send_again(mail_pk=mail.pk, to_address=CUSTOMER, shown=outbox.standing(mail), actor=AGENT)
    assert OutgoingMail.objects.count() == 2
    assert Conversation.objects.get().state == ConversationState.OPEN
