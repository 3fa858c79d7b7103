"""The row of the decision table about what was written off: which request is a sighting, and what settles it."""

from typing import Any

import pytest

from activations.domain import sentences as say
from activations.domain.words import (
    Ability,
    Action,
    ActivationState,
    Choice,
    TombstoneKind,
)
from tests.domain.builders import (
    Case,
    activation,
    answered,
    chose,
    elsewhere,
    facts,
    host,
    issued,
    neighbour,
    pending,
    refused,
    tombstone,
)

ISSUE, LEAD = Ability.ISSUE, Ability.DECIDE_AS_LEAD
LOST = ActivationState.LOST
REBIND, FOUND, REINSTALLED, SECOND = Choice.REBIND, Choice.FOUND_AGAIN, Choice.REINSTALLED, Choice.SECOND
FULL: dict[str, Any] = {"allowed": 1}
DOCKER: dict[str, Any] = {"container": "docker"}
SIGHTED = say.sighting("ACT-9", "RES-9")

STONE = tombstone()
OWN_STONE = tombstone(instance="pump-1", fingerprint=host("mill"))
DISPLACED = tombstone(kind=TombstoneKind.DISPLACED, activation_id="ACT-1", instance="pump-1", restoration_id=None)
REBOUND = tombstone(kind=TombstoneKind.REBOUND, activation_id="ACT-1", instance="pump-1", restoration_id=None)
BURIED = say.sighting("ACT-1", None)
SEEN: dict[str, Any] = {"sighted": ("TMB-1",), "warnings": (SIGHTED,)}
SETTLED: dict[str, Any] = {
    "sighted": ("TMB-1",),
    "settles": ("TMB-1",),
    "warnings": (SIGHTED, say.settles(["RES-9"])),
}

