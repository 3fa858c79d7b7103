"""Sends what is due: all of one receiver in its turn, several receivers side by side."""

from __future__ import annotations

import logging
import threading
import time

from django.db import connection
from django.utils import timezone

from activations.models import DeliveryState, WebhookDelivery
from activations.services.results import BadInput
from activations.services.vault import VaultError
from activations.services.webhooks import outbox
from activations.services.webhooks.addresses import read_url
from activations.services.webhooks.endpoints import secrets_of
from activations.services.webhooks.sending import Outcome, post
from activations.services.webhooks.signatures import signatures

LONGEST_TURN = 30.0  # seconds in which a turn begins to send; the last request may take as long as it may
MOST_AT_ONCE = 8  # receivers that are sent to side by side

log = logging.getLogger(__name__)


def send_due() -> int:
    """Everything that is due, each receiver in a thread of its own. Returns how many deliveries arrived."""
    waiting = outbox.due_endpoints(timezone.now())
    if len(waiting) <= 1:
        return sum(send_to(pk) for pk in waiting)
    arrived: list[int] = []

    def work() -> None:
        try:
            while waiting:
                try:
                    pk = waiting.pop(0)
                except IndexError:  # another thread took the last one
                    return
                arrived.append(_send_safely(pk))
        finally:
            connection.close()  # each thread has one of its own

    threads = [threading.Thread(target=work, name="webhooks", daemon=True) for _ in waiting[:MOST_AT_ONCE]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(arrived)


def _send_safely(pk: int) -> int:
    try:
        return send_to(pk)
    except Exception:
        log.exception("sending to the webhook %s failed; it is tried again", pk)
        return 0


def send_to(pk: int) -> int:
    """What is due for one receiver, until it fails or the turn is over. Returns how many deliveries arrived."""
    turn = outbox.take_turn(pk)
    if not turn:
        return 0
    arrived, until = 0, time.monotonic() + LONGEST_TURN
    try:
        while time.monotonic() < until:
            first = outbox.due(timezone.now()).filter(endpoint=pk).values_list("pk", flat=True).first()
            if first is None or send(first) != DeliveryState.DELIVERED:
                break
            arrived += 1
    finally:
        outbox.end_turn(pk, turn)
    return arrived


def send(pk: int) -> str:
    """One delivery, if it is due and nobody else has it; its state afterwards, "" if it was not ours to send."""
    row = outbox.claim(pk)
    if row is None:
        return ""
    at = timezone.now()
    outbox.note(row, _posted(row, int(at.timestamp())), at)
    row.refresh_from_db()
    return row.state


def _posted(row: WebhookDelivery, timestamp: int) -> Outcome:
    target = read_url(row.endpoint.url)
    if isinstance(target, BadInput):
        return Outcome(problem=target.message)
    try:
        keys = secrets_of(row.endpoint, timezone.now())
    except VaultError as error:
        return Outcome(problem=str(error))
    body = row.body.encode()
    signed = signatures(keys, message_id=row.message_id, timestamp=timestamp, body=body)
    return post(target, body, headers_of(row.message_id, timestamp, signed))


def headers_of(message_id: str, timestamp: int, signed: str) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signed,
        "Connection": "close",
    }
