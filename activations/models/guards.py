"""What the database itself refuses, whoever writes to it: the rules behind the triggers (Design 5, 9.18, 9.19).

A rule is an SQL condition over OLD and NEW that both PostgreSQL and SQLite understand; `triggers` writes it out for
each. Rules that a plain constraint can hold stand in the models as constraints.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from django.db.models import AutoField, Model, UniqueConstraint

from activations.domain.ledger import GENESIS
from activations.domain.words import ActivationState, LicenseStatus, RequestState, RestorationState
from activations.models.activations import (
    Activation,
    Restoration,
    RevealedCode,
    Sighting,
    Tombstone,
    UsageLicense,
)
from activations.models.keys import PortalSecret, SigningKey
from activations.models.ledger import LedgerChain, LedgerCheckpoint, LedgerEntry, LedgerLeaf
from activations.models.licenses import License, LicenseTerms, RetiredKey, Seat
from activations.models.requests import Instance, IntakeEntry, UsageRequest

POSTGRESQL, SQLITE = "postgresql", "sqlite"


class Event(Enum):
    """What a trigger watches; the value is the event's bit in PostgreSQL's pg_trigger.tgtype."""

    INSERT = 4
    DELETE = 8
    UPDATE = 16
    TRUNCATE = 32


@dataclass(frozen=True)
class Rule:
    """A statement is refused with `message` when `wrong` is true. Without a vendor it holds on both."""

    wrong: str
    message: str
    vendor: str | None = None


@dataclass(frozen=True)
class Guard:
    """One trigger: the rules for one event on one table, the first that is broken names the refusal."""

    table: str
    event: Event
    rules: tuple[Rule, ...]
    lock: str = ""  # a PostgreSQL statement that runs first; SQLite has one writer at a time anyway

    @property
    def name(self) -> str:
        return f"{self.table}_{self.event.name.lower()}_guard"


# The conditions of the partial unique constraints, for a row named {row}: REPLACE evicts only within them.
PARTIAL = {
    "one_activation_per_seat": '{row}."seat_id" IS NOT NULL',
    "one_active_activation_per_instance": "{row}.\"state\" = 'active'",
    "one_open_restoration_per_activation": "{row}.\"state\" = 'requested'",
    "request_counter_once": '{row}."in_line"',
    "one_current_key_per_purpose": '{row}."current" AND {row}."purpose" <> \'root\'',
}

INSERT_ONLY: dict[type[Model], str] = {
    LedgerEntry: "ledger entries",
    LedgerLeaf: "leaves of the ledger's tree",
    LedgerCheckpoint: "ledger checkpoints",
    UsageLicense: "Usage Licenses",
    LicenseTerms: "revisions of license terms",
    RevealedCode: "revealed deactivation codes",
    Sighting: "sightings",
    IntakeEntry: "entries of the intake log",
    RetiredKey: "replaced License Keys",
}
KEPT: dict[type[Model], str] = {
    LedgerChain: "ledger chains",
    License: "licenses",
    Instance: "Instances",
    UsageRequest: "Usage Requests",
    Activation: "activations",
    Restoration: "restorations",
    Tombstone: "tombstones",
    SigningKey: "signing keys",
    PortalSecret: "secrets of the portal",
}
MAY_CHANGE: dict[type[Model], tuple[str, ...]] = {
    UsageRequest: ("state", "code", "refusal", "epoch", "in_line"),
    Restoration: ("state", "decided_by", "decided_at", "decision_reason"),
    Tombstone: ("settled_at", "settled_by"),
}
NEVER_CHANGES: dict[type[Model], tuple[str, ...]] = {
    LedgerChain: ("name",),
    License: ("id", "license_id", "created_at"),
    Instance: ("id", "thumbprint", "public_key", "first_seen"),
    Activation: ("id", "activation_id", "license", "created_at"),
    Seat: ("id", "license", "number"),
    SigningKey: ("id", "purpose", "serial", "certificate", "created_at"),
    PortalSecret: ("id", "name"),
}


def all_guards(vendor: str) -> list[Guard]:
    """Every trigger that a database of this vendor must have."""
    watched = {**INSERT_ONLY, **KEPT, Seat: "seats"}
    guards = [guard for model, plural in watched.items() for guard in _guards_of(model, plural, vendor)]
    return [guard for guard in guards if guard.rules]


def _guards_of(model: type[Model], plural: str, vendor: str) -> Iterable[Guard]:
    table = model._meta.db_table
    for event in (Event.INSERT, Event.UPDATE, Event.DELETE):
        rules = (*_general(model, plural, event), *SPECIAL.get((model, event), ()))
        held = tuple(rule for rule in rules if rule.vendor in (None, vendor))
        yield Guard(table, event, held, LOCKS.get((model, event), ""))
    if vendor == POSTGRESQL:
        yield Guard(table, Event.TRUNCATE, (Rule("TRUE", f"{plural} are never deleted"),))


def _general(model: type[Model], plural: str, event: Event) -> Iterable[Rule]:
    if event is Event.DELETE:
        if model is not Seat:
            yield Rule("TRUE", f"{plural} are never deleted")
        return
    if event is Event.UPDATE:
        yield from _unchanged(model, plural)
    if event is Event.INSERT or model not in INSERT_ONLY:
        yield from _no_eviction(model, plural, event)


def _unchanged(model: type[Model], plural: str) -> Iterable[Rule]:
    if model in INSERT_ONLY:
        yield Rule("TRUE", f"{plural} are never changed")
        return
    if model in MAY_CHANGE:
        named = MAY_CHANGE[model]
        # A column added later is guarded until it is named here.
        columns = [field.column for field in model._meta.concrete_fields if field.name not in named]
        message = f"of {plural} only {', '.join(named)} may change"
    else:
        named = NEVER_CHANGES[model]
        columns = [model._meta.get_field(name).column for name in named]  # type: ignore[union-attr]
        message = f"of {plural} these never change: {', '.join(named)}"
    yield Rule(_differs(columns), message)


def _differs(columns: Iterable[str]) -> str:
    return " OR ".join(f'NEW."{column}" IS DISTINCT FROM OLD."{column}"' for column in columns)


def _no_eviction(model: type[Model], plural: str, event: Event) -> Iterable[Rule]:
    """SQLite's OR REPLACE deletes the row in the way, and calls no delete trigger unless a pragma says so (9.18)."""
    table = model._meta.db_table
    other = " AND standing.rowid <> OLD.rowid" if event is Event.UPDATE else ""
    for columns, condition in _unique_keys(model):
        same = " AND ".join(f"standing.{column} = NEW.{column}" for column in columns)
        if condition:
            same += "".join(f" AND {condition.format(row=row)}" for row in ("standing", "NEW"))
        names = ", ".join(column.strip('"') for column in columns)
        yield Rule(
            f'EXISTS (SELECT 1 FROM "{table}" AS standing WHERE {same}{other})',
            f"a row of the {plural} with the same {names} is there already and is never replaced",
            SQLITE,
        )


