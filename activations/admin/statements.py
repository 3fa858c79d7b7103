"""The statement of a license for its customer: made on one page, fetched from the next as often as it is wanted."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from activations.admin import once
from activations.admin.access import actor_of, needs
from activations.admin.base import page_of
from activations.admin.pages import page
from activations.domain.ledger import Kind, read_body
from activations.domain.staff_trail import StaffKind
from activations.domain.words import Ability
from activations.models import LedgerEntry, License
from activations.services.results import BadInput, Refused
from activations.services.staff_trail import record
from activations.services.statements import (
    StatementFile,
    StatementMade,
    end_of,
    make_statement,
    statement_file,
    statement_row,
)

SOURCE = "admin"
NEWEST = 20


class StatementForm(forms.Form):
    """As of when: now, or the end of a day."""

    when = forms.ChoiceField(
        label="As of",
        choices=[("now", "Now"), ("day", "The end of a day (UTC)")],
        widget=forms.RadioSelect,
        initial="now",
        error_messages={"required": "Choose as of when the statement is to be."},
    )
    day = forms.DateField(
        label="Day",
        required=False,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Write the day as year, month and day: 2026-11-24."},
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("when") == "day" and not given.get("day") and "day" not in self.errors:
            self.add_error("day", "Name the day, or choose Now.")
        return given


@never_cache
@needs(Ability.MAKE_STATEMENT)
@require_http_methods(["GET", "HEAD", "POST"])
def statement(request: HttpRequest, pk: int) -> HttpResponse:
    license = get_object_or_404(License.objects.select_related("customer"), pk=pk)
    form, error = StatementForm(request.POST if request.method == "POST" else None), ""
    if request.method == "POST" and form.is_valid():
        with once.sending(request) as sending:
            before = sending.before
            if before and not once.differs(request, before):
                return once.booked_before(request, before, page_of(license))
            if before:
                error = once.not_booked(before)
            else:
                result = _made(request, license, form)
                if isinstance(result, StatementMade):
                    target = reverse("admin:license_statement_made", args=[license.pk, result.number])
                    sending.done(f"The statement is entry {result.number} of {license.license_id}.", target)
                    messages.success(request, "The statement was made. Fetch it here and attach it to your mail.")
                    return redirect(target)
                error = result.message
    context = {
        "license": license,
        "form": form,
        "error": error,
        "token": once.new_token(),
        "today": f"{timezone.now():%Y-%m-%d}",
        "first": f"{license.created_at:%Y-%m-%d}",
        "back": page_of(license),
        "earlier": [_told(row) for row in _statements(license.license_id)[:NEWEST]],
    }
    return page(request, "desk/statement.html", "Statement for the customer", context)


def _made(request: HttpRequest, license: License, form: StatementForm) -> StatementMade | Refused | BadInput:
    given = form.cleaned_data
    at = end_of(given["day"]) if given["when"] == "day" else None
    return make_statement(license_id=license.license_id, at=at, actor=actor_of(request), source=SOURCE)


@never_cache
@needs(Ability.MAKE_STATEMENT)
@require_safe
def made(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """A statement that was made: what it holds, and its two files."""
    license = get_object_or_404(License.objects.select_related("customer"), pk=pk)
    row = statement_row(license.license_id, number)
    if isinstance(row, BadInput):
        raise Http404(row.message)
    context = {"license": license, "told": _told(row), "back": page_of(license)}
    return page(request, "desk/statement_made.html", "Statement for the customer", context)


@never_cache
@needs(Ability.MAKE_STATEMENT)
@require_safe
def download(request: HttpRequest, pk: int, number: int, format: str) -> HttpResponse:
    """Books nothing: that it was made is booked, and the file is the same each time. Who fetched it is in the trail."""
    license = get_object_or_404(License, pk=pk)
    found = statement_file(license_id=license.license_id, number=number, format=format, actor=actor_of(request))
    if isinstance(found, BadInput):
        raise Http404(found.message)
    if not isinstance(found, StatementFile):
        messages.error(request, found.message)
        return redirect("admin:license_statement", pk=pk)
    record(StaffKind.FILE_DOWNLOADED, license.license_id, {"file": "statement", "number": number, "format": format})
    response = HttpResponse(found.content, content_type=found.media_type)
    response["Content-Disposition"] = f'attachment; filename="{found.name}"'
    return response


def _statements(license_id: str) -> Any:
    return LedgerEntry.objects.filter(chain=license_id, kind=Kind.STATEMENT_MADE).order_by("-seq")


def _told(row: LedgerEntry) -> dict[str, Any]:
    said = read_body(row.body).data
    return {
        "number": row.seq,
        "made": f"{row.at:%Y-%m-%d %H:%M}",
        "as_of": f"{said['as_of'][:10]} {said['as_of'][11:16]}",
        "length": said["length"],
        "sha256": said["sha256"],
        "actor": row.actor,
    }
