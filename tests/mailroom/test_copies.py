"""One Message-ID that comes as two mails: one conversation, one answer, and nothing for who makes up a copy."""

from __future__ import annotations

import re
import threading
from email import message_from_bytes
from email.policy import SMTP

import pytest
from django.db import connection

from activations.domain.words import AutomaticOutcome, ConversationState, FindingKind, OutgoingState, Priority
from activations.models import Contact, Conversation, Finding, OutgoingMail
from activations.services.licenses import LicenseCreated
from activations.services.post import copies, left
from activations.services.post.automatic import allow, answer_by_itself
from activations.services.post.conversations import claim_conversation, rank_conversation
from activations.services.post.keeping import keep_mail
from activations.services.post.outbox import Envelope
from activations.services.post.reading import read_kept
from activations.services.post.threads import takes_part
from tests.mailroom.letters import CUSTOMER, bounce, letter
from tests.mailroom.posting import queued
from tests.mailroom.test_answering import arrived, confirm
from tests.portal.cast import AGENT, MANAGER, answered, license_row, make_license
from tests.portal.chariot import Chariot, host

pytestmark = pytest.mark.django_db
EVE = "eve@elsewhere.example"
FIRST = "first@acme-water.example"


def through_gateway(source: bytes, *, banner: str = "CAUTION: this mail came from outside.") -> bytes:
    """The same mail with a banner, in base64: what a security gateway passes on."""
    mail = message_from_bytes(source, policy=SMTP)
    mail.set_content(f"{banner}\n\n{mail.get_content()}", cte="base64")
    return mail.as_bytes()


@pytest.fixture
def chariot(license: LicenseCreated) -> Chariot:
    Contact.objects.create(customer=license_row(license.license_id).customer, email=CUSTOMER)
    return Chariot(license.license_key, host("pump-house"))


@pytest.mark.parametrize("gateway_first", [False, True])
def test_both_stand_in_one_conversation_and_wait_once(chariot: Chariot, gateway_first: bool) -> None:
    text = chariot.request()
    plain = letter(f"Please:\n\n{text}\n")
    sources = [through_gateway(plain), plain] if gateway_first else [plain, through_gateway(plain)]
    first, second = (arrived(source) for source in sources)

    row = Conversation.objects.get()
    assert first.conversation == second.conversation == row
    assert copies.is_twice(first)
    assert copies.is_twice(second)
    assert list(copies.originals(row.incoming.all())) == [first]
    requests = Finding.objects.filter(kind=FindingKind.REQUEST)
    assert requests.count() == 2
    assert [finding.mail for finding in left.left_in(row)] == [first]
    assert copies.repeated(row, [second]) == {requests.get(mail=second).pk}

    confirm(text, Envelope(row.pk, CUSTOMER))
    row.refresh_from_db()
    assert (row.state, left.left_in(row)) == (ConversationState.WAITING, [])
    assert OutgoingMail.objects.get().references == first.message_id, "each Message-ID once"


def test_a_copy_that_comes_after_the_answer_is_seen_like_any_mail(chariot: Chariot) -> None:
    text = chariot.request()
    plain = letter(text)
    first = arrived(plain)
    confirm(text, Envelope(first.conversation_id or 0, CUSTOMER))

    late = arrived(through_gateway(plain))

    row = Conversation.objects.get()
    assert (row.state, row.waits_since) == (ConversationState.OPEN, late.fetched_at)
    assert left.left_in(row) == [], "nothing is to be booked for it"


def test_what_only_the_copy_brings_waits(chariot: Chariot) -> None:
    """The first copy came without the request: a gateway had cut it off."""
    arrived(letter("[removed by our gateway]", message_id=FIRST))
    second = arrived(letter(chariot.request(), message_id=FIRST))
    row = Conversation.objects.get()
    assert [finding.mail for finding in left.left_in(row)] == [second]
    assert row.proved, "its sender wrote the first one, too"


def test_mails_without_a_message_id_are_no_copies(db: None) -> None:
    bare = [re.sub(rb"Message-ID: [^\r]*\r\n", b"", letter(text)) for text in ("one", "two")]
    mails = [arrived(source) for source in bare]
    assert [mail.message_id for mail in mails] == ["", ""]
    assert Conversation.objects.count() == 2
    assert not any(copies.is_twice(mail) for mail in mails)


