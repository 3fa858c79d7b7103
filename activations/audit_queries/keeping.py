"""Sums of months that are over, in the cache that all processes share. It may lose them: then they are added up anew.

They are believed only while the last entry of those months is the one that was there when they were added up, so
another ledger, or one that was put back from a backup, has none; and for a week at most.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Generic, TypeVar

from django.core.cache import cache
from redis.exceptions import RedisError

from activations.models import LedgerEntry

WEEK = int(timedelta(days=7).total_seconds())
Sums = TypeVar("Sums")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kept(Generic[Sums]):
    """What the months from `since` until `until` come to; `last` is the hash of their last entry."""

    since: datetime
    until: datetime
    months: dict[date, Sums] = field(repr=False)
    last: str = ""


def fetch(name: str) -> Kept[Any] | None:
    """What is kept under a name, if it is of this ledger."""
    try:
        kept = cache.get(_key(name))
    except RedisError:
        log.warning("Redis does not answer: figures are added up anew")
        return None
    return kept if isinstance(kept, Kept) and kept.last and kept.last == _last_before(kept.until) else None


def keep(name: str, sums: Kept[Any]) -> None:
    try:
        cache.set(_key(name), replace(sums, last=_last_before(sums.until)), timeout=WEEK)
    except RedisError:
        log.warning("Redis does not answer: figures are not kept")


def _key(name: str) -> str:
    return f"audit-figures:1:{name}"


def _last_before(moment: datetime) -> str:
    before = LedgerEntry.objects.filter(at__lt=moment).order_by("-at", "-id")
    return before.values_list("hash", flat=True).first() or ""
