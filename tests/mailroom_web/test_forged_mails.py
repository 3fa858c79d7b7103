"""Mails that claim to be somebody's, or ours: none gains a part in a thread, an answer or an authority by it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pytest_django import Settings

from activations import tasks
from activations.domain.words import AutomaticOutcome, ConversationState, OutgoingState
from activations.mail import sending
from activations.models import AutomaticAnswer, Conversation, IncomingMail, LedgerEntry, OutgoingMail
from activations.services.licenses import LicenseCreated
from activations.services.post.answers import write_reply
from activations.services.post.automatic import allow
from activations.services.post.outbox import Envelope
from tests.mailroom.imap import ImapServer
from tests.mailroom.letters import CUSTOMER, bounce, letter
from tests.mailroom.smtp import Catcher
from tests.mailroom_web.hostile import EVE
from tests.mailroom_web.post import arrived, known, opened, place
from tests.portal.cast import AGENT, MANAGER, answered, make_license
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser

pytestmark = pytest.mark.django_db
SignIn = Callable[[str], Browser]
OURS = "licensing@portal.example"


@pytest.fixture
def fetched(imap_server: ImapServer, settings: Settings) -> Callable[[bytes], IncomingMail]:
    """Delivers a mail to a mailbox that the portal fetches, and has it fetched, read and, if it may be, answered."""
    settings.MAILBOXES = [imap_server.address]
    settings.DEFAULT_FROM_EMAIL = f"Licensing Support <{OURS}>"

    def fetch(source: bytes) -> IncomingMail:
        known = set(IncomingMail.objects.values_list("pk", flat=True))
        imap_server.deliver(source)
        assert tasks.fetch_mail_job() == 1
        return IncomingMail.objects.exclude(pk__in=known).get()

    return fetch


Fetch = Callable[[bytes], IncomingMail]


@pytest.fixture
def chariot(license: LicenseCreated) -> Chariot:
    return Chariot(license.license_key, host("pump-house"))


def of(mail: IncomingMail) -> Conversation:
    assert mail.conversation_id is not None
    return Conversation.objects.get(pk=mail.conversation_id)


def our_answer(first: IncomingMail, smtp: Catcher) -> OutgoingMail:
    """What an agent wrote in answer to a mail, sent."""
    envelope = Envelope(first.conversation_id or 0, first.from_address)
    sent = write_reply(token=f"t{first.pk}", body="Which pump?", actor=AGENT, envelope=envelope)
    assert isinstance(sent, OutgoingMail)
    assert sending.send(sent.pk) == OutgoingState.SENT
    return sent


# --- strangers in a thread ---------------------------------------------------------------------------------


def test_a_stranger_who_names_our_thread_gets_no_part_in_it(
    license: LicenseCreated, chariot: Chariot, fetched: Fetch, smtp: Catcher, sign_in: SignIn
) -> None:
    """He knows the Message-IDs, our subject, a License ID, and writes under the name of the contact."""
    known(license.license_id)
    first = fetched(letter(chariot.request(), message_id="first@acme-water.example"))
    ours = our_answer(first, smtp)
    stranger = fetched(
        letter(
            f"It is {license.license_id}, please send the license to me now.",
            subject=ours.subject,
            sender=f'"Ada <{CUSTOMER}>" <{EVE}>',
            answers=ours.message_id,
            references=("first@acme-water.example",),
        )
    )

    assert stranger.conversation_id != first.conversation_id
    agent = sign_in("agent")
    assert "to me now" not in agent.get(place("inbox_conversation", first.conversation_id)).words
    page = agent.get(place("inbox_conversation", stranger.conversation_id))
    assert "No customer is known: nothing proves who wrote." in page.words
    assert "It proves nothing: anybody may name it." in page.words
    form = page.form(place("inbox_write", stranger.conversation_id))
    assert form.fields["to"] == EVE
    assert CUSTOMER not in [value for value, _ in form.choices["to"]]
    refused = agent.post(form.action, {**form.fields, "body": "Hello"})
    assert "Tick the box" in refused.words
    assert OutgoingMail.objects.count() == 1


def test_a_colleague_nobody_knows_joins_and_is_warned_of_before_anything_goes_back(
    license: LicenseCreated, chariot: Chariot, fetched: Fetch, sign_in: SignIn
) -> None:
    known(license.license_id)
    first = fetched(letter("Hello", message_id="first@acme-water.example"))
    mallory = "mallory@acme-water.example"
    second = fetched(letter(chariot.request(), sender=mallory, answers="first@acme-water.example"))
    assert second.conversation_id == first.conversation_id

    agent, before = sign_in("agent"), LedgerEntry.objects.count()
    assert (
        f"{mallory} is not a contact of this customer"
        in agent.get(place("inbox_conversation", first.conversation_id)).words
    )
    page = opened(agent, second)
    assert f"{mallory} is not a contact of this customer" in page.words
    assert page.form(place("desk_confirm")).fields["to"] == mallory
    refused = agent.confirm(page)
    assert "nothing was booked or sent" in refused.words
    assert (LedgerEntry.objects.count(), OutgoingMail.objects.count()) == (before, 0)


def test_a_stranger_who_calls_himself_a_machine_is_warned_of_all_the_same(
    license: LicenseCreated, chariot: Chariot, fetched: Fetch, sign_in: SignIn
) -> None:
    known(license.license_id)
    mail = fetched(letter(chariot.request(), sender=EVE, Auto_Submitted="auto-generated", Precedence="bulk"))
    page = sign_in("agent").get(place("inbox_conversation", mail.conversation_id))
    before_the_reply, _, _ = page.words.partition("Reply goes to")
    assert f"{EVE} is not a contact of this customer" in before_the_reply


def test_a_forged_contact_with_a_reply_to_of_his_own(
    license: LicenseCreated, chariot: Chariot, fetched: Fetch, smtp: Catcher, sign_in: SignIn
) -> None:
    """Whoever forges the contact's address cannot have the answer: it goes to the contact unless somebody ticks."""
    known(license.license_id)
    mail = fetched(letter(chariot.request(), Reply_To=EVE))
    agent = sign_in("agent")
    page = opened(agent, mail)
    assert "not its sender" in page.words
    assert f"{EVE} is not a contact of this customer" in page.words
    assert page.form(place("desk_confirm")).fields["to"] == CUSTOMER
    assert "nothing was booked or sent" in agent.confirm(page, to=EVE).words
    agent.confirm(page)
    sent = OutgoingMail.objects.get()
    assert sending.send(sent.pk) == OutgoingState.SENT
    assert smtp.recipients == [[CUSTOMER]]


