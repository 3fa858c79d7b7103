"""More Chariots than seats ask at the same moment: exactly as many get one as there are seats.

The negative controls take the locks out, then the constraints and triggers too: first the database refuses what the
lock would have prevented, then it oversells. So the tests can see overselling where there is some.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from tests.system.portal import Portal
from tests.system.requests import from_new_hosts

SEATS = 10
DISARM = """
from django.db import connection
from activations.models import triggers
triggers.uninstall(connection)
with connection.cursor() as cursor:
    for table, constraint in (
        ("activations_activation", "seat_if_and_only_if_occupying"),
        ("activations_ledgerentry", "ledger_sequence_once"),
    ):
        cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{constraint}"')
    cursor.execute('DROP INDEX "one_activation_per_seat"')
"""


def sold(portal: Portal) -> dict[str, int]:
    """How many activations occupy a seat, on how many different seats, and how many Usage Licenses there are."""
    code = """
import json
from activations.models import Activation, UsageLicense
seats = list(Activation.objects.filter(state="active").values_list("seat", flat=True))
print(json.dumps({"active": len(seats), "seats": len(set(seats)), "answers": UsageLicense.objects.count()}))
"""
    return dict(json.loads(portal.python(code)))


def race(portal: Portal, texts: list[str], *, without: str = "") -> list[dict[str, Any]]:
    """What came of each text, each submitted by a process of its own."""
    found = portal.script("race", f"--without={without}", given=json.dumps([[text] for text in texts]))
    return [results[0] for results in found]


def codes(results: list[dict[str, Any]]) -> Counter[str]:
    return Counter(result["code"] for result in results)


def assert_sound(portal: Portal) -> None:
    assert portal.manage("verify_ledger", "--rebuild-check")["problems"] == []


@pytest.mark.parametrize(("vendor", "processes", "taken"), [("postgresql", 64, 4), ("sqlite", 8, 7)])
def test_the_last_seats_are_sold_once(request: pytest.FixtureRequest, vendor: str, processes: int, taken: int) -> None:
    """`taken` seats are taken before; the processes ask for the last ones."""
    portal = request.getfixturevalue("postgres_portal" if vendor == "postgresql" else "sqlite_portal")
    last = SEATS if vendor == "postgresql" else 3
    [key] = portal.sell(allowed=last + taken)
    early, late = (texts := from_new_hosts(key, taken + processes))[:taken], texts[taken:]
    assert codes(race(portal, early)) == {"activated": taken}

    results = race(portal, late)

    assert codes(results) == {"activated": last, "no-seat": processes - last}
    assert sum(result["sha256"] is not None for result in results) == last
    assert sold(portal) == {"active": last + taken, "seats": last + taken, "answers": last + taken}
    again = race(portal, late[:2])
    assert codes(again) <= Counter({"re-sent": 2, "no-seat": 2})
    assert_sound(portal)


def test_without_the_lock_the_database_still_refuses(postgres_portal: Portal) -> None:
    """All have read "a seat is free" before any books: errors instead of refusals, and never a seat too many."""
    [key] = postgres_portal.sell(allowed=SEATS)

    results = race(postgres_portal, from_new_hosts(key, 32), without="license-lock,chain-lock")

    found = codes(results)
    assert found["activated"] <= SEATS
    assert found["no-seat"] == 0, "nobody saw that the seats were taken"
    assert found["activated"] + found["IntegrityError"] + found["RuntimeError"] + found["OperationalError"] == 32
    assert found["IntegrityError"] > 0
    now = sold(postgres_portal)
    assert now["active"] == now["seats"] == now["answers"] == found["activated"]
    assert_sound(postgres_portal)


def test_without_lock_and_constraints_it_oversells(postgres_portal: Portal) -> None:
    [key] = postgres_portal.sell(allowed=SEATS)
    postgres_portal.python(DISARM)

    results = race(postgres_portal, from_new_hosts(key, 32), without="license-lock,chain-lock")

    assert codes(results)["activated"] > SEATS
    now = sold(postgres_portal)
    assert now["active"] > SEATS >= now["seats"]
    problems = postgres_portal.manage("verify_ledger", "--rebuild-check", exit_code=1)["problems"]
    assert problems, "and the ledger shows it"
