"""The story of one license as a chain of entries, and the exact state it folds to."""

from __future__ import annotations

from typing import Any

from activations.domain.fold import LicenseState
from activations.domain.ledger import GENESIS, Entry, Kind

LICENSE = "LIC-7K2M"
FEATURES = [{"code": "mqtt-server", "expires": None}]
MORE = [*FEATURES, {"code": "mqtt-server-support", "expires": "2027-03-31"}]

CREATED = (
    Kind.LICENSE_CREATED,
    {
        "customer": "Acme Water",
        "product": "chariot-mqtt-server",
        "allowed": 2,
        "seats": [1, 2],
        "features": FEATURES,
        "versions": ["", ""],
        "terms_revision": 1,
    },
)


def at(seq: int) -> str:
    return f"2026-03-01T09:30:{seq:02}.000000Z"


def chain(*steps: tuple[Kind, dict[str, Any]]) -> list[Entry]:
    entries: list[Entry] = []
    for seq, (kind, data) in enumerate(steps, 1):
        entries.append(
            Entry(
                chain=LICENSE,
                seq=seq,
                at=at(seq),
                actor=f"agent {seq}",
                kind=kind.value,
                reason=f"reason {seq}",
                source="desk",
                data=data,
                prev=entries[-1].hash if entries else GENESIS,
            )
        )
    return entries


def holder(host: str, secret: str, container: str = "") -> dict[str, Any]:
    return {
        "instance": f"{host}-chariot",
        "fingerprint": {"machine_id": [f"{host}-id"]},
        "commitment": secret,
        "hostname": host,
        "container": container,
    }


def received(number: int, host: str, counter: int, epoch: int = 1) -> tuple[Kind, dict[str, Any]]:
    return Kind.REQUEST_RECEIVED, {
        "request_id": f"R{number}",
        "instance": f"{host}-chariot",
        "counter": counter,
        "epoch": epoch,
        "sha256": f"hash of R{number}",
        "previous": "",
        "fingerprint": {"machine_id": [f"{host}-id"]},
        "hostname": host,
        "version": f"2.{number}",
        "test": False,
    }


def answered(number: int, activation: str, revision: int, supersedes: str, code: str) -> tuple[Kind, dict[str, Any]]:
    return Kind.USAGE_LICENSE_ISSUED, {
        "usage_license_id": f"U{number}",
        "activation_id": activation,
        "request_id": f"R{number}",
        "terms_revision": revision,
        "supersedes": supersedes,
        "sha256": f"hash of U{number}",
        "signing_serial": "5a",
        "code": code,
    }


def held(kind: Kind, activation: str, who: dict[str, Any], **more: Any) -> tuple[Kind, dict[str, Any]]:
    return kind, {"activation_id": activation, **who, **more}


def ended(kind: Kind, activation: str, **more: Any) -> tuple[Kind, dict[str, Any]]:
    return kind, {"activation_id": activation, **more}


def request_row(host: str, counter: int, number: int, end: tuple[str, str], seq: int) -> dict[str, Any]:
    return {
        **{name: value for name, value in received(number, host, counter)[1].items() if name != "request_id"},
        "received_at": at(seq),
        "received_by": f"agent {seq}",
        "state": end[0],
        "code": end[1],
        "refusal": "",
    }


def usage_license_row(number: int, activation: str, revision: int, supersedes: str, seq: int) -> dict[str, Any]:
    return {
        "activation_id": activation,
        "request_id": f"R{number}",
        "terms_revision": revision,
        "supersedes": supersedes,
        "sha256": f"hash of U{number}",
        "signing_serial": "5a",
        "issued_at": at(seq),
        "issued_by": f"agent {seq}",
    }


def times(created: int, changed: int) -> dict[str, str]:
    return {"created_at": at(created), "changed_at": at(changed)}


def restoration_row(state: str, requested: int, decided: int) -> dict[str, Any]:
    return {
        "activation_id": "A2",
        "state": state,
        "requested_by": f"agent {requested}",
        "requested_at": at(requested),
        "reason": f"reason {requested}",
        "decided_by": f"agent {decided}",
        "decided_at": at(decided),
        "decision_reason": f"reason {decided}",
        "above_quota": False,
    }


STONE = {
    "tombstone_id": "T1",
    "kind": "restored",
    "activation_id": "A2",
    "restoration_id": "C2",
    "instance": "mill-chariot",
    "fingerprint": {"machine_id": ["mill-id"]},
    "commitment": "s2",
}