TOMBSTONES = [
    Case(
        "restored: a new Instance on the host",
        facts(tombstones=(STONE,)),
        chose(),
        pending("tombstone-seen", 0, (SECOND, LEAD, None), refuse=LEAD, **SEEN),
    ),
    Case(
        "restored: the Instance on another host",
        facts(tombstones=(OWN_STONE,)),
        chose(),
        pending("tombstone-seen", 0, (SECOND, LEAD, None), refuse=LEAD, **SEEN),
    ),
    Case(
        "restored: the Instance in a container",
        facts(request=DOCKER, tombstones=(OWN_STONE,)),
        chose(),
        pending("tombstone-seen", 0, (SECOND, LEAD, None), refuse=LEAD, **SEEN),
    ),
    Case(
        "restored: a container on the host is no sighting",
        facts(request=DOCKER, tombstones=(STONE,)),
        chose(),
        issued("activated", Action.NEW, 0),
    ),
    Case(
        "restored: another host is no sighting",
        facts(tombstones=(tombstone(fingerprint=host("mill")),)),
        chose(),
        issued("activated", Action.NEW, 0),
    ),
    Case(
        "restored: accepted by a lead, the case is settled",
        facts(tombstones=(STONE, tombstone("TMB-2", fingerprint=host("mill")))),
        chose(SECOND),
        issued(
            "sighting-accepted",
            Action.NEW,
            0,
            requires=(LEAD,),
            taken=(SECOND,),
            **SETTLED,
        ),
    ),
    Case(
        "restored: refused for good, the case stays open",
        facts(tombstones=(STONE,)),
        chose(Choice.REFUSE),
        refused("declined-by-person", 0, requires=(LEAD,), taken=(Choice.REFUSE,), **SEEN),
    ),
    Case(
        "restored: no seat is free",
        facts(elsewhere("ACT-2"), license=FULL, tombstones=(STONE,)),
        chose(SECOND),
        refused("no-seat-tombstone", 1, **SEEN),
    ),
    Case(
        "restored: the host also holds an active one, which may be installed again without a seat",
        facts(neighbour("ACT-2", instance="pump-2"), license=FULL, tombstones=(STONE,)),
        chose(),
        pending("tombstone-seen", 1, (REINSTALLED, LEAD, "ACT-2"), refuse=LEAD, **SEEN),
    ),
    Case(
        "restored: the host also holds an active one, installed again",
        facts(neighbour("ACT-2", instance="pump-2"), license=FULL, tombstones=(STONE,)),
        chose(REINSTALLED),
        issued(
            "reinstalled",
            Action.REINSTALL,
            1,
            activation_id="ACT-2",
            requires=(LEAD,),
            taken=(REINSTALLED,),
            **SETTLED,
        ),
    ),
    Case(
        "restored: the host also holds a lost one; a sighting needs a lead",
        facts(neighbour("ACT-2", instance="pump-2", state=LOST), tombstones=(STONE,)),
        chose(),
        pending("lost-host-seen", 1, (FOUND, LEAD, "ACT-2"), (SECOND, LEAD, None), refuse=LEAD, **SEEN),
    ),
    Case(
        "restored: the host also holds a lost one, but this is another Chariot",
        facts(neighbour("ACT-2", instance="pump-2", state=LOST), tombstones=(STONE,)),
        chose(SECOND),
        issued(
            "sighting-accepted",
            Action.NEW,
            1,
            requires=(LEAD,),
            taken=(SECOND,),
            **SETTLED,
        ),
    ),
    Case(
        "restored: the Instance beats the fingerprint of a lost one",
        facts(neighbour("ACT-2", instance="pump-2", state=LOST), tombstones=(OWN_STONE,)),
        chose(),
        pending("tombstone-seen", 1, (FOUND, LEAD, "ACT-2"), (SECOND, LEAD, None), refuse=LEAD, **SEEN),
    ),
    Case(
        "restored: a second Chariot on that host rightly holds its activation",
        facts(activation("ACT-2"), tombstones=(STONE,)),
        chose(),
        issued("updated", Action.UPDATE, 1, activation_id="ACT-2"),
    ),
    Case(
        "restored: an activation is moved onto the written-off host, which accepts the sighting",
        facts(activation("ACT-2", fingerprint=host("mill")), tombstones=(STONE,)),
        chose(REBIND),
        issued(
            "rebound",
            Action.REBIND,
            1,
            activation_id="ACT-2",
            requires=(LEAD,),
            taken=(REBIND,),
            **SETTLED,
        ),
    ),
    Case(
        "restored: a lost Chariot is found on the same host; the agent leaves the case open",
        facts(activation("ACT-2", state=LOST), tombstones=(STONE,)),
        chose(FOUND),
        issued("found-again", Action.FIND, 1, activation_id="ACT-2", requires=(ISSUE,), taken=(FOUND,), **SEEN),
    ),
    Case(
        "restored: two cases in one sighting",
        facts(tombstones=(STONE, tombstone("TMB-2", restoration_id="RES-8", activation_id="ACT-8"))),
        chose(SECOND),
        issued(
            "sighting-accepted",
            Action.NEW,
            0,
            requires=(LEAD,),
            taken=(SECOND,),
            warnings=(SIGHTED, say.sighting("ACT-8", "RES-8"), say.settles(["RES-9", "RES-8"])),
            sighted=("TMB-1", "TMB-2"),
            settles=("TMB-1", "TMB-2"),
        ),
    ),
    Case(
        "restored: sighted even when the request is refused by a rule",
        facts(request={"product": "ignition"}, tombstones=(STONE,)),
        chose(),
        refused("product-mismatch", 0, **SEEN),
    ),
    Case(
        "displaced: the old Instance comes back, and takes its activation back",
        facts(neighbour(), tombstones=(DISPLACED,)),
        chose(REINSTALLED),
        issued(
            "reinstalled",
            Action.REINSTALL,
            1,
            activation_id="ACT-1",
            requires=(LEAD,),
            taken=(REINSTALLED,),
            sighted=("TMB-1",),
            settles=("TMB-1",),
            warnings=(BURIED, say.settles(["ACT-1"])),
        ),
    ),
    Case(
        "displaced: the old Instance comes back on another host",
        facts(elsewhere("ACT-1"), tombstones=(DISPLACED,)),
        chose(),
        pending("tombstone-seen", 1, (SECOND, LEAD, None), refuse=LEAD, sighted=("TMB-1",), warnings=(BURIED,)),
    ),
    Case(
        "displaced: the new Instance on the same host is no sighting",
        facts(
            activation(),
            tombstones=(tombstone(kind=TombstoneKind.DISPLACED, activation_id="ACT-1", restoration_id=None),),
        ),
        chose(),
        issued("updated", Action.UPDATE, 1, activation_id="ACT-1"),
    ),
    Case(
        "displaced: installed once more on the same host is no sighting",
        facts(
            neighbour(instance="pump-2"),
            tombstones=(tombstone(kind=TombstoneKind.DISPLACED, activation_id="ACT-1", restoration_id=None),),
        ),
        chose(),
        pending("same-host", 1, (REINSTALLED, ISSUE, "ACT-1"), (SECOND, ISSUE, None), refuse=ISSUE),
    ),
    Case(
        "displaced: after a proper deactivation the host starts anew, no sighting",
        facts(
            neighbour(state=ActivationState.DEACTIVATED),
            tombstones=(tombstone(kind=TombstoneKind.DISPLACED, activation_id="ACT-1", restoration_id=None),),
        ),
        chose(),
        issued("activated", Action.NEW, 0),
    ),
    Case(
        "rebound: the Chariot on its new hardware is no sighting",
        facts(activation(), tombstones=(tombstone(**{**vars(REBOUND), "fingerprint": host("mill")}),)),
        chose(),
        issued("updated", Action.UPDATE, 1, activation_id="ACT-1"),
    ),
    Case(
        "rebound: the Chariot on its old hardware is one",
        facts(activation(fingerprint=host("mill")), tombstones=(REBOUND,)),
        chose(),
        pending(
            "host-changed",
            1,
            (REBIND, LEAD, "ACT-1"),
            refuse=LEAD,
            sighted=("TMB-1",),
            warnings=(BURIED,),
        ),
    ),
    Case(
        "rebound: the Chariot on a third host is no sighting",
        facts(activation(fingerprint=host("mill")), request={"fingerprint": host("weir")}, tombstones=(REBOUND,)),
        chose(),
        pending("host-changed", 1, (REBIND, LEAD, "ACT-1"), refuse=LEAD),
    ),
    Case(
        "rebound: moved back to the old hardware, the case is settled",
        facts(activation(fingerprint=host("mill")), tombstones=(REBOUND,)),
        chose(REBIND),
        issued(
            "rebound",
            Action.REBIND,
            1,
            activation_id="ACT-1",
            requires=(LEAD,),
            taken=(REBIND,),
            sighted=("TMB-1",),
            settles=("TMB-1",),
            warnings=(BURIED, say.settles(["ACT-1"])),
        ),
    ),
    Case(
        "rebound: the old hardware reused by another Chariot is no sighting",
        facts(
            elsewhere("ACT-1"),
            tombstones=(tombstone(kind=TombstoneKind.REBOUND, instance="mill-chariot", restoration_id=None),),
        ),
        chose(),
        issued("activated", Action.NEW, 1),
    ),
]

CASES = TOMBSTONES


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    assert answered(case.decide()) == case.expected
