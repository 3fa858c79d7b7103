"""What stands out in a period, and who decided what."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from activations.admin.access import needs
from activations.admin.audit.moments import day_in, days_back, end_of, start_of
from activations.admin.pages import page
from activations.admin.words import tell
from activations.audit_queries.standing import MANY_A_DAY, NIGHT, Standout, decisions, standouts
from activations.domain.words import Ability

PERIODS = (7, 30, 90, 365)
MOST_DECISIONS = 200

# Name -> what it is, and why one would ask.
WORDS: dict[str, tuple[str, str]] = {
    "above-quota": (
        "Restorations above the quota",
        "A lead restored more lost activations of a customer than the quota allows in twelve months.",
    ),
    "sightings": (
        "Written-off hosts that asked again",
        "A host that was reported as destroyed sent a Usage Request since.",
    ),
    "overrides": (
        "Rules that a lead overrode",
        "Hardware that changed, a state restored from a backup, a host that cannot be recognised again, a written-off "
        "host that was accepted.",
    ),
    "many-by-one": (
        "Many Usage Licenses by one person in a day",
        f"{MANY_A_DAY} or more. A large rollout explains it; an account in wrong hands does too.",
    ),
    "at-night": (
        "Usage Licenses issued at night",
        f"Between {NIGHT[0]}:00 and {NIGHT[1]}:00 UTC. Where staff work in other time zones this is their day.",
    ),
    "keys-shown": ("License Keys that were shown", "Each time a person looked at a key, with the reason they gave."),
    "exports": ("Exports", "Lists and ledgers that left the portal as files."),
}


@needs(Ability.READ_LEDGER)
@require_safe
def standing_out(request: HttpRequest) -> HttpResponse:
    asked = request.GET.get("days", "")
    days = int(asked) if asked.isdecimal() and int(asked) in PERIODS else 90
    since = start_of(days_back(days - 1))
    found = [_section(each, since) for each in standouts(since)]
    context = {"sections": found, "days": days, "periods": PERIODS, "since": since}
    return page(request, "audit/standing_out.html", "What stands out", context)


def _section(found: Standout, since: datetime) -> dict[str, Any]:
    title, why = WORDS[found.name]
    return {
        "name": found.name,
        "title": title,
        "why": why,
        "count": found.count,
        "history": [tell(entry) for entry in found.entries],
        "groups": [(day, _day_url(found.name, actor, day), actor, number) for actor, day, number in found.groups],
        "shown": len(found.entries) or len(found.groups),
        "more": found.more,
        "all_url": _ledger(stands_out=found.name, at__gte=str(since)) if found.count else "",
    }


def _day_url(name: str, actor: str, day: str) -> str:
    year, month, number = (str(int(part)) for part in day.split("-"))
    return _ledger(stands_out=name, actor=actor, at__year=year, at__month=month, at__day=number)


def _ledger(**filters: str) -> str:
    """The ledger's list with these filters: the page that has all of what another one shows the newest of."""
    return f"{reverse('admin:activations_ledgerentry_changelist')}?{urlencode(filters)}"


@needs(Ability.READ_LEDGER)
@require_safe
def who_decided(request: HttpRequest) -> HttpResponse:
    first = day_in(request, "first") or days_back(30)
    last = day_in(request, "last") or days_back(0)
    actor = request.GET.get("actor", "").strip()
    found = decisions(start_of(first), end_of(last), actor=actor, newest=MOST_DECISIONS + 1)
    context = {
        "decisions": [(tell(each.entry), each.asked_by) for each in found[:MOST_DECISIONS]],
        "more": len(found) > MOST_DECISIONS,
        "all_url": _ledger(**_decisions(first, last, actor)),
        "most": MOST_DECISIONS,
        "first": first.isoformat(),
        "last": last.isoformat(),
        "actor": actor,
        "error": "The first day is after the last one, so there is nothing between them." if first > last else "",
    }
    return page(request, "audit/who_decided.html", "Who decided what", context)


def _decisions(first: date, last: date, actor: str) -> dict[str, str]:
    until = start_of(last + timedelta(days=1))
    chosen = {"stands_out": "decisions", "at__gte": str(start_of(first)), "at__lt": str(until)}
    return chosen | ({"actor": actor} if actor else {})
