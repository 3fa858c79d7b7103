"""Reads of the ledger's surroundings: how the witnesses of its checkpoints stand. Nothing here writes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from activations.domain.witnesses import Witness, WitnessKind, read_witnesses
from activations.domain.words import UNDECIDED
from activations.models import LedgerCheckpoint, OutgoingMail, WitnessReceipt, WitnessState


@dataclass(frozen=True)
class WitnessStanding:
    """What a witness has, and what is wrong, in words; nothing while `problem` is empty.

    `size` and `at`: the newest checkpoint that it has, None before the first. `newest`: the one it should have.
    `contradicts`: it holds something that our ledger does not continue, which no waiting mends.
    """

    name: str
    kind: WitnessKind
    size: int | None
    at: datetime | None
    newest: int
    problem: str
    contradicts: bool
    since: datetime | None
    next_attempt_at: datetime | None

    @property
    def behind(self) -> int:
        """Entries that it has no checkpoint of yet."""
        return self.newest - (self.size or 0)


def witness_states() -> list[WitnessStanding]:
    """One for each witness of the setting, in its order; those that contradict us come first."""
    newest = LedgerCheckpoint.objects.values_list("size", flat=True).first() or 0
    found = [_standing(witness, newest) for witness in read_witnesses(settings.LEDGER_WITNESSES)]
    return sorted(found, key=lambda standing: not standing.contradicts)


def _standing(witness: Witness, newest: int) -> WitnessStanding:
    receipt = WitnessReceipt.objects.filter(witness=witness.name).order_by("-size").first()
    state = WitnessState.objects.filter(witness=witness.name).first()
    problem, since = (state.problem, state.since) if state else ("", None)
    if not problem and receipt and witness.kind is WitnessKind.MAIL:
        problem, since = _mail_problem(receipt)
    return WitnessStanding(
        name=witness.name,
        kind=witness.kind,
        size=receipt.size if receipt else None,
        at=receipt.at if receipt else None,
        newest=newest,
        problem=problem,
        contradicts=state.contradicts if state else False,
        since=since,
        next_attempt_at=state.next_attempt_at if state and state.problem else None,
    )


def _mail_problem(receipt: WitnessReceipt) -> tuple[str, datetime | None]:
    """What became of the last mail, if it may not have arrived."""
    mail = OutgoingMail.objects.filter(key=receipt.answer, state__in=UNDECIDED).first()
    if mail is None:
        return "", None
    return f"The mail with checkpoint {receipt.size} is {mail.state}: {mail.problem} See the outbox.", mail.queued_at
