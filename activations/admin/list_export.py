"""Any list as a file, filtered and sorted as on the screen. Each one is booked, with the checkpoint it belongs to.

A list of up to `MOST_ROWS` rows comes at once; a longer one is written by a job and fetched from the page of exports.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponseBase, QueryDict
from django.shortcuts import redirect
from django.test import RequestFactory
from django.utils import timezone
from django.utils.text import slugify

from activations.admin.access import actor_of
from activations.admin.saved_filters import LONGEST_QUERY, kept_query
from activations.models import Job, LedgerCheckpoint
from activations.services.booking import iso
from activations.services.exports import belongs_to, export_chosen
from activations.services.intake import without_secrets
from activations.services.jobs import queue
from activations.services.jobs.running import CannotRun, Work, runs
from activations.services.list_exports import book_list_export
from activations.services.list_files import FORMATS, MEDIA_TYPES, MOST_SHEET_ROWS, Source, write_beside, write_file
from activations.services.results import Refused
from activations.services.snapshot import snapshot

KIND = "list-export"
MOST_ROWS = 10_000  # about what a browser fetches without a person wondering whether it hangs
CHUNK = 500
SOURCE = "admin"

__all__ = ["KIND", "Source", "ask_page", "export", "media_type"]


@dataclass(frozen=True)
class Written:
    """How many rows are in the file, and its name; `warning` says what is wrong with the ledger it was made of."""

    rows: int
    file: str
    warning: str = ""


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
        count = page.get_changelist_instance(request).queryset.count()
    except IncorrectLookupParameters:
        messages.error(request, "Nothing was exported: this filter cannot be read. Choose it again from the list.")
        return redirect(page.list_url())
    if count > MOST_ROWS:
        return _later(page, request, format, count, back)
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it
    written = _write(page, request, format, file, lambda done, total: None)
    if isinstance(written, Refused):
        messages.error(request, f"Nothing was exported. {written.message}")
        return redirect(back)
    if written.warning:
        messages.warning(request, written.warning)
    file.seek(0)
    response = FileResponse(file, as_attachment=True, filename=written.file, content_type=media_type(written.file))
    response["Cache-Control"] = "no-store"
    return response


def _problem(format: str, query: str) -> str:
    if format not in FORMATS:
        return "Nothing was exported: choose one of the formats CSV, XLSX and JSON Lines."
    if len(query) > LONGEST_QUERY:
        return "Nothing was exported: this filter is too long to be booked. Search for less text."
    return ""


def _later(page: Any, request: HttpRequest, format: str, count: int, back: str) -> HttpResponseBase:
    query = kept_query(page, request)
    if any(without_secrets(value) != value for _, values in query.lists() for value in values):
        messages.error(request, "Nothing was exported: the search holds a secret, which is not kept. Search without.")
        return redirect(back)
    if format == "xlsx" and count > MOST_SHEET_ROWS:
        messages.error(
            request,
            f"Nothing was exported: a workbook holds {MOST_SHEET_ROWS:,} rows, and these are {count:,}. "
            "Choose CSV or JSON Lines, or filter the list.",
        )
        return redirect(back)
    asked = {"page": page.opts.label_lower, "list": page.list_name(), "query": query.urlencode(), "format": format}
    job = queue.ask(KIND, asked, actor=actor_of(request))
    if isinstance(job, Refused):
        messages.error(request, f"Nothing was exported. {job.message}")
        return redirect(back)
    messages.success(request, f"These are {count:,} rows: the file is written in the background, and fetched here.")
    return redirect("admin:exports")


def media_type(file: str) -> str:
    return MEDIA_TYPES[file.rpartition(".")[2]]


def _stem(page: Any, belongs: LedgerCheckpoint | None) -> str:
    """The name of the file without its ending. A plain CSV has no other place that says which checkpoint it is of."""
    of = f"-checkpoint-{belongs.size}" if belongs else ""
    return f"{slugify(page.list_name())}-{timezone.now():%Y-%m-%d}{of}"


def ask_page(job: Job) -> Any:
    """The list that a job exports; None when this portal has it no more."""
    found = [page for model, page in admin.site._registry.items() if model._meta.label_lower == job.asked_for["page"]]
    return found[0] if found else None


@runs(KIND)
def write_in_background(work: Work) -> dict[str, object]:
    """Writes the file as the person who asked for it would see the list now."""
    asked = work.job.asked_for
    page, user = ask_page(work.job), User.objects.filter(username=work.job.asked_by, is_active=True).first()
    if page is None or user is None:
        raise CannotRun("The account that asked for this is disabled, or the list is gone. Nothing was exported.")
    if user.date_joined > work.job.asked_at:
        raise CannotRun("The account that asked for this is gone, another has its name. Nothing was exported.")
    request = RequestFactory().get(f"{page.list_url()}?{asked['query']}")
    request.user = user
    if not page.has_view_permission(request):
        raise CannotRun(f"{user.get_username()} may not see this list any more. Nothing was exported.")
    with tempfile.TemporaryFile() as file:
        written = _write(page, request, asked["format"], file, work.advance)
        if isinstance(written, Refused):
            raise CannotRun(f"Nothing was exported. {written.message}")
        kept = work.keep(file)
        return {"rows": written.rows, "bytes": kept, "file": written.file, "warning": written.warning}


def _write(
    page: Any, request: HttpRequest, format: str, file: IO[bytes], tell: Callable[[int, int], None]
) -> Written | Refused:
    """Writes the file, then books it: a file that could not be written was not exported.

    A checkpoint is made first, so that what the rows follow from is covered by it (docs/audit.md). Of the ledger the
    file holds what the checkpoint covers and nothing else; other lists are exported before there is any, too.
    """
    actor, chosen = actor_of(request), _booked_filter(kept_query(page, request))
    of_ledger = page.opts.label_lower == "activations.ledgerentry"
    if format == "jsonl" and of_ledger:
        return _write_ledger(page, request, chosen, file, tell)
    found = belongs_to()
    if isinstance(found, Refused) and of_ledger:
        return found
    belongs, warning = (None, "") if isinstance(found, Refused) else (found.row, found.warning if of_ledger else "")
    stem = _stem(page, belongs)
    about = {
        "list": page.list_name(),
        "filter": chosen,
        "made_at": iso(timezone.now()),
        "by": actor.name,
        "checkpoint": belongs.note if belongs else None,
    }
    with snapshot():
        rows = _rows(page, request, tell, belongs if of_ledger else None)
        if of_ledger and belongs and format == "csv":
            name = f"{stem}.zip"
            count = write_beside(stem, page.export_columns, rows, file, belongs.note)
        else:
            name = f"{stem}.{format}"
            count = write_file(format, page.export_columns, rows, file, about)
    refused = book_list_export(
        name=page.list_name(),
        filter=chosen,
        format=format,
        rows=count,
        belongs=belongs,
        readers=page.readers,
        actor=actor,
        source=SOURCE,
    )
    return refused or Written(count, name, warning)


def _write_ledger(
    page: Any, request: HttpRequest, chosen: Mapping[str, list[str]], file: IO[bytes], tell: Callable[[int, int], None]
) -> Written | Refused:
    """What the verifier reads."""
    entries, actor = page.get_changelist_instance(request).queryset, actor_of(request)
    exported = export_chosen(entries=entries, chosen=chosen, out=file, actor=actor, source=SOURCE, tell=tell)
    if isinstance(exported, Refused):
        return exported
    belongs = LedgerCheckpoint.objects.get(size=exported.size)
    return Written(exported.entries, f"{_stem(page, belongs)}.jsonl", exported.warning)


def _booked_filter(kept: QueryDict) -> dict[str, list[str]]:
    # Who pastes a License Key into a search must not have it in the ledger, where it would stay for good.
    return {name: [without_secrets(value) for value in values] for name, values in kept.lists()}


def _rows(
    page: Any, request: HttpRequest, tell: Callable[[int, int], None], covers: LedgerCheckpoint | None
) -> Iterator[Any]:
    """The rows in the order of the list, a few at a time, however many there are; of the ledger, what `covers` does."""
    shown = page.get_changelist_instance(request)
    chosen = shown.queryset.filter(leaf__index__lt=covers.size) if covers else shown.queryset
    total = chosen.count()
    rows = shown.apply_select_related(chosen)
    for number, row in enumerate(rows.iterator(CHUNK), 1):
        yield row
        if number % CHUNK == 0:
            tell(number, total)
    tell(total, total)
