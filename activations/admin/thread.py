"""The mails of a conversation as its page shows them: some at a time, each with what was found in it and how that
stands. What it asks of the database does not grow with the conversation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Max, Prefetch, Q, QuerySet
from django.db.models.functions import Left
from django.http import HttpRequest

from activations.admin.access import may
from activations.admin.mail_words import STATES, checks_words, request_title
from activations.domain.words import Ability, FindingKind, IncomingState, Outcome
from activations.models import Conversation, Finding, IncomingMail, OutgoingMail
from activations.services.post.conversations import address_warnings
from activations.services.post.copies import repeated, with_first
from activations.services.post.left import SAME, Standing, left_in, standings
from activations.services.replies import SENDERS

PER_PAGE = 20  # mails
LONGEST_SHOWN = 20_000  # letters of one text; the rest is fetched when somebody asks for it
NEEDS = {FindingKind.REQUEST: (Ability.ISSUE,), FindingKind.CODE: (Ability.DEACTIVATE,), FindingKind.DAMAGED: SENDERS}
_TONES = {Outcome.ISSUED: "good", Outcome.RESENT: "good", Outcome.PENDING: "wait"}
Key = tuple[datetime, int, bool]  # when, primary key, whether it came


@dataclass(frozen=True)
class Found:
    """A finding beside its mail. `opens`: this person may go on with it; `standing`: answered, or what is due."""

    pk: int
    title: str
    tone: str
    sentence: str
    about: str
    opens: bool
    standing: Standing | None = None

    @property
    def done(self) -> bool:
        """Whether nothing is left to do with it."""
        return self.standing is not None and not self.standing.left


@dataclass(frozen=True)
class Shown:
    """A mail in or out. `text` stands on the page if `open`, `rest` is folded away; `due`: it waits for our answer;
    `cut`: it is longer than is shown; `other_sender`: it is a copy that names another sender than the first.
    """

    came: bool
    at: datetime
    mail: Any
    text: str
    rest: str
    open: bool
    due: bool
    found: list[Found]
    checks: list[tuple[str, str]]
    warning: str
    words: str = ""
    tone: str = ""
    cut: bool = False
    other_sender: bool = False


@dataclass(frozen=True)
class Thread:
    """One page of the mails, oldest first; page 1 has the newest. `left`: what waits for our answer in all of them."""

    mails: list[Shown]
    number: int
    pages: int
    total: int
    left: list[Finding]

    @property
    def older(self) -> int | None:
        return self.number + 1 if self.number < self.pages else None

    @property
    def newer(self) -> int | None:
        return self.number - 1 if self.number > 1 else None


def thread_of(request: HttpRequest, row: Conversation) -> Thread:
    """The page that the address names: `p` by its number, `mail` by a mail on it; `whole` shows one mail uncut."""
    total = row.incoming.count() + row.outgoing.count()
    pages = max(1, -(-total // PER_PAGE))
    number = min(_number(request, "p") or _page_with(row, _number(request, "mail")) or 1, pages)
    keys = _keys(row, number * PER_PAGE)[(number - 1) * PER_PAGE :]
    return Thread(_mails(request, row, keys), number, pages, total, left_in(row))


def _number(request: HttpRequest, name: str) -> int:
    given = request.GET.get(name, "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 10 else 0


def _page_with(row: Conversation, pk: int) -> int:
    at = row.incoming.filter(pk=pk).values_list("fetched_at", flat=True).first() if pk else None
    if at is None:
        return 0
    newer = row.incoming.filter(Q(fetched_at__gt=at) | Q(fetched_at=at, pk__gt=pk)).count()
    return (newer + row.outgoing.filter(queued_at__gte=at).count()) // PER_PAGE + 1


def _keys(row: Conversation, most: int) -> list[Key]:
    """The newest mails, newest first."""
    came = row.incoming.order_by("-fetched_at", "-id").values_list("fetched_at", "pk")[:most]
    went = row.outgoing.order_by("-queued_at", "-id").values_list("queued_at", "pk")[:most]
    # Of one moment ours is the later one, since it answers the other.
    keys = [*((at, pk, True) for at, pk in came), *((at, pk, False) for at, pk in went)]
    return sorted(keys, key=lambda key: (key[0], not key[2], key[1]), reverse=True)[:most]


def _mails(request: HttpRequest, row: Conversation, keys: Sequence[Key]) -> list[Shown]:
    whole = _number(request, "whole")
    incoming = _cut(row.incoming.all(), "own_text", "text").filter(pk__in=[pk for _, pk, came in keys if came])
    findings = Finding.objects.select_related("license__customer")
    mails = list(with_first(incoming).prefetch_related(Prefetch("findings", findings)))
    for mail in mails:
        if mail.pk == whole:
            mail.own_text_cut, mail.text_cut = mail.own_text, mail.text  # type: ignore[attr-defined]
    stand = standings([each for mail in mails for each in mail.findings.all()], row)
    stand |= dict.fromkeys(repeated(row, [mail for mail in mails if mail.first_pk]), SAME)  # type: ignore[attr-defined]
    # That a machine wrote it is the mail's own word: one that brings something to book is warned of all the same.
    doubtful = [mail.from_address for mail in mails if mail.findings.all() or not mail.automatic]
    warnings = address_warnings(doubtful, row.customer_id)
    answered = row.outgoing.filter(again__isnull=True).aggregate(at=Max("queued_at"))["at"]
    newest = row.incoming.order_by("-fetched_at", "-id").values_list("pk", flat=True).first()
    shown = {}
    for mail in mails:
        due = answered is None or mail.fetched_at > answered
        warning = warnings.get(mail.from_address, "") if mail.findings.all() or not mail.automatic else ""
        found = [_found(request, each, stand.get(each.pk)) for each in mail.findings.all()]
        shown[(mail.fetched_at, mail.pk, True)] = _came(mail, found, warning, due, newest=mail.pk == newest)
    outgoing = row.outgoing.filter(pk__in=[pk for _, pk, came in keys if not came])
    shown |= {(mail.queued_at, mail.pk, False): _went(mail) for mail in outgoing}
    return [shown[key] for key in reversed(keys) if key in shown]


def _cut(mails: QuerySet[IncomingMail], *names: str) -> QuerySet[IncomingMail]:
    """The mails with the beginnings of long texts (`text_cut`), which alone are fetched."""
    return mails.defer(*names).annotate(**{f"{name}_cut": Left(name, LONGEST_SHOWN + 1) for name in names})


def _came(mail: Any, found: list[Found], warning: str, due: bool, *, newest: bool) -> Shown:
    own, all_of_it = mail.own_text_cut.strip(), mail.text_cut.strip()
    text = own or all_of_it
    due = due or any(each.standing is not None and each.standing.left for each in found)
    whole = "own_text" not in mail.get_deferred_fields()
    return Shown(
        came=True,
        at=mail.fetched_at,
        mail=mail,
        text=text if whole else text[:LONGEST_SHOWN],
        rest="" if all_of_it == text else all_of_it if whole else all_of_it[:LONGEST_SHOWN],
        open=due or newest or whole,
        due=due,
        found=found,
        checks=checks_words(mail.checks),
        warning=warning,
        words="unreadable" if mail.state == IncomingState.UNREADABLE else "",
        other_sender=bool(mail.first_pk) and mail.from_address.lower() != mail.first_address.lower(),
        cut=not whole and max(len(mail.own_text_cut), len(mail.text_cut)) > LONGEST_SHOWN,
    )


def _found(request: HttpRequest, row: Finding, standing: Standing | None) -> Found:
    opens = may(request, *NEEDS[FindingKind(row.kind)]) if row.kind in NEEDS else False
    about = row.license.license_id + ", " + row.license.customer.name if row.license else ""
    if row.kind == FindingKind.REQUEST:
        title = f"Usage Request: {request_title(row.code)}"
        about = ", ".join(part for part in (row.hostname, about) if part)
        tone = _TONES.get(Outcome(row.outcome), "bad")
        return Found(row.pk, title, tone, row.sentence, about, opens, standing)
    if row.kind == FindingKind.CODE:
        sentence = "It is kept in the original only, and read out of it when you open it."
        return Found(row.pk, "A deactivation code", "wait", sentence, about, opens)
    if row.kind == FindingKind.DAMAGED:
        return Found(row.pk, "A damaged Usage Request", "bad", row.sentence, about, opens)
    return Found(row.pk, "A License ID", "quiet", "It proves nothing: anybody may name it.", about, False)


def _went(mail: OutgoingMail) -> Shown:
    body = mail.body
    if mail.attachment:
        body = body.replace(mail.attachment.strip(), f"[the Usage License, attached as {mail.attachment_name} too]")
    words, tone = STATES[mail.state]
    return Shown(False, mail.queued_at, mail, body.strip(), "", False, False, [], [], "", words, tone)
