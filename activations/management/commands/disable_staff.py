"""disable_staff: a staff account that may not sign in or act any more."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from activations.management.base import SOURCE, PortalCommand, done, named_actor
from activations.services.actors import switch_account, system_actor


class Command(PortalCommand):
    help = "Disable a staff account: nobody signs in or acts with it. What it did stays booked under its name."
    active = False

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--actor", metavar="USER", help="the staff member who does this")
        parser.add_argument("--reason", required=True, metavar="TEXT")

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        switched = done(
            switch_account(
                username=options["username"],
                active=self.active,
                actor=named_actor(options["actor"]) if options["actor"] else system_actor(),
                source=SOURCE,
                reason=options["reason"],
            )
        )
        return {"username": switched.username, "active": switched.active}

    def again(self, answer: dict[str, Any]) -> str:
        if answer["outcome"] != "done":
            return ""
        return f"The account {answer['username']} is {'enabled' if self.active else 'disabled'} now."
