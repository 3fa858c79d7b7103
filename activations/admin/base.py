"""What every admin page shares: read-only unless a page says otherwise, and never a delete button."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from chariot_license.protocol.codes import parse_public_id
from chariot_license.protocol.errors import CodeError
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from activations.admin import by_date, list_export, saved_filters, searching
from activations.admin.access import may
from activations.domain.words import Ability

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin


YEAR = re.compile(r"(19|20|21)[0-9]{2}-")
FILTER_LOOKUPS = ("", "__exact", "__id__exact", "__isnull", "__isempty", "__gte", "__lt")


class ReadOnlyAdmin(_ModelAdmin):
    """Shows rows to those who may read them. Nobody adds, changes or deletes here, superusers included.

    `readers` are the abilities of which one is needed; none means any member of staff with a role.
    """

    readers: tuple[Ability, ...] = ()
    actions = None
    list_per_page = 50
    # Counting a whole table only to write "of 120000" makes every search slower.
    show_full_result_count = False

    public_id: tuple[str, str] | None = None  # prefix of Design 2, and the field that holds the id

    # What CSV and XLSX files of the list hold: heading -> path of the value from the row, or a function of the row.
    # Written down for each list, so that a new column of a table is in no file before somebody thought about it.
    export_columns: Mapping[str, list_export.Source] = {}
    # Shown where the list has no row at all: what it will hold, and the page (label, URL name) on which that begins.
    empty_words = ""
    empty_link: tuple[str, str] | None = None
    import_page = ""  # the URL name of the page that imports rows of this list from a file
    importers: tuple[Ability, ...] = ()

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """A whole id finds its row however it was typed: lower case, O for 0, spaces for dashes."""
        if self.public_id and search_term.strip():
            prefix, field = self.public_id
            with suppress(CodeError):
                return queryset.filter(**{field: parse_public_id(prefix, search_term)}), False
        return super().get_search_results(request, queryset, search_term)

    def list_name(self) -> str:
        name = str(getattr(self, "nav_name", "") or self.opts.verbose_name_plural)
        return name[:1].upper() + name[1:]

    def list_url(self, action: str = "changelist") -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{action}")

    def get_urls(self) -> list[URLPattern]:
        def page(route: str, view: Any, name: str) -> URLPattern:
            def of_this_list(request: HttpRequest, **named: Any) -> Any:
                return view(self, request, **named)

            name = f"{self.opts.app_label}_{self.opts.model_name}_{name}"
            return path(route, self.admin_site.admin_view(of_this_list), name=name)

        return [
            page("export/", list_export.export, "export"),
            page("save-view/", saved_filters.save, "save_view"),
            page("delete-view/", saved_filters.delete, "delete_view"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        answer = searching.list_search(self, request)
        if answer is not None:
            return answer
        # "Select license to view" says less than the name of the list.
        context: dict[str, Any] = {"title": self.list_name(), **(extra_context or {})}
        # Django asks for the permission later; who may not see the list gets no query of ours either.
        if self.has_view_permission(request):
            query = saved_filters.kept_query(self, request).urlencode()
            context |= {
                "list_query": query,
                "list_url": self.list_url(),
                "saved_views": saved_filters.views_of(self, request),
                "save_view_url": f"{self.list_url('save_view')}?{query}",
                "delete_view_url": f"{self.list_url('delete_view')}?{query}",
                "export_url": f"{self.list_url('export')}?{query}" if self.export_columns else "",
                "calendar": by_date.calendar_of(self, request),
                "empty_words": self.empty_words,
                "empty_link": self.empty_link and (self.empty_link[0], reverse(self.empty_link[1])),
                "import_url": reverse(self.import_page) if self.import_page and may(request, *self.importers) else "",
            }
        return super().changelist_view(request, context)

    def found(self, request: HttpRequest, object_id: str) -> Any:
        """The row of a page, or the answer for one that is not there or not for this user."""
        row = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, row):
            raise PermissionDenied("Your account has no role in the portal. Ask an administrator for one.")
        if row is None:
            name = self.opts.verbose_name
            messages.warning(request, f"There is no such {name} here. Search for its id, the host or the customer.")
            return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        return row

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only what a filter of the page sends. Any other lookup would let a reader guess at columns, letter by
        letter, that no page shows: password hashes, a License Key in a kept mail.
        """
        if self.date_hierarchy and by_date.part_of(self.date_hierarchy, lookup):
            return by_date.sensible(value)
        offered = [entry[0] if isinstance(entry, tuple) else entry for entry in self.list_filter]
        names = [name if isinstance(name, str) else getattr(name, "parameter_name", None) for name in offered]
        if lookup.endswith(("__gte", "__lt")) and not YEAR.match(value):
            return False  # a time near the ends of the calendar has no place in every zone
        return any(lookup.removeprefix(name) in FILTER_LOOKUPS for name in names if name and lookup.startswith(name))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [name for name in self.fields or () if isinstance(name, str)]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, *self.readers)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PagedAdmin(ReadOnlyAdmin):
    """A list whose rows have a page of ours in place of Django's form."""

    def row_page(self, request: HttpRequest, row: Any) -> HttpResponse:
        """The answer for a row that is there and that this user may see."""
        raise NotImplementedError

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.found(request, object_id)
        return row if isinstance(row, HttpResponse) else self.row_page(request, row)


class TimeFilter(admin.DateFieldListFilter):
    """Today, past 7 days and so on, under a heading that people use."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "time"


def page_of(row: Model) -> str:
    """The address of a row's admin page."""
    meta = row._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])


def link(row: Model | None, text: str | None = None) -> SafeString | str:
    """A link to a row's page, or a dash."""
    if row is None:
        return "-"
    return format_html('<a href="{}">{}</a>', page_of(row), text or str(row))


def when(time: datetime | None) -> str:
    """A time as every page writes it: UTC, to the minute."""
    return f"{timezone.localtime(time):%Y-%m-%d %H:%M}" if time else "-"


def badge(state: str) -> SafeString:
    """A state as a word with a colour; the word alone says it all."""
    return format_html('<span class="badge badge-{}">{}</span>', state, state)
