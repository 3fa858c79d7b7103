"""A contact is taken out: nothing in any table names them afterwards, every hash holds, and nothing else is touched."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.utils import timezone

from activations.domain.words import Actor
from activations.models import (
    Contact,
    Conversation,
    Customer,
    Erasure,
    IncomingMail,
    IntakeEntry,
    Job,
    LedgerEntry,
    MailSource,
    OutgoingMail,
    Reply,
    SavedFilter,
    SentForm,
    UsageRequest,
)
from activations.models.privacy import ERASED
from activations.services import vault
from activations.services.issue import Submission, submit_usage_request
from activations.services.jobs.queue import ask as queue_job
from activations.services.jobs.queue import cancel as cancel_job
from activations.services.ledger_checks import verify_ledger
from activations.services.licenses import LicenseCreated
from activations.services.list_exports import book_list_export
from activations.services.losses import mark_lost
from activations.services.post import notices
from activations.services.post.conversations import add_note
from activations.services.post.keeping import keep_mail, source_of
from activations.services.post.outbox import Envelope, Letter, bad_address, queue
from activations.services.post.reading import read_kept
from activations.services.privacy.finding import Plan
from activations.services.privacy.person import pseudonym_of
from activations.services.privacy.pseudonymise import (
    Pseudonymised,
    plan_pseudonymising,
    pseudonymise_contact,
    text_digest,
)
from activations.services.results import BadInput, Refused
from tests.mailroom.letters import letter
from tests.portal.cast import ADMINISTRATOR, AGENT, AUDITOR, LEAD, MANAGER, SOURCE, license_row
from tests.portal.chariot import Chariot, host
from tests.support import without_triggers

pytestmark = pytest.mark.django_db
ADDRESS, NAME = "ada.byron@acme-water.example", "Ada Byron"
OTHER = "grace@acme-water.example"
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def arrived(source: bytes) -> IncomingMail:
    read = read_kept(keep_mail(source, mailbox="support@portal.example").mail.pk)
    assert read is not None
    return read


@pytest.fixture
def traces(license: LicenseCreated) -> LicenseCreated:
    """Everything that a contact leaves behind: mails in and out, a request, notes, forms, views, logs."""
    customer = license_row(license.license_id).customer
    contact = Contact.objects.create(customer=customer, name=NAME, email=ADDRESS)
    Contact.objects.create(customer=customer, name="Grace Hopper", email=OTHER)
    request = Chariot(license.license_key, host("pump-house")).request()
    mail = arrived(
        letter(
            f"Hello,\n\nplease activate:\n\n{request}\n\nBest regards\nAda Byron\n{ADDRESS}\n+49 30 1234\n",
            subject="Activation for Ada Byron",
            sender=f"Ada Byron <{ADDRESS}>",
            message_id="1.ada.byron@acme-water.example",
        )
    )
    pasted = f"From: Ada  Byron <{ADDRESS}>\n\n{request}\n"
    done = submit_usage_request(
        source=pasted, actor=AGENT, origin="desk", reply=True, envelope=Envelope(mail.conversation_id or 0, ADDRESS)
    )
    assert isinstance(done, Submission), done
    assert done.booked
    conversation = Conversation.objects.get(incoming=mail)
    with transaction.atomic():
        queue(
            Letter("by-hand", "For Ada", "Dear Ms Byron,\n\nhere it is.\n"),
            to=ADDRESS,
            by="agent",
            conversation=conversation,
        )
    OutgoingMail.objects.update(state="sent", sent_at=timezone.now(), problem=f"{ADDRESS}: slow")
    _said_by_colleagues(conversation)
    _kept_beside(contact)
    return license


def _said_by_colleagues(conversation: Conversation) -> None:
    add_note(conversation_pk=conversation.pk, text="Called Mrs Byron, she calls back", actor=AGENT)
    arrived(letter(f"My colleague ADA BYRON asked.\n> From: {ADDRESS}\n", sender=OTHER, Cc=ADDRESS))
    arrived(letter("Nothing about anybody.\n", sender=OTHER, Cc=f"Ada Byron <{ADDRESS}>"))
    arrived(letter("Quite another thing. Adapt the pump.\n", sender="bob@basin.example"))
    IntakeEntry.objects.create(received_at=AT, received_by="agent", text=f"hello from {ADDRESS}", code="x", message="y")


def _kept_beside(contact: Contact) -> None:
    user = User.objects.create_user("agent", is_staff=True)
    SavedFilter.objects.create(owner=user, page="x", name="Ada Byron", query="q=ada.byron%40acme-water.example")
    SentForm.objects.create(user=user, token="t", digest="d", sent_at=AT, booked=f"Sent to {ADDRESS}", page="/")
    asked = {"filter": {"q": [ADDRESS, "ada byron"]}}
    Job.objects.create(kind="list", state="done", asked_by="agent", asked_at=AT, ended_at=AT, asked_for=asked)
    LogEntry.objects.create(
        user=user,
        content_type=ContentType.objects.get_for_model(Customer),
        object_id=str(contact.customer_id),
        object_repr="Acme Water",
        action_flag=CHANGE,
        change_message=json.dumps([{"changed": {"name": "contact", "object": str(contact), "fields": ["email"]}}]),
    )


def forget(*, actor: Actor = MANAGER, reason: str = "asked for it in a letter", **more: Any) -> Any:
    return pseudonymise_contact(email=ADDRESS, actor=actor, source=SOURCE, reason=reason, **more)


def planned() -> Plan:
    plan = plan_pseudonymising(email=ADDRESS, actor=MANAGER)
    assert isinstance(plan, Plan), plan
    return plan


def dump() -> Iterator[tuple[str, str]]:
    """Every value of every table, those of other apps too: (table, text). What is encrypted is opened first."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            for row in cursor.fetchall():
                for value in row:
                    yield table, _text(value)
    for source in MailSource.objects.exclude(sealed=b""):
        yield "opened mails", zlib.decompress(vault.decrypt(bytes(source.sealed), use="mail")).decode("latin-1")


