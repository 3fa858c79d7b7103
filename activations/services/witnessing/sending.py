"""Who of the witnesses lacks the newest checkpoint, whose turn it is, and what came of it.

Only the newest is sent: it covers those that were missed. A witness that cannot take it is tried again, ever later and
at last four times a day, until it can; `activations.ledger_queries.witness_states` says how each of them stands.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from activations.domain.witnesses import Witness, WitnessKind, read_witnesses
from activations.models import LedgerCheckpoint, WitnessReceipt, WitnessState
from activations.services.tiles import TreeIncomplete
from activations.services.witnessing import folder, http, letters
from activations.services.witnessing.outcomes import Failed, Kept

WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 30, 60, 120, 240, 360))
TURN = timedelta(minutes=10)  # one that was begun and not ended, by a process that was killed, may begin again

log = logging.getLogger(__name__)


def send_checkpoints() -> int:
    """Sends the newest checkpoint to each witness that lacks it and is due. Returns how many took it."""
    newest = LedgerCheckpoint.objects.first()
    if newest is None:
        return 0
    witnesses = read_witnesses(settings.LEDGER_WITNESSES)
    return sum(_attend(witness, newest, timezone.now()) for witness in witnesses)


def _attend(witness: Witness, newest: LedgerCheckpoint, now: datetime) -> bool:
    if WitnessReceipt.objects.filter(witness=witness.name, size__gte=newest.size).exists():
        return False
    if witness.kind is WitnessKind.MAIL and not letters.is_due(witness.name, now):
        return False
    if not _take_turn(witness.name, now):
        return False
    try:
        outcome = _send(witness, newest)
    except TreeIncomplete as error:
        outcome = Failed(f"Nothing was sent. {error}")
    except Exception as error:
        log.exception("sending checkpoint %s to %s failed", newest.size, witness.name)
        outcome = Failed(f"Sending failed ({type(error).__name__}); the log of the portal says more.")
    if isinstance(outcome, Failed):
        _note_failure(witness.name, outcome)
    return isinstance(outcome, Kept)


def _take_turn(name: str, now: datetime) -> bool:
    """Whether this process sends, and no other meanwhile."""
    WitnessState.objects.get_or_create(witness=name, defaults={"next_attempt_at": now})
    due = WitnessState.objects.filter(witness=name, next_attempt_at__lte=now)
    return bool(due.update(next_attempt_at=now + TURN))


def _send(witness: Witness, newest: LedgerCheckpoint) -> Kept | Failed:
    if witness.kind is WitnessKind.MAIL:
        with transaction.atomic():
            return _note_kept(witness.name, newest, letters.write(witness.name, witness.target, newest))
    if witness.kind is WitnessKind.FOLDER:
        outcome = folder.keep(Path(witness.target), newest)
    else:
        had = WitnessReceipt.objects.filter(witness=witness.name).order_by("-size").first()
        outcome = http.submit(witness, newest, had.size if had else 0)
    return _note_kept(witness.name, newest, outcome) if isinstance(outcome, Kept) else outcome


def _note_kept(name: str, newest: LedgerCheckpoint, kept: Kept) -> Kept:
    with transaction.atomic():
        WitnessReceipt.objects.get_or_create(
            witness=name,
            size=newest.size,
            defaults={"leaves": kept.leaves, "at": timezone.now(), "answer": kept.answer},
        )
        WitnessState.objects.filter(witness=name).update(
            attempts=0, next_attempt_at=timezone.now(), problem="", contradicts=False, since=None
        )
    log.info("%s has checkpoint %s", name, newest.size)
    return kept


def _note_failure(name: str, failed: Failed) -> None:
    now, state = timezone.now(), WitnessState.objects.get(witness=name)
    WitnessState.objects.filter(pk=state.pk).update(
        attempts=F("attempts") + 1,
        next_attempt_at=now + WAITS[min(state.attempts, len(WAITS) - 1)],
        problem=failed.problem,
        contradicts=failed.contradicts,
        since=state.since or now,
    )
    log.log(logging.ERROR if failed.contradicts else logging.WARNING, "%s: %s", name, failed.problem)
