"""Kombu's way to Redis, kept from ending the worker when Redis goes away.

A connection that is lost is closed at once, and kombu then still wants to give back or acknowledge the jobs that are
being done. Its channel has no address left to do that at and fails with an AttributeError, which nobody expects there:
the worker ends (kombu 5.7, celery 5.7: "Unrecoverable error"). Said as what it is, a connection that is lost, it is
logged, and the worker connects again. The jobs themselves run again by `visibility_timeout`, or were done anyway.
"""

from __future__ import annotations

from typing import Any

from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis


class Channel(kombu_redis.Channel):
    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection is None or self.connection.client is None:
            raise ConnectionError("the connection to Redis was lost and closed")
        return super()._connparams(asynchronous)  # type: ignore[no-untyped-call]


class Transport(kombu_redis.Transport):
    Channel = Channel


def use() -> None:
    """Every redis:// and rediss:// address is spoken to in this way from now on."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{Transport.__module__}:{Transport.__qualname__}"
