"""What speaks for and against giving a lost activation back: a suggestion, for a person who decides (Design 1).

Nothing acts on it. It puts into words what a careful reviewer would look up: how often this customer loses hosts, and
whether one of them, this one included, was heard of afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from activations.domain.words import LicenseStatus

MANY_LOSSES = 3  # within a year: from here on somebody should ask what happens to these hosts


class Verdict(StrEnum):
    APPROVE = "approve"
    LOOK_CLOSER = "look closer"
    DENY = "deny"


@dataclass(frozen=True)
class Quota:
    """How many restorations of one customer were approved in the last 12 months, and how many are allowed.

    An allowed number of 0 means that each approval has to go above the quota.
    """

    count: int
    allowed: int

    @property
    def reached(self) -> bool:
        return self.count >= self.allowed

    @property
    def words(self) -> str:
        if 0 < self.allowed >= self.count:
            return f"{self.count} of {self.allowed} {_restorations(self.allowed)} approved in the last 12 months"
        said = f"{self.count} {_restorations(self.count)} approved in the last 12 months"
        if self.allowed == 0:
            return f"{said}; each needs to go above the quota of 0"
        return f"{said}, which is more than the {self.allowed} allowed"


@dataclass(frozen=True)
class LossFacts:
    """What is known of a lost activation when its restoration is decided.

    `other_losses` are the times of the customer's other losses that still stand: lost or restored, not found again.
    `request_after_loss` is the latest request of the same Chariot or host since it was reported lost. `seen_again` and
    `seen_and_settled` name the customer's tombstones that were sighted.
    """

    now: datetime
    lost_at: datetime
    last_request_at: datetime
    quota: Quota
    request_after_loss: datetime | None = None
    other_losses: Sequence[datetime] = ()
    denied_before: Sequence[str] = ()
    seen_again: Sequence[str] = ()
    seen_and_settled: Sequence[str] = ()
    container: str = ""
    license_status: LicenseStatus = LicenseStatus.ACTIVE


@dataclass(frozen=True)
class Suggestion:
    """A verdict, and why: the weightiest reasons first."""

    verdict: Verdict
    reasons: tuple[str, ...]


def suggest(facts: LossFacts) -> Suggestion:
    """The strictest verdict that one of the facts leads to, with all that was found."""
    order = list(Verdict)
    found = sorted(_findings(facts), key=lambda finding: -order.index(finding[0]))
    return Suggestion(found[0][0], tuple(reason for _, reason in found))


def a_year_before(time: datetime) -> datetime:
    """The same day of the year before; 28 February for a leap day."""
    try:
        return time.replace(year=time.year - 1)
    except ValueError:
        return time.replace(year=time.year - 1, day=28)


def _findings(facts: LossFacts) -> Iterator[tuple[Verdict, str]]:
    if facts.request_after_loss is not None:
        at = f"{facts.request_after_loss:%Y-%m-%d %H:%M} UTC"
        yield Verdict.DENY, f"The host sent a request after it was reported lost, on {at}: it may still run."
    if facts.seen_again:
        are = "are" if len(facts.seen_again) > 1 else "is"
        yield Verdict.DENY, _seen(facts.seen_again, f" and {are} unsettled")
    yield _losses(facts)
    if facts.quota.allowed == 0:
        yield Verdict.LOOK_CLOSER, "No restoration is allowed without going above the quota, which is 0."
    elif facts.quota.reached:
        yield Verdict.LOOK_CLOSER, f"The quota is reached: {facts.quota.words}. Approving goes above it."
    if facts.denied_before:
        names = ", ".join(facts.denied_before)
        yield Verdict.LOOK_CLOSER, f"The restoration of this very activation was denied before: {names}."
    if facts.seen_and_settled:
        yield Verdict.LOOK_CLOSER, _seen(facts.seen_and_settled, ", which is settled")
    if facts.container:
        yield (
            Verdict.LOOK_CLOSER,
            f"It ran in a container ({facts.container}), whose host is not compared: installed again there, nobody "
            "would notice.",
        )
    if facts.license_status is not LicenseStatus.ACTIVE:
        yield Verdict.LOOK_CLOSER, f"The license is {facts.license_status}: a free seat is of no use to it."
    if facts.request_after_loss is None:
        yield Verdict.APPROVE, f"Its Chariot has been silent since {facts.last_request_at:%Y-%m-%d}."


def _losses(facts: LossFacts) -> tuple[Verdict, str]:
    recent = sum(time > a_year_before(facts.now) for time in facts.other_losses)
    number, earlier = recent + 1, len(facts.other_losses) - recent
    which = f"{_ORDINALS[recent]} loss" if recent < len(_ORDINALS) else f"Loss number {number}"
    if not facts.other_losses:
        return Verdict.APPROVE, f"{which} of this customer."
    within = f"{which} of this customer within 12 months"
    if number >= MANY_LOSSES:
        return Verdict.LOOK_CLOSER, f"{within}."
    return Verdict.APPROVE, f"{within}; {earlier} earlier." if earlier else f"{within}."


def _seen(names: Sequence[str], how: str) -> str:
    several = len(names) > 1
    hosts = (
        "Earlier written-off hosts of this customer were"
        if several
        else "An earlier written-off host of this customer was"
    )
    return f"{hosts} seen again{how}: {', '.join(names)}."


def _restorations(number: int) -> str:
    return "restoration" if number == 1 else "restorations"


_ORDINALS = ("First", "Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth", "Ninth", "Tenth")
