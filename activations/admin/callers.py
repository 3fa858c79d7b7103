"""Who sends a request and from where, for the staff trail."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from activations.addresses import client_address
from activations.services.staff_trail import LONGEST_AGENT, NOBODY, Caller, asking


class Callers:
    """Middleware: what is recorded while a request is answered carries its sender."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        caller = Caller(lambda: _name(request), client_address(request), _agent(request))
        with asking(caller):
            return self.get_response(request)


def _agent(request: HttpRequest) -> str:
    told = request.headers.get("User-Agent", "")
    return "".join(letter if letter.isprintable() else " " for letter in told)[:LONGEST_AGENT]


def _name(request: HttpRequest) -> str:
    user = getattr(request, "user", None)
    return user.get_username() if user is not None and user.is_authenticated else NOBODY
