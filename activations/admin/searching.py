"""Search in lists: by several public identifiers, and with no secret in an address."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, ClassVar

from chariot_license.protocol.codes import parse_public_id
from chariot_license.protocol.errors import CodeError
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect

from activations.admin.pasted import recognise, secret_in

TAKEN_OUT = (
    "A License Key, a deactivation code or an API token is not searched for in a list, because it would stand in the "
    "address of the page. Use the search at the top of the page."
)
FROM_ADDRESS = (
    "A License Key, a deactivation code or an API token was in the address of this page, where it stays in logs and in "
    "the browser's history. It was taken out. Use the search at the top of the page; if others can read those logs, "
    "replace the key or rotate the token."
)


def list_search(page: Any, request: HttpRequest) -> HttpResponse | None:
    """Where a list's search leads: it posts, and only what is no secret is sent on as an address, which can be reloaded
    and sent to a colleague. None for an address that may be shown.
    """
    posted = request.method == "POST" and "q" in request.POST
    given = request.POST if posted else request.GET
    kept, held = QueryDict(mutable=True), False
    for name, values in given.lists():
        if name == "csrfmiddlewaretoken":
            continue
        clean = [value.replace("\x00", "\ufffd") for value in values]
        secret = [value for value in clean if secret_in(value, recognise(value))]
        held = held or bool(secret)
        useful = [value for value in clean if value and value not in secret]
        if useful:
            kept.setlist(name, useful)
    if not posted and not held:
        return None
    if held:
        messages.warning(request, TAKEN_OUT if posted else FROM_ADDRESS)
    return redirect(f"{page.list_url()}?{kept.urlencode()}")


class SearchByIds:
    """A whole id of any of these kinds finds its rows however it was typed: lower case, O for 0, spaces for dashes.

    `public_ids` maps a prefix of Design 2 to the field that holds the id. Anything else is searched for as usual.
    """

    public_ids: ClassVar[dict[str, str]] = {}

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        for prefix, field in self.public_ids.items() if search_term.strip() else ():
            with suppress(CodeError):
                return queryset.filter(**{field: parse_public_id(prefix, search_term)}), False
        found: tuple[Any, bool] = super().get_search_results(  # type: ignore[misc]
            request, queryset, search_term
        )
        return found
