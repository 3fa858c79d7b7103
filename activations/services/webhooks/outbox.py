"""The outbox of events: a delivery is claimed before its receiver is spoken to, and its outcome noted after.

    waiting -> sending -> delivered, or waiting again (later and later), or dead (tried for three days)
    sending, and nobody came back -> waiting: sent at least once, perhaps twice; the receiver knows doubles by their id
    delivered or dead -> waiting, when a person sends it again

One process at a time sends to a receiver (`take_turn`), and after a failure nobody does for a while: what hangs holds
up its own events and no others.
"""

from __future__ import annotations

import random
import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from activations.models import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookState
from activations.services.waiting import once_it_answers
from activations.services.webhooks import disabling
from activations.services.webhooks.sending import Outcome

# Standard Webhooks' own schedule, in seconds: ten attempts within 76 hours.
WAITS = tuple(timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400))
JITTER = 0.2  # of each wait, on top
LONGEST_RETRY_AFTER = timedelta(days=1)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=5)
SENDING_ENDS = timedelta(minutes=3)  # longer than a request and noting its outcome may take
FAILING_ENDS = timedelta(days=5)
GONE, TOO_MANY, UNAVAILABLE = 410, 429, 503
DELIVERED_KEPT, DEAD_KEPT = timedelta(days=30), timedelta(days=180)
MOST_PRUNED = 1000


def due(now: datetime) -> QuerySet[WebhookDelivery]:
    """What may be sent now, first what waits longest."""
    return WebhookDelivery.objects.filter(
        Q(endpoint__paused_until__isnull=True) | Q(endpoint__paused_until__lte=now),
        state=DeliveryState.WAITING,
        next_attempt_at__lte=now,
        endpoint__state=WebhookState.ACTIVE,
    ).order_by("next_attempt_at", "id")


def due_endpoints(now: datetime) -> list[int]:
    """The receivers for which something is due and to which nobody sends now."""
    waiting = due(now).filter(endpoint=OuterRef("pk")).order_by()
    return list(_free(now).filter(Exists(waiting)).order_by("pk").values_list("pk", flat=True))


def _free(now: datetime) -> QuerySet[WebhookEndpoint]:
    return WebhookEndpoint.objects.filter(Q(turn="") | Q(turn_until__lt=now))


def is_failing(pk: int) -> bool:
    return WebhookEndpoint.objects.filter(pk=pk, failing_since__isnull=False).exists()


def take_turn(pk: int) -> str:
    """Lets this process alone send to a receiver; "" if another one does. A process that ended loses its turn soon."""
    now, turn = timezone.now(), secrets.token_hex(16)
    taken = _free(now).filter(pk=pk).update(turn=turn, turn_until=now + SENDING_ENDS)
    return turn if taken else ""


def end_turn(pk: int, turn: str) -> None:
    held = WebhookEndpoint.objects.filter(pk=pk, turn=turn)
    once_it_answers(lambda: held.update(turn="", turn_until=None))


def claim(pk: int) -> WebhookDelivery | None:
    """Takes a due delivery for this process alone; None if another one has it or it is not due. Committed before the
    receiver hears of it.
    """
    now, mark = timezone.now(), secrets.token_hex(16)
    taken = WebhookDelivery.objects.filter(pk__in=due(now).filter(pk=pk).order_by().values("pk")).filter(
        state=DeliveryState.WAITING
    )
    if not taken.update(state=DeliveryState.SENDING, claim=mark, claimed_at=now, attempts=F("attempts") + 1):
        return None
    row = WebhookDelivery.objects.select_related("endpoint").get(pk=pk, claim=mark)
    WebhookEndpoint.objects.filter(pk=row.endpoint_id).exclude(turn="").update(turn_until=now + SENDING_ENDS)
    return row


def note(row: WebhookDelivery, outcome: Outcome, at: datetime) -> None:
    """What became of an attempt that began at `at`. Nobody else knows: a database that is restarted is waited for."""
    once_it_answers(lambda: _note(row, outcome, at))


