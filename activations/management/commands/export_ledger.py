"""export_ledger: the ledger as JSON Lines or CSV."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from activations.domain.words import Actor
from activations.management.base import SOURCE, PortalCommand, bad_input, done, named_actor
from activations.services.actors import system_actor
from activations.services.exports import FORMATS, Exported, export_ledger


class Command(PortalCommand):
    help = "Export the ledger, by chain and sequence. With --json, give --out: the answer takes standard output."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", required=True, choices=FORMATS)
        parser.add_argument("--license", metavar="ID", help="only this license")
        parser.add_argument(
            "--until", metavar="TIME", help="only entries up to this time, ISO 8601; UTC unless it says"
        )
        parser.add_argument("--out", metavar="FILE", help="standard output by default")
        parser.add_argument("--actor", metavar="USER")

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["json"] and not options["out"]:
            raise bad_input("out-missing", "With --json, name a file with --out.")
        actor = named_actor(options["actor"]) if options["actor"] else system_actor()
        until = _time(options["until"]) if options["until"] else None
        if not options["out"]:
            written = self._export(sys.stdout, options, actor, until)
        else:
            written = self._to_file(Path(options["out"]), options, actor, until)
        return {
            "message": f"{written.entries} entries exported.",
            "entries": written.entries,
            "format": written.format,
            "out": options["out"],
        }

    def _to_file(self, path: Path, options: dict[str, Any], actor: Actor, until: datetime | None) -> Exported:
        """Whole or not at all: written beside the target and moved into place."""
        part = path.with_name(f".{path.name}.part")
        try:
            with part.open("w", encoding="utf-8", newline="") as out:
                written = self._export(out, options, actor, until)
                out.flush()
                os.fsync(out.fileno())
            part.replace(path)
        except OSError as error:
            raise bad_input("file-unwritable", f"{path} cannot be written: {error.strerror}.") from None
        finally:
            part.unlink(missing_ok=True)
        return written

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


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise bad_input(
            "time-unreadable", f"{text!r} is not a time. Write 2026-11-24 or 2026-11-24T13:00:00Z."
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
