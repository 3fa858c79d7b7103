"""Who calls, and what they may call: tokens of other systems, sessions of staff; every endpoint names its scope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib.auth.models import AnonymousUser, User
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from activations.domain.scopes import Scope
from activations.domain.words import Ability, Actor
from activations.models import ApiToken
from activations.services.actors import actor_for
from activations.services.results import lacking
from activations.services.tokens import NotTaken, actor_of_token, scopes_of, token_behind

if TYPE_CHECKING:  # the framework imports this module while its views are being made
    from rest_framework.views import APIView


@dataclass(frozen=True)
class Rule:
    """What an operation asks for: of a token the scope, of staff one of the abilities; none: any role."""

    scope: Scope
    abilities: tuple[Ability, ...] = ()
    people_only: bool = False  # a person decides, so no scope is enough


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer clt_...` (RFC 6750)."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiToken] | None:
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() != b"bearer":
            return None
        text = parts[1].decode("latin-1") if len(parts) == 2 else ""
        found = token_behind(text)
        if isinstance(found, NotTaken):
            raise exceptions.AuthenticationFailed(found.message, code=found.code)
        return AnonymousUser(), found

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="licensing portal"'


class StaffSession(SessionAuthentication):
    """Staff who are signed in to the portal, with the CSRF token that their browser holds."""

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except exceptions.PermissionDenied:
            raise exceptions.PermissionDenied(
                "Send the CSRF token of your session, the cookie csrftoken, in the header X-CSRFToken, from a page of "
                "the portal; or use a token.",
                code="csrf-failed",
            ) from None


def token_of(request: Request) -> ApiToken | None:
    return request.auth if isinstance(request.auth, ApiToken) else None


def actor_of(request: Request) -> Actor:
    """Whom a booking names. Read once a request."""
    actor = getattr(request, "portal_actor", None)
    if not isinstance(actor, Actor):
        token = token_of(request)
        actor = actor_of_token(token) if token else actor_for(request.user)
        request.portal_actor = actor  # type: ignore[attr-defined]
    return actor


class ByRule(BasePermission):
    """Looks the operation up in the `rules` of its view; an operation without a rule is nobody's."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        token = token_of(request)
        if token is None and not isinstance(request.user, User):
            raise exceptions.NotAuthenticated("Send a token: Authorization: Bearer clt_..., or sign in to the portal.")
        rule = rule_of(view)
        if rule is None:
            raise exceptions.MethodNotAllowed(request.method or "")
        if token is not None:
            return _token_may(token, rule)
        return _person_may(actor_of(request), rule)


def rule_of(view: APIView) -> Rule | None:
    rules: Mapping[str, Rule] = getattr(view, "rules", {})
    name = getattr(view, "action", None) or str(getattr(view.request, "method", "")).lower()
    return rules.get(name)


def _token_may(token: ApiToken, rule: Rule) -> bool:
    if rule.people_only:
        raise exceptions.PermissionDenied("A person has to decide this: sign in to the portal. No token can do it.")
    if rule.scope not in scopes_of(token):
        raise exceptions.PermissionDenied(
            f"The token {token.name} may not do this: it lacks the scope {rule.scope.value}. Ask an administrator."
        )
    return True


def _person_may(actor: Actor, rule: Rule) -> bool:
    if not actor.abilities:
        raise exceptions.PermissionDenied("Your account has no role. Ask an administrator.")
    if rule.abilities and not actor.abilities & set(rule.abilities):
        refused = lacking(actor, rule.abilities[:1])
        raise exceptions.PermissionDenied(refused.message if refused else None)
    return True


def described(rule: Rule) -> str:
    """For the API's document: what the operation asks for, in words."""
    staff = " or ".join(each.value.replace("_", " ") for each in rule.abilities) or "any role"
    if rule.people_only:
        return f"Only staff who are signed in ({staff}); no token."
    return f"Token scope `{rule.scope.value}`; staff who are signed in: {staff}."
