"""How many restorations a customer had in the last 12 months, against how many are allowed without an override."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import transaction

from activations.domain.restoring import Quota, a_year_before
from activations.domain.words import RestorationState
from activations.models import Customer, Restoration


def quota_of(customer_pk: int, now: datetime) -> Quota:
    """Counts over all licenses that are the customer's now. Exact only under `lock_customer`."""
    approved = Restoration.objects.filter(
        activation__license__customer_id=customer_pk,
        state=RestorationState.APPROVED,
        decided_at__gt=a_year_before(now),
    )
    return Quota(approved.count(), allowed_a_year())


def allowed_a_year() -> int:
    """Setting RESTORATIONS_A_YEAR; 0: every approval needs the override."""
    return int(getattr(settings, "RESTORATIONS_A_YEAR", 2))


def lock_customer(pk: int) -> None:
    """Taken after the license's lock: two cases of one customer, on two licenses, must not both be the last allowed.

    The weaker row lock is enough, and lets others sell this customer a license meanwhile (a foreign key to the row
    needs only that its key stays). SQLite has no row locks: there the transaction holds the whole database.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("a customer can be locked only inside a transaction")
    Customer.objects.select_for_update(no_key=True).get(pk=pk)
