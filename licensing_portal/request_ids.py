"""Each request has an id: in its answer, in every line of the log about it, and in what goes wrong."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponseBase

HEADER = "X-Request-ID"
_GIVEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
_current: ContextVar[str] = ContextVar("request_id", default="-")


class RequestIds:
    """Middleware. The id that a proxy or a client gave is kept if it is one, so that logs can be joined."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get(HEADER, "")
        name = given if _GIVEN.fullmatch(given) else str(uuid.uuid4())
        request.request_id = name  # type: ignore[attr-defined]
        reset = _current.set(name)
        try:
            response = self.get_response(request)
        finally:
            _current.reset(reset)
        response[HEADER] = name
        return response


def current() -> str:
    """The id of the request that is answered now; "-" outside of one."""
    return _current.get()


class WithRequestId(logging.Filter):
    """Gives every line of the log the id of its request."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current()
        return True
