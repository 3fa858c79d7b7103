"""pseudonymise_contact: a pseudonym in the place of a contact's name and address, wherever it may be done."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from activations.management.base import SOURCE, PortalCommand, add_actor, bad_input, done, named_actor
from activations.services.privacy.pseudonymise import plan_pseudonymising, pseudonymise_contact


class Command(PortalCommand):
    help = "Put a pseudonym in the place of a contact's name and address, and erase what they wrote. For good."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--reason", metavar="TEXT", help="goes into the ledger: without name and address")
        parser.add_argument("--dry-run", action="store_true", help="say what would be replaced and what stays")
        add_actor(parser)

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        actor = named_actor(options["actor"])
        if options["dry_run"]:
            plan = done(plan_pseudonymising(email=options["email"], actor=actor))
            return {
                "message": "Dry run: nothing was replaced.",
                "pseudonym": plan.person.pseudonym,
                "erased": plan.counts,
                "rewritten": plan.rewritten_counts,
                "stays": plan.stays,
            }
        if not options["reason"]:
            raise bad_input("reason-missing", "Say why with --reason; it goes into the ledger.")
        made = done(pseudonymise_contact(email=options["email"], actor=actor, source=SOURCE, reason=options["reason"]))
        return {
            "pseudonym": made.pseudonym,
            "erased": made.erased,
            "rewritten": made.rewritten,
            "stays": list(made.stays),
        }

    def again(self, answer: dict[str, Any]) -> str:
        done_it = answer["outcome"] == "done" and "message" not in answer
        return f"The contact was pseudonymised as {answer['pseudonym']}." if done_it else ""
