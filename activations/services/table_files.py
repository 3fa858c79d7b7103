"""Reading a table that somebody uploads: CSV or XLSX, of known columns, within bounds. Cells come out as text.

Files come from anywhere, so nothing in them is run or trusted: no formula, no macro, no XML entity, and what a
workbook unpacks to is measured before it is parsed.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook  # type: ignore[import-untyped]
from openpyxl.utils.exceptions import InvalidFileException  # type: ignore[import-untyped]

from activations.services.results import BadInput
from activations.services.secret_text import without_secrets
from activations.services.workbook_words import too_much_of

LARGEST_FILE = 2_000_000
LARGEST_UNPACKED = 12_000_000
LARGEST_PART = 1_000_000  # of a workbook, unpacked, unless it is a sheet or the texts of the cells
MOST_PARTS = 500  # of a workbook
MOST_SHEETS = 20
# Openings of XML tags. A short one costs a hundred times the memory of its letters, so bytes alone bound nothing.
MOST_TAGS = 20_000  # of a part; a spreadsheet has some thousand styles at most
MOST_TAGS_OF_CELLS = 400_000  # of the sheets, or of the texts of their cells
MOST_ROWS = 1_000
MOST_COLUMNS = 40
MOST_SCANNED = 20_000  # rows looked at: spreadsheets like to keep thousands of empty ones
LONGEST_CELL = 254
_PIECE = 65_536

ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
SAVE_AS = "Save it as CSV UTF-8 or as an Excel workbook (.xlsx) and choose that file."


@dataclass(frozen=True)
class Problem:
    """What is wrong with one cell, or with a row as a whole (no column)."""

    row: int
    column: str
    message: str


@dataclass(frozen=True)
class Row:
    number: int  # as the spreadsheet counts: the headings are row 1
    cells: dict[str, str]


@dataclass(frozen=True)
class Table:
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    sha256: str
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class _Raw:
    """Rows as the file has them: (number, cells), each cell its text or a _Bad."""

    rows: Iterator[tuple[int, list[Any]]]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Bad:
    message: str


class _Unreadable(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.problem = BadInput(code, message)


def read_table(content: bytes, *, columns: Sequence[str], required: Sequence[str]) -> Table | BadInput:
    """The rows that are not empty. `columns` are the headings that may occur, `required` those that must."""
    if len(content) > LARGEST_FILE:
        return BadInput("file-too-large", f"The file is larger than {LARGEST_FILE // 1_000_000} MB. Split it.")
    if not content.strip():
        return BadInput("file-empty", "The file is empty. Choose one with a row of headings and the rows below it.")
    try:
        raw = _workbook(content) if content.startswith((ZIP, OLE)) else _csv(content, columns)
        return _table(raw, columns, required, hashlib.sha256(content).hexdigest())
    except _Unreadable as error:
        return error.problem


# --- the table ---------------------------------------------------------------------------------------------


def _table(raw: _Raw, columns: Sequence[str], required: Sequence[str], sha256: str) -> Table:
    rows = ((number, cells) for number, cells in raw.rows if any(_filled(cell) for cell in cells))
    top = next(rows, None)
    if top is None:
        raise _Unreadable("file-empty", "The file has no filled cell. Start with a row of headings.")
    names = _headings(top[1], columns, required)
    found: list[Row] = []
    problems: list[Problem] = []
    for number, cells in rows:
        if len(found) == MOST_ROWS:
            message = f"The file has more than {MOST_ROWS:,} rows below the headings. Split it and import the parts."
            raise _Unreadable("rows-too-many", message)
        row, wrong = _row(number, cells, names)
        found.append(row)
        problems += wrong
    if not found:
        raise _Unreadable("rows-missing", "There is no row below the headings, so there is nothing to import.")
    return Table(tuple(filter(None, names)), tuple(found), sha256, tuple(problems), tuple(raw.notes))


def _filled(cell: Any) -> bool:
    return isinstance(cell, _Bad) or bool(cell.strip())


def _headings(cells: list[Any], columns: Sequence[str], required: Sequence[str]) -> list[str]:
    """The column of each cell of the heading row; "" for one without a heading."""
    known = {_folded(name): name for name in columns}
    names: list[str] = []
    for cell in cells:
        text = "" if isinstance(cell, _Bad) else cell.strip()
        if isinstance(cell, _Bad) or (text and _folded(text) not in known):
            shown = _beginning(text) if text else "a formula or an error"
            message = f"The heading {shown} is none of the columns: {', '.join(columns)}. Correct or remove it."
            raise _Unreadable("column-unknown", message)
        names.append(known[_folded(text)] if text else "")
    twice = [name for name in names if name and names.count(name) > 1]
    if twice:
        raise _Unreadable("column-twice", f"The column {twice[0]} stands there twice. Keep one of them.")
    missing = [name for name in required if name not in names]
    if missing:
        message = f"The first row must hold the headings, and these are missing: {', '.join(missing)}."
        raise _Unreadable("columns-missing", message)
    return names


def _beginning(text: str) -> str:
    """How a message names a cell. Half a License Key would be shown, were the text cut off before it is searched."""
    return repr(without_secrets(text)[:40])


def _folded(heading: str) -> str:
    return re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFKC", heading)).strip().casefold()


def _row(number: int, cells: list[Any], names: list[str]) -> tuple[Row, list[Problem]]:
    texts, problems = dict.fromkeys(filter(None, names), ""), []
    for place, cell in enumerate(cells):
        name = names[place] if place < len(names) else ""
        if not _filled(cell):
            continue
        message = cell.message if isinstance(cell, _Bad) else _bad_text(cell.strip())
        if not name and not message:
            message = f"The cell {_beginning(cell.strip())} stands in a column without a heading."
        if message:
            problems.append(Problem(number, name, message))
        elif name:
            texts[name] = cell.strip()
    return Row(number, texts), problems


def _bad_text(text: str) -> str:
    if text.startswith("="):
        return "A formula is not taken: write the value itself."
    if len(text) > LONGEST_CELL:
        return f"This is longer than {LONGEST_CELL} letters."
    return ""


# --- CSV ---------------------------------------------------------------------------------------------------


def _csv(content: bytes, columns: Sequence[str]) -> _Raw:
    text = _decoded(content)
    if "\x00" in text:
        raise _Unreadable("file-not-a-table", f"This is neither a CSV file nor an Excel workbook. {SAVE_AS}")
    first = text.lstrip("\r\n").split("\n", 1)[0]
    # Excel writes semicolons where the comma is the decimal sign, and tabs in its Unicode text.
    delimiter = max(",;\t", key=lambda mark: _known(first.split(mark), columns))
    return _Raw(_csv_rows(text, delimiter))


def _known(cells: Iterable[str], columns: Sequence[str]) -> int:
    known = {_folded(name) for name in columns}
    return sum(_folded(cell.strip().strip('"')) in known for cell in cells)


def _decoded(content: bytes) -> str:
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        # A guess would put a customer's misspelt name into the ledger for good.
        message = f"The file is not UTF-8, so its umlauts and accents cannot be read. {SAVE_AS}"
        raise _Unreadable("csv-encoding", message) from None


def _csv_rows(text: str, delimiter: str) -> Iterator[tuple[int, list[Any]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    try:
        for cells in reader:
            number += 1
            if number > MOST_SCANNED:
                raise _too_many_scanned()
            if len(cells) > MOST_COLUMNS:
                raise _Unreadable("columns-too-many", f"Row {number} has more than {MOST_COLUMNS} columns.")
            yield number, list(cells)
    except csv.Error:
        message = (
            f"Row {number + 1} is not CSV: a quotation mark is open or stands in the wrong place. Correct the row."
        )
        raise _Unreadable("csv-broken", message) from None


def _too_many_scanned() -> _Unreadable:
    message = f"The file has more than {MOST_SCANNED:,} rows, empty ones included. Delete the empty rows, or split it."
    return _Unreadable("rows-too-many", message)


# --- XLSX --------------------------------------------------------------------------------------------------


def _workbook(content: bytes) -> _Raw:
    if content.startswith(OLE):
        message = f"This is an old Excel file (.xls), or one with a password. {SAVE_AS}"
        raise _Unreadable("xlsx-old-or-locked", message)
    _measure(content)
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
        sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    except _BROKEN:
        raise _broken() from None
    if not sheets:
        raise _Unreadable("xlsx-without-sheet", "The workbook has no visible sheet with cells.")
    raw = _Raw(_sheet_rows(sheets[0]))
    if len(book.worksheets) > 1:
        raw.notes.append(f"The workbook has several sheets; only {sheets[0].title!r} was read.")
    return raw


def _broken() -> _Unreadable:
    return _Unreadable("xlsx-broken", f"The Excel workbook is damaged and cannot be read. {SAVE_AS}")


# What openpyxl raises for damaged workbooks, from its own error to those of the code under it.
_BROKEN = (
    InvalidFileException,
    zipfile.BadZipFile,
    ParseError,
    zlib.error,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    OverflowError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
)


def _measure(content: bytes) -> None:
    """Unpacks every part without keeping it, and stops at the bound: a few kilobytes can hold gigabytes of zeros."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            names = {part.filename.casefold() for part in parts}
            if any(name.endswith(("vbaproject.bin", "macros.bin")) or "/macrosheets/" in name for name in names):
                message = "The workbook holds macros, which are not taken. Save it as .xlsx without them."
                raise _Unreadable("xlsx-macros", message)
            if "[content_types].xml" not in names or "xl/workbook.xml" not in names:
                message = f"This is a zip file, but no Excel workbook. {SAVE_AS}"
                raise _Unreadable("file-not-a-table", message)
            if len(parts) > MOST_PARTS:
                raise _too_large(f"more than {MOST_PARTS} parts, pictures among them", "Remove the pictures")
            if any(part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for part in parts):
                raise _unfit()  # the others unpack a piece of any size at once
            _measure_parts(archive, parts)
    except _BROKEN:
        raise _broken() from None


