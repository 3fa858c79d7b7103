"""Booking that somebody took a list out of the portal: which, how filtered, as what, and how many rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import transaction

from activations.domain.ledger import Kind
from activations.domain.words import Ability, Actor
from activations.services.booking import portal_book
from activations.services.results import Refused, lacking

FORMATS = ("csv", "xlsx")


def book_list_export(
    *,
    name: str,
    filter: Mapping[str, Sequence[str]],
    format: str,
    rows: int,
    readers: Sequence[Ability],
    actor: Actor,
    source: str,
) -> Refused | None:
    """None when it is booked. `readers` are the abilities of which one is needed to see the list; none: any role."""
    if not (actor.abilities & set(readers) if readers else actor.abilities):
        return lacking(actor, readers) or Refused("not-allowed", "Your account has no role. Ask an administrator.")
    with transaction.atomic(), portal_book(actor=actor, source=source) as book:
        data = {"list": name, "filter": {key: list(values) for key, values in filter.items()}}
        book.add(Kind.LIST_EXPORTED, {**data, "format": format, "rows": rows})
    return None
