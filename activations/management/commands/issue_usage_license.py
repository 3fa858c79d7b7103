"""issue_usage_license: a Usage Request in, a signed Usage License out."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from activations.domain.decisions import Chosen
from activations.domain.words import Choice, Outcome
from activations.management.base import (
    PENDING,
    REFUSED,
    SOURCE,
    PortalCommand,
    Stop,
    add_actor,
    done,
    named_actor,
)
from activations.management.files import read_input
from activations.services.issue import Submission, submit_usage_request
from activations.services.mail_text import source_of_file

CHOICES = [choice.value for choice in Choice]


class Command(PortalCommand):
    help = "Answer the Usage Request in a text or a whole mail. Prints the Usage License."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", default="-", help="the text or mail; standard input by default")
        add_actor(parser)
        parser.add_argument("--dry-run", action="store_true", help="decide, book nothing")
        parser.add_argument("--reason", default="", metavar="TEXT")
        parser.add_argument(
            "--decide",
            action="append",
            default=[],
            choices=CHOICES,
            help="what a person chose; may be repeated",
        )
        parser.add_argument("--activation", metavar="ACTIVATION_ID", help="the one meant, where several match")
        parser.add_argument("--expect", metavar="DIGEST", help="book only what the dry run with this digest showed")

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        submission = done(
            submit_usage_request(
                source=source_of_file(read_input(options["file"])),
                actor=named_actor(options["actor"]),
                origin=SOURCE,
                dry_run=options["dry_run"],
                chosen=Chosen(frozenset(Choice(name) for name in options["decide"]), options["activation"]),
                expect=options["expect"],
                reason=options["reason"],
            )
        )
        answer = submission.as_json()
        if submission.stale:
            message = "Something changed since the dry run, so nothing was booked. This is how it stands now: "
            changed = {
                "outcome": "refused",
                "code": "facts-changed",
                "message": message + submission.decision.staff,
            }
            raise Stop(REFUSED, {**answer, **changed})
        if submission.decision.outcome is Outcome.REFUSED:
            raise Stop(REFUSED, answer)
        if submission.decision.outcome is Outcome.PENDING:
            raise Stop(PENDING, {**answer, "message": _with_options(submission)})
        return answer

    def again(self, answer: dict[str, Any]) -> str:
        if not answer.get("booked"):
            return ""
        return "It was booked: give the same Usage Request again, the answer is the same and takes no further seat."

    def lines(self, answer: dict[str, Any]) -> list[str]:
        return [answer["usage_license"].rstrip("\n")] if answer["usage_license"] else []


def _with_options(submission: Submission) -> str:
    lines = [submission.decision.staff, "A person must choose; run it again with one of:"]
    for option in submission.decision.options:
        target = f" --activation {option.activation_id}" if option.activation_id else ""
        lines.append(f"  --decide {option.choice.value}{target}   {option.explanation}")
    return "\n".join(lines)
