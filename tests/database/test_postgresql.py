"""What only PostgreSQL can get wrong: transactions side by side, old snapshots, other search paths."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection

from activations.models import guards, triggers
from tests.database.factory import AT, entry
from tests.database.foreign import foreign_postgresql
from tests.database.statements import SNAPSHOT_MESSAGES, add
from tests.database.table_cases import NO_GAPS
from tests.support import without_triggers

pytestmark = [
    pytest.mark.skipif(connection.vendor != "postgresql", reason="DATABASE_URL names no PostgreSQL database"),
    pytest.mark.usefixtures("committed_world"),
]

LAST_SEAT = (
    "INSERT INTO activations_seat (license_id, number) "
    "SELECT id, {number} FROM activations_license WHERE license_id = 'LIC-B'"
)
TAKE_SEAT = (
    "UPDATE activations_activation SET seat_id = (SELECT id FROM activations_seat WHERE number = 4) "
    "WHERE activation_id = 'ACT-ACTIVE'"
)
FULL = "a license has no more seats than allowed activations"


LOWER = "UPDATE activations_license SET allowed = 1 WHERE license_id = 'LIC-B'"


def side_by_side(first: str, second: str, *, isolation: str = "read committed") -> str:
    """Runs `first`, then `second` in another transaction, and only then commits the first; what the second got.

    `isolation` is that of the second, whose snapshot is from before the first began; the first is READ COMMITTED.
    """
    answer: list[str] = []

    def run_second() -> None:
        answer.append(outcome(two, second))

    with foreign_postgresql() as one, foreign_postgresql() as two:
        two.execute(f"SET default_transaction_isolation = '{isolation}'")
        two.commit()
        two.execute("SELECT count(*) FROM activations_seat")  # its snapshot, where it has one, is from before
        one.execute(first)
        thread = threading.Thread(target=run_second)
        thread.start()
        thread.join(0.5)  # long enough to reach the lock, if there is one
        one.commit()
        thread.join(10)
        assert not thread.is_alive()
    return answer[0]


def outcome(other: psycopg.Connection[Any], sql: str) -> str:
    try:
        other.execute(sql)
        other.commit()
    except psycopg.Error as error:
        other.rollback()
        return str(error).splitlines()[0]
    return "done"


def seats(license_id: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM activations_seat s JOIN activations_license l ON l.id = s.license_id "
            "WHERE l.license_id = %s",
            [license_id],
        )
        return int(cursor.fetchone()[0])


@contextmanager
def weakened(monkeypatch: pytest.MonkeyPatch, weaken: Callable[[guards.Guard], guards.Guard]) -> Iterator[None]:
    """The same triggers, but for what `weaken` takes from them: the negative control."""
    weak = [weaken(guard) for guard in guards.all_guards("postgresql")]
    monkeypatch.setattr(triggers, "all_guards", lambda vendor: weak)
    assert triggers.install(connection)
    yield
    monkeypatch.undo()
    triggers.install(connection)
    assert triggers.problems(connection) == {}


def without_lock(guard: guards.Guard) -> guards.Guard:
    return replace(guard, lock="")


def for_any_snapshot(guard: guards.Guard) -> guards.Guard:
    return replace(guard, rules=tuple(rule for rule in guard.rules if rule.message not in SNAPSHOT_MESSAGES))


def test_two_transactions_cannot_both_add_the_last_seat() -> None:
    assert side_by_side(LAST_SEAT.format(number=2), LAST_SEAT.format(number=3)) == FULL
    assert seats("LIC-B") == 2


def test_without_the_lock_both_add_the_last_seat(monkeypatch: pytest.MonkeyPatch) -> None:
    with weakened(monkeypatch, without_lock):
        assert side_by_side(LAST_SEAT.format(number=2), LAST_SEAT.format(number=3)) == "done"
    assert seats("LIC-B") == 3  # one more than allowed


def test_a_seat_is_not_added_while_the_allowed_activations_are_lowered() -> None:
    assert side_by_side(LOWER, LAST_SEAT.format(number=2)) == FULL
    # the other way round: the lowering waits for the seat
    raised = "UPDATE activations_license SET allowed = 2 WHERE license_id = 'LIC-B'"
    with foreign_postgresql() as other:
        assert outcome(other, raised) == "done"
    assert side_by_side(LAST_SEAT.format(number=2), LOWER).startswith("allowed activations are not set below")


def test_a_seat_is_not_deleted_while_an_activation_takes_it() -> None:
    refusal = side_by_side(TAKE_SEAT, "DELETE FROM activations_seat WHERE number = 4")
    assert refusal == "a seat that an activation holds is not deleted"


def test_a_seat_that_is_being_deleted_cannot_be_taken() -> None:
    refusal = side_by_side("DELETE FROM activations_seat WHERE number = 4", TAKE_SEAT)
    assert refusal == "an activation takes a seat of its own license"
    assert seats("LIC-A") == 3


OLD_SNAPSHOTS = ("repeatable read", "serializable")


@pytest.mark.parametrize("isolation", OLD_SNAPSHOTS)
@pytest.mark.parametrize("sql", [LAST_SEAT.format(number=2), LOWER])
def test_an_old_snapshot_does_not_count_seats(sql: str, isolation: str) -> None:
    with foreign_postgresql() as other:
        other.execute(f"SET default_transaction_isolation = '{isolation}'")
        other.commit()
        assert outcome(other, sql) in SNAPSHOT_MESSAGES
    assert seats("LIC-B") == 1


@pytest.mark.parametrize("isolation", OLD_SNAPSHOTS)
def test_an_old_snapshot_beside_read_committed_adds_no_seat(isolation: str) -> None:
    answer = side_by_side(LAST_SEAT.format(number=2), LAST_SEAT.format(number=3), isolation=isolation)
    assert answer in SNAPSHOT_MESSAGES
    assert seats("LIC-B") == 2


@pytest.mark.parametrize("isolation", OLD_SNAPSHOTS)
def test_without_the_rule_an_old_snapshot_oversells(isolation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with weakened(monkeypatch, for_any_snapshot):
        assert side_by_side(LAST_SEAT.format(number=2), LAST_SEAT.format(number=3), isolation=isolation) == "done"
    assert seats("LIC-B") == 3  # one more than allowed; SERIALIZABLE watches only others that are SERIALIZABLE


def test_the_next_migrate_brings_the_rules_of_a_new_release(monkeypatch: pytest.MonkeyPatch) -> None:
    with weakened(monkeypatch, for_any_snapshot):
        monkeypatch.undo()
        assert set(triggers.problems(connection)) == {
            "activations_license_update_guard",
            "activations_seat_insert_guard",
        }
        call_command("migrate", verbosity=0)
        assert triggers.problems(connection) == {}


def test_a_temporary_table_of_the_same_name_is_not_asked() -> None:
    with foreign_postgresql() as other:
        other.execute("CREATE TEMPORARY TABLE activations_ledgerentry (LIKE public.activations_ledgerentry)")
        gap = add(entry("LIC-NEW", 2, AT)).replace("INTO ", "INTO public.")
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match=NO_GAPS):
            other.execute(gap)


def test_copy_is_no_way_in() -> None:
    with foreign_postgresql() as other:
        row = entry("LIC-NEW", 2, AT)
        with (
            pytest.raises(psycopg.errors.IntegrityConstraintViolation, match=NO_GAPS),
            other.cursor() as cursor,
            cursor.copy(
                "COPY activations_ledgerentry (chain, seq, at, actor, kind, reason, source, prev, hash, body) "
                "FROM STDIN"
            ) as copy,
        ):
            copy.write_row(
                (row.chain, row.seq, AT, row.actor, row.kind, row.reason, row.source, row.prev, row.hash, row.body)
            )


def test_an_upsert_is_no_way_round() -> None:
    with foreign_postgresql() as other:
        sql = add(entry("LIC-A", 1, AT)) + " ON CONFLICT (chain, seq) DO UPDATE SET reason = 'other'"
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match=NO_GAPS):
            other.execute(sql)


def test_every_trigger_fires_always() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgname, tgenabled FROM pg_trigger WHERE tgname LIKE 'activations%guard'")
        found = dict(cursor.fetchall())
    assert set(found) == {guard.name for guard in guards.all_guards("postgresql")}
    assert {str(state) for state in found.values()} == {"A"}


def test_the_owner_can_lift_them_only_by_taking_them_away() -> None:
    with without_triggers(connection):
        assert len(triggers.problems(connection)) == len(guards.all_guards("postgresql"))
    assert triggers.problems(connection) == {}
