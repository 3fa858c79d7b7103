"""What the tables say of a license, in the shape that folding its ledger gives."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chariot_license.protocol.block import Kind as BlockKind
from chariot_license.protocol.block import write_block
from django.db.models import Prefetch

from activations.domain.fold import LicenseState
from activations.models import (
    Activation,
    Evidence,
    License,
    LicenseTerms,
    Restoration,
    RetiredKey,
    Seat,
    Sighting,
    Tombstone,
    UsageLicense,
    UsageRequest,
)
from activations.services.booking import iso


@dataclass
class Rows:
    """Every row of one license that its ledger tells of. `lookup_ids`: of the License Key each request was made with,
    noted when its bytes are read.
    """

    license: License
    terms: list[LicenseTerms] = field(default_factory=list)
    retired_keys: list[RetiredKey] = field(default_factory=list)
    seats: list[Seat] = field(default_factory=list)
    activations: list[Activation] = field(default_factory=list)
    requests: list[UsageRequest] = field(default_factory=list)
    usage_licenses: list[UsageLicense] = field(default_factory=list)
    restorations: list[Restoration] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    tombstones: list[Tombstone] = field(default_factory=list)
    lookup_ids: dict[str, bytes] = field(default_factory=dict, init=False)

    def state(self) -> LicenseState:
        return LicenseState(
            license=_license(self.license),
            terms={str(row.revision): _terms(row) for row in self.terms},
            retired_keys={
                str(nth): {"retired_at": iso(row.retired_at)} for nth, row in enumerate(self.retired_keys, 1)
            },
            seats=[row.number for row in self.seats],
            activations={row.activation_id: _activation(row) for row in self.activations},
            requests={row.request_id: _request(row) for row in self.requests},
            usage_licenses={row.usage_license_id: _usage_license(row) for row in self.usage_licenses},
            restorations={row.restoration_id: _restoration(row) for row in self.restorations},
            evidence={f"{row.restoration.restoration_id} {row.sha256}": _evidence(row) for row in self.evidence},
            tombstones={row.tombstone_id: _tombstone(row) for row in self.tombstones},
        )


def table_state(license: License) -> LicenseState:
    """The license as the tables tell it; digests are those of the stored bytes."""
    return rows_of([license])[0].state()


def rows_of(licenses: Sequence[License]) -> list[Rows]:
    """The rows of many licenses at once, a query for each table."""
    keys = [license.pk for license in licenses]
    through = {"activation__license__in": keys}
    sightings = Sighting.objects.select_related("request").only("tombstone_id", "seen_at", "request__request_id")
    requests = UsageRequest.objects.filter(license__in=keys).defer("received").select_related("instance")
    found: dict[str, dict[int, list[Any]]] = {
        "terms": _grouped(LicenseTerms.objects.filter(license__in=keys).order_by("revision")),
        "retired_keys": _grouped(RetiredKey.objects.filter(license__in=keys).order_by("retired_at", "id")),
        "seats": _grouped(Seat.objects.filter(license__in=keys).order_by("number")),
        "activations": _grouped(
            Activation.objects.filter(license__in=keys).select_related("instance", "seat", "usage_license")
        ),
        "requests": _grouped(requests),
        "usage_licenses": _grouped(
            UsageLicense.objects.filter(**through)
            .select_related("activation", "request__instance")
            .defer("request__received", "request__text", "request__payload")
        ),
        "restorations": _grouped(Restoration.objects.filter(**through).select_related("activation")),
        "evidence": _grouped(
            Evidence.objects.filter(restoration__activation__license__in=keys)
            .select_related("restoration__activation")
            .defer("content")
        ),
        "tombstones": _grouped(
            Tombstone.objects.filter(license__in=keys)
            .select_related("activation", "instance", "restoration")
            .prefetch_related(Prefetch("sightings", sightings))
        ),
    }
    return [
        Rows(license, **{name: by_license[license.pk] for name, by_license in found.items()}) for license in licenses
    ]


def _grouped(rows: Any) -> dict[int, list[Any]]:
    groups: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        held = row.restoration if isinstance(row, Evidence) else row
        groups[held.license_id if hasattr(held, "license_id") else held.activation.license_id].append(row)
    return groups


def _time(time: datetime | None) -> str | None:
    return None if time is None else iso(time)


def _license(row: License) -> dict[str, Any]:
    return {
        "customer": row.customer.name,
        "product": row.product.code,
        "allowed": row.allowed,
        "terms_revision": row.terms_revision,
        "status": row.status,
        "key_serial": row.key_serial,
        "online": row.online,
        "created_at": iso(row.created_at),
    }


def _terms(row: LicenseTerms) -> dict[str, Any]:
    return {
        "features": row.features,
        "versions": [row.version_low, row.version_high],
        "created_at": iso(row.created_at),
    }


def _activation(row: Activation) -> dict[str, Any]:
    return {
        "seat": row.seat.number if row.seat else None,
        "instance": row.instance.thumbprint,
        "fingerprint": row.fingerprint,
        "commitment": row.commitment,
        "hostname": row.hostname,
        "container": row.container,
        "version": row.version,
        "state": row.state,
        "usage_license_id": row.usage_license.usage_license_id if row.usage_license else None,
        "created_at": iso(row.created_at),
        "changed_at": iso(row.changed_at),
    }


def _request(row: UsageRequest) -> dict[str, Any]:
    return {
        "instance": row.instance.thumbprint,
        "counter": row.counter,
        "epoch": row.epoch,
        "sha256": _digest(row),
        "previous": row.previous,
        "fingerprint": row.fingerprint,
        "hostname": row.hostname,
        "version": row.version,
        "test": row.test,
        "received_at": iso(row.received_at),
        "received_by": row.received_by,
        "state": row.state,
        "code": row.code,
        "refusal": row.refusal,
    }


def _usage_license(row: UsageLicense) -> dict[str, Any]:
    return {
        "activation_id": row.activation.activation_id,
        "request_id": row.request.request_id,
        "terms_revision": row.terms_revision,
        "supersedes": row.supersedes,
        "sha256": _digest(row),
        "signing_serial": row.signing_serial,
        "issued_at": iso(row.issued_at),
        "issued_by": row.issued_by,
    }


def _digest(row: UsageRequest | UsageLicense) -> str:
    """SHA-256 of the bytes, unless the text that is shown or sent says something else than they do."""
    digest = hashlib.sha256(bytes(row.payload)).hexdigest()
    kind = BlockKind.REQUEST if isinstance(row, UsageRequest) else BlockKind.LICENSE
    if row.sha256 != digest:
        return f"{digest} by its bytes and {row.sha256} by its column"
    return digest if row.text == write_block(kind, bytes(row.payload)) else f"{digest} with another text"


def _restoration(row: Restoration) -> dict[str, Any]:
    return {
        "activation_id": row.activation.activation_id,
        "state": row.state,
        "requested_by": row.requested_by,
        "requested_at": iso(row.requested_at),
        "reason": row.reason,
        "decided_by": row.decided_by,
        "decided_at": _time(row.decided_at),
        "decision_reason": row.decision_reason,
        "above_quota": row.above_quota,
    }


def _evidence(row: Evidence) -> dict[str, Any]:
    return {"name": row.name, "size": row.size, "added_at": iso(row.added_at), "added_by": row.added_by}


def _tombstone(row: Tombstone) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "activation_id": row.activation.activation_id,
        "instance": row.instance.thumbprint,
        "fingerprint": row.fingerprint,
        "commitment": row.commitment,
        "restoration_id": row.restoration.restoration_id if row.restoration else None,
        "placed_at": iso(row.placed_at),
        "settled_at": _time(row.settled_at),
        "settled_by": row.settled_by,
        "sightings": {seen.request.request_id: iso(seen.seen_at) for seen in row.sightings.all()},
    }
