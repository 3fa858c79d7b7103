"""Tokens of other systems: made, rotated and revoked by an administrator, each booked; and whom a token stands for."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from activations.domain.ledger import Kind
from activations.domain.scopes import Scope, abilities_of
from activations.domain.words import Ability, Actor
from activations.models import ApiToken, StaffEvent
from activations.services.booking import iso, portal_book
from activations.services.results import BadInput, Refused, bad_name, bad_reason, lacking

ACTOR_PREFIX = "token:"  # no account can have such a name: a colon is no letter of one
USUAL_RATE, MOST_RATE = 120, 6000  # requests a minute
USUAL_DAYS, MOST_DAYS = 365, 730
USUAL_OVERLAP, MOST_OVERLAP = timedelta(hours=24), timedelta(days=7)  # how long a rotated token is still taken
USED_AGAIN_AFTER = timedelta(minutes=1)  # the time of the last use is not written more often than that
ENDING_WITHIN = timedelta(days=30)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")
_TOKEN = re.compile(r"clt_[a-z2-7]{8}_[A-Za-z0-9_-]{43}")
_GIVEN = (Kind.TOKEN_CREATED.value, Kind.TOKEN_ROTATED.value)
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass(frozen=True)
class TokenGiven:
    """The one time a token is shown. `before_until`: how long the one before is taken, after a rotation."""

    name: str
    token: str = field(repr=False)
    expires_at: datetime
    before_until: datetime | None = None


@dataclass(frozen=True)
class TokenRevoked:
    name: str


def create_token(
    *,
    name: str,
    scopes: Sequence[str],
    actor: Actor,
    source: str,
    reason: str,
    owner: str | None = None,
    days: int = USUAL_DAYS,
    rate: int = USUAL_RATE,
) -> TokenGiven | Refused | BadInput:
    """A token for another system. `owner` is the member of staff who answers for it: the one who makes it, unless
    another is named; what the token asks for, its owner cannot approve (Design: two people).
    """
    problem = lacking(actor, [Ability.MANAGE_STAFF]) or bad_reason(reason) or _bad(name, scopes, days, rate)
    if problem:
        return problem
    prefix, token = _new()
    wanted = sorted({Scope(scope).value for scope in scopes})
    # The portal chain's lock, which the book takes, lets one at a time look whether the name is free.
    with transaction.atomic(), portal_book(actor=actor, source=source, reason=reason) as book:
        answers = User.objects.filter(username=User.normalize_username(owner or actor.name), is_staff=True).first()
        if answers is None or not answers.is_active:
            return BadInput(
                "owner-unknown", "Name a member of staff with an active account who answers for this token."
            )
        if ApiToken.objects.filter(name=name).exists():
            return Refused("token-exists", f"There is a token {name} already, or was one. Choose another name.")
        row = ApiToken.objects.create(
            name=name,
            prefix=prefix,
            digest=_digest(token),
            scopes=wanted,
            rate=rate,
            owner=answers,
            created_at=book.now,
            expires_at=book.now + timedelta(days=days),
        )
        data = {"token": name, "prefix": prefix, "scopes": wanted, "owner": answers.username, "rate": rate}
        book.add(Kind.TOKEN_CREATED, {**data, "expires_at": iso(row.expires_at)})
    return TokenGiven(name, token, row.expires_at)


def rotate_token(
    *,
    name: str,
    actor: Actor,
    source: str,
    reason: str,
    overlap: timedelta = USUAL_OVERLAP,
    days: int | None = None,
) -> TokenGiven | Refused | BadInput:
    """Another token in place of this one, with the same scopes; the one before is taken for `overlap` more, and no
    longer than it would have been. Only one is: what a rotation before this one left still working stops now. The new
    one is good for as many days as the one before was made for, unless `days` says otherwise.
    """
    problem = lacking(actor, [Ability.MANAGE_STAFF]) or bad_reason(reason) or _bad_days(days)
    if problem:
        return problem
    if not timedelta(0) <= overlap <= MOST_OVERLAP:
        return BadInput("overlap-out-of-range", "The token before can be taken for 0 to 168 hours more.")
    prefix, token = _new()
    with transaction.atomic():
        row = _locked(name)
        if isinstance(row, Refused | BadInput):
            return row
        with portal_book(actor=actor, source=source, reason=reason) as book:
            until = min(book.now + overlap, row.expires_at)
            given_for = row.expires_at - (row.rotated_at or row.created_at)
            row.before_digest, row.before_until = (row.digest, until) if until > book.now else ("", None)
            row.prefix, row.digest = prefix, _digest(token)
            row.rotated_at = book.now
            row.expires_at = book.now + (given_for if days is None else timedelta(days=days))
            row.save()
            data = {"token": name, "prefix": prefix, "expires_at": iso(row.expires_at)}
            book.add(Kind.TOKEN_ROTATED, {**data, "before_until": iso(row.before_until) if row.before_until else None})
    return TokenGiven(name, token, row.expires_at, row.before_until)


def revoke_token(*, name: str, actor: Actor, source: str, reason: str) -> TokenRevoked | Refused | BadInput:
    """The token is taken no more, nor the one before it. Its name stays taken: the ledger knows it."""
    problem = lacking(actor, [Ability.MANAGE_STAFF]) or bad_reason(reason)
    if problem:
        return problem
    with transaction.atomic():
        row = _locked(name)
        if isinstance(row, Refused | BadInput):
            return row
        with portal_book(actor=actor, source=source, reason=reason) as book:
            ApiToken.objects.filter(pk=row.pk).update(revoked_at=book.now, before_digest="", before_until=None)
            book.add(Kind.TOKEN_REVOKED, {"token": name, "prefix": row.prefix})
    return TokenRevoked(name)


@dataclass(frozen=True)
class NotTaken:
    """Why a token is not taken; `message` says what to do. Nothing that is secret stands in it."""

    code: str
    message: str


def token_behind(text: str) -> ApiToken | NotTaken:
    """The token that somebody sent. Notes that it was used, once a minute at most."""
    if not _TOKEN.fullmatch(text):
        return NotTaken("token-unreadable", "This is no token of this portal: one begins with clt_. Send it whole.")
    digest, now = _digest(text), timezone.now()
    row = ApiToken.objects.filter(Q(digest=digest) | Q(before_digest=digest)).select_related("owner").first()
    if row is None or (row.digest != digest and (row.before_until is None or row.before_until <= now)):
        return NotTaken("token-unknown", "This token is not known, or was replaced. Ask an administrator for one.")
    if row.revoked_at is not None:
        return NotTaken("token-revoked", f"The token {row.name} was revoked. Ask an administrator for another one.")
    if row.expires_at <= now:
        return NotTaken(
            "token-expired",
            f"The token {row.name} expired at {iso(row.expires_at)}. Ask an administrator to rotate it.",
        )
    if row.last_used_at is None or row.last_used_at < now - USED_AGAIN_AFTER:
        # Asked once more by the row itself, for others who use it now. Else not written at all: SQLite locks for that.
        stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - USED_AGAIN_AFTER)
        ApiToken.objects.filter(stale, pk=row.pk).update(last_used_at=now)
    return row


def found_by(text: str) -> ApiToken | None:
    """The row of a token that somebody found, expired and revoked ones included. This is no use of it."""
    found = _TOKEN.search(text)
    digest = _digest(found[0]) if found else ""
    return ApiToken.objects.filter(Q(digest=digest) | Q(before_digest=digest)).first() if found else None


class TokenState(StrEnum):
    WORKING = "working"
    ENDING = "expires soon"
    EXPIRED = "expired"
    REVOKED = "revoked"


def state_of(token: ApiToken) -> TokenState:
    """As people are told of it. Whether the account of its owner is disabled makes no difference: the system that uses
    it goes on, and the page says that nobody answers for it.
    """
    now = timezone.now()
    if token.revoked_at is not None:
        return TokenState.REVOKED
    if token.expires_at <= now:
        return TokenState.EXPIRED
    return TokenState.ENDING if token.expires_at <= now + ENDING_WITHIN else TokenState.WORKING


def in_state(state: TokenState) -> QuerySet[ApiToken]:
    now = timezone.now()
    if state is TokenState.REVOKED:
        return ApiToken.objects.filter(revoked_at__isnull=False)
    kept, soon = ApiToken.objects.filter(revoked_at__isnull=True), now + ENDING_WITHIN
    if state is TokenState.EXPIRED:
        return kept.filter(expires_at__lte=now)
    if state is TokenState.ENDING:
        return kept.filter(expires_at__gt=now, expires_at__lte=soon)
    return kept.filter(expires_at__gt=soon)


def nobody_answers() -> QuerySet[ApiToken]:
    """Tokens that are taken although the account of their owner is disabled."""
    return ApiToken.objects.filter(revoked_at__isnull=True, expires_at__gt=timezone.now(), owner__is_active=False)


def usable(token: ApiToken) -> bool:
    """Whether it is taken at this moment."""
    return token.revoked_at is None and token.expires_at > timezone.now()


def actor_of_token(token: ApiToken) -> Actor:
    return Actor(f"{ACTOR_PREFIX}{token.name}", abilities_of(scopes_of(token)))


def scopes_of(token: ApiToken) -> frozenset[Scope]:
    """A scope that a later release took away gives nothing."""
    known = {scope.value for scope in Scope}
    return frozenset(Scope(each) for each in token.scopes if each in known)


def people_behind(actor_name: str) -> frozenset[str]:
    """Whose word it is: the account itself; of a token the member of staff who answers for it, and whoever made or
    rotated it, since they have held it in their hands.
    """
    if not actor_name.startswith(ACTOR_PREFIX):
        return frozenset({actor_name})
    name = actor_name.removeprefix(ACTOR_PREFIX)
    owner = ApiToken.objects.filter(name=name).values_list("owner__username", flat=True)
    given = StaffEvent.objects.filter(kind__in=_GIVEN, subject=name).values_list("actor", flat=True)
    return frozenset({actor_name, *owner, *given})


def _locked(name: str) -> ApiToken | Refused | BadInput:
    row = ApiToken.objects.select_for_update().filter(name=name).first()
    if row is None:
        return BadInput("token-unknown", f"There is no token {name}.")
    if row.revoked_at is not None:
        return Refused("token-revoked", f"The token {name} is revoked already. Make a new one under another name.")
    return row


def _new() -> tuple[str, str]:
    """Its beginning, by which people tell it from others, and all of it: 256 random bits behind that."""
    prefix = "clt_" + "".join(secrets.choice(_LETTERS) for _ in range(8))
    return prefix, f"{prefix}_{secrets.token_urlsafe(32)}"


def _digest(token: str) -> str:
    # Of 256 random bits a plain hash gives nothing away, and it finds the row.
    return hashlib.sha256(token.encode()).hexdigest()


def _bad(name: str, scopes: Sequence[str], days: int, rate: int) -> BadInput | None:
    if not _NAME.fullmatch(name):
        return BadInput(
            "token-name-unfit",
            "Name the token after the system that uses it: small letters, digits and hyphens, at most 60.",
        )
    secret = bad_name(name, "The name of the token", "token-name-unfit")
    if secret:
        return secret
    known = [scope.value for scope in Scope]
    unknown = [scope for scope in scopes if scope not in known]
    if unknown or not scopes:
        return BadInput("scope-unknown", f"Say what the token may do, one or more of: {', '.join(known)}.")
    if not 1 <= rate <= MOST_RATE:
        return BadInput("rate-out-of-range", f"A token may send 1 to {MOST_RATE} requests a minute.")
    return _bad_days(days)


def _bad_days(days: int | None) -> BadInput | None:
    if days is None or 1 <= days <= MOST_DAYS:
        return None
    return BadInput("days-out-of-range", f"A token is good for 1 to {MOST_DAYS} days.")