def _measure_parts(archive: zipfile.ZipFile, parts: Sequence[zipfile.ZipInfo]) -> None:
    """The bounds hold by name, and any name may be read as any part: so each is far below what would do harm."""
    left, cells, sheets = LARGEST_UNPACKED, MOST_TAGS_OF_CELLS, MOST_SHEETS
    largest = most_tagged = _Measure("")
    for part in parts:
        of_cells = _OF_CELLS.fullmatch(part.filename)
        most, most_tags = (left, cells) if of_cells else (min(left, LARGEST_PART), MOST_TAGS)
        with archive.open(part) as stream:
            found = _measured(stream, part.filename, most, most_tags, sheets)
        largest = max(largest, found, key=lambda each: each.size)
        if of_cells:
            most_tagged = max(most_tagged, found, key=lambda each: each.tags)
        # What parts share is used up by the largest of them, and not by the one that came last.
        if found.tags > most_tags:
            raise _too_much_of(most_tagged if of_cells else found)
        if found.size > most:
            raise _too_much_of(largest if most == left else found)
        left -= found.size
        cells -= found.tags if of_cells else 0
        sheets -= found.sheets


@dataclass
class _Measure:
    name: str
    size: int = 0
    tags: int = 0
    sheets: int = 0


def _measured(stream: Any, name: str, most: int, most_tags: int, most_sheets: int) -> _Measure:
    """What a part unpacks to; as far as it was measured, if that is above a bound."""
    found, tail = _Measure(name), b""
    while piece := stream.read(_PIECE):
        seen = tail + piece
        found.size += len(piece)
        found.tags += piece.count(b"<")
        found.sheets += sum(match.end() > len(tail) for match in _NAMED_SHEET.finditer(seen))
        if found.size > most or found.tags > most_tags:
            return found
        if found.sheets > most_sheets:
            raise _too_large(f"more than {MOST_SHEETS} sheets", "Delete the sheets that are not the list")
        # No spreadsheet program writes these; UTF-16 would hide them, and none writes that either.
        upper = seen.upper()
        if b"<!DOCTYPE" in upper or b"<!ENTITY" in upper or (not tail and piece.startswith((b"\xff\xfe", b"\xfe\xff"))):
            raise _unfit()
        tail = piece[-64:]
    return found


