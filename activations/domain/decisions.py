"""What a Usage Request leads to: the decision table (Design 3, 9.1 to 9.8) as one pure function.

`decide` walks the rows of the table in order; the first row that has an answer wins. A row that needs a person
returns a pending decision with the options that person has; given the chosen option, the same walk goes on as
the option says. An expected refusal is a value, never an exception.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from chariot_license.protocol.fingerprint import match
from chariot_license.protocol.versions import in_range

from activations.domain import sentences as say
from activations.domain.facts import ActivationFacts, Facts, digest
from activations.domain.recognition import chain_break, held_by, on_same_host, recognisable, sightings
from activations.domain.walk import Chosen, Decision, Option, Walk
from activations.domain.words import (
    Ability,
    Action,
    ActivationState,
    Choice,
    LicenseStatus,
    Outcome,
    RequestState,
)

__all__ = [
    "REINSTALLS_A_YEAR",
    "ROWS",
    "Chosen",
    "Decision",
    "Option",
    "chain_break",
    "decide",
    "decision_digest",
    "sightings",
]

REINSTALLS_A_YEAR = 2  # above this a lead decides (Design 3)


def decide(facts: Facts, chosen: Chosen = Chosen()) -> Decision:
    """The decision for an authenticated Usage Request; pure, total, and deterministic."""
    if chosen.has(Choice.REFUSE):
        others = replace(chosen, choices=chosen.choices - {Choice.REFUSE})
        return _declined(facts, decide(facts, others))
    walk = Walk(facts, chosen, sighted=sightings(facts))
    walk = replace(walk, warnings=_warnings(walk))
    for row in ROWS:
        result = row(walk)
        if isinstance(result, Decision):
            return result
        walk = result or walk
    raise AssertionError("the last row of the decision table answers everything")


def decision_digest(facts: Facts, decision: Decision) -> str:
    """Names the decision and the facts that were shown; confirming with it books exactly that (Design 3)."""
    return digest(facts, decision)


def _warnings(walk: Walk) -> tuple[str, ...]:
    facts = walk.facts
    warnings = []
    if facts.instance.active_elsewhere:
        warnings.append(say.active_elsewhere(facts.instance.active_elsewhere))
    if facts.request.test:
        warnings.append(say.TEST_REQUEST)
    if not recognisable(facts.request.fingerprint):
        warnings.append(say.NOT_COMPARABLE)
    warnings += [say.sighting(stone.activation_id, stone.restoration_id) for stone in walk.sighted]
    return tuple(warnings)


def _declined(facts: Facts, result: Decision) -> Decision:
    """A person refuses what is open or would be issued, with the abilities that answering it would take.

    What a rule refuses or was answered already stays as it is: the choice is then not among those `taken`.
    """
    if result.outcome not in (Outcome.PENDING, Outcome.ISSUED):
        return result
    needed = [option.ability for option in result.options if option.choice is Choice.REFUSE]
    walk = Walk(
        facts,
        Chosen(),
        sighted=sightings(facts),
        requires=tuple(dict.fromkeys((*result.requires, *needed))) or (Ability.ISSUE,),
        taken=(*result.taken, Choice.REFUSE),
        warnings=result.warnings,
    )
    return walk.refused("declined-by-person", was=result.code)


# --- the rows, in the order of the table -------------------------------------------------------------------


def _superseded(walk: Walk) -> Decision | Walk | None:
    request, instance = walk.facts.request, walk.facts.instance
    if instance.before_backup:
        return walk.refused("superseded-by-backup", counter=request.counter)
    latest = instance.latest
    if latest is None or request.counter >= latest.counter:
        return None
    options = () if instance.known_id else (_lead(Choice.RESTORED_BACKUP),)
    option = walk.pick(options)
    if option is not None:
        return walk.taking(option).warned(say.BACKUP_ACCEPTED)
    return walk.refused("superseded", options=options, counter=request.counter, latest=latest)


def _license_state(walk: Walk) -> Decision | None:
    request, terms = walk.facts.request, walk.facts.license
    if request.test and not walk.facts.accept_test_requests:
        return walk.refused("test-request")
    if terms.status is LicenseStatus.SUSPENDED:
        return walk.refused("license-suspended", license_id=terms.license_id)
    if terms.status is LicenseStatus.REVOKED:
        return walk.refused("license-revoked", license_id=terms.license_id)
    if terms.wholly_expired:
        return walk.refused("license-expired", license_id=terms.license_id)
    if request.product != terms.product:
        return walk.refused("product-mismatch", asked=request.product, licensed=terms.product)
    if not in_range(request.version, *terms.versions):
        return walk.refused("version-not-covered", asked=request.version, versions=terms.versions)
    return None


def _answered(walk: Walk) -> Decision | None:
    request = walk.facts.request
    if request.state is RequestState.DECLINED:
        return walk.refused("declined-earlier", why=request.refusal)
    if request.answer is None:
        return None
    holder = held_by(walk.facts, ActivationState.ACTIVE)
    if holder is None or holder.activation_id != request.answer.activation_id:
        return walk.refused("answer-withdrawn", activation_id=request.answer.activation_id)
    if request.answer.terms_revision < walk.facts.license.terms_revision:
        walk = walk.warned(say.TERMS_CHANGED_SINCE)
    return walk.issued(
        "re-sent",
        Action.RESEND,
        activation_id=holder.activation_id,
        usage_license_id=request.answer.usage_license_id,
    )


def _chain_broken(walk: Walk) -> Decision | Walk | None:
    if Choice.RESTORED_BACKUP in walk.taken:
        return None
    break_code = chain_break(walk.facts)
    if break_code is None:
        return None
    options = (_lead(Choice.RESTORED_BACKUP),)
    option = walk.pick(options)
    if option is not None:
        return walk.taking(option).warned(say.BACKUP_ACCEPTED)
    return walk.pending(break_code, options, counter=walk.facts.request.counter)


def _same_instance_active(walk: Walk) -> Decision | None:
    holder = held_by(walk.facts, ActivationState.ACTIVE)
    if holder is None:
        return None
    seen = match(holder.fingerprint, walk.facts.request.fingerprint)
    if seen.matched:
        if seen.changed or seen.appeared or seen.vanished:
            walk = walk.warned(say.host_drift(seen.words))
        return walk.issued("updated", Action.UPDATE, activation_id=holder.activation_id)
    options = (_lead(Choice.REBIND, holder.activation_id),)
    option = walk.pick(options)
    details = {"activation_id": holder.activation_id, "words": say.unlike(seen.words, seen.comparable)}
    if option is not None:
        return walk.issued("rebound", Action.REBIND, option=option, **details)
    return walk.pending("host-changed", options, **details)


def _lost_found(walk: Walk) -> Decision | None:
    own = held_by(walk.facts, ActivationState.LOST)
    if own is not None:
        return _own_lost(walk, own)
    if any(stone.instance == walk.facts.request.instance for stone in walk.sighted):
        return None  # Instance matches beat fingerprint matches (Design 9.6): the tombstone's row has it
    lost = on_same_host(walk.facts, ActivationState.LOST)
    return _recognised(walk, "lost-host-seen", activation_ids=_ids(lost)) if lost else None


def _own_lost(walk: Walk, own: ActivationFacts) -> Decision:
    near = match(own.fingerprint, walk.facts.request.fingerprint).matched
    ability = Ability.ISSUE if near else Ability.DECIDE_AS_LEAD
    options = (Option(Choice.FOUND_AGAIN, ability, say.OPTIONS["found-again"], own.activation_id),)
    option = walk.pick(options)
    if option is not None:
        return _found_again(walk, option)
    return walk.pending("lost-host-seen", options, activation_ids=_ids((own,)))


def _tombstone_seen(walk: Walk) -> Decision | None:
    if not walk.sighted:
        return None
    if not _host_options(walk):
        return walk.refused("no-seat-tombstone", cases=walk.cases, **_holders(walk.facts))
    return _recognised(walk, "tombstone-seen", cases=walk.cases)


def _same_host_active(walk: Walk) -> Decision | None:
    active = on_same_host(walk.facts, ActivationState.ACTIVE)
    if not active:
        return None
    return _recognised(walk, "same-host", activation_ids=_ids(active), free=walk.facts.free)


def _seat(walk: Walk) -> Decision:
    facts = walk.facts
    if facts.free == 0:
        return walk.refused("no-seat", **_holders(facts))
    free, allowed = facts.free - 1, facts.license.allowed
    if recognisable(facts.request.fingerprint):
        return walk.issued("activated", Action.NEW, free=free, allowed=allowed)
    options = (_lead(Choice.ACCEPT_HOST),)
    option = walk.pick(options)
    if option is None:
        return walk.pending("host-not-recognisable", options)
    return walk.issued("host-accepted", Action.NEW, option=option, free=free, allowed=allowed)


ROWS: tuple[Callable[[Walk], Decision | Walk | None], ...] = (
    _superseded,
    _license_state,
    _answered,
    _chain_broken,
    _same_instance_active,
    _lost_found,
    _tombstone_seen,
    _same_host_active,
    _seat,
)


# --- a new Instance on a host that is known ----------------------------------------------------------------


def _recognised(walk: Walk, code: str, **details: object) -> Decision:
    """What a new Instance on a known host is, a person says; `code` names the row that recognised the host."""
    options = _host_options(walk)
    option = walk.pick(options)
    if option is None:
        return walk.pending(code, options, **details)
    if option.choice is Choice.FOUND_AGAIN:
        return _found_again(walk, option)
    if option.choice is Choice.REINSTALLED:
        return walk.issued("reinstalled", Action.REINSTALL, activation_id=option.activation_id, option=option)
    if walk.sighted:
        return walk.issued("sighting-accepted", Action.NEW, option=option, cases=walk.cases)
    return walk.issued("second-chariot", Action.NEW, option=option)


def _host_options(walk: Walk) -> tuple[Option, ...]:
    """All that a new Instance on this host may be, whichever row recognised it. A sighting needs a lead."""
    lost = on_same_host(walk.facts, ActivationState.LOST)
    active = on_same_host(walk.facts, ActivationState.ACTIVE)
    found = [_takes_over(walk, Choice.FOUND_AGAIN, "found-again-reinstalled", a) for a in lost]
    reinstalled = [_takes_over(walk, Choice.REINSTALLED, "reinstalled", a) for a in active]
    second = []
    if walk.facts.free > 0:
        ability = Ability.DECIDE_AS_LEAD if walk.sighted else Ability.ISSUE
        explanation = say.OPTIONS["second-tombstone" if walk.sighted else "second"]
        second = [Option(Choice.SECOND, ability, explanation)]
    return (*found, *reinstalled, *second)


def _takes_over(walk: Walk, choice: Choice, explanation: str, activation: ActivationFacts) -> Option:
    """A new Instance in place of the one that holds the activation: the yearly limit counts it (Design 9.6)."""
    often = activation.reinstalls_this_year >= REINSTALLS_A_YEAR
    ability = Ability.DECIDE_AS_LEAD if often or walk.sighted else Ability.ISSUE
    return Option(choice, ability, say.OPTIONS[explanation], activation.activation_id)


# --- what the rows share -----------------------------------------------------------------------------------


def _found_again(walk: Walk, option: Option) -> Decision:
    for activation in walk.facts.in_state(ActivationState.LOST):
        if activation.activation_id == option.activation_id and activation.open_restoration:
            walk = walk.warned(say.closes_restoration(activation.open_restoration))
    return walk.issued("found-again", Action.FIND, activation_id=option.activation_id, option=option)


def _lead(choice: Choice, activation_id: str | None = None) -> Option:
    return Option(choice, Ability.DECIDE_AS_LEAD, say.OPTIONS[choice], activation_id)


def _ids(activations: tuple[ActivationFacts, ...]) -> tuple[str, ...]:
    return tuple(activation.activation_id for activation in activations)


def _holders(facts: Facts) -> dict[str, Any]:
    return {
        "active": facts.in_state(ActivationState.ACTIVE),
        "lost": facts.in_state(ActivationState.LOST),
        "allowed": facts.license.allowed,
    }