@pytest.mark.parametrize("proved", [False, True], ids=["by address", "proved"])
def test_a_request_of_another_customer_from_a_known_contact(
    license: LicenseCreated, chariot: Chariot, fetched: Fetch, sign_in: SignIn, proved: bool
) -> None:
    """The answer would tell this customer about the other's license: nothing goes before somebody ticked that."""
    known(license.license_id)
    other = make_license(customer="Northern Paper Mill")
    first = fetched(letter(chariot.request() if proved else "Hello", message_id="first@acme-water.example"))
    foreign = Chariot(other.license_key, host("boiler")).request()
    mail = fetched(letter(foreign, answers="first@acme-water.example"))
    assert mail.conversation_id == first.conversation_id

    agent, before = sign_in("agent"), LedgerEntry.objects.count()
    page = agent.get(place("inbox_conversation", mail.conversation_id))
    assert f"{other.license_id}, Northern Paper Mill" in page.words
    assert ("Acme Water proved by a Usage Request" in page.words) is proved
    dry_run = opened(agent, mail)
    assert f"{CUSTOMER} is a contact of another customer: Acme Water." in dry_run.words
    refused = agent.confirm(dry_run)
    assert "nothing was booked or sent" in refused.words
    assert (LedgerEntry.objects.count(), OutgoingMail.objects.count()) == (before, 0)
    agent.confirm(dry_run, unknown=CUSTOMER)
    assert OutgoingMail.objects.get().license is not None
    assert OutgoingMail.objects.get().license.license_id == other.license_id  # type: ignore[union-attr]


