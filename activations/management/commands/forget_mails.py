"""forget_mails: erases what old mails said and who wrote them."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from activations.management.base import SOURCE, PortalCommand, add_actor, bad_input, done, named_actor
from activations.services.booking import iso
from activations.services.privacy.forgetting import forget_mails

_DAYS = re.compile(r"([0-9]{1,5})d")


class Command(PortalCommand):
    help = "Erase the originals, texts and senders of mails in conversations that have been done for long. For good."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--older-than", required=True, metavar="DAYS", help="for example 730d")
        parser.add_argument("--reason", default="", metavar="TEXT")
        parser.add_argument("--dry-run", action="store_true", help="say how many")
        add_actor(parser)

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        days = _DAYS.fullmatch(options["older_than"])
        if days is None:
            raise bad_input("days-unreadable", f"{options['older_than']!r} is no number of days. Write 730d.")
        forgotten = done(
            forget_mails(
                older_than=timedelta(days=int(days[1])),
                actor=named_actor(options["actor"]),
                source=SOURCE,
                reason=options["reason"],
                dry_run=options["dry_run"],
            )
        )
        return {
            "message": "Dry run: nothing was erased." if options["dry_run"] else "",
            "before": iso(forgotten.before),
            "incoming": forgotten.incoming,
            "outgoing": forgotten.outgoing,
        }

    def again(self, answer: dict[str, Any]) -> str:
        if answer["outcome"] != "done" or answer["message"]:
            return ""
        return f"{answer['incoming'] + answer['outgoing']} mails were erased."
