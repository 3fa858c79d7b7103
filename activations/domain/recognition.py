"""Who sent this Usage Request: what the Instance key, the host and the chain of requests say (Design 9.1 to 9.8)."""

from __future__ import annotations

from chariot_license.protocol.fingerprint import Fingerprint, match

from activations.domain.facts import ActivationFacts, Facts, TombstoneFacts
from activations.domain.words import ActivationState, TombstoneKind


def recognisable(fingerprint: Fingerprint) -> bool:
    """Whether a host could be told from others later: it names at least two strong components (Design 9.5)."""
    return match(fingerprint, fingerprint).comparable >= 2


def held_by(facts: Facts, state: ActivationState) -> ActivationFacts | None:
    """The activation this very Instance holds in the state: the newest, though there should be one at most."""
    held = [a for a in facts.in_state(state) if a.instance == facts.request.instance]
    return held[-1] if held else None


def on_same_host(facts: Facts, state: ActivationState) -> tuple[ActivationFacts, ...]:
    """Activations whose host looks like this one.

    Containers are left out on both sides: they share too much with their neighbours to be compared.
    """
    if facts.request.container is not None:
        return ()
    return tuple(
        a
        for a in facts.in_state(state)
        if a.container is None and match(a.fingerprint, facts.request.fingerprint).matched
    )


def sightings(facts: Facts) -> tuple[TombstoneFacts, ...]:
    """The unsettled tombstones that this request is a sighting of (Design 9.2, 9.6).

    A Chariot that rightly holds an active activation on this host is no sighting: a reinstallation shares the
    fingerprint of what it displaced, and a second Chariot shares the host of a lost one.
    """
    holder = held_by(facts, ActivationState.ACTIVE)
    if holder is not None and match(holder.fingerprint, facts.request.fingerprint).matched:
        return ()
    return tuple(stone for stone in facts.tombstones if _is_sighting(stone, facts))


def _is_sighting(stone: TombstoneFacts, facts: Facts) -> bool:
    same_instance = stone.instance == facts.request.instance
    same_host = match(stone.fingerprint, facts.request.fingerprint).matched
    match stone.kind:
        case TombstoneKind.RESTORED:
            return same_instance or (same_host and facts.request.container is None)
        case TombstoneKind.DISPLACED:
            return same_instance
        case TombstoneKind.REBOUND:
            return same_instance and same_host


def chain_break(facts: Facts) -> str | None:
    """How this request contradicts what its Instance sent before: a clone or a restored snapshot (Design 9.1, 9.3).

    The code of the decision it leads to; None when the chain holds.
    """
    request, instance = facts.request, facts.instance
    if instance.latest is not None and request.counter == instance.latest.counter:
        return "counter-repeated"
    if request.commitment in instance.revealed:
        return "deactivated-earlier"
    if request.previous is not None and request.previous not in instance.issued:
        return "previous-license-unknown"
    if instance.acknowledged in instance.issued:
        if request.previous is None:
            return "previous-license-forgotten"
        if instance.issued.index(request.previous) < instance.issued.index(instance.acknowledged):
            return "previous-license-backwards"
    return None
