"""mark_lost: a server was destroyed without deactivating."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from activations.management.base import SOURCE, PortalCommand, add_actor, done, named_actor
from activations.services.losses import mark_lost


class Command(PortalCommand):
    help = "Mark an activation as lost: its host is gone and was not deactivated. Its seat stays taken."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("activation_id")
        parser.add_argument("--reason", required=True, metavar="TEXT", help="what happened")
        add_actor(parser)

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        lost = done(
            mark_lost(
                activation_id=options["activation_id"],
                actor=named_actor(options["actor"]),
                source=SOURCE,
                reason=options["reason"],
            )
        )
        return {"activation_id": lost.activation_id, "license_id": lost.license_id, "state": "lost"}

    def again(self, answer: dict[str, Any]) -> str:
        return f"{answer['activation_id']} was marked lost." if answer["outcome"] == "done" else ""
