"""Folding a license's ledger chain into its state: what the tables must say (Design 5, "a projection")."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from activations.domain.ledger import Entry, Kind
from activations.domain.words import ActivationState, LicenseStatus, RequestState, RestorationState

Data = dict[str, Any]


@dataclass
class LicenseState:
    """One license as its ledger tells it. Rows are plain JSON types, keyed by the identifiers of Design 2."""

    license: Data = field(default_factory=dict)
    seats: list[int] = field(default_factory=list)
    activations: dict[str, Data] = field(default_factory=dict)
    requests: dict[str, Data] = field(default_factory=dict)
    usage_licenses: dict[str, Data] = field(default_factory=dict)
    restorations: dict[str, Data] = field(default_factory=dict)
    tombstones: dict[str, Data] = field(default_factory=dict)

    @property
    def occupied(self) -> int:
        return sum(ActivationState(row["state"]).occupies_seat for row in self.activations.values())

    def differences(self, tables: LicenseState) -> list[str]:
        """What the tables say otherwise, in words; empty when they agree."""
        found = []
        for part in fields(self):
            mine, theirs = getattr(self, part.name), getattr(tables, part.name)
            if mine == theirs:
                continue
            label = part.name.replace("_", " ")
            if isinstance(mine, dict):
                keys = sorted(key for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key))
                found += [_difference(f"{label} {key}", mine.get(key), theirs.get(key)) for key in keys]
            else:
                found.append(_difference(label, mine, theirs))
        return found


def _difference(what: str, mine: object, theirs: object) -> str:
    """Both sides; of two rows only the columns that differ, so that the difference can be seen."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        names = sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
        mine, theirs = ({name: row.get(name) for name in names} for row in (mine, theirs))
    said = ["nothing" if value is None else value for value in (mine, theirs)]
    return f"{what}: the ledger says {said[0]}, the tables say {said[1]}"


def fold(entries: Iterable[Entry]) -> LicenseState:
    """The state after the entries of one license chain, in order.

    Raises ValueError for a kind it does not know, and for an entry that leaves out what its kind must say or that
    speaks of something no earlier entry made.
    """
    state = LicenseState()
    for entry in entries:
        step = _STEPS.get(entry.kind)
        if step is None:
            raise ValueError(f"{entry.chain} entry {entry.seq}: unknown kind {entry.kind}")
        try:
            step(state, dict(entry.data))
        except KeyError as error:
            raise ValueError(
                f"{entry.chain} entry {entry.seq} ({entry.kind}) does not fit the entries before it: "
                f"{error.args[0]} is missing"
            ) from None
    return state


def _pick(data: Data, *names: str) -> Data:
    return {name: data[name] for name in names}


_TERMS = ("features", "versions", "terms_revision")
_HOLDER = ("instance", "fingerprint", "commitment", "hostname", "container")


def _license_created(state: LicenseState, data: Data) -> None:
    state.license = {
        **_pick(data, "customer", "product", "allowed", *_TERMS),
        "status": LicenseStatus.ACTIVE.value,
        "key_serial": 1,
    }
    state.seats = list(data["seats"])


def _license_changed(*names: str) -> Callable[[LicenseState, Data], None]:
    def step(state: LicenseState, data: Data) -> None:
        state.license.update(_pick(data, *names))

    return step


def _allowed_changed(state: LicenseState, data: Data) -> None:
    state.license["allowed"] = data["allowed"]
    state.seats = list(data["seats"])


def _status(status: LicenseStatus) -> Callable[[LicenseState, Data], None]:
    def step(state: LicenseState, data: Data) -> None:
        state.license["status"] = status.value

    return step


def _request_received(state: LicenseState, data: Data) -> None:
    state.requests[data["request_id"]] = {
        **_pick(data, "instance", "counter", "epoch", "sha256"),
        "state": RequestState.REFUSED.value,
        "code": "",
    }


def _request_ended(request_state: RequestState) -> Callable[[LicenseState, Data], None]:
    def step(state: LicenseState, data: Data) -> None:
        state.requests[data["request_id"]].update(state=request_state.value, code=data["code"])

    return step


def _backup_accepted(state: LicenseState, data: Data) -> None:
    state.requests[data["request_id"]]["epoch"] = data["epoch"]


def _activation_created(state: LicenseState, data: Data) -> None:
    state.activations[data["activation_id"]] = {
        **_pick(data, "seat", *_HOLDER),
        "state": ActivationState.ACTIVE.value,
        "usage_license_id": None,
    }


def _holder_changed(state: LicenseState, data: Data) -> None:
    state.activations[data["activation_id"]].update(_pick(data, *_HOLDER), state=ActivationState.ACTIVE.value)


def _activation_state(target: ActivationState) -> Callable[[LicenseState, Data], None]:
    def step(state: LicenseState, data: Data) -> None:
        row = state.activations[data["activation_id"]]
        row["state"] = target.value
        if not target.occupies_seat:
            row["seat"] = None

    return step


def _usage_license_issued(state: LicenseState, data: Data) -> None:
    state.usage_licenses[data["usage_license_id"]] = _pick(
        data, "activation_id", "request_id", "terms_revision", "supersedes", "sha256"
    )
    state.activations[data["activation_id"]]["usage_license_id"] = data["usage_license_id"]
    state.requests[data["request_id"]].update(state=RequestState.ANSWERED.value, code=data["code"])


def _restoration_requested(state: LicenseState, data: Data) -> None:
    state.restorations[data["restoration_id"]] = {
        "activation_id": data["activation_id"],
        "state": RestorationState.REQUESTED.value,
    }


def _restoration_ended(target: RestorationState) -> Callable[[LicenseState, Data], None]:
    def step(state: LicenseState, data: Data) -> None:
        state.restorations[data["restoration_id"]]["state"] = target.value

    return step


def _tombstone_placed(state: LicenseState, data: Data) -> None:
    state.tombstones[data["tombstone_id"]] = {
        **_pick(data, "kind", "activation_id", "instance", "fingerprint", "commitment", "restoration_id"),
        "settled": False,
        "sightings": [],
    }


def _tombstone_sighted(state: LicenseState, data: Data) -> None:
    state.tombstones[data["tombstone_id"]]["sightings"].append(data["request_id"])


def _tombstone_settled(state: LicenseState, data: Data) -> None:
    state.tombstones[data["tombstone_id"]]["settled"] = True


def _nothing(state: LicenseState, data: Data) -> None:
    """Booked for the history alone."""


_STEPS: dict[str, Callable[[LicenseState, Data], None]] = {
    Kind.LICENSE_CREATED: _license_created,
    Kind.LICENSE_TERMS_CHANGED: _license_changed(*_TERMS),
    Kind.LICENSE_ALLOWED_CHANGED: _allowed_changed,
    Kind.LICENSE_SUSPENDED: _status(LicenseStatus.SUSPENDED),
    Kind.LICENSE_REINSTATED: _status(LicenseStatus.ACTIVE),
    Kind.LICENSE_REVOKED: _status(LicenseStatus.REVOKED),
    Kind.LICENSE_KEY_REPLACED: _license_changed("key_serial"),
    Kind.LICENSE_TRANSFERRED: _license_changed("customer"),
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
    Kind.TOMBSTONE_PLACED: _tombstone_placed,
    Kind.TOMBSTONE_SIGHTED: _tombstone_sighted,
    Kind.TOMBSTONE_SETTLED: _tombstone_settled,
}
