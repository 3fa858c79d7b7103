"""Which calls of the API were answered, by their Idempotency-Key: claimed in the transaction of what they book."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from activations.models import ApiCall

KEPT = timedelta(days=7)
_CHUNK = 500


def claim(caller: str, key: str, digest: str) -> tuple[ApiCall, bool]:
    """The row of the key, and whether this call is its first one. Waits for another call that has it now, and for no
    other: rows that are too old are somebody else's to take away (`forget`), this one's own is used again.
    """
    while True:
        now = timezone.now()
        row, first = ApiCall.objects.get_or_create(
            caller=caller, key=key, defaults={"called_at": now, "digest": digest}
        )
        if first or row.called_at >= now - KEPT:
            return row, first
        old = ApiCall.objects.select_for_update().filter(pk=row.pk).first()
        if old is not None and old.called_at >= now - KEPT:
            return old, False  # another call took it up in this moment, and booked
        if old is not None:
            old.called_at, old.digest = now, digest
            old.save(update_fields=["called_at", "digest"])
            return old, True


def forget(now: datetime) -> int:
    """Answers go after their time: one may hold a License Key. Returns how many went."""
    gone = 0
    while True:
        with transaction.atomic():
            # What a call has just taken up again is locked, and not too old any more.
            old = ApiCall.objects.select_for_update(skip_locked=True).filter(called_at__lt=now - KEPT)
            rows = list(old.values_list("pk", flat=True)[:_CHUNK])
            gone += ApiCall.objects.filter(pk__in=rows).delete()[0]
        if len(rows) < _CHUNK:
            return gone
