"""restoration: request, approve or deny the restoration of a lost activation."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from typing import Any

from activations.management.base import SOURCE, PortalCommand, add_actor, done, named_actor
from activations.services.losses import approve_restoration, deny_restoration, request_restoration


class Command(PortalCommand):
    help = "Request the restoration of a lost activation, or approve or deny a case somebody else requested."

    def arguments(self, parser: ArgumentParser) -> None:
        steps = parser.add_subparsers(dest="step", required=True, metavar="request|approve|deny")
        for step, target in (
            ("request", "activation_id"),
            ("approve", "restoration_id"),
            ("deny", "restoration_id"),
        ):
            sub = steps.add_parser(step)
            sub.add_argument("target", metavar=target.upper())
            sub.add_argument("--reason", required=True, metavar="TEXT")
            if step == "approve":
                sub.add_argument(
                    "--above-quota", action="store_true", help="approve although the customer's yearly quota is reached"
                )
            sub.add_argument(
                "--json", action="store_true", default=SUPPRESS, help="print one JSON object, refusals too"
            )
            add_actor(sub)

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        who = {"actor": named_actor(options["actor"]), "source": SOURCE, "reason": options["reason"]}
        if options["step"] == "request":
            case = done(request_restoration(activation_id=options["target"], **who))
        elif options["step"] == "approve":
            case = done(approve_restoration(restoration_id=options["target"], override=options["above_quota"], **who))
        else:
            case = done(deny_restoration(restoration_id=options["target"], **who))
        return {
            "restoration_id": case.restoration_id,
            "activation_id": case.activation_id,
            "license_id": case.license_id,
            "state": case.state,
        }

    def again(self, answer: dict[str, Any]) -> str:
        if answer["outcome"] != "done":
            return ""
        return f"It was booked: restoration {answer['restoration_id']} is {answer['state']}."
