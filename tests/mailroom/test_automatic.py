"""Answers without a person: off by default, and never for what takes or decides something."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone

from activations.domain.words import AutomaticOutcome
from activations.models import AutomaticAnswer, Contact, Conversation, LedgerEntry, OutgoingMail
from activations.services.licenses import LicenseCreated
from activations.services.post import automatic
from activations.services.post.automatic import MOST_A_DAY, allow, answer_by_itself
from activations.services.post.conversations import claim_conversation
from activations.services.results import BadInput, Refused
from tests.mailroom.letters import CUSTOMER, letter
from tests.mailroom.test_answering import arrived
from tests.portal.cast import AGENT, MANAGER, answered, entries, length, license_row
from tests.portal.chariot import Chariot, host

pytestmark = pytest.mark.django_db
UPDATED, RESENT, DAMAGED = AutomaticOutcome.UPDATED, AutomaticOutcome.RESENT, AutomaticOutcome.DAMAGED


@pytest.fixture
def chariot(license: LicenseCreated) -> Chariot:
    """An activated one, whose customer has a contact."""
    Contact.objects.create(customer=license_row(license.license_id).customer, email=CUSTOMER)
    chariot = Chariot(license.license_key, host("pump-house"))
    chariot.install(answered(chariot.request()))
    return chariot


def switch(outcome: str, allowed: bool | None = True, customer_pk: int | None = None) -> None:
    done = allow(outcome=outcome, customer_pk=customer_pk, allowed=allowed, actor=MANAGER, source="desk")
    assert not isinstance(done, Refused | BadInput), done


def test_nothing_is_answered_until_it_is_allowed(license: LicenseCreated, chariot: Chariot) -> None:
    before = LedgerEntry.objects.count()
    assert answer_by_itself(arrived(letter(chariot.request()))) == ""
    assert LedgerEntry.objects.count() == before
    assert not OutgoingMail.objects.exists()


def test_an_update_of_a_known_contact(license: LicenseCreated, chariot: Chariot) -> None:
    switch(UPDATED)
    before = length(license.license_id)
    mail = arrived(letter(chariot.request()))
    assert answer_by_itself(mail) == "updated"
    assert [(actor, kind) for _, actor, kind, _ in entries(license.license_id, after=before)] == [
        ("automatic", "request.received"),
        ("automatic", "activation.updated"),
        ("automatic", "usage_license.issued"),
    ]
    sent = OutgoingMail.objects.get()
    assert (sent.to_address, sent.queued_by, sent.key) == (CUSTOMER, "automatic", f"automatic:{mail.pk}")
    assert sent.attachment
    assert answer_by_itself(mail) == ""  # the same mail, read again after a crash
    assert OutgoingMail.objects.count() == 1


@pytest.mark.parametrize(
    ("found", "answered_by_itself"),
    [
        ("dmarc=fail; spf=pass; dkim=pass", False),
        ("dmarc=none; spf=fail; dkim=none", False),
        ("spf=fail; dkim=fail", False),
        ("spf=fail; dkim=pass", True),  # forwarded, and signed by the domain
        ("dmarc=pass; spf=softfail", True),
        ("spf=pass", True),
    ],
)
def test_a_sender_that_our_server_found_forged_waits_for_a_person(
    found: str, answered_by_itself: bool, chariot: Chariot, settings: Any
) -> None:
    settings.TRUSTED_MAIL_SERVERS = ["mx.portal.example"]
    switch(UPDATED)
    mail = arrived(letter(chariot.request(), Authentication_Results=f"mx.portal.example; {found}"))
    assert mail.checks
    assert (answer_by_itself(mail) == "updated") == answered_by_itself


def test_the_stored_answer_again(license: LicenseCreated, chariot: Chariot) -> None:
    text = chariot.request()
    first = answered(text)
    switch(RESENT)
    before = length(license.license_id)
    assert answer_by_itself(arrived(letter(text))) == "re-sent"
    assert [(actor, kind) for _, actor, kind, _ in entries(license.license_id, after=before)] == [
        ("automatic", "usage_license.resent")
    ]
    assert OutgoingMail.objects.get().attachment == first


def test_damaged_lines_are_asked_for(license: LicenseCreated, chariot: Chariot) -> None:
    switch(DAMAGED)
    lines = chariot.request().splitlines()
    mail = arrived(letter("\n".join([*lines[:3], *lines[6:]])))
    assert answer_by_itself(mail) == "damaged"
    sent = OutgoingMail.objects.get()
    assert "once more" in sent.body
    assert sent.attachment == ""


def test_a_new_activation_is_never_automatic(license: LicenseCreated, chariot: Chariot) -> None:
    for outcome in AutomaticOutcome:
        switch(outcome)
    before = LedgerEntry.objects.count()
    other = Chariot(license.license_key, host("filter-hall"))
    assert answer_by_itself(arrived(letter(other.request()))) == ""
    assert LedgerEntry.objects.count() == before


@pytest.mark.parametrize(
    ("why", "how"),
    [
        ("a stranger", {"sender": "eve@evil.example"}),
        ("a machine", {"Auto_Submitted": "auto-replied"}),
        ("a mailing list", {"Precedence": "list"}),
        ("an answer that goes elsewhere", {"Reply_To": "eve@evil.example"}),
    ],
)
def test_who_gets_no_automatic_answer(license: LicenseCreated, chariot: Chariot, why: str, how: dict[str, str]) -> None:
    switch(UPDATED)
    before = LedgerEntry.objects.count()
    assert answer_by_itself(arrived(letter(chariot.request(), **how))) == "", why  # type: ignore[arg-type]
    assert LedgerEntry.objects.count() == before
    assert not OutgoingMail.objects.exists()


def test_two_requests_wait_for_a_person(license: LicenseCreated, chariot: Chariot) -> None:
    switch(UPDATED)
    other = Chariot(license.license_key, host("filter-hall"))
    assert answer_by_itself(arrived(letter(f"{chariot.request()}\n\n{other.request()}"))) == ""


def test_where_a_person_is_at_work_no_machine_answers(license: LicenseCreated, chariot: Chariot) -> None:
    switch(UPDATED)
    mail = arrived(letter(chariot.request()))
    claim_conversation(conversation_pk=mail.conversation_id or 0, actor=AGENT)
    mail.conversation = Conversation.objects.get()
    assert answer_by_itself(mail) == ""


def test_a_loop_ends(license: LicenseCreated, chariot: Chariot) -> None:
    text = chariot.request()
    answered(text)
    switch(RESENT)
    results = [answer_by_itself(arrived(letter(f"Again {number}\n{text}"))) for number in range(MOST_A_DAY + 2)]
    assert results.count("re-sent") == MOST_A_DAY
    assert results[-1] == ""


def test_one_customer_otherwise_than_all(license: LicenseCreated, chariot: Chariot) -> None:
    customer = license_row(license.license_id).customer_id
    assert not automatic.allowed_for(UPDATED, customer)
    switch(UPDATED, True, customer)
    assert automatic.allowed_for(UPDATED, customer)
    assert not automatic.allowed_for(UPDATED, None)
    switch(UPDATED, True)
    switch(UPDATED, False, customer)
    assert not automatic.allowed_for(UPDATED, customer)
    switch(UPDATED, None, customer)
    assert automatic.allowed_for(UPDATED, customer)
    booked = LedgerEntry.objects.filter(chain="portal", kind="automatic_answer.changed").order_by("seq")
    assert [(entry.actor, json.loads(entry.body)["data"]) for entry in booked] == [
        ("manager", {"outcome": "updated", "customer": customer, "allowed": allowed})
        for customer, allowed in (("Acme Water", True), ("", True), ("Acme Water", False), ("Acme Water", None))
    ]


def test_who_may_allow_it(license: LicenseCreated) -> None:
    refused = allow(outcome="updated", customer_pk=None, allowed=True, actor=AGENT, source="desk")
    assert isinstance(refused, Refused)
    assert refused.code == "not-allowed"
    assert isinstance(allow(outcome="issued", customer_pk=None, allowed=True, actor=MANAGER, source="desk"), BadInput)
    same = allow(outcome="updated", customer_pk=None, allowed=False, actor=MANAGER, source="desk")
    assert isinstance(same, Refused)
    assert same.code == "nothing-changed"
    assert not AutomaticAnswer.objects.exists()


@pytest.mark.parametrize("customer", [None, "Acme Water"])
def test_the_database_keeps_one_row_for_each(license: LicenseCreated, customer: str | None) -> None:
    row = license_row(license.license_id).customer if customer else None
    said = {"outcome": "updated", "customer": row, "changed_at": timezone.now(), "changed_by": "manager"}
    AutomaticAnswer.objects.create(**said)
    with pytest.raises(IntegrityError):
        AutomaticAnswer.objects.create(**said)
