"""Which receivers of webhooks may be reached though they are inside our own network, as WEBHOOK_ALLOW names them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from django.core.exceptions import ImproperlyConfigured

_HOST_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})")


@dataclass(frozen=True)
class Receivers:
    """`places`: host and port; `networks`: addresses, on any port."""

    places: frozenset[tuple[str, int]] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    def names(self, host: str, port: int) -> bool:
        return (host.lower(), port) in self.places

    def holds(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self.networks)


def parsed(items: Iterable[str]) -> Receivers:
    """Raises ImproperlyConfigured for what is neither HOST:PORT nor a network."""
    places, networks = set(), []
    for item in filter(None, (item.strip() for item in items)):
        place = _HOST_PORT.fullmatch(item)
        if place and 1 <= int(place[3]) <= 65535:
            places.add(((place[1] or place[2]).lower(), int(place[3])))
            continue
        try:
            networks.append(ip_network(item))
        except ValueError:
            raise ImproperlyConfigured(
                f"WEBHOOK_ALLOW has {item!r}. Write HOST:PORT, for example mes.plant.example:8443, or a network, for "
                "example 10.20.0.0/16; separate several by commas."
            ) from None
    return Receivers(frozenset(places), tuple(networks))
