"""Exporting the ledger with the checkpoint it belongs to: JSON Lines that can be verified again, or CSV to read."""

from __future__ import annotations

import base64
import csv
import io
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import IO, Any, TextIO

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from activations.domain.checkpoint import read_note
from activations.domain.ledger import Kind
from activations.domain.merkle import inclusion_proof
from activations.domain.words import Ability, Actor
from activations.models import LedgerCheckpoint, LedgerEntry, LedgerLeaf
from activations.services.actors import system_actor
from activations.services.booking import iso, portal_book
from activations.services.checkpoints import checkpoint_ledger
from activations.services.privacy.person import without_people
from activations.services.results import BadInput, Refused, lacking, public_id
from activations.services.snapshot import snapshot
from activations.services.spreadsheets import kept_as_text
from activations.services.tiles import Tree, TreeIncomplete

log = logging.getLogger(__name__)

CHUNK = 2000
FORMATS = ("jsonl", "csv")
EXPORT = "chariot-ledger-1"
NODES_KEPT = 4096  # of the tree, while proofs are written: neighbours share most of theirs
_COLUMNS = ("index", "chain", "seq", "at", "actor", "kind", "reason", "source", "data", "prev", "hash")
Proof = Callable[[int, int], list[bytes]]  # index of a leaf and size of the tree to the hashes of its inclusion proof
Tell = Callable[[int, int], None]  # how many entries are written, and of how many


def _nobody(done: int, total: int) -> None:
    """Where nobody waits to hear."""


@dataclass(frozen=True)
class Exported:
    """How many entries were written, and the checkpoint they belong to; `warning` says why it is not a new one."""

    entries: int
    format: str
    size: int
    root: str
    note: str
    warning: str = ""


@dataclass(frozen=True)
class Belongs:
    """The checkpoint of an export; `warning` says why it is not a new one."""

    row: LedgerCheckpoint
    warning: str = ""


def export_ledger(
    *,
    out: TextIO,
    format: str,
    actor: Actor,
    source: str,
    license_id: str | None = None,
    until: datetime | None = None,
    beside: TextIO | None = None,
    tell: Tell = _nobody,
) -> Exported | Refused | BadInput:
    """Writes the entries (of one license, up to a time) to `out`, in the order of the tree; books that it did.

    A checkpoint is made first, whoever exports: it changes no license and is what makes the export worth something.
    The export holds exactly what it covers. JSON Lines begin with a header that carries it and end with a line that
    tells a whole file from a cut one (docs/audit.md); for CSV the note goes to `beside`. `tell` hears how far it is.
    """
    refused = lacking(actor, [Ability.READ_LEDGER])
    if refused:
        return refused
    if format not in FORMATS:
        return BadInput("format-unknown", f"There is no format {format}. Formats: {', '.join(FORMATS)}.")
    chosen: dict[str, str] = {}
    if license_id is not None:
        named = public_id("LIC", license_id)
        if isinstance(named, BadInput):
            return named
        if not LedgerEntry.objects.filter(chain=named).exists():
            return BadInput("license-unknown", f"The ledger has no entry of {named}.")
        chosen["license"] = named
    if until is not None:
        chosen["until"] = iso(until)
    belongs = _checkpoint(format)
    if isinstance(belongs, Refused):
        return belongs
    # Not in the transaction that books: whoever reads the output slowly would hold up every other booking.
    with snapshot():
        rows = _chosen(belongs.size, chosen.get("license"), until)
        if format == "jsonl":
            count = _write_jsonl(rows, out, belongs, chosen, by=actor.name, tell=tell)
        else:
            count = _write_csv(rows, out, tell)
            if beside is not None:
                beside.write(belongs.note)
                beside.flush()
        out.flush()  # what cannot be written is not booked
    said = {"license": chosen.get("license"), "until": chosen.get("until")}
    return _booked(replace(belongs, entries=count), said, actor, source)


def export_chosen(
    *,
    entries: QuerySet[LedgerEntry],
    chosen: Mapping[str, Sequence[str]],
    out: IO[bytes],
    actor: Actor,
    source: str,
    tell: Tell = _nobody,
) -> Exported | Refused:
    """As `export_ledger` in JSON Lines, for the entries that a list shows.

    `chosen` is its filter, as it is booked; nothing chosen is the whole ledger. `tell` hears how far it is.
    """
    refused = lacking(actor, [Ability.READ_LEDGER])
    if refused:
        return refused
    belongs = _checkpoint("jsonl")
    if isinstance(belongs, Refused):
        return belongs
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    try:
        with snapshot():
            rows = _chosen(belongs.size, None, None)
            if chosen:
                rows = rows.filter(entry__in=entries.order_by().values("pk"))
            count = _write_jsonl(rows, text, belongs, chosen, by=actor.name, tell=tell)
    finally:
        text.detach()  # the file stays open for whoever asked
    # Names and addresses that somebody searched for would stand in the ledger for good.
    said = {key: [without_people(each) for each in values] for key, values in chosen.items()}
    return _booked(replace(belongs, entries=count), {"filter": said}, actor, source)


