"""Sentences and dates for people, shared by the API and the command line."""

from datetime import UTC, datetime

DAY = 24 * 60 * 60


def moment(seconds: int) -> str:
    """Return a time as "2026-01-31 12:00 UTC"."""
    return _utc(seconds, "%Y-%m-%d %H:%M UTC")


def date(seconds: int) -> str:
    """Return a time as "2026-01-31"."""
    return _utc(seconds, "%Y-%m-%d")


def iso(seconds: int) -> str:
    """Return a time as "2026-01-31T12:00:00Z", for programs."""
    return _utc(seconds, "%Y-%m-%dT%H:%M:%SZ")


def span(seconds: int) -> str:
    """Return a length of time in its largest unit, rounded down: "3 days", "1 hour", "6 minutes"."""
    for unit, name in ((DAY, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= unit:
            count = seconds // unit
            return f"{count} {name}{'' if count == 1 else 's'}"
    return "less than a minute"


def days_left(days: int | None, active: bool) -> str:
    """Return what is left of a feature: "never expires", "expired", "last day", "1 day left", "12 days left"."""
    if days is None:
        return "never expires"
    if not active:
        return "expired"
    if days == 0:
        return "last day"
    return f"{days} day{'' if days == 1 else 's'} left"


def listed(parts: list[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    return " and ".join(part for part in (", ".join(parts[:-1]), parts[-1]) if part) if parts else ""


def _utc(seconds: int, form: str) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime(form)
    except (ValueError, OverflowError, OSError):
        return f"second {seconds}"  # far outside the calendar: a clock gone wild must still be reported
