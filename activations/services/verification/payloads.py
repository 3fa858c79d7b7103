"""Stored rows against the signed bytes they keep: a column says what the bytes say, or it was changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from chariot_license.protocol import cose
from chariot_license.protocol.certificates import load_certificate, serial_hex
from chariot_license.protocol.errors import ProtocolError
from chariot_license.protocol.license import FORM, read_license
from chariot_license.protocol.license import UsageLicense as Granted
from chariot_license.protocol.request import read_request

from activations.domain.fold import LicenseState, difference
from activations.models import UsageLicense, UsageRequest
from activations.services.booking import iso
from activations.services.verification.keys import KnownKeys
from activations.services.verification.tables import Rows

Columns = dict[str, Any]


def payload_problems(rows: Rows, ledger: LicenseState, keys: KnownKeys) -> Iterator[str]:
    for request in rows.requests:
        yield from _request_problems(request, rows)
    for usage_license in rows.usage_licenses:
        yield from _usage_license_problems(usage_license, rows, ledger, keys)


def _request_problems(row: UsageRequest, rows: Rows) -> Iterator[str]:
    name = f"requests {row.request_id}"
    try:
        said = read_request(bytes(row.payload))
    except ProtocolError as error:
        yield f"{name}: its bytes are no Usage Request ({error.code})"
        return
    rows.lookup_ids[row.request_id] = said.lookup_id
    mine: Columns = {
        "request_id": said.request_id.hex(),
        "instance": said.thumbprint.hex(),
        "counter": said.counter,
        "previous": said.previous.hex() if said.previous is not None else "",
        "commitment": said.commitment.hex(),
        "fingerprint": said.fingerprint.to_json(),
        "container": said.container or "",
        "virtual": said.virtual or "",
        "hostname": said.hostname,
        "version": said.version,
        "made_at": iso(datetime.fromtimestamp(said.issued_at, UTC)),
        "test": said.test,
    }
    theirs: Columns = {column: getattr(row, column) for column in mine}
    theirs.update(instance=row.instance.thumbprint, made_at=iso(row.made_at))
    yield from _compared(name, mine, theirs)


def _usage_license_problems(row: UsageLicense, rows: Rows, ledger: LicenseState, keys: KnownKeys) -> Iterator[str]:
    name, data = f"usage licenses {row.usage_license_id}", bytes(row.payload)
    try:
        said = read_license(data, keys.roots)
        certificate = cose.open_unverified(data, FORM).certificate or b""
        serial = serial_hex(load_certificate(certificate))
    except ProtocolError as error:
        yield f"{name}: its bytes are no Usage License of this portal ({error.code})"
        return
    key = keys.usage_license.get(row.signing_serial)
    if key is None or key.certificate != certificate:
        yield f"{name}: it is not signed by a key that the ledger names"
    mine: Columns = {
        "usage_license_id": said.usage_license_id,
        "license_id": said.license_id,
        "activation_id": said.activation_id,
        "request_id": said.request_id.hex(),
        "instance": said.instance.hex(),
        "fingerprint": said.fingerprint.to_json(),
        "terms_revision": said.terms_revision,
        "supersedes": said.supersedes or "",
        "signing_serial": serial,
        "issued_at": said.issued_at,
        "test": said.test,
    }
    request = row.request
    theirs: Columns = {
        "usage_license_id": row.usage_license_id,
        "license_id": rows.license.license_id,
        "activation_id": row.activation.activation_id,
        "request_id": request.request_id,
        "instance": request.instance.thumbprint,
        "fingerprint": request.fingerprint,
        "terms_revision": row.terms_revision,
        "supersedes": row.supersedes,
        "signing_serial": row.signing_serial,
        "issued_at": int(row.issued_at.timestamp()),
        "test": request.test,
    }
    yield from _compared(name, mine, theirs)
    granted = ledger.granted.get(row.usage_license_id)
    if granted is not None:
        yield from _granted_problems(name, said, granted)


def _granted_problems(name: str, said: Granted, granted: Columns) -> Iterator[str]:
    """What the license granted at that point of its chain, and the head of the chain (Design 9.17)."""
    mine: Columns = {
        "customer": said.customer,
        "product": said.product,
        "features": [{"code": feature.code, "expires": _last_day(feature.expires)} for feature in said.features],
        "versions": list(said.versions),
        "ledger_head": said.ledger_head.hex() in granted["ledger_heads"],
    }
    theirs = {**granted, "ledger_head": True}
    del theirs["ledger_heads"]
    for column in (column for column in mine if mine[column] != theirs[column]):
        yield f"{name}: its {column} is not what the ledger says of that time"


def _last_day(expires: int | None) -> str | None:
    """The last day of a feature that ends at midnight UTC; of another second nothing that terms could say."""
    if expires is None:
        return None
    end = datetime.fromtimestamp(expires, UTC)
    return str(end.date() - timedelta(days=1)) if end == end.replace(hour=0, minute=0, second=0) else str(end)


def _compared(name: str, mine: Columns, theirs: Columns) -> Iterator[str]:
    if mine != theirs:
        yield difference(name, mine, theirs, source="its bytes say")
