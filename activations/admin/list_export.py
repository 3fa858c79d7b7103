"""Any list as a file, filtered and sorted as on the screen: CSV, or XLSX for a spreadsheet. Each one is booked."""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.text import slugify
from openpyxl import Workbook  # type: ignore[import-untyped]

from activations.admin.access import actor_of
from activations.admin.saved_filters import LONGEST_QUERY, kept_query
from activations.services.intake import without_secrets
from activations.services.list_exports import FORMATS, book_list_export
from activations.services.spreadsheets import kept_as_text

MOST_ROWS = 10_000  # about what a browser fetches without a person wondering whether it hangs
CHUNK = 500
SOURCE = "admin"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
BOM = "\ufeff"  # by it Excel knows that a CSV file is UTF-8
# A spreadsheet runs a cell that begins with one of these; the wide forms are what some take for the narrow ones.
# What no XML file may hold: a workbook with one of them does not open.
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
LONGEST_CELL = 32_767  # of a spreadsheet
EXACT_NUMBER = 2**53  # above it a spreadsheet rounds

Source = str | Callable[[Any], object]  # "license.customer.name", or a function of the row


def export(page: Any, request: HttpRequest) -> HttpResponseBase:
    """The rows of the list, all pages of it. By POST, because it is booked."""
    if not page.has_view_permission(request) or not page.export_columns:
        raise PermissionDenied("Your role does not see this list, so it cannot export it.")
    kept = kept_query(page, request)
    back = f"{page.list_url()}?{kept.urlencode()}"
    if request.method != "POST":  # a sign-in in between comes back here by GET, which books nothing
        return redirect(back)
    format = request.POST.get("format", "")
    problem = _problem(format, kept.urlencode())
    if problem:
        messages.error(request, problem)
        return redirect(back)
    try:
        shown = page.get_changelist_instance(request)
    except IncorrectLookupParameters:
        messages.error(request, "Nothing was exported: this filter cannot be read. Choose it again from the list.")
        return redirect(page.list_url())
    # First which rows, in which order: the file has as many as are booked, however slowly it is fetched.
    found = list(shown.queryset.values_list("pk", flat=True)[: MOST_ROWS + 1])
    if len(found) > MOST_ROWS:
        messages.error(request, _too_many(shown.result_count, page.export_command))
        return redirect(back)
    rows = _rows(shown.apply_select_related(page.get_queryset(request)), found)
    return _file(page, request, format, rows, len(found))


def _problem(format: str, query: str) -> str:
    if format not in FORMATS:
        return "Nothing was exported: choose one of the formats CSV and XLSX."
    if len(query) > LONGEST_QUERY:
        return "Nothing was exported: this filter is too long to be booked. Search for less text."
    return ""


def _too_many(count: int, command: str) -> str:
    command = f", or have an administrator run `{command}`, which has no such bound" if command else ""
    return (
        f"Nothing was exported: this list has {count:,} rows, and one file holds at most {MOST_ROWS:,}. Filter it, for "
        f"example by time, and export it in parts{command}."
    )


def _file(page: Any, request: HttpRequest, format: str, rows: Iterator[Any], count: int) -> HttpResponseBase:
    columns = page.export_columns
    name = f"{slugify(page.list_name())}-{timezone.now():%Y-%m-%d}.{format}"
    response: FileResponse | StreamingHttpResponse
    if format == "xlsx":
        # Written before it is booked: a file that could not be made was not exported.
        response = FileResponse(_xlsx(columns, rows), as_attachment=True, filename=name, content_type=XLSX)
        _book(page, request, format, count)
    else:
        _book(page, request, format, count)
        response = StreamingHttpResponse(_csv(columns, rows), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def _book(page: Any, request: HttpRequest, format: str, count: int) -> None:
    kept = kept_query(page, request)
    # Who pastes a License Key into a search must not have it in the ledger, where it would stay for good.
    filter = {name: [without_secrets(value) for value in values] for name, values in kept.lists()}
    refused = book_list_export(
        name=page.list_name(),
        filter=filter,
        format=format,
        rows=count,
        readers=page.readers,
        actor=actor_of(request),
        source=SOURCE,
    )
    if refused:
        raise PermissionDenied(refused.message)


def _rows(rows: Any, found: Sequence[int]) -> Iterator[Any]:
    """The rows in the order in which they were found, a few at a time."""
    for start in range(0, len(found), CHUNK):
        part = found[start : start + CHUNK]
        by_key = {row.pk: row for row in rows.filter(pk__in=part)}
        yield from (by_key[key] for key in part if key in by_key)


def _csv(columns: Mapping[str, Source], rows: Iterator[Any]) -> Iterator[bytes]:
    writer = csv.writer(_Passing())
    yield (BOM + writer.writerow(list(columns))).encode()
    part: list[str] = []
    for row in rows:
        part.append(writer.writerow(_cells(columns, row)))
        if len(part) == CHUNK:
            yield "".join(part).encode(errors="replace")
            part.clear()
    if part:
        yield "".join(part).encode(errors="replace")


def _xlsx(columns: Mapping[str, Source], rows: Iterator[Any]) -> Any:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("List")
    sheet.freeze_panes = "A2"
    sheet.append(list(columns))
    for row in rows:
        sheet.append([_in_xml(cell) for cell in _cells(columns, row)])
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it
    book.save(file)
    file.seek(0)
    return file


def _cells(columns: Mapping[str, Source], row: Any) -> list[str | int]:
    return [cell(source(row) if callable(source) else _follow(row, source)) for source in columns.values()]


def _follow(row: Any, path: str) -> object:
    for name in path.split("."):
        row = getattr(row, name) if row is not None else None
    found: object = row
    return found


def cell(value: object) -> str | int:
    """A value as a file holds it: times as ISO 8601 in UTC, and no text that a spreadsheet would run."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return value if abs(value) < EXACT_NUMBER else str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return kept_as_text(str(value))


def _in_xml(value: str | int) -> str | int:
    if isinstance(value, int):
        return value
    text = NOT_IN_XML.sub("", value)
    text = kept_as_text(text)  # a control character may have stood in front
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 30]} ... (cut; whole in CSV)"


class _Passing:
    """What csv writes to: hands the line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line
