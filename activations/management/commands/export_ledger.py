"""export_ledger: the ledger as JSON Lines or CSV."""

from __future__ import annotations

import io
import sys
from argparse import ArgumentParser
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from activations.domain.words import Actor
from activations.management.base import SOURCE, PortalCommand, bad_input, done, named_actor
from activations.management.files import whole_file
from activations.management.streams import OutputFailed
from activations.management.times import read_time
from activations.services.actors import system_actor
from activations.services.exports import FORMATS, Exported, export_ledger


class Command(PortalCommand):
    help = (
        "Export the ledger in the order of its tree, with the checkpoint it belongs to: in the header of JSON Lines, "
        "or in FILE.checkpoint beside a CSV file. With --json, give --out: the answer takes standard output."
    )

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
        until = read_time(options["until"]) if options["until"] else None
        if not options["out"]:
            written = self._to_standard_output(options, actor, until)
        else:
            written = self._to_files(Path(options["out"]), options, actor, until)
        message = f"{written.entries} entries exported, of the {written.size} that its checkpoint covers."
        if written.format == "csv" and not options["out"]:
            message += f" Keep the checkpoint with them:\n\n{written.note}"
        return {
            "message": message,
            "warnings": [written.warning] if written.warning else [],
            "entries": written.entries,
            "format": written.format,
            "out": options["out"],
            "size": written.size,
            "root": written.root,
            "checkpoint": written.note,
        }

    def _to_files(self, out: Path, options: dict[str, Any], actor: Actor, until: datetime | None) -> Exported:
        with ExitStack() as files:
            beside = None
            if options["format"] == "csv":
                beside = files.enter_context(whole_file(out.with_name(f"{out.name}.checkpoint")))
            return self._export(files.enter_context(whole_file(out)), options, actor, until, beside)

    def _to_standard_output(self, options: dict[str, Any], actor: Actor, until: datetime | None) -> Exported:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", newline="")  # as a file: its bytes do not depend on the terminal
        try:
            return self._export(sys.stdout, options, actor, until)
        except OSError as error:
            raise OutputFailed(error) from None

    def _export(
        self,
        out: TextIO,
        options: dict[str, Any],
        actor: Actor,
        until: datetime | None,
        beside: TextIO | None = None,
    ) -> Exported:
        return done(
            export_ledger(
                out=out,
                format=options["format"],
                actor=actor,
                source=SOURCE,
                license_id=options["license"],
                until=until,
                beside=beside,
            )
        )

    def lines(self, answer: dict[str, Any]) -> list[str]:
        return []
