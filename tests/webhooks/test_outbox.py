"""The outbox: claimed once, put back when a process ends, sent again by a person; nothing lost, doubles told by id."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from activations import tasks
from activations.domain.words import LicenseStatus
from activations.models import DeliveryState, WebhookDelivery, WebhookEndpoint
from activations.services.licenses import LicenseCreated
from activations.services.results import BadInput, Refused
from activations.services.webhooks import delivering, outbox, replaying
from activations.services.webhooks.disabling import locked_endpoints
from activations.services.webhooks.endpoints import disable_webhook
from activations.services.webhooks.replaying import Replayed, replay_dead, replay_since, send_again, send_test
from activations.services.webhooks.sending import Outcome
from activations.services.webhooks.signals import event_waits
from tests.portal.cast import ADMINISTRATOR, SOURCE
from tests.portal.licensing import change
from tests.webhooks.making import REASON, deliveries, made_for, portal_entries
from tests.webhooks.receiver import Answer, Receiver

pytestmark = pytest.mark.django_db
BY = {"actor": ADMINISTRATOR, "source": SOURCE}


def bookings(license: LicenseCreated, number: int) -> None:
    for n in range(number):
        change(license, status=LicenseStatus.ACTIVE if n % 2 else LicenseStatus.SUSPENDED)


# --- claims ------------------------------------------------------------------------------------------------


def test_claimed_by_one(receiver: Receiver, license: LicenseCreated) -> None:
    endpoint = made_for(receiver).endpoint
    bookings(license, 1)
    (row,) = deliveries(endpoint)
    claimed = outbox.claim(row.pk)
    assert claimed is not None
    assert (claimed.state, claimed.attempts) == (DeliveryState.SENDING, 1)
    assert outbox.claim(row.pk) is None
    assert delivering.send(row.pk) == ""


def test_one_process_at_a_time_sends_to_a_receiver(receiver: Receiver, license: LicenseCreated) -> None:
    endpoint = made_for(receiver).endpoint
    bookings(license, 1)
    turn = outbox.take_turn(endpoint.pk)
    assert turn
    assert outbox.take_turn(endpoint.pk) == ""
    assert delivering.send_to(endpoint.pk) == 0
    outbox.end_turn(endpoint.pk, "of somebody else")
    assert outbox.take_turn(endpoint.pk) == ""
    with time_machine.travel(timezone.now() + outbox.SENDING_ENDS + timedelta(seconds=1)):
        assert delivering.send_to(endpoint.pk) == 1, "a turn whose process ended is over by itself"


def test_several_workers_at_once_send_each_event_once(
    transactional_db: None, receiver: Receiver, license: LicenseCreated
) -> None:
    endpoint = made_for(receiver).endpoint
    bookings(license, 12)
    pks = [row.pk for row in deliveries(endpoint)]
    start, ends = threading.Barrier(4), list[str]()

    def work() -> None:
        start.wait()
        try:
            # Past the turns, which would let one of them do it all: the claims alone must hold.
            ends.extend(delivering.send(pk) for pk in pks)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert Counter(receiver.ids) == Counter(row.message_id for row in deliveries(endpoint))
    assert ends.count(DeliveryState.DELIVERED) == len(pks)
    assert {row.state for row in deliveries(endpoint)} == {DeliveryState.DELIVERED}


def _send_and_die(pk: int) -> None:
    connection.close()
    delivering.send(pk)


def test_killed_between_the_request_and_its_outcome(
    transactional_db: None, receiver: Receiver, license: LicenseCreated
) -> None:
    """kill -9 when the receiver has the event and before that is noted: it is sent once more, under the same id."""
    given = made_for(receiver)
    bookings(license, 3)
    arrived, go = threading.Event(), threading.Event()

    def hold() -> None:
        arrived.set()
        go.wait(30)

    receiver.before_answer = hold
    connection.close()
    (first, *_) = deliveries(given.endpoint)
    connection.close()
    worker = multiprocessing.get_context("fork").Process(target=_send_and_die, args=[first.pk])
    worker.start()
    assert arrived.wait(30)
    os.kill(worker.pid or 0, signal.SIGKILL)
    worker.join()
    receiver.before_answer = lambda: None
    go.set()

    first.refresh_from_db()
    assert first.state == DeliveryState.SENDING
    tasks.send_webhooks_job()
    assert Counter(receiver.ids)[first.message_id] == 1, "somebody may still be at it"
    with time_machine.travel(timezone.now() + outbox.SENDING_ENDS + timedelta(seconds=1)):
        tasks.send_webhooks_job()
        assert all(got.verified_by(given.secret) for got in receiver.got[1:])
    assert Counter(receiver.ids) == Counter({row.message_id: 1 for row in deliveries(given.endpoint)}) + Counter(
        [first.message_id]
    )
    assert {row.state for row in deliveries(given.endpoint)} == {DeliveryState.DELIVERED}


def test_an_outcome_that_comes_too_late_changes_nothing(receiver: Receiver, license: LicenseCreated) -> None:
    endpoint = made_for(receiver).endpoint
    bookings(license, 1)
    late = outbox.claim(deliveries(endpoint)[0].pk)
    assert late is not None
    with time_machine.travel(timezone.now() + outbox.SENDING_ENDS + timedelta(seconds=1)):
        assert tasks.send_webhooks_job() == 1
    outbox.note(late, Outcome(status=500), timezone.now())
    (row,) = deliveries(endpoint)
    assert (row.state, row.tries.count()) == (DeliveryState.DELIVERED, 1)
    endpoint.refresh_from_db()
    assert endpoint.failing_since is None


def test_an_event_over_which_every_process_ends_is_given_up(receiver: Receiver, license: LicenseCreated) -> None:
    endpoint = made_for(receiver).endpoint
    bookings(license, 1)
    now = timezone.now()
    for _ in range(10):
        with time_machine.travel(now):
            assert outbox.claim(deliveries(endpoint)[0].pk)
        now += timedelta(minutes=4)
        assert outbox.sweep(now) == 1
    (row,) = deliveries(endpoint)
    assert (row.state, row.attempts) == (DeliveryState.DEAD, 10)
    assert "ended before the answer was noted" in row.problem


def test_handed_over_when_it_is_committed(
    receiver: Receiver, license: LicenseCreated, settings: Settings, django_capture_on_commit_callbacks: Any
) -> None:
    endpoint = made_for(receiver).endpoint
    woken: list[int] = []

    def hear(sender: object, pk: int, **more: object) -> None:
        woken.append(pk)

    event_waits.connect(hear)
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        bookings(license, 2)
    assert woken == [endpoint.pk, endpoint.pk]
    assert len(callbacks) >= 2
    assert not receiver.got, "without a broker the periodic job sends it, not the process that booked"

    settings.CELERY_BROKER_URL = "memory://"  # a task that is eager runs here and now
    event_waits.send(WebhookEndpoint, pk=endpoint.pk)
    assert len(receiver.got) == 2

    WebhookEndpoint.objects.update(failing_since=timezone.now())
    bookings(license, 1)
    event_waits.send(WebhookEndpoint, pk=endpoint.pk)
    assert len(receiver.got) == 2, "one that fails is left to the periodic job"


# --- replay ------------------------------------------------------------------------------------------------


def test_one_is_sent_again(receiver: Receiver, license: LicenseCreated) -> None:
    endpoint = made_for(receiver).endpoint
    bookings(license, 1)
    tasks.send_webhooks_job()
    (row,) = deliveries(endpoint)
    before = len(portal_entries())

    assert isinstance(send_again(delivery_pk=row.pk, shown=1, **BY), Replayed)  # type: ignore[arg-type]
    assert portal_entries(before) == [("administrator", "webhook.replayed", "")]
    assert tasks.send_webhooks_job() == 1
    assert receiver.ids == [row.message_id] * 2
    assert receiver.got[0].body == receiver.got[1].body
    row.refresh_from_db()
    assert (row.state, row.again_by, row.tries.count()) == (DeliveryState.DELIVERED, "administrator", 2)

    stale = send_again(delivery_pk=row.pk, shown=1, **BY)  # type: ignore[arg-type]
    assert isinstance(stale, Refused)
    assert stale.code == "delivery-on-its-way"
    assert len(portal_entries()) == before + 1
    assert isinstance(send_again(delivery_pk=0, shown=0, **BY), BadInput)  # type: ignore[arg-type]


def test_all_that_was_given_up(receiver: Receiver, license: LicenseCreated) -> None:
    endpoint = made_for(receiver).endpoint
    bookings(license, 3)
    nothing = replay_dead(endpoint_pk=endpoint.pk, **BY)  # type: ignore[arg-type]
    assert isinstance(nothing, Refused)
    assert nothing.code == "nothing-dead"
    now = timezone.now()
    WebhookDelivery.objects.update(state=DeliveryState.DEAD, ended_at=now, attempts=10)
    WebhookEndpoint.objects.update(paused_until=now + timedelta(minutes=5), failing_since=now, failures=30)
    before = len(portal_entries())

    replayed = replay_dead(endpoint_pk=endpoint.pk, **BY)  # type: ignore[arg-type]

    assert isinstance(replayed, Replayed)
    assert replayed.deliveries == 3
    assert portal_entries(before) == [("administrator", "webhook.replayed", "")]
    assert tasks.send_webhooks_job() == 3
    assert {row.attempts for row in deliveries(endpoint)} == {1}


def test_everything_since_a_day(receiver: Receiver, license: LicenseCreated) -> None:
    """What was delivered, what was booked while it was disabled, and what was before there was a webhook."""
    bookings(license, 1)
    endpoint = made_for(receiver).endpoint
    change(license, status=LicenseStatus.ACTIVE)
    tasks.send_webhooks_job()
    disable_webhook(webhook_id=endpoint.webhook_id, **BY, reason=REASON)  # type: ignore[arg-type]
    bookings(license, 1)
    today = timezone.now().date()
    off = replay_since(endpoint_pk=endpoint.pk, day=today, **BY)  # type: ignore[arg-type]
    assert isinstance(off, Refused)
    assert off.code == "webhook-off"
    WebhookEndpoint.objects.update(state="active")
    before = len(portal_entries())

    replayed = replay_since(endpoint_pk=endpoint.pk, day=today, **BY)  # type: ignore[arg-type]

    assert isinstance(replayed, Replayed)
    assert replayed.deliveries == 4
    assert portal_entries(before) == [("administrator", "webhook.replayed", "")]
    assert tasks.send_webhooks_job() == 4
    told = [json.loads(got.body)["type"] for got in receiver.got]
    assert told[0] == "license.reinstated"
    assert sorted(told[1:]) == ["license.created", "license.reinstated", "license.suspended", "license.suspended"]
    assert len(set(receiver.ids)) == 4


def test_since_when_not(receiver: Receiver, license: LicenseCreated, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = made_for(receiver, "restoration.*").endpoint
    today, before = timezone.now().date(), len(portal_entries())
    for day, code in ((today + timedelta(days=2), "day-ahead"), (today, "nothing-since")):
        result = replay_since(endpoint_pk=endpoint.pk, day=day, **BY)  # type: ignore[arg-type]
        assert result.code == code  # type: ignore[union-attr]
    WebhookEndpoint.objects.update(events=["*"])
    bookings(license, 2)
    monkeypatch.setattr(replaying, "MOST_REPLAYED", 2)
    many = replay_since(endpoint_pk=endpoint.pk, day=today, **BY)  # type: ignore[arg-type]
    assert many.code == "too-many"  # type: ignore[union-attr]
    assert len(portal_entries()) == before


def test_a_test_event(receiver: Receiver) -> None:
    given = made_for(receiver, "restoration.*")
    before = len(portal_entries())
    for _ in range(2):
        queued = send_test(endpoint_pk=given.endpoint.pk, actor=ADMINISTRATOR)
        assert isinstance(queued, replaying.TestQueued)
    assert tasks.send_webhooks_job() == 2
    assert len(set(receiver.ids)) == 2
    body = receiver.got[0].verified_by(given.secret)
    assert (body["type"], body["data"]) == ("portal.test", {"webhook_id": given.endpoint.webhook_id})
    assert len(portal_entries()) == before


def test_a_booking_does_not_wait_for_who_holds_a_receiver(
    transactional_db: None, receiver: Receiver, license: LicenseCreated
) -> None:
    """Whoever disables a webhook holds its row and waits for the portal's chain; a booking that holds a chain and
    writes deliveries must not wait for that row. On SQLite there is one writer at a time.
    """
    if connection.vendor == "sqlite":
        pytest.skip("one writer at a time")
    endpoint = made_for(receiver).endpoint
    done = threading.Event()

    def book() -> None:
        try:
            bookings(license, 1)
            done.set()
        finally:
            connection.close()

    with transaction.atomic():
        assert locked_endpoints().get(pk=endpoint.pk)
        booking = threading.Thread(target=book)
        booking.start()
        assert done.wait(8), "the booking waits for the receiver's row"
    booking.join()


def test_an_answer_that_breaks_off_behind_a_2xx_is_a_yes(receiver: Receiver, license: LicenseCreated) -> None:
    endpoint = made_for(receiver).endpoint
    bookings(license, 1)
    receiver.answers = [Answer(200, {"Content-Length": "50", "Connection": "close"}, b"broken off")]
    assert tasks.send_webhooks_job() == 1
    assert deliveries(endpoint)[0].tries.get().answer == "broken off"
