"""Reading kept mails: conversations, whose they are, what a dry run says; secrets stay sealed and nothing is booked."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from chariot_license.protocol.codes import LicenseKey, format_deactivation_code
from django.db import connection, transaction
from django.utils import timezone

from activations import tasks
from activations.domain.words import ConversationState, FindingKind, IncomingState
from activations.mailtext.reading import read_mail
from activations.models import (
    Contact,
    Conversation,
    Customer,
    Finding,
    IncomingMail,
    IntakeEntry,
    LedgerEntry,
    MailSource,
    OutgoingMail,
    UsageRequest,
)
from activations.services.licenses import LicenseCreated
from activations.services.post import keeping, outbox, reading
from activations.services.results import BadInput, Refused
from tests.mailroom.letters import CUSTOMER, letter, new_id
from tests.portal.cast import AGENT, AUDITOR, answered, license_row, make_license
from tests.portal.chariot import Chariot, host

pytestmark = pytest.mark.django_db


def read(source: bytes) -> IncomingMail:
    mail = reading.read_kept(keeping.keep_mail(source, mailbox="test").mail.pk)
    assert mail is not None
    assert mail.conversation is not None
    assert mail.state == IncomingState.READ, mail.problems
    return mail


def conversation_of(mail: IncomingMail) -> Conversation:
    assert mail.conversation_id is not None
    return Conversation.objects.get(pk=mail.conversation_id)


def contact(customer: Customer, email: str = CUSTOMER) -> None:
    Contact.objects.create(customer=customer, name="Ada", email=email)


def customer_of(license: LicenseCreated) -> Customer:
    return license_row(license.license_id).customer


# --- a Usage Request in a mail -----------------------------------------------------------------------------


def test_a_usage_request_names_the_customer_and_its_dry_run_is_ready(license: LicenseCreated) -> None:
    chariot = Chariot(license.license_key, host("pump-house"))
    block = chariot.request()
    booked, requests = LedgerEntry.objects.count(), UsageRequest.objects.count()

    mail = read(letter(f"Hello,\n\nhere it is:\n\n{block}\n\nAda\n", sender="Ada <ada@private.example>"))

    found = Finding.objects.get(kind=FindingKind.REQUEST)
    assert found.mail == mail
    assert (found.outcome, found.code) == ("issued", "activated")
    assert found.hostname == "pump-house"
    assert found.text == block
    assert found.license == license_row(license.license_id)
    conversation = conversation_of(mail)
    assert conversation.customer == customer_of(license)
    assert conversation.license == license_row(license.license_id)
    assert conversation.proved
    assert (conversation.state, conversation.waits_since) == (ConversationState.OPEN, mail.fetched_at)
    assert (mail.from_name, mail.from_address) == ("Ada", "ada@private.example")
    assert (LedgerEntry.objects.count(), UsageRequest.objects.count()) == (booked, requests), "a dry run is not seen"
    assert not IntakeEntry.objects.exists()
    assert not OutgoingMail.objects.exists()


def test_an_address_suggests_a_customer_and_proves_nothing(license: LicenseCreated) -> None:
    contact(customer_of(license))

    conversation = conversation_of(read(letter("When does our license end?\n")))

    assert conversation.customer == customer_of(license)
    assert not conversation.proved
    assert conversation.license is None


def test_a_request_of_another_customer_wins_over_the_address_and_the_first_proof_stays(license: LicenseCreated) -> None:
    other = make_license(customer="Borealis Power")
    contact(customer_of(license))
    first = read(letter("Hello\n"))
    assert conversation_of(first).customer == customer_of(license)

    proof = read(letter(Chariot(other.license_key, host("north")).request(), answers=first.message_id))
    assert proof.conversation == first.conversation
    assert conversation_of(proof).customer == customer_of(other)

    read(letter(Chariot(license.license_key, host("south")).request(), answers=first.message_id))
    assert conversation_of(first).customer == customer_of(other)


def test_a_request_that_is_refused_proves_no_customer(license: LicenseCreated) -> None:
    chariot = Chariot(license.license_key, host("pump-house"))
    block = chariot.request(proof=b"\0" * 16)

    conversation = conversation_of(read(letter(block)))

    found = Finding.objects.get(kind=FindingKind.REQUEST)
    assert (found.outcome, found.code) == ("refused", "license-proof-wrong")
    assert found.license is None
    assert (conversation.customer, conversation.proved) == (None, False)


def test_the_same_request_quoted_and_attached_is_one_finding(license: LicenseCreated) -> None:
    block = Chariot(license.license_key, host("pump-house")).request()
    quoted = "\n".join(f"> {line}" for line in block.splitlines())

    read(letter(f"{block}\n\nOn Monday Ada wrote:\n{quoted}\n"))

    assert [row.kind for row in Finding.objects.all()] == [FindingKind.REQUEST]


def test_damaged_lines_are_named(license: LicenseCreated) -> None:
    lines = Chariot(license.license_key, host("pump-house")).request().splitlines()
    kept = [line for number, line in enumerate(lines) if number not in (3, 5, 7, 9, 11)]

    read(letter("\n".join(kept)))

    found = Finding.objects.get()
    assert (found.kind, found.code) == (FindingKind.DAMAGED, "block-damaged")
    assert len(found.lines) == 5


# --- which conversation ------------------------------------------------------------------------------------


def test_an_answer_joins_by_reference_and_by_our_mark() -> None:
    first = read(letter(message_id="first@acme-water.example"))
    token = conversation_of(first).token

    by_reference = read(letter(answers="first@acme-water.example"))
    by_mark = read(letter(subject=f"Our Chariot [CL-{token}]"))

    assert by_reference.conversation == by_mark.conversation == first.conversation


def test_a_stranger_with_a_forged_reference_stands_alone() -> None:
    first = read(letter(message_id="first@acme-water.example"))
    token = conversation_of(first).token

    forged = [
        read(letter(sender="eve@elsewhere.example", answers="first@acme-water.example")),
        read(letter(sender="eve@elsewhere.example", subject=f"Re: Activation [CL-{token}]")),
        read(letter(sender="ada@acme-water.example.elsewhere.example", answers="first@acme-water.example")),
        read(letter(sender="eve@notacme-water.example", answers="first@acme-water.example")),
        read(letter(sender="undisclosed", answers="first@acme-water.example")),
    ]

    assert all(mail.conversation != first.conversation for mail in forged)
    assert conversation_of(first).incoming.count() == 1


def test_a_colleague_joins_and_a_neighbour_at_a_mail_provider_does_not() -> None:
    first = read(letter(message_id="first@acme-water.example"))
    colleague = read(letter(sender="bo@ACME-Water.example", answers="first@acme-water.example"))
    assert colleague.conversation == first.conversation

    private = read(letter(sender="ada@gmail.com", message_id="private@gmail.com"))
    neighbour = read(letter(sender="eve@gmail.com", answers="private@gmail.com"))
    herself = read(letter(sender="Ada@Gmail.com", answers="private@gmail.com"))
    assert neighbour.conversation != private.conversation
    assert herself.conversation == private.conversation


def test_a_known_contact_joins_from_another_domain(license: LicenseCreated) -> None:
    contact(customer_of(license), "ada@private.example")
    first = read(letter(Chariot(license.license_key, host("pump-house")).request()))

    assert read(letter(sender="ada@private.example", answers=first.message_id)).conversation == first.conversation


def test_an_answer_that_came_before_what_it_answers() -> None:
    ids = [new_id() for _ in range(2)]
    answer = read(letter(message_id=ids[1], answers=ids[0]))
    first = read(letter(message_id=ids[0]))

    assert first.conversation == answer.conversation
    assert Conversation.objects.count() == 1


def test_an_absence_note_opens_nothing_again() -> None:
    first = read(letter(message_id="first@acme-water.example"))
    Conversation.objects.filter(incoming=first).update(state=ConversationState.WAITING, waits_since=None)

    away = read(letter(answers="first@acme-water.example", subject="Automatic reply", Auto_Submitted="auto-replied"))
    assert away.conversation == first.conversation
    assert conversation_of(first).state == ConversationState.WAITING

    read(letter(answers="first@acme-water.example"))
    assert conversation_of(first).state == ConversationState.OPEN


# --- secrets -----------------------------------------------------------------------------------------------


def everything_stored() -> bytes:
    """Every cell of the tables of mail, as the database has it."""
    found: list[bytes] = []
    for model in (IncomingMail, MailSource, Conversation, Finding, OutgoingMail):
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')
            for row in cursor.fetchall():
                found += [bytes(cell) if isinstance(cell, (bytes, memoryview)) else str(cell).encode() for cell in row]
    return b"\n".join(found)


def test_a_license_key_is_blacked_out_and_the_original_is_sealed(license: LicenseCreated) -> None:
    key = license.license_key
    source = letter(
        f"Our key is {key}, and the weather is fine.\n",
        subject=f"Key {key}",
        sender=f'"{key}" <{CUSTOMER}>',
    )

    mail = read(source)

    assert mail.text == "Our key is [License Key], and the weather is fine."
    assert mail.own_text == mail.text
    assert mail.subject == "Key [License Key]"
    stored = everything_stored()
    for spelling in (key, key.lower(), key.replace("-", ""), LicenseKey.parse(key).text):
        assert spelling.encode() not in stored
    sealed = bytes(MailSource.objects.get().sealed)
    assert b"weather" not in sealed
    assert keeping.source_of(mail) == source
    assert key in reading.look_again(mail).text


def test_a_deactivation_code_stands_nowhere_in_clear(license: LicenseCreated) -> None:
    code = format_deactivation_code(bytes(range(16)))
    mail = read(letter(f"License {license.license_id}, code {code}.\n"))

    kinds = {row.kind: row for row in Finding.objects.all()}
    assert set(kinds) == {FindingKind.CODE, FindingKind.LICENSE_ID}
    assert kinds[FindingKind.CODE].text == ""
    assert kinds[FindingKind.LICENSE_ID].license == license_row(license.license_id)
    assert "[deactivation code]" in mail.text
    assert code.encode() not in everything_stored()
    assert code.replace("-", "").encode() not in everything_stored()
    assert conversation_of(mail).license == license_row(license.license_id)
    assert not conversation_of(mail).proved, "anybody may name a License ID"


# --- bringing a mail by hand -------------------------------------------------------------------------------


def test_a_mail_file_is_brought_to_the_desk_once() -> None:
    source = letter("Forwarded by hand\n")

    kept = keeping.bring_mail(source=source, actor=AGENT)
    again = keeping.bring_mail(source=source, actor=AGENT)

    assert isinstance(kept, keeping.Kept)
    assert isinstance(again, keeping.Kept)
    assert (kept.new, again.new) == (True, False)
    assert kept.mail == again.mail
    assert kept.mail.mailbox == f"brought by {AGENT.name}"


def test_what_is_no_mail_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "LARGEST", 1000)
    refused = keeping.bring_mail(source=letter(), actor=AUDITOR)
    empty = keeping.bring_mail(source=b" \r\n", actor=AGENT)
    large = keeping.bring_mail(source=b"x" * 1001, actor=AGENT)

    assert isinstance(refused, Refused)
    assert isinstance(empty, BadInput)
    assert isinstance(large, BadInput)
    assert not MailSource.objects.exists()


# --- readings that fail ------------------------------------------------------------------------------------


def test_a_mail_that_ends_its_reader_each_time_is_left_to_a_person_and_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    poison = keeping.keep_mail(letter("poison\n"), mailbox="test").mail
    good = keeping.keep_mail(letter("good\n"), mailbox="test").mail
    whole = read_mail

    def ends_on_poison(source: bytes, **how: frozenset[str]) -> object:
        if b"poison" in source:
            raise RecursionError
        return whole(source, **how)

    monkeypatch.setattr(reading, "read_mail", ends_on_poison)

    assert tasks.read_mails_job() == 1
    good.refresh_from_db()
    assert good.state == IncomingState.READ
    now = timezone.now()
    assert tasks.read_mails_job() == 0, "it rests before it is tried again"
    for number in range(1, reading.MOST_READINGS + 1):
        poison.refresh_from_db()
        assert (poison.state, poison.readings) == (IncomingState.STORED, number)
        with time_machine.travel(now + number * (reading.REST + timedelta(seconds=5))):
            tasks.read_mails_job()

    poison.refresh_from_db()
    assert poison.state == IncomingState.UNREADABLE
    assert poison.conversation is not None
    assert poison.conversation.state == ConversationState.OPEN
    assert "Open the original" in poison.problems[0]
    assert keeping.source_of(poison).endswith(b"poison\r\n")


def test_a_reading_that_ends_halfway_leaves_nothing(license: LicenseCreated, monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversation, text and findings are there together or not at all."""
    kept = keeping.keep_mail(letter(Chariot(license.license_key, host("pump-house")).request()), mailbox="test").mail

    def ends(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as broken:
        broken.setattr("activations.services.post.findings.Findings.write", ends)
        with pytest.raises(MemoryError):
            reading.read_kept(kept.pk)
    kept.refresh_from_db()
    assert (kept.state, kept.conversation) == (IncomingState.STORED, None)
    assert not Conversation.objects.exists()

    with time_machine.travel(timezone.now() + reading.REST + timedelta(seconds=5)):
        assert reading.read_kept(kept.pk) is not None
    assert Finding.objects.count() == 1


def test_a_mail_is_read_once(license: LicenseCreated) -> None:
    mail = read(letter())

    assert reading.read_kept(mail.pk) is None
    assert tasks.read_mails_job() == 0


# --- our own mails -----------------------------------------------------------------------------------------


def test_the_customers_answer_to_our_mail_comes_back_to_its_conversation(license: LicenseCreated) -> None:
    first = read(letter(f"{Chariot(license.license_key, host('pump-house')).request()}"))
    with transaction.atomic():
        ours = outbox.queue(
            outbox.Letter(key="one", subject="Activation", body="b"),
            to="bo@contractor.example",
            by=AGENT.name,
            conversation=first.conversation,
        )

    answer = read(letter(sender="bo@contractor.example", answers=ours.message_id))
    assert answer.conversation == first.conversation


def test_a_request_that_was_answered_is_found_as_re_sent(license: LicenseCreated) -> None:
    block = Chariot(license.license_key, host("pump-house")).request()
    answered(block)

    read(letter(block))

    assert Finding.objects.get(kind=FindingKind.REQUEST).code == "re-sent"
