"""deactivate_activation: a deactivation code frees its activation."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from activations.management.base import SOURCE, PortalCommand, add_actor, done, named_actor
from activations.services.deactivate import deactivate_activation


class Command(PortalCommand):
    help = "Free the activation whose Chariot shows this Deactivation Request code."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("license_id")
        parser.add_argument("code", help="the Deactivation Request code")
        parser.add_argument("--reason", default="", metavar="TEXT")
        add_actor(parser)

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        ended = done(
            deactivate_activation(
                license_id=options["license_id"],
                code=options["code"],
                actor=named_actor(options["actor"]),
                source=SOURCE,
                reason=options["reason"],
            )
        )
        return {
            "message": ended.message,
            "effect": ended.effect,
            "activation_id": ended.activation_id,
            "license_id": ended.license_id,
        }

    def again(self, answer: dict[str, Any]) -> str:
        if answer["outcome"] != "done":
            return ""
        return "The code was booked: give the same code again, the answer is the same."
