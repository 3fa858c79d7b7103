"""Answering a Usage Request: decide under the lock, then book the decision and the signed answer, or neither."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from activations.domain.decisions import Chosen, Decision, decide, decision_digest
from activations.domain.letters import kind_for
from activations.domain.online import most_new_a_day, without_a_person
from activations.domain.words import Ability, Action, Actor, Choice, Outcome, RequestState
from activations.models import Instance, License, UsageLicense, UsageRequest
from activations.services import answering, replies
from activations.services.booking import Book, booking_time, lock_license
from activations.services.case import Case
from activations.services.claims import why_unfit
from activations.services.gathering import gather
from activations.services.intake import Authenticated, contradiction, keep_refused, read_pasted
from activations.services.post.outbox import Envelope, not_sendable, queue_reply
from activations.services.recording import lock_chains, record_end, record_request
from activations.services.results import BadInput, Refused, Unanswerable, bad_reason, lacking

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Submission:
    """What a Usage Request led to. `booked` is False for a dry run, and when the facts had changed (`stale`)."""

    decision: Decision
    digest: str
    license_id: str
    request_id: str
    repaired: tuple[int, ...]
    booked: bool
    stale: bool = False
    new_text: bool = False  # stale only because the text of the reply is another one than was shown
    activation_id: str | None = None
    usage_license_id: str | None = None
    usage_license: str | None = None  # the text block
    reply: str | None = None  # to the customer, if one was asked for; it is kept with the booking

    def as_json(self) -> dict[str, Any]:
        """As the command and the API answer."""
        decision = self.decision
        return {
            "outcome": decision.outcome.value,
            "code": decision.code,
            "message": decision.staff,
            "customer_message": decision.customer,
            "warnings": list(decision.warnings),
            "booked": self.booked,
            "digest": self.digest,
            "license_id": self.license_id,
            "request_id": self.request_id,
            "activation_id": self.activation_id,
            "usage_license_id": self.usage_license_id,
            "usage_license": self.usage_license,
            "seats_before": decision.seats_before,
            "seats_after": decision.seats_after,
            "repaired_lines": list(self.repaired),
            "options": [
                {
                    "decide": option.choice.value,
                    "activation_id": option.activation_id,
                    "ability": option.ability.value,
                    "explanation": option.explanation,
                }
                for option in decision.options
            ],
        }


def submit_usage_request(
    *,
    source: str | bytes,
    actor: Actor,
    origin: str,
    dry_run: bool = False,
    chosen: Chosen = Chosen(),
    expect: str | None = None,
    reason: str = "",
    reply: bool = False,
    shown_texts: replies.ShownTexts | None = None,
    envelope: Envelope | None = None,
    mail_key: str = "",
    unattended: bool = False,
) -> Submission | Refused | BadInput:
    """Reads a pasted Usage Request, decides, and unless it is a dry run books what was decided.

    `expect` is the digest of a dry run: if the decision or its facts are no longer the ones shown then, nothing is
    booked and the submission is `stale`. A refusal by the decision table is a Submission; Refused and BadInput are
    for what never reaches the table. `origin` says where it was booked from ("command", "desk"). With `reply`, the
    reply to the customer is written and kept with the booking, by those who hand it out; with `shown_texts` only from
    a version of its text that was shown: otherwise nothing is booked, and the submission has a `new_text`. With an
    `envelope` the reply goes into the outbox with the booking, once under its `mail_key`. `unattended`: nobody looks,
    and anybody may have sent it (services/online.py): what proves nothing is not kept, of the text only the block is,
    and asking again and again books next to nothing.
    """
    refused = lacking(actor, [Ability.ISSUE])
    if refused:
        return refused
    read = read_pasted(source)
    if not isinstance(read, Authenticated):
        if not dry_run and not unattended:
            keep_refused(source=source, problem=read, actor=actor)
        return read
    if unattended:
        read = replace(read, received=read.text)
    order = _Order(actor, origin, dry_run, chosen, expect, reason, reply, shown_texts, envelope, mail_key, unattended)
    with transaction.atomic():
        license = lock_license(read.license_pk)
        problem = contradiction(read, license)
        result = problem or _under_lock(license, read, order)
        if not (isinstance(result, Submission) and result.booked):
            # The Instance row was made to be locked; what books nothing leaves nothing.
            transaction.set_rollback(True)
    if not dry_run and not unattended and isinstance(result, Unanswerable):
        keep_refused(source=source, problem=result, actor=actor)
    return result


@dataclass(frozen=True)
class _Order:
    """What the caller asked for, apart from the request itself."""

    actor: Actor
    origin: str
    dry_run: bool
    chosen: Chosen
    expect: str | None
    reason: str
    reply: bool
    shown_texts: replies.ShownTexts | None
    envelope: Envelope | None
    mail_key: str
    unattended: bool


def _under_lock(license: License, read: Authenticated, order: _Order) -> Submission | Refused | BadInput:
    instance = _locked_instance(read, create=not order.dry_run)
    facts = gather(license, instance, read.request, timezone.now())
    decision = decide(facts, order.chosen)
    if order.unattended:
        decision = without_a_person(facts, decision, online=license.online)
    shown = Submission(
        decision=decision,
        digest=decision_digest(facts, decision),
        license_id=license.license_id,
        request_id=facts.request.request_id,
        repaired=read.repaired,
        booked=False,
        activation_id=decision.activation_id,
    )
    if decision.outcome is Outcome.ISSUED:
        unfit = why_unfit(license, read.request, booking_time(license.license_id))
        if unfit:
            return unfit
    if order.dry_run:
        return shown
    # What was shown may be the decision before the choice was made, or after it.
    if order.expect is not None and order.expect not in (shown.digest, decision_digest(facts, decide(facts))):
        return replace(shown, stale=True)
    problem = _may_book(decision, order) or _too_many_new(license, facts.request.request_id, order)
    problem = problem or (not_sendable(order.envelope, order.actor) if order.envelope else None)
    if problem:
        return problem
    text = replies.text_in_use(kind_for(decision)) if order.reply else None
    if text and order.shown_texts is not None and not text.among(order.shown_texts):
        return replace(shown, stale=True, new_text=True)
    assert instance is not None  # made above, since this is not a dry run  # noqa: S101
    lock_chains(license, instance)
    source = f"{order.origin}:request:{shown.request_id}"
    with Book(chain=license.license_id, actor=order.actor, source=source, reason=order.reason) as book:
        case = Case(license, instance, read, decision, book)
        answer = _book(case, order)
        letter = _keep_reply(case, answer, text, order) if text else None
    return replace(
        shown,
        booked=True,
        activation_id=answer.activation.activation_id if answer else decision.activation_id,
        usage_license_id=answer.usage_license_id if answer else None,
        usage_license=answer.text if answer else None,
        reply=letter,
    )


def _keep_reply(case: Case, answer: UsageLicense | None, text: replies.Text, order: _Order) -> str:
    """Keeps the reply, puts its mail into the outbox where there is somebody to send it to, and gives its words."""
    reply = replies.keep_answer(case, answer, text)
    if order.envelope is not None:
        block, name = (answer.text, answer.usage_license_id) if answer else ("", "")
        queue_reply(reply, order.envelope, block=block, name=name, key=order.mail_key)
    return reply.body


def _locked_instance(read: Authenticated, *, create: bool) -> Instance | None:
    """The Instance row, locked after the license's (Design 9.8), made on first sight unless it is a dry run."""
    thumbprint = read.request.thumbprint.hex()
    if create:
        Instance.objects.get_or_create(
            thumbprint=thumbprint,
            defaults={"public_key": read.request.instance_key, "first_seen": timezone.now()},
        )
    return Instance.objects.select_for_update().filter(thumbprint=thumbprint).first()


