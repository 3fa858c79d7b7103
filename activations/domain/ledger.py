"""The ledger's shape: kinds of entries, the canonical body that is hashed, and the check of a chain (Design 5).

An entry's body is canonical JSON (RFC 8785) of everything the entry says, the previous hash included; its hash is
SHA-256 over those bytes. One chain per license, named by its License ID, and one for the portal itself.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import rfc8785

PORTAL_CHAIN = "portal"
GENESIS = "0" * 64  # the previous hash of the first entry of a chain
VERSION = 1


class Kind(StrEnum):
    LICENSE_CREATED = "license.created"
    LICENSE_TERMS_CHANGED = "license.terms_changed"
    LICENSE_ALLOWED_CHANGED = "license.allowed_changed"
    LICENSE_SUSPENDED = "license.suspended"
    LICENSE_REINSTATED = "license.reinstated"
    LICENSE_REVOKED = "license.revoked"
    LICENSE_KEY_REPLACED = "license.key_replaced"
    LICENSE_KEY_SHOWN = "license.key_shown"
    LICENSE_TRANSFERRED = "license.transferred"
    LICENSE_ONLINE_CHANGED = "license.online_changed"
    REQUEST_RECEIVED = "request.received"
    REQUEST_REFUSED = "request.refused"
    REQUEST_PENDING = "request.pending"
    REQUEST_DECLINED = "request.declined"
    BACKUP_ACCEPTED = "instance.backup_accepted"
    ACTIVATION_CREATED = "activation.created"
    ACTIVATION_UPDATED = "activation.updated"
    ACTIVATION_REBOUND = "activation.rebound"
    ACTIVATION_REINSTALLED = "activation.reinstalled"
    ACTIVATION_FOUND = "activation.found"
    ACTIVATION_DEACTIVATED = "activation.deactivated"
    ACTIVATION_LOST = "activation.lost"
    ACTIVATION_RESTORED = "activation.restored"
    USAGE_LICENSE_ISSUED = "usage_license.issued"
    USAGE_LICENSE_RESENT = "usage_license.resent"
    RESTORATION_REQUESTED = "restoration.requested"
    RESTORATION_APPROVED = "restoration.approved"
    RESTORATION_DENIED = "restoration.denied"
    RESTORATION_CLOSED = "restoration.closed"
    EVIDENCE_ADDED = "restoration.evidence_added"
    TOMBSTONE_PLACED = "tombstone.placed"
    TOMBSTONE_SIGHTED = "tombstone.sighted"
    TOMBSTONE_SETTLED = "tombstone.settled"
    STATEMENT_MADE = "statement.made"
    SIGNING_KEY_CREATED = "signing_key.created"
    SIGNING_KEY_RETIRED = "signing_key.retired"
    STAFF_CREATED = "staff.created"
    STAFF_DISABLED = "staff.disabled"
    STAFF_ENABLED = "staff.enabled"
    TOKEN_CREATED = "api_token.created"  # noqa: S105 - the name of a kind
    TOKEN_ROTATED = "api_token.rotated"  # noqa: S105 - the name of a kind
    TOKEN_REVOKED = "api_token.revoked"  # noqa: S105 - the name of a kind
    WEBHOOK_CREATED = "webhook.created"
    WEBHOOK_CHANGED = "webhook.changed"
    WEBHOOK_SECRET_ROTATED = "webhook.secret_rotated"  # noqa: S105 - the name of a kind
    WEBHOOK_DISABLED = "webhook.disabled"
    WEBHOOK_ENABLED = "webhook.enabled"
    WEBHOOK_REMOVED = "webhook.removed"
    WEBHOOK_REPLAYED = "webhook.replayed"
    LEDGER_EXPORTED = "ledger.exported"
    LIST_EXPORTED = "list.exported"
    LIST_IMPORTED = "list.imported"
    REPLY_TEXT_CHANGED = "reply_text.changed"
    AUTOMATIC_ANSWER_CHANGED = "automatic_answer.changed"
    CONTACT_PSEUDONYMISED = "contact.pseudonymised"
    MAILS_FORGOTTEN = "mails.forgotten"
    MAILS_HELD = "mails.held"
    MAIL_TAKEN = "mail.taken"


@dataclass(frozen=True)
class Entry:
    """One entry of a chain. `at` is UTC, ISO 8601 with microseconds and a Z; `data` holds JSON types only."""

    chain: str
    seq: int
    at: str
    actor: str
    kind: str
    reason: str
    source: str  # what it was booked from: "request:<id>", "command", "admin" ...
    data: Mapping[str, Any]
    prev: str

    @property
    def body(self) -> str:
        """The canonical JSON that is hashed, stored and exported."""
        fields: dict[str, Any] = {
            "actor": self.actor,
            "at": self.at,
            "chain": self.chain,
            "data": dict(self.data),
            "kind": str(self.kind),
            "prev": self.prev,
            "reason": self.reason,
            "seq": self.seq,
            "source": self.source,
            "v": VERSION,
        }
        return rfc8785.dumps(fields).decode()

    @property
    def hash(self) -> str:
        return body_hash(self.body)


def body_hash(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


_TYPES: dict[str, type] = {
    "actor": str,
    "at": str,
    "chain": str,
    "data": dict,
    "kind": str,
    "prev": str,
    "reason": str,
    "seq": int,
    "source": str,
    "v": int,
}
_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")


def read_body(body: str) -> Entry:
    """The entry a stored body says; raises ValueError when it is not one."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("its content is not JSON") from None
    # By exact type: True is no sequence number, although it equals 1.
    if not isinstance(fields, dict) or {name: type(value) for name, value in fields.items()} != _TYPES:
        raise ValueError("its content is not that of a ledger entry")
    if fields.pop("v") != VERSION:
        raise ValueError("its content is of another version than this one can read")
    entry = Entry(**fields)
    # Times are compared as text, which holds only at one fixed width.
    if not _AT.fullmatch(entry.at):
        raise ValueError("its time is not written as UTC with microseconds")
    try:
        canonical = entry.body
    except (ValueError, RecursionError):
        canonical = ""
    if canonical != body:
        raise ValueError("its content is not in canonical form")
    return entry


