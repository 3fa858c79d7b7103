"""Rows of the decision table about the license and this very request: its state, and answered before (Design 9.2)."""

from dataclasses import replace
from typing import Any

import pytest

from activations.domain import sentences as say
from activations.domain.decisions import ROWS, decide
from activations.domain.words import (
    Ability,
    Action,
    ActivationState,
    Choice,
    LicenseStatus,
    RequestState,
)
from tests.domain.builders import (
    LATEST,
    Case,
    activation,
    answer,
    answered,
    chose,
    facts,
    host,
    issued,
    neighbour,
    refused,
    tombstone,
)

LEAD = Ability.DECIDE_AS_LEAD
REBIND, REFUSE = Choice.REBIND, Choice.REFUSE
ANSWERED: dict[str, Any] = {"state": RequestState.ANSWERED, "answer": answer()}


LICENSE_STATE = [
    Case(
        "suspended",
        facts(license={"status": LicenseStatus.SUSPENDED}),
        chose(),
        refused("license-suspended", 0),
    ),
    Case("revoked", facts(license={"status": LicenseStatus.REVOKED}), chose(), refused("license-revoked", 0)),
    Case("wholly expired", facts(license={"wholly_expired": True}), chose(), refused("license-expired", 0)),
    Case("another product", facts(request={"product": "ignition"}), chose(), refused("product-mismatch", 0)),
    Case("version too new", facts(request={"version": "3.0.0"}), chose(), refused("version-not-covered", 0)),
    Case("version too old", facts(request={"version": "1.9.9"}), chose(), refused("version-not-covered", 0)),
    Case("version not readable", facts(request={"version": "latest"}), chose(), refused("version-not-covered", 0)),
    Case(
        "made with a test switch",
        facts(request={"test": True}),
        chose(),
        refused("test-request", 0, warnings=(say.TEST_REQUEST,)),
    ),
    Case(
        "made with a test switch, on a test portal",
        facts(request={"test": True}, accept_test_requests=True),
        chose(),
        issued("activated", Action.NEW, 0, warnings=(say.TEST_REQUEST,)),
    ),
    Case(
        "suspended comes before re-sending",
        facts(activation(), request=ANSWERED, license={"status": LicenseStatus.SUSPENDED}),
        chose(),
        refused("license-suspended", 1),
    ),
    Case(
        "revoked comes before re-sending",
        facts(activation(), request=ANSWERED, license={"status": LicenseStatus.REVOKED}),
        chose(),
        refused("license-revoked", 1),
    ),
    Case(
        "expired comes before re-sending",
        facts(activation(), request=ANSWERED, license={"wholly_expired": True}),
        chose(),
        refused("license-expired", 1),
    ),
    Case(
        "the version comes before re-sending",
        facts(activation(), request=ANSWERED, license={"versions": ("", "2.4")}),
        chose(),
        refused("version-not-covered", 1),
    ),
    Case(
        "the test mark comes before re-sending",
        facts(activation(), request={**ANSWERED, "test": True}),
        chose(),
        refused("test-request", 1, warnings=(say.TEST_REQUEST,)),
    ),
    Case(
        "a rule's refusal is not a person's",
        facts(license={"status": LicenseStatus.REVOKED}),
        chose(REFUSE),
        refused("license-revoked", 0),
    ),
]