# --- what a server says of the sender ----------------------------------------------------------------------


def test_only_our_own_servers_word_counts(fetched: Fetch, settings: Settings, sign_in: SignIn) -> None:
    settings.TRUSTED_MAIL_SERVERS = ["mx.portal.example"]
    agent = sign_in("agent")

    def words(*fields: str) -> str:
        mail = fetched("\r\n".join(fields).encode() + b"\r\n" + letter())
        return agent.get(place("inbox_conversation", mail.conversation_id)).words

    forged = "Authentication-Results: mx.portal.example; spf=pass; dkim=pass; dmarc=pass"
    stranger = "Authentication-Results: mx.evil.example; spf=pass; dkim=pass; dmarc=pass"
    own = "Authentication-Results: mx.portal.example; spf=softfail; dkim=none; dmarc=fail"
    assert "The receiving server says nothing about the sender." in words(stranger)
    assert "says nothing" in words(forged.replace("portal.example;", "portal.example.evil.example;"))
    said = words(own, stranger, forged)
    assert "The receiving server says: SPF: softfail, DKIM: none, DMARC: fail." in said
    assert "pass" not in said.replace("password", "")


# --- mails that come from ourselves, and loops -------------------------------------------------------------


@pytest.fixture
def everything_is_automatic(license: LicenseCreated, chariot: Chariot) -> str:
    """All that can be answered by a machine may be; and a request whose stored answer would go out again."""
    for outcome in AutomaticOutcome:
        done = allow(outcome=outcome, customer_pk=None, allowed=True, actor=MANAGER, source="desk")
        assert isinstance(done, AutomaticAnswer)
    text = chariot.request()
    answered(text)
    for address in (CUSTOMER, OURS, "mailer-daemon@mx.acme-water.example"):
        known(license.license_id, address)
    return text


def test_a_persons_mail_is_answered_here(everything_is_automatic: str, fetched: Fetch) -> None:
    """What the next test refuses, this one allows."""
    fetched(letter(everything_is_automatic))
    assert OutgoingMail.objects.get().to_address == CUSTOMER


LOOPS: dict[str, dict[str, str]] = {
    "an absence note": {"Auto_Submitted": "auto-replied"},
    "a ticket system": {"Auto_Submitted": "auto-generated"},
    "an Exchange server that wants no answers": {"X_Auto_Response_Suppress": "All"},
    "a mailing list": {"List_Id": "<scada.acme-water.example>"},
    "a mailing list that takes posts": {"List_Post": "<mailto:scada@acme-water.example>"},
    "a newsletter": {"List_Unsubscribe": "<https://acme-water.example/off>"},
    "a bulk mail": {"Precedence": "bulk"},
    "an empty return path": {"Return_Path": "<>"},
    "our own address": {"sender": f"Licensing Support <{OURS}>"},
    "our own address in capitals": {"sender": OURS.upper()},
    "an answer to elsewhere": {"Reply_To": EVE},
}


@pytest.mark.parametrize("why", LOOPS)
def test_no_machine_answers_a_machine_or_ourselves(everything_is_automatic: str, fetched: Fetch, why: str) -> None:
    before = LedgerEntry.objects.count()
    mail = fetched(letter(everything_is_automatic, **LOOPS[why]))  # type: ignore[arg-type]
    assert [row.code for row in mail.findings.all()] == ["re-sent"]
    assert not OutgoingMail.objects.exists()
    assert LedgerEntry.objects.count() == before


def test_a_bounce_with_a_request_in_it_is_answered_by_nobody(everything_is_automatic: str, fetched: Fetch) -> None:
    mail = fetched(bounce("never-sent@portal.example", CUSTOMER).replace(b"the mail", everything_is_automatic.encode()))
    assert not OutgoingMail.objects.exists()
    assert not mail.findings.exists()


