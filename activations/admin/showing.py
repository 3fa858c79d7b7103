"""A dry run as a page shows it: who, which host, what happens to the seats, and what can be chosen."""

from __future__ import annotations

from dataclasses import dataclass

from chariot_license.protocol.fingerprint import STRONG, Fingerprint
from chariot_license.protocol.request import UsageRequest as Claims

from activations import queries, upgrades
from activations.admin.forms import option_words
from activations.admin.terms_view import TermRow, Terms, side_by_side
from activations.admin.words import TITLES, feature_words, version_words
from activations.domain.decisions import Decision, Option
from activations.domain.words import Ability, Action, Actor, Choice, Outcome
from activations.models import License, LicenseTerms
from activations.services.issue import Submission
from activations.services.results import lacking

MOST_BOXES = 40  # more seats than this are told as numbers only

VERDICTS: dict[Outcome, tuple[str, str]] = {
    Outcome.ISSUED: ("Issue", "good"),
    Outcome.RESENT: ("Send again", "good"),
    Outcome.REFUSED: ("Refused", "bad"),
    Outcome.PENDING: ("A person decides", "wait"),
}
CHOICES: dict[Choice, str] = {
    Choice.REBIND: "Hardware changed",
    Choice.REINSTALLED: "Installed again",
    Choice.SECOND: "A second Chariot",
    Choice.FOUND_AGAIN: "Found again",
    Choice.RESTORED_BACKUP: "Restored from a backup",
    Choice.ACCEPT_HOST: "Accept the host",
    Choice.REFUSE: "Refuse",
}
_COMPONENTS = {"machine_id": "machine id", "board_uuid": "board", "disk_serial": "disk", "mac": "network card"}


@dataclass(frozen=True)
class SeatBox:
    """One seat in the row: `state` is active, lost or free, `change` is "taken", "freed", "kept" or empty."""

    number: int
    state: str
    change: str
    words: str


@dataclass(frozen=True)
class SeatRow:
    before: int
    after: int
    allowed: int
    boxes: tuple[SeatBox, ...]

    @property
    def words(self) -> str:
        if self.before == self.after:
            return f"{self.before} of {self.allowed} seats taken, before and after"
        return f"{self.before} of {self.allowed} seats taken now, {self.after} of {self.allowed} afterwards"


@dataclass(frozen=True)
class OptionView:
    """One thing to choose. `why_not` says why this user cannot; `leads_to` is what would be booked."""

    value: str
    title: str
    explanation: str
    leads_to: str
    why_not: str
    needs_reason: bool


@dataclass(frozen=True)
class DryRun:
    """Everything a dry run page shows."""

    submission: Submission
    license: License
    features: str
    versions: str
    host: tuple[tuple[str, str], ...]
    seats: SeatRow
    options: tuple[OptionView, ...]
    terms_change: tuple[TermRow, ...] = ()  # since the Usage License this host has; empty when they are the same

    @property
    def decision(self) -> Decision:
        return self.submission.decision

    @property
    def title(self) -> str:
        return TITLES.get(self.decision.code, self.decision.code)

    @property
    def verdict(self) -> str:
        return VERDICTS[self.decision.outcome][0]

    @property
    def tone(self) -> str:
        return VERDICTS[self.decision.outcome][1]

    @property
    def pending(self) -> bool:
        return self.decision.outcome is Outcome.PENDING

    @property
    def can_choose(self) -> bool:
        return any(not option.why_not for option in self.options)


def needs_reason(option: Option) -> bool:
    return option.ability is Ability.DECIDE_AS_LEAD or option.choice is Choice.REFUSE


def option_view(option: Option, preview: Submission | None, actor: Actor) -> OptionView:
    """`preview` is the dry run with this option chosen; None when it could not be made."""
    refused = lacking(actor, [option.ability])
    return OptionView(
        value=option_words(option),
        title=CHOICES[option.choice],
        explanation=option.explanation,
        leads_to=_leads_to(option, preview),
        why_not="Your role cannot choose this. Ask a support lead." if refused else "",
        needs_reason=needs_reason(option),
    )


