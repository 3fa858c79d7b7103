"""The ledger, to read: no add, change or delete button, for nobody."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from activations.admin.base import ReadOnlyAdmin, TimeFilter, when
from activations.admin.filters import StaffFilter, ValueFilter
from activations.admin.paging import CappedPaginator
from activations.admin.words import tell, title_of
from activations.domain.ledger import PORTAL_CHAIN, Kind
from activations.domain.words import Ability
from activations.models import LedgerEntry, License

MOST = 1000  # licenses of the customers that a search names


class KindFilter(ValueFilter):
    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        # The vocabulary is closed, so the table need not be searched for the kinds it holds.
        return [(kind.value, title_of(kind)) for kind in Kind]


class ActorFilter(StaffFilter):
    others = ("command-line", "automatic")
    title = "actor"
    parameter_name = "actor"


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    nav_name = "Ledger"
    readers = (Ability.READ_LEDGER,)
    list_display = ["time", "chain", "seq", "told", "actor", "reason"]
    list_display_links = ["time"]
    list_filter = [("at", TimeFilter), KindFilter, ActorFilter]
    date_hierarchy = "at"
    export_columns = {
        "time": "at",
        "chain": "chain",
        "entry": "seq",
        "kind": "kind",
        "what": lambda row: title_of(row.kind),
        "detail": lambda row: tell(row).detail,
        "actor": "actor",
        "reason": "reason",
        "source": "source",
        "hash": "hash",
    }
    empty_words = "The first entry is written when a license, a signing key or a staff account is made."
    search_fields = ["reason"]
    search_help_text = "A License ID, portal, a customer, or words of a reason"
    public_id = ("LIC", "chain")
    ordering = ("-at", "-id")  # by an index, alone and together with each filter
    paginator = CappedPaginator
    fields = ["time", "chain", "seq", "what", "detail", "actor", "reason", "source", "content", "prev", "hash"]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Besides ids and reasons: `portal`, and every license of the customers that are called so."""
        term = search_term.strip()
        if term == PORTAL_CHAIN:
            return queryset.filter(chain=PORTAL_CHAIN), False
        found, doubles = super().get_search_results(request, queryset, search_term)
        if not term:
            return found, doubles
        licenses = License.objects.filter(customer__name__icontains=term)
        theirs = list(licenses.values_list("license_id", flat=True)[:MOST])
        return (found | queryset.filter(chain__in=theirs) if theirs else found), doubles

    @admin.display(description="time (UTC)", ordering="at")
    def time(self, row: LedgerEntry) -> str:
        return when(row.at)

    @admin.display(description="what", ordering="kind")
    def told(self, row: LedgerEntry) -> SafeString:
        entry = tell(row)
        return format_html('{} <br><span class="quiet">{}</span>', entry.title, entry.detail)

    @admin.display(description="what")
    def what(self, row: LedgerEntry) -> str:
        return title_of(row.kind)

    @admin.display(description="detail")
    def detail(self, row: LedgerEntry) -> str:
        return tell(row).detail

    @admin.display(description="content that is hashed")
    def content(self, row: LedgerEntry) -> SafeString:
        pretty = json.dumps(json.loads(row.body), indent=2, ensure_ascii=False)
        return format_html('<pre class="block" tabindex="0">{}</pre>', pretty)
