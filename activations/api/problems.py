"""Every error of the API as Problem Details (RFC 9457): a stable `code` that programs compare, a `detail` for people.

The codes are those of the rules and of the decision table, as the desk and the commands say them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, InternalError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response

from activations.services.results import BadInput, Refused
from activations.services.signing import NoSigningKey
from activations.services.vault import VaultError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE = "tag:cirrus-link.com,2026:licensing/"  # RFC 4151: names a problem, and is no address to open
FORBIDDEN = frozenset({"not-allowed", "same-person"})
NOT_FOUND = frozenset(
    {
        "license-unknown",
        "activation-unknown",
        "restoration-unknown",
        "request-unknown",
        "customer-unknown",
        "entry-unknown",
        "checkpoint-unknown",
        "page-unknown",
        "export-unknown",
    }
)
_CODES: dict[type[exceptions.APIException], str] = {
    exceptions.ParseError: "unreadable",
    exceptions.AuthenticationFailed: "not-authenticated",
    exceptions.NotAuthenticated: "not-authenticated",
    exceptions.PermissionDenied: "not-allowed",
    exceptions.NotFound: "not-found",
    exceptions.MethodNotAllowed: "method-not-allowed",
    exceptions.NotAcceptable: "not-acceptable",
    exceptions.UnsupportedMediaType: "media-type-unsupported",
    exceptions.Throttled: "too-many-requests",
}


class Stopped(exceptions.APIException):
    """Ends a call with a problem; what its transaction holds is rolled back."""

    def __init__(self, status: int, code: str, detail: str, **members: Any) -> None:
        super().__init__(detail, code)
        self.status_code, self.code, self.text, self.members = status, code, detail, members


def problem(
    *, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, **members: Any
) -> Response:
    """The answer. `members` are further particulars, by names that the standard does not use itself."""
    return Response(
        content(status, code, detail, **members), status=status, headers=dict(headers or {}), content_type=MEDIA_TYPE
    )


def content(status: int, code: str, detail: str, **members: Any) -> dict[str, Any]:
    return {
        **{name: value for name, value in members.items() if value is not None},
        "type": f"{TYPE}{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }


def status_of(result: Refused | BadInput) -> int:
    """403 who may not, 404 what is not there, 409 what a rule refuses as things stand, 422 what cannot be right."""
    if result.code in FORBIDDEN:
        return 403
    if result.code in NOT_FOUND:
        return 404
    return 409 if isinstance(result, Refused) else 422


def refusal(result: Refused | BadInput) -> Response:
    """The answer to what a use case refused."""
    members: dict[str, Any] = {name: value for name, value in result.detail.items() if name not in RESERVED}
    return problem(status=status_of(result), code=result.code, detail=result.message, **members)


RESERVED = ("type", "title", "status", "code", "detail", "instance", "headers")


def handled(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """What Django REST framework calls for every exception. Nothing of an unexpected one is told but where to look."""
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied(str(error) or None)
    if isinstance(error, Stopped):
        return problem(status=error.status_code, code=error.code, detail=error.text, **error.members)
    if isinstance(error, exceptions.ValidationError):
        errors = list(_pointed(error.get_full_details(), ""))
        words = "; ".join(f"{each['pointer'] or 'the body'}: {each['detail']}" for each in errors[:5])
        return problem(status=400, code="invalid", detail=f"What was sent cannot be used. {words}", errors=errors)
    if isinstance(error, exceptions.APIException):
        return _of_framework(error)
    # A form, which is looked into for the CSRF token of who is signed in.
    if isinstance(error, RequestDataTooBig):
        detail = f"The body is larger than the {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes that are taken. Send JSON."
        return problem(status=413, code="too-large", detail=detail)
    if isinstance(error, SuspiciousOperation | MultiPartParserError):
        return problem(status=400, code="unreadable", detail="The body cannot be read. Send JSON.")
    # InternalError: PostgreSQL is read-only, for example while it is being moved.
    if isinstance(error, OperationalError | InterfaceError | InternalError):
        log.error("The database did not answer: %s", error)
        return unavailable("database-unavailable", "The database cannot be reached or is too busy.")
    if isinstance(error, NoSigningKey | VaultError):
        log.error("The portal cannot sign: %s", error)
        return unavailable("keys", "The portal's keys cannot be used. Tell an administrator.")
    log.exception("The API failed", exc_info=error)
    detail = "Something unexpected happened, and nothing was booked. Tell an administrator the id of this request."
    return problem(status=500, code="unexpected", detail=detail)


def unavailable(code: str, what: str) -> Response:
    detail = f"{what} Nothing was booked, or it is answered again: send the same call, with the same Idempotency-Key."
    return problem(status=503, code=code, detail=detail, headers={"Retry-After": "30"})


def _of_framework(error: exceptions.APIException) -> Response:
    codes = error.get_codes()
    code = next((name for kind, name in _CODES.items() if isinstance(error, kind)), "refused")
    if isinstance(codes, str) and isinstance(error, exceptions.AuthenticationFailed | exceptions.PermissionDenied):
        code = _SAID.get(codes, codes.replace("_", "-"))
    headers = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = str(error.auth_header)  # type: ignore[attr-defined]
    if isinstance(error, exceptions.Throttled):
        headers["Retry-After"] = str(max(1, int(getattr(error, "wait", None) or 1)))
        detail = f"Too many requests. Wait {headers['Retry-After']} seconds, then go on more slowly."
    else:
        detail = str(error.detail)
    return problem(status=error.status_code, code=code, detail=detail, headers=headers)


_SAID = {"authentication_failed": "not-authenticated", "permission_denied": "not-allowed"}


def _pointed(details: Any, pointer: str) -> Iterator[dict[str, str]]:
    """Each error with the place it stands at, as a JSON Pointer (RFC 6901)."""
    if isinstance(details, dict) and set(details) == {"message", "code"} and isinstance(details["code"], str):
        yield {"pointer": pointer, "code": details["code"], "detail": str(details["message"])}
    elif isinstance(details, dict):
        for name, value in details.items():
            part = str(name).replace("~", "~0").replace("/", "~1")
            yield from _pointed(value, pointer if name == "non_field_errors" else f"{pointer}/{part}")
    elif isinstance(details, list):
        nested = any(isinstance(each, dict) and "message" not in each for each in details)
        for number, value in enumerate(details):
            yield from _pointed(value, f"{pointer}/{number}" if nested else pointer)


@csrf_exempt  # or whoever posts to a wrong address with a token would read of a form that is too old
def no_such_address(request: HttpRequest, **kwargs: object) -> JsonResponse:
    """Whatever lies below /api/ and is no endpoint."""
    detail = "There is nothing at this address. The endpoints are listed in /api/v1/openapi.json."
    data = content(404, "not-found", detail, request_id=getattr(request, "request_id", None))
    return JsonResponse(data, status=404, content_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})
