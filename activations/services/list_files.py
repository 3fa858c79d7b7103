"""Rows as a file: CSV, XLSX for a spreadsheet, JSON Lines for a program. Written row by row, in constant memory."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import IO, Any

from openpyxl import Workbook  # type: ignore[import-untyped]

from activations.services.spreadsheets import kept_as_text

FORMATS = ("csv", "xlsx", "jsonl")
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "jsonl": "application/jsonl",
    "zip": "application/zip",
}
BOM = "\ufeff"  # by it Excel knows that a CSV file is UTF-8
# What no XML file may hold: a workbook with one of them does not open.
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
LONGEST_CELL = 32_767  # of a spreadsheet
MOST_SHEET_ROWS = 1_048_575  # below the heading
EXACT_NUMBER = 2**53  # above it a spreadsheet rounds

Source = str | Callable[[Any], object]  # "license.customer.name", or a function of the row
Columns = Mapping[str, Source]


def write_file(format: str, columns: Columns, rows: Iterable[Any], out: IO[bytes], about: Mapping[str, object]) -> int:
    """Writes the rows and returns how many there were. `about` says what the file is: a workbook has it on a sheet of
    its own, JSON Lines in their first object; CSV has no place for it.
    """
    if format == "xlsx":
        return _xlsx(columns, rows, out, about)
    text = io.TextIOWrapper(out, encoding="utf-8", errors="replace", newline="", write_through=True)
    try:
        return _csv(columns, rows, text) if format == "csv" else _jsonl(columns, rows, text, about)
    finally:
        text.detach()  # the file stays open for whoever asked


def write_beside(name: str, columns: Columns, rows: Iterable[Any], out: IO[bytes], note: str) -> int:
    """A ZIP with the rows as CSV, which has no place for a checkpoint, and the checkpoint in a file beside it."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as both:
        with both.open(f"{name}.csv", "w", force_zip64=True) as file:
            count = write_file("csv", columns, rows, file, {})
        both.writestr(f"{name}.csv.checkpoint", note)
    return count


def _csv(columns: Columns, rows: Iterable[Any], out: IO[str]) -> int:
    out.write(BOM)
    writer, count = csv.writer(out), 0
    writer.writerow(list(columns))
    for row in rows:
        writer.writerow(_cells(columns, row))
        count += 1
    return count


def _jsonl(columns: Columns, rows: Iterable[Any], out: IO[str], about: Mapping[str, object]) -> int:
    count = 0
    out.write(json.dumps({"export": "chariot-list-1", **about}, ensure_ascii=False) + "\n")
    for row in rows:
        values = {name: _plain(_value(source, row)) for name, source in columns.items()}
        out.write(json.dumps(values, ensure_ascii=False) + "\n")
        count += 1
    out.write(json.dumps({"end": count}) + "\n")  # tells a whole file from a cut one
    return count


def _xlsx(columns: Columns, rows: Iterable[Any], out: IO[bytes], about: Mapping[str, object]) -> int:
    book, count = Workbook(write_only=True), 0
    sheet = book.create_sheet("List")
    sheet.freeze_panes = "A2"
    sheet.append(list(columns))
    for row in rows:
        sheet.append([_in_xml(cell) for cell in _cells(columns, row)])
        count += 1
    origin = book.create_sheet("About")
    for name, value in about.items():
        said = value if isinstance(value, str | int) else json.dumps(value, ensure_ascii=False)
        origin.append([name, _in_xml(cell(said))])
    book.save(out)
    return count


def _cells(columns: Columns, row: Any) -> Sequence[str | int]:
    return [cell(_value(source, row)) for source in columns.values()]


def _value(source: Source, row: Any) -> object:
    if callable(source):
        return source(row)
    for name in source.split("."):
        row = getattr(row, name) if row is not None else None
    found: object = row
    return found


def _plain(value: object) -> object:
    """As JSON has it: numbers and truth stay what they are, times are ISO 8601 in UTC."""
    if value is None or isinstance(value, bool | int):
        return value
    return _time(value) if isinstance(value, datetime) else str(value)


def _time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def cell(value: object) -> str | int:
    """A value as a spreadsheet holds it: times as ISO 8601 in UTC, and no text that it would run."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return value if abs(value) < EXACT_NUMBER else str(value)
    if isinstance(value, datetime):
        return _time(value)
    if isinstance(value, date):
        return value.isoformat()
    return kept_as_text(str(value))


def _in_xml(value: str | int) -> str | int:
    if isinstance(value, int):
        return value
    text = NOT_IN_XML.sub("", value)
    text = kept_as_text(text)  # a control character may have stood in front
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 30]} ... (cut; whole in CSV)"
