"""Mails in the outbox, as the tests of sending put them there."""

from __future__ import annotations

import itertools

from django.db import transaction

from activations.models import Conversation, OutgoingMail
from activations.services.post import outbox
from tests.mailroom.letters import CUSTOMER
from tests.portal.cast import AGENT

numbers = itertools.count(1)


def queued(
    *, to: str = CUSTOMER, subject: str = "About your license", conversation: Conversation | None = None
) -> OutgoingMail:
    with transaction.atomic():
        return outbox.queue(
            outbox.Letter(key=f"test:{next(numbers)}", subject=subject, body="Good news.\n"),
            to=to,
            by=AGENT.name,
            conversation=conversation,
        )


def again(mail: OutgoingMail) -> OutgoingMail:
    mail.refresh_from_db()
    return mail
