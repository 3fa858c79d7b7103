"""The line of an Instance through the chains of all licenses, and the codes it revealed."""

from __future__ import annotations

from typing import Any

import pytest

from activations.domain.ledger import GENESIS, Entry, Kind
from activations.domain.lines import BY_CODE, follow

STONE = {"tombstone_id": "T1", "activation_id": "A1", "instance": "pump", "commitment": "s1"}


def entry(seq: int, kind: Kind, data: dict[str, Any], chain: str = "LIC-1") -> Entry:
    return Entry(chain, seq, f"time {seq}", f"agent {seq}", kind.value, "", "desk", data, GENESIS)


def received(seq: int, counter: int, *, instance: str = "pump", chain: str = "LIC-1") -> Entry:
    data = {"request_id": f"R{seq}", "instance": instance, "counter": counter, "epoch": 1}
    return entry(seq, Kind.REQUEST_RECEIVED, data, chain)


def accepted(seq: int, request: int, epoch: int) -> Entry:
    return entry(seq, Kind.BACKUP_ACCEPTED, {"request_id": f"R{request}", "instance": "pump", "epoch": epoch})


def test_a_request_is_in_line_when_its_counter_is_ahead_of_all_before_it() -> None:
    lines = follow([received(1, 1), received(2, 3), received(3, 2), received(4, 3), received(5, 4)])

    assert lines.in_line == {"R1": True, "R2": True, "R3": False, "R4": False, "R5": True}


def test_the_line_goes_through_all_licenses_and_is_that_of_one_instance() -> None:
    lines = follow([received(1, 5), received(2, 4, chain="LIC-2"), received(3, 4, instance="mill", chain="LIC-2")])

    assert lines.in_line == {"R1": True, "R2": False, "R3": True}
    assert lines.epochs == {"pump": 1, "mill": 1}
    assert lines.first_received == {"pump": "time 1", "mill": "time 3"}


def test_an_accepted_backup_begins_a_line_with_its_own_request() -> None:
    lines = follow([received(1, 7), received(2, 3), accepted(3, 2, 2), received(4, 3), received(5, 4), received(6, 8)])

    assert lines.in_line == {"R1": True, "R2": True, "R4": False, "R5": True, "R6": True}
    assert lines.epochs == {"pump": 2}


def test_a_counter_of_zero_is_ahead_of_nothing() -> None:
    assert follow([received(1, 0), received(2, 0)]).in_line == {"R1": True, "R2": False}


def test_a_code_is_revealed_by_freeing_and_by_settling_once_an_epoch() -> None:
    freed = {"activation_id": "A1", "instance": "pump", "commitment": "s1"}
    settled = {"tombstone_id": "T1", "how": BY_CODE}
    lines = follow(
        [
            received(1, 1),
            entry(2, Kind.TOMBSTONE_PLACED, STONE),
            entry(3, Kind.TOMBSTONE_SETTLED, settled),
            entry(4, Kind.ACTIVATION_DEACTIVATED, freed),
            accepted(5, 1, 2),
            entry(6, Kind.ACTIVATION_DEACTIVATED, freed),
        ]
    )

    assert lines.codes == {
        ("LIC-1", "A1", "s1", 1): {"instance": "pump", "revealed_at": "time 3", "revealed_by": "agent 3"},
        ("LIC-1", "A1", "s1", 2): {"instance": "pump", "revealed_at": "time 6", "revealed_by": "agent 6"},
    }


def test_a_lead_who_settles_reveals_no_code() -> None:
    settled = {"tombstone_id": "T1", "how": "sighting accepted"}

    assert follow([entry(1, Kind.TOMBSTONE_PLACED, STONE), entry(2, Kind.TOMBSTONE_SETTLED, settled)]).codes == {}


@pytest.mark.parametrize(
    "wrong",
    [
        accepted(1, 9, 2),
        entry(1, Kind.TOMBSTONE_SETTLED, {"tombstone_id": "T9", "how": BY_CODE}),
        entry(1, Kind.REQUEST_RECEIVED, {"request_id": "R1", "instance": "pump"}),
        entry(1, Kind.REQUEST_RECEIVED, {"request_id": "R1", "instance": "pump", "counter": "one"}),
        entry(1, Kind.ACTIVATION_DEACTIVATED, {}),
    ],
)
def test_an_entry_that_does_not_fit_is_refused(wrong: Entry) -> None:
    with pytest.raises(ValueError, match=r"^LIC-1 entry 1 .* does not fit: "):
        follow([wrong])