def test_two_that_are_read_at_once_are_joined(transactional_db: None) -> None:
    plain = letter("Hello")
    kept = [keep_mail(source, mailbox="test").mail for source in (plain, through_gateway(plain))]
    start = threading.Barrier(2)

    def read(pk: int) -> None:
        start.wait()
        try:
            read_kept(pk)
        finally:
            connection.close()

    readers = [threading.Thread(target=read, args=[mail.pk]) for mail in kept]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert Conversation.objects.get().incoming.count() == 2


def test_no_machine_answers_a_copy(license: LicenseCreated, chariot: Chariot) -> None:
    """The same request once more is safe to answer; the same mail once more is not asked for."""
    chariot.install(answered(chariot.request()))
    for outcome in (AutomaticOutcome.UPDATED, AutomaticOutcome.RESENT):
        allow(outcome=outcome, customer_pk=None, allowed=True, actor=MANAGER, source="desk")
    text = chariot.request()
    plain = letter(text)
    assert answer_by_itself(arrived(plain)) == "updated"
    assert answer_by_itself(arrived(through_gateway(plain))) == ""
    assert OutgoingMail.objects.count() == 1
    assert answer_by_itself(arrived(letter(text))) == "re-sent", "asked for again in a mail of its own"


def test_no_machine_answers_both_in_whatever_order_they_are_read(license: LicenseCreated, chariot: Chariot) -> None:
    """A reader that was killed leaves the first of the two to be read ten minutes later."""
    chariot.install(answered(chariot.request()))
    for outcome in (AutomaticOutcome.UPDATED, AutomaticOutcome.RESENT):
        allow(outcome=outcome, customer_pk=None, allowed=True, actor=MANAGER, source="desk")
    plain = letter(chariot.request())
    first, second = (keep_mail(source, mailbox="test").mail for source in (plain, through_gateway(plain)))
    done = []
    for mail in (second, first):
        read = read_kept(mail.pk)
        assert read is not None
        done.append(answer_by_itself(read))
    assert done == ["updated", ""]
    assert OutgoingMail.objects.count() == 1


# --- who makes up a copy -----------------------------------------------------------------------------------


def test_a_forged_copy_gains_nothing(license: LicenseCreated, chariot: Chariot) -> None:
    """Eve is a customer of ours: a request of her own license must not make the conversation hers."""
    first = arrived(letter("Hello", message_id=FIRST))
    row = Conversation.objects.get()
    rank_conversation(conversation_pk=row.pk, priority=Priority.HIGH, actor=AGENT)
    claim_conversation(conversation_pk=row.pk, actor=AGENT)
    hers = make_license(allowed=1, customer="Northern Paper Mill")
    Contact.objects.create(customer=license_row(hers.license_id).customer, email=EVE)
    before: dict[str, object] = {**Conversation.objects.values().get()}

    forged = arrived(letter(Chariot(hers.license_key, host("mill")).request(), sender=EVE, message_id=FIRST))

    assert forged.conversation == first.conversation
    after: dict[str, object] = {**Conversation.objects.values().get()}
    assert {name for name in before if before[name] != after[name]} == {"latest_at"}
    assert not takes_part(row, EVE)
    later = arrived(letter("And now?", sender=EVE, answers=FIRST))
    assert later.conversation != row, "she has no part in it"
    assert takes_part(row, CUSTOMER)


def test_a_forged_copy_that_comes_first_hides_nothing(chariot: Chariot) -> None:
    forged = arrived(letter("Never mind, all is well.", sender=EVE, message_id=FIRST))
    Conversation.objects.update(state=ConversationState.DONE, waits_since=None)

    real = arrived(letter(chariot.request(), message_id=FIRST))

    row = Conversation.objects.get()
    assert forged.conversation == real.conversation == row
    assert (row.state, row.waits_since) == (ConversationState.OPEN, real.fetched_at)
    assert [finding.mail for finding in left.left_in(row)] == [real]


def test_a_bounce_stays_with_the_mail_that_came_back(chariot: Chariot) -> None:
    """Whatever Message-ID a mail server gives to its bounces."""
    arrived(letter("Hello", message_id=FIRST))
    other = arrived(letter("Something else", sender="bo@acme-water.example"))
    ours = queued(conversation=other.conversation)
    OutgoingMail.objects.update(state=OutgoingState.SENT)
    source = re.sub(
        rb"Message-ID: <[^>]*>", f"Message-ID: <{FIRST}>".encode(), bounce(ours.message_id, CUSTOMER), count=1
    )

    returned = arrived(source)

    assert returned.message_id == FIRST
    assert returned.conversation == other.conversation
    assert not copies.is_twice(returned)
