"""hold_mails: after a restore, no queued mail goes out before a person has said so."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from activations.management.base import SOURCE, PortalCommand, add_actor, done, named_actor
from activations.services.post.holding import hold_mails


class Command(PortalCommand):
    help = "After a restore: keep every queued mail back until a person decides on it in the outbox."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--reason", required=True, metavar="TEXT")
        add_actor(parser)

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        held = done(hold_mails(actor=named_actor(options["actor"]), source=SOURCE, reason=options["reason"]))
        return {"message": _words(held.held, held.sending), "held": held.held, "sending": held.sending}

    def again(self, answer: dict[str, Any]) -> str:
        return f"{answer['held']} mails are held." if answer["outcome"] == "done" and answer["held"] else ""


def _words(held: int, sending: int) -> str:
    said = (
        "Decide in the outbox on each mail that is unknown now: send it again or leave it."
        if held
        else "No mail is queued; nothing was booked."
    )
    if sending:
        said += f" Mails that were being sent when the backup was made: {sending}. They are unknown after 15 minutes."
    return said