def _text(value: Any) -> str:
    return bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)


def found_in(*words: str) -> set[str]:
    return {table for table, text in dump() for word in words if word.casefold() in text.casefold()}


TRACES = ("ada.byron", "ada%2ebyron", "byron", "+49 30 1234", "Ada ")


def test_a_dump_of_every_table_names_the_contact_before_and_not_after(traces: LicenseCreated) -> None:
    assert found_in(*TRACES) >= {
        "activations_contact",
        "activations_conversation",
        "activations_conversationnote",
        "activations_incomingmail",
        "activations_intakeentry",
        "activations_outgoingmail",
        "activations_savedfilter",
        "activations_sentform",
        "activations_usagerequest",
        "django_admin_log",
        "opened mails",
    }
    result = forget()
    assert isinstance(result, Pseudonymised), result
    assert found_in(*TRACES) == set()
    assert result.stays == ()


def test_what_is_booked(traces: LicenseCreated) -> None:
    plan, before = planned(), LedgerEntry.objects.count()
    pks = [contact.pk for contact in plan.person.contacts]
    forget()
    assert LedgerEntry.objects.count() == before + 1
    entry = LedgerEntry.objects.latest("id")
    assert (entry.chain, entry.kind, entry.actor, entry.reason) == (
        "portal",
        "contact.pseudonymised",
        "manager",
        "asked for it in a letter",
    )
    assert json.loads(entry.body)["data"] == {
        "pseudonym": pseudonym_of(ADDRESS),
        "contacts": pks,
        "erased": {"conversationnote": 1, "intakeentry": 1, "mailsource": 3, "outgoingmail": 9, "usagerequest": 1},
        "rewritten": {
            "contact": 1,
            "conversation": 1,
            "incomingmail": 2,
            "job": 1,
            "logentry": 1,
            "outgoingmail": 2,
            "savedfilter": 1,
            "sentform": 1,
        },
    }
    assert Erasure.objects.filter(seq=entry.seq).count() == 15


def test_every_hash_holds_and_the_tables_say_what_the_ledger_says(traces: LicenseCreated) -> None:
    bodies = dict(LedgerEntry.objects.values_list("pk", "body"))
    forget()
    assert {pk: body for pk, body in LedgerEntry.objects.values_list("pk", "body") if pk in bodies} == bodies
    assert verify_ledger(rebuild_check=True).problems == ()


