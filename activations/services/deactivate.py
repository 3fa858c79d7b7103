"""Freeing an activation by its deactivation code (Design 3, 9.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chariot_license.protocol.codes import commitment, parse_deactivation_code, parse_public_id
from chariot_license.protocol.errors import CodeError
from django.db import transaction

from activations.domain.ledger import Kind
from activations.domain.words import Ability, ActivationState, Actor
from activations.models import Activation, Instance, License, RevealedCode, Tombstone, UsageRequest
from activations.models.activations import OCCUPYING
from activations.services import replies, tombstones
from activations.services.booking import Book, lock_license
from activations.services.post import notices
from activations.services.post.outbox import Envelope, not_sendable, queue_reply
from activations.services.results import BadInput, Refused, bad_reason, lacking


@dataclass(frozen=True)
class Deactivated:
    """What the code ended. `effect`: "freed" (a seat), "settled" (a written-off host), "repeated" (booked before)."""

    license_id: str
    activation_id: str
    effect: str
    message: str
    reply: str | None = None  # to the customer, if one was asked for; it is kept with the booking


def deactivate_activation(
    *,
    license_id: str,
    code: str,
    actor: Actor,
    source: str,
    reason: str = "",
    reply: bool = False,
    envelope: Envelope | None = None,
) -> Deactivated | Refused | BadInput:
    """Frees the activation whose Chariot shows this code. Given twice, it answers the same and books once.

    With `reply`, the reply to the customer is written and kept with the booking; given again there is none to keep.
    With an `envelope` it goes into the outbox; the customer's other contacts are told that a seat was freed.
    """
    problem = lacking(actor, [Ability.DEACTIVATE]) or bad_reason(reason, due=False)
    if problem:
        return problem
    try:
        license_id = parse_public_id("LIC", license_id)
        secret = parse_deactivation_code(code)
    except CodeError as error:
        return BadInput(error.code, str(error))
    pk = License.objects.filter(license_id=license_id).values_list("pk", flat=True).first()
    if pk is None:
        return Refused("license-unknown", f"There is no license {license_id}. Check the License ID in the email.")
    with transaction.atomic():
        license = lock_license(pk)
        unsendable = not_sendable(envelope, actor) if envelope else None
        if unsendable:
            return unsendable
        held = _instance_of(license, secret)
        if held is None:
            return Refused(
                "code-unknown",
                f"The code is typed correctly, but no Chariot of {license_id} shows it. Check that the License ID "
                "belongs to it, and that the code is the whole Deactivation Request code.",
            )
        with Book(chain=license_id, actor=actor, source=source, reason=reason) as book:
            result = _apply(license, *held, book)
            if isinstance(result, Deactivated) and result.effect != "repeated":
                result = replace(result, reply=_tell(result, book, reply=reply, envelope=envelope))
            return result


def _instance_of(license: License, secret: bytes) -> tuple[Instance, str] | None:
    """The Instance of this license that committed to the secret, and its commitment (hex)."""
    said = UsageRequest.objects.filter(license=license).order_by("instance_id")
    rows = said.values_list("instance_id", "instance__thumbprint", "commitment").distinct()
    for pk, thumbprint, value in rows.iterator():
        if commitment(bytes.fromhex(thumbprint), secret).hex() == value:
            return Instance.objects.select_for_update().get(pk=pk), value
    return None


def _apply(license: License, instance: Instance, value: str, book: Book) -> Deactivated | Refused:
    mine = Activation.objects.filter(license=license, instance=instance, state__in=OCCUPYING).order_by("-id")
    freed = mine.filter(commitment=value).select_related("license", "instance").first()
    settled = _settle(license, instance, value, book)
    if freed is not None:
        return _free(freed, value, book)
    if settled:
        name = settled[0].activation_id
        return Deactivated(
            license.license_id,
            name,
            "settled",
            f"The host that was written off under activation {name} is proven deactivated; its case is closed. No seat "
            "was taken by it any more.",
        )
    earlier = RevealedCode.objects.filter(license=license, instance=instance, commitment=value)
    repeated = earlier.select_related("activation").order_by("-id").first()
    if repeated is not None:
        name = repeated.activation.activation_id
        when = f"{repeated.revealed_at:%Y-%m-%d}"
        return Deactivated(
            license.license_id,
            name,
            "repeated",
            f"This code was booked on {when} for activation {name}. Nothing changed.",
        )
    later = mine.first()
    if later is not None:
        return Refused(
            "code-outdated",
            f"The Chariot that showed this code was activated again since and holds {later.activation_id}. To free "
            "that, the customer has to press Deactivate once more and send the new code.",
        )
    return Refused(
        "no-activation-held",
        "The code belongs to a Chariot of this license that holds no activation: its Usage Request was never answered "
        "with one. There is nothing to free.",
    )


def _settle(license: License, instance: Instance, value: str, book: Book) -> list[Activation]:
    """Closes every case in which this very tenure of the Instance was written off; the activations, newest first."""
    stones = Tombstone.objects.filter(
        license=license, instance=instance, commitment=value, settled_at__isnull=True
    ).select_related("activation__license")
    found = list(stones.order_by("-placed_at", "-id"))
    for stone in found:
        tombstones.settle(stone, "deactivation code", book)
        _keep_code(stone.activation, instance, value, book)
    return [stone.activation for stone in found]


def _free(activation: Activation, value: str, book: Book) -> Deactivated:
    was_lost = activation.state == ActivationState.LOST
    if was_lost:
        tombstones.close_open_restoration(activation, "its deactivation code arrived", book)
    Activation.objects.filter(pk=activation.pk).update(
        state=ActivationState.DEACTIVATED, seat=None, changed_at=book.now
    )
    data = {
        "activation_id": activation.activation_id,
        "instance": activation.instance.thumbprint,
        "commitment": value,
    }
    book.add(Kind.ACTIVATION_DEACTIVATED, data)
    _keep_code(activation, activation.instance, value, book)
    name = activation.activation_id
    was = "lost activation" if was_lost else "activation"
    return Deactivated(
        activation.license.license_id, name, "freed", f"The {was} {name} is deactivated and its seat is free."
    )


def _tell(result: Deactivated, book: Book, *, reply: bool, envelope: Envelope | None) -> str | None:
    """The reply to who sent the code, and the news for the customer's contacts, whoever sent it."""
    activation = Activation.objects.select_related("license").get(activation_id=result.activation_id)
    freed = result.effect == "freed"
    if not reply and not (freed and notices.has_contacts(activation.license)):
        return None
    kept = replies.keep(replies.to_code(activation, freed=freed), actor=book.actor, at=book.now)
    if envelope:
        queue_reply(kept, envelope)
    if freed:
        notices.tell_contacts(kept, activation, "deactivated", but=envelope.to_address if envelope else "")
    return kept.body if reply else None


def _keep_code(activation: Activation, instance: Instance, value: str, book: Book) -> None:
    RevealedCode.objects.get_or_create(
        license=activation.license,
        commitment=value,
        activation=activation,
        epoch=instance.epoch,
        defaults={
            "instance": instance,
            "revealed_at": book.now,
            "revealed_by": book.actor.name,
        },
    )
