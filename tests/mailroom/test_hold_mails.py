"""hold_mails: after a restore every queued mail waits for a person, and the ledger says how many."""

from __future__ import annotations

import json

import pytest
from django.db import transaction
from django.utils import timezone

from activations.domain.words import OutgoingState
from activations.models import LedgerEntry, OutgoingMail, StaffEvent
from activations.services.post import outbox
from activations.services.post.holding import HELD, MailsHeld, hold_mails
from activations.services.post.outbox import Letter, queue, send_again, settle, standing
from activations.services.results import BadInput, Refused
from activations.tasks import send_mails_job
from tests.mailroom.smtp import Catcher
from tests.portal.cast import ADMINISTRATOR, AGENT, EVERYONE, SOURCE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("nobody_sends_by_itself")]
REASON = "restored the backup of last night"


def queued(name: str) -> OutgoingMail:
    with transaction.atomic():
        return queue(Letter(name, "News", "Hello."), to=f"{name}@acme.example", by="agent", conversation=None)


def hold(actor: object = ADMINISTRATOR, reason: str = REASON) -> object:
    return hold_mails(actor=actor, source=SOURCE, reason=reason)  # type: ignore[arg-type]


def test_no_held_mail_goes_out_before_a_person_says_so(smtp: Catcher) -> None:
    first, second = queued("ada"), queued("ben")
    assert hold() == MailsHeld(2, 0)

    assert send_mails_job() == 0
    assert set(OutgoingMail.objects.values_list("state", "problem")) == {("unknown", HELD)}

    settle(mail_pk=first.pk, sent=True, actor=AGENT)
    second.refresh_from_db()
    send_again(mail_pk=second.pk, to_address=second.to_address, shown=standing(second), actor=AGENT)
    assert send_mails_job() == 1
    assert smtp.recipients == [["ben@acme.example"]]


def test_only_queued_mails_are_held(smtp: Catcher) -> None:
    sent, taken = queued("ada"), queued("ben")
    outbox.note_sent(outbox.claim(sent.pk) or sent)
    outbox.claim(taken.pk)
    assert hold() == MailsHeld(0, 1)

    states = {mail.to_address.split("@")[0]: mail.state for mail in OutgoingMail.objects.all()}
    assert states == {"ada": OutgoingState.SENT, "ben": OutgoingState.SENDING}
    assert not LedgerEntry.objects.filter(kind="mails.held").exists()
    outbox.sweep(timezone.now() + outbox.SENDING_ENDS * 2)
    assert OutgoingMail.objects.get(pk=taken.pk).state == OutgoingState.UNKNOWN


def test_it_is_booked_with_the_number_and_told_in_the_trail() -> None:
    queued("ada")
    hold()
    entry = LedgerEntry.objects.get(kind="mails.held")
    assert (entry.chain, entry.actor, entry.reason) == ("portal", "administrator", REASON)
    assert json.loads(entry.body)["data"] == {"mails": 1}
    assert StaffEvent.objects.get(kind="mails.held").details == {"mails": 1}
    assert hold() == MailsHeld(0, 0)
    assert LedgerEntry.objects.filter(kind="mails.held").count() == 1


def test_who_may_and_why() -> None:
    queued("ada")
    for actor in EVERYONE:
        if actor is not ADMINISTRATOR:
            assert isinstance(hold(actor), Refused)
    assert isinstance(hold(reason=" "), BadInput)
    assert OutgoingMail.objects.get().state == OutgoingState.QUEUED
