"""Where a person stands in the tables: what is erased, what is written anew without them, and what has to stay."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.contrib.admin.models import LogEntry
from django.db.models import Model, Q, QuerySet

from activations.domain.words import IncomingState, OutgoingState
from activations.models import (
    Conversation,
    ConversationNote,
    Evidence,
    Finding,
    IncomingMail,
    IntakeEntry,
    Job,
    LedgerEntry,
    MailSource,
    OutgoingMail,
    Reply,
    SavedFilter,
    SentForm,
    UsageRequest,
)
from activations.models.privacy import ERASED
from activations.services import vault
from activations.services.mail_text import everything_in
from activations.services.post.keeping import source_of
from activations.services.privacy.person import Person

MOST_NAMED = 20  # of what stays, in one sentence
_ON_ITS_WAY = (OutgoingState.QUEUED, OutgoingState.SENDING)


@dataclass(frozen=True, order=True)
class Erase:
    """One column of a guarded row that loses its content."""

    table: str
    row: int
    column: str


@dataclass(frozen=True)
class Rewrite:
    """Columns of a row that may be changed, with what stands there then."""

    model: type[Model]
    row: int
    values: dict[str, Any]


@dataclass
class Plan:
    """A dry run. `digest` names exactly this; `stays` are sentences about what nothing can take the person out of."""

    person: Person
    erased: list[Erase] = field(default_factory=list)
    rewritten: list[Rewrite] = field(default_factory=list)
    stays: list[str] = field(default_factory=list)
    waiting: int = 0  # mails to them that are on their way
    exporting: int = 0  # exports that name them in their filter and are not done: what those book is still to come

    @property
    def counts(self) -> dict[str, int]:
        return dict(sorted(Counter(each.table for each in self.erased).items()))

    @property
    def rewritten_counts(self) -> dict[str, int]:
        return dict(sorted(Counter(str(each.model._meta.model_name) for each in self.rewritten).items()))

    @property
    def digest(self) -> str:
        shown = [
            self.person.pseudonym,
            [contact.pk for contact in self.person.contacts],
            [[each.table, each.row, each.column] for each in sorted(self.erased)],
            [[str(each.model._meta.model_name), each.row, sorted(each.values)] for each in self.rewritten],
            self.stays,
        ]
        return hashlib.sha256(json.dumps(shown).encode()).hexdigest()


def plan_for(person: Person) -> Plan:
    """Looks through every table; nothing is written."""
    plan = Plan(person)
    scope = _Scope(person)
    _contacts(plan)
    _mails(plan, scope)
    _outbox(plan, scope)
    _texts(plan, scope)
    _rest(plan, scope)
    plan.stays += _staying(person)
    plan.erased = sorted(set(plan.erased))
    return plan


class _Scope:
    """What was said with this person: their conversations, and the licenses of their companies. There one word of the
    name is enough; everywhere else it takes the address or a whole name.
    """

    def __init__(self, person: Person) -> None:
        at = person.address
        self.own = set(
            IncomingMail.objects.filter(Q(from_address__iexact=at) | Q(reply_address__iexact=at)).values_list(
                "pk", flat=True
            )
        )
        wrote = IncomingMail.objects.filter(pk__in=self.own).values("conversation")
        got = OutgoingMail.objects.filter(to_address__iexact=at).values("conversation")
        customers = [contact.customer_id for contact in person.contacts]
        self.conversations = set(
            Conversation.objects.filter(Q(pk__in=wrote) | Q(pk__in=got)).values_list("pk", flat=True)
        )
        # Colleagues of one company copy one another, so the originals of all of its mails are opened.
        self.company = self.conversations | set(
            Conversation.objects.filter(customer__in=customers).values_list("pk", flat=True)
        )
        self.customers = customers
        self.requests = set(
            Finding.objects.filter(mail__in=self.own).exclude(request_id="").values_list("request_id", flat=True)
        )


def _contacts(plan: Plan) -> None:
    """Two spellings of one address can be two contacts of a customer: then the later ones get a number."""
    seen: Counter[int] = Counter()
    for contact in plan.person.contacts:
        nth = seen[contact.customer_id]
        seen[contact.customer_id] += 1
        name = plan.person.pseudonym + (f"-{nth + 1}" if nth else "")
        email = plan.person.pseudonym_address.replace("@", f"-{nth + 1}@" if nth else "@")
        plan.rewritten.append(Rewrite(type(contact), contact.pk, {"name": name, "email": email}))


def _mails(plan: Plan, scope: _Scope) -> None:
    person = plan.person
    columns = ("subject", "text", "from_name", "from_address", "reply_address", "message_id", "in_reply_to")
    near = Q(pk__in=scope.own) | Q(conversation__in=scope.company)
    for mail in _rows(IncomingMail.objects.filter(near | person.condition(*columns)).select_related("source")):
        if mail.pk in scope.own:
            values = _of_own(person, mail)
        else:
            meant = mail.conversation_id in scope.conversations
            values = _without(person, mail, (*columns, "own_text", "attachments", "checks", "problems"), meant=meant)
        if values:
            plan.rewritten.append(Rewrite(IncomingMail, mail.pk, values))
        if bytes(mail.source.sealed) and (mail.pk in scope.own or values or _in_original(person, mail)):
            plan.erased.append(Erase("mailsource", mail.source_id, "sealed"))


def _of_own(person: Person, mail: IncomingMail) -> dict[str, Any]:
    """What remains of a mail that they wrote: that it came, when, in which conversation, and what was found in it."""
    address = person.pseudonym_address
    files = [{**file, "name": f"file {number}"} for number, file in enumerate(mail.attachments, 1)]
    values = {
        "from_name": "",
        "from_address": address if mail.from_address.lower() == person.address else ERASED,
        "reply_address": address if mail.reply_address else "",
        "subject": person.without(mail.subject, meant=True),
        "text": ERASED,
        "own_text": ERASED,
        "message_id": person.without(mail.message_id, meant=True),
        "in_reply_to": person.without(mail.in_reply_to, meant=True),
        "attachments": files,
        "checks": [],
        "problems": person.without(mail.problems, meant=True),
    }
    return {name: value for name, value in values.items() if getattr(mail, name) != value}


def _in_original(person: Person, mail: IncomingMail) -> bool:
    """An original that cannot be opened or taken apart is left: nobody can read it here either."""
    try:
        parts = list(everything_in(source_of(mail)))
    except (vault.VaultError, ValueError):
        return False
    texts = (part if isinstance(part, str) else part.decode("utf-8", "replace") for part in parts)
    return any(person.named_in(text) for text in texts)


def _outbox(plan: Plan, scope: _Scope) -> None:
    person = plan.person
    columns = ("subject", "body", "in_reply_to", "references", "problem", "to_address")
    rows = OutgoingMail.objects.filter(Q(conversation__in=scope.conversations) | person.condition(*columns))
    for mail in _rows(rows):
        to_them = mail.to_address.lower() == person.address
        plan.waiting += to_them and mail.state in _ON_ITS_WAY
        meant = to_them or mail.conversation_id in scope.conversations
        if to_them:
            plan.erased.append(Erase("outgoingmail", mail.pk, "to_address"))
        for column in ("subject", "body", "in_reply_to", "references"):
            if _holds(person, getattr(mail, column), meant=meant):
                plan.erased.append(Erase("outgoingmail", mail.pk, column))
        values = _without(person, mail, ("problem",), meant=meant)
        if values:
            plan.rewritten.append(Rewrite(OutgoingMail, mail.pk, values))


def _texts(plan: Plan, scope: _Scope) -> None:
    """Kept texts: what was pasted and answered, and what colleagues noted."""
    person = plan.person
    said = Reply.objects.filter(
        Q(mails__to_address__iexact=person.address) | Q(mails__conversation__in=scope.conversations)
    )
    theirs = {
        Reply: set(said.values_list("pk", flat=True)),
        ConversationNote: set(
            ConversationNote.objects.filter(conversation__in=scope.conversations).values_list("pk", flat=True)
        ),
        IntakeEntry: set(
            IntakeEntry.objects.filter(license__customer__in=scope.customers).values_list("pk", flat=True)
        ),
        UsageRequest: set(
            UsageRequest.objects.filter(
                Q(request_id__in=scope.requests) | Q(license__customer__in=scope.customers)
            ).values_list("pk", flat=True)
        ),
    }
    columns = {Reply: "body", ConversationNote: "text", IntakeEntry: "text", UsageRequest: "received"}
    for model, column in columns.items():
        found: QuerySet[Any] = model._default_manager.filter(person.condition(column)).only("pk", column)
        for row in _rows(found):
            if _holds(person, getattr(row, column), meant=row.pk in theirs[model]):
                plan.erased.append(Erase(str(model._meta.model_name), row.pk, column))


def _rest(plan: Plan, scope: _Scope) -> None:
    """What is no record: subjects of conversations, kept views, forms that were sent, Django's own log of changes."""
    person = plan.person
    for row in _rows(Conversation.objects.filter(Q(pk__in=scope.conversations) | person.condition("subject"))):
        values = _without(person, row, ("subject",), meant=row.pk in scope.conversations)
        if values:
            plan.rewritten.append(Rewrite(Conversation, row.pk, values))
    looked: list[tuple[type[Model], tuple[str, ...]]] = [
        (Finding, ("sentence",)),
        (SavedFilter, ("name", "query")),
        (SentForm, ("booked", "page")),
        (LogEntry, ("object_repr", "change_message")),
    ]
    searched = [(model._default_manager.filter(person.condition(*columns)), columns) for model, columns in looked]
    # Of JSON no part can be searched for on both databases; jobs are few.
    ended = Job.objects.filter(ended_at__isnull=False)
    waiting = Job.objects.filter(ended_at__isnull=True)
    plan.exporting = sum(person.named_in(json.dumps(job.asked_for, ensure_ascii=False)) for job in waiting)
    for found, columns in [*searched, (ended, ("asked_for", "result", "problem"))]:
        for row in _rows(found):
            values = _without(person, row, columns)
            if values:
                plan.rewritten.append(Rewrite(found.model, row.pk, values))


