"""Booking that somebody took a list out of the portal: which, how filtered, as what, and how many rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import IntegrityError, transaction

from activations.domain.ledger import Kind
from activations.domain.words import Ability, Actor
from activations.models import LedgerCheckpoint
from activations.services.booking import portal_book
from activations.services.privacy.person import without_people
from activations.services.results import Refused, lacking


def book_list_export(
    *,
    name: str,
    filter: Mapping[str, Sequence[str]],
    format: str,
    rows: int,
    belongs: LedgerCheckpoint | None,
    readers: Sequence[Ability],
    actor: Actor,
    source: str,
) -> Refused | None:
    """None when it is booked. `belongs` is its checkpoint, if there was one. `readers` are the abilities of
    which one is needed to see the list; none: any role.
    """
    if not (actor.abilities & set(readers) if readers else actor.abilities):
        return lacking(actor, readers) or Refused("not-allowed", "Your account has no role. Ask an administrator.")
    try:
        with transaction.atomic(), portal_book(actor=actor, source=source) as book:
            # Names and addresses that somebody searched for would stand in the ledger for good.
            data = {
                "list": name,
                "filter": {key: [without_people(each) for each in values] for key, values in filter.items()},
                "checkpoint": {"size": belongs.size, "root": belongs.root} if belongs else None,
            }
            book.add(Kind.LIST_EXPORTED, {**data, "format": format, "rows": rows})
    except IntegrityError as error:
        problem = str(error).strip().splitlines()[0]
        return Refused(
            "ledger-damaged",
            f"The export could not be booked, so it was not made: the ledger takes no entry ({problem}). Somebody "
            "damaged it. Have it checked (Audit, Check); the ledger itself can still be exported as JSON Lines.",
        )
    return None
