"""A reply goes into the outbox with the booking that it tells, or neither is there."""

from __future__ import annotations

import pytest
from chariot_license.protocol.block import FoundBlock
from chariot_license.protocol.reader import find_blocks

from activations.domain.words import ConversationState, OutgoingState
from activations.models import Contact, Conversation, IncomingMail, LedgerEntry, OutgoingMail, Reply
from activations.services import replies
from activations.services.deactivate import Deactivated, deactivate_activation
from activations.services.issue import Submission, submit_usage_request
from activations.services.licenses import LicenseCreated
from activations.services.post import answers
from activations.services.post.conversations import Changed, claim_conversation
from activations.services.post.keeping import keep_mail
from activations.services.post.outbox import Envelope
from activations.services.post.reading import read_kept
from activations.services.results import BadInput, Refused
from tests.mailroom.letters import CUSTOMER, letter
from tests.portal.cast import AGENT, LEAD, SOURCE, answered, entries, length, license_row
from tests.portal.chariot import Chariot, host

pytestmark = pytest.mark.django_db


def arrived(source: bytes) -> IncomingMail:
    kept = keep_mail(source, mailbox="support@portal.example")
    read = read_kept(kept.mail.pk)
    assert read is not None
    return read


@pytest.fixture
def chariot(license: LicenseCreated) -> Chariot:
    return Chariot(license.license_key, host("pump-house"))


def confirm(text: str, envelope: Envelope, **more: object) -> Submission | Refused | BadInput:
    return submit_usage_request(source=text, actor=AGENT, origin="desk", reply=True, envelope=envelope, **more)  # type: ignore[arg-type]


def test_the_reply_is_in_the_outbox_with_the_booking(license: LicenseCreated, chariot: Chariot) -> None:
    text = chariot.request()
    mail = arrived(letter(f"Please:\n\n{text}\n", message_id="first@acme-water.example"))
    before = length(license.license_id)
    done = confirm(text, Envelope(mail.conversation_id or 0, CUSTOMER))
    assert isinstance(done, Submission)
    assert done.booked
    assert [kind for _, _, kind, _ in entries(license.license_id, after=before)] == [
        "request.received",
        "activation.created",
        "usage_license.issued",
    ]
    sent = OutgoingMail.objects.get()
    assert (sent.state, sent.to_address, sent.queued_by) == (OutgoingState.QUEUED, CUSTOMER, "agent")
    assert sent.body == done.reply == Reply.objects.get().body
    assert (sent.attachment, sent.attachment_name) == (done.usage_license, f"{done.usage_license_id}.txt")
    assert (sent.in_reply_to, sent.references) == ("first@acme-water.example", "first@acme-water.example")
    conversation = Conversation.objects.get()
    assert sent.subject == f"Re: Activation of our Chariot [CL-{conversation.token}]"
    assert (conversation.state, conversation.waits_since) == (ConversationState.WAITING, None)
    found = find_blocks(sent.body)
    assert [isinstance(block, FoundBlock) for block in found] == [True]


def test_what_is_stale_sends_nothing(license: LicenseCreated, chariot: Chariot) -> None:
    text = chariot.request()
    mail = arrived(letter(text))
    done = confirm(text, Envelope(mail.conversation_id or 0, CUSTOMER), expect="another")
    assert isinstance(done, Submission)
    assert (done.booked, done.stale) == (False, True)
    assert not OutgoingMail.objects.exists()


def test_a_colleague_who_claimed_it_answers_it(license: LicenseCreated, chariot: Chariot) -> None:
    text = chariot.request()
    mail = arrived(letter(text))
    assert isinstance(claim_conversation(conversation_pk=mail.conversation_id or 0, actor=LEAD), Changed)
    before = LedgerEntry.objects.count()
    refused = confirm(text, Envelope(mail.conversation_id or 0, CUSTOMER))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.detail) == ("conversation-claimed", {"holder": "lead"})
    assert LedgerEntry.objects.count() == before
    assert not OutgoingMail.objects.exists()
    assert not Reply.objects.exists()


def test_an_address_that_is_none_books_nothing(license: LicenseCreated, chariot: Chariot) -> None:
    text = chariot.request()
    mail = arrived(letter(text))
    before = LedgerEntry.objects.count()
    for address in ("nobody", "a@b.example\nBcc: c@d.example", ""):
        refused = confirm(text, Envelope(mail.conversation_id or 0, address))
        assert isinstance(refused, BadInput), address
        assert refused.code == "address-invalid"
    assert LedgerEntry.objects.count() == before


def test_a_code_is_answered_and_the_other_contacts_are_told(license: LicenseCreated, chariot: Chariot) -> None:
    row = license_row(license.license_id)
    for address in (CUSTOMER, "buyer@acme-water.example"):
        Contact.objects.create(customer=row.customer, email=address)
    chariot.install(answered(chariot.request()))
    code = chariot.deactivate()
    mail = arrived(letter(f"{license.license_id}\n{code}\n"))
    done = deactivate_activation(
        license_id=license.license_id,
        code=code,
        actor=AGENT,
        source=SOURCE,
        reply=True,
        envelope=Envelope(mail.conversation_id or 0, CUSTOMER),
    )
    assert isinstance(done, Deactivated)
    sent = {one.to_address: one for one in OutgoingMail.objects.all()}
    assert set(sent) == {CUSTOMER, "buyer@acme-water.example"}
    assert sent[CUSTOMER].body == sent["buyer@acme-water.example"].body == done.reply
    assert sent["buyer@acme-water.example"].queued_by == "automatic"
    assert all(code not in one.body for one in sent.values())
    again = deactivate_activation(license_id=license.license_id, code=code, actor=AGENT, source=SOURCE, reply=True)
    assert isinstance(again, Deactivated)
    assert again.effect == "repeated"
    assert OutgoingMail.objects.count() == 2


def test_a_command_tells_the_contacts_too(license: LicenseCreated, chariot: Chariot) -> None:
    Contact.objects.create(customer=license_row(license.license_id).customer, email=CUSTOMER)
    chariot.install(answered(chariot.request()))
    done = deactivate_activation(
        license_id=license.license_id, code=chariot.deactivate(), actor=AGENT, source="command"
    )
    assert isinstance(done, Deactivated)
    assert done.reply is None
    assert [one.to_address for one in OutgoingMail.objects.all()] == [CUSTOMER]


def test_a_draft_goes_out_when_its_sender_says_so(license: LicenseCreated) -> None:
    mail = arrived(letter("Hello"))
    kept = answers.keep_sent(
        draft=replies.damaged([3, 7]), actor=AGENT, envelope=Envelope(mail.conversation_id or 0, CUSTOMER)
    )
    assert isinstance(kept, Reply)
    sent = OutgoingMail.objects.get()
    assert (sent.reply, sent.body, sent.attachment) == (kept, kept.body, "")
    assert "lines 3 and 7" in sent.body
