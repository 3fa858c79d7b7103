"""Folding a chain: the story of a license gives its exact state, and what differs from the tables is said in words."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from activations.domain.fold import fold
from activations.domain.ledger import Entry, Kind
from activations.domain.words import ActivationState
from tests.domain.ledger_story import (
    CREATED,
    FEATURES,
    MORE,
    STATE,
    STONE,
    STORY,
    answered,
    at,
    chain,
    ended,
    held,
    holder,
    received,
)

PORTAL_KINDS = {
    Kind.SIGNING_KEY_CREATED,
    Kind.SIGNING_KEY_RETIRED,
    Kind.STAFF_CREATED,
    Kind.STAFF_DISABLED,
    Kind.STAFF_ENABLED,
    Kind.TOKEN_CREATED,
    Kind.TOKEN_ROTATED,
    Kind.TOKEN_REVOKED,
    Kind.WEBHOOK_CREATED,
    Kind.WEBHOOK_CHANGED,
    Kind.WEBHOOK_SECRET_ROTATED,
    Kind.WEBHOOK_DISABLED,
    Kind.WEBHOOK_ENABLED,
    Kind.WEBHOOK_REMOVED,
    Kind.WEBHOOK_REPLAYED,
    Kind.LEDGER_EXPORTED,
    Kind.LIST_EXPORTED,
    Kind.LIST_IMPORTED,
    Kind.REPLY_TEXT_CHANGED,
    Kind.AUTOMATIC_ANSWER_CHANGED,
    Kind.MAIL_TAKEN,
    Kind.CONTACT_PSEUDONYMISED,
    Kind.MAILS_FORGOTTEN,
    Kind.MAILS_HELD,
}


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


BASE = [
    CREATED,
    received(1, "pump", 1),
    received(2, "pump", 2),
    held(Kind.ACTIVATION_CREATED, "A1", holder("pump", "s1"), seat=1, request_id="R1"),
]
LOST = [*BASE, ended(Kind.ACTIVATION_LOST, "A1"), (Kind.TOMBSTONE_PLACED, STONE)]
CASE = [*LOST, (Kind.RESTORATION_REQUESTED, {"restoration_id": "C1", "activation_id": "A1"})]


@pytest.mark.parametrize(
    ("before", "step", "part", "key", "expected"),
    [
        (BASE, (Kind.LICENSE_SUSPENDED, {}), "license", "status", "suspended"),
        ([*BASE, (Kind.LICENSE_SUSPENDED, {})], (Kind.LICENSE_REINSTATED, {}), "license", "status", "active"),
        (BASE, (Kind.LICENSE_REVOKED, {}), "license", "status", "revoked"),
        (BASE, (Kind.LICENSE_KEY_REPLACED, {"key_serial": 2}), "license", "key_serial", 2),
        (
            BASE,
            (Kind.LICENSE_TERMS_CHANGED, {"features": MORE, "versions": ["2", ""], "terms_revision": 2}),
            "license",
            "terms_revision",
            2,
        ),
        (BASE, (Kind.LICENSE_TRANSFERRED, {"customer": "Mill", "before": "x"}), "license", "customer", "Mill"),
        (BASE, (Kind.LICENSE_ONLINE_CHANGED, {"online": True}), "license", "online", True),
        (BASE, (Kind.LICENSE_ALLOWED_CHANGED, {"allowed": 3, "seats": [1, 2, 3]}), "license", "allowed", 3),
        (
            BASE,
            (Kind.REQUEST_DECLINED, {"request_id": "R1", "code": "c"}),
            "requests",
            "R1",
            {"state": "declined", "code": "c", "refusal": "reason 5"},
        ),
        (BASE, (Kind.BACKUP_ACCEPTED, {"request_id": "R1", "epoch": 2}), "requests", "R1", {"epoch": 2}),
        (
            BASE,
            held(Kind.ACTIVATION_REBOUND, "A1", holder("mill", "s2"), request_id="R2"),
            "activations",
            "A1",
            {**holder("mill", "s2"), "version": "2.2", "changed_at": at(5)},
        ),
        (
            BASE,
            held(Kind.ACTIVATION_REINSTALLED, "A1", holder("pump", "s2", "docker"), request_id="R2"),
            "activations",
            "A1",
            {**holder("pump", "s2", "docker"), "version": "2.2", "changed_at": at(5)},
        ),
        (
            LOST,
            held(Kind.ACTIVATION_FOUND, "A1", holder("mill", "s2"), request_id="R2"),
            "activations",
            "A1",
            {**holder("mill", "s2"), "state": "active", "version": "2.2", "changed_at": at(7)},
        ),
        (BASE, ended(Kind.ACTIVATION_LOST, "A1"), "activations", "A1", {"state": "lost", "changed_at": at(5)}),
        (
            BASE,
            ended(Kind.ACTIVATION_DEACTIVATED, "A1"),
            "activations",
            "A1",
            {"state": "deactivated", "seat": None, "changed_at": at(5)},
        ),
        (
            LOST,
            ended(Kind.ACTIVATION_DEACTIVATED, "A1"),
            "activations",
            "A1",
            {"state": "deactivated", "seat": None, "changed_at": at(7)},
        ),
        (
            CASE,
            (Kind.RESTORATION_CLOSED, {"restoration_id": "C1", "why": "it turned up"}),
            "restorations",
            "C1",
            {"state": "closed", "decided_by": "agent 8", "decided_at": at(8), "decision_reason": "it turned up"},
        ),
        (
            CASE,
            (Kind.RESTORATION_APPROVED, {"restoration_id": "C1", "above_quota": {"count": 2, "quota": 2}}),
            "restorations",
            "C1",
            {
                "state": "approved",
                "decided_by": "agent 8",
                "decided_at": at(8),
                "decision_reason": "reason 8",
                "above_quota": True,
            },
        ),
        (
            [*CASE, (Kind.EVIDENCE_ADDED, {"restoration_id": "C1", "sha256": "5a", "name": "old", "size": 1})],
            (Kind.EVIDENCE_ADDED, {"restoration_id": "C1", "sha256": "5a", "name": "photo.png", "size": 7}),
            "evidence",
            "C1 5a",
            {"name": "photo.png", "size": 7, "added_at": at(9), "added_by": "agent 9"},
        ),
        (
            LOST,
            (Kind.TOMBSTONE_SETTLED, {"tombstone_id": "T1", "how": "code"}),
            "tombstones",
            "T1",
            {"settled_at": at(7), "settled_by": "agent 7"},
        ),
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
    if step[0] is Kind.LICENSE_KEY_REPLACED:
        state.retired_keys = {"1": {"retired_at": at(5)}}
    if step[0] is Kind.LICENSE_TERMS_CHANGED:
        state.terms["2"] = {"features": MORE, "versions": ["2", ""], "created_at": at(5)}
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
    tables.tombstones["T1"]["sightings"] = {}
    assert fold(chain(*STORY)).differences(tables) == [
        "license allowed: the ledger says 2, the tables say 3",
        "seats: the ledger says [1, 2], the tables say [1, 2, 3]",
        "activations A1: the ledger says {'state': 'active'}, the tables say {'state': 'lost'}",
        "activations A3: the ledger says {'hostname': 'weir', 'seat': 2}, "
        "the tables say {'hostname': 'dam', 'seat': 3}",
        f"requests R2: the ledger says {STATE.requests['R2']}, the tables say nothing",
        "usage licenses U9: the ledger says nothing, the tables say {'activation_id': 'A1'}",
        "tombstones T1: the ledger says {'sightings': {'R5': '2026-03-01T09:30:25.000000Z'}}, "
        "the tables say {'sightings': {}}",
    ]


def test_what_a_usage_license_had_to_say_is_that_of_its_place_in_the_chain() -> None:
    """Terms, customer, and the heads of the chain from the first entry of the booking on, as they were then."""
    entries = chain(*STORY)
    transferred = (Kind.LICENSE_TRANSFERRED, {"customer": "Beta Mills", "before": "Acme Water"})
    state = fold(chain(*STORY, transferred))

    assert [(row["versions"], row["features"]) for row in state.granted.values()] == [
        (["", ""], FEATURES),
        (["", ""], FEATURES),
        (["2.0", ""], MORE),
        (["2.0", ""], MORE),
    ]
    assert {row["customer"] for row in state.granted.values()} == {"Acme Water"}
    assert state.granted["U1"]["ledger_heads"] == [entries[3].prev[:32]]


def test_the_head_of_a_booking_is_that_before_any_of_its_entries() -> None:
    entries = [Entry(**{**vars(entry), "at": at(1), "actor": "agent"}) for entry in chain(*STORY[:4])]

    assert fold(entries).granted["U1"]["ledger_heads"] == [entry.prev[:32] for entry in entries]


@pytest.mark.parametrize(
    "step",
    [
        (Kind.LICENSE_ALLOWED_CHANGED, {"allowed": 3, "seats": None}),
        (Kind.LICENSE_KEY_REPLACED, {"key_serial": "two"}),
        (Kind.REQUEST_REFUSED, {"request_id": ["R1"], "code": "c"}),
    ],
)
def test_an_entry_of_other_types_is_refused(step: tuple[Kind, dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match=r"entry 2 .* does not fit the entries before it: what it says is of another"):
        fold(chain(CREATED, step))
