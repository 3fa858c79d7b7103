"""kill -9 of the issuing process, at random moments and at each statement: all of an issue is there or none of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.system.killing import KILLS_EACH
from tests.system.portal import Portal
from tests.system.requests import from_new_hosts

MOMENTS, BATCHES = 50, 2  # on each database: 200 in all
STATEMENTS = 100  # more than an issue takes; how many it takes is found on the way
Copies = Callable[[int], list[str]]


def killings(portal: Portal, copies: Copies, moments: int, *arguments: str) -> list[dict[str, Any]]:
    [key] = portal.sell(allowed=KILLS_EACH)
    world = {"databases": copies(moments // KILLS_EACH + 1), "requests": from_new_hosts(key, KILLS_EACH)}
    return list(portal.script("killing", *arguments, given=json.dumps(world)))


def assert_whole_or_nothing(kill: dict[str, Any]) -> bool:
    """Whether the killed process had booked its issue."""
    assert kill["problems"] == [], kill
    assert kill["same_answer"], kill
    booked: bool = kill["codes"] == ["re-sent", "re-sent"]
    assert booked or kill["codes"] == ["activated", "re-sent"], kill
    assert kill["answers_made_by_asking"] == (0 if booked else 1), kill
    return booked


@pytest.mark.parametrize("batch", range(BATCHES))
def test_killed_at_random_moments(portal: Portal, copies: Copies, batch: int) -> None:
    kills = killings(portal, copies, MOMENTS, "random", str(MOMENTS), str(batch))

    booked = sum(assert_whole_or_nothing(kill) for kill in kills)
    killed = sum(kill["killed"] for kill in kills)
    print(f"{portal.vendor}: {killed} killed before they ended, {booked} had booked, within {kills[0]['of']:.3f} s")
    assert len(kills) == MOMENTS
    assert killed > MOMENTS / 4, "many were killed before they ended by themselves"
    assert 0 < booked < MOMENTS, "some before and some after the commit"


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_each_statement(portal: Portal, copies: Copies, when: str) -> None:
    kills = killings(portal, copies, STATEMENTS, "statements", when)

    for kill in kills:
        booked = assert_whole_or_nothing(kill)
        committed = not kill["killed"] or (kill["statement"] == "commit" and kill["after"])
        assert booked == committed, kill
    assert [kill["killed"] for kill in kills if kill["statement"] == "commit"] == [True]
    assert sum(kill["killed"] for kill in kills) > 20, "an issue takes many statements"
