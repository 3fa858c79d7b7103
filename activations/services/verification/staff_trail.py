"""The staff trail against the ledger: what both tell, they tell alike, and neither has more of it than the other."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Exists, OuterRef

from activations.domain.ledger import read_body
from activations.domain.staff_trail import BOOKED
from activations.models import LedgerEntry, StaffEvent
from activations.services.booking import iso
from activations.services.staff_trail import row_of

CHUNK = 2000
_COMPARED = ("at", "actor", "kind", "subject", "details")


def staff_trail_problems() -> Iterator[str]:
    entries = LedgerEntry.objects.filter(kind__in=[kind.value for kind in BOOKED]).order_by("id")
    for start in _parts(entries):
        rows = {
            (row.chain, row.seq): row
            for row in StaffEvent.objects.filter(seq__in={e.seq for e in start}, chain__in={e.chain for e in start})
        }
        for entry in start:
            yield from _entry_problems(entry, rows.get((entry.chain, entry.seq)))
    yield from _rows_without_entry()


def _parts(entries: object) -> Iterator[list[LedgerEntry]]:
    part: list[LedgerEntry] = []
    for entry in entries.iterator(CHUNK):  # type: ignore[attr-defined]
        part.append(entry)
        if len(part) == 500:
            yield part
            part = []
    if part:
        yield part


def _entry_problems(entry: LedgerEntry, row: StaffEvent | None) -> Iterator[str]:
    name = f"staff trail of {entry.chain} entry {entry.seq}"
    if row is None:
        yield f"{name}: the row is missing"
        return
    try:
        due = row_of(read_body(entry.body), entry.at)
    except ValueError:
        return  # the check of the chains names it
    for column in _COMPARED:
        said, booked = getattr(row, column), getattr(due, column)
        if said != booked:
            shown = (iso(booked), iso(said)) if column == "at" else (booked, said)
            yield f"{name} {column}: the ledger says {shown[0]}, the table says {shown[1]}"


def _rows_without_entry() -> Iterator[str]:
    told = LedgerEntry.objects.filter(
        chain=OuterRef("chain"), seq=OuterRef("seq"), kind__in=[kind.value for kind in BOOKED]
    )
    rows = StaffEvent.objects.exclude(chain="").filter(~Exists(told)).order_by("id")
    for chain, seq in rows.values_list("chain", "seq").iterator(CHUNK):
        yield f"staff trail of {chain} entry {seq}: the ledger has no such entry"
    booked = [kind.value for kind in BOOKED]
    for pk in StaffEvent.objects.filter(chain="", kind__in=booked).order_by("id").values_list("pk", flat=True):
        yield f"staff trail row {pk}: names no entry of the ledger, and its kind has one"
