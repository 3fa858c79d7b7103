"""Roles, actors, and which activations occupy a seat."""

import pytest

from activations.domain.words import ROLES, Ability, ActivationState, Actor


@pytest.mark.parametrize(
    ("state", "occupies"),
    [
        (ActivationState.ACTIVE, True),
        (ActivationState.LOST, True),
        (ActivationState.DEACTIVATED, False),
        (ActivationState.RESTORED, False),
    ],
)
def test_active_and_lost_ones_occupy_a_seat(state: ActivationState, occupies: bool) -> None:
    assert state.occupies_seat is occupies


def may(ability: Ability) -> set[str]:
    return {role for role, abilities in ROLES.items() if ability in abilities}


def test_who_may_do_what() -> None:
    agents, leads, managers = {"support-agent", "support-lead"}, {"support-lead"}, {"license-manager"}
    assert {ability: may(ability) for ability in Ability} == {
        Ability.ISSUE: agents,
        Ability.DEACTIVATE: agents,
        Ability.MARK_LOST: agents,
        Ability.REQUEST_RESTORATION: agents,
        Ability.DECIDE_RESTORATION: leads,
        Ability.DECIDE_AS_LEAD: leads,
        Ability.CREATE_LICENSE: managers,
        Ability.CHANGE_LICENSE: managers,
        Ability.SHOW_LICENSE_KEY: managers,
        Ability.EDIT_REPLIES: managers,
        Ability.MAKE_STATEMENT: agents | managers,
        Ability.READ_LEDGER: {"support-lead", "license-manager", "auditor", "administrator"},
        Ability.READ_STAFF_TRAIL: {"auditor", "administrator"},
        Ability.CHECKPOINT_LEDGER: {"administrator"},
        Ability.MANAGE_KEYS: {"administrator"},
        Ability.MANAGE_STAFF: {"administrator"},
    }


def test_an_actor_lacks_what_was_not_given() -> None:
    agent = Actor("agent", ROLES["support-agent"])
    assert agent.may(Ability.ISSUE)
    assert not agent.may(Ability.DECIDE_AS_LEAD)
    assert agent.lacks([Ability.ISSUE, Ability.DECIDE_AS_LEAD, Ability.MANAGE_KEYS]) == (
        Ability.DECIDE_AS_LEAD,
        Ability.MANAGE_KEYS,
    )