RESENT = [
    Case(
        "answered before",
        facts(activation(), request=ANSWERED, latest=LATEST),
        chose(),
        issued("re-sent", Action.RESEND, 1, activation_id="ACT-1"),
    ),
    Case(
        "answered before, with every seat taken",
        facts(activation(), request=ANSWERED, license={"allowed": 1}),
        chose(),
        issued("re-sent", Action.RESEND, 1, activation_id="ACT-1"),
    ),
    Case(
        "answered before, terms changed since",
        facts(activation(), request={**ANSWERED, "answer": answer(terms_revision=2)}),
        chose(),
        issued("re-sent", Action.RESEND, 1, activation_id="ACT-1", warnings=(say.TERMS_CHANGED_SINCE,)),
    ),
    Case(
        "answered before, a clone repeated its number since",
        facts(activation(), request=ANSWERED, latest=LATEST, known_id=True),
        chose(),
        issued("re-sent", Action.RESEND, 1, activation_id="ACT-1"),
    ),
    Case(
        "answered before: what was sent cannot be refused",
        facts(activation(), request=ANSWERED),
        chose(REFUSE),
        issued("re-sent", Action.RESEND, 1, activation_id="ACT-1"),
    ),
    Case(
        "answered before, lost since",
        facts(activation(state=ActivationState.LOST), request=ANSWERED),
        chose(Choice.FOUND_AGAIN),
        refused("answer-withdrawn", 1),
    ),
    Case(
        "answered before, deactivated since",
        facts(activation(state=ActivationState.DEACTIVATED), request=ANSWERED),
        chose(),
        refused("answer-withdrawn", 0),
    ),
    Case(
        "answered before, restored since: a sighting as well",
        facts(
            activation(state=ActivationState.RESTORED),
            request=ANSWERED,
            tombstones=(tombstone(activation_id="ACT-1", instance="pump-1"),),
        ),
        chose(),
        refused("answer-withdrawn", 0, sighted=("TMB-1",), warnings=(say.sighting("ACT-1", "RES-9"),)),
    ),
    Case(
        "answered before, another Chariot took the activation over",
        facts(neighbour("ACT-1"), request=ANSWERED),
        chose(),
        refused("answer-withdrawn", 1),
    ),
    Case(
        "answered before, this Chariot holds another activation now",
        facts(activation("ACT-1", state=ActivationState.RESTORED), activation("ACT-2"), request=ANSWERED),
        chose(),
        refused("answer-withdrawn", 1),
    ),
    Case(
        "declined by a person, final",
        facts(activation(), request={"state": RequestState.DECLINED, "refusal": "a clone, says the customer"}),
        chose(),
        refused("declined-earlier", 1),
    ),
    Case(
        "refused by a rule before: asked again, it may end differently",
        facts(request={"state": RequestState.REFUSED}, known_id=True),
        chose(),
        issued("activated", Action.NEW, 0),
    ),
    Case(
        "pending before: decided afresh",
        facts(activation(fingerprint=host("mill")), request={"state": RequestState.PENDING}, known_id=True),
        chose(REBIND),
        issued("rebound", Action.REBIND, 1, activation_id="ACT-1", requires=(LEAD,), taken=(REBIND,)),
    ),
]


CASES = [*LICENSE_STATE, *RESENT]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    assert answered(case.decide()) == case.expected


def test_first_match_wins() -> None:
    """Facts that fit every row: taking away what the first fitting row wants uncovers the next."""
    everything = facts(
        activation(),
        activation("ACT-2", state=ActivationState.LOST, instance="pump-0"),
        neighbour("ACT-3"),
        request={"counter": 5, **ANSWERED},
        license={"status": LicenseStatus.SUSPENDED, "wholly_expired": True, "product": "other", "allowed": 3},
        tombstones=(tombstone(),),
        latest=LATEST,
        known_id=True,
    )
    steps: list[tuple[str, dict[str, Any]]] = [
        ("superseded", {"instance": replace(everything.instance, latest=replace(LATEST, counter=5))}),
        ("license-suspended", {"license": replace(everything.license, status=LicenseStatus.ACTIVE)}),
        (
            "license-expired",
            {"license": replace(everything.license, status=LicenseStatus.ACTIVE, wholly_expired=False)},
        ),
        ("product-mismatch", {"license": facts(license={"allowed": 3}).license}),
        ("re-sent", {"request": replace(everything.request, answer=None)}),
        ("counter-repeated", {"instance": facts().instance}),
        ("updated", {"activations": everything.activations[1:]}),
        ("lost-host-seen", {"activations": everything.activations[2:]}),
        ("tombstone-seen", {"tombstones": ()}),
        ("same-host", {"activations": ()}),
        ("activated", {"license": facts(license={"allowed": 0}).license}),
        ("no-seat", {}),
    ]
    codes = []
    current = everything
    for _, change in steps:
        codes.append(decide(current).code)
        current = replace(current, **change)
    assert codes == [code for code, _ in steps]
    assert len(ROWS) == 9
