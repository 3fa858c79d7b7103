"""Folding a chain: the story of a license gives its exact state, and what differs from the tables is said in words."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from activations.domain.fold import LicenseState, fold
from activations.domain.ledger import GENESIS, Entry, Kind
from activations.domain.words import ActivationState

LICENSE = "LIC-7K2M"
FEATURES = [{"code": "mqtt-server", "expires": None}]
MORE = [*FEATURES, {"code": "mqtt-server-support", "expires": "2027-03-31"}]
PORTAL_KINDS = {Kind.SIGNING_KEY_CREATED, Kind.SIGNING_KEY_RETIRED, Kind.STAFF_CREATED, Kind.LEDGER_EXPORTED}

CREATED = (
    Kind.LICENSE_CREATED,
    {
        "customer": "Acme Water",
        "product": "chariot-mqtt-server",
        "allowed": 2,
        "seats": [1, 2],
        "features": FEATURES,
        "versions": ["", ""],
        "terms_revision": 1,
    },
)


def chain(*steps: tuple[Kind, dict[str, Any]]) -> list[Entry]:
    entries: list[Entry] = []
    for seq, (kind, data) in enumerate(steps, 1):
        entries.append(
            Entry(
                chain=LICENSE,
                seq=seq,
                at=f"2026-03-01T09:30:{seq:02}.000000Z",
                actor="agent",
                kind=kind.value,
                reason="",
                source="desk",
                data=data,
                prev=entries[-1].hash if entries else GENESIS,
            )
        )
    return entries


def holder(host: str, secret: str, container: str = "") -> dict[str, Any]:
    return {
        "instance": f"{host}-chariot",
        "fingerprint": {"machine_id": [f"{host}-id"]},
        "commitment": secret,
        "hostname": host,
        "container": container,
    }


def received(number: int, host: str, counter: int, epoch: int = 1) -> tuple[Kind, dict[str, Any]]:
    return Kind.REQUEST_RECEIVED, {
        "request_id": f"R{number}",
        "instance": f"{host}-chariot",
        "counter": counter,
        "epoch": epoch,
        "sha256": f"hash of R{number}",
        "hostname": host,
    }


def answered(number: int, activation: str, revision: int, supersedes: str, code: str) -> tuple[Kind, dict[str, Any]]:
    return Kind.USAGE_LICENSE_ISSUED, {
        "usage_license_id": f"U{number}",
        "activation_id": activation,
        "request_id": f"R{number}",
        "terms_revision": revision,
        "supersedes": supersedes,
        "sha256": f"hash of U{number}",
        "signing_serial": "5a",
        "code": code,
    }


def held(kind: Kind, activation: str, who: dict[str, Any], **more: Any) -> tuple[Kind, dict[str, Any]]:
    return kind, {"activation_id": activation, **who, **more}


def ended(kind: Kind, activation: str, **more: Any) -> tuple[Kind, dict[str, Any]]:
    return kind, {"activation_id": activation, **more}


def request_row(host: str, counter: int, number: int, state: str, code: str) -> dict[str, Any]:
    return {
        "instance": f"{host}-chariot",
        "counter": counter,
        "epoch": 1,
        "sha256": f"hash of R{number}",
        "state": state,
        "code": code,
    }


def usage_license_row(number: int, activation: str, revision: int, supersedes: str) -> dict[str, Any]:
    return {
        "activation_id": activation,
        "request_id": f"R{number}",
        "terms_revision": revision,
        "supersedes": supersedes,
        "sha256": f"hash of U{number}",
    }


STONE = {
    "tombstone_id": "T1",
    "kind": "restored",
    "activation_id": "A2",
    "restoration_id": "C2",
    "instance": "mill-chariot",
    "fingerprint": {"machine_id": ["mill-id"]},
    "commitment": "s2",
}

# One license: bought, activated on two hosts, updated, a host destroyed, restored, and used on a third.
STORY = [
    CREATED,
    received(1, "pump", 1),
    held(Kind.ACTIVATION_CREATED, "A1", holder("pump", "s1"), seat=1, request_id="R1"),
    answered(1, "A1", 1, "", "activated"),
    (Kind.USAGE_LICENSE_RESENT, {"usage_license_id": "U1", "request_id": "R1"}),
    received(2, "mill", 1),
    held(Kind.ACTIVATION_CREATED, "A2", holder("mill", "s2", "docker"), seat=2, request_id="R2"),
    answered(2, "A2", 1, "", "activated"),
    (Kind.LICENSE_TERMS_CHANGED, {"features": MORE, "versions": ["2.0", ""], "terms_revision": 2}),
    received(3, "pump", 2),
    held(Kind.ACTIVATION_UPDATED, "A1", holder("pump", "s1"), request_id="R3"),
    answered(3, "A1", 2, "U1", "updated"),
    ended(Kind.ACTIVATION_LOST, "A2"),
    received(4, "weir", 1),
    (Kind.REQUEST_REFUSED, {"request_id": "R4", "code": "no-seat"}),
    (Kind.RESTORATION_REQUESTED, {"restoration_id": "C1", "activation_id": "A2"}),
    (Kind.RESTORATION_DENIED, {"restoration_id": "C1", "activation_id": "A2"}),
    (Kind.RESTORATION_REQUESTED, {"restoration_id": "C2", "activation_id": "A2"}),
    (Kind.RESTORATION_APPROVED, {"restoration_id": "C2", "activation_id": "A2"}),
    ended(Kind.ACTIVATION_RESTORED, "A2", restoration_id="C2"),
    (Kind.TOMBSTONE_PLACED, STONE),
    held(Kind.ACTIVATION_CREATED, "A3", holder("weir", "s3"), seat=2, request_id="R4"),
    answered(4, "A3", 2, "", "activated"),
    received(5, "mill", 2),
    (Kind.TOMBSTONE_SIGHTED, {"tombstone_id": "T1", "request_id": "R5"}),
    (Kind.REQUEST_PENDING, {"request_id": "R5", "code": "tombstone-seen"}),
]

STATE = LicenseState(
    license={
        "customer": "Acme Water",
        "product": "chariot-mqtt-server",
        "allowed": 2,
        "features": MORE,
        "versions": ["2.0", ""],
        "terms_revision": 2,
        "status": "active",
        "key_serial": 1,
    },
    seats=[1, 2],
    activations={
        "A1": {**holder("pump", "s1"), "seat": 1, "state": "active", "usage_license_id": "U3"},
        "A2": {**holder("mill", "s2", "docker"), "seat": None, "state": "restored", "usage_license_id": "U2"},
        "A3": {**holder("weir", "s3"), "seat": 2, "state": "active", "usage_license_id": "U4"},
    },
    requests={
        "R1": request_row("pump", 1, 1, "answered", "activated"),
        "R2": request_row("mill", 1, 2, "answered", "activated"),
        "R3": request_row("pump", 2, 3, "answered", "updated"),
        "R4": request_row("weir", 1, 4, "answered", "activated"),
        "R5": request_row("mill", 2, 5, "pending", "tombstone-seen"),
    },
    usage_licenses={
        "U1": usage_license_row(1, "A1", 1, ""),
        "U2": usage_license_row(2, "A2", 1, ""),
        "U3": usage_license_row(3, "A1", 2, "U1"),
        "U4": usage_license_row(4, "A3", 2, ""),
    },
    restorations={
        "C1": {"activation_id": "A2", "state": "denied"},
        "C2": {"activation_id": "A2", "state": "approved"},
    },
    tombstones={
        "T1": {
            **{name: value for name, value in STONE.items() if name != "tombstone_id"},
            "settled": False,
            "sightings": ["R5"],
        }
    },
)


def test_a_story_gives_the_exact_state() -> None:
    state = fold(chain(*STORY))
    assert state == STATE
    assert state.occupied == 2


def test_the_seats_through_the_story() -> None:
    """The occupied seats after each entry: a lost activation keeps its seat, a restored one gives it back."""
    entries = chain(*STORY)
    occupied = [fold(entries[:length]).occupied for length in range(len(entries) + 1)]
    assert occupied == [0, 0, 0, 1, 1, 1, 1, *[2] * 13, 1, 1, *[2] * 5]


def test_folding_leaves_the_entries_as_they_are() -> None:
    entries = chain(*STORY, (Kind.TOMBSTONE_SIGHTED, {"tombstone_id": "T1", "request_id": "R4"}))
    hashes = [entry.hash for entry in entries]
    state = fold(entries)
    state.seats.append(9)
    assert [entry.hash for entry in entries] == hashes
    assert fold(entries).seats == [1, 2]


BASE = [CREATED, received(1, "pump", 1), held(Kind.ACTIVATION_CREATED, "A1", holder("pump", "s1"), seat=1)]
LOST = [*BASE, ended(Kind.ACTIVATION_LOST, "A1"), (Kind.TOMBSTONE_PLACED, STONE)]
CASE = [*LOST, (Kind.RESTORATION_REQUESTED, {"restoration_id": "C1", "activation_id": "A1"})]


@pytest.mark.parametrize(
    ("before", "step", "part", "key", "expected"),
    [
        (BASE, (Kind.LICENSE_SUSPENDED, {}), "license", "status", "suspended"),
        ([*BASE, (Kind.LICENSE_SUSPENDED, {})], (Kind.LICENSE_REINSTATED, {}), "license", "status", "active"),
        (BASE, (Kind.LICENSE_REVOKED, {}), "license", "status", "revoked"),
        (BASE, (Kind.LICENSE_KEY_REPLACED, {"key_serial": 2}), "license", "key_serial", 2),
        (BASE, (Kind.LICENSE_TRANSFERRED, {"customer": "Mill", "before": "x"}), "license", "customer", "Mill"),
        (BASE, (Kind.LICENSE_ALLOWED_CHANGED, {"allowed": 3, "seats": [1, 2, 3]}), "license", "allowed", 3),
        (
            BASE,
            (Kind.REQUEST_DECLINED, {"request_id": "R1", "code": "c"}),
            "requests",
            "R1",
            {"state": "declined", "code": "c"},
        ),
        (BASE, (Kind.BACKUP_ACCEPTED, {"request_id": "R1", "epoch": 2}), "requests", "R1", {"epoch": 2}),
        (
            BASE,
            held(Kind.ACTIVATION_REBOUND, "A1", holder("mill", "s2")),
            "activations",
            "A1",
            holder("mill", "s2"),
        ),
        (
            BASE,
            held(Kind.ACTIVATION_REINSTALLED, "A1", holder("pump", "s2", "docker")),
            "activations",
            "A1",
            holder("pump", "s2", "docker"),
        ),
        (
            LOST,
            held(Kind.ACTIVATION_FOUND, "A1", holder("mill", "s2")),
            "activations",
            "A1",
            {**holder("mill", "s2"), "state": "active"},
        ),
        (BASE, ended(Kind.ACTIVATION_LOST, "A1"), "activations", "A1", {"state": "lost"}),
        (BASE, ended(Kind.ACTIVATION_DEACTIVATED, "A1"), "activations", "A1", {"state": "deactivated", "seat": None}),
        (LOST, ended(Kind.ACTIVATION_DEACTIVATED, "A1"), "activations", "A1", {"state": "deactivated", "seat": None}),
        (CASE, (Kind.RESTORATION_CLOSED, {"restoration_id": "C1"}), "restorations", "C1", {"state": "closed"}),
        (LOST, (Kind.TOMBSTONE_SETTLED, {"tombstone_id": "T1", "how": "code"}), "tombstones", "T1", {"settled": True}),
    ],
)
def test_one_entry_changes_one_thing(
    before: list[tuple[Kind, dict[str, Any]]], step: tuple[Kind, dict[str, Any]], part: str, key: str, expected: Any
) -> None:
    state = fold(chain(*before))
    changed = getattr(state, part)
    changed[key] = {**changed[key], **expected} if isinstance(expected, dict) else expected
    if step[0] is Kind.LICENSE_ALLOWED_CHANGED:
        state.seats = [1, 2, 3]
    assert fold(chain(*before, step)) == state
    assert fold(chain(*before, step)) != fold(chain(*before))


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_a_license_chain_has_a_step(kind: Kind) -> None:
    """Without data a known kind complains of what is missing, or changes nothing; an unknown one is named so."""
    problem = ""
    try:
        fold(chain(CREATED, (kind, {})))
    except ValueError as error:
        problem = str(error)
    assert ("unknown kind" in problem) == (kind in PORTAL_KINDS)


def test_an_unknown_kind_is_refused() -> None:
    entries = chain(CREATED, (Kind.LICENSE_REVOKED, {}))
    stranger = Entry(**{**vars(entries[1]), "kind": "license.lent"})
    with pytest.raises(ValueError, match=r"^LIC-7K2M entry 2: unknown kind license\.lent$"):
        fold([entries[0], stranger])


@pytest.mark.parametrize(
    ("step", "missing"),
    [
        (ended(Kind.ACTIVATION_LOST, "A7"), "A7"),
        ((Kind.REQUEST_REFUSED, {"request_id": "R7", "code": "no-seat"}), "R7"),
        ((Kind.TOMBSTONE_SETTLED, {"tombstone_id": "T7"}), "T7"),
        ((Kind.RESTORATION_APPROVED, {"restoration_id": "C7"}), "C7"),
        (answered(1, "A7", 1, "", "activated"), "A7"),
        ((Kind.LICENSE_TERMS_CHANGED, {"features": []}), "versions"),
    ],
)
def test_an_entry_that_does_not_fit_is_refused(step: tuple[Kind, dict[str, Any]], missing: str) -> None:
    with pytest.raises(ValueError, match=rf"^LIC-7K2M entry 3 \({step[0]}\) does not fit .*: {missing} is missing$"):
        fold(chain(CREATED, received(1, "pump", 1), step))


def test_no_differences_when_the_tables_agree() -> None:
    assert fold(chain(*STORY)).differences(deepcopy(STATE)) == []


def test_differences_are_said_in_words() -> None:
    tables = deepcopy(STATE)
    tables.license["allowed"] = 3
    tables.seats.append(3)
    tables.activations["A1"]["state"] = ActivationState.LOST.value
    tables.activations["A3"]["seat"] = 3
    tables.activations["A3"]["hostname"] = "dam"
    del tables.requests["R2"]
    tables.usage_licenses["U9"] = {"activation_id": "A1"}
    tables.tombstones["T1"]["sightings"] = []
    assert fold(chain(*STORY)).differences(tables) == [
        "license allowed: the ledger says 2, the tables say 3",
        "seats: the ledger says [1, 2], the tables say [1, 2, 3]",
        "activations A1: the ledger says {'state': 'active'}, the tables say {'state': 'lost'}",
        "activations A3: the ledger says {'hostname': 'weir', 'seat': 2}, "
        "the tables say {'hostname': 'dam', 'seat': 3}",
        f"requests R2: the ledger says {STATE.requests['R2']}, the tables say nothing",
        "usage licenses U9: the ledger says nothing, the tables say {'activation_id': 'A1'}",
        "tombstones T1: the ledger says {'sightings': ['R5']}, the tables say {'sightings': []}",
    ]
