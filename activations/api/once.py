"""Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a call that booked is answered again, and books once.

The row of the key and the booking are one transaction. A second call with the key waits for the first one; when that
booked, it gets the very same answer, and when that booked nothing, it is carried out itself. So what was refused can be
sent again under its key once the reason is gone.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from activations.api.doors import actor_of
from activations.api.problems import Stopped
from activations.models import ApiCall
from activations.services import vault
from activations.services.kept_answers import claim

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
_KEY = re.compile(r'"?[\x21\x23-\x7e]{8,255}"?')
_USE = "api-answer"  # an answer may hold a License Key
_HEADERS = ("Location", "ETag", "Retry-After")

Method = Callable[..., Response]


def once(method: Method) -> Method:
    """A method of a view that books. Its answer is kept when it says that something was booked (`booked`)."""

    @wraps(method)
    def guarded(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key, digest = _key_of(request), _digest(request)
        with transaction.atomic():
            row, first = claim(actor_of(request).name, key, digest)
            if not first:
                return _again(row, digest)
            response = method(self, request, *args, **kwargs)
            if is_booked(response):
                row.status = response.status_code
                row.headers = {name: response[name] for name in _HEADERS if name in response}
                row.answer_encrypted = vault.encrypt(json.dumps(response.data).encode(), use=_USE)
                row.save(update_fields=["status", "headers", "answer_encrypted"])
            else:
                row.delete()
            return response

    guarded.books_once = True  # type: ignore[attr-defined]
    return guarded


def booked(response: Response) -> Response:
    """Marks the answer to a call that booked something, a refusal too."""
    response.booked = True  # type: ignore[attr-defined]
    return response


def is_booked(response: Response) -> bool:
    return bool(getattr(response, "booked", False))


def _key_of(request: Request) -> str:
    key = request.headers.get(HEADER, "")
    if not key:
        raise Stopped(
            400,
            "idempotency-key-missing",
            f"Send a header {HEADER} with a value of your own, a UUID for example: sent again with the same one, a "
            "call books nothing twice.",
        )
    if not _KEY.fullmatch(key):
        raise Stopped(
            400, "idempotency-key-unfit", f"{HEADER} has 8 to 255 visible ASCII characters, a UUID for example."
        )
    return key.strip('"')


def _digest(request: Request) -> str:
    """Of what was asked. The content as it was understood: a client may write the same JSON in another order."""
    asked = [request.method, request.get_full_path(), request.data, request.headers.get("If-Match", "")]
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


def _again(row: ApiCall, digest: str) -> Response:
    if row.digest != digest:
        raise Stopped(
            422,
            "idempotency-key-reused",
            f"This {HEADER} was used for another call, which booked something. Send a new one with a new call.",
        )
    data = json.loads(vault.decrypt(bytes(row.answer_encrypted), use=_USE))
    response = Response(data, status=row.status, headers={**row.headers, REPLAYED: "true"})
    if row.status >= 400:
        response.content_type = "application/problem+json"
    return response
