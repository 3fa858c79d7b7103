"""What the triggers let through: the moves the services make, in plain SQL where the order of things matters."""

from __future__ import annotations

import pytest
from django.db import connection

from activations import models as m
from tests.database.factory import AT, LATER, entry, make_activation, make_license, make_usage_license
from tests.database.statements import WATCHED, add

pytestmark = pytest.mark.usefixtures("world")


def run(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.rowcount)


@pytest.mark.parametrize(
    ("activation_id", "path"),
    [
        ("ACT-ACTIVE", ["active", "lost", "active", "deactivated", "deactivated"]),
        ("ACT-ACTIVE", ["lost", "restored", "restored"]),
        ("ACT-LOST", ["deactivated"]),
        ("ACT-RESTORED", ["restored"]),
        ("ACT-GONE", ["deactivated"]),
    ],
)
def test_an_activation_takes_every_step_of_its_life(activation_id: str, path: list[str]) -> None:
    for state in path:
        row = m.Activation.objects.get(activation_id=activation_id)
        row.state, row.changed_at = state, LATER
        if state in ("deactivated", "restored"):
            row.seat = None
        row.save()
    assert m.Activation.objects.get(activation_id=activation_id).state == path[-1]


def test_a_deactivated_seat_takes_the_next_activation() -> None:
    seat = m.Seat.objects.get(number=2)
    m.Activation.objects.filter(activation_id="ACT-OTHER").update(state="deactivated", seat=None)
    make_activation("ACT-NEW", m.License.objects.get(license_id="LIC-A"), "active", seat, counter=1)
    assert m.Activation.objects.get(seat=seat).activation_id == "ACT-NEW"


def test_an_activation_moves_to_another_free_seat_of_its_license() -> None:
    free = m.Seat.objects.get(number=4)
    assert m.Activation.objects.filter(activation_id="ACT-ACTIVE").update(seat=free) == 1


def test_lowering_deletes_the_free_seats_and_then_lowers() -> None:
    assert run("DELETE FROM activations_seat WHERE number = 4") == 1
    assert run("UPDATE activations_license SET allowed = 3 WHERE license_id = 'LIC-A'") == 1


def test_raising_comes_before_the_seats() -> None:
    license = m.License.objects.get(license_id="LIC-A")
    m.License.objects.filter(pk=license.pk).update(allowed=6)
    m.Seat.objects.bulk_create(m.Seat(license=license, number=number) for number in (5, 6))
    assert m.Seat.objects.filter(license=license).count() == 6


def test_a_request_is_answered_once_its_usage_license_is_stored() -> None:
    request = m.UsageRequest.objects.get(request_id="REQ-PENDING")
    make_usage_license("USL-NEW", request, m.Activation.objects.get(activation_id="ACT-ACTIVE"))
    assert m.UsageRequest.objects.filter(pk=request.pk).update(state="answered", code="updated") == 1


def test_a_refused_request_may_end_otherwise_and_a_backup_is_accepted() -> None:
    clone = m.UsageRequest.objects.filter(request_id="REQ-CLONE")
    for change in ({"state": "refused"}, {"state": "pending", "code": "host-changed"}, {"state": "declined"}):
        assert clone.exclude(state="declined").update(epoch=2, in_line=True, **change) == 1


def test_several_entries_in_one_statement_follow_each_other() -> None:
    first = entry("LIC-NEW", 1, AT)
    second = entry("LIC-NEW", 2, AT, first.hash)
    third = entry("LIC-NEW", 3, LATER, second.hash)
    values = ", ".join(add(row).partition(" VALUES ")[2] for row in (first, second, third))
    assert run(f"{add(first).partition(' VALUES ')[0]} VALUES {values}") == 3


def test_the_same_time_again_is_no_step_back() -> None:
    first = entry("LIC-A", 1, AT)
    second = entry("LIC-A", 2, LATER, first.hash)
    assert run(add(entry("LIC-A", 3, LATER, second.hash))) == 1


def test_a_restoration_is_decided_and_a_tombstone_settled_once() -> None:
    opened = m.Restoration.objects.filter(restoration_id="RES-OPEN")
    assert opened.update(state="denied", decided_by="lead", decided_at=LATER, decision_reason="sold") == 1
    stone = m.Tombstone.objects.filter(tombstone_id="TOMB-OPEN")
    assert stone.update(settled_at=LATER, settled_by="lead") == 1


def test_keys_rotate_and_secrets_are_encrypted_anew() -> None:
    current = m.SigningKey.objects.filter(serial="01")
    assert current.update(current=False, retired_at=LATER, private_encrypted=None) == 1
    assert m.SigningKey.objects.filter(serial="02").update(current=True) == 1
    assert m.PortalSecret.objects.update(value_encrypted=b"under another key") == 1


def test_a_license_changes_hands_terms_and_key_and_can_be_revoked() -> None:
    other = m.Customer.objects.create(name="Basin Power")
    row = m.License.objects.get(license_id="LIC-A")
    row.customer, row.terms_revision, row.key_serial, row.key_digest = other, 3, 3, "new"
    row.status = "revoked"
    row.save()
    make_license("LIC-NEW", allowed=0)


@pytest.mark.parametrize("table", WATCHED)
def test_a_delete_that_finds_nothing_is_no_matter(table: str) -> None:
    before = run(f"SELECT 1 FROM activations_{table}"), rows(table)
    assert run(f"DELETE FROM activations_{table} WHERE 1 = 0") == 0
    assert (run(f"SELECT 1 FROM activations_{table}"), rows(table)) == before


def rows(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM activations_{table}")
        return int(cursor.fetchone()[0])
