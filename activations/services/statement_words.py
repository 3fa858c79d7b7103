"""What a license's history says to the customer: their words for each kind of entry, or none at all.

A customer reads what became of their license, requests and activations. Who at Support did it, why, and what Support
keeps to itself (what it suspects of a host, evidence, who looked at a key) stays out; the numbers left out of a
statement's history are these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from activations.domain.fold import LicenseState
from activations.domain.ledger import Entry, Kind

Data = Mapping[str, Any]
Detail = Callable[[Data, LicenseState], str]


def history_rows(entries: Iterable[Entry], state: LicenseState) -> list[dict[str, Any]]:
    """The rows of a statement's history: `state` is the fold of the same entries."""
    rows = []
    for entry in entries:
        told = WORDS[Kind(entry.kind)]
        if told is None:
            continue
        what, detail = told
        rows.append(
            {
                "seq": entry.seq,
                "at": entry.at,
                "what": what,
                "activation_id": _activation(entry.data, state),
                "detail": detail(entry.data, state),
            }
        )
    return rows


def terms_words(features: Iterable[Data], versions: Iterable[str]) -> str:
    """ "mqtt-server, mqtt-server-support until 2027-03-31; Chariot 2.0 or newer"."""
    low, high = versions
    told = [f"{one['code']} until {one['expires']}" if one["expires"] else str(one["code"]) for one in features]
    return f"{', '.join(told) or 'no features'}; {version_words(low, high)}"


def version_words(low: str, high: str) -> str:
    if low and high:
        return f"Chariot {low} to {high}"
    if low:
        return f"Chariot {low} or newer"
    return f"Chariot up to {high}" if high else "every version of Chariot"


def _activation(data: Data, state: LicenseState) -> str | None:
    if data.get("activation_id"):
        return str(data["activation_id"])
    given = state.usage_licenses.get(data.get("usage_license_id", ""), {})
    case = state.restorations.get(data.get("restoration_id", ""), {})
    return given.get("activation_id") or case.get("activation_id")


def _nothing(data: Data, state: LicenseState) -> str:
    return ""


def _created(data: Data, state: LicenseState) -> str:
    online = "; online activation allowed" if data.get("online") else ""
    return f"{data['allowed']} activations allowed; {_terms(data, state)}{online}"


def _online(data: Data, state: LicenseState) -> str:
    return "Allowed" if data["online"] else "No longer allowed; Support answers Usage Requests"


def _terms(data: Data, state: LicenseState) -> str:
    return terms_words(data["features"], data["versions"])


def _allowed(data: Data, state: LicenseState) -> str:
    return f"From {data['before']} to {data['allowed']}"


def _received(data: Data, state: LicenseState) -> str:
    return f"Host {data['hostname'] or 'without a name'}, Chariot {data['version']}"


def _asking(data: Data, state: LicenseState) -> str:
    """The host whose request the entry speaks of."""
    return f"Host {state.requests[data['request_id']]['hostname'] or 'without a name'}"


def _host(data: Data, state: LicenseState) -> str:
    return f"Host {data['hostname'] or 'without a name'}"


def _usage_license(data: Data, state: LicenseState) -> str:
    replaces = data.get("supersedes")
    return f"{data['usage_license_id']}{f', in place of {replaces}' if replaces else ''}"


def _case(data: Data, state: LicenseState) -> str:
    return str(data["restoration_id"])


def _statement(data: Data, state: LicenseState) -> str:
    return f"As of {data['as_of'][:16].replace('T', ' ')} UTC"


