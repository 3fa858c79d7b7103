"""Who is signed in, and what they may do: the one place where the web interface looks at abilities."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from activations.domain.words import Ability, Actor
from activations.services.actors import actor_for
from activations.services.results import lacking

DESK = (Ability.ISSUE, Ability.DEACTIVATE)

View = Callable[..., HttpResponseBase]


def actor_of(request: HttpRequest) -> Actor:
    """The actor of the signed-in user, read once per request."""
    actor = getattr(request, "portal_actor", None)
    if not isinstance(actor, Actor):
        actor = actor_for(request.user)
        request.portal_actor = actor  # type: ignore[attr-defined]
    return actor


def may(request: HttpRequest, *abilities: Ability) -> bool:
    """Whether the user has at least one of the abilities; with none named, whether they have any at all."""
    held = actor_of(request).abilities
    return bool(held & set(abilities)) if abilities else bool(held)


def needs(*abilities: Ability) -> Callable[[View], View]:
    """A view for people with at least one of the abilities; others are told whom to ask."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not may(request, *abilities):
                refused = lacking(actor_of(request), abilities)
                raise PermissionDenied(refused.message if refused else "")
            return view(request, *args, **kwargs)

        return guarded

    return decorate
