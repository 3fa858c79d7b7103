"""Writes the rules of `guards` into the database as triggers, and tells which are missing.

`install` runs after every migrate (activations.apps) and touches only what is missing or differs, so that a routine
migrate takes no table locks. Superusers and whoever owns the tables can still drop a trigger: the system check and
`verify_ledger` name what is missing, and the signed checkpoints show what was done meanwhile (Design 5).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from activations.models.guards import POSTGRESQL, SQLITE, Event, Guard, all_guards

_ROW, _BEFORE = 1, 2  # bits of pg_trigger.tgtype
_ALWAYS = "A"  # fires under session_replication_role = replica too


@dataclass(frozen=True)
class Installed:
    """A trigger as the database has it. `shape` is everything that must be equal for it to hold its rules."""

    name: str
    table: str
    shape: tuple[object, ...]


def install(connection: BaseDatabaseWrapper) -> list[str]:
    """Makes the triggers what `guards` says, all or nothing; the names of those that were made or removed."""
    with transaction.atomic(using=connection.alias):
        found = {trigger.name: trigger for trigger in _installed(connection)}
        wanted = {guard.name: guard for guard in _wanted(connection)}
        stale = [
            trigger
            for name, trigger in found.items()
            if name not in wanted or trigger != _expected(connection, wanted[name])
        ]
        _drop(connection, stale)
        kept = found.keys() - {trigger.name for trigger in stale}
        made = [guard for name, guard in wanted.items() if name not in kept]
        for guard in made:
            _run(connection, _statements(connection, guard))
    return sorted({trigger.name for trigger in stale} | {guard.name for guard in made})


def uninstall(connection: BaseDatabaseWrapper, events: Collection[Event] = tuple(Event)) -> None:
    """Removes the triggers that watch these events: for tests that empty tables, and for undoing migrations."""
    suffixes = tuple(f"_{event.name.lower()}_guard" for event in events)
    with transaction.atomic(using=connection.alias):
        _drop(connection, [trigger for trigger in _installed(connection) if trigger.name.endswith(suffixes)])


def problems(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """What is wrong, by trigger name: "missing", or "altered" (another definition, or switched off)."""
    found = {trigger.name: trigger for trigger in _installed(connection)}
    wrong = {}
    for guard in _wanted(connection):
        if guard.name not in found:
            wrong[guard.name] = "missing"
        elif found[guard.name] != _expected(connection, guard):
            wrong[guard.name] = "altered"
    return wrong


def _wanted(connection: BaseDatabaseWrapper) -> list[Guard]:
    """The triggers for the tables there are: none before the first migrate, some while migrations are undone."""
    if connection.vendor not in (POSTGRESQL, SQLITE):
        raise NotImplementedError(
            f"The ledger cannot be guarded on {connection.vendor}: use PostgreSQL or SQLite (DATABASE_URL)."
        )
    tables = set(connection.introspection.table_names())
    return [guard for guard in all_guards(connection.vendor) if guard.table in tables]


def _expected(connection: BaseDatabaseWrapper, guard: Guard) -> Installed:
    if connection.vendor == SQLITE:
        return Installed(guard.name, guard.table, (_sqlite_trigger(guard),))
    row = 0 if guard.event is Event.TRUNCATE else _ROW
    kind = row | _BEFORE | guard.event.value
    return Installed(
        guard.name,
        guard.table,
        (_ALWAYS, kind, "", _plpgsql(guard), f"search_path={_search_path(connection)}"),
    )


def _installed(connection: BaseDatabaseWrapper) -> list[Installed]:
    with connection.cursor() as cursor:
        if connection.vendor == SQLITE:
            cursor.execute(
                "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger' "
                "AND name LIKE 'activations\\_%\\_guard' ESCAPE '\\'"
            )
        else:
            cursor.execute(
                "SELECT t.tgname, c.relname, t.tgenabled::text, t.tgtype::int, t.tgattr::text, p.prosrc, "
                "array_to_string(p.proconfig, ' ') FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
                "JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_proc p ON p.oid = t.tgfoid "
                "WHERE n.nspname = current_schema() AND NOT t.tgisinternal AND t.tgqual IS NULL "
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


def _statements(connection: BaseDatabaseWrapper, guard: Guard) -> list[str]:
    if connection.vendor == SQLITE:
        return [_sqlite_trigger(guard)]
    scope = "STATEMENT" if guard.event is Event.TRUNCATE else "ROW"
    return [
        # A search path of its own, or a temporary table of the same name would be asked instead of the real one.
        f'CREATE OR REPLACE FUNCTION "{guard.name}"() RETURNS trigger LANGUAGE plpgsql '
        f"SET search_path = {_search_path(connection)} AS $guard${_plpgsql(guard)}$guard$",
        f'CREATE TRIGGER "{guard.name}" BEFORE {guard.event.name} ON "{guard.table}" '
        f'FOR EACH {scope} EXECUTE FUNCTION "{guard.name}"()',
        f'ALTER TABLE "{guard.table}" ENABLE ALWAYS TRIGGER "{guard.name}"',
    ]


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
    result = {Event.DELETE: "OLD", Event.TRUNCATE: "NULL"}.get(guard.event, "NEW")
    return "\n".join([*lines, f"  RETURN {result};", "END", ""])


def _sqlite_trigger(guard: Guard) -> str:
    # One trigger with a step per rule. SQLite learned IS DISTINCT FROM late (3.39); its IS NOT means the same.
    steps = " ".join(
        f"SELECT RAISE(ABORT, {_quoted(rule.message)}) WHERE {rule.wrong.replace('IS DISTINCT FROM', 'IS NOT')};"
        for rule in guard.rules
    ).replace("WHERE TRUE;", "WHERE 1;")
    return f'CREATE TRIGGER "{guard.name}" BEFORE {guard.event.name} ON "{guard.table}" FOR EACH ROW BEGIN {steps} END'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _search_path(connection: BaseDatabaseWrapper) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        return f"{cursor.fetchone()[0]}, pg_temp"
