"""Figures by month: seats, issues and restorations, of all licenses or of those that a customer held then.

The database adds up the entries of each month. What months that are over come to is kept in the cache, so that a page
costs the entries of this month and not those of all years; without a cache everything is added up anew.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Any, TypeVar

from django.db.models import Count, Exists, OuterRef, Subquery, Sum
from django.db.models.functions import TruncMonth

from activations.audit_queries.bodies import (
    HOLDERS,
    Entries,
    data_in,
    ever_of,
    number_in,
    text_in,
    transferred,
    with_data,
)
from activations.audit_queries.keeping import Kept, fetch, keep
from activations.domain.estate import COUNTED, Estate
from activations.domain.ledger import Kind
from activations.models import LedgerEntry

CHUNK = 2000
YEAR = 12  # months
FIRST, LAST = date(1970, 1, 1), date(9999, 1, 1)  # beyond every ledger
_DECIDED = (Kind.USAGE_LICENSE_ISSUED, Kind.RESTORATION_APPROVED, Kind.RESTORATION_DENIED)
_ALLOWED = (Kind.LICENSE_CREATED, Kind.LICENSE_ALLOWED_CHANGED)
# What each kind adds to the occupied seats and to the lost ones among them. A lost seat that its code frees is found
# one by one, since the entry does not say that it was lost.
_OCCUPIES = {Kind.ACTIVATION_CREATED: 1, Kind.ACTIVATION_DEACTIVATED: -1, Kind.ACTIVATION_RESTORED: -1}
_LOSES = {Kind.ACTIVATION_LOST: 1, Kind.ACTIVATION_FOUND: -1, Kind.ACTIVATION_RESTORED: -1}
_COUNTED = tuple(dict.fromkeys((*_DECIDED, *_OCCUPIES, *_LOSES)))


@dataclass
class Month:
    """A month in numbers; seats are as they stood at its end (or now), the rest is what happened in it."""

    first: date
    allowed: int = 0
    active: int = 0
    lost: int = 0
    issued: int = 0
    restored: int = 0
    denied: int = 0


@dataclass
class Change:
    """What a month added, or took away."""

    allowed: int = 0
    occupied: int = 0
    lost: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def take(self, kind: str, number: int) -> None:
        """So many entries of a kind that is counted."""
        self.occupied += _OCCUPIES.get(Kind(kind), 0) * number
        self.lost += _LOSES.get(Kind(kind), 0) * number
        if kind in _DECIDED:
            self.counts[kind] += number

    def add(self, estate: Estate, sign: int) -> None:
        """The seats of a license that came or went as a whole."""
        self.allowed += sign * estate.allowed
        self.occupied += sign * estate.occupied
        self.lost += sign * len(estate.lost)


Changes = dict[date, Change]
Sums = TypeVar("Sums")


def months(last: int, now: datetime, customer: str = "") -> list[Month]:
    """The last months, this one included, oldest first: of all licenses, or of one customer's. A customer has what was
    booked while they held the license; a license that is transferred takes its seats along.
    """
    firsts = _firsts(last, now.date())
    changes = _of_customer(customer) if customer else _by_month("seats", now, _changes_between, Change)
    return list(_running(changes, firsts))


def busiest_customers(now: datetime, newest: int = 15) -> list[tuple[str, int, int]]:
    """Customers by Usage Licenses issued in the last twelve months, this one included: name, issued, restorations
    approved. What is counted is whose the license was then.
    """
    since = _firsts(YEAR, now.date())[0]
    by_month = _by_month("customers", now, _customers_between, Counter, since=since)
    found: Counter[tuple[str, str]] = Counter()
    for counts in by_month.values():
        found.update(counts)
    issued, restored = Kind.USAGE_LICENSE_ISSUED, Kind.RESTORATION_APPROVED
    names = sorted({name for name, _ in found}, key=lambda name: (-found[(name, issued)], name))
    return [(name, found[(name, issued)], found[(name, restored)]) for name in names[:newest]]


def _firsts(last: int, today: date) -> list[date]:
    firsts = [today.replace(day=1)]
    while len(firsts) < last:
        firsts.append((firsts[-1] - timedelta(days=1)).replace(day=1))
    return firsts[::-1]


def _running(changes: Changes, firsts: list[date]) -> Iterator[Month]:
    """The seats of the months from what each month changed."""
    total, due = Change(), sorted(changes)
    for first in firsts:
        while due and due[0] <= first:
            change = changes[due.pop(0)]
            total.allowed += change.allowed
            total.occupied += change.occupied
            total.lost += change.lost
        counts = changes[first].counts if first in changes else Counter[str]()
        seats = (total.allowed, total.occupied - total.lost, total.lost)
        yield Month(first, *seats, *(counts[kind] for kind in _DECIDED))


# --- months that are over ------------------------------------------------------------------------------------


def _by_month(
    name: str,
    now: datetime,
    between: Callable[[datetime, datetime], dict[date, Sums]],
    none: Callable[[], Sums],
    *,
    since: date | None = None,
) -> dict[date, Sums]:
    """What `between` finds in each month. Months that are over come from the cache, as far as it has them."""
    # A booking that began before midnight may be committed after it: the day after, none is open any more.
    over = _start((now - timedelta(days=1)).date().replace(day=1))
    begun = _start(since or FIRST)
    kept: Kept[Sums] | None = fetch(name)
    known = dict(kept.months) if kept is not None and kept.since <= begun else {}
    counted = kept.until if kept is not None and known else begun
    if counted < over:
        known |= between(counted, over)
        known.setdefault((over - timedelta(days=1)).date().replace(day=1), none())
        known = {first: sums for first, sums in known.items() if since is None or first >= since}
        keep(name, Kept(begun, over, known))
    return known | between(over, _start(LAST))


def _start(first: date) -> datetime:
    return datetime.combine(first, time.min, UTC)


# --- of all licenses -----------------------------------------------------------------------------------------


def _changes_between(since: datetime, until: datetime) -> Changes:
    return _changes(LedgerEntry.objects.filter(at__gte=since, at__lt=until))


def _changes(entries: Entries) -> Changes:
    """What the entries changed, by month."""
    found: Changes = defaultdict(Change)
    # Only the kinds that say a number of seats are opened; the rest is counted by the index of kinds and times alone.
    counted = entries.filter(kind__in=_COUNTED).order_by().annotate(month=TruncMonth("at"))
    for month, kind, number in counted.values_list("month", "kind").annotate(number=Count("*")):
        found[month.date()].take(kind, number)
    more = Sum(number_in("allowed") - number_in("before"))
    opened = with_data(entries.filter(kind__in=_ALLOWED)).order_by().annotate(month=TruncMonth("at"))
    for month, seats in opened.values_list("month").annotate(seats=more):
        found[month.date()].allowed += seats
    for at in _freed_though_lost(entries):
        found[at.date().replace(day=1)].lost -= 1
    return dict(found)


def _freed_though_lost(entries: Entries) -> Iterator[datetime]:
    """When the seats were freed by their code that were lost then."""
    lost = LedgerEntry.objects.filter(kind=Kind.ACTIVATION_LOST, chain=OuterRef("chain"), seq__lt=OuterRef("seq"))
    freed = entries.filter(Exists(lost), kind=Kind.ACTIVATION_DEACTIVATED).order_by()
    kinds = (Kind.ACTIVATION_LOST, Kind.ACTIVATION_FOUND, Kind.ACTIVATION_DEACTIVATED)
    told = LedgerEntry.objects.filter(kind__in=kinds, chain__in=freed.values("chain")).order_by("chain", "seq")
    ours = set(freed.values_list("pk", flat=True))
    gone: set[str] = set()
    for pk, at, kind, body in told.values_list("pk", "at", "kind", "body").iterator(CHUNK) if ours else ():
        name = data_in(body)["activation_id"]
        if kind == Kind.ACTIVATION_LOST:
            gone.add(name)
        elif name in gone:
            gone.discard(name)
            if pk in ours:
                yield at


# --- by customer ---------------------------------------------------------------------------------------------


def _customers_between(since: datetime, until: datetime) -> dict[date, Counter[tuple[str, str]]]:
    """Issues and approved restorations of each customer, by month: (customer, kind) -> how many."""
    kinds = (Kind.USAGE_LICENSE_ISSUED, Kind.RESTORATION_APPROVED)
    entries = LedgerEntry.objects.filter(kind__in=kinds, at__gte=since, at__lt=until).order_by()
    found: dict[date, Counter[tuple[str, str]]] = defaultdict(Counter)
    first = with_data(LedgerEntry.objects.filter(chain=OuterRef("chain"), seq=1)).values_list(text_in("customer"))
    stayed = entries.exclude(chain__in=transferred()).annotate(month=TruncMonth("at"), holder=Subquery(first[:1]))
    for month, holder, kind, number in stayed.values_list("month", "holder", "kind").annotate(number=Count("*")):
        found[month.date()][(holder, kind)] += number
    holders = _holders()
    for chain, seq, at, kind in entries.filter(chain__in=transferred()).values_list("chain", "seq", "at", "kind"):
        seqs, names = holders[chain]
        found[at.date().replace(day=1)][(names[bisect_right(seqs, seq) - 1], kind)] += 1
    return dict(found)


def _holders() -> dict[str, tuple[list[int], list[str]]]:
    """Of each license that was transferred: from which entry on it was whose."""
    entries = LedgerEntry.objects.filter(kind__in=HOLDERS, chain__in=transferred()).order_by("chain", "seq")
    found: dict[str, tuple[list[int], list[str]]] = {}
    for chain, seq, body in entries.values_list("chain", "seq", "body").iterator(CHUNK):
        seqs, names = found.setdefault(chain, ([], []))
        seqs.append(seq)
        names.append(data_in(body)["customer"])
    return found


def _of_customer(customer: str) -> Changes:
    """What changed for one customer, by month."""
    theirs = LedgerEntry.objects.filter(chain__in=ever_of(customer, exactly=True))
    changes: Changes = defaultdict(Change, _changes(theirs.exclude(chain__in=transferred())))
    moved = theirs.filter(chain__in=transferred(), kind__in=(*COUNTED, *_DECIDED, *HOLDERS)).order_by("chain", "seq")
    rows = moved.values_list("chain", "at", "kind", "body").iterator(CHUNK)
    for _, license in groupby(rows, key=lambda row: row[0]):
        _while_held(customer, license, changes)
    return dict(changes)


def _while_held(customer: str, rows: Iterable[tuple[Any, ...]], changes: Changes) -> None:
    """Adds what one license meant to the customer while they held it."""
    estate, held = Estate(), False
    for chain, at, kind, body in rows:
        month, data = changes[at.date().replace(day=1)], data_in(body)
        if held:
            month.add(estate, -1)
        estate.take(chain, kind, data)
        held = data["customer"] == customer if kind in HOLDERS else held
        if held:
            month.add(estate, 1)
            if kind in _DECIDED:
                month.counts[kind] += 1
