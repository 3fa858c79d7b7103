"""export_ledger: the ledger as JSON Lines or CSV."""

from __future__ import annotations

import io
import re
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any, TextIO

from activations.domain.words import Actor
from activations.management.base import SOURCE, PortalCommand, bad_input, done, named_actor, read_day
from activations.management.files import whole_file
from activations.management.streams import OutputFailed
from activations.services.actors import system_actor
from activations.services.exports import FORMATS, Exported, export_ledger


class Command(PortalCommand):
    help = "Export the ledger, by chain and sequence. With --json, give --out: the answer takes standard output."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", required=True, choices=FORMATS)
        parser.add_argument("--license", metavar="ID", help="only this license")
        parser.add_argument(
            "--until",
            metavar="TIME",
            help="only entries up to this time, 2026-11-24T13:00:00Z, or to the beginning of a day in UTC, 2026-11-24",
        )
        parser.add_argument("--out", metavar="FILE", help="standard output by default")
        parser.add_argument("--actor", metavar="USER")

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["json"] and not options["out"]:
            raise bad_input("out-missing", "With --json, name a file with --out.")
        actor = named_actor(options["actor"]) if options["actor"] else system_actor()
        until = _time(options["until"]) if options["until"] else None
        if not options["out"]:
            written = self._to_standard_output(options, actor, until)
        else:
            with whole_file(Path(options["out"])) as out:
                written = self._export(out, options, actor, until)
        return {
            "message": f"{written.entries} entries exported.",
            "entries": written.entries,
            "format": written.format,
            "out": options["out"],
        }

    def _to_standard_output(self, options: dict[str, Any], actor: Actor, until: datetime | None) -> Exported:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", newline="")  # as a file: its bytes do not depend on the terminal
        try:
            return self._export(sys.stdout, options, actor, until)
        except OSError as error:
            raise OutputFailed(error) from None

    def _export(self, out: TextIO, options: dict[str, Any], actor: Actor, until: datetime | None) -> Exported:
        return done(
            export_ledger(
                out=out,
                format=options["format"],
                actor=actor,
                source=SOURCE,
                license_id=options["license"],
                until=until,
            )
        )

    def lines(self, answer: dict[str, Any]) -> list[str]:
        return []


# RFC 3339; `datetime.fromisoformat` alone takes week dates, dates without hyphens and times without a zone too.
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_FIRST_YEAR = 1970


def _time(text: str) -> datetime:
    """The time in UTC; a date means its beginning."""
    try:
        if _TIME.fullmatch(text):
            found: datetime | None = datetime.fromisoformat(text.upper()).astimezone(UTC)
        else:
            found = datetime.combine(read_day(text), time.min, UTC)
    except OverflowError:
        found = None
    except ValueError:
        raise bad_input(
            "time-unreadable", f"{text!r} is not a time. Write 2026-11-24 or 2026-11-24T13:00:00Z."
        ) from None
    if found is None or found.year < _FIRST_YEAR:
        raise bad_input("time-out-of-range", f"{text!r} lies outside the years {_FIRST_YEAR} to 9999.")
    return found
