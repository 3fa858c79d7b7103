"""Kinds of statement that are refused on every table: deleting, replacing, changing what is fixed."""

from __future__ import annotations

from collections.abc import Iterator

from tests.database.statements import GOING, INSERT_ONLY, PG, SQLITE, WATCHED, Case, column_names, copy


def never_emptied() -> Iterator[Case]:
    for table, plural in WATCHED.items():
        message = f"{plural} are never deleted"
        if table not in GOING:
            yield Case(f"{table}: DELETE", f"DELETE FROM activations_{table}", message)
        yield Case(f"{table}: TRUNCATE", f"TRUNCATE activations_{table} CASCADE", message, PG)
    yield Case(
        "everything at once: TRUNCATE of what the rest refers to",
        "TRUNCATE activations_customer, auth_group CASCADE",
        "licenses are never deleted",
        PG,
    )


def never_replaced() -> Iterator[Case]:
    """SQLite's REPLACE deletes what is in the way without calling a delete trigger."""
    for table, plural in WATCHED.items():
        key = "rowid" if table in ("ledgerchain", "ledgerleaf") else "id"
        message = f"a row of the {plural} with the same {key} is there already and is never replaced"
        columns = ", ".join(f'"{name}"' for name in column_names(table))
        for verb in ("INSERT OR REPLACE", "REPLACE"):
            yield Case(
                f"{table}: {verb}, rowid given",
                f"{verb} INTO activations_{table} (rowid, {columns}) "
                f"SELECT rowid, {columns} FROM activations_{table} WHERE rowid = (SELECT min(rowid) "
                f"FROM activations_{table})",
                message,
                SQLITE,
            )
    for table, row, changes, key in UNIQUE_KEYS:
        yield Case(
            f"{table}: INSERT OR REPLACE, same {key}",
            copy(table, row, verb="INSERT OR REPLACE", **changes),
            f"a row of the {WATCHED[table]} with the same {key} is there already and is never replaced",
            SQLITE,
        )
    for table, change, key in EVICTING_UPDATES:
        yield Case(
            f"{table}: UPDATE OR REPLACE, same {key}",
            f"UPDATE OR REPLACE activations_{table} SET {change}",
            f"a row of the {WATCHED[table]} with the same {key} is there already and is never replaced",
            SQLITE,
        )


# Table, which row to copy, what to change so that nothing but the named unique key is in the way.
_USL = "usage_license_id = 'USL of ACT-GONE'"
UNIQUE_KEYS: list[tuple[str, str, dict[str, str], str]] = [
    ("ledgerentry", "chain = 'LIC-A' AND seq = 2", {"hash": "'new'"}, "chain, seq"),
    ("ledgerentry", "chain = 'LIC-A' AND seq = 2", {"seq": "3"}, "hash"),
    ("ledgerleaf", '"index" = 0', {"entry_id": "(SELECT max(id) FROM activations_ledgerentry)"}, "index"),
    ("ledgerleaf", '"index" = 0', {"index": "1"}, "entry_id"),
    ("ledgercheckpoint", "size = 1", {}, "size"),
    ("ledgertile", "level = 0", {}, "level, index"),
    ("witnessreceipt", "size = 1", {}, "witness, size"),
    ("ledgerchain", "name = 'LIC-A'", {}, "name"),
    ("usagelicense", _USL, {"request_id": "999"}, "usage_license_id"),
    ("usagelicense", _USL, {"usage_license_id": "'USL-NEW'"}, "request_id"),
    ("licenseterms", "revision = 1", {}, "license_id, revision"),
    ("revealedcode", "commitment = 'c'", {}, "license_id, commitment, activation_id, epoch"),
    ("sighting", "id > 0", {}, "tombstone_id, request_id"),
    ("retiredkey", "key_digest = 'retired'", {}, "key_digest"),
    ("replytext", "kind = 'issued'", {}, "kind, version"),
    ("evidence", "sha256 = 'photo'", {}, "restoration_id, sha256"),
    ("erasure", "seq = 1", {}, "of_table, of_row, of_column"),
    ("staffevent", "seq = 1", {}, "chain, seq"),
    ("conversation", "token = 'TOKEN001'", {}, "token"),
    ("incomingmail", "content_digest = 'first'", {"source_id": "999"}, "content_digest"),
    ("incomingmail", "content_digest = 'first'", {"content_digest": "'new'"}, "source_id"),
    ("outgoingmail", "\"key\" = 'first'", {"message_id": "'new'"}, "key"),
    ("outgoingmail", "\"key\" = 'first'", {"key": "'new'"}, "message_id"),
    ("license", "license_id = 'LIC-A'", {"key_digest": "'new'"}, "license_id"),
    ("license", "license_id = 'LIC-A'", {"license_id": "'LIC-NEW'"}, "key_digest"),
    ("instance", "thumbprint = 'instance of ACT-GONE'", {}, "thumbprint"),
    ("usagerequest", "request_id = 'REQ-PENDING'", {"counter": "99"}, "request_id"),
    ("usagerequest", "request_id = 'REQ-PENDING'", {"request_id": "'REQ-NEW'"}, "instance_id, epoch, counter"),
    ("activation", "activation_id = 'ACT-GONE'", {"usage_license_id": "NULL"}, "activation_id"),
    ("activation", "activation_id = 'ACT-GONE'", {"activation_id": "'ACT-NEW'"}, "usage_license_id"),
    (
        "activation",
        "activation_id = 'ACT-LOST'",
        {"activation_id": "'ACT-NEW'", "usage_license_id": "NULL"},
        "seat_id",
    ),
    (
        "activation",
        "activation_id = 'ACT-ACTIVE'",
        {
            "activation_id": "'ACT-NEW'",
            "usage_license_id": "NULL",
            "seat_id": "(SELECT id FROM activations_seat WHERE license_id <> activations_activation.license_id)",
        },
        "license_id, instance_id",
    ),
    ("restoration", "restoration_id = 'RES-OPEN'", {"activation_id": "999"}, "restoration_id"),
    ("restoration", "restoration_id = 'RES-OPEN'", {"restoration_id": "'RES-NEW'"}, "activation_id"),
    ("tombstone", "tombstone_id = 'TOMB-SETTLED'", {}, "tombstone_id"),
    ("signingkey", "serial = '02'", {}, "serial"),
    ("signingkey", "serial = '01'", {"serial": "'03'"}, "purpose"),
    ("portalsecret", "name = 'key-digest'", {}, "name"),
    ("ledgeruncovered", "id = (SELECT min(id) FROM activations_ledgeruncovered)", {}, "hash"),
    ("seat", "number = 1 AND license_id = (SELECT min(id) FROM activations_license)", {}, "license_id, number"),
]

