"""Events once more: one delivery, all that were given up, or all since a day; and the test event."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import islice

from django.db import transaction
from django.utils import timezone

from activations.domain.ledger import PORTAL_CHAIN, Entry, Kind, read_body
from activations.domain.words import Ability, Actor
from activations.models import DeliveryState, LedgerEntry, WebhookDelivery, WebhookEndpoint, WebhookState
from activations.services.booking import iso, portal_book
from activations.services.results import BadInput, Refused, lacking
from activations.services.webhooks.disabling import booked_as, locked_endpoints
from activations.services.webhooks.events import Event, all_events, test_event, wanted
from activations.services.webhooks.queueing import delivery, wake

MOST_REPLAYED = 10_000  # of one click
AT_ONCE = 500


@dataclass(frozen=True)
class Replayed:
    """How many deliveries wait now."""

    endpoint: WebhookEndpoint
    deliveries: int


@dataclass(frozen=True)
class TestQueued:
    delivery: WebhookDelivery


def send_again(*, delivery_pk: int, shown: int, actor: Actor, source: str) -> Replayed | Refused | BadInput:
    """One delivery that ended, or waits. `shown`: how many attempts the person saw that it had had by then, so that
    two people send it again once.
    """
    refused = lacking(actor, [Ability.MANAGE_STAFF])
    if refused:
        return refused
    with transaction.atomic():
        found = WebhookDelivery.objects.filter(pk=delivery_pk).first()
        endpoint = _ready(found.endpoint_id if found else 0)
        if isinstance(endpoint, Refused | BadInput):
            return endpoint
        rows = WebhookDelivery.objects.filter(pk=delivery_pk).exclude(state=DeliveryState.SENDING)
        row = rows.select_for_update(of=("self",)).first()
        if row is None or row.tries.count() != shown:
            return Refused("delivery-on-its-way", "It is being sent, or was sent again by now. Look again first.")
        with portal_book(actor=actor, source=source) as book:
            _put_back(endpoint, [row.pk], actor, book.now)
            data = {**booked_as(endpoint), "which": row.message_id, "deliveries": 1}
            book.add(Kind.WEBHOOK_REPLAYED, data)
    return Replayed(endpoint, 1)


def replay_dead(*, endpoint_pk: int, actor: Actor, source: str) -> Replayed | Refused | BadInput:
    """Everything that was given up for this receiver."""
    refused = lacking(actor, [Ability.MANAGE_STAFF])
    if refused:
        return refused
    with transaction.atomic():
        endpoint = _ready(endpoint_pk)
        if isinstance(endpoint, Refused | BadInput):
            return endpoint
        dead = endpoint.deliveries.filter(state=DeliveryState.DEAD).order_by("occurred_at", "id")
        pks = list(dead.values_list("pk", flat=True)[:MOST_REPLAYED])
        if not pks:
            return Refused("nothing-dead", "Nothing was given up for this webhook; nothing was booked.")
        with portal_book(actor=actor, source=source) as book:
            _put_back(endpoint, pks, actor, book.now)
            data = {**booked_as(endpoint), "which": "dead", "deliveries": len(pks)}
            book.add(Kind.WEBHOOK_REPLAYED, data)
    return Replayed(endpoint, len(pks))


def replay_since(*, endpoint_pk: int, day: date, actor: Actor, source: str) -> Replayed | Refused | BadInput:
    """Everything that the ledger tells since the beginning of that day (UTC) and that this receiver wants now: what it
    got, what was given up, and what happened while it was disabled or before there was one.
    """
    refused = lacking(actor, [Ability.MANAGE_STAFF])
    if refused:
        return refused
    since = datetime.combine(day, time.min, UTC)
    if since > timezone.now():
        return BadInput("day-ahead", "Choose a day that has begun: nothing happened since then.")
    # Read before anything is locked: it may be much.
    found = WebhookEndpoint.objects.filter(pk=endpoint_pk).first()
    events = list(islice(_since(found, since), MOST_REPLAYED + 1)) if found else []
    if len(events) > MOST_REPLAYED:
        return Refused("too-many", f"More than {MOST_REPLAYED} events happened since {day}. Choose a later day.")
    with transaction.atomic():
        endpoint = _ready(endpoint_pk)
        if isinstance(endpoint, Refused | BadInput):
            return endpoint
        events = [event for event in events if wanted(endpoint.events, event.type)]
        if not events:
            return Refused("nothing-since", f"Nothing that this webhook wants happened since {day}.")
        with portal_book(actor=actor, source=source) as book:
            _queue_anew(endpoint, events, actor, book.now)
            data = {**booked_as(endpoint), "which": f"since {day}", "deliveries": len(events)}
            book.add(Kind.WEBHOOK_REPLAYED, data)
    return Replayed(endpoint, len(events))


def send_test(*, endpoint_pk: int, actor: Actor) -> TestQueued | Refused | BadInput:
    """An event of no license, whatever events the receiver wants."""
    refused = lacking(actor, [Ability.MANAGE_STAFF])
    if refused:
        return refused
    with transaction.atomic():
        endpoint = _ready(endpoint_pk)
        if isinstance(endpoint, Refused | BadInput):
            return endpoint
        now = timezone.now()
        event = test_event(webhook_id=endpoint.webhook_id, number=secrets.token_hex(12), at=iso(now))
        row = delivery(endpoint, event, now, by=actor.name)
        row.save()
        _unpause(endpoint)
        wake([endpoint.pk])
    return TestQueued(row)


def _ready(pk: int) -> WebhookEndpoint | Refused | BadInput:
    endpoint = locked_endpoints().filter(pk=pk).first()
    if endpoint is None:
        return BadInput("webhook-unknown", "There is no such webhook.")
    if endpoint.state != WebhookState.ACTIVE:
        return Refused("webhook-off", f"The webhook is {endpoint.state}, so nothing is sent. Enable it first.")
    return endpoint


def _unpause(endpoint: WebhookEndpoint) -> None:
    """A person waits for it: it is tried now, whatever failed before."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(paused_until=None)


