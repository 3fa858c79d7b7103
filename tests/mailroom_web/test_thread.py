"""A conversation's page: which request of it is answered and which waits, and a thread of many mails."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from activations.domain.words import FindingKind, OutgoingState
from activations.models import Conversation, Finding, IncomingMail, MailSource, OutgoingMail
from activations.services.licenses import LicenseCreated
from activations.services.post.threads import begin_conversation
from tests.mailroom.letters import CUSTOMER, letter
from tests.mailroom_web.post import arrived, conversation, known, opened, place
from tests.portal.cast import license_row
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser, Page

pytestmark = pytest.mark.django_db
SignIn = Callable[[str], Browser]
SHOWN = re.compile(r'<article class="mail mail-(in|out)[^"]*" aria-labelledby="([a-z]+-[0-9]+)"')


def test_the_page_says_which_request_is_answered_and_which_waits(license: LicenseCreated, sign_in: SignIn) -> None:
    known(license.license_id)
    texts = [Chariot(license.license_key, host(name)).request() for name in ("pump-house", "filter-hall")]
    mail = arrived(letter("\n\nand\n\n".join(texts)))
    agent = sign_in("agent")
    here = place("inbox_conversation", mail.conversation_id)
    assert "2 things in this conversation wait for our answer" in agent.get(here).words
    agent.confirm(opened(agent, mail))
    page = agent.get(here)
    assert "1 thing in this conversation waits for our answer" in page.words
    assert page.words.count("Answered in this conversation.") == page.words.count("Waits for our answer.") == 1
    assert "Mine 1" in agent.get(place("inbox")).words
    agent.confirm(opened(agent, mail, 1))
    page = agent.get(here)
    assert "for our answer" not in page.words
    assert "Waiting for customer 1" in agent.get(place("inbox")).words


def long_thread(license: LicenseCreated, mails: int) -> Conversation:
    """As many mails from the customer, every second with a request that was never booked, and an answer to each."""
    now = timezone.now()
    row = begin_conversation("A long story", now)
    sources = MailSource.objects.bulk_create(MailSource(sealed=b"x", size=1, sha256="") for _ in range(mails))
    times = [now - timedelta(hours=mails - number) for number in range(mails)]
    came = IncomingMail.objects.bulk_create(
        IncomingMail(
            content_digest=f"{row.pk}-{number}", source=source, mailbox="support@portal.example", conversation=row,
            fetched_at=times[number], state="read", from_address=f"ada{number % 7}@acme-water.example",
            text=f"Letter {number}\n> quoted", own_text=f"Letter {number}",
        )
        for number, source in enumerate(sources)
    )  # fmt: skip
    OutgoingMail.objects.bulk_create(
        OutgoingMail(
            key=f"{row.pk}-{number}", message_id=f"{row.pk}-{number}@portal.example", conversation=row,
            to_address=CUSTOMER, subject="Re", body=f"Answer {number}", queued_at=times[number] + timedelta(minutes=5),
            queued_by="agent", next_attempt_at=now, state=OutgoingState.SENT,
        )
        for number in range(mails)
    )  # fmt: skip
    of_license = license_row(license.license_id)
    Finding.objects.bulk_create(
        Finding(
            mail=mail, position=1, kind=FindingKind.REQUEST, request_id=f"{mail.pk:032x}", license=of_license,
            hostname="pump-house", outcome="issued", code="new-activation", sentence="A seat is free.",
        )
        for mail in came[::2]
    )  # fmt: skip
    return row


def shown(page: Page) -> list[str]:
    return [name for _, name in SHOWN.findall(page.html)]


def test_a_long_thread_is_paged_and_costs_as_much_as_a_short_one(license: LicenseCreated, sign_in: SignIn) -> None:
    known(license.license_id, "ada1@acme-water.example")
    short, long = long_thread(license, 2), long_thread(license, 250)
    agent = sign_in("agent")

    def queries(address: str) -> int:
        with CaptureQueriesContext(connection) as asked:
            assert agent.get(address).status == 200
        return len(asked)

    here = place("inbox_conversation", long.pk)
    few = queries(place("inbox_conversation", short.pk))
    assert queries(here) == queries(f"{here}?p=12") == few <= 26

    page = agent.get(here)
    assert "Page 1 of 25, 500 mails, the newest on page 1" in page.words
    assert len(shown(page)) == 20
    assert "Letter 249" in page.words
    assert "Letter 100" not in page.words
    seen = [name for number in range(25, 0, -1) for name in shown(agent.get(f"{here}?p={number}"))]
    assert len(seen) == len(set(seen)) == 500
    assert [name for name in seen if name.startswith("mail-")] == [
        f"mail-{pk}" for pk in long.incoming.order_by("fetched_at").values_list("pk", flat=True)
    ]
    assert shown(agent.get(f"{here}?p=999")) == seen[:20]
    assert shown(agent.get(f"{here}?p=-1")) == seen[-20:]


def test_what_waits_on_an_older_page_is_named_and_found(license: LicenseCreated, sign_in: SignIn) -> None:
    row = long_thread(license, 60)
    agent = sign_in("agent")
    page = agent.get(place("inbox_conversation", row.pk))
    first = row.incoming.order_by("fetched_at")[0]
    assert "30 things in this conversation wait for our answer" in page.words
    assert f'href="?mail={first.pk}#mail-{first.pk}"' in page.html
    for mail in row.incoming.order_by("fetched_at"):
        page = agent.get(f"{place('inbox_conversation', row.pk)}?mail={mail.pk}")
        assert f"mail-{mail.pk}" in shown(page)
    other = long_thread(license, 1).incoming.get()
    assert "Page 1 of 6" in agent.get(f"{place('inbox_conversation', row.pk)}?mail={other.pk}").words


def test_a_long_mail_is_shown_from_its_beginning_and_whole_if_asked(sign_in: SignIn, db: None) -> None:
    arrived(letter("first " + "water " * 20_000 + "last"))
    agent, here = sign_in("agent"), place("inbox_conversation", conversation().pk)
    page = agent.get(here)
    assert "first water" in page.words
    assert "last" not in page.words
    assert "Only the beginning is shown." in page.words
    assert len(page.html) < 60_000
    page = agent.get(f"{here}?whole={IncomingMail.objects.get().pk}")
    assert "water last" in page.words
    assert "Only the beginning" not in page.words
