"""Events into the outbox, in the transaction of the booking that they tell of: both are there, or neither."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction

from activations.domain.ledger import PORTAL_CHAIN, Entry
from activations.models import Activation, License, WebhookDelivery, WebhookEndpoint, WebhookState
from activations.models.activations import OCCUPYING
from activations.services.webhooks.events import Event, event_of, limit_event, may_reach_limit, wanted
from activations.services.webhooks.signals import event_waits


def queue_booked(chain: str, entries: Sequence[Entry], now: datetime) -> None:
    """The deliveries of what was just booked. Called by every booking, under the lock of its chain."""
    if chain == PORTAL_CHAIN or not any(event_of(entry) or may_reach_limit(entry) for entry in entries):
        return
    endpoints = list(WebhookEndpoint.objects.filter(state=WebhookState.ACTIVE))
    if not endpoints:
        return
    events = _events(chain, entries)
    rows = [
        delivery(endpoint, event, now, by=entries[-1].actor)
        for endpoint in endpoints
        for event in events
        if wanted(endpoint.events, event.type)
    ]
    WebhookDelivery.objects.bulk_create(rows)
    wake({row.endpoint_id for row in rows})


def _events(chain: str, entries: Sequence[Entry]) -> list[Event]:
    events: list[Event | None] = []
    license: License | None = None
    for entry in entries:
        events.append(event_of(entry))
        if may_reach_limit(entry):
            license = license or License.objects.get(license_id=chain)
            held = Activation.objects.filter(license=license, state__in=OCCUPYING).count()
            events.append(limit_event(entry, allowed=license.allowed, occupied=held))
    return [event for event in events if event is not None]


def delivery(endpoint: WebhookEndpoint, event: Event, now: datetime, *, by: str) -> WebhookDelivery:
    return WebhookDelivery(
        endpoint=endpoint,
        message_id=event.message_id,
        event=event.type,
        body=event.body,
        chain=event.chain,
        seq=event.seq,
        occurred_at=datetime.fromisoformat(event.at),
        queued_at=now,
        queued_by=by[:160],
        next_attempt_at=now,
    )


def wake(endpoints: Iterable[int]) -> None:
    """Once this transaction is committed, whoever sends is told."""
    for pk in endpoints:
        transaction.on_commit(lambda pk=pk: event_waits.send(WebhookEndpoint, pk=pk), robust=True)  # type: ignore[misc]