def _note(row: WebhookDelivery, outcome: Outcome, at: datetime) -> None:
    now = timezone.now()
    with transaction.atomic():
        # The receiver first, then the delivery: whoever disables or replays locks in the same order.
        endpoint = disabling.locked_endpoints().get(pk=row.endpoint_id)
        ours = WebhookDelivery.objects.filter(pk=row.pk, state=DeliveryState.SENDING, claim=row.claim)
        changes = _end(row, outcome, now, endpoint)
        if not ours.update(claim="", problem=_problem(outcome)[:1000], **changes):
            return  # it was swept or noted already; who has it now will note what comes of it
        WebhookAttempt.objects.create(
            delivery_id=row.pk,
            at=at,
            milliseconds=outcome.milliseconds,
            address=outcome.address,
            status=outcome.status,
            answer=outcome.answer,
            problem=_problem(outcome)[:1000],
        )
        _note_receiver(endpoint, outcome, now)


def _problem(outcome: Outcome) -> str:
    if outcome.delivered:
        return ""
    if outcome.status is None:
        return outcome.problem
    if 300 <= outcome.status < 400:
        return f"It answered {outcome.status}, a redirect, which is not followed. Change the URL of the webhook."
    return f"It answered {outcome.status}."


def _end(row: WebhookDelivery, outcome: Outcome, now: datetime, endpoint: WebhookEndpoint) -> dict[str, object]:
    if outcome.delivered:
        return {"state": DeliveryState.DELIVERED, "ended_at": now}
    if outcome.status == GONE or row.attempts > len(WAITS) or endpoint.state == WebhookState.REMOVED:
        return {"state": DeliveryState.DEAD, "ended_at": now}
    return {"state": DeliveryState.WAITING, "next_attempt_at": now + wait_after(row.attempts, outcome)}


def wait_after(attempts: int, outcome: Outcome) -> timedelta:
    """How long until the next attempt: by the schedule, and not before a busy receiver said, within a day."""
    wait = WAITS[min(attempts, len(WAITS)) - 1]
    wait *= 1 + random.random() * JITTER  # noqa: S311 - spreads load, keeps no secret
    return max(wait, _asked_for(outcome))


def _asked_for(outcome: Outcome) -> timedelta:
    if outcome.status not in (TOO_MANY, UNAVAILABLE) or outcome.retry_after is None:
        return timedelta(0)
    return timedelta(seconds=min(outcome.retry_after, LONGEST_RETRY_AFTER.total_seconds()))


def _note_receiver(endpoint: WebhookEndpoint, outcome: Outcome, now: datetime) -> None:
    if outcome.delivered:
        endpoint.last_delivered_at, endpoint.failing_since = now, None
        endpoint.failures, endpoint.paused_until = 0, None
    else:
        endpoint.failing_since = endpoint.failing_since or now
        endpoint.failures += 1
        pause = min(FIRST_PAUSE * 2 ** min(endpoint.failures - 1, 10), LONGEST_PAUSE)
        endpoint.paused_until = now + max(pause, _asked_for(outcome))
    endpoint.save(update_fields=["last_delivered_at", "failing_since", "failures", "paused_until"])
    if endpoint.state != WebhookState.ACTIVE or outcome.delivered:
        return
    if outcome.status == GONE:
        disabling.disable_by_itself(endpoint, "it answered 410 Gone")
    elif endpoint.failing_since is not None and now - endpoint.failing_since >= FAILING_ENDS:
        disabling.disable_by_itself(endpoint, f"it took nothing for {FAILING_ENDS.days} days")


def sweep(now: datetime) -> int:
    """Puts back what a process claimed that then ended: whether the receiver got it, nobody knows, so it is sent once
    more. One over which every attempt ended so is given up. Returns how many there were.
    """
    left = WebhookDelivery.objects.filter(state=DeliveryState.SENDING, claimed_at__lt=now - SENDING_ENDS)
    why = "The process that was sending it ended before the answer was noted."
    given_up = left.filter(attempts__gt=len(WAITS)).update(
        state=DeliveryState.DEAD, claim="", ended_at=now, problem=why
    )
    return given_up + left.update(state=DeliveryState.WAITING, claim="", next_attempt_at=now, problem=why)


def prune(now: datetime) -> int:
    """Takes out what ended long ago, a part at a time; the ledger can tell it anew. Returns how many."""
    old = WebhookDelivery.objects.filter(
        Q(state=DeliveryState.DELIVERED, ended_at__lt=now - DELIVERED_KEPT)
        | Q(state=DeliveryState.DEAD, ended_at__lt=now - DEAD_KEPT)
    )
    pks = list(old.order_by("pk").values_list("pk", flat=True)[:MOST_PRUNED])
    if pks:
        WebhookDelivery.objects.filter(pk__in=pks).filter(
            state__in=(DeliveryState.DELIVERED, DeliveryState.DEAD)
        ).delete()
    return len(pks)
