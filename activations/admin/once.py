"""Forms that may be sent once: creating twice what exists once would hand out two secrets for one click."""

from __future__ import annotations

import secrets

from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest

KEPT_TOKENS = 50


def new_token() -> str:
    return secrets.token_urlsafe(16)


def first_use(request: HttpRequest, token: str) -> bool:
    """Whether this token is used for the first time in this session. Two clicks at once: only one is the first."""
    with transaction.atomic():
        # The row lock makes the second click wait until the first has noted its token.
        row = Session.objects.select_for_update().filter(session_key=request.session.session_key).first()
        if row is None or not token:
            return False
        stored = row.get_decoded()
        used = list(stored.get("used_tokens", []))
        if token in used:
            return False
        used = [*used, token][-KEPT_TOKENS:]
        row.session_data = SessionStore().encode({**stored, "used_tokens": used})
        row.save(update_fields=["session_data"])
    request.session["used_tokens"] = used  # or the middleware would write the older list back
    return True