# Only where the key's columns may change at all: elsewhere the change itself is refused.
EVICTING_UPDATES: list[tuple[str, str, str]] = [
    (
        "ledgerchain",
        "rowid = (SELECT rowid FROM activations_ledgerchain WHERE name = 'LIC-B') WHERE name = 'LIC-A'",
        "rowid",
    ),
    (
        "license",
        "key_digest = (SELECT key_digest FROM activations_license WHERE license_id = 'LIC-B') "
        "WHERE license_id = 'LIC-A'",
        "key_digest",
    ),
    ("usagerequest", "in_line = 1 WHERE request_id = 'REQ-CLONE'", "instance_id, epoch, counter"),
    ("usagerequest", "epoch = 1, in_line = 1 WHERE request_id = 'REQ-CLONE'", "instance_id, epoch, counter"),
    (
        "activation",
        "seat_id = (SELECT seat_id FROM activations_activation WHERE activation_id = 'ACT-ACTIVE') "
        "WHERE activation_id = 'ACT-OTHER'",
        "seat_id",
    ),
    (
        "activation",
        "usage_license_id = (SELECT usage_license_id FROM activations_activation "
        "WHERE activation_id = 'ACT-ACTIVE') WHERE activation_id = 'ACT-OTHER'",
        "usage_license_id",
    ),
    ("activation", "state = 'active' WHERE activation_id = 'ACT-LOST'", "license_id, instance_id"),
    (
        "restoration",
        "state = 'requested', decided_by = '', decided_at = NULL WHERE restoration_id = 'RES-DENIED'",
        "activation_id",
    ),
    ("signingkey", "current = 1 WHERE serial = '02'", "purpose"),
]


def never_changed() -> Iterator[Case]:
    for table, plural in INSERT_ONLY.items():
        column = column_names(table)[-1]
        update = f'UPDATE activations_{table} SET "{column}" = "{column}"'
        yield Case(f"{table}: UPDATE, even to the same", update, f"{plural} are never changed")
        yield Case(
            f"{table}: UPDATE OR REPLACE",
            update.replace("UPDATE", "UPDATE OR REPLACE"),
            f"{plural} are never changed",
            SQLITE,
        )
    for table, message, row, changes in FIXED_COLUMNS:
        for column, value in changes.items():
            yield Case(
                f"{table}: UPDATE of {column}",
                f'UPDATE activations_{table} SET "{column}" = {value} WHERE {row}',
                message,
            )


