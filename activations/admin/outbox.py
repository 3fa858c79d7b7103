"""The outbox as a list: mails of ours, newest first."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from activations.admin.base import ReadOnlyAdmin, TimeFilter, link, when
from activations.admin.inbox import READERS
from activations.admin.outgoing import outgoing_page, state_badge
from activations.models import OutgoingMail


@admin.register(OutgoingMail)
class OutgoingMailAdmin(ReadOnlyAdmin):
    nav_name = "Outbox"
    readers = READERS
    list_display = ["queued", "to_address", "subject", "standing", "attempts", "license_link", "queued_by"]
    list_display_links = ["queued"]
    list_filter = ["state", ("queued_at", TimeFilter)]
    search_fields = ["to_address", "subject", "license__license_id", "license__customer__name"]
    search_help_text = "Address, subject, License ID or customer"
    public_id = ("LIC", "license__license_id")
    date_hierarchy = "queued_at"
    export_columns = {
        "queued": "queued_at",
        "to": "to_address",
        "subject": "subject",
        "state": "state",
        "attempts": "attempts",
        "sent": "sent_at",
        "problem": "problem",
        "License ID": "license.license_id",
        "queued by": "queued_by",
        "decided by": "settled_by",
    }
    empty_words = "A mail is put here when a reply is booked in answer to a conversation of the inbox."
    empty_link = ("To the inbox", "admin:inbox")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("license__customer", "conversation")

    @admin.display(description="queued (UTC)", ordering="queued_at")
    def queued(self, row: OutgoingMail) -> str:
        return when(row.queued_at)

    @admin.display(description="state", ordering="state")
    def standing(self, row: OutgoingMail) -> SafeString:
        return state_badge(row)

    @admin.display(description="license", ordering="license__license_id")
    def license_link(self, row: OutgoingMail) -> SafeString | str:
        return link(row.license)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.found(request, object_id)
        return row if isinstance(row, HttpResponse) else outgoing_page(request, row)
