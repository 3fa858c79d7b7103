"""Booking a decision to issue: the activation it makes or moves, and the Usage License that is signed for it."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from chariot_license.protocol.block import Kind as BlockKind
from chariot_license.protocol.block import write_block
from chariot_license.protocol.codes import format_public_id
from chariot_license.protocol.fingerprint import Fingerprint, match

from activations.domain.ledger import Kind
from activations.domain.words import Action, ActivationState, Choice, RequestState, TombstoneKind
from activations.models import (
    Activation,
    Instance,
    KeyPurpose,
    LedgerEntry,
    Seat,
    Tombstone,
    UsageLicense,
    UsageRequest,
)
from activations.services import tombstones
from activations.services.booking import Book
from activations.services.case import Case
from activations.services.claims import license_claims
from activations.services.recording import end_before_backup
from activations.services.signing import signer


def resend(request: UsageRequest, book: Book, *, at_most_every: timedelta | None = None) -> UsageLicense:
    """The stored answer, byte for byte. With `at_most_every` it is booked only if it was not handed out like this,
    from the same source, within that time: who asks a thousand times leaves one entry.
    """
    answer = UsageLicense.objects.select_related("activation").get(request=request)
    if at_most_every is not None:
        told = (Kind.USAGE_LICENSE_RESENT, Kind.USAGE_LICENSE_ISSUED)
        same = LedgerEntry.objects.filter(chain=request.license.license_id, source=book.source, kind__in=told)
        if same.filter(at__gt=book.now - at_most_every).exists():
            return answer
    data = {"usage_license_id": answer.usage_license_id, "request_id": request.request_id}
    book.add(Kind.USAGE_LICENSE_RESENT, data)
    return answer


def answer(case: Case, request: UsageRequest) -> UsageLicense:
    """Books what the decision does to the activation, then signs and stores its Usage License."""
    if Choice.RESTORED_BACKUP in case.decision.taken:
        _accept_backup(case.instance, request, case.book)
    for tombstone_id in case.decision.settles:
        tombstones.settle(Tombstone.objects.get(tombstone_id=tombstone_id), "sighting accepted", case.book)
    new = case.decision.action is Action.NEW
    activation = _new_activation(case, request) if new else _moved_activation(case, request)
    return _issue(case, activation, request)


def _accept_backup(instance: Instance, request: UsageRequest, book: Book) -> None:
    """From here on only this request and later ones count: the host lives a new line of its history."""
    instance.epoch += 1
    Instance.objects.filter(pk=instance.pk).update(epoch=instance.epoch)
    request.epoch, request.in_line = instance.epoch, True
    UsageRequest.objects.filter(pk=request.pk).update(epoch=request.epoch, in_line=True)
    data = {"request_id": request.request_id, "instance": instance.thumbprint, "epoch": instance.epoch}
    book.add(Kind.BACKUP_ACCEPTED, data)
    end_before_backup(request, book)


_ACTION_KINDS = {
    Action.UPDATE: Kind.ACTIVATION_UPDATED,
    Action.REBIND: Kind.ACTIVATION_REBOUND,
    Action.REINSTALL: Kind.ACTIVATION_REINSTALLED,
    Action.FIND: Kind.ACTIVATION_FOUND,
}


def _moved_activation(case: Case, request: UsageRequest) -> Activation:
    """The activation the decision names, held from now on by this Instance on this host."""
    instance, book, action = case.instance, case.book, case.decision.action
    assert action is not None  # every decision that issues has one  # noqa: S101
    activation = Activation.objects.select_related("instance", "seat", "usage_license").get(
        activation_id=case.decision.activation_id
    )
    _bury_displaced(activation, instance, request, book)
    if activation.state == ActivationState.LOST:
        tombstones.close_open_restoration(activation, "the host was found again", book)
    activation.state = ActivationState.ACTIVE
    activation.instance = instance
    for name, value in _holder_columns(request).items():
        setattr(activation, name, value)
    activation.changed_at = book.now
    activation.save()
    data = {"activation_id": activation.activation_id, "request_id": request.request_id}
    book.add(_ACTION_KINDS[action], {**data, **_holder_data(activation)})
    return activation


def _new_activation(case: Case, request: UsageRequest) -> Activation:
    license, instance, book = case.license, case.instance, case.book
    held = Activation.objects.filter(license=license, seat__isnull=False).values("seat")
    seat = Seat.objects.filter(license=license).exclude(pk__in=held).order_by("number").first()
    if seat is None:
        # The decision counted a free seat under the same lock, so the tables contradict themselves.
        raise RuntimeError(f"{license.license_id} has no free seat although one was counted")
    activation = Activation.objects.create(
        activation_id=format_public_id("ACT", secrets.token_bytes(10)),
        license=license,
        state=ActivationState.ACTIVE,
        seat=seat,
        instance=instance,
        **_holder_columns(request),
        created_at=book.now,
        changed_at=book.now,
    )
    data = {
        "activation_id": activation.activation_id,
        "seat": seat.number,
        "request_id": request.request_id,
        **_holder_data(activation),
    }
    book.add(Kind.ACTIVATION_CREATED, data)
    return activation


def _bury_displaced(activation: Activation, instance: Instance, request: UsageRequest, book: Book) -> None:
    """What held the activation until now may still run somewhere: it gets a tombstone (Design 9.6)."""
    if activation.instance_id != instance.pk:
        tombstones.place(activation, TombstoneKind.DISPLACED, book)
        return
    known, seen = Fingerprint.from_json(activation.fingerprint), Fingerprint.from_json(request.fingerprint)
    if not match(known, seen).matched:
        tombstones.place(activation, TombstoneKind.REBOUND, book)


def _holder_columns(request: UsageRequest) -> dict[str, Any]:
    return {
        "fingerprint": request.fingerprint,
        "commitment": request.commitment,
        "hostname": request.hostname,
        "container": request.container,
        "version": request.version,
    }


def _holder_data(activation: Activation) -> dict[str, Any]:
    return {
        "instance": activation.instance.thumbprint,
        "fingerprint": activation.fingerprint,
        "commitment": activation.commitment,
        "hostname": activation.hostname,
        "container": activation.container,
    }


def _issue(case: Case, activation: Activation, request: UsageRequest) -> UsageLicense:
    book = case.book
    earlier = activation.usage_license
    claims = license_claims(
        case.license,
        case.read.request,
        usage_license_id=format_public_id("USL", secrets.token_bytes(10)),
        activation_id=activation.activation_id,
        supersedes=earlier.usage_license_id if earlier else None,
        issued_at=book.now,
        ledger_head=book.head,
    )
    key = signer(KeyPurpose.USAGE_LICENSE, book.now)
    payload = key.sign_usage_license(claims)
    issued = UsageLicense.objects.create(
        usage_license_id=claims.usage_license_id,
        request=request,
        activation=activation,
        terms_revision=case.license.terms_revision,
        supersedes=earlier.usage_license_id if earlier else "",
        payload=payload,
        text=write_block(BlockKind.LICENSE, payload),
        sha256=hashlib.sha256(payload).hexdigest(),
        signing_serial=key.serial,
        issued_at=book.now,
        issued_by=book.actor.name,
    )
    Activation.objects.filter(pk=activation.pk).update(usage_license=issued)
    UsageRequest.objects.filter(pk=request.pk).update(state=RequestState.ANSWERED, code=case.decision.code)
    data = {
        "usage_license_id": issued.usage_license_id,
        "activation_id": activation.activation_id,
        "request_id": request.request_id,
        "terms_revision": issued.terms_revision,
        "supersedes": issued.supersedes,
        "sha256": issued.sha256,
        "signing_serial": issued.signing_serial,
        "code": case.decision.code,
    }
    book.add(Kind.USAGE_LICENSE_ISSUED, data)
    return issued
