"""Who sends a request and from where, for the staff trail."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from activations.services.staff_trail import LONGEST_AGENT, NOBODY, Caller, asking


class Callers:
    """Middleware: what is recorded while a request is answered carries its sender."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        caller = Caller(lambda: _name(request), client_address(request), _agent(request))
        with asking(caller):
            return self.get_response(request)


def client_address(request: HttpRequest) -> str:
    """The IP address of the client. Behind our proxy it is the last one in X-Forwarded-For, which the proxy wrote
    itself; those before it are what the client claims.
    """
    if settings.BEHIND_TLS_PROXY:
        forwarded = request.headers.get("X-Forwarded-For", "").rsplit(",", 1)[-1]
        return _address(forwarded) or _address(request.META.get("REMOTE_ADDR", ""))
    return _address(request.META.get("REMOTE_ADDR", ""))


def _address(text: str) -> str:
    """In the one way to write it; "" for what is no address, such as the name of a socket."""
    try:
        found = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return ""
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)


def _agent(request: HttpRequest) -> str:
    told = request.headers.get("User-Agent", "")
    return "".join(letter if letter.isprintable() else " " for letter in told)[:LONGEST_AGENT]


def _name(request: HttpRequest) -> str:
    user = getattr(request, "user", None)
    return user.get_username() if user is not None and user.is_authenticated else NOBODY
