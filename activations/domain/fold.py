"""Folding a license's ledger chain into its state: what the tables must say (Design 5, "a projection").

What only the chains of all licenses together tell (an Instance asks under several) is in `lines`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from activations.domain.ledger import Entry, Kind
from activations.domain.words import ActivationState, LicenseStatus, RequestState, RestorationState

Data = dict[str, Any]


@dataclass
class LicenseState:
    """One license as its ledger tells it. Rows are plain JSON types, keyed by the identifiers of Design 2; times as
    entries write them. `terms` and `retired_keys` are keyed by revision and by the serial of the key that was replaced,
    `evidence` by case and digest.

    `granted` and `booking` are no rows: what each Usage License had to say when it was signed, and the hashes before
    each entry of the booking that is being read.
    """

    license: Data = field(default_factory=dict)
    terms: dict[str, Data] = field(default_factory=dict)
    retired_keys: dict[str, Data] = field(default_factory=dict)
    seats: list[int] = field(default_factory=list)
    activations: dict[str, Data] = field(default_factory=dict)
    requests: dict[str, Data] = field(default_factory=dict)
    usage_licenses: dict[str, Data] = field(default_factory=dict)
    restorations: dict[str, Data] = field(default_factory=dict)
    evidence: dict[str, Data] = field(default_factory=dict)
    tombstones: dict[str, Data] = field(default_factory=dict)
    granted: dict[str, Data] = field(default_factory=dict, compare=False)
    booking: list[str] = field(default_factory=list, compare=False)

    @property
    def occupied(self) -> int:
        return sum(ActivationState(row["state"]).occupies_seat for row in self.activations.values())

    def differences(self, tables: LicenseState) -> list[str]:
        """What the tables say otherwise, in words; empty when they agree."""
        found = []
        for part in fields(self):
            mine, theirs = getattr(self, part.name), getattr(tables, part.name)
            if not part.compare or mine == theirs:
                continue
            label = part.name.replace("_", " ")
            if isinstance(mine, dict):
                found += differences(label, mine, theirs)
            else:
                found.append(difference(label, mine, theirs))
        return found


def differences(label: str, mine: Data, theirs: Data) -> list[str]:
    """One sentence for each key under which the ledger and the tables say something else."""
    keys = sorted(key for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key))
    return [difference(f"{label} {key}", mine.get(key), theirs.get(key)) for key in keys]


def difference(what: str, mine: object, theirs: object, *, source: str = "the ledger says") -> str:
    """Both sides; of two rows only the columns that differ, so that the difference can be seen."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        names = sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
        mine, theirs = ({name: row.get(name) for name in names} for row in (mine, theirs))
    said = ["nothing" if value is None else value for value in (mine, theirs)]
    return f"{what}: {source} {said[0]}, the tables say {said[1]}"


def fold(entries: Iterable[Entry]) -> LicenseState:
    """The state after the entries of one license chain, in order.

    Raises ValueError for a kind it does not know, and for an entry that leaves out what its kind must say or that
    speaks of something no earlier entry made.
    """
    state, booking = LicenseState(), ("", "", "")
    for entry in entries:
        step = _STEPS.get(entry.kind)
        if step is None:
            raise ValueError(f"{entry.chain} entry {entry.seq}: unknown kind {entry.kind}")
        if booking != (entry.at, entry.source, entry.actor):
            booking, state.booking = (entry.at, entry.source, entry.actor), []
        state.booking.append(entry.prev)
        problem = f"{entry.chain} entry {entry.seq} ({entry.kind}) does not fit the entries before it"
        try:
            step(state, entry, dict(entry.data))
        except KeyError as error:
            raise ValueError(f"{problem}: {error.args[0]} is missing") from None
        except (TypeError, AttributeError):
            raise ValueError(f"{problem}: what it says is of another type") from None
    return state


Step = Callable[[LicenseState, Entry, Data], None]


def _pick(data: Data, *names: str) -> Data:
    return {name: data[name] for name in names}


_HOLDER = ("instance", "fingerprint", "commitment", "hostname", "container")


def _license_created(state: LicenseState, entry: Entry, data: Data) -> None:
    state.license = {
        **_pick(data, "customer", "product", "allowed"),
        "status": LicenseStatus.ACTIVE.value,
        "key_serial": 1,
        "online": bool(data.get("online", False)),  # said only where it is true
        "created_at": entry.at,
    }
    state.seats = list(data["seats"])
    _terms_changed(state, entry, data)


