"""What came in and what went out: Usage Requests, Usage Licenses and the intake log, to read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from activations.admin.base import ReadOnlyAdmin, TimeFilter, badge, link, when
from activations.admin.words import TITLES
from activations.domain.words import Ability
from activations.models import IntakeEntry, UsageLicense, UsageRequest
from activations.services.intake import without_keys


@admin.register(UsageRequest)
class UsageRequestAdmin(ReadOnlyAdmin):
    nav_name = "Usage Requests"
    list_display = ["received", "license_link", "customer", "host", "version", "counter", "state_badge", "decision"]
    list_filter = ["state", ("received_at", TimeFilter), "test"]
    list_select_related = ["license__customer"]
    search_fields = ["request_id", "hostname", "license__license_id", "license__customer__name"]
    search_help_text = "Request id, host, License ID or customer"
    fields = [
        "request_id",
        "license_link",
        "state_badge",
        "decision",
        "refusal",
        "host",
        "container",
        "virtual",
        "version",
        "counter",
        "test",
        "made",
        "received",
        "received_by",
        "on_the_desk",
        "block",
        "mail",
    ]

    @admin.display(description="received (UTC)", ordering="received_at")
    def received(self, row: UsageRequest) -> str:
        return when(row.received_at)

    @admin.display(description="license", ordering="license__license_id")
    def license_link(self, row: UsageRequest) -> SafeString | str:
        return link(row.license)

    @admin.display(description="customer", ordering="license__customer__name")
    def customer(self, row: UsageRequest) -> str:
        return row.license.customer.name

    @admin.display(description="host", ordering="hostname")
    def host(self, row: UsageRequest) -> str:
        return row.hostname or "-"

    @admin.display(description="state", ordering="state")
    def state_badge(self, row: UsageRequest) -> SafeString:
        return badge(row.state)

    @admin.display(description="decision", ordering="code")
    def decision(self, row: UsageRequest) -> str:
        return TITLES.get(row.code, row.code)

    @admin.display(description="made, by the host's clock")
    def made(self, row: UsageRequest) -> str:
        return f"{when(row.made_at)} (the host's clock decides nothing here)"

    @admin.display(description="desk")
    def on_the_desk(self, row: UsageRequest) -> SafeString:
        address = reverse("admin:desk_request", args=[row.request_id])
        return format_html('<a href="{}">Open it on the desk</a>, to decide it or to send its answer again', address)

    @admin.display(description="Usage Request")
    def block(self, row: UsageRequest) -> SafeString:
        return format_html('<pre class="block">{}</pre>', row.text)

    @admin.display(description="as received")
    def mail(self, row: UsageRequest) -> SafeString:
        return format_html('<pre class="block">{}</pre>', row.received)


@admin.register(UsageLicense)
class UsageLicenseAdmin(ReadOnlyAdmin):
    """The block itself is not shown: sending it again goes through the desk, which books it."""

    nav_name = "Usage Licenses"
    list_display = ["usage_license_id", "license_link", "activation_link", "terms_revision", "issued", "issued_by"]
    list_filter = [("issued_at", TimeFilter)]
    list_select_related = ["activation__license"]
    search_fields = ["usage_license_id", "activation__activation_id", "activation__license__license_id"]
    search_help_text = "Usage License id, activation id or License ID"
    public_id = ("USL", "usage_license_id")
    fields = [
        "usage_license_id",
        "license_link",
        "activation_link",
        "request_link",
        "terms_revision",
        "supersedes",
        "sha256",
        "signing_serial",
        "issued",
        "issued_by",
        "send_again",
    ]

    @admin.display(description="license", ordering="activation__license__license_id")
    def license_link(self, row: UsageLicense) -> SafeString | str:
        return link(row.activation.license)

    @admin.display(description="activation")
    def activation_link(self, row: UsageLicense) -> SafeString | str:
        return link(row.activation)

    @admin.display(description="answers Usage Request")
    def request_link(self, row: UsageLicense) -> SafeString | str:
        return link(row.request)

    @admin.display(description="issued (UTC)", ordering="issued_at")
    def issued(self, row: UsageLicense) -> str:
        return when(row.issued_at)

    @admin.display(description="send again")
    def send_again(self, row: UsageLicense) -> SafeString:
        address = reverse("admin:desk_request", args=[row.request.request_id])
        return format_html('<a href="{}">Open its Usage Request on the desk</a>', address)


@admin.register(IntakeEntry)
class IntakeEntryAdmin(ReadOnlyAdmin):
    """Text that proved nothing."""

    nav_name = "Intake log"
    readers = (Ability.ISSUE, Ability.READ_LEDGER)
    list_display = ["received", "code", "message", "license_link", "received_by"]
    list_filter = [("received_at", TimeFilter)]
    list_select_related = ["license"]
    search_fields = ["code", "message", "license__license_id"]
    search_help_text = "What was wrong, or a License ID"
    fields = ["received", "received_by", "code", "message", "license_link", "as_submitted"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("license")

    @admin.display(description="received (UTC)", ordering="received_at")
    def received(self, row: IntakeEntry) -> str:
        return when(row.received_at)

    @admin.display(description="license")
    def license_link(self, row: IntakeEntry) -> SafeString | str:
        return link(row.license)

    @admin.display(description="as submitted")
    def as_submitted(self, row: IntakeEntry) -> SafeString:
        return format_html('<pre class="block">{}</pre>', without_keys(row.text))