def _put_back(endpoint: WebhookEndpoint, pks: list[int], actor: Actor, now: datetime) -> None:
    for start in range(0, len(pks), AT_ONCE):
        rows = WebhookDelivery.objects.filter(pk__in=pks[start : start + AT_ONCE])
        rows.exclude(state=DeliveryState.SENDING).update(
            state=DeliveryState.WAITING,
            attempts=0,
            next_attempt_at=now,
            ended_at=None,
            problem="",
            again_by=actor.name,
        )
    _unpause(endpoint)
    wake([endpoint.pk])


def _since(endpoint: WebhookEndpoint, since: datetime) -> Iterator[Event]:
    """Chains that have something new, each read from its beginning: how many seats were free stands in all of it."""
    found = LedgerEntry.objects.exclude(chain=PORTAL_CHAIN)
    chains = found.filter(at__gte=since).order_by().values_list("chain", flat=True).distinct()
    said_since = iso(since)
    for chain in sorted(chains):
        for event in all_events(_entries(chain)):
            if event.at >= said_since and wanted(endpoint.events, event.type):
                yield event


def _entries(chain: str) -> Iterator[Entry]:
    bodies = LedgerEntry.objects.filter(chain=chain).order_by("seq").values_list("body", flat=True)
    return (read_body(body) for body in bodies.iterator(chunk_size=AT_ONCE))


def _queue_anew(endpoint: WebhookEndpoint, events: list[Event], actor: Actor, now: datetime) -> None:
    events = sorted(events, key=lambda event: event.at)
    for start in range(0, len(events), AT_ONCE):
        part = events[start : start + AT_ONCE]
        there = endpoint.deliveries.filter(message_id__in=[event.message_id for event in part])
        known = dict(there.values_list("message_id", "pk"))
        _put_back(endpoint, list(known.values()), actor, now)
        WebhookDelivery.objects.bulk_create(
            [delivery(endpoint, event, now, by=actor.name) for event in part if event.message_id not in known]
        )
