"""Mails that arrived, and the forms of the pages that answer them."""

from __future__ import annotations

from django.urls import reverse

from activations.models import Contact, Conversation, IncomingMail
from activations.services.post.keeping import keep_mail
from activations.services.post.reading import read_kept
from tests.mailroom.letters import CUSTOMER
from tests.portal.cast import license_row
from tests.portal.web import Browser, Page


def arrived(source: bytes) -> IncomingMail:
    kept = keep_mail(source, mailbox="support@portal.example")
    read = read_kept(kept.mail.pk)
    assert read is not None
    return read


def known(license_id: str, address: str = CUSTOMER) -> None:
    """Makes the address a contact of the license's customer."""
    Contact.objects.create(customer=license_row(license_id).customer, email=address)


def place(name: str, *args: object) -> str:
    return reverse(f"admin:{name}", args=args)


def opened(browser: Browser, mail: IncomingMail, number: int = 0) -> Page:
    """Presses Open at one of the mail's findings."""
    finding = mail.findings.exclude(kind="license-id")[number]
    page = browser.get(place("inbox_conversation", mail.conversation_id))
    return page.send(page.form(place("inbox_open", finding.pk)))


def conversation() -> Conversation:
    return Conversation.objects.get()