WORDS: dict[Kind, tuple[str, Detail] | None] = {
    Kind.LICENSE_CREATED: ("License created", _created),
    Kind.LICENSE_TERMS_CHANGED: ("Terms changed", _terms),
    Kind.LICENSE_ALLOWED_CHANGED: ("Number of allowed activations changed", _allowed),
    Kind.LICENSE_SUSPENDED: ("License suspended", _nothing),
    Kind.LICENSE_REINSTATED: ("License in force again", _nothing),
    Kind.LICENSE_REVOKED: ("License revoked", _nothing),
    Kind.LICENSE_KEY_REPLACED: ("License Key replaced; the earlier one is no longer valid", _nothing),
    # Without names: who held a license before is not for its next holder.
    Kind.LICENSE_TRANSFERRED: ("License transferred to another customer", _nothing),
    Kind.LICENSE_ONLINE_CHANGED: ("Online activation changed", _online),
    Kind.REQUEST_RECEIVED: ("Usage Request received", _received),
    Kind.REQUEST_REFUSED: ("Usage Request refused", _asking),
    Kind.REQUEST_PENDING: ("Usage Request waits for Support to decide", _asking),
    Kind.REQUEST_DECLINED: ("Usage Request refused by Support", _asking),
    Kind.BACKUP_ACCEPTED: ("Chariot accepted as restored from a backup", _asking),
    Kind.ACTIVATION_CREATED: ("Activated", _host),
    Kind.ACTIVATION_UPDATED: ("Activation updated", _host),
    Kind.ACTIVATION_REBOUND: ("Activation moved to changed hardware", _host),
    Kind.ACTIVATION_REINSTALLED: ("Chariot reinstalled on the same host", _host),
    Kind.ACTIVATION_FOUND: ("Lost activation found again", _host),
    Kind.ACTIVATION_DEACTIVATED: ("Deactivated; the seat is free", _nothing),
    Kind.ACTIVATION_LOST: ("Marked as lost; the seat stays taken", _nothing),
    Kind.ACTIVATION_RESTORED: ("Lost activation restored; the seat is free", _nothing),
    Kind.USAGE_LICENSE_ISSUED: ("Usage License issued", _usage_license),
    Kind.USAGE_LICENSE_RESENT: ("Usage License sent again", _usage_license),
    Kind.RESTORATION_REQUESTED: ("Restoration requested", _case),
    Kind.RESTORATION_APPROVED: ("Restoration approved", _case),
    Kind.RESTORATION_DENIED: ("Restoration denied", _case),
    Kind.RESTORATION_CLOSED: ("Restoration no longer needed", _case),
    Kind.STATEMENT_MADE: ("Statement of this license made", _statement),
    # Support's own: who saw the key, what a case rests on, hosts that are watched for.
    Kind.LICENSE_KEY_SHOWN: None,
    Kind.EVIDENCE_ADDED: None,
    Kind.TOMBSTONE_PLACED: None,
    Kind.TOMBSTONE_SIGHTED: None,
    Kind.TOMBSTONE_SETTLED: None,
    # Of no single license: they stand in the portal's chain.
    Kind.SIGNING_KEY_CREATED: None,
    Kind.SIGNING_KEY_RETIRED: None,
    Kind.STAFF_CREATED: None,
    Kind.STAFF_DISABLED: None,
    Kind.STAFF_ENABLED: None,
    Kind.TOKEN_CREATED: None,
    Kind.TOKEN_ROTATED: None,
    Kind.TOKEN_REVOKED: None,
    Kind.WEBHOOK_CREATED: None,
    Kind.WEBHOOK_CHANGED: None,
    Kind.WEBHOOK_SECRET_ROTATED: None,
    Kind.WEBHOOK_DISABLED: None,
    Kind.WEBHOOK_ENABLED: None,
    Kind.WEBHOOK_REMOVED: None,
    Kind.WEBHOOK_REPLAYED: None,
    Kind.LEDGER_EXPORTED: None,
    Kind.LIST_EXPORTED: None,
    Kind.LIST_IMPORTED: None,
    Kind.REPLY_TEXT_CHANGED: None,
    Kind.AUTOMATIC_ANSWER_CHANGED: None,
    Kind.CONTACT_PSEUDONYMISED: None,
    Kind.MAILS_FORGOTTEN: None,
    Kind.MAILS_HELD: None,
    Kind.MAIL_TAKEN: None,
}
