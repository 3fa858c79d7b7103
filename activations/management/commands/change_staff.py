"""change_staff: the email address of a staff account."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from activations.management.base import PortalCommand, done, named_actor
from activations.services.actors import change_staff, out_of_reach, system_actor


class Command(PortalCommand):
    help = "Give a staff account an email address, to which reminders go, or take it away."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        email = parser.add_mutually_exclusive_group(required=True)
        email.add_argument("--email", metavar="ADDRESS")
        email.add_argument("--no-email", action="store_true")
        parser.add_argument("--actor", metavar="USER", help="the staff member who does this")

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        changed = done(
            change_staff(
                username=options["username"],
                email=None if options["no_email"] else options["email"],
                actor=named_actor(options["actor"]) if options["actor"] else system_actor(),
            )
        )
        return {"username": changed.username, "email": changed.email, "warnings": out_of_reach(changed.username)}

    def again(self, answer: dict[str, Any]) -> str:
        if answer["outcome"] != "done":
            return ""
        return f"The email address of {answer['username']} was {answer['email']}."
