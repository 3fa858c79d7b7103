"""What came in and what went out: Usage Requests, Usage Licenses and the intake log, to read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from activations.admin.access import may
from activations.admin.base import ReadOnlyAdmin, TimeFilter, badge, link, when
from activations.admin.filters import ConditionFilter, StaffFilter, ValueFilter
from activations.admin.words import TITLES
from activations.domain.words import Ability, ActivationState
from activations.models import IntakeEntry, UsageLicense, UsageRequest
from activations.services.intake import without_secrets


class DeskLinks(ReadOnlyAdmin):
    """Leads to the desk only whom the desk lets in."""

    desk_fields = ("on_the_desk", "send_again")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        allowed = may(request, Ability.ISSUE)
        return [name for name in self.fields or () if allowed or name not in self.desk_fields]


class DecisionFilter(ValueFilter):
    title = "decision"
    parameter_name = "code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        # The vocabulary is closed, so the table need not be searched for the codes it holds.
        return list(TITLES.items())


@admin.register(UsageRequest)
class UsageRequestAdmin(DeskLinks):
    nav_name = "Usage Requests"
    list_display = ["received_on", "license_link", "customer", "host", "version", "counter", "state_badge", "decision"]
    list_filter = ["state", ("received_at", TimeFilter), "test", DecisionFilter]
    list_select_related = ["license__customer"]
    date_hierarchy = "received_at"
    export_columns = {
        "received": "received_at",
        "received by": "received_by",
        "request id": "request_id",
        "License ID": "license.license_id",
        "customer": "license.customer.name",
        "host": "hostname",
        "container": "container",
        "Chariot version": "version",
        "number": "counter",
        "state": "state",
        "decision": "code",
        "decision in words": lambda row: TITLES.get(row.code, row.code),
        "refused because": "refusal",
        "test": "test",
    }
    empty_words = "What a customer sends is pasted on the support desk; from then on it is here."
    empty_link = ("To the support desk", "admin:desk")
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
        "test_switch",
        "made",
        "received_on",
        "received_by",
        "on_the_desk",
        "block",
        "mail",
    ]

    # Not `received`: Django takes the table's column of that name, the whole mail, before a method of the page.
    @admin.display(description="received (UTC)", ordering="received_at")
    def received_on(self, row: UsageRequest) -> str:
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

    @admin.display(description="test switch")
    def test_switch(self, row: UsageRequest) -> str:
        return "made with one: no real host" if row.test else "not used"

    @admin.display(description="made, by the host's clock")
    def made(self, row: UsageRequest) -> str:
        return f"{when(row.made_at)} (the host's clock decides nothing here)"

    @admin.display(description="desk")
    def on_the_desk(self, row: UsageRequest) -> SafeString:
        address = reverse("admin:desk_request", args=[row.request_id])
        return format_html('<a href="{}">Open it on the desk</a>, to decide it or to send its answer again', address)

    @admin.display(description="Usage Request")
    def block(self, row: UsageRequest) -> SafeString:
        return format_html('<pre class="block" tabindex="0">{}</pre>', row.text)

    @admin.display(description="as received")
    def mail(self, row: UsageRequest) -> SafeString:
        return format_html('<pre class="block" tabindex="0">{}</pre>', row.received)


class InUseFilter(ConditionFilter):
    title = "use"
    parameter_name = "in_use"
    conditions = {
        "current": ("The newest of an active activation", Q(current_of__state=ActivationState.ACTIVE)),
        "earlier": ("Replaced, or its activation has ended", ~Q(current_of__state=ActivationState.ACTIVE)),
    }


class IssuerFilter(StaffFilter):
    title = "person"
    parameter_name = "issued_by"


@admin.register(UsageLicense)
class UsageLicenseAdmin(DeskLinks):
    """The block itself is not shown: sending it again goes through the desk, which books it."""

    nav_name = "Usage Licenses"
    list_display = [
        "usage_license_id",
        "license_link",
        "customer",
        "host",
        "terms_revision",
        "issued",
        "issued_by",
    ]
    list_filter = [InUseFilter, ("issued_at", TimeFilter), IssuerFilter]
    list_select_related = ["activation__license__customer"]
    date_hierarchy = "issued_at"
    export_columns = {
        "Usage License": "usage_license_id",
        "License ID": "activation.license.license_id",
        "customer": "activation.license.customer.name",
        "activation": "activation.activation_id",
        "host": "activation.hostname",
        "terms revision": "terms_revision",
        "replaces": "supersedes",
        "issued": "issued_at",
        "issued by": "issued_by",
        "signing key": "signing_serial",
    }
    empty_words = "A Usage License is made when a Usage Request is answered on the support desk."
    empty_link = ("To the support desk", "admin:desk")
    search_fields = [
        "usage_license_id",
        "activation__activation_id",
        "activation__hostname",
        "activation__license__license_id",
        "activation__license__customer__name",
    ]
    search_help_text = "Usage License id, activation id, host, License ID or customer"
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

    @admin.display(description="customer", ordering="activation__license__customer__name")
    def customer(self, row: UsageLicense) -> str:
        return row.activation.license.customer.name

    @admin.display(description="host", ordering="activation__hostname")
    def host(self, row: UsageLicense) -> SafeString | str:
        return link(row.activation, row.activation.hostname or "no name")

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


class ProblemFilter(ValueFilter):
    title = "what was wrong"
    parameter_name = "code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        # Codes of the reader and of the services: no list of all of them exists, and few of them occur.
        codes = IntakeEntry.objects.order_by("code").values_list("code", flat=True).distinct()[:50]
        return [(code, code.replace("-", " ")) for code in codes]


class LicenseNamedFilter(ConditionFilter):
    title = "license"
    parameter_name = "license_known"
    conditions = {"yes": ("Known", Q(license__isnull=False)), "no": ("Not known", Q(license__isnull=True))}


@admin.register(IntakeEntry)
class IntakeEntryAdmin(ReadOnlyAdmin):
    """Text that proved nothing."""

    nav_name = "Intake log"
    readers = (Ability.ISSUE, Ability.READ_LEDGER)
    list_display = ["received", "code", "message", "license_link", "received_by"]
    list_filter = [("received_at", TimeFilter), ProblemFilter, LicenseNamedFilter]
    list_select_related = ["license"]
    date_hierarchy = "received_at"
    # Not the text: people paste their License Keys and whole mails.
    export_columns = {
        "received": "received_at",
        "received by": "received_by",
        "what was wrong": "code",
        "in words": lambda row: without_secrets(row.message),
        "License ID": "license.license_id",
    }
    empty_words = "Texts that could not be read or proved nothing are kept here. Nothing came in like that so far."
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
        return format_html('<pre class="block" tabindex="0">{}</pre>', without_secrets(row.text))
