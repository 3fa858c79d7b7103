"""checkpoint_ledger: a signed checkpoint over every entry so far."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from activations.management.base import PortalCommand, done, named_actor
from activations.services.actors import system_actor
from activations.services.checkpoints import checkpoint_ledger


class Command(PortalCommand):
    help = "Sign a checkpoint over every ledger entry so far. Prints the signed note, which an auditor keeps."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--actor", metavar="USER")

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        actor = named_actor(options["actor"]) if options["actor"] else system_actor()
        made = done(checkpoint_ledger(actor=actor))
        return {
            "message": f"{made.new} new entries, {made.size} in all.",
            "size": made.size,
            "new": made.new,
            "root": made.root,
            "checkpoint": made.note,
        }

    def again(self, answer: dict[str, Any]) -> str:
        if answer["outcome"] != "done":
            return ""
        return "The checkpoint was made and stored: run the command again, it prints the newest one."

    def lines(self, answer: dict[str, Any]) -> list[str]:
        return [answer["checkpoint"].rstrip("\n")]
