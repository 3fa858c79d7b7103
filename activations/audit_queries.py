"""Reads for auditors, from the ledger: what stands out, who decided what, figures by month, the story of an activation.

Nothing here locks, decides or writes.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db.models import Count, Max, Q, QuerySet
from django.db.models.functions import ExtractHour, TruncDate, TruncMonth

from activations.domain.estate import COUNTED, Estate
from activations.domain.ledger import Kind
from activations.models import Activation, LedgerEntry, Reply, UsageLicense, UsageRequest

CHUNK = 2000
MOST_SHOWN = 20
NIGHT = (22, 6)  # from this hour to that one, UTC
MANY_A_DAY = 25  # Usage Licenses issued by one person in a day that are worth a look

# What a person let through although a rule asked for a second look.
OVERRIDES = (Kind.ACTIVATION_REBOUND, Kind.BACKUP_ACCEPTED, Kind.TOMBSTONE_SETTLED)
DECISIONS = (
    Kind.RESTORATION_APPROVED,
    Kind.RESTORATION_DENIED,
    *OVERRIDES,
    Kind.ACTIVATION_REINSTALLED,
    Kind.ACTIVATION_FOUND,
    Kind.REQUEST_DECLINED,
    Kind.LICENSE_CREATED,
    Kind.LICENSE_ALLOWED_CHANGED,
    Kind.LICENSE_TERMS_CHANGED,
    Kind.LICENSE_SUSPENDED,
    Kind.LICENSE_REINSTATED,
    Kind.LICENSE_REVOKED,
    Kind.LICENSE_TRANSFERRED,
    Kind.LICENSE_KEY_REPLACED,
)
ISSUES = (Kind.USAGE_LICENSE_ISSUED,)


@dataclass(frozen=True)
class Standout:
    """One kind of thing worth a look: how often it happened, and the newest entries. `groups` counts by whom and when
    where single entries say little.
    """

    name: str
    count: int
    entries: Sequence[LedgerEntry] = ()
    groups: Sequence[tuple[str, str, int]] = ()  # actor, day, how many


def standouts(since: datetime) -> list[Standout]:
    """What an auditor asks about first, since then; each kind is there even if it did not happen."""
    entries = LedgerEntry.objects.filter(at__gte=since)
    return [
        _found("above-quota", entries.filter(kind=Kind.RESTORATION_APPROVED, body__contains='"above_quota":')),
        _found("sightings", entries.filter(kind=Kind.TOMBSTONE_SIGHTED)),
        _found("overrides", entries.filter(kind__in=OVERRIDES)),
        _many_by_one(entries.filter(kind__in=ISSUES)),
        _at_night(entries.filter(kind__in=ISSUES)),
        _found("keys-shown", entries.filter(kind=Kind.LICENSE_KEY_SHOWN)),
        _found("exports", entries.filter(kind__in=(Kind.LEDGER_EXPORTED, Kind.LIST_EXPORTED))),
    ]


def _found(name: str, entries: QuerySet[LedgerEntry]) -> Standout:
    return Standout(name, entries.count(), list(entries.order_by("-at", "-id")[:MOST_SHOWN]))


def _many_by_one(entries: QuerySet[LedgerEntry]) -> Standout:
    days = entries.order_by().values_list("actor").annotate(day=TruncDate("at"), number=Count("pk"))
    many = days.filter(number__gte=MANY_A_DAY)
    return Standout("many-by-one", len(many), groups=_groups(many))


def _at_night(entries: QuerySet[LedgerEntry]) -> Standout:
    late, early = NIGHT
    dark = entries.annotate(hour=ExtractHour("at")).filter(Q(hour__gte=late) | Q(hour__lt=early))
    days = dark.order_by().values_list("actor").annotate(day=TruncDate("at"), number=Count("pk"))
    return Standout("at-night", dark.count(), groups=_groups(days))


def _groups(rows: Iterable[tuple[str, date, int]]) -> list[tuple[str, str, int]]:
    found = [(actor, day.isoformat(), number) for actor, day, number in rows]
    return sorted(found, key=lambda row: (row[1], row[2]), reverse=True)[:MOST_SHOWN]


@dataclass(frozen=True)
class Decided:
    """A decision of a person, and who had asked for it where that was another one."""

    entry: LedgerEntry
    asked_by: str


def decisions(since: datetime, until: datetime, *, actor: str = "", newest: int = 200) -> list[Decided]:
    """What people decided, newest first, with who requested each restoration."""
    entries = LedgerEntry.objects.filter(at__gte=since, at__lte=until, kind__in=DECISIONS)
    if actor:
        entries = entries.filter(actor=actor)
    found = list(entries.order_by("-at", "-id")[:newest])
    cases = {_data(entry)["restoration_id"] for entry in found if entry.kind in _CASES}
    requested = LedgerEntry.objects.filter(
        kind=Kind.RESTORATION_REQUESTED, chain__in={entry.chain for entry in found if entry.kind in _CASES}
    )
    asked = {_data(entry)["restoration_id"]: entry.actor for entry in requested} if cases else {}
    return [Decided(entry, asked.get(_data(entry).get("restoration_id", ""), "")) for entry in found]


_CASES = (Kind.RESTORATION_APPROVED, Kind.RESTORATION_DENIED)


def _data(entry: LedgerEntry) -> dict[str, str]:
    data: dict[str, str] = json.loads(entry.body)["data"]
    return data


@dataclass
class Month:
    """A month in numbers; seats are as they stood at its end (or now), the rest is what happened in it."""

    first: date
    allowed: int = 0
    active: int = 0
    lost: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def issued(self) -> int:
        return self.counts[Kind.USAGE_LICENSE_ISSUED]

    @property
    def restored(self) -> int:
        return self.counts[Kind.RESTORATION_APPROVED]

    @property
    def denied(self) -> int:
        return self.counts[Kind.RESTORATION_DENIED]


def months(last: int, now: datetime, chains: Sequence[str] | None = None) -> list[Month]:
    """The last months, this one included, oldest first: of all licenses, or of the chains that are named."""
    entries = LedgerEntry.objects.all() if chains is None else LedgerEntry.objects.filter(chain__in=chains)
    firsts = _firsts(last, now.date())
    found = {first: Month(first) for first in firsts}
    kinds = (Kind.USAGE_LICENSE_ISSUED, Kind.RESTORATION_APPROVED, Kind.RESTORATION_DENIED)
    happened = entries.filter(kind__in=kinds, at__date__gte=firsts[0]).order_by()
    for month, kind, number in (
        happened.annotate(month=TruncMonth("at")).values_list("month", "kind").annotate(Count("pk"))
    ):
        if month.date() in found:
            found[month.date()].counts[kind] += number
    _seats(entries, found)
    return list(found.values())


def _firsts(last: int, today: date) -> list[date]:
    firsts = [today.replace(day=1)]
    while len(firsts) < last:
        firsts.append((firsts[-1] - timedelta(days=1)).replace(day=1))
    return firsts[::-1]


def _seats(entries: QuerySet[LedgerEntry], found: dict[date, Month]) -> None:
    """The seats at the end of each month, by going through what changes a count once, in order of time."""
    estate, left = Estate(), list(found.values())
    rows = entries.filter(kind__in=COUNTED).order_by("at", "id").values_list("at", "chain", "kind", "body")
    for at, chain, kind, body in rows.iterator(CHUNK):
        while len(left) > 1 and at.date() >= left[1].first:
            _note(left.pop(0), estate)
        estate.take(chain, kind, {} if kind == Kind.ACTIVATION_CREATED else json.loads(body)["data"])
    for month in left:
        _note(month, estate)


def _note(month: Month, estate: Estate) -> None:
    month.allowed, month.active, month.lost = estate.allowed, estate.active, len(estate.lost)


def busiest_customers(since: datetime, newest: int = 15) -> list[tuple[str, int, int]]:
    """Customers by Usage Licenses issued since then: name, issued, restorations approved."""
    kinds = (Kind.USAGE_LICENSE_ISSUED, Kind.RESTORATION_APPROVED)
    rows = LedgerEntry.objects.filter(at__gte=since, kind__in=kinds).order_by().values_list("chain", "kind")
    by_chain: dict[str, Counter[str]] = defaultdict(Counter)
    for chain, kind, number in rows.annotate(Count("pk")):
        by_chain[chain][kind] += number
    from_chain = dict(_owners(by_chain))
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for chain, counts in by_chain.items():
        found[from_chain.get(chain, chain)].update(counts)
    ranked = sorted(found.items(), key=lambda row: (-row[1][kinds[0]], row[0]))
    return [(name, counts[kinds[0]], counts[kinds[1]]) for name, counts in ranked[:newest]]


def _owners(chains: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Who holds each license now, by its last entry that says so."""
    kinds = (Kind.LICENSE_CREATED, Kind.LICENSE_TRANSFERRED)
    newest = LedgerEntry.objects.filter(chain__in=list(chains), kind__in=kinds).order_by()
    latest = newest.values("chain").annotate(last=Max("seq"))
    for entry in newest.filter(seq__in=latest.values("last")).order_by("chain", "seq"):
        yield entry.chain, _data(entry)["customer"]


