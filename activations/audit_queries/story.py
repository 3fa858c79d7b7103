"""The story of one activation, with every text exactly as it was received and sent. A fixed number of queries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Prefetch, Q

from activations.audit_queries.bodies import data_in, data_of
from activations.domain.ledger import Kind
from activations.domain.letters import ReplyKind
from activations.domain.words import FindingKind, RequestState
from activations.models import (
    Activation,
    Evidence,
    Finding,
    IncomingMail,
    LedgerEntry,
    OutgoingMail,
    Reply,
    Restoration,
    Sighting,
    Tombstone,
    UsageLicense,
    UsageRequest,
)

CHUNK = 2000
# These name a Usage Request, but no activation.
_OF_REQUESTS = (
    Kind.REQUEST_RECEIVED,
    Kind.REQUEST_REFUSED,
    Kind.REQUEST_PENDING,
    Kind.REQUEST_DECLINED,
    Kind.BACKUP_ACCEPTED,
    Kind.USAGE_LICENSE_RESENT,
    Kind.TOMBSTONE_SIGHTED,
)


@dataclass(frozen=True)
class Text:
    """A text exactly as it was received or sent."""

    name: str
    content: str


@dataclass(frozen=True)
class Chapter:
    """A moment of the story: one of an entry, a reply that was written, a mail that came or one that went; with the
    texts it is about. `request`, `case` and `files` are what an entry tells of. `no_text`: an entry about a text that
    is kept nowhere.
    """

    at: datetime
    entry: LedgerEntry | None = None
    reply: Reply | None = None
    came: IncomingMail | None = None
    went: OutgoingMail | None = None
    texts: Sequence[Text] = ()
    request: UsageRequest | None = None
    case: Restoration | None = None
    files: Sequence[Evidence] = ()
    no_text: bool = False


@dataclass(frozen=True)
class Story:
    """`chapters` oldest first. `cases` with their evidence, newest first; `stones` are the hosts that were written off
    under this activation, with the requests by which they were seen again.
    """

    chapters: Sequence[Chapter]
    cases: Sequence[Restoration]
    stones: Sequence[Tombstone]


@dataclass
class _Rows:
    """What the story is about, by the ids that entries name it by."""

    activation: Activation
    cases: dict[str, Restoration]
    stones: dict[str, Tombstone]
    licenses: dict[str, UsageLicense]
    requests: dict[str, UsageRequest]
    code_mails: list[IncomingMail] = field(default_factory=list)

    def concerns(self, kind: str, data: dict[str, Any]) -> bool:
        """Whether an entry of the license belongs to the story."""
        if kind in _OF_REQUESTS:
            return data["request_id"] in self.requests or data.get("tombstone_id") in self.stones
        return (
            data.get("activation_id") == self.activation.activation_id
            or data.get("restoration_id") in self.cases
            or data.get("tombstone_id") in self.stones
        )


def story_of(activation: Activation) -> Story:
    """Everything the ledger says of an activation, of the Usage Requests that it answered and of those of the same
    Chariot that nobody answered; with the mails that came and went about them.
    """
    rows = _rows(activation)
    replies = list(_replies(rows))
    went = list(OutgoingMail.objects.filter(reply__in=replies).select_related("reply").order_by("queued_at", "id"))
    came, rows.code_mails = _incoming(rows, went)
    told = [Chapter(mail.fetched_at, came=mail, texts=_mail_texts(mail)) for mail in came]
    told += [_told(entry, rows) for entry in _entries(rows)]
    told += [Chapter(reply.written_at, reply=reply, texts=[Text("The reply", reply.body)]) for reply in replies]
    told += [Chapter(mail.queued_at, went=mail, texts=_sent_texts(mail)) for mail in went]
    # Stable: what answers follows what it answers, where both are of one moment.
    chapters = sorted(told, key=lambda chapter: chapter.at)
    return Story(chapters, list(rows.cases.values()), list(rows.stones.values()))


def _rows(activation: Activation) -> _Rows:
    evidence = Prefetch("evidence", Evidence.objects.defer("content"))
    cases = Restoration.objects.filter(activation=activation).prefetch_related(evidence)
    seen = Prefetch("sightings", Sighting.objects.select_related("request"))
    stones = list(Tombstone.objects.filter(activation=activation).prefetch_related(seen))
    licenses = list(UsageLicense.objects.filter(activation=activation).select_related("request"))
    requests = {each.request.request_id: each.request for each in licenses}
    requests |= {each.request.request_id: each.request for stone in stones for each in stone.sightings.all()}
    chariots = {activation.instance_id, *(stone.instance_id for stone in stones)}
    chariots |= {each.request.instance_id for each in licenses}
    # What the same Chariot asked under this license and nobody answered: an answered one has a story of its own.
    other = UsageRequest.objects.filter(license=activation.license_id, instance__in=chariots)
    requests |= {each.request_id: each for each in other.exclude(state=RequestState.ANSWERED)}
    return _Rows(
        activation,
        {case.restoration_id: case for case in cases},
        {stone.tombstone_id: stone for stone in stones},
        {each.usage_license_id: each for each in licenses},
        requests,
    )


def _entries(rows: _Rows) -> Iterator[LedgerEntry]:
    """The entries of the license that tell of it, in order."""
    chain = LedgerEntry.objects.filter(chain=rows.activation.license.license_id)
    # The requests are looked for here: a Chariot may have made more of them than a statement has room for.
    named = Q(kind__in=_OF_REQUESTS)
    for name in (rows.activation.activation_id, *rows.cases, *rows.stones):
        named |= Q(body__contains=f'"{name}"')
    told = chain.filter(named).order_by("seq").values_list("pk", "kind", "body").iterator(CHUNK)
    pks = [pk for pk, kind, body in told if rows.concerns(kind, data_in(body))]
    found = LedgerEntry.objects.in_bulk(pks)
    return (found[pk] for pk in pks)


def _replies(rows: _Rows) -> Iterable[Reply]:
    requests = [request.pk for request in rows.requests.values()]
    cases = [case.pk for case in rows.cases.values()]
    about = Q(activation=rows.activation) | Q(request__in=requests) | Q(restoration__in=cases)
    return Reply.objects.filter(about).order_by("written_at", "id")


def _incoming(rows: _Rows, went: Iterable[OutgoingMail]) -> tuple[list[IncomingMail], list[IncomingMail]]:
    """The mails that brought one of the requests, or a deactivation code that was answered in their conversation; and
    the latter alone.
    """
    # No table keeps a code, so no mail says whose code it brought: where it was answered does.
    answered = {
        mail.conversation_id: mail.queued_at
        for mail in went
        if mail.conversation_id and mail.reply and mail.reply.kind == ReplyKind.DEACTIVATED
    }
    brought = Finding.objects.filter(license=rows.activation.license_id, request_id__in=list(rows.requests))
    named = set(brought.values_list("mail", flat=True))
    with_code = Finding.objects.filter(kind=FindingKind.CODE, mail__conversation__in=list(answered))
    brought_codes = with_code.order_by("mail__fetched_at", "mail").values_list(
        "mail__conversation", "mail", "mail__fetched_at"
    )
    codes = set({place: pk for place, pk, at in brought_codes if at <= answered[place]}.values())  # the newest of each
    mails = IncomingMail.objects.filter(pk__in=named | codes).select_related("source", "conversation")
    found = list(mails.defer("source__sealed").order_by("fetched_at", "id"))
    return found, [mail for mail in found if mail.pk in codes]


def _told(entry: LedgerEntry, rows: _Rows) -> Chapter:
    data = data_of(entry)
    request = rows.requests.get(data.get("request_id", ""))
    case = rows.cases.get(data.get("restoration_id") or "")
    texts: list[Text] = []
    files: list[Evidence] = []
    if entry.kind == Kind.REQUEST_RECEIVED and request is not None:
        texts = [Text("As it was received", request.received), Text("The Usage Request in it", request.text)]
    elif entry.kind == Kind.USAGE_LICENSE_ISSUED and data["usage_license_id"] in rows.licenses:
        texts = [Text("The Usage License that was sent", rows.licenses[data["usage_license_id"]].text)]
    elif entry.kind == Kind.EVIDENCE_ADDED and case is not None:
        files = [file for file in case.evidence.all() if file.sha256 == data["sha256"]]
    elif _by_code(entry.kind, data):
        brought = [mail for mail in rows.code_mails if mail.fetched_at <= entry.at]
        texts = [
            Text(f"The mail of {mail.fetched_at:%Y-%m-%d %H:%M} that brought the code", mail.text) for mail in brought
        ]
    no_text = _by_code(entry.kind, data) and not texts
    return Chapter(entry.at, entry=entry, texts=texts, request=request, case=case, files=files, no_text=no_text)


def _by_code(kind: str, data: dict[str, Any]) -> bool:
    settled = kind == Kind.TOMBSTONE_SETTLED and data["how"] == "deactivation code"
    return settled or kind == Kind.ACTIVATION_DEACTIVATED


def _mail_texts(mail: IncomingMail) -> list[Text]:
    return [Text("As it was received", mail.text)]


def _sent_texts(mail: OutgoingMail) -> list[Text]:
    texts = [Text("The mail", mail.body)]
    return texts + ([Text(f"Attached as {mail.attachment_name}", mail.attachment)] if mail.attachment else [])
