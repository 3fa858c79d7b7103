"""A server destroyed without deactivating, and the reviewed case that gives its activation back."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from chariot_license.protocol.codes import format_public_id
from django.db import transaction

from activations.domain.ledger import Kind
from activations.domain.words import Ability, ActivationState, Actor, RestorationState, TombstoneKind
from activations.models import Activation, Restoration
from activations.services import tombstones
from activations.services.booking import Book, lock_license
from activations.services.results import BadInput, Refused, bad_reason, lacking, public_id


@dataclass(frozen=True)
class MarkedLost:
    license_id: str
    activation_id: str


@dataclass(frozen=True)
class RestorationCase:
    """A restoration as it stands after the use case. `state` is requested, approved or denied."""

    restoration_id: str
    activation_id: str
    license_id: str
    state: str


def mark_lost(*, activation_id: str, actor: Actor, source: str, reason: str) -> MarkedLost | Refused | BadInput:
    """The host is gone and was not deactivated: its activation is lost and keeps its seat."""
    problem = lacking(actor, [Ability.MARK_LOST]) or bad_reason(reason)
    if problem:
        return problem
    named = public_id("ACT", activation_id)
    if isinstance(named, BadInput):
        return named
    with _locked(named, actor, source, reason) as (activation, book):
        if activation is None:
            return _unknown_activation(named)
        if activation.state != ActivationState.ACTIVE:
            return Refused(
                "not-active", f"Activation {named} is {activation.state}; only an active one can be marked as lost."
            )
        Activation.objects.filter(pk=activation.pk).update(state=ActivationState.LOST, changed_at=book.now)
        book.add(Kind.ACTIVATION_LOST, {"activation_id": named})
        return MarkedLost(activation.license.license_id, named)


def request_restoration(
    *, activation_id: str, actor: Actor, source: str, reason: str
) -> RestorationCase | Refused | BadInput:
    """Opens the case of a lost activation. `reason` is what happened, in the customer's words."""
    problem = lacking(actor, [Ability.REQUEST_RESTORATION]) or bad_reason(reason)
    if problem:
        return problem
    named = public_id("ACT", activation_id)
    if isinstance(named, BadInput):
        return named
    with _locked(named, actor, source, reason) as (activation, book):
        if activation is None:
            return _unknown_activation(named)
        if activation.state != ActivationState.LOST:
            return Refused("not-lost", f"Activation {named} is {activation.state}; only a lost one can be restored.")
        case = activation.restorations.filter(state=RestorationState.REQUESTED).first()
        if case is not None:
            return Refused("restoration-open", f"Case {case.restoration_id} is open for this activation already.")
        case = Restoration.objects.create(
            restoration_id=format_public_id("RES", secrets.token_bytes(10)),
            activation=activation,
            state=RestorationState.REQUESTED,
            requested_by=actor.name,
            requested_at=book.now,
            reason=reason,
        )
        data = {"restoration_id": case.restoration_id, "activation_id": named}
        book.add(Kind.RESTORATION_REQUESTED, data)
        return _case(case, activation, RestorationState.REQUESTED)


def approve_restoration(
    *, restoration_id: str, actor: Actor, source: str, reason: str
) -> RestorationCase | Refused | BadInput:
    """Gives the seat back. By another person than who requested it; the host gets a tombstone."""
    return _decide(restoration_id, actor, source, reason, RestorationState.APPROVED)


def deny_restoration(
    *, restoration_id: str, actor: Actor, source: str, reason: str
) -> RestorationCase | Refused | BadInput:
    """The activation stays lost and keeps its seat. By another person than who requested it."""
    return _decide(restoration_id, actor, source, reason, RestorationState.DENIED)


def _decide(
    restoration_id: str, actor: Actor, source: str, reason: str, verdict: RestorationState
) -> RestorationCase | Refused | BadInput:
    problem = lacking(actor, [Ability.DECIDE_RESTORATION]) or bad_reason(reason)
    if problem:
        return problem
    named = public_id("RES", restoration_id)
    if isinstance(named, BadInput):
        return named
    cases = Restoration.objects.filter(restoration_id=named)
    activation_id = cases.values_list("activation__activation_id", flat=True).first()
    if activation_id is None:
        return BadInput("restoration-unknown", f"There is no restoration case {named}.")
    with _locked(activation_id, actor, source, reason) as (activation, book):
        case = cases.get()
        refused = _not_decidable(case, activation, actor)
        if refused or activation is None:
            return refused or _unknown_activation(activation_id)
        Restoration.objects.filter(pk=case.pk).update(
            state=verdict, decided_by=actor.name, decided_at=book.now, decision_reason=reason
        )
        data = {"restoration_id": named, "activation_id": activation_id}
        if verdict is RestorationState.DENIED:
            book.add(Kind.RESTORATION_DENIED, data)
        else:
            book.add(Kind.RESTORATION_APPROVED, data)
            _restore(activation, case, book)
        return _case(case, activation, verdict)


def _not_decidable(case: Restoration, activation: Activation | None, actor: Actor) -> Refused | None:
    if case.state != RestorationState.REQUESTED:
        return Refused("restoration-decided", f"Case {case.restoration_id} is {case.state} already.")
    if case.requested_by == actor.name:
        return Refused("same-person", "You opened this case, so another person must decide it.")
    if activation is not None and activation.state != ActivationState.LOST:
        return Refused("not-lost", f"Activation {activation.activation_id} is {activation.state} now, not lost.")
    return None


def _restore(activation: Activation, case: Restoration, book: Book) -> None:
    Activation.objects.filter(pk=activation.pk).update(state=ActivationState.RESTORED, seat=None, changed_at=book.now)
    data = {"activation_id": activation.activation_id, "restoration_id": case.restoration_id}
    book.add(Kind.ACTIVATION_RESTORED, data)
    tombstones.place(activation, TombstoneKind.RESTORED, book, restoration=case)


@contextmanager
def _locked(activation_id: str, actor: Actor, source: str, reason: str) -> Iterator[tuple[Activation | None, Book]]:
    """The activation read under its license's lock, and the book to write in; one transaction."""
    license_pk = Activation.objects.filter(activation_id=activation_id).values_list("license_id", flat=True).first()
    with transaction.atomic():
        chain = "" if license_pk is None else lock_license(license_pk).license_id
        book = Book(chain=chain, actor=actor, source=source, reason=reason)
        if license_pk is None:
            yield None, book
            return
        with book:
            yield (
                Activation.objects.select_related("license", "instance").get(activation_id=activation_id),
                book,
            )


def _unknown_activation(activation_id: str) -> BadInput:
    return BadInput("activation-unknown", f"There is no activation {activation_id}.")


def _case(case: Restoration, activation: Activation, state: RestorationState) -> RestorationCase:
    return RestorationCase(case.restoration_id, activation.activation_id, activation.license.license_id, state.value)
