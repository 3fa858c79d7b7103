"""as_of: a license, a customer's licenses or all of them as they were at any moment."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime, time
from typing import Any

from activations.management.base import PortalCommand, bad_input, done, named_actor, read_day
from activations.management.times import read_time
from activations.services.actors import system_actor
from activations.services.as_of import license_as_of, licenses_as_of


class Command(PortalCommand):
    help = (
        "What the ledger says a license was at a moment, or all licenses, or those of one customer: seats, terms, "
        "activations, and the entries that led there."
    )

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("license", nargs="?", metavar="LICENSE_ID", help="one license; without it all of them")
        parser.add_argument("--customer", default="", metavar="NAME", help="only the licenses this customer held then")
        parser.add_argument(
            "--at",
            required=True,
            metavar="TIME",
            help="this moment, 2026-11-24T13:00:00Z, or the end of a day in UTC, 2026-11-24",
        )
        parser.add_argument("--page", type=int, default=1, help="50 licenses to a page")
        parser.add_argument("--actor", metavar="USER")

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        actor = named_actor(options["actor"]) if options["actor"] else system_actor()
        at = _moment(options["at"])
        if options["license"]:
            if options["customer"]:
                raise bad_input("usage", "Name a License ID or a customer, not both.")
            return done(license_as_of(license_id=options["license"], at=at, actor=actor)).as_json()
        return done(licenses_as_of(at=at, customer=options["customer"], page=options["page"], actor=actor)).as_json()


def _moment(text: str) -> datetime:
    """A day means its end: what anyone means by "as of" a day."""
    try:
        return datetime.combine(read_day(text), time.max, UTC)
    except ValueError:
        return read_time(text)
