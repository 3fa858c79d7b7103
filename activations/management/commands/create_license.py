"""create_license: a new license, with its License Key shown this once."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from activations.management.base import SOURCE, PortalCommand, add_actor, done, feature_terms, named_actor
from activations.services.licenses import DEFAULT_PRODUCT, create_license


class Command(PortalCommand):
    help = "Make a license. Prints its License ID and its License Key, which is shown only now."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--customer", required=True, metavar="NAME")
        parser.add_argument("--allowed", required=True, type=int, metavar="N", help="allowed activations")
        parser.add_argument(
            "--feature",
            required=True,
            action="extend",
            nargs="+",
            metavar="CODE[:YYYY-MM-DD]",
            help="with its last day",
        )
        parser.add_argument("--product", default=DEFAULT_PRODUCT)
        parser.add_argument("--lowest-version", default="")
        parser.add_argument("--highest-version", default="")
        parser.add_argument(
            "--online", action="store_true", help="answer over the internet where no person has to decide"
        )
        add_actor(parser)

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        made = done(
            create_license(
                customer=options["customer"],
                allowed=options["allowed"],
                features=feature_terms(options["feature"]),
                product=options["product"],
                versions=(options["lowest_version"], options["highest_version"]),
                online=options["online"],
                actor=named_actor(options["actor"]),
                source=SOURCE,
            )
        )
        return {"license_id": made.license_id, "license_key": made.license_key, "warnings": list(made.warnings)}

    def again(self, answer: dict[str, Any]) -> str:
        if answer["outcome"] != "done":
            return ""
        return (
            f"License {answer['license_id']} was made. Its License Key is shown once only: give it another one with "
            f"`manage.py change_license {answer['license_id']} --replace-key`."
        )