_OTHER_LICENSE = "(SELECT id FROM activations_license WHERE license_id = 'LIC-B')"
_OTHER_ACTIVATION = "(SELECT id FROM activations_activation WHERE activation_id = 'ACT-GONE')"
_OTHER_INSTANCE = "(SELECT max(id) FROM activations_instance)"
_EARLIER = "'2020-01-01 00:00:00'"
FIXED_COLUMNS: list[tuple[str, str, str, dict[str, str]]] = [
    ("ledgerchain", "of ledger chains these never change: name", "name = 'LIC-A'", {"name": "'LIC-NEW'"}),
    (
        "license",
        "of licenses these never change: id, license_id, created_at",
        "license_id = 'LIC-A'",
        {"id": "id + 1000", "license_id": "'LIC-NEW'", "created_at": _EARLIER},
    ),
    (
        "instance",
        "of Instances these never change: id, thumbprint, public_key, first_seen",
        "thumbprint = 'instance of ACT-GONE'",
        {"id": "id + 1000", "thumbprint": "'new'", "public_key": "''", "first_seen": _EARLIER},
    ),
    (
        "activation",
        "of activations these never change: id, activation_id, license, created_at",
        "activation_id = 'ACT-GONE'",
        {
            "id": "id + 1000",
            "activation_id": "'ACT-NEW'",
            "license_id": _OTHER_LICENSE,
            "created_at": _EARLIER,
        },
    ),
    (
        "seat",
        "of seats these never change: id, license, number",
        "number = 3",
        {"id": "id + 1000", "license_id": _OTHER_LICENSE, "number": "999"},
    ),
    (
        "ledgeruncovered",
        "of marks of uncovered entries these never change: id, hash",
        "id = (SELECT max(id) FROM activations_ledgeruncovered)",
        {"id": "id + 1000", "hash": "'other'"},
    ),
    (
        "signingkey",
        "of signing keys these never change: id, purpose, serial, certificate, created_at",
        "serial = '01'",
        {
            "id": "id + 1000",
            "purpose": "'root'",
            "serial": "'ff'",
            "certificate": "''",
            "created_at": _EARLIER,
        },
    ),
    (
        "portalsecret",
        "of secrets of the portal these never change: id, name",
        "name = 'key-digest'",
        {"id": "id + 1000", "name": "'other'"},
    ),
    (
        "conversation",
        "of conversations these never change: id, token, created_at",
        "token = 'TOKEN001'",
        {"id": "id + 1000", "token": "'TOKEN002'", "created_at": _EARLIER},
    ),
    (
        "incomingmail",
        "of mails from outside these never change: id, content_digest, source, mailbox, fetched_at",
        "content_digest = 'first'",
        {
            "id": "id + 1000",
            "content_digest": "'other'",
            "source_id": "(SELECT max(id) FROM activations_mailsource) + 1000",
            "mailbox": "'other'",
            "fetched_at": _EARLIER,
        },
    ),
    (
        "outgoingmail",
        "of mails of the outbox only state, attempts, next_attempt_at, claim, claimed_at, sent_at, problem, settled_by "
        "may change",
        "\"key\" = 'first'",
        {
            "id": "id + 1000",
            "key": "'other'",
            "message_id": "'other'",
            "conversation_id": "NULL",
            "reply_id": "(SELECT min(id) FROM activations_reply)",
            "license_id": _OTHER_LICENSE,
            "again_id": "(SELECT max(id) FROM activations_outgoingmail)",
            "to_address": "'eve@evil.example'",
            "subject": "'other'",
            "body": "'other'",
            "attachment": "'other'",
            "attachment_name": "'other'",
            "in_reply_to": "'other'",
            "references": "'other'",
            "queued_at": _EARLIER,
            "queued_by": "'other'",
        },
    ),
    (
        "usagerequest",
        "of Usage Requests only state, code, refusal, epoch, in_line may change",
        "request_id = 'REQ-PENDING'",
        {
            "id": "id + 1000",
            "request_id": "'REQ-NEW'",
            "license_id": _OTHER_LICENSE,
            "instance_id": _OTHER_INSTANCE,
            "counter": "99",
            "text": "'other'",
            "received": "'other'",
            "payload": "''",
            "sha256": "'other'",
            "previous": "'other'",
            "commitment": "'other'",
            "fingerprint": "'{}'",
            "container": "'docker'",
            "virtual": "'kvm'",
            "hostname": "'other'",
            "version": "'9'",
            "made_at": _EARLIER,
            "test": "NOT test",
            "received_at": _EARLIER,
            "received_by": "'other'",
        },
    ),
    (
        "restoration",
        "of restorations only state, decided_by, decided_at, decision_reason, above_quota may change",
        "restoration_id = 'RES-OPEN'",
        {
            "id": "id + 1000",
            "restoration_id": "'RES-NEW'",
            "activation_id": _OTHER_ACTIVATION,
            "requested_by": "'other'",
            "requested_at": _EARLIER,
            "reason": "'other'",
        },
    ),
    (
        "tombstone",
        "of tombstones only settled_at, settled_by may change",
        "tombstone_id = 'TOMB-OPEN'",
        {
            "id": "id + 1000",
            "tombstone_id": "'TOMB-NEW'",
            "license_id": _OTHER_LICENSE,
            "kind": "'rebound'",
            "activation_id": _OTHER_ACTIVATION,
            "restoration_id": "(SELECT min(id) FROM activations_restoration)",
            "instance_id": _OTHER_INSTANCE,
            "fingerprint": "'[]'",
            "commitment": "'other'",
            "placed_at": _EARLIER,
        },
    ),
]
