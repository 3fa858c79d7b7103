"""What a license manager does to a license: create it, change its terms and status, replace and show its key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache

from activations import queries, upgrades
from activations.admin import actions, once
from activations.admin.access import actor_of, needs
from activations.admin.base import badge, page_of
from activations.admin.forms import NewLicenseForm, TermsForm, features_as_initial
from activations.admin.pages import page
from activations.admin.terms_view import ALLOWED, ONLINE, TermRow, Terms, side_by_side
from activations.domain.words import Ability, LicenseStatus
from activations.models import Activation, License, LicenseTerms, Product
from activations.services.key_reveal import LicenseKeyShown, show_license_key
from activations.services.licenses import (
    DEFAULT_PRODUCT,
    LicenseChange,
    LicenseChanged,
    LicenseCreated,
    change_license,
    create_license,
    replace_license_key,
)
from activations.services.results import BadInput, Refused

SOURCE = "admin"
_KEY_MISSED = "Its License Key is shown once only; if it was missed, replace the key here."


@never_cache
@needs(Ability.CREATE_LICENSE)
def new_license(request: HttpRequest) -> HttpResponse:
    """Creates a license. Its License Key is on the page that answers, and nowhere afterwards."""
    product = Product.objects.get(code=DEFAULT_PRODUCT)
    initial = {"allowed": 1}
    form = NewLicenseForm(request.POST or None, product=product, initial=initial)
    error = ""
    if request.method == "POST" and form.is_valid():
        with once.sending(request) as sending:
            before = sending.before
            if before and not once.differs(request, before):
                return once.booked_before(request, before, "admin:activations_license_changelist")
            if before:
                error = once.not_booked(before)
            else:
                result = _created(request, form)
                if isinstance(result, LicenseCreated):
                    made = License.objects.get(license_id=result.license_id)
                    words = f"{result.license_id} was made; no second license was made. {_KEY_MISSED}"
                    sending.done(words, page_of(made))
                    return _key_page(request, result, "License created")
                error = result.message
    context = {"form": form, "error": error, "token": once.new_token(), "product": product}
    return page(request, "desk/license_new.html", "New license", context)


def _created(request: HttpRequest, form: NewLicenseForm) -> LicenseCreated | Refused | BadInput:
    return create_license(
        customer=form.cleaned_data["customer"],
        allowed=form.cleaned_data["allowed"],
        features=form.feature_terms(),
        versions=form.versions(),
        product=form.product.code,
        online=form.cleaned_data["online"],
        actor=actor_of(request),
        source=SOURCE,
    )


def _key_page(request: HttpRequest, made: LicenseCreated, title: str) -> HttpResponse:
    license = License.objects.select_related("customer").get(license_id=made.license_id)
    return page(request, "desk/license_key.html", title, {"made": made, "license": license})


@never_cache
@needs(Ability.CHANGE_LICENSE)
def change_terms(request: HttpRequest, pk: int) -> HttpResponse:
    """Allowed activations, features with their last days, versions and online activation, in one form; books only what
    differs, which the service decides, and only what was shown in a preview: with the hosts that need a new round trip
    to get it.
    """
    license = _found(pk)
    if license is None:
        return _gone(request)
    terms = queries.terms_of(license)
    initial = {
        "allowed": license.allowed,
        "online": license.online,
        "version_low": terms.version_low,
        "version_high": terms.version_high,
        **features_as_initial(terms.features),
    }
    form = TermsForm(request.POST or None, product=license.product, initial=initial)
    context: dict[str, Any] = {"form": form, "license": license, "back": page_of(license), "error": ""}
    context["token"] = once.new_token()
    # What the form was first filled from, and not what the license has become since.
    context["shown"] = request.POST.get("shown") or f"{license.terms_revision} {license.allowed}"
    before = once.sent_before(request)
    if before:
        return once.booked_before(request, before)
    if request.method == "POST" and form.is_valid():
        preview = _preview(request, license, terms, form)
        context["error"] = preview.error
        seen = request.POST.get("previewed") == preview.digest and "book" in request.POST
        if seen and not preview.error:
            with once.sending(request) as sending:
                if sending.before:
                    return once.booked_before(request, sending.before)
                result = _changed(request, license, form)
                if not isinstance(result, Refused | BadInput):
                    return _terms_booked(request, license, result, sending)
            context["error"] = form.blame(result)
        if not context["error"]:
            context["preview"] = preview
    return page(request, "desk/license_terms.html", f"Change {license.license_id}", context)


def _terms_booked(
    request: HttpRequest, license: License, result: LicenseChanged, sending: once.Sending
) -> HttpResponse:
    words = _changed_words(result.changes)
    sending.done(words, page_of(license))
    messages.success(request, words)
    for warning in result.warnings:
        messages.warning(request, warning)
    return redirect(page_of(license))


@dataclass(frozen=True)
class Preview:
    """What a change would do. `digest` names exactly this; `hosts` need a new round trip to get the new terms."""

    rows: tuple[TermRow, ...]
    hosts: tuple[Activation, ...]
    digest: str
    error: str = ""
    warnings: tuple[str, ...] = ()


def _preview(request: HttpRequest, license: License, terms: LicenseTerms, form: TermsForm) -> Preview:
    features = [feature.as_json() for feature in form.feature_terms()]
    after = Terms(features, form.versions(), form.cleaned_data["allowed"], form.cleaned_data["online"])
    rows = side_by_side(Terms.of(terms, license.allowed, license.online), after)
    what = [[row.name, row.before, row.after] for row in rows]
    digest = hashlib.sha256(json.dumps(what).encode()).hexdigest()
    new_terms = any(row.changed for row in rows if row.name not in (ALLOWED, ONLINE))
    hosts = tuple(upgrades.active_of(license)) if new_terms else ()
    with transaction.atomic():
        # The real thing, undone: what it refuses, the preview says.
        result = _changed(request, license, form)
        transaction.set_rollback(True)
    if isinstance(result, Refused | BadInput):
        return Preview(rows, hosts, digest, result.message)
    return Preview(rows, hosts, digest, warnings=result.warnings)


def _changed(request: HttpRequest, license: License, form: TermsForm) -> LicenseChanged | Refused | BadInput:
    return change_license(
        license_id=license.license_id,
        change=LicenseChange(
            form.cleaned_data["allowed"],
            form.feature_terms(),
            form.versions(),
            online=form.cleaned_data["online"],
        ),
        actor=actor_of(request),
        source=SOURCE,
        reason=form.cleaned_data["reason"].strip(),
        shown=_shown(request.POST.get("shown", "")),
    )


def _shown(text: str) -> tuple[int, int] | None:
    revision, _, allowed = text.partition(" ")
    return (int(revision), int(allowed)) if len(text) < 20 and revision.isdecimal() and allowed.isdecimal() else None


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
    return _key_action(
        request,
        pk,
        replace_license_key,
        title="Replace the License Key",
        explanation="The earlier License Key stops working: Usage Requests made with it are refused. Usage Licenses "
        "that are installed go on working, and no host looks changed. The new key is shown once.",
        done=f"The key was replaced once. {_KEY_MISSED}",
        answer=lambda license, result: _key_page(request, result, "License Key replaced"),
        dangerous=True,
    )


@never_cache
@needs(Ability.SHOW_LICENSE_KEY)
def show_key(request: HttpRequest, pk: int) -> HttpResponse:
    """The License Key in clear, after a reason: the ledger says who looked at it and why."""

    def answer(license: License, result: LicenseKeyShown) -> HttpResponse:
        context = {"made": result, "license": license, "revealed": True}
        return page(request, "desk/license_key.html", f"License Key of {license.license_id}", context)

    return _key_action(
        request,
        pk,
        show_license_key,
        title="Show the License Key",
        explanation="The License Key is secret: whoever has it can ask for activations of this license. Showing it is "
        "booked with your name and the reason. Send it only to a contact of the customer.",
        done="The License Key was shown to you, and that is in the ledger. To see it again, give a reason again.",
        answer=answer,
    )


def _key_action(
    request: HttpRequest,
    pk: int,
    service: Callable[..., Any],
    *,
    title: str,
    explanation: str,
    done: str,
    answer: Callable[[Any, Any], HttpResponse],
    dangerous: bool = False,
) -> HttpResponse:
    """Asks why, and answers with a page that shows the License Key."""
    license = _found(pk)
    if license is None:
        return _gone(request)
    action = actions.Action(
        title=f"{title} of {license.license_id}",
        explanation=explanation,
        button=title,
        facts=_facts(license),
        back=page_of(license),
        perform=lambda reason: service(
            license_id=license.license_id, actor=actor_of(request), source=SOURCE, reason=reason
        ),
        done=lambda result: (done, page_of(license)),
        dangerous=dangerous,
    )
    return actions.run(request, action, lambda result: answer(license, result))


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
