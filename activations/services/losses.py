"""A server destroyed without deactivating, and the reviewed case that gives its activation back."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from chariot_license.protocol.codes import format_public_id
from django.db import transaction

from activations.domain.ledger import Kind
from activations.domain.restoring import Quota
from activations.domain.words import Ability, ActivationState, Actor, RestorationState, TombstoneKind
from activations.models import Activation, Instance, Restoration
from activations.services import quota, replies, tombstones
from activations.services.booking import Book, lock_license
from activations.services.post import notices
from activations.services.results import BadInput, Refused, bad_reason, lacking, public_id
from activations.services.tokens import people_behind


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
            reason=book.reason,
        )
        data = {"restoration_id": case.restoration_id, "activation_id": named}
        book.add(Kind.RESTORATION_REQUESTED, data)
        return _case(case, activation, RestorationState.REQUESTED)


def approve_restoration(
    *,
    restoration_id: str,
    actor: Actor,
    source: str,
    reason: str,
    override: bool = False,
    shown_text: int | None = None,
) -> RestorationCase | Refused | BadInput:
    """Gives the seat back. By another person than who requested it; the host gets a tombstone.

    A customer whose yearly quota is reached gets no more unless `override` says so; that is booked with the approval.
    `shown_text` is the version of the reply's text that was shown: with another one in use, nothing is booked.
    """
    with _open_case(restoration_id, actor, source, reason, counted=True) as found:
        if isinstance(found, Refused | BadInput):
            return found
        used = quota.quota_of(found.activation.license.customer_id, found.book.now)
        if used.reached and not override:
            return _quota_reached(found.activation, used)
        above = {"above_quota": {"count": used.count, "quota": used.allowed}} if used.reached else {}
        changed = found.decide(RestorationState.APPROVED, Kind.RESTORATION_APPROVED, shown_text, above)
        if changed:
            return changed
        _restore(found.activation, found.case, found.book)
        return _case(found.case, found.activation, RestorationState.APPROVED)


def deny_restoration(
    *, restoration_id: str, actor: Actor, source: str, reason: str, shown_text: int | None = None
) -> RestorationCase | Refused | BadInput:
    """The activation stays lost and keeps its seat. By another person than who requested it. `shown_text` as above."""
    with _open_case(restoration_id, actor, source, reason) as found:
        if isinstance(found, Refused | BadInput):
            return found
        changed = found.decide(RestorationState.DENIED, Kind.RESTORATION_DENIED, shown_text, {})
        if changed:
            return changed
        return _case(found.case, found.activation, RestorationState.DENIED)


@dataclass(frozen=True)
class _OpenCase:
    """A case that this actor may decide, under its license's lock, and the book to write in."""

    case: Restoration
    activation: Activation
    book: Book

    def decide(
        self, verdict: RestorationState, kind: Kind, shown_text: int | None, more: dict[str, Any]
    ) -> Refused | None:
        """Books the verdict and keeps its reply; or neither, if the text of the reply is not the one that was shown."""
        text = replies.text_of_verdict(verdict)
        if shown_text not in (None, text.version):
            return Refused(
                "reply-text-changed",
                "The text of the reply was changed since you looked, so nothing was booked. Read the new reply below; "
                "press the button again if it shall go out.",
                {"version": text.version},
            )
        Restoration.objects.filter(pk=self.case.pk).update(
            state=verdict,
            decided_by=self.book.actor.name,
            decided_at=self.book.now,
            decision_reason=self.book.reason,
            above_quota=bool(more),
        )
        names = {"restoration_id": self.case.restoration_id, "activation_id": self.activation.activation_id}
        self.book.add(kind, {**names, **more})
        reply = replies.keep_verdict(self.case, text, self.book)
        if verdict is RestorationState.APPROVED:
            notices.tell_contacts(reply, self.activation, "restored")
        return None


@contextmanager
def _open_case(
    restoration_id: str, actor: Actor, source: str, reason: str, *, counted: bool = False
) -> Iterator[_OpenCase | Refused | BadInput]:
    """The case, or why this actor cannot decide it. `counted`: against the quota, so the customer is locked too."""
    problem = lacking(actor, [Ability.DECIDE_RESTORATION]) or bad_reason(reason)
    if problem:
        yield problem
        return
    named = public_id("RES", restoration_id)
    if isinstance(named, BadInput):
        yield named
        return
    cases = Restoration.objects.filter(restoration_id=named)
    activation_id = cases.values_list("activation__activation_id", flat=True).first()
    if activation_id is None:
        yield BadInput("restoration-unknown", f"There is no restoration case {named}.")
        return
    with _locked(activation_id, actor, source, reason, customer_too=counted) as (activation, book):
        case = cases.get()
        refused = _not_decidable(case, activation, actor)
        if refused or activation is None:
            yield refused or _unknown_activation(activation_id)
        else:
            yield _OpenCase(case, activation, book)


def _quota_reached(activation: Activation, used: Quota) -> Refused:
    return Refused(
        "quota-reached",
        f"{activation.license.customer.name} has {used.words}. To approve this one all the same, say that it goes "
        "above the quota, and in the reason why.",
        {"count": used.count, "quota": used.allowed},
    )


def _not_decidable(case: Restoration, activation: Activation | None, actor: Actor) -> Refused | None:
    if case.state != RestorationState.REQUESTED:
        return Refused("restoration-decided", f"Case {case.restoration_id} is {case.state} already.")
    if actor.name in people_behind(case.requested_by):
        by_token = f"{case.requested_by}, which you answer for or made, opened"
        how = "You opened" if actor.name == case.requested_by else by_token
        return Refused("same-person", f"{how} this case, so another person must decide it.")
    if activation is not None and activation.state != ActivationState.LOST:
        return Refused("not-lost", f"Activation {activation.activation_id} is {activation.state} now, not lost.")
    return None


def _restore(activation: Activation, case: Restoration, book: Book) -> None:
    Activation.objects.filter(pk=activation.pk).update(state=ActivationState.RESTORED, seat=None, changed_at=book.now)
    data = {"activation_id": activation.activation_id, "restoration_id": case.restoration_id}
    book.add(Kind.ACTIVATION_RESTORED, data)
    tombstones.place(activation, TombstoneKind.RESTORED, book, restoration=case)


@contextmanager
def _locked(
    activation_id: str, actor: Actor, source: str, reason: str, *, customer_too: bool = False
) -> Iterator[tuple[Activation | None, Book]]:
    """The activation read under its license's lock, and the book to write in; one transaction."""
    license_pk = Activation.objects.filter(activation_id=activation_id).values_list("license_id", flat=True).first()
    with transaction.atomic():
        chain = ""
        if license_pk is not None:
            license = lock_license(license_pk)
            chain = license.license_id
            if customer_too:
                quota.lock_customer(license.customer_id)
            # Before the chain (Design 9.8): a request of this Chariot under another license locks it, then this chain.
            held_by = Activation.objects.filter(activation_id=activation_id).values("instance")
            Instance.objects.select_for_update().get(pk__in=held_by)
        book = Book(chain=chain, actor=actor, source=source, reason=reason)
        if license_pk is None:
            yield None, book
            return
        with book:
            yield (
                Activation.objects.select_related("license__customer", "instance").get(activation_id=activation_id),
                book,
            )


def _unknown_activation(activation_id: str) -> BadInput:
    return BadInput("activation-unknown", f"There is no activation {activation_id}.")


def _case(case: Restoration, activation: Activation, state: RestorationState) -> RestorationCase:
    return RestorationCase(case.restoration_id, activation.activation_id, activation.license.license_id, state.value)
