"""The check of the whole ledger as a job, and when it last passed."""

from __future__ import annotations

import logging

from activations.domain.words import Ability, Actor, JobState
from activations.models import Job, LedgerEntry
from activations.services.checkpoints import mark_again
from activations.services.jobs import queue
from activations.services.jobs.running import Work, runs
from activations.services.ledger_checks import Verification, verify_ledger
from activations.services.results import Refused, lacking

KIND = "ledger-check"
log = logging.getLogger(__name__)

MOST_NAMED = 100  # problems whose words are kept; all are counted


def ask_for_check(*, actor: Actor) -> Job | Refused:
    """The check that is waiting or running already, or a new one."""
    refused = lacking(actor, [Ability.READ_LEDGER])
    return refused or queue.ask(KIND, {}, actor=actor, alone=True)


@runs(KIND)
def check(work: Work) -> dict[str, object]:
    work.advance(0, 2 * LedgerEntry.objects.count())  # chains first, then the tables
    checked = verify_ledger(rebuild_check=True, report=_say, progress=work.advance)
    again = mark_again()
    if again:
        log.error("%d entries had lost the mark by which a checkpoint finds them; the next one covers them", again)
    return outcome(checked)


def _say(problem: str) -> None:
    log.error("the ledger does not hold: %s", problem)


def last_check() -> Job | None:
    """The newest one that came to its end, whatever it found."""
    return Job.objects.filter(kind=KIND, state=JobState.DONE).first()


def last_passed() -> Job | None:
    """The newest one that found nothing wrong."""
    return Job.objects.filter(kind=KIND, state=JobState.DONE, result__holds=True).first()


def outcome(checked: Verification) -> dict[str, object]:
    return {
        "holds": checked.holds,
        "entries": checked.entries,
        "chains": checked.chains,
        "checkpoints": checked.checkpoints,
        "problems": len(checked.problems),
        "named": list(checked.problems[:MOST_NAMED]),
    }