@dataclass(frozen=True)
class Text:
    """A text exactly as it was received or sent."""

    name: str
    content: str


@dataclass(frozen=True)
class Chapter:
    """A moment of the story: an entry with the texts it is about, or a reply that was written then."""

    at: datetime
    entry: LedgerEntry | None
    reply: Reply | None
    texts: Sequence[Text]


def story_of(activation: Activation) -> list[Chapter]:
    """Everything the ledger says of an activation and of the requests that it answered, and the replies, oldest first,
    with every text.
    """
    licenses = list(UsageLicense.objects.filter(activation=activation).select_related("request"))
    requests = {license.request.request_id: license.request for license in licenses}
    blocks = {license.usage_license_id: license for license in licenses}
    named = Q(body__contains=f'"{activation.activation_id}"')
    for request_id in requests:
        named |= Q(body__contains=f'"{request_id}"')
    entries = LedgerEntry.objects.filter(named, chain=activation.license.license_id).order_by("seq")
    told = [Chapter(entry.at, entry, None, _texts(entry, requests, blocks)) for entry in entries]
    replies = Reply.objects.filter(Q(activation=activation) | Q(request__in=list(requests.values()))).order_by("id")
    told += [Chapter(reply.written_at, None, reply, [Text("The reply as written", reply.body)]) for reply in replies]
    return sorted(told, key=lambda chapter: chapter.at)  # stable: a reply follows the booking it tells of


def _texts(entry: LedgerEntry, requests: dict[str, UsageRequest], blocks: dict[str, UsageLicense]) -> list[Text]:
    data = _data(entry)
    if entry.kind == Kind.REQUEST_RECEIVED and data["request_id"] in requests:
        request = requests[data["request_id"]]
        return [Text("As it was received", request.received), Text("The Usage Request in it", request.text)]
    if entry.kind == Kind.USAGE_LICENSE_ISSUED and data["usage_license_id"] in blocks:
        return [Text("The Usage License that was sent", blocks[data["usage_license_id"]].text)]
    return []
