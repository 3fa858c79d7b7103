"""What a refused statement is, and how the raw ones are put together."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.apps import apps

PG, SQLITE = "postgresql", "sqlite"

INSERT_ONLY = {
    "ledgerentry": "ledger entries",
    "ledgerleaf": "leaves of the ledger's tree",
    "ledgertile": "tiles of the ledger's tree",
    "ledgercheckpoint": "ledger checkpoints",
    "witnessreceipt": "receipts of witnesses",
    "usagelicense": "Usage Licenses",
    "licenseterms": "revisions of license terms",
    "revealedcode": "revealed deactivation codes",
    "sighting": "sightings",
    "intakeentry": "entries of the intake log",
    "retiredkey": "replaced License Keys",
    "reply": "replies",
    "replytext": "versions of reply texts",
    "evidence": "evidence",
    "mailsource": "mails as they came",
    "conversationnote": "notes on conversations",
    "staffevent": "events of the staff trail",
    "erasure": "records of what was erased",
}
KEPT = {
    "ledgerchain": "ledger chains",
    "license": "licenses",
    "instance": "Instances",
    "usagerequest": "Usage Requests",
    "activation": "activations",
    "restoration": "restorations",
    "tombstone": "tombstones",
    "signingkey": "signing keys",
    "portalsecret": "secrets of the portal",
    "conversation": "conversations",
    "incomingmail": "mails from outside",
    "outgoingmail": "mails of the outbox",
}
GOING = {"seat": "seats", "ledgeruncovered": "marks of uncovered entries"}
WATCHED = {**INSERT_ONLY, **KEPT, **GOING}
# Refused for the transaction they are in, not for what they say: see test_postgresql.
SNAPSHOT_MESSAGES = {
    "seats are added under READ COMMITTED only",
    "allowed activations are lowered under READ COMMITTED only",
}


@dataclass(frozen=True)
class Case:
    """With the triggers gone, the same statement must succeed: that is the negative control."""

    name: str
    sql: str
    message: str
    vendor: str | None = None

    @property
    def trigger(self) -> str:
        """The name of the trigger that must refuse it, read off the statement."""
        verb = self.sql.split()[0].lower().replace("replace", "insert")
        table = re.search(r"activations_\w+", self.sql)
        return f"{table and table.group()}_{verb}_guard"


def column_names(table: str) -> list[str]:
    return [field.column for field in apps.get_model("activations", table)._meta.concrete_fields]


def copy(table: str, where: str, *, verb: str = "INSERT", **changes: str) -> str:
    """Inserts a copy of a row under a new id, with other SQL expressions in some columns."""
    names = [name for name in column_names(table) if name != "id"]
    assert set(changes) <= set(names), f"{table} has no {set(changes) - set(names)}"
    values = ", ".join(changes.get(name, f'"{name}"') for name in names)
    columns = ", ".join(f'"{name}"' for name in names)
    return f"{verb} INTO activations_{table} ({columns}) SELECT {values} FROM activations_{table} WHERE {where}"


def add(values: object, **changes: object) -> str:
    """Inserts a ledger entry, with other values in some columns."""
    names = [name for name in column_names("ledgerentry") if name != "id"]
    row = {name: changes.get(name, getattr(values, name)) for name in names}
    row["at"] = str(row["at"]).removesuffix("Z").replace("T", " ")
    literals = ", ".join("'" + str(row[name]).replace("'", "''") + "'" for name in names)
    return f"INSERT INTO activations_ledgerentry ({', '.join(names)}) VALUES ({literals})"