def _unique_keys(model: type[Model]) -> Iterable[tuple[list[str], str]]:
    """The columns of each unique key, quoted, and the condition of a partial one."""
    yield ["rowid"], ""
    for field in model._meta.concrete_fields:
        if field.unique and not isinstance(field, AutoField):  # SQLite's rowid is the automatic id
            yield [f'"{field.column}"'], ""
    for constraint in model._meta.constraints:
        if isinstance(constraint, UniqueConstraint):
            fields = [model._meta.get_field(name) for name in constraint.fields]
            condition = PARTIAL[str(constraint.name)] if constraint.condition else ""
            yield [f'"{field.column}"' for field in fields], condition  # type: ignore[union-attr]


def _transitions(moves: dict[str, tuple[str, ...]], what: str) -> Rule:
    """The state moves only along `moves`; staying is always allowed."""
    allowed = " OR ".join(
        f'(OLD."state" = \'{start}\' AND NEW."state" IN ({", ".join(repr(str(end)) for end in ends)}))'
        for start, ends in moves.items()
    )
    words = "; ".join(f"{start} to {' or '.join(ends)}" for start, ends in moves.items())
    return Rule(f'NEW."state" <> OLD."state" AND NOT ({allowed})', f"{what} goes only from {words}")


_LAST = 'FROM "activations_ledgerentry" AS last WHERE last."chain" = NEW."chain" ORDER BY last."seq" DESC LIMIT 1'
# In the body: seq is a number, at is ISO 8601 with microseconds and a Z. SQLite keeps times as text and drops the
# fraction when it is zero.
_SAID = ("chain", "seq", "at", "actor", "kind", "reason", "source", "prev")
_SHOWN_SQLITE = {
    "seq": 'NEW."seq"',
    "at": "replace(substr(NEW.\"at\" || '.000000', 1, 26), ' ', 'T') || 'Z'",
}
_SHOWN_POSTGRESQL = {
    "seq": 'NEW."seq"::text',
    "at": 'to_char(NEW."at" AT TIME ZONE \'UTC\', \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\')',
}
_SEATS = '(SELECT count(*) FROM "activations_seat" AS s WHERE s."license_id" ='
# Under REPEATABLE READ a count sees the seats of the transaction's beginning, lock or no lock.
_OLD_SNAPSHOT = "current_setting('transaction_isolation') = 'repeatable read'"

