"""Reading uploaded tables: CSV as spreadsheets write it, workbooks within bounds, bad files by name."""

from __future__ import annotations

import io
import time
import tracemalloc
import zipfile
from typing import Any

import pytest
from chariot_license.protocol.codes import LicenseKey
from openpyxl import Workbook  # type: ignore[import-untyped]
from openpyxl.comments import Comment  # type: ignore[import-untyped]
from openpyxl.styles import PatternFill  # type: ignore[import-untyped]

from activations.services.results import BadInput
from activations.services.table_files import LARGEST_FILE, MOST_ROWS, Table, read_table


def unreadable(content: bytes | str) -> str:
    content = content.encode() if isinstance(content, str) else content
    read = read_table(content, columns=("customer", "allowed"), required=("customer",))
    assert isinstance(read, BadInput), read
    return read.code


def workbook(*rows: list[Any], sheets: int = 1) -> bytes:
    book = Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    for number in range(1, sheets):
        book.create_sheet(f"More {number}")
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def repacked(content: bytes, **parts: bytes) -> bytes:
    """The workbook with parts added or replaced."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            if name not in parts:
                after.writestr(name, before.read(name))
        for name, data in parts.items():
            after.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_as_spreadsheets_write_it(encoding: str, mark: str, end: str) -> None:
    text = end.join(["", f'customer{mark}"allowed"', "", f'"Müller{mark} Söhne"{mark}3', ""])
    read = read_table(text.encode(encoding), columns=("customer", "allowed"), required=("customer",))
    assert isinstance(read, Table), read
    assert [(row.number, row.cells) for row in read.rows] == [
        (4, {"customer": f"Müller{mark} Söhne", "allowed": "3"}),
    ]


ENTITIES = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbb">]><worksheet>&b;</worksheet>'
SHEET = "xl/worksheets/sheet1.xml"
SPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def zip_of(name: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, data)
    return out.getvalue()


def far_row() -> bytes:
    cell = '<c r="A{0}" t="inlineStr"><is><t>{1}</t></is></c>'
    rows = "".join(
        f'<row r="{row}">{cell.format(row, text)}</row>' for row, text in ((1, "customer"), (1_048_576, "A"))
    )
    return f'<?xml version="1.0"?><worksheet xmlns="{SPACE}"><sheetData>{rows}</sheetData></worksheet>'.encode()


def many(before: str, one: str, after: str, count: int) -> bytes:
    return (before + one * count + after).encode()


def styles(count: int) -> bytes:
    """A style for each of many cells that are not there: openpyxl makes several objects of each."""
    return many(f'<styleSheet xmlns="{SPACE}"><cellXfs count="{count}">', "<xf/>", "</cellXfs></styleSheet>", count)


def sheets_of_one_part(count: int) -> dict[str, bytes]:
    """The same sheet named again and again; one without its dimension is read whole for each."""
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    sheets = "".join(f'<sheet name="s{n}" sheetId="{n}" r:id="rId1"/>' for n in range(1, count + 1))
    book = f'<workbook xmlns="{SPACE}" xmlns:r="{relations}"><sheets>{sheets}</sheets></workbook>'
    rows = many(f'<worksheet xmlns="{SPACE}"><sheetData>', "<row/>", "</sheetData></worksheet>", 300_000)
    return {"xl/workbook.xml": book.encode(), SHEET: rows}


def in_bzip2(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(out, "w", zipfile.ZIP_BZIP2) as after:
        for name in before.namelist():
            after.writestr(name, before.read(name))
    return out.getvalue()


GOOD = workbook(["customer"], ["Acme"])
BAD_FILES: dict[str, tuple[bytes | str, str]] = {
    "nothing": (b"", "file-empty"),
    "white space": (b" \n\n", "file-empty"),
    "commas": (",,,\n,,\n", "file-empty"),
    "headings only": ("customer,allowed\n", "rows-missing"),
    "unknown column": ("customer,price\nAcme,1\n", "column-unknown"),
    "missing column": ("allowed\n1\n", "columns-missing"),
    "column twice": ("customer,Customer\nAcme,1\n", "column-twice"),
    "no headings": ("Acme,1\nOther,2\n", "column-unknown"),
    "Latin-1": ("customer\nMüller\n".encode("latin-1"), "csv-encoding"),
    "half a quotation": ('customer\n"Acme\n', "csv-broken"),
    "binary": (b"\x7fELF\x00\x00", "file-not-a-table"),
    "too many rows": ("customer\n" + "Acme\n" * (MOST_ROWS + 1), "rows-too-many"),
    "too many empty rows": ("customer\n" + ",\n" * 30_000, "rows-too-many"),
    "too many columns": ("customer\n" + "," * 60 + "\n", "columns-too-many"),
    "too large": (b"x" * (LARGEST_FILE + 1), "file-too-large"),
    "old Excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "xlsx-old-or-locked"),
    "zip": (repacked(zip_of("a.txt", b"a")), "file-not-a-table"),
    "half a workbook": (GOOD[: len(GOOD) // 2], "xlsx-broken"),
    "damaged": (repacked(GOOD, **{SHEET: b"<worksheet><sheetData><row><c"}), "xlsx-broken"),
    "macros": (repacked(GOOD, **{"xl/vbaProject.bin": b"macro"}), "xlsx-macros"),
    "entities": (repacked(GOOD, **{SHEET: ENTITIES}), "xlsx-unfit"),
    "UTF-16 XML": (repacked(GOOD, **{SHEET: ENTITIES.decode().encode("utf-16")}), "xlsx-unfit"),
    "bomb": (repacked(GOOD, **{SHEET: b" " * 60_000_000}), "xlsx-too-large"),
    "many parts": (repacked(GOOD, **{f"xl/media/{n}.bin": b"" for n in range(600)}), "xlsx-too-large"),
    "two million styles": (repacked(GOOD, **{"xl/styles.xml": styles(2_000_000)}), "xlsx-too-large"),
    "many small styles": (repacked(GOOD, **{"xl/styles.xml": styles(100_000)}), "xlsx-too-large"),
    "long styles": (repacked(GOOD, **{"xl/styles.xml": b" " * 1_500_000}), "xlsx-too-large"),
    "long theme": (repacked(GOOD, **{"xl/theme/theme1.xml": b" " * 1_500_000}), "xlsx-too-large"),
    "long properties": (repacked(GOOD, **{"docProps/core.xml": b" " * 1_500_000}), "xlsx-too-large"),
    "many strings": (
        repacked(GOOD, **{"xl/sharedStrings.xml": many(f'<sst xmlns="{SPACE}">', "<si/>", "</sst>", 2_000_000)}),
        "xlsx-too-large",
    ),
    "a row of cells": (
        repacked(GOOD, **{SHEET: many("<worksheet><sheetData><row>", "<c/>", "</row></sheetData></worksheet>", 2**21)}),
        "xlsx-too-large",
    ),
    "one sheet named often": (repacked(GOOD, **sheets_of_one_part(1_000)), "xlsx-too-large"),
    "bzip2": (in_bzip2(GOOD), "xlsx-unfit"),
    "row a million": (repacked(GOOD, **{SHEET: far_row()}), "rows-too-many"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_named(name: str) -> None:
    content, code = BAD_FILES[name]
    assert unreadable(content) == code


CRAFTED = [name for name, (content, _) in BAD_FILES.items() if isinstance(content, bytes) and content[:2] == b"PK"]


@pytest.mark.parametrize("name", CRAFTED)
def test_a_crafted_workbook_costs_little(name: str) -> None:
    content, _ = BAD_FILES[name]
    assert isinstance(content, bytes)
    before = time.process_time()
    tracemalloc.start()
    unreadable(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.process_time() - before < 8  # most of it the measuring itself; unbounded it is minutes
    assert peak < 40_000_000


def test_a_workbook_at_the_bounds_is_read() -> None:
    """What an honest list can be at most: every row and column, each cell another text."""
    names = [f"column {number}" for number in range(40)]
    rows = [[f"{row} {column} Wasserwerk" for column in range(40)] for row in range(MOST_ROWS)]
    content = workbook(names, *rows)
    read = read_table(content, columns=names, required=names)
    assert isinstance(read, Table), read
    assert len(read.rows) == MOST_ROWS
    assert read.rows[-1].cells["column 39"] == "999 39 Wasserwerk"


def test_cells_that_cannot_be_taken_are_named() -> None:
    content = workbook(["customer", "allowed"], ["=1+1", "#N/A"], ["x" * 300, 1], ["Acme", 1, "beside"])
    read = read_table(content, columns=("customer", "allowed"), required=("customer",))
    assert isinstance(read, Table), read
    assert [(problem.row, problem.column, problem.message) for problem in read.problems] == [
        (2, "customer", "A formula is not taken: write the value itself."),
        (2, "allowed", "The cell holds the error #N/A."),
        (3, "customer", "This is longer than 254 letters."),
        (4, "", "The cell 'beside' stands in a column without a heading."),
    ]


# --- an honest workbook that is too large is told which bound it hit, and what to do about it -------------------


def saved(book: Any) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def coloured(rows: int, last: int) -> Any:
    """A list whose cells, A to Z, are coloured down to row `last`."""
    book, colour = Workbook(), PatternFill("solid", fgColor="FFFFEE")
    for row in range(1, last + 1):
        for column in range(1, 27):
            cell = book.active.cell(row, column)
            cell.fill = colour
            if column == 1 and row <= rows:
                cell.value = "customer" if row == 1 else f"Acme {row}"
    return book


def commented(rows: int) -> Any:
    book = Workbook()
    for row in range(1, rows + 1):
        book.active.cell(row, 1).value = "customer" if row == 1 else f"Acme {row}"
        for column in range(1, 9):
            book.active.cell(row, column).comment = Comment("Asked by phone.", "agent")
    return book


def test_cells_coloured_far_below_the_list_are_named_and_deleting_them_helps() -> None:
    book = coloured(300, 20_000)
    said = refusal(saved(book))
    assert "too many cells, empty coloured ones included" in said
    assert "Delete the rows below the last filled one" in said
    assert "styles" not in said
    book.active.delete_rows(301, 20_000)
    assert rows_read(saved(book)) == 299


def test_comments_are_named_and_removing_them_helps() -> None:
    book = commented(300)
    said = refusal(saved(book))
    assert "too many comments" in said
    assert "Remove the comments" in said
    assert "sheets" not in said
    for row in book.active.iter_rows():
        for cell in row:
            cell.comment = None
    assert rows_read(saved(book)) == 299


SAID = {
    "many parts": "more than 500 parts",
    "long styles": "too many cell styles",
    "many small styles": "too many cell styles",
    "many strings": "too many texts in its cells",
    "a row of cells": "too many cells, empty coloured ones included",
    "bomb": "too many cells, empty coloured ones included",
    "long theme": "a part that is larger than a list needs (xl/theme/theme1.xml)",
    "one sheet named often": "more than 20 sheets",
}


@pytest.mark.parametrize("name", SAID)
def test_a_workbook_that_is_too_large_says_of_what(name: str) -> None:
    content, code = BAD_FILES[name]
    assert code == "xlsx-too-large"
    assert isinstance(content, bytes)
    said = refusal(content)
    assert said.startswith(f"The workbook holds {SAID[name]}")
    assert said.endswith("or save the list as CSV UTF-8.")


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("xl/media/image1.png", "pictures or drawings that are too large"),
        ("xl/drawings/vmlDrawing1.vml", "too many comments"),
        ("xl/threadedComments/threadedComment1.xml", "too many comments"),
        ("xl/comments1.xml", "too many comments"),
        ("xl/drawings/drawing1.xml", "pictures or drawings that are too large"),
        ("xl/calcChain.xml", "too many formulas"),
        ("xl/\u202e\x07odd.bin", "a part that is larger than a list needs. Copy"),
        (
            f"xl/{LicenseKey(seed=b'seed-012', secret=b'secret-012345678').text}",
            "a part that is larger than a list needs. Copy",
        ),
    ],
)
def test_what_else_a_workbook_may_hold_too_much_of(part: str, said: str) -> None:
    assert refusal(repacked(GOOD, **{part: b" " * 1_500_000})).startswith(f"The workbook holds {said}")


@pytest.mark.parametrize("part", ["xl/sharedStrings.xml", "xl/styles.xml", "xl/media/image1.png"])
def test_the_largest_part_is_named_and_not_the_one_that_came_last(part: str) -> None:
    sheet = many("<worksheet><sheetData><row>", f"<c{' ' * 25}/>", "</row></sheetData></worksheet>", 399_000)
    last = many("<sst>", f"<si{' ' * 60}/>", "</sst>", 9_000)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(repacked(GOOD, **{SHEET: sheet, part: last}))) as before:
        names = sorted(before.namelist(), key=lambda name: name == part)
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as after:
            for name in names:
                after.writestr(name, before.read(name))
    assert refusal(out.getvalue()).startswith("The workbook holds too many cells, empty coloured ones included")


def refusal(content: bytes) -> str:
    read = read_table(content, columns=("customer", "allowed"), required=("customer",))
    assert isinstance(read, BadInput), read
    assert read.code == "xlsx-too-large"
    return read.message


def rows_read(content: bytes) -> int:
    read = read_table(content, columns=("customer", "allowed"), required=("customer",))
    assert isinstance(read, Table), read
    return len(read.rows)
