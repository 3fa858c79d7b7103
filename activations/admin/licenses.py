"""Licenses: the list, the page of one license with its seats and history, and what a license manager changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache

from activations import queries
from activations.admin import actions, once, showing
from activations.admin.access import actor_of, may, needs
from activations.admin.base import ReadOnlyAdmin, badge, page_of, when
from activations.admin.forms import NewLicenseForm, ReasonForm, TermsForm, features_as_initial
from activations.admin.pages import page
from activations.admin.words import feature_words, tell, version_words
from activations.domain.words import Ability, LicenseStatus
from activations.models import License, LicenseTerms, Product
from activations.services.licenses import (
    DEFAULT_PRODUCT,
    LicenseChange,
    LicenseCreated,
    change_license,
    create_license,
    replace_license_key,
)
from activations.services.results import BadInput, Refused

SOURCE = "admin"
SHOWN_ENTRIES = 100


@admin.register(License)
class LicenseAdmin(ReadOnlyAdmin):
    list_display = ["license_id", "customer", "status_badge", "seats", "terms_revision", "created"]
    list_filter = ["status", "product"]
    search_fields = ["license_id", "customer__name", "customer__contacts__email"]
    search_help_text = "License ID, customer, or a contact's email"
    public_id = ("LIC", "license_id")

    def get_queryset(self, request: HttpRequest) -> Any:
        return queries.licenses_with_seats()

    @admin.display(description="status", ordering="status")
    def status_badge(self, row: License) -> SafeString:
        return badge(row.status)

    @admin.display(description="seats taken", ordering="occupied")
    def seats(self, row: Any) -> str:
        return f"{row.occupied} of {row.allowed}"

    @admin.display(description="created", ordering="created_at")
    def created(self, row: License) -> str:
        return when(row.created_at)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may(request, Ability.CREATE_LICENSE)

    def get_urls(self) -> list[URLPattern]:
        def action(name: str, view: Callable[..., HttpResponseBase]) -> URLPattern:
            return path(f"<int:pk>/{name}/", self.admin_site.admin_view(view), name=f"license_{name.replace('-', '_')}")

        return [
            action("terms", change_terms),
            action("suspend", suspend),
            action("reinstate", reinstate),
            action("revoke", revoke),
            action("replace-key", replace_key),
            *super().get_urls(),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        return new_license(request)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.found(request, object_id)
        return row if isinstance(row, HttpResponse) else license_page(request, row)


def license_page(request: HttpRequest, license: Any) -> HttpResponse:
    terms = {row.revision: row for row in LicenseTerms.objects.filter(license=license)}
    current = terms[license.terms_revision]
    activations = list(queries.activations_of(license))
    context = {
        "license": license,
        "status": badge(license.status),
        "seats": showing.static_row(license, license.occupied),
        "features": current.features,
        "versions": version_words(current.version_low, current.version_high),
        "activations": [(row, badge(row.state), _older_terms(row, license)) for row in activations],
        "revisions": [
            (row, feature_words(row.features), version_words(row.version_low, row.version_high))
            for row in sorted(terms.values(), key=lambda row: -row.revision)
        ],
        "history": [tell(entry) for entry in queries.history_of(license.license_id, newest=SHOWN_ENTRIES)],
        "shown_entries": SHOWN_ENTRIES,
        "may_change": may(request, Ability.CHANGE_LICENSE),
        "may_read_ledger": may(request, Ability.READ_LEDGER),
        "revoked": license.status == LicenseStatus.REVOKED,
        "suspended": license.status == LicenseStatus.SUSPENDED,
    }
    return page(request, "desk/license.html", license.license_id, context)


def _older_terms(row: Any, license: License) -> bool:
    installed = row.usage_license.terms_revision if row.usage_license else license.terms_revision
    return row.state == "active" and installed < license.terms_revision


@never_cache
@needs(Ability.CREATE_LICENSE)
def new_license(request: HttpRequest) -> HttpResponse:
    """Creates a license. Its License Key is on the page that answers, and nowhere afterwards."""
    product = Product.objects.get(code=DEFAULT_PRODUCT)
    initial = {"allowed": 1}
    form = NewLicenseForm(request.POST or None, product=product, initial=initial)
    error = ""
    if request.method == "POST" and form.is_valid():
        if not once.first_use(request, request.POST.get("token", "")):
            messages.info(
                request,
                "This form was sent before, so no second license was made. Its License Key is shown once only; if it "
                "was missed, replace the key on the license's page.",
            )
            return redirect("admin:activations_license_changelist")
        result = create_license(
            customer=form.cleaned_data["customer"],
            allowed=form.cleaned_data["allowed"],
            features=form.feature_terms(),
            versions=form.versions(),
            product=product.code,
            actor=actor_of(request),
            source=SOURCE,
        )
        if isinstance(result, LicenseCreated):
            return _key_page(request, result, "License created")
        error = result.message
    context = {"form": form, "error": error, "token": once.new_token(), "product": product}
    return page(request, "desk/license_new.html", "New license", context)


def _key_page(request: HttpRequest, made: LicenseCreated, title: str) -> HttpResponse:
    license = License.objects.select_related("customer").get(license_id=made.license_id)
    return page(request, "desk/license_key.html", title, {"made": made, "license": license})


@never_cache
@needs(Ability.CHANGE_LICENSE)
def change_terms(request: HttpRequest, pk: int) -> HttpResponse:
    """Allowed activations, features with their last days, and versions, in one form; books only what differs."""
    license = _found(pk)
    if license is None:
        return _gone(request)
    terms = queries.terms_of(license)
    initial = {
        "allowed": license.allowed,
        "version_low": terms.version_low,
        "version_high": terms.version_high,
        **features_as_initial(terms.features),
    }
    form = TermsForm(request.POST or None, product=license.product, initial=initial)
    error = ""
    if request.method == "POST" and form.is_valid():
        result = change_license(
            license_id=license.license_id,
            change=_difference(license, terms, form),
            actor=actor_of(request),
            source=SOURCE,
            reason=form.cleaned_data["reason"].strip(),
            shown=_shown(request.POST.get("shown", "")),
        )
        if not isinstance(result, Refused | BadInput):
            messages.success(request, _changed_words(result.changes))
            return redirect(page_of(license))
        error = result.message
    # What the form was first filled from, and not what the license has become since.
    shown = request.POST.get("shown") or f"{license.terms_revision} {license.allowed}"
    context = {"form": form, "error": error, "license": license, "back": page_of(license), "shown": shown}
    return page(request, "desk/license_terms.html", f"Change {license.license_id}", context)


def _shown(text: str) -> tuple[int, int] | None:
    revision, _, allowed = text.partition(" ")
    return (int(revision), int(allowed)) if revision.isdecimal() and allowed.isdecimal() else None


def _difference(license: License, terms: LicenseTerms, form: TermsForm) -> LicenseChange:
    wanted, before = form.feature_terms(), terms.features
    same_features = sorted(f.as_json().items() for f in wanted) == sorted(f.items() for f in before)
    same_versions = form.versions() == (terms.version_low, terms.version_high)
    allowed = form.cleaned_data["allowed"]
    return LicenseChange(
        allowed=None if allowed == license.allowed else allowed,
        features=None if same_features else wanted,
        versions=None if same_versions else form.versions(),
    )


def _changed_words(changes: tuple[str, ...]) -> str:
    if any(change == "license.terms_changed" for change in changes):
        return "Booked. Hosts keep the Usage License they have until their next Usage Request."
    return "Booked."


def _status_action(
    request: HttpRequest, pk: int, status: LicenseStatus, title: str, explanation: str, *, dangerous: bool = False
) -> HttpResponse:
    license = _found(pk)
    if license is None:
        return _gone(request)
    action = actions.Action(
        title=f"{title} {license.license_id}",
        explanation=explanation,
        button=title,
        facts=_facts(license),
        back=page_of(license),
        perform=lambda reason: change_license(
            license_id=license.license_id,
            change=LicenseChange(status=status),
            actor=actor_of(request),
            source=SOURCE,
            reason=reason,
        ),
        done=lambda result: (f"{license.license_id} is {result.status} now.", page_of(license)),
        dangerous=dangerous,
    )
    return actions.run(request, action)


@needs(Ability.CHANGE_LICENSE)
def suspend(request: HttpRequest, pk: int) -> HttpResponse:
    words = (
        "While a license is suspended, Usage Requests of it are refused. Usage Licenses that are installed go on "
        "working."
    )
    return _status_action(request, pk, LicenseStatus.SUSPENDED, "Suspend", words)


@needs(Ability.CHANGE_LICENSE)
def reinstate(request: HttpRequest, pk: int) -> HttpResponse:
    return _status_action(request, pk, LicenseStatus.ACTIVE, "Reinstate", "Usage Requests of it are answered again.")


@needs(Ability.CHANGE_LICENSE)
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    words = (
        "This cannot be taken back: a revoked license stays revoked, and every Usage Request of it is refused. Usage "
        "Licenses that are installed on hosts without internet go on working."
    )
    return _status_action(request, pk, LicenseStatus.REVOKED, "Revoke", words, dangerous=True)


@never_cache
@needs(Ability.CHANGE_LICENSE)
def replace_key(request: HttpRequest, pk: int) -> HttpResponse:
    """A new License Key for a leaked one, shown once."""
    license = _found(pk)
    if license is None:
        return _gone(request)
    form = ReasonForm(request.POST or None)
    error = ""
    if request.method == "POST" and form.is_valid():
        if not once.first_use(request, request.POST.get("token", "")):
            messages.info(request, "This form was sent before; the key was replaced once. It is shown once only.")
            return redirect(page_of(license))
        result = replace_license_key(
            license_id=license.license_id,
            actor=actor_of(request),
            source=SOURCE,
            reason=form.cleaned_data["reason"].strip(),
        )
        if isinstance(result, LicenseCreated):
            return _key_page(request, result, "License Key replaced")
        error = result.message
    action = {
        "explanation": "The earlier License Key stops working: Usage Requests made with it are refused. Usage "
        "Licenses that are installed go on working, and no host looks changed. The new key is shown once.",
        "button": "Replace the License Key",
        "facts": _facts(license),
        "back": page_of(license),
        "dangerous": True,
    }
    context = {"action": action, "form": form, "error": error, "token": once.new_token()}
    return page(request, "desk/action.html", f"Replace the License Key of {license.license_id}", context)


def _facts(license: Any) -> list[tuple[str, object]]:
    return [
        ("License", license.license_id),
        ("Customer", license.customer.name),
        ("Status", badge(license.status)),
        ("Seats taken", f"{license.occupied} of {license.allowed}"),
    ]


def _found(pk: int) -> Any:
    return queries.licenses_with_seats().filter(pk=pk).first()


def _gone(request: HttpRequest) -> HttpResponse:
    messages.warning(request, "There is no such license. Search for its License ID or its customer.")
    return redirect("admin:activations_license_changelist")