_LEDGER_INSERT = (
    Rule(
        f'NEW."seq" <> COALESCE((SELECT last."seq" {_LAST}), 0) + 1',
        "the sequence of a ledger chain has no gaps and no repeats",
    ),
    Rule(
        f'NEW."prev" <> COALESCE((SELECT last."hash" {_LAST}), \'{GENESIS}\')',
        "a ledger entry names the hash of the entry before it",
    ),
    Rule(
        f'NEW."at" < (SELECT last."at" {_LAST})',
        "a ledger entry is not dated before the entry it follows",
    ),
    Rule(
        "NEW.\"hash\" <> encode(sha256(convert_to(NEW.\"body\", 'UTF8')), 'hex')",
        "the hash of a ledger entry is the SHA-256 of its body",
        POSTGRESQL,
    ),
    Rule(
        'length(NEW."hash") <> 64 OR NEW."hash" GLOB \'*[^0-9a-f]*\'',
        "the hash of a ledger entry is the SHA-256 of its body, in 64 hex digits",
        SQLITE,
    ),
    Rule('NOT json_valid(NEW."body")', "the body of a ledger entry is JSON", SQLITE),
    Rule(
        " OR ".join(
            f"json_extract(NEW.\"body\", '$.{key}') IS DISTINCT FROM " + _SHOWN_SQLITE.get(key, f'NEW."{key}"')
            for key in _SAID
        ),
        "the columns of a ledger entry say what its body says",
        SQLITE,
    ),
    Rule(
        'EXISTS (SELECT 1 FROM (SELECT NEW."body"::json AS body) AS said WHERE '
        + " OR ".join(
            f"said.body->>'{key}' IS DISTINCT FROM " + _SHOWN_POSTGRESQL.get(key, f'NEW."{key}"') for key in _SAID
        )
        + ")",
        "the columns of a ledger entry say what its body says",
        POSTGRESQL,
    ),
)
_CHAIN_HEAD = Rule(
    f'NOT (NEW."length" = 0 AND NEW."head" = \'{GENESIS}\') AND NOT EXISTS ('
    'SELECT 1 FROM "activations_ledgerentry" AS e WHERE e."chain" = NEW."name" AND e."seq" = NEW."length" '
    'AND e."hash" = NEW."head")',
    "the length and head of a ledger chain are those of one of its entries",
)
_LEAVES = 'COALESCE((SELECT max(l."index") + 1 FROM "activations_ledgerleaf" AS l), 0)'
_SEAT_OF_LICENSE = Rule(
    'NEW."seat_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "activations_seat" AS s '
    'WHERE s."id" = NEW."seat_id" AND s."license_id" = NEW."license_id")',
    "an activation takes a seat of its own license",
)

