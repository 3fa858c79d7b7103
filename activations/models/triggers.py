"""Writes the rules of `guards` and `rules` into the database as triggers, and tells which are missing.

`install` runs after every migrate (activations.apps) and touches only what is missing or differs, so that a routine
migrate takes no table locks. Superusers and whoever owns the tables can still drop a trigger: the system check and
`verify_ledger` name what is missing, and the signed checkpoints show what was done meanwhile (Design 5).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from activations.models.guards import Guard, all_guards
from activations.models.rules import POSTGRESQL, SQLITE, Event

_ROW, _BEFORE = 1, 2  # bits of pg_trigger.tgtype
_ALWAYS = "A"  # fires under session_replication_role = replica too
_MARKING = "activations_ledgerentry_insert_guard"
_MARK = """
INSERT INTO "activations_ledgeruncovered" ("hash")
SELECT e."hash" FROM "activations_ledgerentry" AS e
LEFT JOIN "activations_ledgerleaf" AS l ON l."entry_id" = e."id"
LEFT JOIN "activations_ledgeruncovered" AS mark ON mark."hash" = e."hash"
WHERE l."entry_id" IS NULL AND mark."hash" IS NULL ORDER BY e."id"
"""


@dataclass(frozen=True)
class Installed:
    """A trigger as the database has it. `shape` is everything that must be equal for it to hold its rules."""

    name: str
    table: str
    shape: tuple[object, ...]


@dataclass(frozen=True)
class Definition:
    """A trigger as it must be, and the statements that make it."""

    trigger: Installed
    statements: tuple[str, ...]


def install(connection: BaseDatabaseWrapper) -> list[str]:
    """Makes the triggers what `guards` says, all or nothing; the names of those that were made or removed."""
    with transaction.atomic(using=connection.alias):
        wanted = _wanted(connection)
        found = {trigger.name: trigger for trigger in _installed(connection)}
        stale = [trigger for name, trigger in found.items() if name not in wanted or trigger != wanted[name].trigger]
        _drop(connection, stale)
        kept = found.keys() - {trigger.name for trigger in stale}
        made = [name for name in wanted if name not in kept]
        for name in made:
            _run(connection, wanted[name].statements)
        if _MARKING in made:
            mark_uncovered(connection)
    return sorted({trigger.name for trigger in stale} | set(made))


def mark_uncovered(connection: BaseDatabaseWrapper) -> int:
    """Marks every entry that has neither a leaf nor a mark, and returns how many: what was booked before there were
    marks, or past the trigger that writes them. Looks through the whole ledger.
    """
    if "activations_ledgeruncovered" not in connection.introspection.table_names():
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_MARK)
        return int(cursor.rowcount)


def uninstall(connection: BaseDatabaseWrapper, events: Collection[Event] = tuple(Event)) -> None:
    """Removes the triggers that watch these events: for tests that empty tables, and for undoing migrations."""
    suffixes = tuple(f"_{event.name.lower()}_guard" for event in events)
    with transaction.atomic(using=connection.alias):
        _drop(connection, [trigger for trigger in _installed(connection) if trigger.name.endswith(suffixes)])


def problems(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """What is wrong, by trigger name: "missing", or "altered" (another definition, or switched off)."""
    wanted = _wanted(connection)
    found = {trigger.name: trigger for trigger in _installed(connection)}
    return {
        name: "altered" if name in found else "missing"
        for name, definition in wanted.items()
        if found.get(name) != definition.trigger
    }


def _wanted(connection: BaseDatabaseWrapper) -> dict[str, Definition]:
    """The triggers for the tables there are: none before the first migrate, some while migrations are undone."""
    if connection.vendor not in (POSTGRESQL, SQLITE):
        raise NotImplementedError(
            f"The ledger cannot be guarded on {connection.vendor}: use PostgreSQL or SQLite (DATABASE_URL)."
        )
    tables = set(connection.introspection.table_names())
    guards = [
        guard if guard.writes in tables else replace(guard, effect="", writes="")
        for guard in all_guards(connection.vendor)
        if guard.table in tables
    ]
    if connection.vendor == SQLITE:
        return {guard.name: _sqlite_trigger(guard) for guard in guards}
    search_path = _search_path(connection)
    return {guard.name: _postgresql_trigger(guard, search_path) for guard in guards}


def _installed(connection: BaseDatabaseWrapper) -> list[Installed]:
    with connection.cursor() as cursor:
        if connection.vendor == SQLITE:
            cursor.execute(
                "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger' "
                "AND name LIKE 'activations\\_%\\_guard' ESCAPE '\\'"
            )
        else:
            cursor.execute(
                "SELECT t.tgname, c.relname, t.tgenabled::text, t.tgtype::int, t.tgattr::text, t.tgqual IS NULL, "
                "p.prosrc, array_to_string(p.proconfig, ' ') FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
                "JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_proc p ON p.oid = t.tgfoid "
                "WHERE n.nspname = current_schema() AND NOT t.tgisinternal "
                "AND t.tgname LIKE 'activations\\_%\\_guard'"
            )
        return [Installed(name, table, tuple(shape)) for name, table, *shape in cursor.fetchall()]


def _drop(connection: BaseDatabaseWrapper, triggers: Iterable[Installed]) -> None:
    for trigger in triggers:
        if connection.vendor == SQLITE:
            _run(connection, [f'DROP TRIGGER "{trigger.name}"'])
        else:
            drop = f'DROP TRIGGER "{trigger.name}" ON "{trigger.table}"'
            _run(connection, [drop, f'DROP FUNCTION IF EXISTS "{trigger.name}"()'])


def _run(connection: BaseDatabaseWrapper, statements: Iterable[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement, None)


def _postgresql_trigger(guard: Guard, search_path: str) -> Definition:
    name, table, event, body = guard.name, guard.table, guard.event, _plpgsql(guard)
    scope, row = ("STATEMENT", 0) if event is Event.TRUNCATE else ("ROW", _ROW)
    shape = (_ALWAYS, row | _BEFORE | event.value, "", True, body, f"search_path={search_path}")
    return Definition(
        Installed(name, table, shape),
        (
            # A search path of its own, or a temporary table of the same name would be asked instead of the real one.
            f'CREATE OR REPLACE FUNCTION "{name}"() RETURNS trigger LANGUAGE plpgsql '
            f"SET search_path = {search_path} AS $guard${body}$guard$",
            f'CREATE TRIGGER "{name}" BEFORE {event.name} ON "{table}" FOR EACH {scope} EXECUTE FUNCTION "{name}"()',
            f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER "{name}"',
        ),
    )


def _plpgsql(guard: Guard) -> str:
    lines = ["", "BEGIN"]
    if guard.lock:
        lines.append(f"  {guard.lock};")
    for rule in guard.rules:
        lines += [
            f"  IF {rule.wrong} THEN",
            f"    RAISE integrity_constraint_violation USING MESSAGE = {_quoted(rule.message)};",
            "  END IF;",
        ]
    if guard.effect:
        lines.append(f"  {guard.effect};")
    result = {Event.DELETE: "OLD", Event.TRUNCATE: "NULL"}.get(guard.event, "NEW")
    return "\n".join([*lines, f"  RETURN {result};", "END", ""])


def _sqlite_trigger(guard: Guard) -> Definition:
    # One trigger with a step per rule. SQLite learned IS DISTINCT FROM late (3.39); its IS NOT means the same.
    steps = " ".join(
        f"SELECT RAISE(ABORT, {_quoted(rule.message)}) WHERE {rule.wrong.replace('IS DISTINCT FROM', 'IS NOT')};"
        for rule in guard.rules
    )
    if guard.effect:
        steps += f" {guard.effect};"
    sql = f'CREATE TRIGGER "{guard.name}" BEFORE {guard.event.name} ON "{guard.table}" FOR EACH ROW BEGIN {steps} END'
    return Definition(Installed(guard.name, guard.table, (sql,)), (sql,))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _search_path(connection: BaseDatabaseWrapper) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        return f"{cursor.fetchone()[0]}, pg_temp"