@dataclass(frozen=True)
class Stored:
    """An entry as the table holds it: the columns that are searched beside the body that is hashed."""

    chain: str
    seq: int
    kind: str
    actor: str
    at: str
    reason: str
    source: str
    prev: str
    hash: str
    body: str


@dataclass(frozen=True)
class Finding:
    """Something wrong with the ledger: an entry that does not hold, and why."""

    chain: str
    seq: int
    problem: str

    def __str__(self) -> str:
        return f"{self.chain} entry {self.seq}: {self.problem}"


def check_chain(entries: Iterable[Stored]) -> Iterator[Finding]:
    """Every entry, in order of (chain, seq), that breaks its chain."""
    chain, seq, prev, at = "", 0, GENESIS, ""
    for stored in entries:
        if stored.chain != chain:
            chain, seq, prev, at = stored.chain, 0, GENESIS, ""
        problem = _problem(stored, seq + 1, prev, at)
        if problem:
            yield Finding(stored.chain, stored.seq, problem)
        seq, prev, at = stored.seq, stored.hash, stored.at


def _problem(stored: Stored, seq: int, prev: str, at: str) -> str:
    if stored.seq < seq:
        return f"stands after entry {seq - 1}"
    if stored.seq > seq:
        return f"entry {seq} is missing" if stored.seq == seq + 1 else f"entries {seq} to {stored.seq - 1} are missing"
    if stored.prev != prev:
        return "does not follow the entry before it"
    if body_hash(stored.body) != stored.hash:
        return "its content or its hash was changed"
    try:
        entry = read_body(stored.body)
    except ValueError as error:
        return str(error)
    names = ("chain", "seq", "kind", "actor", "at", "reason", "source", "prev")
    if any(getattr(stored, name) != getattr(entry, name) for name in names):
        return "its searchable columns differ from its content"
    if stored.at < at:
        return "is dated before the entry it follows"
    return ""