def _may_book(decision: Decision, order: _Order) -> Refused | BadInput | None:
    open_choices = {option.choice for option in decision.options}
    not_taken = [choice for choice in order.chosen.choices if choice not in decision.taken]
    if not_taken and not_taken[0] in open_choices:
        return BadInput(
            "activation-not-named",
            "Several activations match. Say which one is meant: "
            + ", ".join(o.activation_id or "" for o in decision.options if o.choice is not_taken[0])
            + ".",
        )
    if not_taken:
        allowed = ", ".join(sorted(open_choices)) or "none"
        return Refused(
            "choice-not-open",
            f"{not_taken[0].value!r} is not a choice for this request. Open choices: {allowed}. {decision.staff}",
        )
    refused = lacking(order.actor, decision.requires)
    if refused:
        return refused
    due = Ability.DECIDE_AS_LEAD in decision.requires or Choice.REFUSE in decision.taken
    return bad_reason(order.reason, due=due)


def _too_many_new(license: License, request_id: str, order: _Order) -> Refused | None:
    """Unattended, a license takes in so many new requests a day; those that are known are answered all the same."""
    if not order.unattended or UsageRequest.objects.filter(request_id=request_id).exists():
        return None
    today = UsageRequest.objects.filter(
        license=license, received_by=order.actor.name, received_at__gt=timezone.now() - DAY
    )
    if today.count() < most_new_a_day(license.allowed):
        return None
    return Refused(
        "too-many-new-requests",
        f"Too many new Usage Requests came in online for license {license.license_id} within a day. Nothing was kept "
        "of this one: post it again tomorrow, or send it to Support by mail.",
        {"license_id": license.license_id},
    )


def _book(case: Case, order: _Order) -> UsageLicense | None:
    request, decision = record_request(case), case.decision
    if decision.action is Action.RESEND:
        return answering.resend(request, case.book, at_most_every=DAY if order.unattended else None)
    if decision.outcome is Outcome.ISSUED:
        return answering.answer(case, request)
    state = RequestState.PENDING
    if decision.outcome is Outcome.REFUSED:
        state = RequestState.DECLINED if Choice.REFUSE in decision.taken else RequestState.REFUSED
    record_end(request, state, decision.code, case.book)
    return None
