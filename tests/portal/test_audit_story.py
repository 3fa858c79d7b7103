"""The story of an activation: mails as they came and went, the code that ended it, refusals, the case, sightings."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from activations.admin.audit import story
from activations.domain.words import Choice
from activations.models import (
    Activation,
    IncomingMail,
    LedgerEntry,
    OutgoingMail,
    Reply,
    Restoration,
    UsageRequest,
)
from activations.services.deactivate import deactivate_activation
from activations.services.evidence import add_evidence
from activations.services.issue import submit_usage_request
from activations.services.licenses import LicenseCreated
from activations.services.post.outbox import Envelope, note_sent, send_again, standing
from activations.services.privacy.pseudonymise import pseudonymise_contact
from activations.services.results import BadInput, Refused
from tests.mailroom.letters import letter
from tests.mailroom_web.post import arrived, known
from tests.portal.cases import PHOTO, activated, approved, denied, opened
from tests.portal.cast import AGENT, LEAD, MANAGER, SOURCE, answered, issue
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser, Page, signed_in

CUSTOMER = "ada@acme-water.example"


@pytest.fixture
def auditor(license: LicenseCreated) -> Browser:
    return signed_in("auditor")


def done(result: Any) -> Any:
    assert not isinstance(result, Refused | BadInput), result
    return result


def told(browser: Browser, hostname: str, query: str = "") -> Page:
    activation = Activation.objects.get(hostname=hostname)
    page = browser.get(f"{reverse('admin:audit_story', args=[activation.activation_id])}{query}")
    assert page.status == 200, page.words
    return page


def texts(page: Page) -> list[str]:
    """The content of every text of the page, as a browser shows it."""
    parts = page.html.split('<pre class="block prose" dir="auto" tabindex="0">\n')[1:]
    return [html.unescape(part.partition("</pre>")[0]) for part in parts]


def by_mail(license: LicenseCreated, chariot: Chariot) -> IncomingMail:
    """Asked for by mail, answered by mail, and the mail server took it."""
    mail = arrived(letter(f"Hello,\n  please:\n\n{chariot.request()}\n", sender=CUSTOMER, subject="A new host"))
    text = mail.findings.get(kind="usage-request").text
    done(
        submit_usage_request(
            source=text, actor=AGENT, origin="desk", reply=True, envelope=Envelope(mail.conversation_id or 0, CUSTOMER)
        )
    )
    return mail


def freed_by_mail(license: LicenseCreated, code: str, **how: Any) -> IncomingMail:
    mail = arrived(letter(f"License {license.license_id}\nCode {code}\n", sender=CUSTOMER, subject="It is gone", **how))
    envelope = Envelope(mail.conversation_id or 0, CUSTOMER)
    done(
        deactivate_activation(
            license_id=license.license_id, code=code, actor=AGENT, source="desk", reply=True, envelope=envelope
        )
    )
    return mail


def test_mails_are_told_as_they_came_and_went(license: LicenseCreated, auditor: Browser) -> None:
    mail = by_mail(license, Chariot(license.license_key, host("pump-house")))
    sent = OutgoingMail.objects.get()
    OutgoingMail.objects.filter(pk=sent.pk).update(state="sending", claim="x", claimed_at=sent.queued_at)
    note_sent(OutgoingMail.objects.get())
    again = done(
        send_again(
            mail_pk=sent.pk,
            to_address="ops@acme-water.example",
            shown=standing(OutgoingMail.objects.get()),
            actor=AGENT,
        )
    ).mail

    page = told(auditor, "pump-house")

    mail.refresh_from_db()
    shown = texts(page)
    assert [mail.text, mail.text] != [sent.body, sent.attachment]
    for text in (mail.text, sent.body, sent.attachment, UsageRequest.objects.get().received, Reply.objects.get().body):
        assert text in shown
    order = (
        "Mail received",
        "Usage Request received",
        "Activated",
        "Reply written",
        "Mail to the customer",
        "sent again",
    )
    places = [page.words.index(words) for words in order]
    assert places == sorted(places)
    assert f"from {CUSTOMER}, in support@portal.example" in page.words
    assert f"SHA-256 {mail.source.sha256}" in page.words
    assert f"to {CUSTOMER}, queued by agent" in page.words
    assert "The mail server took it. Sent 20" in page.words
    assert "to ops@acme-water.example" in page.words
    assert again.pk != sent.pk
    conversation = reverse("admin:inbox_conversation", args=[mail.conversation_id])
    for address in (
        f"{conversation}?mail={mail.pk}#mail-{mail.pk}",
        reverse("admin:activations_outgoingmail_change", args=[sent.pk]),
        reverse("admin:activations_reply_change", args=[Reply.objects.get().pk]),
        reverse("admin:activations_usagerequest_change", args=[UsageRequest.objects.get().pk]),
    ):
        assert f'href="{address}"' in page.html
        assert auditor.get(address).status == 200


def test_the_mail_that_brought_a_code_is_shown_and_the_code_is_not(license: LicenseCreated, auditor: Browser) -> None:
    pump = activated(license, "pump-house")
    code = pump.deactivate()
    mail = freed_by_mail(license, code)
    later = arrived(letter(f"Did you get it?\nCode {code}\n", sender=CUSTOMER, answers=mail.message_id))
    assert later.conversation_id == mail.conversation_id

    page = told(auditor, "pump-house")

    assert "Deactivated, seat freed" in page.words
    assert f"The mail of {mail.fetched_at:%Y-%m-%d %H:%M} that brought the code" in page.words
    mail.refresh_from_db()
    assert mail.text in texts(page)
    assert license.license_id in mail.text
    assert code not in page.html
    assert code.replace("-", "") not in page.html
    assert "Did you get it" not in page.words  # it came after
    assert "No mail that was answered with this" not in page.words
    assert OutgoingMail.objects.get().body in texts(page)


def test_a_code_that_was_pasted_is_said_to_be_kept_nowhere(license: LicenseCreated, auditor: Browser) -> None:
    pump = activated(license, "pump-house")
    code = pump.deactivate()
    done(deactivate_activation(license_id=license.license_id, code=code, actor=AGENT, source="desk"))
    page = told(auditor, "pump-house")
    assert (
        "No mail that was answered with this is known to have brought the code: it was pasted, read out, or given"
        in page.words
    )
    assert code not in page.html


def test_a_code_of_another_conversation_is_not_taken_for_this_one(license: LicenseCreated, auditor: Browser) -> None:
    pump, mill = activated(license, "pump-house"), activated(license, "mill")
    freed_by_mail(license, mill.deactivate())
    done(deactivate_activation(license_id=license.license_id, code=pump.deactivate(), actor=AGENT, source="desk"))
    page = told(auditor, "pump-house")
    assert "that brought the code" not in page.words
    assert "Mail received" not in page.words


def test_what_the_same_chariot_asked_in_vain_is_told(license: LicenseCreated, auditor: Browser) -> None:
    pump, mill = activated(license, "pump-house"), activated(license, "mill")
    pump.facts = host("new hardware")
    moved = pump.request()
    issue(moved)
    issue(moved, Choice.REFUSE, actor=LEAD, reason="it looks like a clone")
    other = mill.request()
    answered(other)

    page = told(auditor, "pump-house")

    assert "Usage Request waits for a person" in page.words
    assert "Usage Request refused by a person" in page.words
    assert "it looks like a clone" in page.words
    assert moved in texts(page)
    assert other not in texts(page)
    assert "it looks like a clone" not in told(auditor, "mill").words


def test_the_case_is_told_with_who_decided_and_its_evidence(license: LicenseCreated, auditor: Browser) -> None:
    pump = activated(license, "pump-house")
    first = opened("pump-house")
    denied(first)
    second = opened("pump-house")
    done(
        add_evidence(restoration_id=second.restoration_id, name="burned.jpg", content=PHOTO, actor=AGENT, source=SOURCE)
    )
    approved(second)
    issue(pump.request())

    page = told(auditor, "pump-house")

    file = second.evidence.get()
    assert "by agent: A fire at pump-house, they say." in page.words
    assert "Denied" in page.words
    assert "by lead: No proof." in page.words
    assert "by lead: Photos seen." in page.words
    address = reverse("admin:restoration_evidence_file", args=[second.pk, file.pk])
    assert page.html.count(f'href="{address}"') == 2  # with the case, and where it was added
    assert f"SHA-256 {file.sha256}" in page.words
    for words in ("Evidence added", "Restoration denied", "Restoration approved", "Written-off host seen again"):
        assert words in page.words
    seen = UsageRequest.objects.latest("pk")
    assert f"Seen again {seen.received_at:%Y-%m-%d %H:%M}" in page.words
    assert seen.text in texts(page)
    for case in Restoration.objects.all():
        assert f'href="{reverse("admin:activations_restoration_change", args=[case.pk])}"' in page.html


def test_an_erased_text_is_said_to_be_erased(license: LicenseCreated, auditor: Browser) -> None:
    known(license.license_id, CUSTOMER)
    pump = Chariot(license.license_key, host("pump-house"))
    answered(f"From: {CUSTOMER}\n\n{pump.request()}")
    assert any(CUSTOMER in text for text in texts(told(auditor, "pump-house")))
    done(pseudonymise_contact(email=CUSTOMER, actor=MANAGER, source=SOURCE, reason="asked for it"))
    page = told(auditor, "pump-house")
    assert "As it was received: erased for the sake of a person; the portal's chain has the entry" in page.words
    assert "[erased]" not in page.words
    assert UsageRequest.objects.get().text in texts(page)


def test_a_long_story_has_pages(license: LicenseCreated, auditor: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "PER_PAGE", 2)
    activated(license, "pump-house")
    first, last = told(auditor, "pump-house"), told(auditor, "pump-house", "?page=2")
    assert "Page 1 of 2, 3 steps" in first.words
    assert "Usage Request received" in first.words
    assert "Usage License issued" not in first.words
    assert "Usage License issued" in last.words
    assert 'start="3"' in last.html
    assert told(auditor, "pump-house", "?page=x").status == 200


def test_every_entry_of_the_license_that_names_the_activation_is_told(
    license: LicenseCreated, auditor: Browser
) -> None:
    pump = activated(license, "pump-house")
    activated(license, "mill")
    answered(pump.request())
    approved(opened("pump-house"))
    name = Activation.objects.get(hostname="pump-house").activation_id
    page = told(auditor, "pump-house")
    for entry in LedgerEntry.objects.filter(body__contains=name):
        assert reverse("admin:activations_ledgerentry_change", args=[entry.pk]) in page.html
    other = Activation.objects.get(hostname="mill").activation_id
    for entry in LedgerEntry.objects.filter(body__contains=other):
        assert reverse("admin:activations_ledgerentry_change", args=[entry.pk]) not in page.html


def test_the_story_asks_the_same_number_of_questions_however_long_it_is(
    license: LicenseCreated, auditor: Browser
) -> None:
    def queries() -> int:
        told(auditor, "pump-house")
        with CaptureQueriesContext(connection) as caught:
            told(auditor, "pump-house")
        return len(caught)

    known(license.license_id, CUSTOMER)
    pump = Chariot(license.license_key, host("pump-house"))
    by_mail(license, pump)
    opened_case = opened("pump-house")
    done(
        add_evidence(restoration_id=opened_case.restoration_id, name="a.jpg", content=PHOTO, actor=AGENT, source=SOURCE)
    )
    denied(opened_case)
    again = opened("pump-house")
    approved(again)
    issue(pump.request())
    before_it_ended = pump.snapshot()
    freed_by_mail(license, pump.deactivate())
    page, before = told(auditor, "pump-house"), queries()
    assert "Written-off host settled" in page.words
    for _ in range(3):
        mail = arrived(letter(f"Again:\n\n{before_it_ended.request()}\n", sender=CUSTOMER))
        issue(mail.findings.get(kind="usage-request").text)
    longer = told(auditor, "pump-house")
    assert longer.html.count("<time ") >= page.html.count("<time ") + 6  # a mail and an entry each
    assert queries() == before