SPECIAL: dict[tuple[type[Model], Event], tuple[Rule, ...]] = {
    (LedgerEntry, Event.INSERT): _LEDGER_INSERT,
    (LedgerChain, Event.INSERT): (_CHAIN_HEAD,),
    (LedgerChain, Event.UPDATE): (
        Rule('NEW."length" < OLD."length"', "a ledger chain never gets shorter"),
        _CHAIN_HEAD,
    ),
    (LedgerLeaf, Event.INSERT): (
        Rule(
            f'NEW."index" <> {_LEAVES}',
            "the leaves of the ledger's tree are numbered from 0 without gaps",
        ),
    ),
    (LedgerCheckpoint, Event.INSERT): (
        Rule(f'NEW."size" <> {_LEAVES}', "a ledger checkpoint covers exactly the leaves there are"),
        Rule(
            'NEW."size" <= (SELECT max(c."size") FROM "activations_ledgercheckpoint" AS c)',
            "each ledger checkpoint covers more entries than the one before it",
        ),
    ),
    (License, Event.UPDATE): (
        Rule(
            f'OLD."status" = \'{LicenseStatus.REVOKED}\' AND NEW."status" <> OLD."status"',
            "a revoked license stays revoked",
        ),
        Rule(
            'NEW."terms_revision" < OLD."terms_revision" OR NEW."key_serial" < OLD."key_serial"',
            "terms_revision and key_serial of a license only grow",
        ),
        Rule(
            f'NEW."allowed" < OLD."allowed" AND {_OLD_SNAPSHOT}',
            "allowed activations are lowered under READ COMMITTED or SERIALIZABLE only",
            POSTGRESQL,
        ),
        Rule(
            f'NEW."allowed" <> OLD."allowed" AND NEW."allowed" < {_SEATS} NEW."id")',
            "allowed activations are not set below the seats there are: delete free seats first",
        ),
    ),
    (Seat, Event.INSERT): (
        Rule(_OLD_SNAPSHOT, "seats are added under READ COMMITTED or SERIALIZABLE only", POSTGRESQL),
        Rule(
            f'{_SEATS} NEW."license_id") >= COALESCE('
            '(SELECT l."allowed" FROM "activations_license" AS l WHERE l."id" = NEW."license_id"), 0)',
            "a license has no more seats than allowed activations",
        ),
    ),
    (Seat, Event.DELETE): (
        Rule(
            'EXISTS (SELECT 1 FROM "activations_activation" AS a WHERE a."seat_id" = OLD."id")',
            "a seat that an activation holds is not deleted",
        ),
    ),
    (Instance, Event.UPDATE): (Rule('NEW."epoch" < OLD."epoch"', "the epoch of an Instance only grows"),),
    (UsageRequest, Event.INSERT): (
        Rule(
            f"NEW.\"state\" = '{RequestState.ANSWERED}'",
            "a Usage Request is stored before its Usage License and marked answered after it",
        ),
    ),
    (UsageRequest, Event.UPDATE): (
        Rule(
            f'OLD."state" IN (\'{RequestState.ANSWERED}\', \'{RequestState.DECLINED}\') AND NEW."state" <> OLD."state"',
            "a Usage Request that was answered or declined stays so",
        ),
        Rule(
            f"NEW.\"state\" = '{RequestState.ANSWERED}' AND NOT EXISTS ("
            'SELECT 1 FROM "activations_usagelicense" AS u WHERE u."request_id" = NEW."id")',
            "a Usage Request is answered only by a stored Usage License",
        ),
    ),
    (UsageLicense, Event.INSERT): (
        Rule(
            'NOT EXISTS (SELECT 1 FROM "activations_usagerequest" AS r JOIN "activations_activation" AS a '
            'ON a."license_id" = r."license_id" WHERE r."id" = NEW."request_id" AND a."id" = NEW."activation_id" '
            f"AND r.\"state\" NOT IN ('{RequestState.ANSWERED}', '{RequestState.DECLINED}'))",
            "a Usage License answers one open Usage Request with an activation of the same license",
        ),
    ),
    (Activation, Event.INSERT): (_SEAT_OF_LICENSE,),
    (Activation, Event.UPDATE): (
        _SEAT_OF_LICENSE,
        _transitions(
            {
                ActivationState.ACTIVE: (ActivationState.DEACTIVATED, ActivationState.LOST),
                ActivationState.LOST: (
                    ActivationState.ACTIVE,
                    ActivationState.DEACTIVATED,
                    ActivationState.RESTORED,
                ),
            },
            "an activation",
        ),
        Rule(
            'NEW."usage_license_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "activations_usagelicense" AS u '
            'WHERE u."id" = NEW."usage_license_id" AND u."activation_id" = NEW."id")',
            "the current Usage License of an activation is one of its own",
        ),
    ),
    (Restoration, Event.INSERT): (
        Rule(
            f"NEW.\"state\" <> '{RestorationState.REQUESTED}'",
            "a restoration begins as requested and is decided afterwards",
        ),
    ),
    (Restoration, Event.UPDATE): (
        Rule(
            f"OLD.\"state\" <> '{RestorationState.REQUESTED}'",
            "a restoration is decided once and stays as decided",
        ),
    ),
    (Tombstone, Event.UPDATE): (
        Rule('OLD."settled_at" IS NOT NULL', "a tombstone is settled once and stays as settled"),
    ),
}

LOCKS: dict[tuple[type[Model], Event], str] = {
    # Two transactions that add seats to one license wait for each other here.
    (Seat, Event.INSERT): 'PERFORM 1 FROM "activations_license" WHERE "id" = NEW."license_id" FOR UPDATE',
    # A seat cannot be deleted between this check and the commit.
    (Activation, Event.INSERT): 'PERFORM 1 FROM "activations_seat" WHERE "id" = NEW."seat_id" FOR KEY SHARE',
    (Activation, Event.UPDATE): 'PERFORM 1 FROM "activations_seat" WHERE "id" = NEW."seat_id" FOR KEY SHARE',
}
