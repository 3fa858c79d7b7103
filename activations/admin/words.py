"""Decisions, terms and ledger entries in plain words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from activations.domain.ledger import Kind
from activations.models import LedgerEntry

Data = Mapping[str, Any]


# The heading of each decision, by the codes of the decision table.
TITLES: dict[str, str] = {
    "activated": "New activation",
    "second-chariot": "New activation, a second Chariot on this host",
    "sighting-accepted": "New activation on a host that was written off",
    "updated": "Update of the same activation",
    "rebound": "Same activation, changed hardware",
    "reinstalled": "Same activation, Chariot installed again",
    "found-again": "Lost activation found again",
    "re-sent": "Answered before: the same Usage License again",
    "superseded": "A newer request is here already",
    "superseded-by-backup": "Made before a backup was accepted",
    "test-request": "Made with a test switch",
    "license-suspended": "License suspended",
    "license-revoked": "License revoked",
    "license-expired": "License expired",
    "product-mismatch": "Made for another product",
    "version-not-covered": "Chariot version not covered",
    "answer-withdrawn": "Its activation is no longer active",
    "declined-earlier": "A person refused it earlier",
    "declined-by-person": "Refused by a person",
    "counter-repeated": "Clone or restored snapshot: number used twice",
    "deactivated-earlier": "Restored snapshot: it was deactivated",
    "previous-license-unknown": "Clone or restored snapshot: unknown license installed",
    "previous-license-forgotten": "Its Usage License is gone",
    "previous-license-backwards": "Clone or restored snapshot: older license installed",
    "host-changed": "The host is not recognised any more",
    "lost-host-seen": "The lost host is back",
    "tombstone-seen": "A written-off host was seen",
    "no-seat-tombstone": "No seat is free, and the host was written off",
    "same-host": "A Chariot on a host that is active already",
    "host-not-recognisable": "A host that could not be recognised again",
    "host-accepted": "New activation on a host that can hardly be recognised",
    "no-seat": "No seat is free",
    "online-activation-off": "Came in online, and this license is answered by Support",
}


DAMAGED = "This entry does not say what its kind must say: somebody changed it. Have the ledger checked (Audit, Check)."


@dataclass(frozen=True)
class Told:
    """One ledger entry as people read it."""

    entry: LedgerEntry
    title: str
    detail: str

    @property
    def at(self) -> datetime:
        return self.entry.at


def tell(entry: LedgerEntry) -> Told:
    """The entry in words. A kind without words of its own is shown by its name, never hidden."""
    title, detail = _WORDS.get(entry.kind, (entry.kind, _nothing))
    try:
        return Told(entry, title, detail(json.loads(entry.body)["data"]))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return Told(entry, title, DAMAGED)


def title_of(kind: str) -> str:
    return _WORDS[kind][0] if kind in _WORDS else kind


def detail_of(kind: str, data: Data) -> str:
    """The particulars of an entry in words, from what it says; "" for a kind without words."""
    return _WORDS[kind][1](data) if kind in _WORDS else ""


def feature_words(features: list[dict[str, Any]]) -> str:
    return ", ".join(f"{f['code']} until {f['expires']}" if f["expires"] else str(f["code"]) for f in features)


def version_words(low: str, high: str) -> str:
    if not low and not high:
        return "every version"
    return f"{low or 'any version'} up to {high or 'the newest'}"


def _nothing(data: Data) -> str:
    return ""


def _pattern(text: str) -> Callable[[Data], str]:
    return lambda data: text.format_map({name: "-" if value in (None, "") else value for name, value in data.items()})


def _decision(data: Data) -> str:
    return TITLES.get(str(data["code"]), str(data["code"]))


def _terms(data: Data) -> str:
    return f"Terms revision {data['terms_revision']}: {feature_words(data['features'])}"


def _created(data: Data) -> str:
    online = "; online activation allowed" if data.get("online") else ""
    return f"{data['customer']}, {data['allowed']} allowed activations. {_terms(data)}{online}"


def _online(data: Data) -> str:
    return "Allowed from now on" if data["online"] else "No longer allowed: requests wait on the desk"


def _received(data: Data) -> str:
    test = ", made with a test switch" if data["test"] else ""
    return f"From {data['hostname'] or 'an unnamed host'}, Chariot {data['version']}, number {data['counter']}{test}"


def _issued(data: Data) -> str:
    replaces = f", replaces {data['supersedes']}" if data["supersedes"] else ""
    return f"{data['usage_license_id']} for {data['activation_id']}{replaces}"


_HOST = _pattern("{activation_id} on {hostname}")
_CASE = _pattern("{restoration_id} for {activation_id}")


def _approved(data: Data) -> str:
    above = data.get("above_quota")
    return _CASE(data) + (f", above the quota ({above['count']} before, {above['quota']} allowed)" if above else "")


def _automatic(data: Data) -> str:
    said = {True: "allowed", False: "forbidden", None: "as for all"}[data["allowed"]]
    return f"{data['outcome']}, {data['customer'] or 'all customers'}: {said}"


def _erased(data: Data) -> str:
    counts = ", ".join(f"{table}: {count}" for table, count in data["erased"].items())
    whom = data.get("pseudonym") or f"before {data.get('before', '-')}"
    return f"{whom}; erased: {counts or 'nothing'}"


def _taken(data: Data) -> str:
    what = f"File {data['file']} of mail" if data["file"] else "Mail"
    return f"{what} {data['mail']} in conversation [CL-{data['conversation'] or '-'}], SHA-256 {data['sha256'][:16]}"


def _statement(data: Data) -> str:
    return f"As of {data['as_of'][:16].replace('T', ' ')}, entries: {data['length']}"


def _webhook(data: Data) -> str:
    return f"{data['webhook']}, {data['address']}, events: {', '.join(data['events'])}"


_ACTIVATION = _pattern("{activation_id}")

_WORDS: dict[str, tuple[str, Callable[[Data], str]]] = {
    Kind.LICENSE_CREATED: ("License created", _created),
    Kind.LICENSE_TERMS_CHANGED: ("Terms changed", _terms),
    Kind.LICENSE_ALLOWED_CHANGED: ("Allowed activations changed", _pattern("From {before} to {allowed}")),
    Kind.LICENSE_SUSPENDED: ("License suspended", _nothing),
    Kind.LICENSE_REINSTATED: ("License reinstated", _nothing),
    Kind.LICENSE_REVOKED: ("License revoked", _nothing),
    Kind.LICENSE_KEY_REPLACED: ("License Key replaced", _pattern("Now key number {key_serial}")),
    Kind.LICENSE_KEY_SHOWN: ("License Key shown to a person", _pattern("Key number {key_serial}")),
    Kind.LICENSE_TRANSFERRED: ("Transferred to another customer", _pattern("From {before} to {customer}")),
    Kind.LICENSE_ONLINE_CHANGED: ("Online activation changed", _online),
    Kind.REQUEST_RECEIVED: ("Usage Request received", _received),
    Kind.REQUEST_REFUSED: ("Usage Request refused", _decision),
    Kind.REQUEST_PENDING: ("Usage Request waits for a person", _decision),
    Kind.REQUEST_DECLINED: ("Usage Request refused by a person", _decision),
    Kind.BACKUP_ACCEPTED: ("Accepted as restored from a backup", _nothing),
    Kind.ACTIVATION_CREATED: ("Activated", _pattern("{activation_id} on {hostname}, seat {seat}")),
    Kind.ACTIVATION_UPDATED: ("Activation updated", _HOST),
    Kind.ACTIVATION_REBOUND: ("Activation moved to changed hardware", _HOST),
    Kind.ACTIVATION_REINSTALLED: ("Chariot reinstalled on the same host", _HOST),
    Kind.ACTIVATION_FOUND: ("Lost activation found again", _HOST),
    Kind.ACTIVATION_DEACTIVATED: ("Deactivated, seat freed", _ACTIVATION),
    Kind.ACTIVATION_LOST: ("Marked lost", _ACTIVATION),
    Kind.ACTIVATION_RESTORED: ("Restored, seat freed", _ACTIVATION),
    Kind.USAGE_LICENSE_ISSUED: ("Usage License issued", _issued),
    Kind.USAGE_LICENSE_RESENT: ("Usage License sent again", _pattern("{usage_license_id}")),
    Kind.RESTORATION_REQUESTED: ("Restoration requested", _CASE),
    Kind.RESTORATION_APPROVED: ("Restoration approved", _approved),
    Kind.RESTORATION_DENIED: ("Restoration denied", _CASE),
    Kind.EVIDENCE_ADDED: ("Evidence added", _pattern("{name} for {restoration_id}")),
    Kind.RESTORATION_CLOSED: ("Restoration closed", _pattern("{restoration_id}: {why}")),
    Kind.TOMBSTONE_PLACED: ("Host written off", _pattern("{tombstone_id} ({kind}) for {activation_id}")),
    Kind.TOMBSTONE_SIGHTED: ("Written-off host seen again", _pattern("{tombstone_id}")),
    Kind.TOMBSTONE_SETTLED: ("Written-off host settled", _pattern("{tombstone_id}: {how}")),
    Kind.STATEMENT_MADE: ("Statement made for the customer", _statement),
    Kind.SIGNING_KEY_CREATED: ("Signing key made", _pattern("{name} ({serial}), {purpose}")),
    Kind.SIGNING_KEY_RETIRED: ("Signing key retired", _pattern("{serial}, {purpose}")),
    Kind.STAFF_CREATED: ("Staff account made", _pattern("{username}, {role}")),
    Kind.STAFF_DISABLED: ("Staff account disabled", _pattern("{username}")),
    Kind.STAFF_ENABLED: ("Staff account enabled", _pattern("{username}")),
    Kind.TOKEN_CREATED: ("API token made", _pattern("{token} ({prefix}) for {owner}")),
    Kind.TOKEN_ROTATED: ("API token rotated", _pattern("{token} ({prefix})")),
    Kind.TOKEN_REVOKED: ("API token revoked", _pattern("{token} ({prefix})")),
    Kind.WEBHOOK_CREATED: ("Webhook made", _webhook),
    Kind.WEBHOOK_CHANGED: ("Webhook changed", _webhook),
    Kind.WEBHOOK_SECRET_ROTATED: ("Secret of a webhook rotated", _pattern("{webhook}, {address}")),
    Kind.WEBHOOK_DISABLED: ("Webhook disabled", _pattern("{webhook}, {address}: {why}")),
    Kind.WEBHOOK_ENABLED: ("Webhook enabled", _pattern("{webhook}, {address}")),
    Kind.WEBHOOK_REMOVED: ("Webhook removed", _pattern("{webhook}, {address}")),
    Kind.WEBHOOK_REPLAYED: ("Events sent again to a webhook", _pattern("{webhook}, {which}: {deliveries}")),
    Kind.REPLY_TEXT_CHANGED: ("Reply text changed", _pattern("{kind}, version {version}")),
    Kind.AUTOMATIC_ANSWER_CHANGED: ("Automatic answers changed", _automatic),
    Kind.CONTACT_PSEUDONYMISED: ("Contact pseudonymised", _erased),
    Kind.MAILS_FORGOTTEN: ("Old mails forgotten", _erased),
    Kind.MAILS_HELD: ("Queued mails held after a restore", _pattern("Mails: {mails}")),
    Kind.MAIL_TAKEN: ("Original of a mail handed out", _taken),
    Kind.LEDGER_EXPORTED: ("Ledger exported", _pattern("As {format}, entries: {entries}")),
    Kind.LIST_EXPORTED: ("List exported", _pattern("{list} as {format}, rows: {rows}")),
    Kind.LIST_IMPORTED: ("List imported", _pattern("{list}, rows: {rows}")),
}