def _leads_to(option: Option, preview: Submission | None) -> str:
    if preview is None or option.choice is Choice.REFUSE:
        return ""
    decision = preview.decision
    if decision.outcome is Outcome.PENDING:
        return f"Then one more question: {TITLES.get(decision.code, decision.code).lower()}."
    if decision.outcome is Outcome.REFUSED:
        return f"Then refused: {decision.staff}"
    where = f" ({option.activation_id})" if option.activation_id else ""
    return f"Seats taken: {decision.seats_before} now, {decision.seats_after} afterwards{where}."


def dry_run(submission: Submission, claims: Claims, license: License, options: tuple[OptionView, ...]) -> DryRun:
    terms = queries.terms_of(license)
    return DryRun(
        submission=submission,
        license=license,
        features=feature_words(terms.features),
        versions=version_words(terms.version_low, terms.version_high),
        host=_host(claims),
        seats=seat_row(license, submission.decision),
        options=options,
        terms_change=_terms_change(license, terms, submission.decision),
    )


def _terms_change(license: License, terms: LicenseTerms, decision: Decision) -> tuple[TermRow, ...]:
    """What a new Usage License gives a host that has one already, side by side with what it has."""
    if decision.action in (None, Action.NEW, Action.RESEND):
        return ()
    installed = upgrades.terms_of_host(license, decision.activation_id)
    if installed is None or installed.revision == terms.revision:
        return ()
    return side_by_side(Terms.of(installed), Terms.of(terms))


def _host(claims: Claims) -> tuple[tuple[str, str], ...]:
    rows = [
        ("Host", claims.hostname or "no name given"),
        ("Chariot", f"{claims.product} {claims.version}"),
        ("Recognised by", _recognised_by(claims.fingerprint)),
    ]
    if claims.container:
        rows.append(
            ("Runs in a container", f"{claims.container}: it shares its host with others, so it is not compared")
        )
    if claims.virtual:
        rows.append(("Virtual machine", claims.virtual))
    rows.append(("Request", f"number {claims.counter} of this Chariot"))
    return tuple(rows)


def _recognised_by(fingerprint: Fingerprint) -> str:
    named = [_COMPONENTS[name] for name in STRONG if name in fingerprint.components]
    return ", ".join(named) or "nothing: the host names no part of itself"


def seat_row(license: License, decision: Decision) -> SeatRow:
    """The seats as they will be, the one this decision touches marked."""
    seats = queries.seats_of(license) if license.allowed <= MOST_BOXES else []
    boxes = []
    takes = decision.seats_after > decision.seats_before
    for seat in seats:
        state, change, label = seat.state, "", seat.holder.hostname if seat.holder else ""
        if takes and state == "free":
            takes, state, change = False, "active", "taken"
        elif seat.holder and decision.action is not None and seat.holder.activation_id == decision.activation_id:
            state, change = "active" if decision.action is Action.FIND else state, "kept"
        boxes.append(SeatBox(seat.number, state, change, _seat_words(seat.number, state, change, label)))
    return SeatRow(decision.seats_before, decision.seats_after, license.allowed, tuple(boxes))


def freed_row(license: License, activation_id: str, before: int, *, freed: bool) -> SeatRow:
    """The seats after a deactivation, the freed one marked."""
    boxes = []
    for seat in queries.seats_of(license) if license.allowed <= MOST_BOXES else []:
        state, change, label = seat.state, "", seat.holder.hostname if seat.holder else ""
        if freed and seat.holder and seat.holder.activation_id == activation_id:
            state, change = "free", "freed"
        boxes.append(SeatBox(seat.number, state, change, _seat_words(seat.number, state, change, label)))
    return SeatRow(before, before - freed, license.allowed, tuple(boxes))


def _seat_words(number: int, state: str, change: str, label: str) -> str:
    what = {
        "taken": "taken by this request",
        "freed": f"becomes free, held by {label or 'an unnamed host'} now",
        "kept": f"held by this Chariot ({label or 'unnamed host'})",
    }.get(change)
    if what is None:
        what = "free" if state == "free" else f"{state}, {label or 'unnamed host'}"
    return f"Seat {number}: {what}"


def static_row(license: License, occupied: int) -> SeatRow:
    """The seats as they are, for the license page."""
    boxes = tuple(
        SeatBox(s.number, s.state, "", _seat_words(s.number, s.state, "", s.holder.hostname if s.holder else ""))
        for s in (queries.seats_of(license) if license.allowed <= MOST_BOXES else [])
    )
    return SeatRow(occupied, occupied, license.allowed, boxes)