def test_the_request_the_answer_and_everybody_else_stay(traces: LicenseCreated) -> None:
    request = UsageRequest.objects.get()
    sent = OutgoingMail.objects.exclude(attachment="").get()
    digests = dict(MailSource.objects.values_list("pk", "sha256"))
    bystander = IncomingMail.objects.get(from_address="bob@basin.example")
    forget()
    after = UsageRequest.objects.get()
    assert (after.text, bytes(after.payload), after.received) == (request.text, bytes(request.payload), ERASED)
    assert OutgoingMail.objects.exclude(attachment="").get().attachment == sent.attachment
    assert Reply.objects.exclude(body=ERASED).count() == Reply.objects.count()  # it names nobody
    assert dict(MailSource.objects.values_list("pk", "sha256")) == digests
    assert Contact.objects.filter(email=OTHER, name="Grace Hopper").exists()
    assert "Adapt the pump" in IncomingMail.objects.get(pk=bystander.pk).text
    assert b"Adapt the pump" in source_of(IncomingMail.objects.get(pk=bystander.pk))
    quoted = IncomingMail.objects.get(text__contains="My colleague")
    assert f"My colleague {pseudonym_of(ADDRESS)} asked" in quoted.text


def test_an_erased_text_is_recognised_by_its_digest(traces: LicenseCreated) -> None:
    before = UsageRequest.objects.get()
    forget()
    erasure = Erasure.objects.get(of_table="usagerequest", of_row=before.pk)
    assert erasure.digest == text_digest(before.received) != text_digest("something else")
    assert not Erasure.objects.filter(of_column__in=["to_address", "subject"]).exclude(digest="").exists()


def test_the_original_says_that_it_was_erased(traces: LicenseCreated) -> None:
    forget()
    mail = IncomingMail.objects.filter(text=ERASED)[0]
    with pytest.raises(vault.VaultError, match="erased"):
        source_of(mail)


def test_nothing_goes_to_a_pseudonym(traces: LicenseCreated) -> None:
    forget()
    wrong = bad_address(f"{pseudonym_of(ADDRESS)}@pseudonym.invalid")
    assert isinstance(wrong, BadInput)
    assert wrong.code == "address-pseudonym"
    license = license_row(traces.license_id)
    assert [contact.email for contact in notices._contacts(license)] == [OTHER]


def test_what_the_ledger_says_of_a_person_is_named_and_stays(traces: LicenseCreated) -> None:
    activation = UsageRequest.objects.get().answers.get().activation.activation_id
    mark_lost(activation_id=activation, actor=AGENT, source=SOURCE, reason="Ada Byron says it was flooded")
    entry = LedgerEntry.objects.latest("id")
    sentence = f"Entries of the ledger that name them, which no power can change: {entry.chain} {entry.seq}."
    assert planned().stays == [sentence]
    assert forget().stays == (sentence,)
    assert verify_ledger(rebuild_check=True).problems == ()


def test_the_dry_run_writes_nothing_and_what_changed_since_is_shown_again(traces: LicenseCreated) -> None:
    plan, before = planned(), sorted(dump())
    assert sorted(dump()) == before
    arrived(letter("One more thing.\n", sender=ADDRESS))
    refused = forget(expect=plan.digest)
    assert isinstance(refused, Refused)
    assert refused.code == "facts-changed"
    assert found_in("byron")
    assert isinstance(forget(expect=planned().digest), Pseudonymised)


def test_twice_finds_nobody_and_the_same_address_gets_the_same_pseudonym(traces: LicenseCreated) -> None:
    first = forget()
    again = forget()
    assert isinstance(again, BadInput)
    assert again.code == "contact-unknown"
    customer = license_row(traces.license_id).customer
    Contact.objects.filter(email__startswith="contact-").delete()
    Contact.objects.create(customer=customer, name="Ada B.", email=ADDRESS.upper())
    assert forget().pseudonym == first.pseudonym


def test_an_export_that_names_them_is_finished_first(traces: LicenseCreated) -> None:
    """What it books when it is done would hold the name for good."""
    job = queue_job("list-export", {"query": f"q={NAME}"}, actor=AUDITOR)
    assert isinstance(job, Job)
    refused = forget()
    assert isinstance(refused, Refused)
    assert refused.code == "export-on-its-way"
    assert cancel_job(job.pk, actor=AUDITOR) is None
    assert not isinstance(forget(), Refused)
    assert found_in(NAME) == set()


