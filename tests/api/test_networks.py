"""Who counts as one caller where nobody says a name."""

from __future__ import annotations

import pytest
from django.core.cache import caches
from django.test import Client

from activations.addresses import network_of

ASK = "/api/v1/online/usage-requests"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("", ""),
    ],
)
def test_an_ipv6_line_is_one_caller(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.django_db
def test_the_addresses_of_one_line_share_its_rate() -> None:
    def left(address: str) -> str:
        answer = Client(REMOTE_ADDR=address).post(ASK, {"usage_request": ""}, content_type="application/json")
        return str(answer.headers["RateLimit"]).split(";")[1]

    caches["default"].clear()
    assert [left("2001:db8::1"), left("2001:db8::2"), left("2001:db8:0:1::1")] == ["r=29", "r=28", "r=29"]
