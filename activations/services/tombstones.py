"""What is written off and may still run, and the restoration cases that end by themselves."""

from __future__ import annotations

import secrets

from chariot_license.protocol.codes import format_public_id

from activations.domain.ledger import Kind
from activations.domain.words import RestorationState, TombstoneKind
from activations.models import Activation, Restoration, Tombstone
from activations.services.booking import Book


def place(activation: Activation, kind: TombstoneKind, book: Book, restoration: Restoration | None = None) -> Tombstone:
    """A tombstone for the Instance and host that hold the activation now."""
    tombstone = Tombstone.objects.create(
        tombstone_id=format_public_id("TMB", secrets.token_bytes(10)),
        license=activation.license,
        kind=kind,
        activation=activation,
        restoration=restoration,
        instance=activation.instance,
        fingerprint=activation.fingerprint,
        commitment=activation.commitment,
        placed_at=book.now,
    )
    data = {
        "tombstone_id": tombstone.tombstone_id,
        "kind": kind.value,
        "activation_id": activation.activation_id,
        "restoration_id": restoration.restoration_id if restoration else None,
        "instance": activation.instance.thumbprint,
        "fingerprint": activation.fingerprint,
        "commitment": activation.commitment,
    }
    book.add(Kind.TOMBSTONE_PLACED, data)
    return tombstone


def settle(tombstone: Tombstone, how: str, book: Book) -> None:
    """Closes the case of a written-off host: by its deactivation code, or by a lead (Design 9.7)."""
    Tombstone.objects.filter(pk=tombstone.pk).update(settled_at=book.now, settled_by=book.actor.name)
    book.add(Kind.TOMBSTONE_SETTLED, {"tombstone_id": tombstone.tombstone_id, "how": how})


def close_open_restoration(activation: Activation, why: str, book: Book) -> None:
    """A case that is still open ends when the host turns up or proves that it was deactivated (Design 9.6)."""
    case = activation.restorations.filter(state=RestorationState.REQUESTED).first()
    if case is None:
        return
    Restoration.objects.filter(pk=case.pk).update(
        state=RestorationState.CLOSED, decided_by=book.actor.name, decided_at=book.now, decision_reason=why
    )
    data = {"restoration_id": case.restoration_id, "activation_id": activation.activation_id, "why": why}
    book.add(Kind.RESTORATION_CLOSED, data)
