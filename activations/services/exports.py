"""Exporting the ledger: JSON Lines that can be verified again, or CSV for a spreadsheet."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TextIO

from django.db import transaction
from django.db.models import QuerySet

from activations.domain.ledger import Kind
from activations.domain.words import Ability, Actor
from activations.models import LedgerEntry
from activations.services.booking import iso, portal_book
from activations.services.results import BadInput, Refused, lacking, public_id
from activations.services.snapshot import snapshot
from activations.services.spreadsheets import kept_as_text

CHUNK = 2000
FORMATS = ("jsonl", "csv")
_COLUMNS = ("chain", "seq", "at", "actor", "kind", "reason", "source", "data", "prev", "hash")


@dataclass(frozen=True)
class Exported:
    entries: int
    format: str


def export_ledger(
    *,
    out: TextIO,
    format: str,
    actor: Actor,
    source: str,
    license_id: str | None = None,
    until: datetime | None = None,
) -> Exported | Refused | BadInput:
    """Writes the entries (of one license, up to a time) to `out`, by chain and sequence; books that it did.

    JSON Lines hold one object an entry: {"hash": ..., "body": the canonical JSON as a string}, so that the bytes that
    were hashed travel untouched.
    """
    refused = lacking(actor, [Ability.READ_LEDGER])
    if refused:
        return refused
    if format not in FORMATS:
        return BadInput("format-unknown", f"There is no format {format}. Formats: {', '.join(FORMATS)}.")
    entries = LedgerEntry.objects.order_by("chain", "seq")
    if license_id is not None:
        named = public_id("LIC", license_id)
        if isinstance(named, BadInput):
            return named
        license_id = named
        entries = entries.filter(chain=license_id)
        if not entries.exists():
            return BadInput("license-unknown", f"The ledger has no entry of {license_id}.")
    if until is not None:
        entries = entries.filter(at__lte=until)
    # Not in the transaction that books: whoever reads the output slowly would hold up every other booking.
    with snapshot():
        count = _write_jsonl(entries, out) if format == "jsonl" else _write_csv(entries, out)
        out.flush()  # what cannot be written is not booked
    with transaction.atomic(), portal_book(actor=actor, source=source) as book:
        data = {
            "format": format,
            "license": license_id,
            "until": iso(until) if until else None,
            "entries": count,
        }
        book.add(Kind.LEDGER_EXPORTED, data)
    return Exported(count, format)


def _rows(entries: QuerySet[LedgerEntry]) -> Iterator[tuple[str, str]]:
    return entries.values_list("hash", "body").iterator(CHUNK)


def _write_jsonl(entries: QuerySet[LedgerEntry], out: TextIO) -> int:
    count = 0
    for digest, body in _rows(entries):
        out.write(json.dumps({"hash": digest, "body": body}, ensure_ascii=False) + "\n")
        count += 1
    return count


def _write_csv(entries: QuerySet[LedgerEntry], out: TextIO) -> int:
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    count = 0
    for digest, body in _rows(entries):
        fields = json.loads(body)
        fields["hash"] = digest
        fields["data"] = json.dumps(fields["data"], ensure_ascii=False, sort_keys=True)
        writer.writerow([_cell(fields[column]) for column in _COLUMNS])
        count += 1
    return count


def _cell(value: object) -> object:
    """Text that a spreadsheet would take for a formula is kept as text, by an apostrophe."""
    return kept_as_text(value) if isinstance(value, str) else value
