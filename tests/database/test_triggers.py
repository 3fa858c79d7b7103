"""The triggers are put in place by migrate, stay through table changes, and are missed when they are gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.core.checks import Tags, run_checks
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, models, transaction
from django.db.models.signals import post_migrate, pre_migrate
from django.dispatch import Signal

from activations.models import Activation, LedgerEntry, License, Product, triggers
from activations.models.guards import all_guards
from tests.support import flush, without_triggers

NAMES = {guard.name for guard in all_guards(connection.vendor)}
DELETE_GUARD = "activations_ledgerentry_delete_guard"
ON_SQLITE = connection.vendor == "sqlite"
PLAN = [(SimpleNamespace(app_label="activations"), False)]


def warnings() -> list[str]:
    return [
        str(message.msg)
        for message in run_checks(tags=[Tags.database], databases=["default"])
        if message.id == "activations.W001"
    ]


def send(signal: Signal, plan: Sequence[object]) -> None:
    app = apps.get_app_config("activations")
    signal.send(sender=app, app_config=app, verbosity=0, interactive=False, using="default", plan=plan, apps=apps)


def drop(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER {name}" + ("" if ON_SQLITE else " ON activations_ledgerentry"))


@pytest.mark.django_db
def test_after_a_migrate_all_are_there_and_the_check_is_silent() -> None:
    assert triggers.problems(connection) == {}
    assert warnings() == []
    assert len(NAMES) > 50


@pytest.mark.django_db
def test_the_check_names_a_missing_trigger_and_migrate_puts_it_back() -> None:
    drop(DELETE_GUARD)
    assert warnings() == [f"The database 'default' does not protect itself: trigger {DELETE_GUARD} is missing."]
    said = StringIO()
    call_command("check", databases=["default"], stderr=said)
    assert DELETE_GUARD in said.getvalue()
    call_command("migrate", verbosity=0, stderr=StringIO())
    assert warnings() == []


@pytest.mark.django_db
def test_the_check_names_a_trigger_that_was_made_harmless() -> None:
    drop(DELETE_GUARD)
    harmless = (
        f"CREATE TRIGGER {DELETE_GUARD} BEFORE DELETE ON activations_ledgerentry BEGIN SELECT 1; END"
        if ON_SQLITE
        else f"CREATE OR REPLACE FUNCTION {DELETE_GUARD}() RETURNS trigger LANGUAGE plpgsql AS "
        f"'BEGIN RETURN OLD; END'; CREATE TRIGGER {DELETE_GUARD} BEFORE DELETE ON activations_ledgerentry "
        f"FOR EACH ROW EXECUTE FUNCTION {DELETE_GUARD}()"
    )
    with connection.cursor() as cursor:
        cursor.execute(harmless)
    assert triggers.problems(connection) == {DELETE_GUARD: "altered"}
    assert triggers.install(connection) == [DELETE_GUARD]
    assert triggers.problems(connection) == {}


@pytest.mark.django_db
@pytest.mark.skipif(ON_SQLITE, reason="SQLite cannot switch a trigger off")
@pytest.mark.parametrize("how", ["DISABLE TRIGGER", "ENABLE REPLICA TRIGGER", "ENABLE TRIGGER"])
def test_the_check_names_a_trigger_that_was_switched_off(how: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE activations_ledgerentry {how} {DELETE_GUARD}")
    assert triggers.problems(connection) == {DELETE_GUARD: "altered"}


@pytest.mark.django_db
@pytest.mark.skipif(ON_SQLITE, reason="PostgreSQL keeps conditions and columns apart from the function")
@pytest.mark.parametrize("narrowed", ["OF reason ON {table} FOR EACH ROW", "ON {table} FOR EACH ROW WHEN (false)"])
def test_the_check_names_a_trigger_that_was_narrowed(narrowed: str) -> None:
    name, table = "activations_ledgerentry_update_guard", "activations_ledgerentry"
    drop(name)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TRIGGER {name} BEFORE UPDATE {narrowed.format(table=table)} EXECUTE FUNCTION {name}()")
        cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")
    assert triggers.problems(connection) == {name: "altered"}
    assert triggers.install(connection) == [name]


@pytest.mark.django_db
def test_installing_again_touches_nothing_and_removes_what_is_no_longer_wanted() -> None:
    assert triggers.install(connection) == []
    stale = "activations_ledgerentry_former_guard"
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TRIGGER {stale} BEFORE DELETE ON activations_ledgerentry BEGIN SELECT 1; END"
            if ON_SQLITE
            else f"CREATE TRIGGER {stale} BEFORE DELETE ON activations_ledgerentry "
            f"FOR EACH ROW EXECUTE FUNCTION {DELETE_GUARD}()"
        )
    assert triggers.install(connection) == [stale]
    assert triggers.problems(connection) == {}


@pytest.mark.django_db
def test_a_failed_install_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    drop(DELETE_GUARD)
    name = "_sqlite_trigger" if ON_SQLITE else "_postgresql_trigger"
    true = getattr(triggers, name)
    monkeypatch.setattr(
        triggers, name, lambda *given: replace(true(*given), statements=("SELECT 1", "CREATE NONSENSE"))
    )
    with pytest.raises(Exception, match="NONSENSE"), transaction.atomic():
        triggers.install(connection)
    assert triggers.problems(connection) == {DELETE_GUARD: "missing"}


@pytest.mark.django_db(transaction=True)
def test_a_guarded_table_can_be_altered_and_is_guarded_again() -> None:
    """SQLite builds the table anew and forgets its triggers; PostgreSQL keeps them."""
    note = models.CharField(max_length=10, default="")
    note.set_attributes_from_name("note")
    send(pre_migrate, PLAN)
    try:
        with connection.schema_editor() as editor:
            editor.add_field(License, note)
            editor.remove_field(License, note)
    finally:
        send(post_migrate, PLAN)
    assert triggers.problems(connection) == {}


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(not ON_SQLITE, reason="PostgreSQL alters tables in place")
def test_sqlite_could_not_alter_it_with_the_triggers_in_place() -> None:
    note = models.CharField(max_length=10, default="")
    note.set_attributes_from_name("note")
    with pytest.raises(OperationalError, match="error in trigger"), connection.schema_editor() as editor:
        editor.add_field(License, note)
    send(pre_migrate, [])  # nothing of ours to migrate: the triggers stay
    assert triggers.problems(connection) == {}


@pytest.mark.django_db(transaction=True)
def test_migrations_can_be_undone_and_done_again() -> None:
    try:
        call_command("migrate", "activations", "zero", verbosity=0, stderr=StringIO())
        assert Activation._meta.db_table not in connection.introspection.table_names()
        assert warnings() == []  # no tables, nothing to guard
        if not ON_SQLITE:
            with connection.cursor() as cursor:
                cursor.execute("SELECT proname FROM pg_proc WHERE proname LIKE 'activations%guard'")
                assert cursor.fetchall() == []
    finally:
        call_command("migrate", verbosity=0, stderr=StringIO())
    assert triggers.problems(connection) == {}
    assert Product.objects.exists()


def test_a_flush_is_refused_unless_a_test_lifts_the_triggers(committed_world: None) -> None:
    with pytest.raises(CommandError, match="couldn't be flushed"):
        call_command("flush", verbosity=0, interactive=False)
    assert LedgerEntry.objects.exists()
    flush()
    assert not LedgerEntry.objects.exists()
    assert not License.objects.exists()
    assert triggers.problems(connection) == {}


@pytest.mark.django_db
def test_lifted_triggers_come_back_when_a_test_fails() -> None:
    with pytest.raises(ZeroDivisionError), without_triggers(connection):
        assert len(triggers.problems(connection)) / (len(NAMES) - len(triggers.problems(connection)))
    assert triggers.problems(connection) == {}


@pytest.mark.django_db
def test_an_unknown_kind_of_database_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "vendor", "mysql")
    with pytest.raises(NotImplementedError, match="use PostgreSQL or SQLite"):
        triggers.problems(connection)
