"""Rows of the decision table about what is known: update, rebind, lost and found (Design 9.5, 9.6)."""

from typing import Any

import pytest

from activations.domain import sentences as say
from activations.domain.words import (
    Ability,
    Action,
    ActivationState,
    Choice,
)
from tests.domain.builders import (
    LATEST,
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
    two_cards,
)

ISSUE, LEAD = Ability.ISSUE, Ability.DECIDE_AS_LEAD
LOST = ActivationState.LOST
REBIND, FOUND, REINSTALLED, SECOND = Choice.REBIND, Choice.FOUND_AGAIN, Choice.REINSTALLED, Choice.SECOND
FULL: dict[str, Any] = {"allowed": 1}
DOCKER: dict[str, Any] = {"container": "docker"}
NEXT: dict[str, Any] = {"request": {"counter": 8}, "latest": LATEST}

SAME_INSTANCE = [
    Case(
        "update",
        facts(activation(), license=FULL, **NEXT),
        chose(),
        issued("updated", Action.UPDATE, 1, activation_id="ACT-1"),
    ),
    Case(
        "update in a container",
        facts(activation(container="docker"), request=DOCKER),
        chose(),
        issued("updated", Action.UPDATE, 1, activation_id="ACT-1"),
    ),
    Case(
        "update after one part was changed",
        facts(activation(fingerprint=host(mac="old card"))),
        chose(),
        issued(
            "updated",
            Action.UPDATE,
            1,
            activation_id="ACT-1",
            warnings=(
                "The host changed a little and is still recognised: network card changed; board, disk and machine "
                "id are the same.",
            ),
        ),
    ),
    Case(
        "update after a part appeared and another vanished",
        facts(activation(fingerprint=host(mac=None)), request={"fingerprint": host(disk_serial=None)}),
        chose(),
        issued(
            "updated",
            Action.UPDATE,
            1,
            activation_id="ACT-1",
            warnings=(
                "The host changed a little and is still recognised: network card is reported for the first time; "
                "disk is no longer reported; board and machine id are the same.",
            ),
        ),
    ),
    Case(
        "update with one of two network cards swapped: nothing to warn of",
        facts(
            activation(fingerprint=two_cards("pump-house", "left", "right")),
            request={"fingerprint": two_cards("pump-house", "left", "new")},
        ),
        chose(),
        issued("updated", Action.UPDATE, 1, activation_id="ACT-1"),
    ),
    Case(
        "update: a neighbour on the same host does not matter",
        facts(neighbour("ACT-1"), activation("ACT-2"), neighbour("ACT-3", instance="pump-3", state=LOST)),
        chose(),
        issued("updated", Action.UPDATE, 3, activation_id="ACT-2"),
    ),
    Case(
        "an update is refused for good by whoever may issue",
        facts(activation()),
        chose(Choice.REFUSE),
        refused("declined-by-person", 1, requires=(ISSUE,), taken=(Choice.REFUSE,)),
    ),
    Case(
        "half of the parts changed: not recognised",
        facts(activation(fingerprint=host(mac="old card", board_uuid="old board"))),
        chose(),
        pending("host-changed", 1, (REBIND, LEAD, "ACT-1"), refuse=LEAD),
    ),
    Case(
        "another host",
        facts(activation(fingerprint=host("mill"))),
        chose(),
        pending("host-changed", 1, (REBIND, LEAD, "ACT-1"), refuse=LEAD),
    ),
    Case(
        "another host, rebound",
        facts(activation(fingerprint=host("mill")), license=FULL),
        chose(REBIND),
        issued("rebound", Action.REBIND, 1, activation_id="ACT-1", requires=(LEAD,), taken=(REBIND,)),
    ),
    Case(
        "another host, rebound by name",
        facts(activation(fingerprint=host("mill"))),
        chose(REBIND, of="ACT-1"),
        issued("rebound", Action.REBIND, 1, activation_id="ACT-1", requires=(LEAD,), taken=(REBIND,)),
    ),
    Case(
        "another host, but another activation was named",
        facts(activation(fingerprint=host("mill")), elsewhere("ACT-2")),
        chose(REBIND, of="ACT-2"),
        pending("host-changed", 2, (REBIND, LEAD, "ACT-1"), refuse=LEAD),
    ),
    Case(
        "another host cannot pass for a second Chariot",
        facts(activation(fingerprint=host("mill"))),
        chose(SECOND),
        pending("host-changed", 1, (REBIND, LEAD, "ACT-1"), refuse=LEAD),
    ),
    Case(
        "one comparable part, though it is the same: not recognised",
        facts(
            activation(fingerprint=host()),
            request={"fingerprint": host(mac=None, board_uuid=None, disk_serial=None)},
        ),
        chose(),
        pending("host-changed", 1, (REBIND, LEAD, "ACT-1"), refuse=LEAD, warnings=(say.NOT_COMPARABLE,)),
    ),
    Case(
        "no comparable part",
        facts(
            activation(fingerprint=host(mac=None, board_uuid=None)),
            request={"fingerprint": host(machine_id=None, disk_serial=None)},
        ),
        chose(),
        pending("host-changed", 1, (REBIND, LEAD, "ACT-1"), refuse=LEAD),
    ),
]


