"""What the database itself refuses, whoever writes to it: every trigger it must have (Design 5, 9.18, 9.19).

Here are the rules that hold for many tables alike: nothing is deleted, replaced, or changed where it is fixed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from django.db.models import AutoField, Model, UniqueConstraint

from activations.models.activations import (
    Activation,
    Restoration,
    RevealedCode,
    Sighting,
    Tombstone,
    UsageLicense,
)
from activations.models.desk import Evidence, Reply, ReplyText
from activations.models.erasable import ERASABLE, booked, wrongly_erased
from activations.models.keys import PortalSecret, SigningKey
from activations.models.ledger import (
    LedgerChain,
    LedgerCheckpoint,
    LedgerEntry,
    LedgerLeaf,
    LedgerTile,
    LedgerUncovered,
    WitnessReceipt,
)
from activations.models.licenses import License, LicenseTerms, RetiredKey, Seat
from activations.models.mail import Conversation, ConversationNote, IncomingMail, MailSource, OutgoingMail
from activations.models.privacy import Erasure
from activations.models.requests import Instance, IntakeEntry, UsageRequest
from activations.models.rules import EFFECTS, LOCKS, OPEN_REQUEST, POSTGRESQL, SPECIAL, SQLITE, Event, Rule, differs
from activations.models.staff_trail import StaffEvent


@dataclass(frozen=True)
class Guard:
    """One trigger: the rules for one event on one table, the first that is broken names the refusal."""

    table: str
    event: Event
    rules: tuple[Rule, ...]
    lock: str = ""  # a PostgreSQL statement that runs first; SQLite has one writer at a time anyway
    effect: str = ""  # a statement that runs last
    writes: str = ""  # the table that the effect writes to

    @property
    def name(self) -> str:
        return f"{self.table}_{self.event.name.lower()}_guard"


# The conditions of the partial unique constraints, for a row named {row}: REPLACE evicts only within them.
PARTIAL = {
    "one_activation_per_seat": '{row}."seat_id" IS NOT NULL',
    "one_active_activation_per_instance": "{row}.\"state\" = 'active'",
    "one_open_restoration_per_activation": "{row}.\"state\" = 'requested'",
    "request_counter_once": '{row}."in_line"',
    "staff_event_once_per_entry": '{row}."seq" IS NOT NULL',
    "one_current_key_per_purpose": '{row}."current" AND {row}."purpose" <> \'root\'',
}

INSERT_ONLY: dict[type[Model], str] = {
    LedgerEntry: "ledger entries",
    LedgerLeaf: "leaves of the ledger's tree",
    LedgerTile: "tiles of the ledger's tree",
    LedgerCheckpoint: "ledger checkpoints",
    WitnessReceipt: "receipts of witnesses",
    UsageLicense: "Usage Licenses",
    LicenseTerms: "revisions of license terms",
    RevealedCode: "revealed deactivation codes",
    Sighting: "sightings",
    IntakeEntry: "entries of the intake log",
    RetiredKey: "replaced License Keys",
    Reply: "replies",
    ReplyText: "versions of reply texts",
    Evidence: "evidence",
    MailSource: "mails as they came",
    ConversationNote: "notes on conversations",
    StaffEvent: "events of the staff trail",
    Erasure: "records of what was erased",
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
    Conversation: "conversations",
    IncomingMail: "mails from outside",
    OutgoingMail: "mails of the outbox",
}
GOING: dict[type[Model], str] = {Seat: "seats", LedgerUncovered: "marks of uncovered entries"}  # rules say when
MAY_CHANGE: dict[type[Model], tuple[str, ...]] = {
    UsageRequest: OPEN_REQUEST,
    Restoration: ("state", "decided_by", "decided_at", "decision_reason", "above_quota"),
    Tombstone: ("settled_at", "settled_by"),
    OutgoingMail: (
        "state",
        "attempts",
        "next_attempt_at",
        "claim",
        "claimed_at",
        "sent_at",
        "problem",
        "settled_by",
    ),
}
NEVER_CHANGES: dict[type[Model], tuple[str, ...]] = {
    LedgerChain: ("name",),
    License: ("id", "license_id", "created_at"),
    Instance: ("id", "thumbprint", "public_key", "first_seen"),
    Activation: ("id", "activation_id", "license", "created_at"),
    Seat: ("id", "license", "number"),
    LedgerUncovered: ("id", "hash"),
    SigningKey: ("id", "purpose", "serial", "certificate", "created_at"),
    PortalSecret: ("id", "name"),
    Conversation: ("id", "token", "created_at"),
    IncomingMail: ("id", "content_digest", "source", "mailbox", "fetched_at"),
}


def all_guards(vendor: str) -> list[Guard]:
    """Every trigger that a database of this vendor must have."""
    watched: dict[type[Model], str] = {**INSERT_ONLY, **KEPT, **GOING}
    guards = [guard for model, plural in watched.items() for guard in _guards_of(model, plural, vendor)]
    return [guard for guard in guards if guard.rules]


def _guards_of(model: type[Model], plural: str, vendor: str) -> Iterable[Guard]:
    table = model._meta.db_table
    for event in (Event.INSERT, Event.UPDATE, Event.DELETE):
        rules = (*_general(model, plural, event), *SPECIAL.get((model, event), ()))
        held = tuple(rule for rule in rules if rule.vendor in (None, vendor))
        guard = Guard(table, event, held, LOCKS.get((model, event), ""))
        if (model, event) in EFFECTS:
            other, effects = EFFECTS[model, event]
            guard = replace(guard, effect=effects[vendor], writes=other._meta.db_table)
        yield guard
    if vendor == POSTGRESQL:
        yield Guard(table, Event.TRUNCATE, (Rule("TRUE", f"{plural} are never deleted"),))


def _general(model: type[Model], plural: str, event: Event) -> Iterable[Rule]:
    if event is Event.DELETE:
        if model not in GOING:
            yield Rule("TRUE", f"{plural} are never deleted")
        return
    if event is Event.UPDATE:
        yield from _unchanged(model, plural)
    if event is Event.INSERT or model not in INSERT_ONLY:
        yield from _no_eviction(model, plural, event)


def _unchanged(model: type[Model], plural: str) -> Iterable[Rule]:
    if model in INSERT_ONLY:
        # What stands in them may be erased for the sake of a person, by an entry of the ledger that says so.
        wrong = f"NOT {booked(model)} OR {_changed(model)}" if model in ERASABLE else "TRUE"
        yield Rule(wrong, f"{plural} are never changed")
    elif model in MAY_CHANGE:
        yield Rule(_changed(model), f"of {plural} only {', '.join(MAY_CHANGE[model])} may change")
    else:
        named = ", ".join(NEVER_CHANGES[model])
        yield Rule(differs(_fixed_columns(model)), f"of {plural} these never change: {named}")


def _changed(model: type[Model]) -> str:
    """That a fixed column changes, or an erasable one without a booked erasure."""
    erasable = ERASABLE.get(model, {})
    fixed = [column for column in _fixed_columns(model) if column not in erasable]
    return " OR ".join([differs(fixed), *(wrongly_erased(model, column) for column in erasable)])


def _fixed_columns(model: type[Model]) -> list[str]:
    """A column added later to a model of MAY_CHANGE or INSERT_ONLY is fixed until it is named there."""
    columns = _columns(model)
    if model in MAY_CHANGE or model in INSERT_ONLY:
        return [column for name, column in columns.items() if name not in MAY_CHANGE.get(model, ())]
    return [columns[name] for name in NEVER_CHANGES[model]]


def _columns(model: type[Model]) -> dict[str, str]:
    """Field name to column name."""
    return {field.name: str(field.column) for field in model._meta.concrete_fields}


def _no_eviction(model: type[Model], plural: str, event: Event) -> Iterable[Rule]:
    """SQLite's OR REPLACE deletes the row in the way, and calls no delete trigger unless a pragma says so (9.18)."""
    table = model._meta.db_table
    others, fixed = "", set[str]()
    if event is Event.UPDATE:
        others, fixed = " AND standing.rowid <> OLD.rowid", set(_fixed_columns(model))
    for columns, condition in _unique_keys(model):
        if fixed.issuperset(columns) and not condition:
            continue
        # SQLite's rowid is the automatic id, and a column of its own where a model has another primary key.
        same = " AND ".join(f'standing."{column}" = NEW."{column}"' for column in columns)
        if condition:
            same += "".join(f" AND {condition.format(row=row)}" for row in ("standing", "NEW"))
        yield Rule(
            f'EXISTS (SELECT 1 FROM "{table}" AS standing WHERE {same}{others})',
            f"a row of the {plural} with the same {', '.join(columns)} is there already and is never replaced",
            SQLITE,
        )


def _unique_keys(model: type[Model]) -> Iterable[tuple[list[str], str]]:
    """The columns of each unique key, and the condition of a partial one."""
    if not isinstance(model._meta.pk, AutoField):
        yield ["rowid"], ""
    for field in model._meta.concrete_fields:
        if field.unique:
            yield [str(field.column)], ""
    columns = _columns(model)
    for constraint in model._meta.constraints:
        if isinstance(constraint, UniqueConstraint):
            condition = PARTIAL[str(constraint.name)] if constraint.condition else ""
            yield [columns[name] for name in constraint.fields], condition
