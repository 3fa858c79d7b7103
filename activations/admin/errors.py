"""Failures that are nobody's mistake, as pages that say what happened and what to do next."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from django.db import InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string

from activations.services.signing import NoSigningKey
from activations.services.vault import VaultError

log = logging.getLogger(__name__)

DATABASE_GONE = "The portal cannot reach its database at the moment, or it is too busy to answer."
AGAIN = (
    "What you sent was most likely not booked. Wait a minute and send it again: the same Usage Request or code is "
    "never booked twice, and the answer shows what was booked. If this page comes back, tell an administrator."
)
KEYS = "Nothing was booked. Tell an administrator what this page says; the text you pasted is still on the page before."


class PortalErrors:
    """Middleware: a database that is gone, or keys that do not open, become a friendly 503."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        held = "\x00" in request.path or "%00" in request.META.get("QUERY_STRING", "")
        if held and not request.path.startswith("/api/"):  # the API says so in its own way
            # No identifier holds a NUL, and PostgreSQL would fail on it.
            return HttpResponse(render_to_string("400.html"), status=400)
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return answer_to(error)


def answer_to(error: BaseException | None) -> HttpResponse | None:
    """The page for a failure we know; None for every other one."""
    # InternalError: PostgreSQL is read-only, for example while it is being moved.
    if isinstance(error, OperationalError | InterfaceError | InternalError):
        log.error("The database did not answer: %s", error)
        return _unavailable(DATABASE_GONE, AGAIN)
    if isinstance(error, NoSigningKey | VaultError):
        log.error("The portal cannot sign: %s", error)
        return _unavailable(str(error), KEYS)
    return None


def _unavailable(what: str, next_step: str) -> HttpResponse:
    # Rendered without the request: its user, session and messages all live in the database.
    page = render_to_string("503.html", {"what": what, "next_step": next_step})
    response = HttpResponse(page, status=503)
    response["Retry-After"] = "30"
    response["Cache-Control"] = "no-store"
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: also sees what fails outside a view, such as saving the session."""
    known = answer_to(sys.exc_info()[1])
    return known or HttpResponse(render_to_string("500.html"), status=500)