LOST_FOUND = [
    Case(
        "lost Chariot on its own host: an agent confirms",
        facts(activation(state=LOST)),
        chose(),
        pending("lost-host-seen", 1, (FOUND, ISSUE, "ACT-1"), refuse=ISSUE),
    ),
    Case(
        "lost Chariot on its own host, found",
        facts(activation(state=LOST), license=FULL),
        chose(FOUND),
        issued("found-again", Action.FIND, 1, activation_id="ACT-1", requires=(ISSUE,), taken=(FOUND,)),
    ),
    Case(
        "lost Chariot in a container, found by its Instance",
        facts(activation(state=LOST, container="docker"), request=DOCKER),
        chose(FOUND),
        issued("found-again", Action.FIND, 1, activation_id="ACT-1", requires=(ISSUE,), taken=(FOUND,)),
    ),
    Case(
        "lost Chariot on another host: a lead confirms",
        facts(activation(state=LOST, fingerprint=host("mill"))),
        chose(),
        pending("lost-host-seen", 1, (FOUND, LEAD, "ACT-1"), refuse=LEAD),
    ),
    Case(
        "lost Chariot on another host, found",
        facts(activation(state=LOST, fingerprint=host("mill"))),
        chose(FOUND, of="ACT-1"),
        issued("found-again", Action.FIND, 1, activation_id="ACT-1", requires=(LEAD,), taken=(FOUND,)),
    ),
    Case(
        "lost Chariot with an open restoration, found: the case is closed",
        facts(activation(state=LOST, open_restoration="RES-1")),
        chose(FOUND),
        issued(
            "found-again",
            Action.FIND,
            1,
            activation_id="ACT-1",
            requires=(ISSUE,),
            taken=(FOUND,),
            warnings=(say.closes_restoration("RES-1"),),
        ),
    ),
    Case(
        "lost Chariot itself cannot be a second one",
        facts(activation(state=LOST)),
        chose(SECOND),
        pending("lost-host-seen", 1, (FOUND, ISSUE, "ACT-1"), refuse=ISSUE),
    ),
    Case(
        "the Instance beats the fingerprint: only its own lost activation is offered",
        facts(neighbour("ACT-1", state=LOST), activation("ACT-2", state=LOST), neighbour("ACT-3", instance="pump-3")),
        chose(),
        pending("lost-host-seen", 3, (FOUND, ISSUE, "ACT-2"), refuse=ISSUE),
    ),
    Case(
        "new Instance on a lost host",
        facts(neighbour(state=LOST)),
        chose(),
        pending("lost-host-seen", 1, (FOUND, ISSUE, "ACT-1"), (SECOND, ISSUE, None), refuse=ISSUE),
    ),
    Case(
        "new Instance on a lost host, no seat free: a second one is not offered",
        facts(neighbour(state=LOST), license=FULL),
        chose(SECOND),
        pending("lost-host-seen", 1, (FOUND, ISSUE, "ACT-1"), refuse=ISSUE),
    ),
    Case(
        "new Instance on a lost host, found",
        facts(neighbour(state=LOST), license=FULL),
        chose(FOUND),
        issued("found-again", Action.FIND, 1, activation_id="ACT-1", requires=(ISSUE,), taken=(FOUND,)),
    ),
    Case(
        "new Instance on a lost host, a second Chariot",
        facts(neighbour(state=LOST)),
        chose(SECOND),
        issued("second-chariot", Action.NEW, 1, requires=(ISSUE,), taken=(SECOND,)),
    ),
    Case(
        "new Instance on a lost host, installed again twice this year: a lead confirms",
        facts(neighbour(state=LOST, reinstalls_this_year=2)),
        chose(),
        pending("lost-host-seen", 1, (FOUND, LEAD, "ACT-1"), (SECOND, ISSUE, None), refuse=ISSUE),
    ),
    Case(
        "new Instance on a lost host, installed again twice this year, found by a lead",
        facts(neighbour(state=LOST, reinstalls_this_year=2)),
        chose(FOUND),
        issued("found-again", Action.FIND, 1, activation_id="ACT-1", requires=(LEAD,), taken=(FOUND,)),
    ),
    Case(
        "new Instance, two lost ones on the host: one must be named",
        facts(neighbour("ACT-1", state=LOST), neighbour("ACT-2", state=LOST), license={"allowed": 2}),
        chose(FOUND),
        pending("lost-host-seen", 2, (FOUND, ISSUE, "ACT-1"), (FOUND, ISSUE, "ACT-2"), refuse=ISSUE),
    ),
    Case(
        "new Instance, two lost ones on the host, named",
        facts(neighbour("ACT-1", state=LOST), neighbour("ACT-2", state=LOST)),
        chose(FOUND, of="ACT-2"),
        issued("found-again", Action.FIND, 2, activation_id="ACT-2", requires=(ISSUE,), taken=(FOUND,)),
    ),
    Case(
        "new Instance, two lost ones on the host, a third named",
        facts(neighbour("ACT-1", state=LOST), neighbour("ACT-2", state=LOST), license={"allowed": 2}),
        chose(FOUND, of="ACT-3"),
        pending("lost-host-seen", 2, (FOUND, ISSUE, "ACT-1"), (FOUND, ISSUE, "ACT-2"), refuse=ISSUE),
    ),
    Case(
        "new Instance, a lost and an active one on the host: it may be either",
        facts(neighbour("ACT-1", state=LOST), neighbour("ACT-2"), license={"allowed": 2}),
        chose(),
        pending("lost-host-seen", 2, (FOUND, ISSUE, "ACT-1"), (REINSTALLED, ISSUE, "ACT-2"), refuse=ISSUE),
    ),
    Case(
        "new Instance, a lost and an active one on the host: the active one was installed again",
        facts(neighbour("ACT-1", state=LOST), neighbour("ACT-2"), license={"allowed": 2}),
        chose(REINSTALLED),
        issued("reinstalled", Action.REINSTALL, 2, activation_id="ACT-2", requires=(ISSUE,), taken=(REINSTALLED,)),
    ),
    Case(
        "new Instance in a container on a lost host: not compared",
        facts(neighbour(state=LOST), request=DOCKER),
        chose(),
        issued("activated", Action.NEW, 1),
    ),
    Case(
        "new Instance on the host of a container that was lost: not compared",
        facts(neighbour(state=LOST, container="podman")),
        chose(),
        issued("activated", Action.NEW, 1),
    ),
    Case(
        "new Instance on a lost host, by two parts alone: not recognised",
        facts(neighbour(state=LOST, fingerprint=host(mac="old card", board_uuid="old board"))),
        chose(),
        issued("activated", Action.NEW, 1),
    ),
]

CASES = [*SAME_INSTANCE, *LOST_FOUND]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    assert answered(case.decide()) == case.expected
