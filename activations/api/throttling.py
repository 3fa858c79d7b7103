"""How much a caller may ask: a number of requests in each minute, told in the RateLimit headers.

Counted in the cache that all web processes share (Redis, where there is one). Without it the door stays open, and each
process counts for itself: a cache that is gone is no reason to refuse a customer.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.cache import caches
from redis.exceptions import RedisError
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from activations.addresses import client_address, network_of

if TYPE_CHECKING:  # the framework imports this module while its views are being made
    from rest_framework.views import APIView
from activations.api.doors import token_of

WINDOW = 60  # seconds
STAFF_RATE = 600
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Allowance:
    """Of one caller in this window: `rate` requests, of which `left` are left for `seconds` more."""

    policy: str
    rate: int
    left: int
    seconds: int

    @property
    def headers(self) -> dict[str, str]:
        """draft-ietf-httpapi-ratelimit-headers."""
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.rate};w={WINDOW}',
            "RateLimit": f'"{self.policy}";r={max(0, self.left)};t={self.seconds}',
        }


class ByCaller(BaseThrottle):
    """A token has its own rate, staff have one for all, and who says no name has one by address."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        policy, name, rate = self.limit_of(request, view)
        self.allowance = count(policy, name, rate)
        request.allowance = self.allowance  # type: ignore[attr-defined]
        return self.allowance.left >= 0

    def wait(self) -> float:
        return float(self.allowance.seconds)

    def limit_of(self, request: Request, view: APIView) -> tuple[str, str, int]:
        token = token_of(request)
        if token is not None:
            return "token", str(token.pk), token.rate
        if request.user.is_authenticated:
            return "staff", str(request.user.pk), STAFF_RATE
        if not hasattr(view, "rules"):
            return "anonymous", network_of(client_address(request)), settings.ONLINE_RATE
        return "unknown", network_of(client_address(request)), settings.UNKNOWN_RATE


def count_unknown(request: Request) -> None:
    """Counts a call whose token is not taken. Raises Throttled when it is one too many."""
    allowance = count("unknown", network_of(client_address(request)), settings.UNKNOWN_RATE)
    request.allowance = allowance  # type: ignore[attr-defined]
    if allowance.left < 0:
        raise Throttled(wait=allowance.seconds)


def count(policy: str, name: str, rate: int) -> Allowance:
    """Counts one request. `left` is below zero when it is one too many."""
    now = int(time.time())
    window, seconds = now // WINDOW, WINDOW - now % WINDOW
    key = f"api-rate:{policy}:{name}:{window}"
    try:
        used = _incremented(caches["default"], key)
    except RedisError:
        log.warning("Redis does not answer: each process counts requests for itself")
        used = _incremented(caches["own"], key)
    return Allowance(policy, rate, rate - used, seconds)


def _incremented(cache: Any, key: str) -> int:
    cache.add(key, 0, timeout=2 * WINDOW)
    try:
        return int(cache.incr(key))
    except ValueError:  # it was evicted in between
        cache.set(key, 1, timeout=2 * WINDOW)
        return 1
