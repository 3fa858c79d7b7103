"""The last rows of the decision table: the host holds an active Chariot, a seat is free, no seat is free."""

from typing import Any

import pytest
from chariot_license.protocol.fingerprint import Fingerprint

from activations.domain import sentences as say
from activations.domain.words import (
    Ability,
    Action,
    ActivationState,
    Choice,
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
)

ISSUE, LEAD = Ability.ISSUE, Ability.DECIDE_AS_LEAD
LOST = ActivationState.LOST
REBIND, FOUND, REINSTALLED, SECOND = Choice.REBIND, Choice.FOUND_AGAIN, Choice.REINSTALLED, Choice.SECOND
ACCEPT = Choice.ACCEPT_HOST
ONE_PART = host(machine_id=None, board_uuid=None, mac=None)
TWO_PARTS = host(machine_id=None, board_uuid=None)
FULL: dict[str, Any] = {"allowed": 1}
DOCKER: dict[str, Any] = {"container": "docker"}

SAME_HOST = [
    Case(
        "new Instance on an active host",
        facts(neighbour()),
        chose(),
        pending("same-host", 1, (REINSTALLED, ISSUE, "ACT-1"), (SECOND, ISSUE, None), refuse=ISSUE),
    ),
    Case(
        "installed again, with every seat taken",
        facts(neighbour(), license=FULL),
        chose(REINSTALLED),
        issued("reinstalled", Action.REINSTALL, 1, activation_id="ACT-1", requires=(ISSUE,), taken=(REINSTALLED,)),
    ),
    Case(
        "a second Chariot",
        facts(neighbour()),
        chose(SECOND),
        issued("second-chariot", Action.NEW, 1, requires=(ISSUE,), taken=(SECOND,)),
    ),
    Case(
        "a second Chariot, whatever activation was named",
        facts(neighbour()),
        chose(SECOND, of="ACT-1"),
        issued("second-chariot", Action.NEW, 1, requires=(ISSUE,), taken=(SECOND,)),
    ),
    Case(
        "a second Chariot, but no seat is free",
        facts(neighbour(), license=FULL),
        chose(SECOND),
        pending("same-host", 1, (REINSTALLED, ISSUE, "ACT-1"), refuse=ISSUE),
    ),
    Case(
        "installed again for the second time this year",
        facts(neighbour(reinstalls_this_year=1)),
        chose(REINSTALLED),
        issued("reinstalled", Action.REINSTALL, 1, activation_id="ACT-1", requires=(ISSUE,), taken=(REINSTALLED,)),
    ),
    Case(
        "installed again for the third time this year: a lead",
        facts(neighbour(reinstalls_this_year=2)),
        chose(),
        pending("same-host", 1, (REINSTALLED, LEAD, "ACT-1"), (SECOND, ISSUE, None), refuse=ISSUE),
    ),
    Case(
        "installed again for the third time this year, no seat free: all is the lead's",
        facts(neighbour(reinstalls_this_year=2), license=FULL),
        chose(),
        pending("same-host", 1, (REINSTALLED, LEAD, "ACT-1"), refuse=LEAD),
    ),
    Case(
        "several Chariots on the host: one must be named",
        facts(neighbour("ACT-1"), neighbour("ACT-2", instance="pump-2", reinstalls_this_year=3)),
        chose(REINSTALLED),
        pending(
            "same-host",
            2,
            (REINSTALLED, ISSUE, "ACT-1"),
            (REINSTALLED, LEAD, "ACT-2"),
            (SECOND, ISSUE, None),
            refuse=ISSUE,
        ),
    ),
    Case(
        "several Chariots on the host, named",
        facts(neighbour("ACT-1"), neighbour("ACT-2", instance="pump-2", reinstalls_this_year=3)),
        chose(REINSTALLED, of="ACT-2"),
        issued("reinstalled", Action.REINSTALL, 2, activation_id="ACT-2", requires=(LEAD,), taken=(REINSTALLED,)),
    ),
    Case(
        "in a container beside an active one: not compared",
        facts(neighbour(container="docker"), request=DOCKER),
        chose(),
        issued("activated", Action.NEW, 1),
    ),
    Case(
        "on the host of an active container: not compared",
        facts(neighbour(container="docker")),
        chose(),
        issued("activated", Action.NEW, 1),
    ),
    Case(
        "found again is not open where nothing is lost",
        facts(neighbour(), license=FULL),
        chose(FOUND),
        pending("same-host", 1, (REINSTALLED, ISSUE, "ACT-1"), refuse=ISSUE),
    ),
]


