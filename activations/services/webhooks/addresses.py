"""Where a webhook may go: the URL as an administrator types it, and the addresses that its name leads to.

A URL that reaches into our own network would let whoever may write one look around in it (SSRF). So the name is
resolved here, every address is checked, and the connection goes to an address that was checked: what the name leads to
a moment later changes nothing.
"""

from __future__ import annotations

import re
import socket
import threading
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import quote, urlsplit

import idna
from django.conf import settings

from activations.services.results import BadInput

Address = IPv4Address | IPv6Address

LONGEST_URL = 2000
USUAL_PORTS = (443, 8443)
RESOLVING = 5.0  # seconds
MOST_ADDRESSES = 50
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_UNFIT = re.compile(r"[\x00-\x20\x7f\\]")
_LOCAL = ("localhost", "127.0.0.1", "::1")

# Not for the public, whatever `is_global` says of them in this version of Python: the registries of RFC 6890, relays
# and translators, and addresses at which clouds answer their own machines.
_REGISTRIES = """
0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.31.196.0/24
192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4
240.0.0.0/4 168.63.129.16/32
::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8
"""
_NEVER = tuple(ip_network(text) for text in _REGISTRIES.split())
_NAT64 = ip_network("64:ff9b::/96")


class NotReachable(Exception):
    """The receiver cannot or may not be reached; the message says why."""


@dataclass(frozen=True)
class Target:
    """A URL taken apart. `host` is ASCII, lower case, and an address without brackets; `path` has the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def shown(self) -> str:
        """Scheme, host and path: what may be booked and read by auditors. A query may hold what is secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == (443 if self.scheme == "https" else 80) else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path.partition('?')[0]}"


def read_url(url: str) -> Target | BadInput:
    """The target a URL names, or what is wrong with it. Nothing is resolved: a name can lead elsewhere tomorrow."""
    if len(url) > LONGEST_URL or _UNFIT.search(url):
        return _bad(f"A URL has at most {LONGEST_URL} letters and no spaces or backslashes.")
    try:
        parts = urlsplit(url)
        given, port = parts.hostname or "", parts.port
    except ValueError:
        return _bad("This is no URL. Write one such as https://hooks.example.com/licensing.")
    if parts.scheme not in ("https", "http") or not given:
        return _bad("A webhook goes to a URL that begins with https://, for example https://hooks.example.com/x.")
    if "@" in parts.netloc:
        return _bad("A URL with a user name or password in it would be shown. The signature says who sends.")
    if parts.fragment or url.endswith("#"):
        return _bad("What follows a # is never sent. Write the URL without it.")
    host = _host(given)
    if isinstance(host, BadInput):
        return host
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/?%:@!$&'()*+,;=~-._")
    target = Target(parts.scheme, host, port, f"{path}?{query}" if query else path)
    return _not_taken(target) or target


def _not_taken(target: Target) -> BadInput | None:
    if target.scheme == "http" and not _is_local(target):
        return _bad("Only https:// is taken: what is sent must not be read or changed on its way.")
    if target.scheme == "http":
        return None
    named = settings.WEBHOOK_ALLOW.names(target.host, target.port)
    literal = _literal(target.host)
    if literal is not None and not named and not settings.WEBHOOK_ALLOW.holds(literal) and is_internal(literal):
        return _bad(f"{target.host} is an address inside of a network. {_ASK}")
    in_network = literal is not None and settings.WEBHOOK_ALLOW.holds(literal)
    # A name may lead into a network that is allowed, where any port is: that is seen when it is resolved.
    if target.port not in USUAL_PORTS and not named and not in_network and not settings.WEBHOOK_ALLOW.networks:
        return _bad(f"Port {target.port} is none of {USUAL_PORTS[0]} and {USUAL_PORTS[1]}. {_ASK}")
    return None


_ASK = "If it is a receiver of yours, let WEBHOOK_ALLOW name it (docs/configuration.md)."


def _bad(message: str) -> BadInput:
    return BadInput("url-not-taken", message)


def _is_local(target: Target) -> bool:
    return bool(settings.WEBHOOK_LOCAL_HTTP) and target.host in _LOCAL


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _host(given: str) -> str | BadInput:
    """The name in ASCII (IDNA), or the address. What looks like a number is an address written in full or refused:
    2130706433 and 0x7f.1 are 127.0.0.1 to some resolvers.
    """
    if "%" in given:
        return _bad("The host of the URL is written with percent signs. Write its name as it is.")
    if ":" in given:
        literal = _literal(given)
        return str(literal) if literal is not None else _bad("This is no IPv6 address.")
    try:
        name = idna.encode(given.rstrip("."), uts46=True, transitional=False).decode() if given.strip(".") else ""
    except idna.IDNAError:
        name = given.rstrip(".").lower() if given.isascii() else ""
    labels = name.split(".")
    if not name or len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return _bad("The host of the URL is no name that can be looked up.")
    if _NUMBER.fullmatch(labels[-1]):
        literal = _literal(name)
        return str(literal) if literal is not None else _bad("Write the address with four numbers, as 192.0.2.7.")
    return name


def is_internal(address: Address) -> bool:
    """Whether it is anything but one public machine: private, loopback, link-local, multicast, reserved, metadata, or
    such an IPv4 address within an IPv6 one.
    """
    if isinstance(address, IPv6Address):
        if address.scope_id:
            return True
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_internal(inner)
        if address.teredo is not None or address.is_site_local:
            return True
    known = any(address in network for network in _NEVER if network.version == address.version)
    return known or not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified


def addresses_of(target: Target) -> list[Address]:
    """The addresses that may be connected to, in the resolver's order; raises NotReachable. One address that may not be
    reached refuses them all: a name that leads inside as well is no receiver.
    """
    found = _resolved(target.host, target.port)
    allow = settings.WEBHOOK_ALLOW
    named = allow.names(target.host, target.port)
    for address in found:
        held = named or allow.holds(address)
        if target.scheme == "http":
            if not (_is_local(target) and address.is_loopback):
                raise NotReachable("Plain http:// goes to this machine only, and only where WEBHOOK_LOCAL_HTTP is on.")
        elif is_internal(address) and not held:
            raise NotReachable(f"{target.host} leads to {address}, which is inside of a network. {_ASK}")
        elif target.port not in USUAL_PORTS and not held:
            raise NotReachable(f"Port {target.port} is none of {USUAL_PORTS[0]} and {USUAL_PORTS[1]}. {_ASK}")
    return found


def _resolved(host: str, port: int) -> list[Address]:
    """Asks the system's resolver, which has no time limit of its own, in a thread that is waited for so long."""
    answer: list[Address | str] = []

    def look() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer.extend(ip_address(str(row[4][0])) for row in rows)
        except (OSError, ValueError) as error:
            answer.append(getattr(error, "strerror", None) or "no such name")

    asked = threading.Thread(target=look, name="resolving", daemon=True)
    asked.start()
    asked.join(RESOLVING)
    if asked.is_alive() or not answer:
        raise NotReachable(f"The name {host} was not resolved in {RESOLVING:.0f} seconds.")
    wrong = next((each for each in answer if isinstance(each, str)), None)
    if wrong is not None:
        raise NotReachable(f"The name {host} cannot be resolved: {wrong}.")
    found = [each for each in dict.fromkeys(answer) if not isinstance(each, str)]
    if len(found) > MOST_ADDRESSES:
        raise NotReachable(f"The name {host} leads to more than {MOST_ADDRESSES} addresses.")
    return found
