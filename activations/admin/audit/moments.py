"""Days and periods as the auditor's pages take them from an address."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from django.http import HttpRequest
from django.utils import timezone

EARLIEST = date(1970, 1, 1)


def day_in(request: HttpRequest, name: str) -> date | None:
    """The day that was chosen; None when none was, or what was written is none."""
    try:
        day = date.fromisoformat(request.GET.get(name, ""))
    except ValueError:
        return None
    return day if day >= EARLIEST else None


def end_of(day: date) -> datetime:
    """ "As of" a day means its end, in UTC."""
    return datetime.combine(day, time.max, UTC)


def start_of(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def days_back(days: int) -> date:
    return timezone.now().astimezone(UTC).date() - timedelta(days=days)


def moment(at: str) -> str:
    """The time of an entry, to the minute, as the other pages write it."""
    return f"{at[:10]} {at[11:16]}"