def _terms_changed(state: LicenseState, entry: Entry, data: Data) -> None:
    state.terms[str(data["terms_revision"])] = {**_pick(data, "features", "versions"), "created_at": entry.at}
    state.license["terms_revision"] = data["terms_revision"]


def _allowed_changed(state: LicenseState, entry: Entry, data: Data) -> None:
    state.license["allowed"] = data["allowed"]
    state.seats = list(data["seats"])


def _status(status: LicenseStatus) -> Step:
    def step(state: LicenseState, entry: Entry, data: Data) -> None:
        state.license["status"] = status.value

    return step


def _transferred(state: LicenseState, entry: Entry, data: Data) -> None:
    state.license["customer"] = data["customer"]


def _online_changed(state: LicenseState, entry: Entry, data: Data) -> None:
    state.license["online"] = data["online"]


def _key_replaced(state: LicenseState, entry: Entry, data: Data) -> None:
    state.license["key_serial"] = data["key_serial"]
    state.retired_keys[str(data["key_serial"] - 1)] = {"retired_at": entry.at}


def _request_received(state: LicenseState, entry: Entry, data: Data) -> None:
    state.requests[data["request_id"]] = {
        **_pick(data, "instance", "counter", "epoch", "sha256"),
        **_pick(data, "previous", "fingerprint", "hostname", "version", "test"),
        "received_at": entry.at,
        "received_by": entry.actor,
        "state": RequestState.REFUSED.value,
        "code": "",
        "refusal": "",
    }


def _request_ended(request_state: RequestState) -> Step:
    def step(state: LicenseState, entry: Entry, data: Data) -> None:
        refusal = entry.reason if request_state is RequestState.DECLINED else ""
        state.requests[data["request_id"]].update(state=request_state.value, code=data["code"], refusal=refusal)

    return step


def _backup_accepted(state: LicenseState, entry: Entry, data: Data) -> None:
    state.requests[data["request_id"]]["epoch"] = data["epoch"]


def _activation_created(state: LicenseState, entry: Entry, data: Data) -> None:
    state.activations[data["activation_id"]] = {
        **_pick(data, "seat"),
        "usage_license_id": None,
        "created_at": entry.at,
    }
    _holder_changed(state, entry, data)


def _holder_changed(state: LicenseState, entry: Entry, data: Data) -> None:
    state.activations[data["activation_id"]].update(
        _pick(data, *_HOLDER),
        version=state.requests[data["request_id"]]["version"],
        state=ActivationState.ACTIVE.value,
        changed_at=entry.at,
    )


def _activation_state(target: ActivationState) -> Step:
    def step(state: LicenseState, entry: Entry, data: Data) -> None:
        row = state.activations[data["activation_id"]]
        row.update(state=target.value, changed_at=entry.at)
        if not target.occupies_seat:
            row["seat"] = None

    return step


def _usage_license_issued(state: LicenseState, entry: Entry, data: Data) -> None:
    name = data["usage_license_id"]
    state.usage_licenses[name] = {
        **_pick(data, "activation_id", "request_id", "terms_revision", "supersedes", "sha256", "signing_serial"),
        "issued_at": entry.at,
        "issued_by": entry.actor,
    }
    state.granted[name] = {
        **_pick(state.license, "customer", "product"),
        **_pick(state.terms[str(data["terms_revision"])], "features", "versions"),
        "ledger_heads": [head[:32] for head in state.booking],
    }
    state.activations[data["activation_id"]]["usage_license_id"] = name
    state.requests[data["request_id"]].update(state=RequestState.ANSWERED.value, code=data["code"])


def _restoration_requested(state: LicenseState, entry: Entry, data: Data) -> None:
    state.restorations[data["restoration_id"]] = {
        "activation_id": data["activation_id"],
        "state": RestorationState.REQUESTED.value,
        "requested_by": entry.actor,
        "requested_at": entry.at,
        "reason": entry.reason,
        "decided_by": "",
        "decided_at": None,
        "decision_reason": "",
        "above_quota": False,
    }