# What grows with the list; openpyxl reads both as a stream.
_OF_CELLS = re.compile(r"xl/(worksheets/[^/]+\.xml|sharedStrings\.xml)", re.IGNORECASE)
_NAMED_SHEET = re.compile(rb"<(?:[A-Za-z0-9_.-]{1,40}:)?sheet[\s/>]")


def _unfit() -> _Unreadable:
    return _Unreadable("xlsx-unfit", f"The workbook holds what no spreadsheet program writes. {SAVE_AS}")


def _too_large(what: str, remedy: str) -> _Unreadable:
    return _Unreadable("xlsx-too-large", f"The workbook holds {what}. {remedy}, or save the list as CSV UTF-8.")


def _too_much_of(part: _Measure) -> _Unreadable:
    return _too_large(*too_much_of(part.name, most_tags=MOST_TAGS_OF_CELLS))


def _sheet_rows(sheet: Any) -> Iterator[tuple[int, list[Any]]]:
    try:
        cells = sheet.iter_rows(min_row=1, max_row=MOST_SCANNED + 1, min_col=1, max_col=MOST_COLUMNS)
        for number, row in enumerate(cells, 1):
            if number > MOST_SCANNED:
                raise _too_many_scanned()
            yield number, [_text(cell) for cell in row]
    except _BROKEN:
        raise _broken() from None


def _text(cell: Any) -> str | _Bad:
    value = cell.value
    if cell.data_type == "f":
        return _Bad("A formula is not taken: write the value itself.")
    if cell.data_type == "e":
        return _Bad(f"The cell holds the error {str(value)[:20]}.")
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, datetime) and (value.hour, value.minute, value.second) == (0, 0, 0):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
