"""The rules of single tables that no plain constraint can hold: chains, seats, states (Design 5, 9.18, 9.19).

A rule is an SQL condition over OLD and NEW that both PostgreSQL and SQLite understand; `triggers` writes it out for
each. What holds for every table alike stands in `guards`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from django.db.models import Model

from activations.domain.ledger import GENESIS, PORTAL_CHAIN, Kind
from activations.domain.tiles import HASH_BYTES, TILE_BYTES, WIDTH
from activations.domain.words import ActivationState, LicenseStatus, RequestState, RestorationState
from activations.models.activations import Activation, Restoration, Tombstone, UsageLicense
from activations.models.ledger import (
    LedgerChain,
    LedgerCheckpoint,
    LedgerEntry,
    LedgerLeaf,
    LedgerTile,
    LedgerUncovered,
    WitnessReceipt,
)
from activations.models.licenses import License, Seat
from activations.models.privacy import Erasure
from activations.models.requests import Instance, UsageRequest
from activations.models.staff_trail import StaffEvent

POSTGRESQL, SQLITE = "postgresql", "sqlite"
OPEN_REQUEST = ("state", "code", "refusal", "epoch", "in_line")  # what may change until it is answered or declined


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


def differs(columns: Iterable[str]) -> str:
    return " OR ".join(f'NEW."{column}" IS DISTINCT FROM OLD."{column}"' for column in columns)


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
_ALLOWED = '(SELECT l."allowed" FROM "activations_license" AS l WHERE l."id" = NEW."license_id")'
# There a count sees the seats of the transaction's beginning, lock or no lock. SERIALIZABLE watches only other
# transactions that are SERIALIZABLE, and the portal's own are not.
_OLD_SNAPSHOT = "current_setting('transaction_isolation') IN ('repeatable read', 'serializable')"

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
_ENTRY = 'SELECT 1 FROM "activations_ledgerentry" AS e WHERE'
_LEAVES = 'COALESCE((SELECT max(l."index") + 1 FROM "activations_ledgerleaf" AS l), 0)'
_LEDGER_TILE = (
    Rule(
        "typeof(NEW.\"hashes\") <> 'blob' OR typeof(NEW.\"root\") <> 'blob'",
        "the hashes of a tile are bytes",
        SQLITE,
    ),
    Rule(
        f'length(NEW."hashes") <> {TILE_BYTES} OR length(NEW."root") <> {HASH_BYTES}',
        f"a tile of the ledger's tree is full: {WIDTH} hashes of {HASH_BYTES} bytes",
    ),
    Rule(
        'NEW."index" <> COALESCE((SELECT max(t."index") + 1 FROM "activations_ledgertile" AS t '
        'WHERE t."level" = NEW."level"), 0)',
        "the tiles of a level are numbered from 0 without gaps",
    ),
    Rule(
        f'(NEW."index" + 1) * {WIDTH} > (CASE WHEN NEW."level" = 0 THEN {_LEAVES} ELSE COALESCE((SELECT '
        'max(t."index") + 1 FROM "activations_ledgertile" AS t WHERE t."level" = NEW."level" - 1), 0) END)',
        "a tile of the ledger's tree stands over leaves or tiles that are there",
    ),
)
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
    (LedgerUncovered, Event.DELETE): (
        Rule(
            f'EXISTS ({_ENTRY} e."hash" = OLD."hash" AND NOT EXISTS (SELECT 1 FROM "activations_ledgerleaf" AS l '
            'WHERE l."entry_id" = e."id"))',
            "the mark of a ledger entry goes once the entry has its leaf",
        ),
    ),
    (LedgerTile, Event.INSERT): _LEDGER_TILE,
    (WitnessReceipt, Event.INSERT): (
        Rule(
            'NOT EXISTS (SELECT 1 FROM "activations_ledgercheckpoint" AS c WHERE c."size" = NEW."size")',
            "a witness has got a checkpoint that there is",
        ),
    ),
    # The leaves only grow and a size is unique, so each checkpoint covers more than the one before it.
    (LedgerCheckpoint, Event.INSERT): (
        Rule(f'NEW."size" <> {_LEAVES}', "a ledger checkpoint covers exactly the leaves there are"),
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
            "allowed activations are lowered under READ COMMITTED only",
            POSTGRESQL,
        ),
        Rule(
            f'NEW."allowed" <> OLD."allowed" AND NEW."allowed" < {_SEATS} NEW."id")',
            "allowed activations are not set below the seats there are: delete free seats first",
        ),
    ),
    (Seat, Event.INSERT): (
        Rule("typeof(NEW.\"number\") <> 'integer'", "the number of a seat is a whole number", SQLITE),
        Rule(_OLD_SNAPSHOT, "seats are added under READ COMMITTED only", POSTGRESQL),
        Rule(
            # Counted only where it must be: different numbers, none above the allowed activations, cannot be too many.
            f'(CASE WHEN NEW."number" <= {_ALLOWED} AND NOT EXISTS (SELECT 1 FROM "activations_seat" AS s '
            f'WHERE s."license_id" = NEW."license_id" AND s."number" > {_ALLOWED}) THEN FALSE '
            f'ELSE {_SEATS} NEW."license_id") >= COALESCE({_ALLOWED}, 0) END)',
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
            f"OLD.\"state\" IN ('{RequestState.ANSWERED}', '{RequestState.DECLINED}') AND ({differs(OPEN_REQUEST)})",
            "a Usage Request that was answered or declined stays as it is",
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
    (Erasure, Event.INSERT): (
        Rule(
            f'NOT EXISTS ({_ENTRY} e."chain" = \'{PORTAL_CHAIN}\' AND e."seq" = NEW."seq" '
            f"AND e.\"kind\" IN ('{Kind.CONTACT_PSEUDONYMISED}', '{Kind.MAILS_FORGOTTEN}'))",
            "what is erased is booked in the portal's chain first",
        ),
    ),
    (StaffEvent, Event.INSERT): (
        Rule(
            f'NEW."seq" IS NOT NULL AND NOT EXISTS ({_ENTRY} e."chain" = NEW."chain" AND e."seq" = NEW."seq" '
            'AND e."kind" = NEW."kind" AND e."actor" = NEW."actor")',
            "an event of the staff trail that names a ledger entry has its kind and actor",
        ),
    ),
    (Tombstone, Event.UPDATE): (
        Rule('OLD."settled_at" IS NOT NULL', "a tombstone is settled once and stays as settled"),
    ),
}

# What the trigger itself writes, after its rules, into another table. PostgreSQL keeps the plan it made while that was
# empty, and would read all of it for a condition; SQLite would ask the other table's own triggers before the conflict.
_MARK = 'INSERT INTO "activations_ledgeruncovered" ("hash")'
EFFECTS: dict[tuple[type[Model], Event], tuple[type[Model], dict[str, str]]] = {
    (LedgerEntry, Event.INSERT): (
        LedgerUncovered,
        {
            POSTGRESQL: f'{_MARK} VALUES (NEW."hash") ON CONFLICT DO NOTHING',
            SQLITE: f'{_MARK} SELECT NEW."hash" WHERE NOT EXISTS (SELECT 1 FROM "activations_ledgeruncovered" AS mark '
            'WHERE mark."hash" = NEW."hash")',
        },
    ),
}

LOCKS: dict[tuple[type[Model], Event], str] = {
    # Two transactions that add seats to one license wait for each other here.
    (Seat, Event.INSERT): 'PERFORM 1 FROM "activations_license" WHERE "id" = NEW."license_id" FOR UPDATE',
    # A seat cannot be deleted between this check and the commit.
    (Activation, Event.INSERT): 'PERFORM 1 FROM "activations_seat" WHERE "id" = NEW."seat_id" FOR KEY SHARE',
    (Activation, Event.UPDATE): 'PERFORM 1 FROM "activations_seat" WHERE "id" = NEW."seat_id" FOR KEY SHARE',
}