def _booked(written: Exported, said: Mapping[str, object], actor: Actor, source: str) -> Exported:
    """Books the export. A ledger that takes no entry any more is damaged, and its export is what shows that: it is not
    held back, but comes with the warning.
    """
    data = {
        "format": written.format,
        **said,
        "entries": written.entries,
        "checkpoint": {"size": written.size, "root": written.root},
    }
    try:
        with transaction.atomic(), portal_book(actor=actor, source=source) as book:
            book.add(Kind.LEDGER_EXPORTED, data)
    except IntegrityError as error:
        problem = str(error).strip().splitlines()[0]
        log.error("an export of the ledger could not be booked: %s", problem)
        unbooked = f"The ledger did not take the entry about this export ({problem}), so somebody damaged it. Keep the "
        return replace(
            written, warning=f"{written.warning} {unbooked}export, run verify_ledger, and tell an auditor.".strip()
        )
    return written


def _checkpoint(format: str) -> Exported | Refused:
    found = belongs_to()
    if isinstance(found, Refused):
        return found
    return Exported(0, format, found.row.size, found.row.root, found.row.note, found.warning)


def belongs_to() -> Belongs | Refused:
    """The checkpoint that an export belongs to: a new one, or, where none can be made, the last.

    A ledger that somebody damaged is exported, too: whoever verifies the export finds what was done to it.
    """
    try:
        made = checkpoint_ledger(actor=system_actor())
    except (IntegrityError, TreeIncomplete, ValueError) as error:
        problem = str(error).strip().splitlines()[0]
        made = Refused(
            "ledger-damaged", f"No checkpoint can be made of the ledger as it is ({problem}). Run verify_ledger."
        )
    if not isinstance(made, Refused):
        return Belongs(LedgerCheckpoint.objects.get(size=made.size))
    last = LedgerCheckpoint.objects.first()
    if last is None:
        return replace(made, message=f"An export belongs to a checkpoint, and there is none yet. {made.message}")
    warning = f"The export belongs to the last checkpoint and leaves out what came after it. {made.message}"
    return Belongs(last, warning)


def _chosen(size: int, license_id: str | None, until: datetime | None) -> QuerySet[LedgerLeaf]:
    rows = LedgerLeaf.objects.filter(index__lt=size).order_by("index")
    if license_id is not None:
        rows = rows.filter(entry__chain=license_id)
    if until is not None:
        rows = rows.filter(entry__at__lte=until)
    return rows


def _rows(rows: QuerySet[LedgerLeaf]) -> Iterator[tuple[int, str, str]]:
    return rows.values_list("index", "entry__hash", "entry__body").iterator(CHUNK)


def _write_jsonl(
    rows: QuerySet[LedgerLeaf],
    out: TextIO,
    belongs: Exported,
    chosen: Mapping[str, object],
    *,
    by: str,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    total = rows.values("entry").count()
    header = {
        "export": EXPORT,
        "origin": read_note(belongs.note)[0].origin,
        "checkpoint": belongs.note,
        "filter": chosen or None,
        "entries": total,
        "made_at": iso(timezone.now()),
        "by": by,
    }
    proof, count = _proofs() if chosen else None, 0
    _write_line(out, header)
    for index, digest, body in _rows(rows):
        line: dict[str, Any] = {"index": index, "hash": digest, "body": body}
        if proof is not None:
            line["proof"] = [base64.b64encode(node).decode() for node in proof(index, belongs.size)]
        _write_line(out, line)
        count += 1
        if count % CHUNK == 0:
            tell(count, total)
    tell(count, total)
    _write_line(out, {"end": count})
    return count


def _write_line(out: TextIO, line: dict[str, Any]) -> None:
    out.write(json.dumps(line, ensure_ascii=False) + "\n")


def _proofs() -> Proof:
    subtree = lru_cache(NODES_KEPT)(Tree().subtree)

    def proof(index: int, size: int) -> list[bytes]:
        try:
            return inclusion_proof(index, size, subtree)
        except TreeIncomplete:
            return []  # of a damaged ledger: no proof proves nothing, and whoever verifies it says so

    return proof


def _write_csv(rows: QuerySet[LedgerLeaf], out: TextIO, tell: Tell) -> int:
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    total, count = rows.values("entry").count(), 0
    for index, digest, body in _rows(rows):
        fields = {**_fields(body), "index": index, "hash": digest}
        writer.writerow([_cell(fields[column]) for column in _COLUMNS])
        count += 1
        if count % CHUNK == 0:
            tell(count, total)
    tell(count, total)
    return count


def _fields(body: str) -> dict[str, Any]:
    """What an entry says, by the names of the columns. Of one that somebody damaged, all of it stands as `data`."""
    try:
        fields = json.loads(body)
        told = {name: fields[name] for name in _COLUMNS if name not in ("index", "hash")}
        return {**told, "data": json.dumps(fields["data"], ensure_ascii=False, sort_keys=True)}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {**dict.fromkeys(_COLUMNS, ""), "data": body}


def _cell(value: object) -> object:
    """Text that a spreadsheet would take for a formula is kept as text, by an apostrophe."""
    return kept_as_text(value) if isinstance(value, str) else value
