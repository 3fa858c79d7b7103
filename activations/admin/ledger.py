"""The ledger, to read: no add, change or delete button, for nobody."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from chariot_license.protocol.codes import parse_public_id
from chariot_license.protocol.errors import CodeError
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from activations.admin.audit.standing_out import WORDS
from activations.admin.base import ReadOnlyAdmin, TimeFilter, when
from activations.admin.filters import StaffFilter, ValueFilter
from activations.admin.paging import CappedPaginator
from activations.admin.words import tell, title_of
from activations.audit_queries.bodies import data_of, ever_of
from activations.audit_queries.standing import picked
from activations.domain.ledger import PORTAL_CHAIN, Kind
from activations.domain.words import Ability
from activations.models import LedgerEntry


class KindFilter(ValueFilter):
    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        # The vocabulary is closed, so the table need not be searched for the kinds it holds.
        return [(kind.value, title_of(kind)) for kind in Kind]


class ActorFilter(StaffFilter):
    others = ("command-line", "automatic", "online")
    title = "actor"
    parameter_name = "actor"


class StandsOutFilter(admin.SimpleListFilter):
    """The entries behind a heading of "What stands out" and of "Who decided what", which show the newest only."""

    title = "what stands out"
    parameter_name = "stands_out"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*((name, title) for name, (title, _) in WORDS.items()), ("decisions", "Decisions of people")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return picked(self.value() or "", queryset)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    nav_name = "Ledger"
    readers = (Ability.READ_LEDGER,)
    list_display = ["time", "chain", "seq", "told", "actor", "reason"]
    list_display_links = ["time"]
    list_filter = [("at", TimeFilter), StandsOutFilter, ActorFilter, KindFilter]
    date_hierarchy = "at"
    show_facets = admin.ShowFacets.NEVER  # it would count the whole ledger once for every choice
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
    search_help_text = (
        "A License ID; portal; words of a reason; or a customer, which finds every entry of the licenses that are "
        "theirs or ever were"
    )
    public_id = ("LIC", "chain")
    ordering = ("-at", "-id")  # by an index, alone and together with each filter
    paginator = CappedPaginator
    fields = ["time", "chain", "seq", "what", "detail", "actor", "reason", "source", "more", "content", "prev", "hash"]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Besides ids and reasons: `portal`, and every license that is, or ever was, of the customers called so."""
        term = search_term.strip()
        if term == PORTAL_CHAIN:
            return queryset.filter(chain=PORTAL_CHAIN), False
        found, doubles = super().get_search_results(request, queryset, search_term)
        if not term or _is_license_id(term):
            return found, doubles
        return found | queryset.filter(chain__in=ever_of(term)), doubles

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

    @admin.display(description="read on")
    def more(self, row: LedgerEntry) -> SafeString | str:
        """What the entry is about, then and from beginning to end."""
        if row.chain == PORTAL_CHAIN:
            return "-"
        then = f"{reverse('admin:audit_as_of')}?{urlencode({'license': row.chain, 'day': f'{row.at:%Y-%m-%d}'})}"
        links = [(then, "the license at the end of that day")]
        activation_id = data_of(row).get("activation_id")
        if activation_id:
            links.append((reverse("admin:audit_story", args=[activation_id]), f"the story of {activation_id}"))
        return format_html_join(", ", '<a href="{}">{}</a>', links)

    @admin.display(description="content that is hashed")
    def content(self, row: LedgerEntry) -> SafeString:
        try:
            pretty = json.dumps(json.loads(row.body), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            pretty = row.body  # somebody damaged it: as it is
        return format_html('<pre class="block" tabindex="0">{}</pre>', pretty)


def _is_license_id(term: str) -> bool:
    try:
        return bool(parse_public_id("LIC", term))
    except CodeError:
        return False
