"""The start page: what waits for this person, and what was booked today."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from activations import case_queries, mail_queries, queries
from activations.admin.access import DESK, actor_of, may
from activations.admin.base import page_of, when
from activations.admin.forms import PasteForm
from activations.admin.inbox import sender_of
from activations.admin.mail_trouble import troubles
from activations.admin.mail_words import PRIORITIES, age
from activations.admin.words import TITLES, Told, tell
from activations.domain.ledger import Kind
from activations.domain.words import Ability, Priority
from activations.ledger_queries import witness_states
from activations.models import License
from activations.services.jobs.ledger_check import last_check, last_passed
from activations.services.replies import SENDERS
from activations.services.webhooks.endpoints import in_trouble

MOST_ROWS = 10
ENDING_DAYS = 60

# What counts as an issue of the day, by the words under which it is counted.
OUTCOMES: dict[str, tuple[Kind, ...]] = {
    "issued": (Kind.USAGE_LICENSE_ISSUED,),
    "sent again": (Kind.USAGE_LICENSE_RESENT,),
    "refused": (Kind.REQUEST_REFUSED, Kind.REQUEST_DECLINED),
    "put on the desk": (Kind.REQUEST_PENDING,),
    "deactivated": (Kind.ACTIVATION_DEACTIVATED,),
    "marked lost": (Kind.ACTIVATION_LOST,),
    "restored": (Kind.ACTIVATION_RESTORED,),
}


@dataclass(frozen=True)
class Row:
    url: str
    name: str
    detail: str


@dataclass(frozen=True)
class Block:
    """A list of what waits. `all_url` leads to all of it where that is more than is shown."""

    title: str
    rows: tuple[Row, ...]
    empty: str
    all_url: str = ""


@dataclass(frozen=True)
class Booked:
    """A ledger entry of today with the license it is about."""

    told: Told
    license: License | None


def home(request: HttpRequest) -> dict[str, Any]:
    """What the start page shows to this user; nothing for an account without a role."""
    if not may(request):
        return {}
    since = timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    waiting = [block(request) for abilities, block in _BLOCKS if may(request, *abilities)]
    numbers, latest = _today(since)
    context: dict[str, Any] = {"waiting": waiting, "numbers": numbers, "latest": latest, "since": since}
    if may(request, *DESK):
        context["paste_form"] = PasteForm()
    else:
        context["search_first"] = True
    return context


def _block(title: str, found: Sequence[Any], row: Callable[[Any], Row], empty: str, all_url: str) -> Block:
    rows = tuple(row(each) for each in found[:MOST_ROWS])
    return Block(title, rows, empty, all_url if len(found) > MOST_ROWS else "")


def _first(found: QuerySet[Any]) -> list[Any]:
    """One more than is shown, to know whether there are more."""
    return list(found[: MOST_ROWS + 1])


def _list(name: str, query: str) -> str:
    return f"{reverse(f'admin:activations_{name}_changelist')}?{query}"


def _restorations(request: HttpRequest) -> Block:
    # Never one's own: a second person decides.
    cases = _first(queries.open_restorations().exclude(requested_by=actor_of(request).name))

    def row(case: Any) -> Row:
        activation = case.activation
        detail = f"{activation.license.customer.name}, {activation.hostname or 'unnamed host'}; "
        return Row(page_of(case), case.restoration_id, f"{detail}by {case.requested_by}, {when(case.requested_at)}")

    empty = "No restoration waits for your decision."
    return _block("Restorations to decide", cases, row, empty, _list("restoration", "state__exact=requested"))


def _requests(request: HttpRequest) -> Block:
    waiting = _first(queries.pending_requests())

    def row(stored: Any) -> Row:
        name = f"{stored.hostname or 'Unnamed host'}, {stored.license.customer.name}"
        why = TITLES.get(stored.code, stored.code)
        return Row(reverse("admin:desk_request", args=[stored.request_id]), name, f"{why}; {when(stored.received_at)}")

    empty = "No Usage Request waits for a decision."
    return _block("Usage Requests that wait for a person", waiting, row, empty, f"{reverse('admin:desk')}#waiting")


def _sighted(request: HttpRequest) -> Block:
    """First those of whom this person asked for the restoration or approved it."""
    mine = {row.tombstone.pk for row in case_queries.sighted_cases(actor_of(request).name)}
    seen = sorted(_first(queries.sighted_tombstones()), key=lambda tombstone: tombstone.pk not in mine)

    def row(tombstone: Any) -> Row:
        name = f"{tombstone.activation.hostname or 'Unnamed host'}, {tombstone.license.customer.name}"
        yours = "your case; " if tombstone.pk in mine else ""
        return Row(page_of(tombstone), name, f"{yours}{tombstone.tombstone_id}, asked again {when(tombstone.seen)}")

    empty = "No written-off host has asked again."
    return _block("Written-off hosts seen again", seen, row, empty, _list("tombstone", "settled_at__isempty=1"))


def _ending(request: HttpRequest) -> Block:
    endings = queries.ending_soon(timezone.now().date(), ENDING_DAYS)

    def row(ending: queries.Ending) -> Row:
        features = ", ".join(f"{code} until {last:%Y-%m-%d}" for code, last in ending.features)
        license = ending.license
        return Row(page_of(license), license.license_id, f"{license.customer.name}: {features}")

    title = f"Licenses with features that end within {ENDING_DAYS} days"
    if len(endings) > MOST_ROWS:
        title = f"{title}: the next {MOST_ROWS} of {len(endings)}"
    return _block(title, endings, row, f"No feature ends within {ENDING_DAYS} days.", "")


def _mails(request: HttpRequest) -> Block:
    waiting = _first(mail_queries.unassigned())
    now = timezone.now()

    def row(conversation: Any) -> Row:
        rank = f"{PRIORITIES[Priority(conversation.priority)]}; " if conversation.priority else ""
        detail = f"{rank}{sender_of(conversation)}, {age(conversation.waits_since, now)}"
        return Row(reverse("admin:inbox_conversation", args=[conversation.pk]), str(conversation), detail)

    return _block("Mails that nobody has claimed", waiting, row, "Every mail has somebody.", reverse("admin:inbox"))


def _stuck(request: HttpRequest) -> Block:
    """Mails of ours of which a person decides, and what keeps mails from coming in or going out."""
    found = [*troubles(), *_first(mail_queries.undecided())]

    def row(each: Any) -> Row:
        if isinstance(each, tuple):
            return Row(*each)
        return Row(page_of(each), f"{each.subject}, to {each.to_address}", f"{each.state}: {each.problem}".rstrip(": "))

    empty = "Every mail went out, and every mailbox is reached."
    return _block("Mail that needs a person", found, row, empty, _list("outgoingmail", ""))


def _ledger(request: HttpRequest) -> Block:
    """What is wrong with the ledger, or with whoever keeps its checkpoints."""
    found: list[Row] = []
    url = reverse("admin:audit_check")
    checked = last_check()
    if checked is not None and not checked.result["holds"]:
        number = checked.result["problems"]
        found.append(Row(url, "The ledger does not hold", f"{number} problem{'s'[: number != 1]} found"))
    for witness in witness_states():
        if witness.problem:
            since = f", since {when(witness.since)}" if witness.since else ""
            found.append(Row(url, f"Witness {witness.name}", f"{witness.problem}{since}"))
    passed = last_passed()
    empty = f"It last passed its check {when(passed.ended_at)}." if passed else "It was not checked yet."
    return _block("The ledger and its witnesses", found, lambda row: row, empty, url)


def _webhooks(request: HttpRequest) -> Block:
    def row(each: Any) -> Row:
        why = f"disabled: {each.state_why}" if each.state_why else f"failing since {when(each.failing_since)}"
        return Row(page_of(each), each.description or each.webhook_id, why)

    empty = "Every webhook is taken, or there is none."
    return _block("Webhooks that need a person", in_trouble(), row, empty, _list("webhookendpoint", ""))


_BLOCKS: tuple[tuple[tuple[Ability, ...], Callable[[HttpRequest], Block]], ...] = (
    ((Ability.DECIDE_RESTORATION,), _restorations),
    ((Ability.ISSUE,), _requests),
    (DESK, _sighted),
    (SENDERS, _mails),
    (SENDERS, _stuck),
    ((Ability.CREATE_LICENSE, Ability.CHANGE_LICENSE), _ending),
    ((Ability.READ_STAFF_TRAIL,), _ledger),
    ((Ability.MANAGE_STAFF,), _webhooks),
)


def _today(since: datetime) -> tuple[list[tuple[str, int]], list[Booked]]:
    """How often each outcome was booked since midnight (UTC), and the newest of them."""
    entries = queries.booked_since(since, [kind for kinds in OUTCOMES.values() for kind in kinds])
    counted = queries.numbers_by_kind(entries)
    numbers = [(words, sum(counted.get(kind, 0) for kind in kinds)) for words, kinds in OUTCOMES.items()]
    latest = list(entries[:MOST_ROWS])
    licenses = _by_id(entry.chain for entry in latest)
    return [row for row in numbers if row[1]], [Booked(tell(entry), licenses.get(entry.chain)) for entry in latest]


def _by_id(license_ids: Iterable[str]) -> dict[str, License]:
    found = License.objects.select_related("customer").filter(license_id__in=set(license_ids))
    return {license.license_id: license for license in found}
