"""All conversations as a list: to filter, to keep as a view, to hand out as a file. They are answered in the inbox."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString

from activations.admin.base import ReadOnlyAdmin, TimeFilter, link, when
from activations.admin.filters import StaffFilter
from activations.admin.inbox import READERS
from activations.admin.mail_words import PRIORITIES
from activations.domain.words import Priority
from activations.models import Conversation


class HolderFilter(StaffFilter):
    title = "claimed by"
    parameter_name = "assigned_to"


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    nav_name = "Conversations"
    readers = READERS
    list_display = ["latest", "subject", "customer", "license_link", "state", "rank", "holder", "waits"]
    list_display_links = ["latest", "subject"]
    list_filter = ["state", "priority", HolderFilter, "proved", ("latest_at", TimeFilter)]
    search_fields = ["subject", "incoming__from_address", "customer__name", "license__license_id", "token__iexact"]
    search_help_text = "Subject, sender, customer, License ID or the mark in our subjects (CL-...)"
    public_id = ("LIC", "license__license_id")
    date_hierarchy = "latest_at"
    export_columns = {
        "latest": "latest_at",
        "begun": "created_at",
        "subject": "subject",
        "mark": lambda row: f"CL-{row.token}",
        "customer": "customer.name",
        "proved": "proved",
        "License ID": "license.license_id",
        "state": "state",
        "priority": lambda row: PRIORITIES[Priority(row.priority)],
        "claimed by": "assigned_to",
        "unanswered since": "waits_since",
    }
    empty_words = "A conversation begins with the first mail that is fetched or brought to the inbox."
    empty_link = ("To the inbox", "admin:inbox")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("customer", "license")

    @admin.display(description="last mail (UTC)", ordering="latest_at")
    def latest(self, row: Conversation) -> str:
        return when(row.latest_at)

    @admin.display(description="license", ordering="license__license_id")
    def license_link(self, row: Conversation) -> SafeString | str:
        return link(row.license)

    @admin.display(description="priority", ordering="priority")
    def rank(self, row: Conversation) -> str:
        return PRIORITIES[Priority(row.priority)]

    @admin.display(description="claimed by", ordering="assigned_to")
    def holder(self, row: Conversation) -> str:
        return row.assigned_to or "-"

    @admin.display(description="unanswered since (UTC)", ordering="waits_since")
    def waits(self, row: Conversation) -> str:
        return when(row.waits_since)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """The mark as it stands in a subject, too: [CL-7K2M9Q4T]."""
        mark = search_term.strip().strip("[]").upper()
        return super().get_search_results(request, queryset, mark[3:] if mark.startswith("CL-") else search_term)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.found(request, object_id)
        return row if isinstance(row, HttpResponse) else redirect("admin:inbox_conversation", row.pk)
