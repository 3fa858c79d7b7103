"""Mail through a provider's HTTP interface (django-anymail): what each of its answers means for the outbox."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from anymail.backends.base_requests import AnymailRequestsBackend
from anymail.exceptions import AnymailAPIError, AnymailError, AnymailRecipientsRefused
from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

LONGEST = 500  # letters of what a provider says
_NEVER_ASKED = (NewConnectionError, ConnectTimeoutError, ssl.SSLCertVerificationError)
_TAKEN = {"sent", "queued"}
_WORDS = ("Message", "message", "error")  # under which providers say it, in JSON


class End(Enum):
    """What became of a mail that was not sent for certain."""

    REFUSED = "refused"
    LATER = "later"
    UNKNOWN = "unknown"


def is_provider(backend: BaseEmailBackend) -> bool:
    return isinstance(backend, AnymailRequestsBackend)


def fitted(message: EmailMessage, backend: BaseEmailBackend) -> EmailMessage:
    """The mail with the headers that a provider takes: it dates a mail itself."""
    message.extra_headers.pop("Date", None)
    if getattr(backend, "esp_name", "") == "Postmark":
        message.extra_headers["X-PM-KeepID"] = "true"  # else the Message-ID becomes one of Postmark's
    return message


def watched(backend: BaseEmailBackend) -> Callable[[], bool]:
    """Whether the provider was asked at all. Its redirections are not followed: they would carry our key elsewhere."""
    session: Any = backend.session  # type: ignore[attr-defined]
    session.max_redirects = 0
    asked: list[bool] = []
    ask = session.request

    def request(**what: Any) -> Any:
        asked.append(True)
        return ask(**what)

    session.request = request
    return lambda: bool(asked)


def insist(message: EmailMessage) -> None:
    """Raises AnymailAPIError unless the provider said of the address that it took the mail: where anymail does not
    understand an answer, it calls the address unknown and raises nothing.
    """
    told: Any = message.anymail_status  # type: ignore[attr-defined]
    if not told.status or not told.status <= _TAKEN:
        raise AnymailAPIError(response=told.esp_response)


def end_of(error: AnymailError, *, asked: bool) -> tuple[End, str]:
    """How a mail that was not sent for certain ended, and the sentence for staff; never with a key of ours."""
    if not asked:
        return End.REFUSED, f"The mail provider cannot carry this mail: {_clean(' '.join(map(str, error.args)))}"
    if error.response is None:
        return _without_answer(error)
    status = error.response.status_code
    said = f"{status} {_words(error.response)}".strip()
    if status in (401, 403):  # so would every other mail be refused until the setting is right
        return End.LATER, f"The mail provider does not accept our key. Check EMAIL_URL. It says: {said}"
    if status == 429:
        return End.LATER, f"The mail provider takes no more mails for now: {said}"
    if isinstance(error, AnymailRecipientsRefused):
        return End.REFUSED, f"The mail provider refused the address: {said}"
    if 400 <= status < 500 and status != 408:
        return End.REFUSED, f"The mail provider refused the mail: {said}"
    return End.UNKNOWN, f"The mail provider did not say whether it took the mail: {said}"


def _without_answer(error: AnymailError) -> tuple[End, str]:
    found = next((each for each in _behind(error) if isinstance(each, _NEVER_ASKED)), None)
    if isinstance(found, ssl.SSLCertVerificationError):
        return End.LATER, "The mail provider's certificate cannot be trusted, so the mail was not given to it."
    if found is not None:
        return End.LATER, "The mail provider cannot be reached. Its name or the way there may be wrong, or it is down."
    return End.UNKNOWN, "The connection to the mail provider failed when it may have had the mail."


def _behind(error: BaseException) -> Iterator[BaseException]:
    """The error and all that led to it: requests and urllib3 put one into another."""
    waiting, seen = [error], set()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        further = (each.__cause__, each.__context__, getattr(each, "reason", None), *each.args)
        waiting += [one for one in further if isinstance(one, BaseException)]


def _words(response: Any) -> str:
    """What the provider says, in its own words."""
    try:
        told = response.json()
    except ValueError:
        return _clean(response.text)
    if isinstance(told, dict):
        return next((_clean(str(told[name])) for name in _WORDS if told.get(name)), "")
    return _clean(str(told))


def _clean(text: str) -> str:
    for name, value in settings.ANYMAIL.items():
        if name.endswith(("_TOKEN", "_KEY")) and value:
            text = text.replace(value, "[our key]")
    return " ".join(text.split())[:LONGEST]
