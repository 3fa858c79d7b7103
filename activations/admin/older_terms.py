"""The hosts of a license that still have older terms, and the mail that asks their owner for a new round trip."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from activations import queries, upgrades
from activations.admin.access import may, needs
from activations.admin.base import page_of
from activations.admin.pages import page
from activations.admin.replies import seal
from activations.admin.terms_view import TermRow, Terms, side_by_side
from activations.services import replies
from activations.services.replies import SENDERS
from activations.upgrades import OlderTerms


@never_cache
@needs()
@require_safe
def older_terms(request: HttpRequest, pk: int) -> HttpResponse:
    """Which hosts, what each would get, and the letter with their names in it."""
    license = queries.licenses_with_seats().filter(pk=pk).first()
    if license is None:
        messages.warning(request, "There is no such license. Search for its License ID or its customer.")
        return redirect("admin:activations_license_changelist")
    now = Terms.of(queries.terms_of(license))
    hosts = upgrades.on_older_terms(license)
    draft = replies.new_request(license.license_id, [_name(host) for host in hosts])
    context = {
        "license": license,
        "back": page_of(license),
        "hosts": [(host.activation, host.terms.revision, _changed(host, now)) for host in hosts],
        "contacts": list(license.customer.contacts.all()),
        "letter": draft.body,
        "keep": seal(request, draft) if may(request, *SENDERS) else "",
    }
    return page(request, "desk/older_terms.html", f"Hosts of {license.license_id} on older terms", context)


def _changed(host: OlderTerms, now: Terms) -> list[TermRow]:
    return [row for row in side_by_side(Terms.of(host.terms), now) if row.changed]


def _name(host: OlderTerms) -> str:
    return f"{host.activation.hostname or 'unnamed host'} ({host.activation.activation_id})"
