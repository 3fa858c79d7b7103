"""Where a request comes from, for every interface that answers one."""

from __future__ import annotations

import ipaddress
from typing import Protocol

from django.conf import settings
from django.http.request import HttpHeaders


class Asked(Protocol):
    """A request, Django's or that of the API's framework."""

    @property
    def headers(self) -> HttpHeaders: ...

    @property
    def META(self) -> dict[str, str]: ...  # noqa: N802


def client_address(request: Asked) -> str:
    """The IP address of the client. Behind our proxy it is the last one in X-Forwarded-For, which the proxy wrote
    itself; those before it are what the client claims.
    """
    if settings.BEHIND_TLS_PROXY:
        forwarded = request.headers.get("X-Forwarded-For", "").rsplit(",", 1)[-1]
        return _address(forwarded) or _address(request.META.get("REMOTE_ADDR", ""))
    return _address(request.META.get("REMOTE_ADDR", ""))


def network_of(address: str) -> str:
    """Whom to count as one: an IPv4 address, and of IPv6 the /64 that one line is given (RFC 6177)."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return address if found.version == 4 else str(ipaddress.ip_network(f"{address}/64", strict=False))


def _address(text: str) -> str:
    """In the one way to write it; "" for what is no address, such as the name of a socket."""
    try:
        found = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return ""
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)