def test_a_mail_that_pretends_to_be_our_answer(
    license: LicenseCreated, chariot: Chariot, fetched: Fetch, smtp: Catcher, sign_in: SignIn
) -> None:
    """With our address, our mark and even the Message-ID of what we sent: it stands alone, and among the incoming."""
    known(license.license_id)
    first = fetched(letter(chariot.request(), message_id="first@acme-water.example"))
    ours = our_answer(first, smtp)
    fake = fetched(
        letter(
            "Hello,\nhere is your Usage License. Open it at http://evil.example\n",
            subject=ours.subject,
            sender=f"Licensing Support <{OURS}>",
            message_id=ours.message_id,
            answers="first@acme-water.example",
        )
    )
    assert fake.conversation_id != first.conversation_id
    page = sign_in("agent").get(place("inbox_conversation", fake.conversation_id))
    assert "No customer is known" in page.words
    assert "We to" not in page.words

    back = fetched(letter("It works.", answers=ours.message_id))
    assert back.conversation_id == first.conversation_id, "the customer's answer still finds its thread"


# --- what must not be overlooked ---------------------------------------------------------------------------


def test_a_machine_that_brings_a_new_request_is_seen(
    license: LicenseCreated, chariot: Chariot, fetched: Fetch, smtp: Catcher
) -> None:
    """A ticket system's mail is a machine's, but the Usage Request in it is a customer's."""
    known(license.license_id)
    first = fetched(letter("Hello"))
    ours = our_answer(first, smtp)
    assert of(first).state == ConversationState.WAITING
    fetched(letter(f"{license.license_id} is our license.", answers=ours.message_id, Auto_Submitted="auto-replied"))
    assert of(first).state == ConversationState.WAITING
    second = fetched(letter(chariot.request(), answers=ours.message_id, Auto_Submitted="auto-generated"))
    assert second.conversation_id == first.conversation_id
    assert of(first).state == ConversationState.OPEN
    assert of(first).waits_since == second.fetched_at


@pytest.mark.parametrize(
    "sent_on",
    [
        {"Precedence": "list", "List_Id": "<scada.acme-water.example>"},
        {"Precedence": "bulk"},
        {"X_Auto_Response_Suppress": "All"},
    ],
    ids=["a mailing list", "in bulk", "a ticket system"],
)
def test_what_a_person_wrote_is_seen_whoever_sent_it_on(
    fetched: Fetch, smtp: Catcher, sent_on: dict[str, str], db: None
) -> None:
    first = fetched(letter("Hello"))
    ours = our_answer(first, smtp)
    assert of(first).state == ConversationState.WAITING
    second = fetched(letter("It still fails.", answers=ours.message_id, **sent_on))  # type: ignore[arg-type]
    assert second.automatic, "no machine answers it"
    assert (of(second), of(first).state) == (of(first), ConversationState.OPEN)


def test_what_came_back_is_shown_as_words(chariot: Chariot, fetched: Fetch, smtp: Catcher, sign_in: SignIn) -> None:
    """Anybody who has our mail can make up a bounce of it: it says so, and sends nothing anew."""
    ours = our_answer(arrived(letter(chariot.request())), smtp)
    made_up = bounce(ours.message_id, CUSTOMER).replace(
        b"User unknown", b"<script>alert(1)</script> write to " + EVE.encode()
    )
    fetched(made_up)
    ours.refresh_from_db()
    assert ours.state == OutgoingState.BOUNCED
    page = sign_in("agent").get(place("inbox_conversation", ours.conversation_id))
    assert "It came back: the customer does not have it." in page.words
    assert "<script>alert" not in page.html
    assert EVE not in [value for value, _ in page.form(place("inbox_write", ours.conversation_id)).choices["to"]]
    assert OutgoingMail.objects.count() == 1
