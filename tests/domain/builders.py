"""Facts for the decision tests (one license, its hosts, what they sent before) and what a decision must say."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from chariot_license.protocol.fingerprint import MAC, STRONG, Fingerprint

from activations.domain.decisions import Chosen, Decision, decide
from activations.domain.facts import (
    ActivationFacts,
    AnswerFacts,
    Facts,
    InstanceFacts,
    LicenseFacts,
    RequestFacts,
    SeenRequest,
    TombstoneFacts,
)
from activations.domain.words import (
    Ability,
    Action,
    ActivationState,
    Choice,
    LicenseStatus,
    Outcome,
    TombstoneKind,
)

PUMP = "pump-1"  # the Instance that sends the request, unless a test says otherwise
LATEST = SeenRequest("1" * 32, 7, "2026-03-01 09:30 UTC")


def host(name: str = "pump-house", **components: str | None) -> Fingerprint:
    """A host with all four strong components; a keyword swaps one for another (or leaves it out: None)."""
    values = {part: components.get(part, name) for part in STRONG}
    return Fingerprint({part: (_hash(f"{part} of {value}"),) for part, value in values.items() if value is not None})


def two_cards(name: str, first: str, second: str) -> Fingerprint:
    """A host with two network cards."""
    return Fingerprint({**host(name).components, MAC: (_hash(f"mac of {first}"), _hash(f"mac of {second}"))})


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:8]


REQUEST = RequestFacts(
    request_id="a" * 32,
    instance=PUMP,
    counter=7,
    previous=None,
    commitment="c" * 64,
    fingerprint=host(),
    container=None,
    hostname="pump-house",
    product="chariot-mqtt-server",
    version="2.5.0",
    test=False,
)

LICENSE = LicenseFacts(
    license_id="LIC-7K2M",
    status=LicenseStatus.ACTIVE,
    wholly_expired=False,
    product="chariot-mqtt-server",
    versions=("2.0", "2.9"),
    terms_revision=3,
    allowed=3,
)


def activation(activation_id: str = "ACT-1", **changes: Any) -> ActivationFacts:
    """An activation that this Instance holds on this host, unless `changes` say otherwise."""
    base = ActivationFacts(
        activation_id=activation_id,
        state=ActivationState.ACTIVE,
        instance=PUMP,
        fingerprint=host(),
        commitment="c" * 64,
        hostname="pump-house",
        container=None,
        since="2025-11-20",
        terms_revision=3,
    )
    return replace(base, **changes)


def elsewhere(activation_id: str, name: str = "mill", **changes: Any) -> ActivationFacts:
    """An activation of another Instance on another host."""
    return activation(
        activation_id,
        **{"instance": f"{name}-chariot", "fingerprint": host(name), "hostname": name, **changes},
    )


def neighbour(activation_id: str = "ACT-1", **changes: Any) -> ActivationFacts:
    """An activation of another Instance on this very host."""
    return activation(activation_id, **{"instance": "pump-0", **changes})


def tombstone(tombstone_id: str = "TMB-1", **changes: Any) -> TombstoneFacts:
    """The tombstone of a restored activation of another Instance on this host."""
    base = TombstoneFacts(
        tombstone_id=tombstone_id,
        kind=TombstoneKind.RESTORED,
        activation_id="ACT-9",
        instance="pump-0",
        fingerprint=host(),
        restoration_id="RES-9",
    )
    return replace(base, **changes)


def answer(activation_id: str = "ACT-1", terms_revision: int = 3) -> AnswerFacts:
    return AnswerFacts("USL-1", activation_id, terms_revision)


def facts(
    *activations: ActivationFacts,
    request: dict[str, Any] | None = None,
    license: dict[str, Any] | None = None,
    tombstones: tuple[TombstoneFacts, ...] = (),
    accept_test_requests: bool = False,
    **instance: Any,
) -> Facts:
    """The facts of a request from `PUMP` on `host()`; keywords beyond the named ones are InstanceFacts."""
    return Facts(
        request=replace(REQUEST, **(request or {})),
        license=replace(LICENSE, **(license or {})),
        instance=InstanceFacts(**instance),
        activations=activations,
        tombstones=tombstones,
        accept_test_requests=accept_test_requests,
    )


@dataclass(frozen=True)
class Answer:
    """All of a decision but its sentences; what is left out is empty, so that nothing is left unasserted."""

    outcome: Outcome
    code: str
    seats: tuple[int, int]  # occupied before and after
    action: Action | None = None
    activation_id: str | None = None
    options: tuple[tuple[Choice, Ability, str | None], ...] = ()
    requires: tuple[Ability, ...] = ()
    taken: tuple[Choice, ...] = ()
    warnings: tuple[str, ...] = ()
    sighted: tuple[str, ...] = ()
    settles: tuple[str, ...] = ()


def answered(decision: Decision) -> Answer:
    return Answer(
        outcome=decision.outcome,
        code=decision.code,
        seats=(decision.seats_before, decision.seats_after),
        action=decision.action,
        activation_id=decision.activation_id,
        options=tuple((o.choice, o.ability, o.activation_id) for o in decision.options),
        requires=decision.requires,
        taken=decision.taken,
        warnings=decision.warnings,
        sighted=decision.sighted,
        settles=decision.settles,
    )


def chose(*choices: Choice, of: str | None = None) -> Chosen:
    return Chosen(frozenset(choices), of)


@dataclass(frozen=True)
class Case:
    """One line of a case table."""

    name: str
    facts: Facts
    chosen: Chosen
    expected: Answer

    def decide(self) -> Decision:
        return decide(self.facts, self.chosen)


def refused(code: str, occupied: int, **rest: Any) -> Answer:
    return Answer(Outcome.REFUSED, code, (occupied, occupied), **rest)


def pending(
    code: str, occupied: int, *options: tuple[Choice, Ability, str | None], refuse: Ability, **rest: Any
) -> Answer:
    """`refuse` is the ability that refusing takes: that option is always the last."""
    every = (*options, (Choice.REFUSE, refuse, None))
    return Answer(Outcome.PENDING, code, (occupied, occupied), options=every, **rest)


def issued(code: str, action: Action, occupied: int, **rest: Any) -> Answer:
    outcome = Outcome.RESENT if action is Action.RESEND else Outcome.ISSUED
    after = occupied + 1 if action is Action.NEW else occupied
    return Answer(outcome, code, (occupied, after), action=action, **rest)