def test_mails_that_are_on_their_way_go_first(traces: LicenseCreated) -> None:
    OutgoingMail.objects.filter(key="by-hand").update(state="queued")
    refused = forget()
    assert isinstance(refused, Refused)
    assert refused.code == "mail-on-its-way"
    assert found_in("byron")


@pytest.mark.parametrize("reason", ["Ada Byron asked", f"{ADDRESS} wrote", "Mrs Byron asked", "ada byron"])
def test_the_reason_must_not_name_them(traces: LicenseCreated, reason: str) -> None:
    refused = forget(reason=reason)
    assert isinstance(refused, BadInput)
    assert refused.code == "reason-names-contact"
    assert not LedgerEntry.objects.filter(kind="contact.pseudonymised").exists()


@pytest.mark.parametrize("actor", [AGENT, LEAD, AUDITOR], ids=lambda actor: actor.name)
def test_who_may_not(traces: LicenseCreated, actor: Actor) -> None:
    assert isinstance(forget(actor=actor), Refused)
    assert isinstance(plan_pseudonymising(email=ADDRESS, actor=actor), Refused)
    assert found_in("byron")


def test_an_administrator_may(traces: LicenseCreated) -> None:
    assert isinstance(forget(actor=ADMINISTRATOR), Pseudonymised)


def test_a_failure_in_the_middle_leaves_everything(traces: LicenseCreated, monkeypatch: pytest.MonkeyPatch) -> None:
    from activations.services.privacy import pseudonymise

    before = sorted(dump())
    true: Callable[..., Any] = pseudonymise.erase

    def then_fail(*args: Any, **named: Any) -> None:
        true(*args, **named)
        raise ZeroDivisionError

    monkeypatch.setattr(pseudonymise, "erase", then_fail)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        forget()
    assert sorted(dump()) == before


def test_a_search_for_a_person_is_exported_under_their_pseudonym(traces: LicenseCreated) -> None:
    """What a filter says goes into the ledger, where nobody can be taken out of it."""
    typed = {"q": [ADDRESS, "ada  BYRON", "Acme Water", "stranger@elsewhere.example"]}
    what: dict[str, Any] = {"name": "Customers", "format": "csv", "rows": 1, "belongs": None, "readers": ()}
    book_list_export(filter=typed, actor=AUDITOR, source=SOURCE, **what)
    said = json.loads(LedgerEntry.objects.latest("id").body)["data"]["filter"]["q"]
    name = pseudonym_of(ADDRESS)
    assert said == [name, name, "Acme Water", pseudonym_of("stranger@elsewhere.example")]


# --- the check finds what was erased past the service ------------------------------------------------------


@contextmanager
def without_guards() -> Iterator[None]:
    connection.check_constraints()  # PostgreSQL alters no table while its foreign keys wait to be checked
    with without_triggers(connection):
        yield


def problems() -> list[str]:
    return [problem for problem in verify_ledger(rebuild_check=True).problems if not problem.startswith("trigger")]


def test_what_is_erased_without_a_booking_is_found(traces: LicenseCreated) -> None:
    source = MailSource.objects.order_by("pk")[0]
    with without_guards():
        MailSource.objects.filter(pk=source.pk).update(sealed=b"")
        said = f"mailsource {source.pk} sealed: it was erased, and no entry of the ledger says so"
        assert problems() == [said]


def test_what_is_booked_as_erased_and_is_there_again_is_found(traces: LicenseCreated) -> None:
    forget()
    entry = LedgerEntry.objects.latest("id")
    erased = Erasure.objects.filter(of_table="mailsource").order_by("pk")[0]
    name = f"mailsource {erased.of_row} sealed"
    with without_guards():
        MailSource.objects.filter(pk=erased.of_row).update(sealed=b"something")
        assert problems() == [f"{name}: the ledger says that it was erased, and something stands there"]
        MailSource.objects.filter(pk=erased.of_row).update(sealed=b"")
        Erasure.objects.filter(pk=erased.pk).delete()
        counted, gone = problems()
        assert counted.startswith(f"portal entry {entry.seq} erased: the ledger says")
        assert gone == f"{name}: it was erased, and no entry of the ledger says so"
