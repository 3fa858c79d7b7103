"""Entries of the ledger as events for other systems: identifiers and states, and nothing that names a person or a host.

An event says what an entry said, so the same entry gives the same event, with the same id, whenever it is asked for.
`EVENTS` and `NOT_SENT` together name every kind that a license's chain can have: one that is new is decided on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from activations.domain.ledger import PORTAL_CHAIN, Entry, Kind
from activations.domain.words import ActivationState, LicenseStatus, RestorationState

LIMIT_REACHED = "license.limit_reached"
TEST = "portal.test"
ALL = "*"
NO_SEAT_CODES = ("no-seat", "no-seat-tombstone")


@dataclass(frozen=True)
class Event:
    message_id: str
    type: str
    at: str
    body: str
    chain: str = ""
    seq: int | None = None


# Of each kind what its event says: names of what its entry says, and what holds after it.
_REQUEST = ("activation_id", "request_id")
_CASE = ("restoration_id", "activation_id")
EVENTS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    Kind.LICENSE_CREATED: (("product", "allowed", "terms_revision"), {"status": LicenseStatus.ACTIVE}),
    Kind.LICENSE_TERMS_CHANGED: (("terms_revision",), {}),
    Kind.LICENSE_ALLOWED_CHANGED: (("allowed", "before"), {}),
    Kind.LICENSE_SUSPENDED: ((), {"status": LicenseStatus.SUSPENDED}),
    Kind.LICENSE_REINSTATED: ((), {"status": LicenseStatus.ACTIVE}),
    Kind.LICENSE_REVOKED: ((), {"status": LicenseStatus.REVOKED}),
    Kind.LICENSE_TRANSFERRED: ((), {}),
    Kind.LICENSE_KEY_REPLACED: (("key_serial",), {}),
    Kind.LICENSE_ONLINE_CHANGED: (("online",), {}),
    Kind.ACTIVATION_CREATED: ((*_REQUEST, "seat"), {"state": ActivationState.ACTIVE}),
    Kind.ACTIVATION_UPDATED: (_REQUEST, {"state": ActivationState.ACTIVE}),
    Kind.ACTIVATION_REBOUND: (_REQUEST, {"state": ActivationState.ACTIVE}),
    Kind.ACTIVATION_REINSTALLED: (_REQUEST, {"state": ActivationState.ACTIVE}),
    Kind.ACTIVATION_FOUND: (_REQUEST, {"state": ActivationState.ACTIVE}),
    Kind.ACTIVATION_DEACTIVATED: (("activation_id",), {"state": ActivationState.DEACTIVATED}),
    Kind.ACTIVATION_LOST: (("activation_id",), {"state": ActivationState.LOST}),
    Kind.ACTIVATION_RESTORED: (("activation_id", "restoration_id"), {"state": ActivationState.RESTORED}),
    Kind.RESTORATION_REQUESTED: (_CASE, {"state": RestorationState.REQUESTED}),
    Kind.RESTORATION_APPROVED: (_CASE, {"state": RestorationState.APPROVED}),
    Kind.RESTORATION_DENIED: (_CASE, {"state": RestorationState.DENIED}),
    Kind.RESTORATION_CLOSED: (_CASE, {"state": RestorationState.CLOSED}),
    Kind.TOMBSTONE_SIGHTED: (("tombstone_id", "request_id"), {}),
}
# What a license's chain tells besides, and why no other system is told: every step of a request that led to no
# activation, what only a person at Support reads, and who looked at what.
NOT_SENT: frozenset[Kind] = frozenset(
    {
        Kind.LICENSE_KEY_SHOWN,
        Kind.REQUEST_RECEIVED,
        Kind.REQUEST_REFUSED,
        Kind.REQUEST_PENDING,
        Kind.REQUEST_DECLINED,
        Kind.BACKUP_ACCEPTED,
        Kind.USAGE_LICENSE_ISSUED,
        Kind.USAGE_LICENSE_RESENT,
        Kind.EVIDENCE_ADDED,
        Kind.TOMBSTONE_PLACED,
        Kind.TOMBSTONE_SETTLED,
        Kind.STATEMENT_MADE,
    }
)
TYPES: tuple[str, ...] = (*(str(Kind(kind).value) for kind in EVENTS), LIMIT_REACHED)
GROUPS: tuple[str, ...] = tuple(dict.fromkeys(name.partition(".")[0] for name in TYPES))


def known_pattern(pattern: str) -> bool:
    """Whether it names events: "*", a group such as "license.*", or one type."""
    return pattern == ALL or pattern in TYPES or pattern in {f"{group}.*" for group in GROUPS}


def wanted(patterns: Iterable[str], name: str) -> bool:
    group = f"{name.partition('.')[0]}.*"
    return any(pattern in (ALL, group, name) for pattern in patterns)


def event_of(entry: Entry) -> Event | None:
    """The event that tells of this entry; None for one of which no other system is told."""
    if entry.chain == PORTAL_CHAIN or entry.kind not in EVENTS:
        return None
    names, more = EVENTS[entry.kind]
    said = {name: entry.data[name] for name in names if name in entry.data}
    return _event(entry, str(entry.kind), {**said, **{name: str(value) for name, value in more.items()}})


def may_reach_limit(entry: Entry) -> bool:
    """Whether this entry can have left the license without a free seat, or says that there was none."""
    return entry.chain != PORTAL_CHAIN and (
        entry.kind in (Kind.ACTIVATION_CREATED, Kind.LICENSE_ALLOWED_CHANGED) or refused_for_seats(entry)
    )


def refused_for_seats(entry: Entry) -> bool:
    return entry.kind == Kind.REQUEST_REFUSED and entry.data.get("code") in NO_SEAT_CODES


def limit_event(entry: Entry, *, allowed: int, occupied: int) -> Event | None:
    """That no seat is free any more, if that is so; always for a request that was refused for it."""
    if not may_reach_limit(entry) or (occupied < allowed and not refused_for_seats(entry)):
        return None
    why = {Kind.ACTIVATION_CREATED: "last-seat-taken", Kind.LICENSE_ALLOWED_CHANGED: "allowed-lowered"}
    said = {name: entry.data[name] for name in _REQUEST if name in entry.data}
    data = {"why": why.get(Kind(entry.kind), "request-refused"), "allowed": allowed, "occupied": occupied, **said}
    return _event(entry, LIMIT_REACHED, data, "_limit")


def all_events(entries: Iterable[Entry]) -> Iterable[Event]:
    """Every event of whole chains, in the order of their entries, with the seats counted along."""
    seats: dict[str, tuple[int, set[str]]] = {}
    for entry in entries:
        if entry.chain == PORTAL_CHAIN:
            continue
        allowed, held = seats.get(entry.chain, (0, set()))
        allowed = int(entry.data.get("allowed", allowed))
        if entry.kind == Kind.ACTIVATION_CREATED:
            held.add(str(entry.data["activation_id"]))
        elif entry.kind in (Kind.ACTIVATION_DEACTIVATED, Kind.ACTIVATION_RESTORED):
            held.discard(str(entry.data["activation_id"]))
        seats[entry.chain] = (allowed, held)
        told = (event_of(entry), limit_event(entry, allowed=allowed, occupied=len(held)))
        yield from (event for event in told if event is not None)


def test_event(*, webhook_id: str, number: str, at: str) -> Event:
    """What a person sends to see whether the receiver is there."""
    return Event(f"msg_test_{number}", TEST, at, _body(TEST, at, {"webhook_id": webhook_id}))


def _event(entry: Entry, name: str, data: Mapping[str, Any], suffix: str = "") -> Event:
    told = {
        "license_id": entry.chain,
        **data,
        "ledger": {"chain": entry.chain, "seq": entry.seq, "hash": entry.hash},
    }
    body = _body(name, entry.at, told)
    return Event(f"msg_{entry.chain}_{entry.seq}{suffix}", name, entry.at, body, entry.chain, entry.seq)


def _body(name: str, at: str, data: Mapping[str, Any]) -> str:
    return json.dumps({"type": name, "timestamp": at, "data": data}, separators=(",", ":"))
