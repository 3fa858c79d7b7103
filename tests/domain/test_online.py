"""The online door: what is issued there waits where the license does not allow it; nothing else is touched."""

from __future__ import annotations

from dataclasses import replace

import pytest

from activations.domain import sentences as say
from activations.domain.decisions import decide
from activations.domain.online import DAY, FOR_STRANGERS, HOUR, OFF, retry_after, without_a_person
from activations.domain.words import Outcome
from tests.domain.test_sentences import CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_needs_no_person_waits_where_it_is_not_allowed(case: object) -> None:
    facts = case.facts  # type: ignore[attr-defined]
    decision = decide(facts)

    held = without_a_person(facts, decision, online=False)

    assert without_a_person(facts, decision, online=True) == decision
    if decision.outcome is not Outcome.ISSUED:
        assert held == decision
        return
    assert (held.outcome, held.code, held.action, held.activation_id) == (Outcome.PENDING, OFF, None, None)
    assert held.seats_after == held.seats_before == decision.seats_before
    assert (held.sighted, held.warnings) == (decision.sighted, decision.warnings)
    assert replace(held, **{name: getattr(decision, name) for name in CHANGED}) == decision


CHANGED = ("outcome", "code", "staff", "customer", "action", "activation_id", "seats_after")


def test_the_sentences_name_the_license_and_the_way_out() -> None:
    staff, customer = say.sentences(OFF, license_id="LIC-1")

    assert staff == (
        "Came in online, and license LIC-1 is not answered online: it waits for Support. A license manager can allow "
        "online activation."
    )
    assert customer == "Usage Requests of license LIC-1 are answered by Support."


def test_strangers_are_told_what_to_do_and_no_license() -> None:
    for sentence in FOR_STRANGERS.values():
        assert "LIC-" not in sentence
        assert any(word in sentence for word in ("Make a", "make a", "Send the")), sentence


def test_the_longer_it_waits_the_seldomer_it_is_asked_for() -> None:
    waited = [0, HOUR - 1, HOUR, DAY - 1, DAY, 30 * DAY]
    assert [retry_after(seconds) for seconds in waited] == [60, 60, 600, 600, 3600, 3600]
