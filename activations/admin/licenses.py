"""Licenses: the list, and the page of one license with its seats, terms, history and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from activations import queries, upgrades
from activations.admin import importing, license_changes, older_terms, statements
from activations.admin.access import actor_of, may
from activations.admin.base import PagedAdmin, TimeFilter, badge
from activations.admin.filters import ConditionFilter
from activations.admin.pages import page
from activations.admin.seat_map import seat_map
from activations.admin.terms_view import TermRow, Terms, side_by_side
from activations.admin.words import feature_words, tell, version_words
from activations.domain.words import Ability, ActivationState, LicenseStatus
from activations.models import Activation, License, LicenseTerms
from activations.services.results import lacking

# Of a large license its page shows the newest; the lists, which have pages and filters, show all.
SHOWN_ACTIVATIONS = 100
SHOWN_ENTRIES = 100
SHOWN_REVISIONS = 30


class SeatsFilter(ConditionFilter):
    title = "seats"
    parameter_name = "seats"
    conditions = {
        "full": ("All taken", Q(occupied__gte=F("allowed"))),
        "free": ("Some free", Q(occupied__lt=F("allowed"))),
        "unused": ("None taken yet", Q(occupied=0)),
    }


_LOST = Activation.objects.filter(license=OuterRef("pk"), state=ActivationState.LOST)


class TermsFilter(ConditionFilter):
    title = "hosts"
    parameter_name = "hosts"
    conditions = {
        "behind": ("Some still on older terms", Exists(upgrades.all_behind().filter(license=OuterRef("pk")))),
        "lost": ("Some lost", Exists(_LOST)),
    }


def _of_current_terms(column: str) -> Subquery:
    current = LicenseTerms.objects.filter(license=OuterRef("pk"), revision=OuterRef("terms_revision"))
    return Subquery(current.values(column)[:1])


@admin.register(License)
class LicenseAdmin(PagedAdmin):
    list_display = ["license_id", "customer", "status_badge", "seats", "features", "terms_revision", "created"]
    list_filter = ["status", SeatsFilter, TermsFilter, ("created_at", TimeFilter), "product"]
    date_hierarchy = "created_at"
    export_columns = {
        "License ID": "license_id",
        "customer": "customer.name",
        "product": "product.code",
        "status": "status",
        "allowed": "allowed",
        "occupied": "occupied",
        "terms revision": "terms_revision",
        "features": lambda row: "; ".join(feature_words([feature]) for feature in (row.granted or [])),
        "lowest version": "version_low",
        "highest version": "version_high",
        "created": "created_at",
    }
    empty_words = "A license manager makes the first one with New license, or imports a list from a file."
    import_page = "admin:license_import"
    importers = (Ability.CREATE_LICENSE,)
    search_fields = ["license_id", "customer__name", "customer__contacts__email"]
    search_help_text = "License ID, customer, or a contact's email"
    public_id = ("LIC", "license_id")

    def get_queryset(self, request: HttpRequest) -> Any:
        return queries.licenses_with_seats().annotate(
            granted=_of_current_terms("features"),
            version_low=_of_current_terms("version_low"),
            version_high=_of_current_terms("version_high"),
        )

    @admin.display(description="features")
    def features(self, row: Any) -> SafeString:
        told = ((feature_words([feature]),) for feature in row.granted or [])
        return format_html_join(", ", '<span class="nowrap">{}</span>', told)

    @admin.display(description="status", ordering="status")
    def status_badge(self, row: License) -> SafeString:
        return badge(row.status)

    @admin.display(description="seats taken", ordering="occupied")
    def seats(self, row: Any) -> str:
        return f"{row.occupied} of {row.allowed}"

    @admin.display(description="created", ordering="created_at")
    def created(self, row: License) -> str:
        return f"{row.created_at:%Y-%m-%d}"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may(request, Ability.CREATE_LICENSE)

    def get_urls(self) -> list[URLPattern]:
        def action(name: str, view: Callable[..., HttpResponseBase]) -> URLPattern:
            return path(f"<int:pk>/{name}/", self.admin_site.admin_view(view), name=f"license_{name.replace('-', '_')}")

        return [
            path("import/", self.admin_site.admin_view(importing.import_licenses_page), name="license_import"),
            path(
                "import/example.csv",
                self.admin_site.admin_view(importing.licenses_example),
                name="license_import_example",
            ),
            path("import/keys/", self.admin_site.admin_view(importing.license_keys), name="license_import_keys"),
            action("terms", license_changes.change_terms),
            action("suspend", license_changes.suspend),
            action("reinstate", license_changes.reinstate),
            action("revoke", license_changes.revoke),
            action("replace-key", license_changes.replace_key),
            action("show-key", license_changes.show_key),
            action("older-terms", older_terms.older_terms),
            action("statement", statements.statement),
            path(
                "<int:pk>/statement/<int:number>/",
                self.admin_site.admin_view(statements.made),
                name="license_statement_made",
            ),
            path(
                "<int:pk>/statement/<int:number>/<str:format>/",
                self.admin_site.admin_view(statements.download),
                name="license_statement_file",
            ),
            *super().get_urls(),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        return license_changes.new_license(request)

    def row_page(self, request: HttpRequest, row: License) -> HttpResponse:
        return license_page(request, row)


def license_page(request: HttpRequest, license: Any) -> HttpResponse:
    newest_terms = LicenseTerms.objects.filter(license=license).order_by("-revision")[: SHOWN_REVISIONS + 1]
    terms = {row.revision: row for row in newest_terms}
    current = terms[license.terms_revision]
    activations = list(queries.activations_of(license)[: SHOWN_ACTIVATIONS + 1])
    possible = license_actions(request, license)
    context = {
        "license": license,
        "status": badge(license.status),
        "seats": seat_map(license),
        "features": current.features,
        "versions": version_words(current.version_low, current.version_high),
        "activations": [(row, badge(row.state), _older_terms(row, license)) for row in activations[:SHOWN_ACTIVATIONS]],
        "shown_activations": SHOWN_ACTIVATIONS,
        "more_activations": len(activations) > SHOWN_ACTIVATIONS,
        "behind": upgrades.behind(license).count(),
        "revisions": _revisions(terms)[:SHOWN_REVISIONS],
        "more_revisions": len(terms) > SHOWN_REVISIONS,
        "history": [tell(entry) for entry in queries.history_of(license.license_id, newest=SHOWN_ENTRIES)],
        "shown_entries": SHOWN_ENTRIES,
        "actions": [action for action in possible if not action.why_not],
        "not_now": [action for action in possible if action.why_not],
        "may_read_ledger": may(request, Ability.READ_LEDGER),
        "revoked": license.status == LicenseStatus.REVOKED,
        "suspended": license.status == LicenseStatus.SUSPENDED,
    }
    return page(request, "desk/license.html", license.license_id, context)


@dataclass(frozen=True)
class LicenseAction:
    """Something that can be done with a license; `why_not` says why not now, or not by this person."""

    title: str
    url: str
    why_not: str = ""
    tone: str = ""  # "primary" or "danger"


def license_actions(request: HttpRequest, license: License) -> list[LicenseAction]:
    """In the order in which they are wanted."""
    gone = "A revoked license stays revoked." if license.status == LicenseStatus.REVOKED else ""
    suspended = license.status == LicenseStatus.SUSPENDED
    status = ("Reinstate", "reinstate") if suspended else ("Suspend", "suspend")

    def action(title: str, name: str, ability: Ability, tone: str = "", held_up: str = gone) -> LicenseAction:
        lacks = lacking(actor_of(request), [ability])
        url = reverse(f"admin:license_{name}", args=[license.pk])
        return LicenseAction(title, url, lacks.message if lacks else held_up, tone)

    return [
        action("Change terms", "terms", Ability.CHANGE_LICENSE, "primary"),
        action(*status, Ability.CHANGE_LICENSE),
        action("Show key", "show_key", Ability.SHOW_LICENSE_KEY, held_up=""),
        action("Replace key", "replace_key", Ability.CHANGE_LICENSE),
        action("Statement", "statement", Ability.MAKE_STATEMENT, held_up=""),
        action("Revoke", "revoke", Ability.CHANGE_LICENSE, "danger"),
    ]


def _revisions(terms: dict[int, LicenseTerms]) -> list[tuple[LicenseTerms, tuple[TermRow, ...]]]:
    """The revisions, newest first, each with what it changed in the one before it."""
    found = []
    for row in sorted(terms.values(), key=lambda row: -row.revision):
        before = terms.get(row.revision - 1)
        rows = side_by_side(Terms.of(before), Terms.of(row)) if before else ()
        found.append((row, tuple(line for line in rows if line.changed)))
    return found


def _older_terms(row: Any, license: License) -> bool:
    installed = row.usage_license.terms_revision if row.usage_license else license.terms_revision
    return row.state == "active" and installed < license.terms_revision