SEATS = [
    Case("a seat is free", facts(elsewhere("ACT-2")), chose(), issued("activated", Action.NEW, 1)),
    Case("the last seat is free", facts(license=FULL), chose(), issued("activated", Action.NEW, 0)),
    Case(
        "a host that deactivated properly before",
        facts(activation(state=ActivationState.DEACTIVATED), license=FULL),
        chose(),
        issued("activated", Action.NEW, 0),
    ),
    Case(
        "a host whose restored activation was settled",
        facts(activation(state=ActivationState.RESTORED), license=FULL),
        chose(),
        issued("activated", Action.NEW, 0),
    ),
    Case(
        "a host that names one part: a lead",
        facts(request={"fingerprint": ONE_PART}),
        chose(),
        pending("host-not-recognisable", 0, (ACCEPT, LEAD, None), refuse=LEAD, warnings=(say.NOT_COMPARABLE,)),
    ),
    Case(
        "a host that names nothing, in a container: a lead",
        facts(request={"fingerprint": Fingerprint({}), **DOCKER}),
        chose(SECOND, REINSTALLED, FOUND),
        pending("host-not-recognisable", 0, (ACCEPT, LEAD, None), refuse=LEAD, warnings=(say.NOT_COMPARABLE,)),
    ),
    Case(
        "a host that names one part, accepted by a lead",
        facts(request={"fingerprint": ONE_PART}),
        chose(ACCEPT),
        issued("host-accepted", Action.NEW, 0, requires=(LEAD,), taken=(ACCEPT,), warnings=(say.NOT_COMPARABLE,)),
    ),
    Case(
        "a host that names one part, but no seat is free",
        facts(elsewhere("ACT-2"), request={"fingerprint": ONE_PART}, license=FULL),
        chose(ACCEPT),
        refused("no-seat", 1, warnings=(say.NOT_COMPARABLE,)),
    ),
    Case(
        "two parts are enough", facts(request={"fingerprint": TWO_PARTS}), chose(), issued("activated", Action.NEW, 0)
    ),
    Case(
        "active on another license as well",
        facts(active_elsewhere=("LIC-2", "LIC-3")),
        chose(),
        issued("activated", Action.NEW, 0, warnings=(say.active_elsewhere(("LIC-2", "LIC-3")),)),
    ),
    Case(
        "a choice where there is nothing to choose",
        facts(),
        chose(SECOND, FOUND, REINSTALLED, REBIND, Choice.RESTORED_BACKUP),
        issued("activated", Action.NEW, 0),
    ),
    Case(
        "every seat is taken",
        facts(elsewhere("ACT-2"), license=FULL),
        chose(),
        refused("no-seat", 1),
    ),
    Case(
        "every seat is taken, by lost ones",
        facts(elsewhere("ACT-2", state=LOST), license=FULL),
        chose(),
        refused("no-seat", 1),
    ),
    Case(
        "every seat is taken: nothing to choose",
        facts(elsewhere("ACT-2"), elsewhere("ACT-3", "weir", state=LOST), license={"allowed": 2}),
        chose(SECOND, Choice.REFUSE),
        refused("no-seat", 2),
    ),
]

CASES = [*SAME_HOST, *SEATS]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    assert answered(case.decide()) == case.expected
