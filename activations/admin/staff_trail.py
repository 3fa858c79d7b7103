"""The staff trail, to read: who signed in, who was given what, who saw a key, who took a list out."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from activations.admin import words
from activations.admin.base import ReadOnlyAdmin, TimeFilter, when
from activations.admin.ledger import ActorFilter
from activations.admin.words import title_of
from activations.domain.ledger import Kind
from activations.domain.staff_trail import BOOKED, SEVERAL_ACCOUNTS, TITLES, UNKNOWN_ACCOUNT, StaffKind
from activations.domain.words import Ability
from activations.models import LedgerEntry, StaffEvent

READERS = (Ability.READ_STAFF_TRAIL,)
_FLAGS = {"is_active": "active", "is_staff": "staff", "is_superuser": "superuser", "username": "name"}


class KindFilter(admin.SimpleListFilter):
    title = "what"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        booked = [(kind.value, title_of(kind)) for kind in Kind if kind in BOOKED]
        return [*((kind.value, TITLES[kind]) for kind in StaffKind), *booked]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StaffEvent]) -> QuerySet[StaffEvent]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class WhoFilter(ActorFilter):
    title = "who"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        others = ("command-line", UNKNOWN_ACCOUNT, SEVERAL_ACCOUNTS)
        return [*super().lookups(request, model_admin), *((name, name) for name in others)]


def words_of(row: StaffEvent) -> str:
    return TITLES[StaffKind(row.kind)] if row.kind in set(StaffKind) else title_of(row.kind)


def detail_of(row: StaffEvent) -> str:
    """The particulars in one line; of what the ledger tells too, in its words."""
    if row.chain:
        return words.detail_of(row.kind, row.details)
    return "; ".join(f"{_FLAGS.get(name, name)}: {_value(value)}" for name, value in row.details.items())


def _value(value: Any) -> str:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(each, bool | str) for each in value):
        return f"{_value(value[0])} to {_value(value[1])}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, str | int) else json.dumps(value, ensure_ascii=False)


def entry_of(row: StaffEvent) -> str:
    return f"{row.chain} {row.seq}" if row.chain else ""


@admin.register(StaffEvent)
class StaffEventAdmin(ReadOnlyAdmin):
    nav_name = "Staff trail"
    readers = READERS
    list_display = ["time", "actor", "address", "what", "subject", "detail"]
    list_display_links = ["time"]
    list_filter = [("at", TimeFilter), KindFilter, WhoFilter]
    date_hierarchy = "at"
    export_columns = {
        "time": "at",
        "who": "actor",
        "kind": "kind",
        "what": words_of,
        "about": "subject",
        "detail": detail_of,
        "address": "address",
        "browser": "agent",
        "ledger entry": entry_of,
    }
    empty_words = "Sign-ins, roles, keys that were shown, lists that were taken out and changed settings are kept here."
    search_fields = ["actor", "subject", "address"]
    search_help_text = "Account, what it was about (an account, a License ID, a list), or IP address"
    fields = ["time", "actor", "what", "subject", "detail", "address", "agent", "entry"]

    @admin.display(description="time (UTC)", ordering="at")
    def time(self, row: StaffEvent) -> str:
        return when(row.at)

    @admin.display(description="what", ordering="kind")
    def what(self, row: StaffEvent) -> str:
        return words_of(row)

    @admin.display(description="detail")
    def detail(self, row: StaffEvent) -> str:
        return detail_of(row) or "-"

    @admin.display(description="entry of the ledger")
    def entry(self, row: StaffEvent) -> SafeString | str:
        """The entry that says the same; `verify_ledger --rebuild-check` compares the two."""
        found = LedgerEntry.objects.filter(chain=row.chain, seq=row.seq or 0).first() if row.chain else None
        if found is None:
            return entry_of(row) or "none: the ledger does not tell of this"
        address = reverse("admin:activations_ledgerentry_change", args=[found.pk])
        return format_html('<a href="{}">{}</a>', address, entry_of(row))