def _staying(person: Person) -> list[str]:
    """What is hashed, or is no text."""
    named = [
        f"{entry.chain} {entry.seq}"
        for entry in _rows(LedgerEntry.objects.filter(person.condition("body")))
        if person.named_in(entry.body)
    ]
    files = [
        f"{row.name} of {row.restoration.restoration_id}"
        for row in _rows(Evidence.objects.filter(restoration__activation__license__customer__in=_customers(person)))
        if person.named_in(row.name) or person.named_in(bytes(row.content).decode("utf-8", "replace"))
    ]
    made = Job.objects.filter(parts__isnull=False).distinct().count()
    unread = IncomingMail.objects.filter(state=IncomingState.STORED).count()
    stays = []
    if named:
        stays.append(f"Entries of the ledger that name them, which no power can change: {_listed(named)}.")
    if files:
        stays.append(f"Evidence that names them, whose digest is in the ledger: {_listed(files)}.")
    if made:
        stays.append(f"Files of exports that can still be fetched, until the portal deletes them by itself: {made}.")
    if unread:
        stays.append(f"Mails that are not read yet, which nobody has looked into: {unread}. Run this again later.")
    return stays


def _customers(person: Person) -> list[int]:
    return [contact.customer_id for contact in person.contacts]


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _holds(person: Person, text: str, *, meant: bool) -> bool:
    return person.meant_in(text) if meant else person.named_in(text)


def _without(person: Person, row: Any, columns: Iterable[str], *, meant: bool = False) -> dict[str, Any]:
    """The columns that name the person, with their pseudonym instead."""
    found = {}
    for column in columns:
        before = getattr(row, column)
        after = person.without(before, meant=meant)
        if after != before:
            limit = getattr(row._meta.get_field(column), "max_length", None)
            found[column] = after[:limit] if isinstance(after, str) and limit else after
    return found


def _rows(found: QuerySet[Any]) -> Iterator[Any]:
    yield from found.order_by("pk").iterator(200)


# What `Erase.table` names.
TABLES: dict[str, type[Model]] = {
    str(model._meta.model_name): model
    for model in (MailSource, Reply, ConversationNote, IntakeEntry, UsageRequest, OutgoingMail)
}