# One license: bought, activated on two hosts, updated, a host destroyed, restored, and used on a third.
STORY = [
    CREATED,
    received(1, "pump", 1),
    held(Kind.ACTIVATION_CREATED, "A1", holder("pump", "s1"), seat=1, request_id="R1"),
    answered(1, "A1", 1, "", "activated"),
    (Kind.USAGE_LICENSE_RESENT, {"usage_license_id": "U1", "request_id": "R1"}),
    received(2, "mill", 1),
    held(Kind.ACTIVATION_CREATED, "A2", holder("mill", "s2", "docker"), seat=2, request_id="R2"),
    answered(2, "A2", 1, "", "activated"),
    (Kind.LICENSE_TERMS_CHANGED, {"features": MORE, "versions": ["2.0", ""], "terms_revision": 2}),
    received(3, "pump", 2),
    held(Kind.ACTIVATION_UPDATED, "A1", holder("pump", "s1"), request_id="R3"),
    answered(3, "A1", 2, "U1", "updated"),
    ended(Kind.ACTIVATION_LOST, "A2"),
    received(4, "weir", 1),
    (Kind.REQUEST_REFUSED, {"request_id": "R4", "code": "no-seat"}),
    (Kind.RESTORATION_REQUESTED, {"restoration_id": "C1", "activation_id": "A2"}),
    (Kind.RESTORATION_DENIED, {"restoration_id": "C1", "activation_id": "A2"}),
    (Kind.RESTORATION_REQUESTED, {"restoration_id": "C2", "activation_id": "A2"}),
    (Kind.RESTORATION_APPROVED, {"restoration_id": "C2", "activation_id": "A2"}),
    ended(Kind.ACTIVATION_RESTORED, "A2", restoration_id="C2"),
    (Kind.TOMBSTONE_PLACED, STONE),
    held(Kind.ACTIVATION_CREATED, "A3", holder("weir", "s3"), seat=2, request_id="R4"),
    answered(4, "A3", 2, "", "activated"),
    received(5, "mill", 2),
    (Kind.TOMBSTONE_SIGHTED, {"tombstone_id": "T1", "request_id": "R5"}),
    (Kind.REQUEST_PENDING, {"request_id": "R5", "code": "tombstone-seen"}),
]

STATE = LicenseState(
    license={
        "customer": "Acme Water",
        "product": "chariot-mqtt-server",
        "allowed": 2,
        "terms_revision": 2,
        "status": "active",
        "key_serial": 1,
        "online": False,
        "created_at": at(1),
    },
    terms={
        "1": {"features": FEATURES, "versions": ["", ""], "created_at": at(1)},
        "2": {"features": MORE, "versions": ["2.0", ""], "created_at": at(9)},
    },
    seats=[1, 2],
    activations={
        "A1": {
            **holder("pump", "s1"),
            "seat": 1,
            "state": "active",
            "usage_license_id": "U3",
            "version": "2.3",
            **times(3, 11),
        },
        "A2": {
            **holder("mill", "s2", "docker"),
            "seat": None,
            "state": "restored",
            "usage_license_id": "U2",
            "version": "2.2",
            **times(7, 20),
        },
        "A3": {
            **holder("weir", "s3"),
            "seat": 2,
            "state": "active",
            "usage_license_id": "U4",
            "version": "2.4",
            **times(22, 22),
        },
    },
    requests={
        "R1": request_row("pump", 1, 1, ("answered", "activated"), 2),
        "R2": request_row("mill", 1, 2, ("answered", "activated"), 6),
        "R3": request_row("pump", 2, 3, ("answered", "updated"), 10),
        "R4": request_row("weir", 1, 4, ("answered", "activated"), 14),
        "R5": request_row("mill", 2, 5, ("pending", "tombstone-seen"), 24),
    },
    usage_licenses={
        "U1": usage_license_row(1, "A1", 1, "", 4),
        "U2": usage_license_row(2, "A2", 1, "", 8),
        "U3": usage_license_row(3, "A1", 2, "U1", 12),
        "U4": usage_license_row(4, "A3", 2, "", 23),
    },
    restorations={
        "C1": restoration_row("denied", 16, 17),
        "C2": restoration_row("approved", 18, 19),
    },
    tombstones={
        "T1": {
            **{name: value for name, value in STONE.items() if name != "tombstone_id"},
            "placed_at": at(21),
            "settled_at": None,
            "settled_by": "",
            "sightings": {"R5": at(25)},
        }
    },
)
