"""license_statement: the signed statement of a license for its customer, as PDF or JSON."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

from activations.management.base import SOURCE, PortalCommand, add_actor, done, named_actor, read_day
from activations.management.files import whole_file
from activations.management.times import read_time
from activations.services.booking import iso
from activations.services.statements import FORMATS, end_of, make_statement, statement_file


class Command(PortalCommand):
    help = (
        "Make a signed statement of a license's activation history for its customer, who checks it with "
        "`chariot-license statement FILE`. That it was made is booked."
    )

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("license", metavar="LICENSE_ID")
        parser.add_argument(
            "--at",
            metavar="TIME",
            help="as of this moment, 2026-11-24T13:00:00Z, or the end of a day in UTC, 2026-11-24; now by default",
        )
        parser.add_argument("--format", required=True, choices=FORMATS)
        parser.add_argument("--out", required=True, metavar="FILE")
        parser.add_argument("--again", type=int, metavar="N", help="write statement N once more; books nothing")
        add_actor(parser)

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        actor, license_id = named_actor(options["actor"]), options["license"]
        said: dict[str, Any] = {}
        with whole_file(Path(options["out"])) as out:
            number = options["again"]
            if number is None:
                at = _moment(options["at"]) if options["at"] else None
                made = done(make_statement(license_id=license_id, at=at, actor=actor, source=SOURCE))
                number = made.number
                said = {"as_of": iso(made.as_of), "entries": made.length, "sha256": made.sha256}
            file = done(statement_file(license_id=license_id, number=number, format=options["format"], actor=actor))
            out.buffer.write(file.content)
        return {
            "message": f"Statement {number} of {license_id} is in {options['out']}.",
            "license_id": license_id,
            "number": number,
            "format": options["format"],
            "out": options["out"],
            **said,
        }

    def again(self, answer: dict[str, Any]) -> str:
        return f"The statement was made and is in {answer['out']}." if answer.get("out") else ""


def _moment(text: str) -> datetime | None:
    try:
        return end_of(read_day(text))
    except ValueError:
        return read_time(text)
