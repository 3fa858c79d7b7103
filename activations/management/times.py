"""Times as the commands take them: RFC 3339, or a day."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time

from activations.management.base import bad_input, read_day

# RFC 3339; `datetime.fromisoformat` alone takes week dates, dates without hyphens and times without a zone too.
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_FIRST_YEAR = 1970


def read_time(text: str) -> datetime:
    """The time in UTC; a date means its beginning."""
    try:
        if _TIME.fullmatch(text):
            found: datetime | None = datetime.fromisoformat(text.upper()).astimezone(UTC)
        else:
            found = datetime.combine(read_day(text), time.min, UTC)
    except OverflowError:
        found = None
    except ValueError:
        raise bad_input(
            "time-unreadable", f"{text!r} is not a time. Write 2026-11-24 or 2026-11-24T13:00:00Z."
        ) from None
    if found is None or found.year < _FIRST_YEAR:
        raise bad_input("time-out-of-range", f"{text!r} lies outside the years {_FIRST_YEAR} to 9999.")
    return found
