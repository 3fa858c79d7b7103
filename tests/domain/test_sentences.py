"""Every sentence of the decisions: reached by a case, rendered whole, and fit for whom it is written."""

import re

import pytest

from activations.domain import sentences as say
from activations.domain.decisions import decide
from activations.domain.online import OFF
from activations.domain.words import ActivationState, RequestState
from tests.domain import (
    test_decision_chain,
    test_decision_instance,
    test_decision_license,
    test_decision_seats,
    test_decision_tombstones,
)
from tests.domain.builders import Case, activation, chose, elsewhere, facts, host, neighbour, tombstone

CASES: list[Case] = [
    *test_decision_chain.CASES,
    *test_decision_license.CASES,
    *test_decision_instance.CASES,
    *test_decision_tombstones.CASES,
    *test_decision_seats.CASES,
]
LOST = ActivationState.LOST


def test_case_names_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


def test_every_code_is_reached_by_a_case() -> None:
    assert {case.expected.code for case in CASES} == set(say.SENTENCES) - {OFF}


def test_every_option_is_offered_by_a_case() -> None:
    offered = {option.explanation for case in CASES for option in case.decide().options}
    assert offered == set(say.OPTIONS.values())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_sentences_are_whole(case: Case) -> None:
    decision = case.decide()
    explanations = [option.explanation for option in decision.options]
    for text in (decision.staff, decision.customer, *decision.warnings, *explanations):
        assert re.fullmatch(r"[A-Z][^{}\n]*[^ ,;:{}][.]|A person refused this request earlier: .+", text), text
        assert "  " not in text
        assert "None" not in text
        assert ".." not in text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_customers_read_nothing_of_the_desk(case: Case) -> None:
    """No staff roles, no rows' names, no identifiers of other people's cases."""
    customer = case.decide().customer
    for word in ("lead", "agent", "seat", "tombstone", "RES-", "TMB-", "snapshot", "Takes", "superseded"):
        assert word not in customer


def test_no_seat_lists_who_holds_them() -> None:
    full = facts(
        elsewhere("ACT-2", "mill"),
        elsewhere("ACT-3", "weir", hostname=""),
        elsewhere("ACT-4", "lock", state=LOST),
        elsewhere("ACT-5", "dam", state=LOST, open_restoration="RES-5"),
        license={"allowed": 4},
    )
    decision = decide(full)
    assert decision.staff == (
        "No seat is free; the license allows 4. Active: ACT-2 (mill, since 2025-11-20); ACT-3 (since 2025-11-20). "
        "Lost, could be restored after review: ACT-4 (lock, since 2025-11-20); ACT-5 (dam, since 2025-11-20, "
        "case RES-5 is open)."
    )
    assert decision.customer == (
        "All activations of your license are in use. Active: mill since 2025-11-20; ACT-3 since 2025-11-20. "
        "Deactivate a Chariot you no longer need and send us its Deactivation Request code. Reported lost: lock; dam. "
        "Please write to us what happened, and we will review whether an activation can be restored."
    )


def test_no_seat_with_lost_ones_alone_does_not_ask_for_a_deactivation() -> None:
    decision = decide(facts(elsewhere("ACT-4", "lock", state=LOST), license={"allowed": 1}))
    assert decision.staff == (
        "No seat is free; the license allows 1. Lost, could be restored after review: ACT-4 (lock, since 2025-11-20)."
    )
    assert "Deactivat" not in decision.customer


def test_no_seat_on_a_written_off_host_names_the_case() -> None:
    decision = decide(facts(elsewhere("ACT-2"), license={"allowed": 1}, tombstones=(tombstone(),)))
    assert decision.staff.endswith("This host or Chariot was written off in RES-9.")


def test_superseded_says_by_which_and_when() -> None:
    decision = decide(facts(**test_decision_chain.LATE))
    assert decision.staff == (
        "Superseded: this is request number 5 of its Chariot, but number 7 (11111111111111111111111111111111) was "
        "received on 2026-03-01 09:30 UTC."
    )
    assert "reached us on 2026-03-01 09:30 UTC" in decision.customer


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        (("2.0", "2.9"), "versions 2.0 to 2.9"),
        (("2.0", ""), "version 2.0 and later"),
        (("", "2.9"), "versions up to 2.9"),
    ],
)
def test_the_covered_versions_are_named(versions: tuple[str, str], words: str) -> None:
    decision = decide(facts(request={"version": "next"}, license={"versions": versions}))
    assert decision.staff == f"Chariot next is not covered: this license covers {words}."


def test_the_changed_parts_of_a_host_are_named() -> None:
    decision = decide(facts(activation(fingerprint=host(mac="old", board_uuid="old"))))
    assert "board and network card changed; disk and machine id are the same" in decision.staff
    assert "board and network card changed; disk and machine id are the same" in decision.customer


def test_one_part_that_agrees_is_said_to_be_too_little() -> None:
    known = host(mac=None, board_uuid=None, disk_serial=None)
    decision = decide(facts(activation(fingerprint=known), request={"fingerprint": known}))
    assert "machine id is the same; too little to recognise it by" in decision.staff


def test_a_refusal_quotes_its_reason() -> None:
    decision = decide(facts(request={"state": RequestState.DECLINED, "refusal": "a clone, says {the} customer"}))
    assert decision.staff == "A person refused this request earlier: a clone, says {the} customer"


def test_a_second_chariot_is_not_proposed_without_a_seat() -> None:
    assert "or a second Chariot" in decide(facts(neighbour())).staff
    assert "no seat is free" in decide(facts(neighbour(), license={"allowed": 1}), chose()).staff
