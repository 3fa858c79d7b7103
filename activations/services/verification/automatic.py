"""What may be answered by mail without a person, against what the portal's chain tells of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from activations.domain.fold import differences
from activations.domain.ledger import PORTAL_CHAIN, Kind, read_body
from activations.models import AutomaticAnswer, LedgerEntry
from activations.services.booking import iso


def automatic_answer_problems() -> Iterator[str]:
    """The last entry of each outcome and customer counts; one that takes a setting back leaves no row."""
    booked: dict[str, dict[str, Any]] = {}
    entries = LedgerEntry.objects.filter(chain=PORTAL_CHAIN, kind=Kind.AUTOMATIC_ANSWER_CHANGED).order_by("seq")
    for body in entries.values_list("body", flat=True).iterator():
        try:
            entry = read_body(body)
            name, allowed = _named(entry.data["outcome"], entry.data["customer"]), entry.data["allowed"]
        except (ValueError, KeyError) as error:
            yield f"the automatic answers cannot be told ({error})"
            return
        booked.pop(name, None)
        if allowed is not None:
            booked[name] = {"allowed": allowed, "changed_at": entry.at, "changed_by": entry.actor}
    stored = {
        _named(row.outcome, row.customer.name if row.customer else ""): {
            "allowed": row.allowed,
            "changed_at": iso(row.changed_at),
            "changed_by": row.changed_by,
        }
        for row in AutomaticAnswer.objects.select_related("customer").order_by("id")
    }
    yield from differences("automatic answer", booked, stored)


def _named(outcome: str, customer: str) -> str:
    return f"{outcome} for customer {customer}" if customer else f"{outcome} for all"
