"""Which signing keys the ledger's own chain tells of, and whether the stored certificates are theirs (Design 9.13)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from chariot_license.protocol.certificates import check_certificate, load_certificate, raw_public_key, serial_hex
from chariot_license.protocol.errors import CertificateError
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from activations.domain.fold import differences
from activations.domain.ledger import PORTAL_CHAIN, Entry, Kind, read_body
from activations.models import KeyPurpose, LedgerEntry, SigningKey
from activations.services.booking import iso


@dataclass(frozen=True)
class KnownKey:
    """A key that the ledger names and whose stored certificate is the one it named, issued by a root of the portal.

    `made` and `retired` are the places of its entries in the Merkle tree; None for one that no checkpoint covers yet.
    """

    serial: str
    certificate: bytes
    public: bytes
    made: int | None
    retired: int | None


@dataclass(frozen=True)
class KnownKeys:
    roots: list[x509.Certificate] = field(default_factory=list)
    usage_license: dict[str, KnownKey] = field(default_factory=dict)
    checkpoint: dict[str, KnownKey] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@dataclass
class _Told:
    """What the portal's chain says of a key, in the shape of `_stored`."""

    row: dict[str, Any]
    made: int | None
    retired: int | None = None


def known_keys() -> KnownKeys:
    """The keys that hold; what is wrong with the stored ones is in `problems`. Raises ValueError for a broken chain."""
    told = _told()
    rows = {row.serial: row for row in SigningKey.objects.order_by("id")}
    said = {serial: key.row for serial, key in told.items()}
    found = KnownKeys(problems=differences("signing key", said, {name: _stored(row) for name, row in rows.items()}))
    # Roots first: they issued the others.
    for serial, key in sorted(told.items(), key=lambda item: item[1].row["purpose"] != KeyPurpose.ROOT):
        row = rows.get(serial)
        if row is None or key.row["certificate"] != hashlib.sha256(bytes(row.certificate)).hexdigest():
            continue
        try:
            _add(found, row, key)
        except CertificateError as error:
            found.problems.append(f"signing key {serial}: its certificate does not hold ({error.code})")
    return found


def _add(found: KnownKeys, row: SigningKey, told: _Told) -> None:
    der = bytes(row.certificate)
    certificate = load_certificate(der)
    if (serial_hex(certificate), iso(certificate.not_valid_after_utc)) != (row.serial, iso(row.not_after)):
        found.problems.append(f"signing key {row.serial}: its serial or its end is not that of its certificate")
    if told.row["purpose"] == KeyPurpose.ROOT:
        if not _is_root(certificate):
            found.problems.append(f"signing key {row.serial}: its certificate is not that of a root")
            return
        found.roots.append(certificate)
        return
    kinds = {KeyPurpose.USAGE_LICENSE.value: found.usage_license, KeyPurpose.CHECKPOINT.value: found.checkpoint}
    purpose = told.row["purpose"]
    check_certificate(der, found.roots, int(certificate.not_valid_before_utc.timestamp()), purpose)
    kinds[purpose][row.serial] = KnownKey(row.serial, der, raw_public_key(certificate), told.made, told.retired)


def _is_root(certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(certificate)
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False


def _told() -> dict[str, _Told]:
    kinds = [Kind.SIGNING_KEY_CREATED, Kind.SIGNING_KEY_RETIRED]
    entries = LedgerEntry.objects.filter(chain=PORTAL_CHAIN, kind__in=kinds).order_by("seq")
    told: dict[str, _Told] = {}
    for body, leaf in entries.values_list("body", "leaf__index"):
        entry = read_body(body)
        try:
            _tell(told, entry, leaf)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{entry.chain} entry {entry.seq} ({entry.kind}) does not fit: {error}") from None
    return told


def _tell(told: dict[str, _Told], entry: Entry, leaf: int | None) -> None:
    data = entry.data
    if entry.kind == Kind.SIGNING_KEY_RETIRED:
        key = told[data["serial"]]
        key.row.update(current=False, retired_at=entry.at)
        key.retired = leaf
        return
    row = {
        "purpose": KeyPurpose(data["purpose"]).value,
        "name": data["name"],
        "certificate": data["sha256"],
        "current": True,
        "created_at": entry.at,
        "retired_at": None,
    }
    told[data["serial"]] = _Told(row, leaf)


def _stored(row: SigningKey) -> dict[str, Any]:
    return {
        "purpose": row.purpose,
        "name": row.name,
        "certificate": hashlib.sha256(bytes(row.certificate)).hexdigest(),
        "current": row.current,
        "created_at": iso(row.created_at),
        "retired_at": iso(row.retired_at) if row.retired_at else None,
    }
