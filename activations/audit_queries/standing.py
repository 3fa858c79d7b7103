"""What stands out in the ledger, and who decided what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import CharField, Count, Q, Value
from django.db.models.functions import Cast, Concat, ExtractHour, TruncDate

from activations.audit_queries.bodies import Entries, data_of, says
from activations.domain.ledger import Kind
from activations.models import LedgerEntry

MOST_SHOWN = 20
NIGHT = (22, 6)  # from this hour to that one, UTC
MANY_A_DAY = 25  # Usage Licenses issued by one person in a day that are worth a look

_LET_THROUGH = (Kind.ACTIVATION_REBOUND, Kind.BACKUP_ACCEPTED)
# What a lead let through although a rule asked for a second look. A tombstone that its own code settled is none. The
# kinds are named once more around it all, for the index that has them.
OVERRIDES = Q(
    Q(kind__in=_LET_THROUGH)
    | Q(says("how", "sighting accepted"), kind=Kind.TOMBSTONE_SETTLED)
    | Q(says("code", "host-accepted"), kind=Kind.USAGE_LICENSE_ISSUED),
    kind__in=(*_LET_THROUGH, Kind.TOMBSTONE_SETTLED, Kind.USAGE_LICENSE_ISSUED),
)
_DECIDED = (
    Kind.RESTORATION_APPROVED,
    Kind.RESTORATION_DENIED,
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
    Kind.LICENSE_ONLINE_CHANGED,
)
DECISIONS = Q(
    Q(kind__in=_DECIDED) | OVERRIDES,
    kind__in=(*_DECIDED, *_LET_THROUGH, Kind.TOMBSTONE_SETTLED, Kind.USAGE_LICENSE_ISSUED),
)
EXPORTS = (Kind.LEDGER_EXPORTED, Kind.LIST_EXPORTED)


def _many_by_one(entries: Entries) -> Entries:
    """The Usage Licenses of the days on which one person issued many of them."""
    issued = LedgerEntry.objects.filter(kind=Kind.USAGE_LICENSE_ISSUED)
    # One column for both, as no database of ours compares two with a subquery through Django.
    day = Concat(Cast(TruncDate("at"), CharField()), Value(" "), "actor", output_field=CharField())
    many = issued.order_by().values(who=day).annotate(number=Count("*")).filter(number__gte=MANY_A_DAY)
    return entries.filter(kind=Kind.USAGE_LICENSE_ISSUED).annotate(who=day).filter(who__in=many.values("who"))


def _at_night(entries: Entries) -> Entries:
    late, early = NIGHT
    dark = entries.filter(kind=Kind.USAGE_LICENSE_ISSUED).annotate(hour=ExtractHour("at"))
    return dark.filter(Q(hour__gte=late) | Q(hour__lt=early))


# Name -> the entries among those given. The ledger's list filters by the same names.
PICKED: dict[str, Callable[[Entries], Entries]] = {
    "above-quota": lambda entries: entries.filter(kind=Kind.RESTORATION_APPROVED, body__contains='"above_quota":'),
    "sightings": lambda entries: entries.filter(kind=Kind.TOMBSTONE_SIGHTED),
    "overrides": lambda entries: entries.filter(OVERRIDES),
    "many-by-one": _many_by_one,
    "at-night": _at_night,
    "keys-shown": lambda entries: entries.filter(kind=Kind.LICENSE_KEY_SHOWN),
    "exports": lambda entries: entries.filter(kind__in=EXPORTS),
}
BY_DAY = ("many-by-one", "at-night")  # single entries say little: they are counted by whom and when


@dataclass(frozen=True)
class Standout:
    """One kind of thing worth a look: how often it happened, and the newest entries. `groups` counts by whom and when
    where single entries say little. `more`: there are others than those that are here.
    """

    name: str
    count: int
    entries: Sequence[LedgerEntry] = ()
    groups: Sequence[tuple[str, str, int]] = ()  # actor, day, how many
    more: bool = False


def standouts(since: datetime) -> list[Standout]:
    """What an auditor asks about first, since then; each kind is there even if it did not happen."""
    return [_found(name, LedgerEntry.objects.filter(at__gte=since)) for name in PICKED]


def picked(name: str, entries: Entries) -> Entries:
    """The entries behind one of the headings; all of those given for a name that is none."""
    if name == "decisions":
        return entries.filter(DECISIONS)
    return PICKED[name](entries) if name in PICKED else entries


def _found(name: str, entries: Entries) -> Standout:
    if name in BY_DAY:
        return _by_day(name, entries)
    found = PICKED[name](entries)
    newest = list(found.order_by("-at", "-id")[: MOST_SHOWN + 1])
    more = len(newest) > MOST_SHOWN  # else they are all there are, and need not be counted
    return Standout(name, found.count() if more else len(newest), newest[:MOST_SHOWN], more=more)


def _by_day(name: str, entries: Entries) -> Standout:
    many = name == "many-by-one"
    # The days are counted here, so those with many need not be looked for in the entries first.
    found = entries.filter(kind=Kind.USAGE_LICENSE_ISSUED) if many else PICKED[name](entries)
    days = found.order_by().values_list("actor").annotate(day=TruncDate("at"), number=Count("*"))
    days = days.filter(number__gte=MANY_A_DAY) if many else days
    newest: Iterable[tuple[Any, ...]] = days.order_by("-day", "-number", "actor")[: MOST_SHOWN + 1]
    groups = [(actor, day.isoformat(), number) for actor, day, number in newest]
    count = days.count() if many else found.count()
    return Standout(name, count, groups=groups[:MOST_SHOWN], more=len(groups) > MOST_SHOWN)


@dataclass(frozen=True)
class Decided:
    """A decision of a person, and who had asked for it where that was another one."""

    entry: LedgerEntry
    asked_by: str


def decisions(since: datetime, until: datetime, *, actor: str = "", newest: int = 200) -> list[Decided]:
    """What people decided, newest first, with who requested each restoration."""
    entries = LedgerEntry.objects.filter(DECISIONS, at__gte=since, at__lte=until)
    if actor:
        entries = entries.filter(actor=actor)
    found = list(entries.order_by("-at", "-id")[:newest])
    decided = [entry for entry in found if entry.kind in _CASES]
    requested = LedgerEntry.objects.filter(
        kind=Kind.RESTORATION_REQUESTED, chain__in={entry.chain for entry in decided}
    )
    asked = {data_of(entry).get("restoration_id"): entry.actor for entry in requested}
    return [Decided(entry, asked.get(data_of(entry).get("restoration_id", ""), "")) for entry in found]


_CASES = (Kind.RESTORATION_APPROVED, Kind.RESTORATION_DENIED)
