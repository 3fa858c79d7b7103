"""Background jobs. Each calls one use case; what it finds stands in the database and in the log."""

from __future__ import annotations

import logging

from celery import shared_task

from activations.services.actors import system_actor
from activations.services.checkpoints import CheckpointMade, checkpoint_ledger
from activations.services.ledger_checks import verify_ledger

log = logging.getLogger(__name__)


@shared_task(name="activations.checkpoint_ledger")  # type: ignore[untyped-decorator]  # celery ships no types
def checkpoint_ledger_job() -> int:
    """Signs a checkpoint over what was booked since the last one. Returns the number of new entries."""
    made = checkpoint_ledger(actor=system_actor())
    if not isinstance(made, CheckpointMade):
        log.error("no checkpoint was made: %s", made.message)
        return 0
    return made.new


@shared_task(name="activations.verify_ledger")  # type: ignore[untyped-decorator]  # celery ships no types
def verify_ledger_job() -> int:
    """Verifies the whole ledger against the tables. Returns the number of problems; each is logged as an error."""
    checked = verify_ledger(rebuild_check=True)
    for problem in checked.problems:
        log.error("the ledger does not hold: %s", problem)
    return len(checked.problems)
