"""Verifying the ledger, and comparing the tables with what the ledger folds to (Design 5)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from itertools import groupby
from typing import Any

from chariot_license.protocol.block import Kind as BlockKind
from chariot_license.protocol.block import write_block
from cryptography.exceptions import InvalidSignature
from django.db import connection
from django.db.models import Max, OuterRef, Subquery

from activations.domain.checkpoint import Checkpoint, key_hash, note_text, read_note
from activations.domain.fold import LicenseState, fold
from activations.domain.ledger import GENESIS, PORTAL_CHAIN, Finding, Stored, check_chain, read_body
from activations.domain.merkle import Range, leaf_hash
from activations.models import (
    Activation,
    LedgerChain,
    LedgerCheckpoint,
    LedgerEntry,
    License,
    LicenseTerms,
    Restoration,
    Seat,
    Tombstone,
    UsageLicense,
    UsageRequest,
    triggers,
)
from activations.services.booking import iso
from activations.services.signing import checkpoint_keys
from activations.services.snapshot import snapshot

CHUNK = 2000


@dataclass(frozen=True)
class Verification:
    """What was checked and what was found wrong, in words; no problems means that everything holds."""

    entries: int
    chains: int
    checkpoints: int
    problems: tuple[str, ...] = field(default=())

    @property
    def holds(self) -> bool:
        return not self.problems


def verify_ledger(*, rebuild_check: bool = False) -> Verification:
    """Every chain, head, checkpoint and trigger; with `rebuild_check` also the fold of each license.

    Reads one consistent snapshot, so that bookings made meanwhile are no findings; inside a caller's transaction it is
    that transaction's.
    """
    with snapshot():
        problems = [str(finding) for finding in check_chain(_stored())]
        problems += [str(finding) for finding in _wrong_heads()]
        problems += _wrong_checkpoints()
        problems += [f"trigger {name} is {state}" for name, state in triggers.problems(connection).items()]
        if rebuild_check:
            problems += _differences()
        return Verification(
            entries=LedgerEntry.objects.count(),
            chains=LedgerChain.objects.filter(length__gt=0).count(),
            checkpoints=LedgerCheckpoint.objects.count(),
            problems=tuple(problems),
        )


def _stored() -> Iterator[Stored]:
    columns = [field.name for field in fields(Stored)]
    for row in LedgerEntry.objects.order_by("chain", "seq").values(*columns).iterator(CHUNK):
        yield Stored(**{**row, "at": iso(row["at"])})


def _wrong_heads() -> Iterator[Finding]:
    """A chain whose head names an entry that is not its last: entries were cut off, or added behind its back."""
    last = LedgerEntry.objects.filter(chain=OuterRef("name")).order_by("-seq")
    chains = LedgerChain.objects.annotate(
        last_seq=Subquery(last.values("seq")[:1]), last_hash=Subquery(last.values("hash")[:1])
    )
    for chain in chains.order_by("name").iterator(CHUNK):
        seq, digest = (chain.last_seq, chain.last_hash) if chain.last_seq else (0, GENESIS)
        if (seq, digest) != (chain.length, chain.head):
            yield Finding(chain.name, chain.length, f"is the head of its chain, but the last entry is {seq}")
    headless = LedgerEntry.objects.exclude(chain__in=LedgerChain.objects.values("name"))
    for row in headless.values("chain").annotate(last=Max("seq")).order_by("chain"):
        yield Finding(row["chain"], row["last"], "its chain has no head")


def _wrong_checkpoints() -> list[str]:
    """Grows the Merkle tree over the leaves in order and compares it with each checkpoint on the way."""
    checkpoints = list(LedgerCheckpoint.objects.order_by("size"))
    if not checkpoints:
        return []
    tree, problems, wanted = Range(), [], iter(checkpoints)
    expected = next(wanted, None)
    leaves = LedgerEntry.objects.filter(leaf__isnull=False).order_by("leaf__index")
    for index, body in leaves.values_list("leaf__index", "body").iterator(CHUNK):
        if index != tree.size:
            problems.append(f"leaf {tree.size} of the Merkle tree is missing")
            return problems
        tree = tree.grown([leaf_hash(body.encode())])
        while expected is not None and expected.size == tree.size:
            problems += _checkpoint_problem(expected, tree)
            expected = next(wanted, None)
    if expected is not None:
        problems.append(f"the checkpoint of size {expected.size} covers more entries than there are ({tree.size})")
    return problems


def _checkpoint_problem(stored: LedgerCheckpoint, tree: Range) -> list[str]:
    try:
        noted, signatures = read_note(stored.note)
    except ValueError as error:
        return [f"the checkpoint of size {stored.size} is unreadable: {error}"]
    if (stored.root, noted.root, noted.size) != (tree.root.hex(), tree.root, tree.size):
        return [f"the checkpoint of size {stored.size} does not fit the entries it covers"]
    if not any(name == noted.origin and _signed(noted, signature) for name, signature in signatures):
        return [f"the checkpoint of size {stored.size} is not signed by a checkpoint key of this portal"]
    return []


def _signed(noted: Checkpoint, signature: bytes) -> bool:
    """Whether a signature line's content (4-byte key id, then Ed25519) is by one of the portal's checkpoint keys."""
    for public in checkpoint_keys():
        if signature[:4] == key_hash(noted.origin, public.public_bytes_raw()):
            try:
                public.verify(signature[4:], note_text(noted).encode())
            except InvalidSignature:
                continue
            return True
    return False


def _differences() -> list[str]:
    problems: list[str] = []
    entries = LedgerEntry.objects.exclude(chain=PORTAL_CHAIN).order_by("chain", "seq")
    folded: set[str] = set()
    rows = entries.values_list("chain", "body").iterator(CHUNK)
    for chain, group in groupby(rows, key=lambda row: row[0]):
        folded.add(chain)
        license = License.objects.filter(license_id=chain).select_related("customer", "product").first()
        if license is None:
            problems.append(f"{chain}: the ledger tells of a license that the tables do not have")
            continue
        try:
            state = fold(read_body(body) for _, body in group)
        except (ValueError, KeyError) as error:
            problems.append(f"{chain}: cannot be folded ({error})")
            continue
        problems += [f"{chain} {difference}" for difference in state.differences(table_state(license))]
    missing = License.objects.exclude(license_id__in=folded).values_list("license_id", flat=True)
    return [
        *problems,
        *(f"{name}: the tables have a license that the ledger does not tell of" for name in missing),
    ]


def table_state(license: License) -> LicenseState:
    """The license as the tables tell it, in the shape the fold gives; digests are those of the stored bytes."""
    terms = LicenseTerms.objects.filter(license=license, revision=license.terms_revision).first()
    return LicenseState(
        license={
            "customer": license.customer.name,
            "product": license.product.code,
            "allowed": license.allowed,
            "features": terms.features if terms else None,
            "versions": [terms.version_low, terms.version_high] if terms else None,
            "terms_revision": license.terms_revision,
            "status": license.status,
            "key_serial": license.key_serial,
        },
        seats=list(Seat.objects.filter(license=license).order_by("number").values_list("number", flat=True)),
        activations={row.activation_id: _activation(row) for row in _activations(license)},
        requests={
            row.request_id: {
                "instance": row.instance.thumbprint,
                "counter": row.counter,
                "epoch": row.epoch,
                "sha256": _digest(row),
                "state": row.state,
                "code": row.code,
            }
            for row in UsageRequest.objects.filter(license=license).select_related("instance")
        },
        usage_licenses={
            row.usage_license_id: {
                "activation_id": row.activation.activation_id,
                "request_id": row.request.request_id,
                "terms_revision": row.terms_revision,
                "supersedes": row.supersedes,
                "sha256": _digest(row),
            }
            for row in UsageLicense.objects.filter(activation__license=license).select_related("activation", "request")
        },
        restorations={
            row.restoration_id: {"activation_id": row.activation.activation_id, "state": row.state}
            for row in Restoration.objects.filter(activation__license=license).select_related("activation")
        },
        tombstones={row.tombstone_id: _tombstone(row) for row in _tombstones(license)},
    )


def _digest(row: UsageRequest | UsageLicense) -> str:
    """SHA-256 of the bytes, unless the text that is shown or sent says something else than they do."""
    digest = hashlib.sha256(bytes(row.payload)).hexdigest()
    kind = BlockKind.REQUEST if isinstance(row, UsageRequest) else BlockKind.LICENSE
    if row.sha256 != digest:
        return f"{digest} by its bytes and {row.sha256} by its column"
    return digest if row.text == write_block(kind, bytes(row.payload)) else f"{digest} with another text"


def _activations(license: License) -> Any:
    return Activation.objects.filter(license=license).select_related("instance", "seat", "usage_license")


def _activation(row: Activation) -> dict[str, Any]:
    return {
        "seat": row.seat.number if row.seat else None,
        "instance": row.instance.thumbprint,
        "fingerprint": row.fingerprint,
        "commitment": row.commitment,
        "hostname": row.hostname,
        "container": row.container,
        "state": row.state,
        "usage_license_id": row.usage_license.usage_license_id if row.usage_license else None,
    }


def _tombstones(license: License) -> Any:
    rows = Tombstone.objects.filter(license=license).select_related("activation", "instance", "restoration")
    return rows.prefetch_related("sightings__request")


def _tombstone(row: Tombstone) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "activation_id": row.activation.activation_id,
        "instance": row.instance.thumbprint,
        "fingerprint": row.fingerprint,
        "commitment": row.commitment,
        "restoration_id": row.restoration.restoration_id if row.restoration else None,
        "settled": row.settled_at is not None,
        "sightings": [sighting.request.request_id for sighting in row.sightings.all()],
    }