def _restoration_ended(target: RestorationState) -> Step:
    def step(state: LicenseState, entry: Entry, data: Data) -> None:
        why = data["why"] if target is RestorationState.CLOSED else entry.reason
        state.restorations[data["restoration_id"]].update(
            state=target.value,
            decided_by=entry.actor,
            decided_at=entry.at,
            decision_reason=why,
            above_quota="above_quota" in data,
        )

    return step


def _evidence_added(state: LicenseState, entry: Entry, data: Data) -> None:
    case = data["restoration_id"]
    if case not in state.restorations:
        raise KeyError(case)
    said = {**_pick(data, "name", "size"), "added_at": entry.at, "added_by": entry.actor}
    state.evidence[f"{case} {data['sha256']}"] = said


def _tombstone_placed(state: LicenseState, entry: Entry, data: Data) -> None:
    state.tombstones[data["tombstone_id"]] = {
        **_pick(data, "kind", "activation_id", "instance", "fingerprint", "commitment", "restoration_id"),
        "placed_at": entry.at,
        "settled_at": None,
        "settled_by": "",
        "sightings": {},
    }


def _tombstone_sighted(state: LicenseState, entry: Entry, data: Data) -> None:
    state.tombstones[data["tombstone_id"]]["sightings"][data["request_id"]] = entry.at


def _tombstone_settled(state: LicenseState, entry: Entry, data: Data) -> None:
    state.tombstones[data["tombstone_id"]].update(settled_at=entry.at, settled_by=entry.actor)


def _nothing(state: LicenseState, entry: Entry, data: Data) -> None:
    """Booked for the history alone."""


_STEPS: dict[str, Step] = {
    Kind.LICENSE_CREATED: _license_created,
    Kind.LICENSE_TERMS_CHANGED: _terms_changed,
    Kind.LICENSE_ALLOWED_CHANGED: _allowed_changed,
    Kind.LICENSE_SUSPENDED: _status(LicenseStatus.SUSPENDED),
    Kind.LICENSE_REINSTATED: _status(LicenseStatus.ACTIVE),
    Kind.LICENSE_REVOKED: _status(LicenseStatus.REVOKED),
    Kind.LICENSE_KEY_REPLACED: _key_replaced,
    Kind.LICENSE_TRANSFERRED: _transferred,
    Kind.LICENSE_KEY_SHOWN: _nothing,
    Kind.LICENSE_ONLINE_CHANGED: _online_changed,
    Kind.REQUEST_RECEIVED: _request_received,
    Kind.REQUEST_REFUSED: _request_ended(RequestState.REFUSED),
    Kind.REQUEST_PENDING: _request_ended(RequestState.PENDING),
    Kind.REQUEST_DECLINED: _request_ended(RequestState.DECLINED),
    Kind.BACKUP_ACCEPTED: _backup_accepted,
    Kind.ACTIVATION_CREATED: _activation_created,
    Kind.ACTIVATION_UPDATED: _holder_changed,
    Kind.ACTIVATION_REBOUND: _holder_changed,
    Kind.ACTIVATION_REINSTALLED: _holder_changed,
    Kind.ACTIVATION_FOUND: _holder_changed,
    Kind.ACTIVATION_DEACTIVATED: _activation_state(ActivationState.DEACTIVATED),
    Kind.ACTIVATION_LOST: _activation_state(ActivationState.LOST),
    Kind.ACTIVATION_RESTORED: _activation_state(ActivationState.RESTORED),
    Kind.USAGE_LICENSE_ISSUED: _usage_license_issued,
    Kind.USAGE_LICENSE_RESENT: _nothing,
    Kind.RESTORATION_REQUESTED: _restoration_requested,
    Kind.RESTORATION_APPROVED: _restoration_ended(RestorationState.APPROVED),
    Kind.RESTORATION_DENIED: _restoration_ended(RestorationState.DENIED),
    Kind.RESTORATION_CLOSED: _restoration_ended(RestorationState.CLOSED),
    Kind.EVIDENCE_ADDED: _evidence_added,
    Kind.TOMBSTONE_PLACED: _tombstone_placed,
    Kind.TOMBSTONE_SIGHTED: _tombstone_sighted,
    Kind.TOMBSTONE_SETTLED: _tombstone_settled,
    Kind.STATEMENT_MADE: _nothing,
}
