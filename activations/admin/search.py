"""The search field in the header of every page, and what it finds.

The form always posts: only what came in can be told from a License Key, and an address with a key in it would stand in
access logs and in the browser's history. A key is looked up at once, by its keyed digest, and leads to the license.
Everything else is no secret and is sent on to /admin/search/?q=..., which can be reloaded and sent to a colleague.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from chariot_license.protocol.codes import LicenseKey
from chariot_license.protocol.errors import CodeError, ProtocolError
from chariot_license.protocol.request import read_request
from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from activations import queries, searching
from activations.admin import desk
from activations.admin.access import DESK, may, needs
from activations.admin.base import page_of, when
from activations.admin.pages import page
from activations.admin.pasted import CODE, KEY, TOKEN, Pasted, recognise, secret_in
from activations.admin.words import TITLES
from activations.domain.words import Ability
from activations.models import Contact
from activations.services import tokens
from activations.services.vault import key_digest

KEY_MISTYPED = (
    "This looks like a License Key with a typing mistake. Compare it with the key in the purchase email, or search for "
    "the customer."
)
KEY_UNKNOWN = "No license has this License Key. It is typed correctly, so it is a key of another portal, or of none."
FROM_ADDRESS = (
    "A License Key, a deactivation code or an API token was in the address of this page, where it stays in logs and in "
    "the browser's history. It was not looked up: put it into the search field. If others can read those logs, replace "
    "the key or rotate the token."
)
CODE_ONLY = "This is a deactivation code. A support agent books it on the Desk, together with the License ID."
BEARER_ONLY = (
    "This is an API token, which is secret. If it is not yours, or others may have read it, tell an administrator what "
    "it begins with: the letters before the second underscore. It can be rotated or revoked."
)
BEARER_FOUND = "This token was searched for. If it lay where others could read it, rotate or revoke it."
TOO_LONG = "This is too long for a search. Search for one name or id; a support agent pastes whole emails on the Desk."


@dataclass(frozen=True)
class Found:
    """One row of the results."""

    url: str
    name: str
    detail: str
    state: str = ""


@dataclass(frozen=True)
class Group:
    """What was found in one table; `all_url` leads to the rest where its list can be filtered by the same words."""

    title: str
    rows: tuple[Found, ...]
    more: bool
    all_url: str


@never_cache
@needs()
@require_http_methods(["GET", "HEAD", "POST"])
def search(request: HttpRequest) -> HttpResponseBase:
    """Takes what was typed, or shows what it finds; a single result is opened at once."""
    if request.method == "POST":
        return _taken(request, request.POST.get("q", ""))
    typed = request.GET.get("q", "").strip()
    if secret_in(typed, recognise(typed)):
        return _page(request, "", FROM_ADDRESS)
    if not typed:
        return _page(request, "")
    what = searching.sought(typed)
    groups, rows = _groups(request, what)
    if len(rows) == 1:
        return redirect(_address(rows[0]))
    return _page(request, typed[: searching.MOST_LETTERS], what.typo if not rows else "", groups)


def _taken(request: HttpRequest, typed: str) -> HttpResponseBase:
    text = typed.replace("\x00", "\ufffd").strip()  # no address holds a NUL
    found = recognise(text)
    if found.has_request:
        return _for_block(request, text, found)
    secret = secret_in(text, found)
    if secret == KEY:
        return _for_key(request, text, found)
    if secret == TOKEN:
        return _for_token(request, text)
    if secret == CODE or len(text) > searching.MOST_LETTERS:
        if may(request, *DESK):
            return desk.look(request, text)
        return _page(request, "", CODE_ONLY if secret else TOO_LONG)
    return _to_results(text)


def _for_key(request: HttpRequest, text: str, found: Pasted) -> HttpResponseBase:
    keys = found.codes.license_keys
    key = LicenseKey.parse(keys[0]) if keys else None
    if key is None:
        with suppress(CodeError):
            key = LicenseKey.parse(text)
    if key is None:
        return _page(request, "", KEY_MISTYPED)
    known = searching.by_key(key_digest(key.lookup_id))
    if known is None:
        return _page(request, "", KEY_UNKNOWN)
    if known.replaced:
        messages.warning(
            request, f"The License Key that was searched for is an earlier one of {known.license}: it was replaced."
        )
    return redirect(page_of(known.license))


def _for_token(request: HttpRequest, text: str) -> HttpResponseBase:
    """A token that was found somewhere leads to its page, for those who may see that; it stands in no address."""
    row = tokens.found_by(text)
    if row is None or not may(request, Ability.MANAGE_STAFF, Ability.READ_LEDGER):
        return _page(request, "", BEARER_ONLY)
    messages.warning(request, BEARER_FOUND)
    return redirect(page_of(row))


def _for_block(request: HttpRequest, text: str, found: Pasted) -> HttpResponseBase:
    """A Usage Request is work for the desk; who does not work there finds what is known of it."""
    if may(request, Ability.ISSUE):
        return desk.look(request, text)
    for block in found.requests:
        with suppress(ProtocolError):
            claims = read_request(block.data)
            request_id = claims.request_id.hex()
            return _to_results(request_id if queries.request_named(request_id) else claims.thumbprint.hex())
    return _page(request, "", "This Usage Request is damaged. A support agent can ask for its lines on the Desk.")


def _to_results(text: str) -> HttpResponse:
    address = reverse("admin:search")
    return redirect(f"{address}?{urlencode({'q': text})}" if text else address)


def _groups(request: HttpRequest, what: searching.Sought) -> tuple[list[Group], list[Model]]:
    groups, every = [], []
    for name, find in searching.FINDERS.items():
        kind = _KINDS[name]
        list_page = _list_page(kind.list)
        if not list_page.has_view_permission(request):
            continue
        rows = list(find(what)[: searching.MOST_ROWS + 1])
        every += rows
        if rows:
            shown = tuple(kind.row(row) for row in rows[: searching.MOST_ROWS])
            listed = f"{reverse(f'admin:activations_{kind.list}_changelist')}?{urlencode({'q': what.text})}"
            more = len(rows) > searching.MOST_ROWS
            groups.append(Group(kind.title, shown, more, listed if what.text else ""))
    return groups, every


def _list_page(name: str) -> Any:
    return next(
        page for model, page in admin.site._registry.items() if model._meta.label_lower == f"activations.{name}"
    )


def _address(row: Model) -> str:
    return page_of(row.customer if isinstance(row, Contact) else row)


def _page(request: HttpRequest, typed: str, note: str = "", groups: list[Group] | None = None) -> HttpResponse:
    context = {
        "typed": typed,
        "searched": typed,
        "note": note,
        "groups": groups or [],
        "fewest": searching.FEWEST_LETTERS,
    }
    return page(
        request, "desk/search.html", f"Search: {typed}" if typed else "Search", {**context, "heading": "Search"}
    )


@dataclass(frozen=True)
class _Kind:
    """How the rows of one table are shown, and the list that has all of them."""

    title: str
    list: str
    row: Callable[[Any], Found]


def _license(row: Any) -> Found:
    detail = f"{row.customer.name}, {row.occupied} of {row.allowed} seats taken"
    return Found(page_of(row), row.license_id, detail, row.status)


def _activation(row: Any) -> Found:
    detail = f"{row.hostname or 'no host name'}, {row.license.customer.name}, {row.license.license_id}"
    return Found(page_of(row), row.activation_id, detail, row.state)


def _request(row: Any) -> Found:
    name = f"{row.hostname or 'Unnamed host'}, {when(row.received_at)} UTC"
    decision = TITLES.get(row.code, row.code)
    return Found(page_of(row), name, f"{decision}; {row.license.customer.name}, {row.license.license_id}", row.state)


def _usage_license(row: Any) -> Found:
    detail = f"{row.activation.hostname or 'no host name'}, {row.activation.license.customer.name}"
    return Found(page_of(row), row.usage_license_id, f"{detail}, issued {when(row.issued_at)} UTC")


def _restoration(row: Any) -> Found:
    activation = row.activation
    detail = f"{activation.hostname or 'no host name'}, {activation.license.customer.name}, {activation.activation_id}"
    return Found(page_of(row), row.restoration_id, detail, row.state)


def _tombstone(row: Any) -> Found:
    detail = f"{row.activation.hostname or 'no host name'}, {row.license.customer.name}, {row.license.license_id}"
    return Found(page_of(row), row.tombstone_id, f"{detail}, written off {when(row.placed_at)} UTC", row.kind)


_KINDS = {
    "license": _Kind("Licenses", "license", _license),
    "customer": _Kind("Customers", "customer", lambda row: Found(page_of(row), row.name, "")),
    "contact": _Kind("Contacts", "customer", lambda row: Found(page_of(row.customer), str(row), row.customer.name)),
    "activation": _Kind("Activations", "activation", _activation),
    "usagelicense": _Kind("Usage Licenses", "usagelicense", _usage_license),
    "usagerequest": _Kind("Usage Requests", "usagerequest", _request),
    "restoration": _Kind("Restorations", "restoration", _restoration),
    "tombstone": _Kind("Written-off hosts", "tombstone", _tombstone),
}
