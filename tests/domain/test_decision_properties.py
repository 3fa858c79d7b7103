"""What holds for every decision, whatever the facts: properties over random licenses, hosts and requests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

import pytest
from chariot_license.protocol.fingerprint import STRONG, Fingerprint
from hypothesis import given, settings
from hypothesis import strategies as st

from activations.domain.decisions import Chosen, Decision, decide, decision_digest
from activations.domain.facts import (
    ActivationFacts,
    AnswerFacts,
    Facts,
    InstanceFacts,
    LicenseFacts,
    RequestFacts,
    SeenRequest,
    TombstoneFacts,
    digest,
)
from activations.domain.words import (
    Ability,
    Action,
    ActivationState,
    Choice,
    LicenseStatus,
    Outcome,
    RequestState,
    TombstoneKind,
)
from tests.domain.builders import LATEST, activation, answer, facts, host, tombstone

INSTANCES = st.sampled_from(["pump-1", "pump-2", "mill-1"])
DIGESTS = ["1" * 32, "2" * 32, "3" * 32]
COMMITMENTS = st.sampled_from(["c" * 64, "d" * 64])
CONTAINERS = st.sampled_from([None, None, None, "docker"])
RARELY = st.sampled_from([False] * 7 + [True])


@st.composite
def fingerprints(draw: st.DrawFn) -> Fingerprint:
    """Two hosts, in any mixture, and with parts that are not reported."""
    name = draw(st.sampled_from(["pump-house", "mill"]))
    changed = draw(st.dictionaries(st.sampled_from(STRONG), st.sampled_from(["mill", None])))
    return host(name, **changed)


@st.composite
def activations(draw: st.DrawFn) -> tuple[ActivationFacts, ...]:
    """Up to four, at most one active per Instance: a constraint of the tables."""
    found: list[ActivationFacts] = []
    for number in range(draw(st.integers(0, 4))):
        instance = draw(INSTANCES)
        taken = any(a.state is ActivationState.ACTIVE and a.instance == instance for a in found)
        states = [state for state in ActivationState if not (taken and state is ActivationState.ACTIVE)]
        found.append(
            ActivationFacts(
                activation_id=f"ACT-{number}",
                state=draw(st.sampled_from(states)),
                instance=instance,
                fingerprint=draw(fingerprints()),
                commitment=draw(COMMITMENTS),
                hostname=draw(st.sampled_from(["", "pump-house"])),
                container=draw(CONTAINERS),
                since="2025-11-20",
                terms_revision=draw(st.integers(1, 3)),
                reinstalls_this_year=draw(st.integers(0, 3)),
                open_restoration=draw(st.sampled_from([None, "RES-1"])),
            )
        )
    return tuple(found)


@st.composite
def requests(draw: st.DrawFn) -> RequestFacts:
    answers = st.builds(AnswerFacts, st.just("USL-1"), st.sampled_from(["ACT-0", "ACT-1"]), st.integers(1, 3))
    state = draw(st.sampled_from([None, None, *RequestState]))
    return RequestFacts(
        request_id="a" * 32,
        instance=draw(INSTANCES),
        counter=draw(st.integers(1, 4)),
        previous=draw(st.sampled_from([None, None, *DIGESTS])),
        commitment=draw(COMMITMENTS),
        fingerprint=draw(fingerprints()),
        container=draw(CONTAINERS),
        hostname="pump-house",
        product="ignition" if draw(RARELY) else "chariot-mqtt-server",
        version=draw(st.sampled_from(["2.5.0", "2.5.0", "2.5.0", "3.0", "latest"])),
        test=draw(RARELY),
        state=state,
        refusal="a clone" if state is RequestState.DECLINED else "",
        answer=draw(answers) if state is RequestState.ANSWERED else None,
    )


@st.composite
def instances(draw: st.DrawFn) -> InstanceFacts:
    issued = tuple(DIGESTS[: draw(st.integers(0, 3))])
    latest = st.builds(SeenRequest, st.just("b" * 32), st.integers(1, 3), st.just("2026-03-01 09:30 UTC"))
    return InstanceFacts(
        latest=draw(st.none() | latest),
        known_id=draw(st.booleans()),
        before_backup=draw(RARELY),
        issued=issued,
        acknowledged=draw(st.sampled_from([None, *issued])),
        revealed=draw(st.frozensets(COMMITMENTS, max_size=1)),
        active_elsewhere=("LIC-2",) if draw(RARELY) else (),
    )


@st.composite
def tombstones(draw: st.DrawFn) -> tuple[TombstoneFacts, ...]:
    return tuple(
        TombstoneFacts(
            tombstone_id=f"TMB-{number}",
            kind=draw(st.sampled_from(TombstoneKind)),
            activation_id=f"ACT-{number}",
            instance=draw(INSTANCES),
            fingerprint=draw(fingerprints()),
            restoration_id=draw(st.sampled_from([None, "RES-2"])),
        )
        for number in range(draw(st.integers(0, 2)))
    )


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    """Mostly an honest request for a license in order, so that the rows about hosts and seats are reached."""
    known = draw(_any_facts())
    if draw(st.integers(0, 4)) == 0:
        return known
    honest = facts().request
    return replace(
        known,
        request=replace(
            known.request,
            previous=None,
            product=honest.product,
            version=honest.version,
            test=False,
            state=None,
            refusal="",
            answer=None,
        ),
        license=replace(known.license, status=LicenseStatus.ACTIVE, wholly_expired=False),
        instance=InstanceFacts(),
    )


@st.composite
def _any_facts(draw: st.DrawFn) -> Facts:
    held = draw(activations())
    occupied = sum(a.state.occupies_seat for a in held)
    return Facts(
        request=draw(requests()),
        license=LicenseFacts(
            license_id="LIC-1",
            status=draw(st.sampled_from([LicenseStatus.ACTIVE] * 6 + list(LicenseStatus))),
            wholly_expired=draw(RARELY),
            product="chariot-mqtt-server",
            versions=draw(st.sampled_from([("", ""), ("2.0", ""), ("", "2.9"), ("2.0", "2.9")])),
            terms_revision=3,
            allowed=occupied + draw(st.integers(0, 2)),
        ),
        instance=draw(instances()),
        activations=held,
        tombstones=draw(tombstones()),
        accept_test_requests=draw(st.booleans()),
    )


MODEST = settings(deadline=None, max_examples=60)  # each example walks a whole tree of choices

CHOSEN = st.builds(
    Chosen, st.frozensets(st.sampled_from(Choice), max_size=3), st.sampled_from([None, "ACT-0", "ACT-1", "ACT-7"])
)


def walks(known: Facts, chosen: Chosen = Chosen(), depth: int = 0) -> Iterator[tuple[Chosen, Decision]]:
    """Every way a person can go from here by taking open options, one after the other."""
    decision = decide(known, chosen)
    yield chosen, decision
    assert depth < 4, "a person is never asked more than a few times"
    for option in decision.options:
        further = Chosen(chosen.choices | {option.choice}, option.activation_id or chosen.activation_id)
        yield from walks(known, further, depth + 1)


@MODEST
@given(any_facts(), CHOSEN)
def test_the_answer_is_whole_and_always_the_same(known: Facts, chosen: Chosen) -> None:
    decision = decide(known, chosen)
    assert decision == decide(known, chosen)
    assert decision_digest(known, decision) == decision_digest(known, decide(known, chosen))
    for sentence in (decision.staff, decision.customer, *decision.warnings):
        assert sentence.strip()
        assert not set("{}") & set(sentence)
    assert (decision.action is not None) == (decision.outcome in (Outcome.ISSUED, Outcome.RESENT))
    assert (decision.action is Action.RESEND) == (decision.outcome is Outcome.RESENT)
    assert (decision.outcome is Outcome.PENDING) <= bool(decision.options)


@MODEST
@given(any_facts(), CHOSEN)
def test_a_seat_is_taken_for_a_new_activation_alone_and_only_if_free(known: Facts, chosen: Chosen) -> None:
    decision = decide(known, chosen)
    occupied = sum(a.state in (ActivationState.ACTIVE, ActivationState.LOST) for a in known.activations)
    assert decision.seats_before == occupied
    assert decision.seats_after == occupied + (decision.action is Action.NEW)
    assert decision.seats_after <= known.license.allowed
    if decision.action in (None, Action.NEW):
        assert decision.activation_id is None
    else:
        assert decision.activation_id in {a.activation_id for a in known.activations}


@MODEST
@given(any_facts())
def test_an_open_option_is_taken_when_chosen(known: Facts) -> None:
    for chosen, decision in walks(known):
        assert chosen.choices == set(decision.taken)
        asked_again = decision.outcome is Outcome.PENDING or bool(decision.options)
        assert asked_again or decision.outcome in (Outcome.ISSUED, Outcome.RESENT, Outcome.REFUSED)
        for option in decision.options:
            further = decide(
                known, Chosen(chosen.choices | {option.choice}, option.activation_id or chosen.activation_id)
            )
            assert option.choice in further.taken
            assert option.ability in further.requires
            if further.action not in (None, Action.NEW) and option.activation_id is not None:
                assert further.activation_id == option.activation_id


@MODEST
@given(any_facts(), CHOSEN)
def test_only_open_options_are_taken(known: Facts, chosen: Chosen) -> None:
    decision = decide(known, chosen)
    assert set(decision.taken) <= chosen.choices
    reachable = {choice for _, walked in walks(known) for choice in walked.taken}
    assert set(decision.taken) - {Choice.REFUSE} <= reachable


@MODEST
@given(any_facts(), CHOSEN)
def test_adding_a_choice_never_lowers_what_refusing_takes(known: Facts, chosen: Chosen) -> None:
    """No way round a lead: what is pending for a lead alone is not refused by an agent either."""
    asked = decide(known)
    leads_alone = asked.outcome is Outcome.PENDING and all(o.ability is Ability.DECIDE_AS_LEAD for o in asked.options)
    refused = decide(known, replace(chosen, choices=chosen.choices | {Choice.REFUSE}))
    if leads_alone and refused.code == "declined-by-person":
        assert Ability.DECIDE_AS_LEAD in refused.requires


@MODEST
@given(any_facts(), CHOSEN)
def test_sightings_do_not_depend_on_what_is_chosen(known: Facts, chosen: Chosen) -> None:
    decision = decide(known, chosen)
    assert decision.sighted == decide(known).sighted
    assert set(decision.settles) <= set(decision.sighted)
    if decision.settles:
        assert Ability.DECIDE_AS_LEAD in decision.requires
    if decision.sighted and decision.action is Action.NEW:
        assert decision.settles == decision.sighted


@MODEST
@given(any_facts())
def test_an_agent_alone_never_books_a_sighting_as_a_new_activation(known: Facts) -> None:
    for _, decision in walks(known):
        if decision.sighted and decision.action in (Action.NEW, Action.REINSTALL):
            assert Ability.DECIDE_AS_LEAD in decision.requires


@MODEST
@given(any_facts())
def test_an_agent_alone_never_activates_a_host_that_cannot_be_recognised(known: Facts) -> None:
    """Whatever is chosen: fewer than two strong parts, and the license would run on every copy of the state."""
    parts = len([name for name in known.request.fingerprint.components if name in STRONG])
    for _, decision in walks(known):
        if parts < 2 and decision.action not in (None, Action.RESEND):
            assert Ability.DECIDE_AS_LEAD in decision.requires


EVERYTHING = facts(
    activation(open_restoration="RES-1", container="docker"),
    activation("ACT-2"),
    request={
        "previous": "1" * 32,
        "container": "docker",
        "state": RequestState.ANSWERED,
        "refusal": "x",
        "answer": answer(),
    },
    tombstones=(tombstone(),),
    latest=LATEST,
    issued=("1" * 32, "2" * 32),
    acknowledged="1" * 32,
    revealed=frozenset({"d" * 64}),
    active_elsewhere=("LIC-2",),
)


def changed(value: Any) -> Any:
    """Another value of the same kind; something where there was nothing."""
    if value is None:
        return "x"
    if isinstance(value, bool):
        return not value
    if isinstance(value, Enum):
        return next(other for other in type(value) if other is not value)
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, Fingerprint):
        return host("another")
    raise AssertionError(f"no other value for {value!r}")


def changes(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The value with one leaf changed, for each of its leaves; optional ones are also left out."""
    if is_dataclass(value) and not isinstance(value, Fingerprint):
        for field in fields(value):
            for name, other in changes(getattr(value, field.name), f"{path}.{field.name}"):
                yield name, replace(value, **{field.name: other})  # type: ignore[type-var]
            if "None" in str(field.type) and getattr(value, field.name) is not None:
                yield f"{path}.{field.name} left out", replace(value, **{field.name: None})  # type: ignore[type-var]
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            for name, other in changes(item, f"{path}[{index}]"):
                yield name, (*value[:index], other, *value[index + 1 :])
        if value:
            yield f"{path} shortened", value[:-1]
        if len(value) > 1:
            yield f"{path} reversed", value[::-1]
    elif isinstance(value, frozenset):
        yield f"{path} emptied", frozenset()
        yield f"{path} grown", value | {"e" * 64}
    else:
        yield path, changed(value)


@pytest.mark.parametrize(("name", "other"), [pytest.param(n, o, id=n) for n, o in changes(EVERYTHING)])
def test_the_digest_changes_with_every_fact(name: str, other: Facts) -> None:
    shown = decide(EVERYTHING)
    assert other != EVERYTHING
    assert decision_digest(other, shown) != decision_digest(EVERYTHING, shown), name


@pytest.mark.parametrize(
    ("name", "other"), [pytest.param(n, o, id=n) for n, o in changes(decide(EVERYTHING, Chosen()))]
)
def test_the_digest_changes_with_every_part_of_the_decision(name: str, other: Decision) -> None:
    shown = decide(EVERYTHING)
    assert decision_digest(EVERYTHING, other) != decision_digest(EVERYTHING, shown), name


def test_the_digest_is_over_canonical_json() -> None:
    """Another process must find the same digest, whatever order its sets have."""
    assert digest(frozenset({"pump", "mill"}), host(machine_id=None, board_uuid=None, disk_serial=None), None) == (
        hashlib.sha256(b'[["mill","pump"],{"mac":["74eadbef0f3799b0"]},null]').hexdigest()
    )
