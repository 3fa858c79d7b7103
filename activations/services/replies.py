"""Replies to customers: writing one from the text in use, keeping it, and changing the texts.

When a reply is kept: a reply is stored as it is handed out, in the transaction of the booking that it answers. Where
nothing is booked (a damaged text, an unknown License Key, a code that was booked before) it is a draft, and stored
when the person who sends it says so. A command prints no reply, so it keeps none; only the verdict on a restoration
is kept whoever gave it, because the page of the case hands it out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TypeVar

from chariot_license.protocol.codes import find_codes
from chariot_license.protocol.errors import ProtocolError
from django.db import transaction
from django.db.models import Model

from activations.domain import letters
from activations.domain.decisions import Decision
from activations.domain.ledger import Kind
from activations.domain.letters import LETTERS, ReplyKind
from activations.domain.words import Ability, Actor, Outcome, RestorationState
from activations.models import Activation, License, Reply, ReplyText, Restoration, UsageLicense, UsageRequest
from activations.services.booking import Book, portal_book
from activations.services.case import Case
from activations.services.intake import without_secrets
from activations.services.results import BadInput, Refused, bad_letters, bad_reason, lacking

Row = TypeVar("Row", bound=Model)

ShownTexts = Mapping[str, int]  # kind of reply -> the version of its text that a person saw

LATER = "made when you confirm"
BLOCK_LATER = f"[the Usage License: {LATER}]"
SENDERS = (Ability.ISSUE, Ability.DEACTIVATE, Ability.CHANGE_LICENSE)  # one of them is enough to send a reply


@dataclass(frozen=True)
class Text:
    """The text of a kind of reply that is in use; version 0 is the one we ship."""

    kind: ReplyKind
    version: int
    body: str

    def among(self, shown: ShownTexts) -> bool:
        """Whether it was shown in this very version."""
        return shown.get(self.kind) == self.version


@dataclass(frozen=True)
class Draft:
    """A reply that was written and not kept yet, with the ids of what it is about."""

    kind: ReplyKind
    version: int
    body: str
    license_id: str = ""
    request_id: str = ""
    activation_id: str = ""
    restoration_id: str = ""


@dataclass(frozen=True)
class TextChanged:
    kind: ReplyKind
    version: int


# --- the texts ---------------------------------------------------------------------------------------------


def text_in_use(kind: ReplyKind) -> Text:
    row = ReplyText.objects.filter(kind=kind).order_by("-version").first()
    return Text(kind, row.version, row.body) if row else shipped(kind)


def shipped(kind: ReplyKind) -> Text:
    return Text(kind, 0, LETTERS[kind].shipped)


def change_text(
    *, kind: str, body: str, shown: int, actor: Actor, source: str, reason: str
) -> TextChanged | Refused | BadInput:
    """A new version of a text, in use from now on. `shown` is the version its writer started from."""
    problem = lacking(actor, [Ability.EDIT_REPLIES]) or bad_reason(reason)
    if problem:
        return problem
    named = kind_named(kind)
    if isinstance(named, BadInput):
        return named
    body = letters.tidy(body)
    unfit = bad_text(named, body)
    if unfit:
        return unfit
    with transaction.atomic(), portal_book(actor=actor, source=source, reason=reason) as book:
        latest = text_in_use(named)
        if latest.body == body:
            return Refused("text-unchanged", f"This is the text in use already, version {latest.version}.")
        if latest.version != shown:
            return Refused(
                "text-changed-since",
                f"Version {latest.version} was saved while you wrote, so yours was not. Compare the two below; save "
                "again if yours shall take its place.",
                {"version": latest.version},
            )
        version = latest.version + 1
        ReplyText.objects.create(
            kind=named, version=version, body=body, reason=book.reason, written_at=book.now, written_by=actor.name
        )
        sha256 = hashlib.sha256(body.encode()).hexdigest()
        book.add(Kind.REPLY_TEXT_CHANGED, {"kind": named.value, "version": version, "sha256": sha256})
    return TextChanged(named, version)


def kind_named(kind: str) -> ReplyKind | BadInput:
    try:
        return ReplyKind(kind)
    except ValueError:
        return BadInput("reply-unknown", f"There is no reply {kind!r}. Replies: {', '.join(ReplyKind)}.")


def bad_text(kind: ReplyKind, body: str) -> BadInput | None:
    """What is wrong with a text: its placeholders, its length, letters that nobody sees, a secret in it."""
    found = letters.fault(kind, body)
    if found:
        return BadInput(*found)
    unseen = bad_letters(body, "The text", "text-unfit", lines=True)
    if unseen:
        return unseen
    try:
        codes = find_codes(body)
    except ProtocolError as error:
        return BadInput(error.code, str(error))
    if codes.license_keys or codes.deactivation_codes:
        return BadInput(
            "text-holds-secret",
            "The text holds a License Key or a deactivation code, and every customer would get it. Take it out.",
        )
    return None


def preview(kind: ReplyKind, body: str) -> str:
    """The reply with examples in the place of what is real."""
    return letters.render(letters.tidy(body), letters.example(kind))


def not_a_sender(actor: Actor) -> Refused | None:
    """The refusal for a person who may send nothing to a customer."""
    return None if any(actor.may(ability) for ability in SENDERS) else lacking(actor, SENDERS[:1])


# --- writing a reply ---------------------------------------------------------------------------------------


def to_request(
    decision: Decision,
    *,
    license_id: str,
    request_id: str,
    host: str,
    answer: UsageLicense | None = None,
    text: Text | None = None,
) -> Draft:
    """The reply to a Usage Request as it goes out, or, while `answer` is missing, with the places of what it brings.

    Written from `text`, or from the text in use.
    """
    kind = letters.kind_for(decision)
    values = {"customer_sentence": decision.customer, "license_id": license_id, "host": _host(host)}
    activation_id = decision.activation_id or ""
    if decision.action is not None:
        if answer:
            activation_id = answer.activation.activation_id
            values |= letters.block_values(answer.text)
            values["usage_license_id"] = answer.usage_license_id
        else:
            values |= {name: f"[{what} line of the Usage License]" for name, what in _EDGES.items()}
            values |= {"block": BLOCK_LATER, "usage_license_id": f"[its id: {LATER}]"}
        values["activation_id"] = activation_id or f"[the activation: {LATER}]"
    text = text or text_in_use(kind)
    return _draft(text, values, license_id=license_id, request_id=request_id, activation_id=activation_id)


def dry_run_of_request(decision: Decision, *, license_id: str, request_id: str, host: str) -> Draft:
    """The reply that a dry run shows. A stored Usage License is named, and not shown: it goes out when it is booked."""
    answer = None
    if decision.outcome is Outcome.RESENT:
        answer = UsageLicense.objects.select_related("activation").filter(request__request_id=request_id).first()
    draft = to_request(decision, license_id=license_id, request_id=request_id, host=host, answer=answer)
    if answer is None:
        return draft
    place = f"[the Usage License {answer.usage_license_id}: here when you confirm]"
    return replace(draft, body=draft.body.replace(answer.text.strip(), place))


def damaged(lines: Iterable[int]) -> Draft:
    numbers = list(lines)
    values = {
        "customer_sentence": letters.damaged_sentence(numbers),
        "lines": letters.listed(numbers) or "the whole Usage Request",
    }
    return _draft(text_in_use(ReplyKind.DAMAGED), values)


def not_accepted(code: str, license_id: str = "") -> Draft:
    """The answer to what is no Usage Request of any license, by the code of the refusal."""
    sentence = letters.NOT_ACCEPTED.get(code, letters.UNREADABLE)
    return _draft(text_in_use(ReplyKind.NOT_ACCEPTED), {"customer_sentence": sentence}, license_id=license_id)


def to_code(activation: Activation, *, freed: bool) -> Draft:
    """Confirms a deactivation code."""
    sentence = letters.SEAT_FREED if freed else letters.DEACTIVATION_NOTED
    values = {"customer_sentence": sentence, **_about(activation)}
    return _draft(text_in_use(ReplyKind.DEACTIVATED), values, **_ids(activation))


def text_of_verdict(state: RestorationState) -> Text:
    return text_in_use(ReplyKind.RESTORED if state is RestorationState.APPROVED else ReplyKind.DENIED)


def verdict(case: Restoration, text: Text, reason: str) -> Draft:
    """What the customer reads of an approved or denied restoration."""
    values = {**_about(case.activation), "reason": without_secrets(reason)}
    return _draft(text, values, restoration_id=case.restoration_id, **_ids(case.activation))


def new_request(license_id: str, hosts: Iterable[str]) -> Draft:
    """Asks for new Usage Requests of these hosts, because the terms changed."""
    named = "\n".join(f"- {name}" for name in hosts) or "- every Chariot of this license"
    values = {"license_id": license_id, "host": named}
    return _draft(text_in_use(ReplyKind.NEW_REQUEST), values, license_id=license_id)


def features_ending(license_id: str, features: Iterable[tuple[str, date]]) -> Draft:
    """Tells that features end; `features` are (code, last day)."""
    named = "\n".join(f"- {code}: {last_day:%Y-%m-%d}" for code, last_day in features)
    return _draft(text_in_use(ReplyKind.ENDING), {"license_id": license_id, "features": named}, license_id=license_id)


def _draft(text: Text, values: dict[str, str], **about: str) -> Draft:
    return Draft(text.kind, text.version, letters.render(text.body, values), **about)


def _about(activation: Activation) -> dict[str, str]:
    return {**_ids(activation), "host": _host(activation.hostname)}


def _ids(activation: Activation) -> dict[str, str]:
    return {"license_id": activation.license.license_id, "activation_id": activation.activation_id}


def _host(name: str) -> str:
    return name or "no name given"


_EDGES = {"first_line": "first", "last_line": "last"}


# --- keeping it --------------------------------------------------------------------------------------------


def keep_answer(case: Case, answer: UsageLicense | None, text: Text) -> Reply:
    """Keeps the reply to the Usage Request that is being booked, written from this text."""
    request = case.read.request
    draft = to_request(
        case.decision,
        license_id=case.license.license_id,
        request_id=request.request_id.hex(),
        host=request.hostname,
        answer=answer,
        text=text,
    )
    return keep(draft, actor=case.book.actor, at=case.book.now)


def keep_verdict(case: Restoration, text: Text, book: Book) -> Reply:
    """Keeps what the customer of a decided restoration is told."""
    return keep(verdict(case, text, book.reason), actor=book.actor, at=book.now)


def keep(draft: Draft, *, actor: Actor, at: datetime) -> Reply:
    """Stores a reply. The caller has a transaction, and has checked what the actor may do."""
    return Reply.objects.create(
        kind=draft.kind,
        text_version=draft.version,
        body=draft.body,
        license=_row(License, "license_id", draft.license_id),
        request=_row(UsageRequest, "request_id", draft.request_id),
        activation=_row(Activation, "activation_id", draft.activation_id),
        restoration=_row(Restoration, "restoration_id", draft.restoration_id),
        written_at=at,
        written_by=actor.name,
    )


def _row(model: type[Row], field: str, name: str) -> Row | None:
    return model._default_manager.filter(**{field: name}).first() if name else None
