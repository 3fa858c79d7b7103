"""create_staff: a staff account in one role."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from activations.domain.words import ROLES
from activations.management.base import SOURCE, PortalCommand, done
from activations.management.files import read_password
from activations.services.actors import create_staff, out_of_reach, system_actor


class Command(PortalCommand):
    help = "Make a staff account in one role."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--role", required=True, metavar="|".join(ROLES))
        parser.add_argument("--email", metavar="ADDRESS", help="where reminders of what waits for this person go")
        parser.add_argument("--password", help='"-" reads it from standard input; without one nobody can sign in')

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        password = options["password"]
        if password == "-":  # noqa: S105 - means standard input
            password = read_password()
        made = done(
            create_staff(
                username=options["username"],
                role=options["role"],
                password=password,
                email=options["email"],
                actor=system_actor(),
                source=SOURCE,
            )
        )
        return {"username": made.username, "role": made.role, "warnings": out_of_reach(made.username)}

    def again(self, answer: dict[str, Any]) -> str:
        return f"The account {answer['username']} was made." if answer["outcome"] == "done" else ""
