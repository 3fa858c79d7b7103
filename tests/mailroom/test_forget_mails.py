"""Old mails are forgotten, young ones and living conversations are not, and the ledger says how many."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from activations.models import Conversation, IncomingMail, LedgerEntry, MailSource, OutgoingMail
from activations.models.privacy import ERASED
from activations.services.ledger_checks import verify_ledger
from activations.services.post.keeping import keep_mail
from activations.services.post.outbox import Letter, queue
from activations.services.post.reading import read_kept
from activations.services.privacy import forgetting
from activations.services.privacy.forgetting import forget_mails
from activations.services.privacy.person import pseudonym_of
from activations.services.results import BadInput, Refused
from tests.mailroom.letters import letter
from tests.portal.cast import AGENT, MANAGER, SOURCE
from tests.portal.tampering import unguarded

pytestmark = pytest.mark.django_db
TWO_YEARS = timedelta(days=730)
NOW = timezone.now()


def conversation(address: str, *, days: int, state: str = "done", sent: str = "sent") -> Conversation:
    """One mail from the address and one to it, so many days ago."""
    mail = read_kept(keep_mail(letter("Hello.\n", sender=f"Ada <{address}>"), mailbox="support").mail.pk)
    assert mail is not None
    assert mail.conversation is not None
    at = NOW - timedelta(days=days)
    with transaction.atomic():
        out = queue(Letter(f"to-{address}", "Re", "Hi"), to=address, by="agent", conversation=mail.conversation)
    with unguarded():  # no time is ever changed, except here, where the mail shall be old
        IncomingMail.objects.filter(pk=mail.pk).update(fetched_at=at)
        OutgoingMail.objects.filter(pk=out.pk).update(queued_at=at, state=sent)
    Conversation.objects.filter(incoming=mail).update(latest_at=at, state=state)
    return mail.conversation


def forget(**more: Any) -> Any:
    given = {"older_than": TWO_YEARS, "actor": MANAGER, "source": SOURCE, "reason": "two years are over", **more}
    return forget_mails(**given)


def known() -> set[str]:
    """The addresses that the tables still know."""
    came = IncomingMail.objects.values_list("from_address", flat=True)
    went = OutgoingMail.objects.values_list("to_address", flat=True)
    return {address for address in (*came, *went) if "pseudonym.invalid" not in address}


def test_old_conversations_that_are_done_are_forgotten_and_no_other() -> None:
    old = conversation("old@acme-water.example", days=800)
    conversation("young@acme-water.example", days=700)
    conversation("open@acme-water.example", days=800, state="open")
    conversation("queued@acme-water.example", days=800, sent="queued")
    result = forget()
    assert (result.incoming, result.outgoing, result.entries) == (2, 1, 1)
    assert known() == {"young@acme-water.example", "open@acme-water.example", "queued@acme-water.example"}
    mail = old.incoming.get()
    name = pseudonym_of("old@acme-water.example")
    assert (mail.from_name, mail.from_address, mail.text) == ("", f"{name}@pseudonym.invalid", ERASED)
    assert bytes(mail.source.sealed) == b""
    assert mail.source.sha256
    entry = LedgerEntry.objects.get()
    assert (entry.kind, entry.actor, entry.reason) == ("mails.forgotten", "manager", "two years are over")
    data = json.loads(entry.body)["data"]
    assert (data["erased"], data["rewritten"]) == ({"mailsource": 2, "outgoingmail": 1}, {"incomingmail": 2})
    assert verify_ledger(rebuild_check=True).problems == ()


def test_a_second_run_finds_nothing_and_books_nothing() -> None:
    conversation("old@acme-water.example", days=800)
    forget()
    again = forget()
    assert (again.incoming, again.outgoing, again.entries) == (0, 0, 0)
    assert LedgerEntry.objects.count() == 1


def test_more_than_one_transaction_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "AT_ONCE", 2)
    for number in range(5):
        conversation(f"old{number}@acme-water.example", days=800)
    assert forget().entries == 3
    assert known() == set()
    assert verify_ledger(rebuild_check=True).problems == ()


def test_the_dry_run_says_how_many() -> None:
    conversation("old@acme-water.example", days=800)
    result = forget(dry_run=True, reason="")
    assert (result.incoming, result.outgoing, result.entries) == (1, 1, 0)
    assert known() == {"old@acme-water.example"}
    assert not MailSource.objects.filter(sealed=b"").exists()


def test_who_may_not_and_what_is_too_young() -> None:
    assert isinstance(forget(actor=AGENT), Refused)
    young = forget(older_than=timedelta(days=29))
    assert isinstance(young, BadInput)
    assert young.code == "too-young"
    assert isinstance(forget(reason=" "), BadInput)
