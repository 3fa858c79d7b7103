"""ETag and If-Match (RFC 9110, 8.8.3 and 13.1.1): a change names what it was made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from rest_framework.request import Request

from activations.api.problems import Stopped


def etag(representation: Mapping[str, Any]) -> str:
    """Of what a GET answers: the same content, the same ETag."""
    text = json.dumps(representation, sort_keys=True, default=str)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def check(request: Request, representation: Mapping[str, Any], *, required: bool) -> None:
    """Call it under the lock of what is changed. Raises the problem 412, or 428 when If-Match is missing and due."""
    given = request.headers.get("If-Match", "").strip()
    if not given:
        if required:
            raise Stopped(
                428,
                "if-match-missing",
                "Say what the change was made from: send the ETag of your last GET as If-Match, or If-Match: * to "
                "change it whatever it is now.",
            )
        return
    tags = [each.strip() for each in given.split(",")]
    if given != "*" and etag(representation) not in tags:
        raise Stopped(
            412,
            "changed-meanwhile",
            "This was changed since you read it, so nothing was booked. Get it again, look at it, and send the change "
            "with its new ETag.",
        )


def unchanged(request: Request, tag: str) -> bool:
    """Whether the caller of a GET has this already (If-None-Match). A change was made, and is told as such."""
    if request.method not in ("GET", "HEAD"):
        return False
    given = [each.strip().removeprefix("W/") for each in request.headers.get("If-None-Match", "").split(",")]
    return tag in given or "*" in given
