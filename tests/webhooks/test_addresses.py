"""Where a webhook may go, and where it must not: nothing within a network, however it is written."""

from __future__ import annotations

import ipaddress
import socket
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from activations.services.results import BadInput
from activations.services.webhooks import addresses
from activations.services.webhooks.addresses import NotReachable, Target, addresses_of, is_internal, read_url
from activations.services.webhooks.sending import post
from licensing_portal.receivers import parsed
from tests.webhooks.receiver import NAME, Authority, receiving

INTERNAL = [
    *("127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "0.0.0.0"),  # noqa: S104
    *("169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "168.63.129.16", "198.18.0.1"),
    *("192.0.2.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("192.88.99.1", "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.1.2.3", "::ffff:169.254.169.254", "::127.0.0.1", "::8.8.8.8"),
    *("2002:7f00:1::", "2002:0a00:0001::1", "2002:a9fe:a9fe::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
    *("64:ff9b:1::808:808", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "100::1", "5f00::1", "3fff::1", "fe80::1%eth0"),
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "192.169.0.1", "2606:4700::1111", "2002:808:808::1", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", INTERNAL)
def test_within_a_network(address: str) -> None:
    assert is_internal(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert not is_internal(ipaddress.ip_address(address))


INSIDE = [ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8")]
INSIDE += [ipaddress.ip_network(text) for text in ("169.254.0.0/16", "224.0.0.0/4", "100.64.0.0/10", "0.0.0.0/8")]


@given(network=st.sampled_from(INSIDE), offset=st.integers(0, 2**32 - 1))
def test_an_inner_address_stays_one_however_ipv6_carries_it(network: ipaddress.IPv4Network, offset: int) -> None:
    number = int(network.network_address) + offset % network.num_addresses
    inner = ipaddress.IPv4Address(number)
    carried = [(0xFFFF << 32) + number, (0x2002 << 112) + (number << 80), (0x64FF9B << 96) + number, number]
    assert is_internal(inner)
    for whole in carried:
        assert is_internal(ipaddress.IPv6Address(whole)), ipaddress.IPv6Address(whole)


@given(st.ip_addresses())
def test_what_python_does_not_call_global_is_never_public(address: ipaddress.IPv4Address) -> None:
    if not address.is_global or address.is_multicast:
        carried = getattr(address, "sixtofour", None) or getattr(address, "ipv4_mapped", None)
        assert is_internal(address) or carried is not None


# --- the URL ----------------------------------------------------------------------------------------------

REFUSED = [
    *("http://hooks.example.com/", "ftp://hooks.example.com/", "hooks.example.com/x", "//hooks.example.com", ""),
    *("https://", "https:///x", "https://user@hooks.example.com/", "https://user:pw@hooks.example.com/"),
    *("https://@hooks.example.com/", "https://hooks.example.com/#x", "https://hooks.example.com/#"),
    *("https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://127.1/", "https://0177.0.0.1/"),
    *(
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:7f00:1]/",
        "https://10.0.0.5:443/",
        "https://[fe80::1%25eth0]/",
    ),
    *(
        "https://①②⑦.⓪.⓪.①/",
        "https://\uff11\uff12\uff17.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://1.2.3.4.5/",
    ),
    *("https://hooks.example.com:22/", "https://hooks.example.com:6379/", "https://hooks.example.com:99999/"),
    *("https://hooks.example.com:x/", "https://hooks example.com/", "https://hooks.example.com/ x", "https://a..b/"),
    *("https://hooks.example.com\\@127.0.0.1/", "https://hooks.example.com\r\nHost: x/", "https://h%6fst.example/"),
    *("https://-a.example/", f"https://{'a' * 64}.example/", "https://hooks.example.com/" + "x" * 2000),
]


@pytest.mark.parametrize("url", REFUSED)
def test_urls_that_are_not_taken(url: str) -> None:
    found = read_url(url)
    assert isinstance(found, BadInput), found
    assert found.code == "url-not-taken"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://hooks.example.com", Target("https", "hooks.example.com", 443, "/")),
        ("https://HOOKS.Example.com./a/b?x=1&y=ä", Target("https", "hooks.example.com", 443, "/a/b?x=1&y=%C3%A4")),
        ("https://hooks.example.com:8443/%2F", Target("https", "hooks.example.com", 8443, "/%2F")),
        ("https://bücher.example/straße", Target("https", "xn--bcher-kva.example", 443, "/stra%C3%9Fe")),
        ("https://8.8.8.8/", Target("https", "8.8.8.8", 443, "/")),
        ("https://[2606:4700::1111]/", Target("https", "2606:4700::1111", 443, "/")),
    ],
)
def test_urls_that_are_taken(url: str, target: Target) -> None:
    assert read_url(url) == target


def test_what_is_shown_has_no_query() -> None:
    found = read_url("https://hooks.example.com:8443/in?token=secret")
    assert isinstance(found, Target)
    assert found.shown == "https://hooks.example.com:8443/in"


def test_the_settings_let_named_receivers_be_reached(settings: Settings) -> None:
    settings.WEBHOOK_ALLOW = parsed(["mes.plant.example:9000", "10.20.0.0/16"])
    assert isinstance(read_url("https://mes.plant.example:9000/"), Target)
    assert isinstance(read_url("https://10.20.3.4:7777/"), Target)
    assert isinstance(read_url("https://10.21.3.4/"), BadInput)


def test_plain_http_to_this_machine_is_a_setting(settings: Settings) -> None:
    assert isinstance(read_url("http://localhost:8000/"), BadInput)
    settings.WEBHOOK_LOCAL_HTTP = True
    assert read_url("http://localhost:8000/") == Target("http", "localhost", 8000, "/")
    assert isinstance(read_url("http://hooks.example.com/"), BadInput)


# --- what a name leads to ---------------------------------------------------------------------------------


class Resolver:
    """In place of the system's, which no test can make lie: answers for `NAME`, each time with the next list."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers, self.asked, self._real = list(answers), 0, socket.getaddrinfo

    def __call__(self, host: Any, port: Any, *more: Any, **named: Any) -> Any:
        if host != NAME:
            return self._real(host, port, *more, **named)
        self.asked += 1
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(socket.AF_INET6 if ":" in one else socket.AF_INET, 1, 6, "", (one, port)) for one in found]


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> Resolver:
    resolver = Resolver(*answers)
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    return resolver


TARGET = Target("https", NAME, 443, "/")


@pytest.mark.parametrize("address", [text for text in INTERNAL if "%" not in text])
def test_one_inner_address_refuses_them_all(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, ["8.8.8.8", address, "1.1.1.1"])
    with pytest.raises(NotReachable, match="inside of a network"):
        addresses_of(TARGET)


def test_a_name_that_leads_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, ["8.8.8.8", "2606:4700::1111"])
    assert [str(one) for one in addresses_of(TARGET)] == ["8.8.8.8", "2606:4700::1111"]


def test_an_allowed_network_opens_itself_alone(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.WEBHOOK_ALLOW = parsed(["10.20.0.0/16"])
    resolving(monkeypatch, ["10.20.0.7"], ["10.20.0.7", "10.21.0.7"])
    assert [str(one) for one in addresses_of(TARGET)] == ["10.20.0.7"]
    with pytest.raises(NotReachable, match=r"10\.21\.0\.7"):
        addresses_of(TARGET)


def test_an_odd_port_of_a_public_name(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.WEBHOOK_ALLOW = parsed(["10.20.0.0/16"])
    resolving(monkeypatch, ["8.8.8.8"])
    with pytest.raises(NotReachable, match="Port 22"):
        addresses_of(Target("https", NAME, 22, "/"))


def test_localhost_that_leads_elsewhere_gets_no_plain_http(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.WEBHOOK_LOCAL_HTTP = True
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **n: [(socket.AF_INET, 1, 6, "", ("8.8.8.8", 80))])
    with pytest.raises(NotReachable, match="this machine only"):
        addresses_of(Target("http", "localhost", 80, "/"))


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(addresses, "RESOLVING", 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **n: [over.wait(60)][1:])
    with pytest.raises(NotReachable, match="was not resolved"):
        addresses_of(TARGET)
    over.set()


def test_the_checked_address_is_the_one_that_is_used(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, authority: Authority
) -> None:
    """DNS rebinding: the name leads to an allowed address when it is checked, and elsewhere a moment later."""
    with receiving(authority.context(NAME)) as good, receiving(authority.context(NAME), host="127.0.0.2") as evil:
        settings.WEBHOOK_CA_FILE = str(authority.file)
        settings.WEBHOOK_ALLOW = parsed(["127.0.0.1/32"])
        resolver = resolving(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])

        outcome = post(Target("https", NAME, good.port, "/"), b"{}", {"webhook-id": "msg_1"})

        assert (outcome.status, outcome.address) == (204, "127.0.0.1"), outcome
        assert resolver.asked == 1, "it is resolved once; whoever connects does not ask again"
        assert good.names == [NAME], "SNI has the name, not the address"
        assert good.got[0].headers["host"] == f"{NAME}:{good.port}"
        assert not evil.got

        outcome = post(Target("https", NAME, evil.port, "/"), b"{}", {"webhook-id": "msg_1"})
        assert "127.0.0.2, which is inside of a network" in outcome.problem
        assert not evil.got
        assert not evil.names


def test_a_certificate_of_another_name_or_authority(settings: Settings, authority: Authority) -> None:
    with receiving(authority.context("other.example")) as there:
        settings.WEBHOOK_ALLOW = parsed([f"localhost:{there.port}"])
        target = Target("https", "localhost", there.port, "/")
        outcome = post(target, b"{}", {"webhook-id": "msg_1"})
        assert outcome.problem.startswith("Its certificate does not hold"), outcome
        settings.WEBHOOK_CA_FILE = str(authority.file)
        outcome = post(target, b"{}", {"webhook-id": "msg_1"})
        assert "not valid for 'localhost'" in outcome.problem
        assert not there.got


def test_no_proxy_of_the_environment_is_asked(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, authority: Authority
) -> None:
    with receiving() as proxy, receiving(authority.context("localhost")) as there:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        settings.WEBHOOK_CA_FILE = str(authority.file)
        settings.WEBHOOK_ALLOW = parsed([f"localhost:{there.port}"])
        assert post(Target("https", "localhost", there.port, "/"), b"{}", {"webhook-id": "m"}).delivered
        assert len(there.got) == 1
        assert not proxy.got
