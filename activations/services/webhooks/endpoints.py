"""Webhooks, made and changed by administrators: a door to other systems. Each step is booked, no secret with it."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from activations.domain.ledger import Kind
from activations.domain.words import Ability, Actor
from activations.models import DeliveryState, WebhookEndpoint, WebhookState
from activations.services import vault
from activations.services.booking import iso, portal_book
from activations.services.results import BadInput, Refused, bad_name, bad_reason, lacking
from activations.services.webhooks import disabling
from activations.services.webhooks.addresses import Target, read_url
from activations.services.webhooks.events import TYPES, known_pattern
from activations.services.webhooks.signatures import new_secret

USE = "webhook-secret"  # of the vault
BEFORE_SIGNS = timedelta(hours=24)
MOST_WEBHOOKS = 50  # each booking writes a row for each
LONGEST_DESCRIPTION = 200
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass(frozen=True)
class SecretGiven:
    """The one time a secret is shown. `before_until`: how long the one before signs too, after a rotation."""

    endpoint: WebhookEndpoint
    secret: str = field(repr=False)
    before_until: datetime | None = None


@dataclass(frozen=True)
class WebhookChanged:
    endpoint: WebhookEndpoint


@dataclass(frozen=True)
class Wanted:
    """What a webhook is to be."""

    url: str
    events: tuple[str, ...]
    description: str = ""


def create_webhook(*, wanted: Wanted, actor: Actor, source: str, reason: str) -> SecretGiven | Refused | BadInput:
    problem = _may_not(actor, reason) or _bad(wanted)
    if problem:
        return problem
    secret = new_secret()
    with transaction.atomic(), portal_book(actor=actor, source=source, reason=reason) as book:
        # The lock of the portal's chain, which the book holds, lets one at a time count.
        if WebhookEndpoint.objects.exclude(state=WebhookState.REMOVED).count() >= MOST_WEBHOOKS:
            return Refused("webhooks-full", f"There are {MOST_WEBHOOKS} webhooks, the most. Remove one of them first.")
        endpoint = WebhookEndpoint.objects.create(
            webhook_id=_new_id(),
            url=wanted.url.strip(),
            description=wanted.description.strip(),
            events=_ordered(wanted.events),
            secret_encrypted=vault.encrypt(secret.encode(), use=USE),
            created_at=book.now,
            created_by=actor.name,
        )
        book.add(Kind.WEBHOOK_CREATED, {**disabling.booked_as(endpoint), "events": endpoint.events})
    return SecretGiven(endpoint, secret)


def change_webhook(
    *, webhook_id: str, wanted: Wanted, actor: Actor, source: str, reason: str
) -> WebhookChanged | Refused | BadInput:
    """Another URL, other events, another description. What waits goes to the new URL."""
    problem = _may_not(actor, reason) or _bad(wanted)
    if problem:
        return problem
    with transaction.atomic():
        row = _locked(webhook_id)
        if isinstance(row, Refused | BadInput):
            return row
        url, events, description = wanted.url.strip(), _ordered(wanted.events), wanted.description.strip()
        if (row.url, row.events, row.description) == (url, events, description):
            return Refused("nothing-changed", "The webhook is like this already; nothing was booked.")
        moved = row.url != url
        row.url, row.events, row.description = url, events, description
        changed = ["url", "events", "description"]
        if moved:
            # What another place did says nothing of this one.
            row.failing_since, row.failures, row.paused_until = None, 0, None
            changed += ["failing_since", "failures", "paused_until"]
        with portal_book(actor=actor, source=source, reason=reason) as book:
            row.save(update_fields=changed)
            book.add(Kind.WEBHOOK_CHANGED, {**disabling.booked_as(row), "events": events, "url_changed": moved})
    return WebhookChanged(row)


def rotate_secret(*, webhook_id: str, actor: Actor, source: str, reason: str) -> SecretGiven | Refused | BadInput:
    """Another secret; for a day the one before signs beside it, so that the receiver can change over at its leisure.
    One that was replaced less than a day ago signs no longer: two are the most.
    """
    problem = _may_not(actor, reason)
    if problem:
        return problem
    secret = new_secret()
    with transaction.atomic():
        row = _locked(webhook_id)
        if isinstance(row, Refused | BadInput):
            return row
        with portal_book(actor=actor, source=source, reason=reason) as book:
            row.before_encrypted, row.before_until = bytes(row.secret_encrypted), book.now + BEFORE_SIGNS
            row.secret_encrypted = vault.encrypt(secret.encode(), use=USE)
            row.save(update_fields=["before_encrypted", "before_until", "secret_encrypted"])
            data = {**disabling.booked_as(row), "before_until": iso(row.before_until)}
            book.add(Kind.WEBHOOK_SECRET_ROTATED, data)
    return SecretGiven(row, secret, row.before_until)


def disable_webhook(*, webhook_id: str, actor: Actor, source: str, reason: str) -> WebhookChanged | Refused | BadInput:
    problem = _may_not(actor, reason)
    if problem:
        return problem
    with transaction.atomic():
        row = _locked(webhook_id)
        if isinstance(row, Refused | BadInput):
            return row
        if row.state == WebhookState.DISABLED:
            return Refused("webhook-disabled", "The webhook is disabled already; nothing was booked.")
        with portal_book(actor=actor, source=source, reason=reason) as book:
            disabling.disable(row, f"by {actor.name}", book)
    return WebhookChanged(row)


def enable_webhook(*, webhook_id: str, actor: Actor, source: str, reason: str) -> WebhookChanged | Refused | BadInput:
    """What waited when it was disabled goes out now; what happened meanwhile only when it is replayed."""
    problem = _may_not(actor, reason)
    if problem:
        return problem
    with transaction.atomic():
        row = _locked(webhook_id)
        if isinstance(row, Refused | BadInput):
            return row
        if row.state == WebhookState.ACTIVE:
            return Refused("webhook-enabled", "The webhook is enabled already; nothing was booked.")
        with portal_book(actor=actor, source=source, reason=reason) as book:
            row.state, row.state_why = WebhookState.ACTIVE, ""
            row.failing_since, row.failures, row.paused_until = None, 0, None
            row.save(update_fields=["state", "state_why", "failing_since", "failures", "paused_until"])
            book.add(Kind.WEBHOOK_ENABLED, disabling.booked_as(row))
    return WebhookChanged(row)


def remove_webhook(*, webhook_id: str, actor: Actor, source: str, reason: str) -> WebhookChanged | Refused | BadInput:
    """Its secrets and the query of its URL are erased, and what waits is given up. The row stays, since a booking that
    runs at this moment may write a delivery for it.
    """
    problem = _may_not(actor, reason)
    if problem:
        return problem
    with transaction.atomic():
        row = _locked(webhook_id)
        if isinstance(row, Refused | BadInput):
            return row
        with portal_book(actor=actor, source=source, reason=reason) as book:
            book.add(Kind.WEBHOOK_REMOVED, disabling.booked_as(row))
            row.url, row.state, row.state_why = disabling.shown(row), WebhookState.REMOVED, f"by {actor.name}"
            row.secret_encrypted, row.before_encrypted, row.before_until = b"", b"", None
            row.save()
            row.deliveries.filter(state=DeliveryState.WAITING).update(
                state=DeliveryState.DEAD, ended_at=book.now, problem="The webhook was removed."
            )
    return WebhookChanged(row)


def secrets_of(endpoint: WebhookEndpoint, now: datetime) -> list[str]:
    """What signs now: the secret, and the one before it until its day is over. Raises VaultError."""
    kept = [endpoint.secret_encrypted]
    if endpoint.before_until is not None and endpoint.before_until > now:
        kept.append(endpoint.before_encrypted)
    return [vault.decrypt(bytes(each), use=USE).decode() for each in kept]


def forget_old_secrets(now: datetime) -> int:
    """Erases the secrets whose day is over."""
    over = WebhookEndpoint.objects.filter(before_until__lte=now)
    return over.update(before_encrypted=b"", before_until=None)


def in_trouble() -> list[WebhookEndpoint]:
    """Those that a person must look at: switched off by themselves, or failing for more than an hour."""
    hour = timezone.now() - timedelta(hours=1)
    kept = WebhookEndpoint.objects.exclude(state=WebhookState.REMOVED).order_by("failing_since", "id")
    off = kept.filter(state=WebhookState.DISABLED).exclude(state_why__startswith="by ")
    return list(off | kept.filter(state=WebhookState.ACTIVE, failing_since__lt=hour))


def _new_id() -> str:
    return "wh_" + "".join(secrets.choice(_LETTERS) for _ in range(12))


def _may_not(actor: Actor, reason: str) -> Refused | BadInput | None:
    return lacking(actor, [Ability.MANAGE_STAFF]) or bad_reason(reason)


def _locked(webhook_id: str) -> WebhookEndpoint | Refused | BadInput:
    row = disabling.locked_endpoints().filter(webhook_id=webhook_id).first()
    if row is None:
        return BadInput("webhook-unknown", f"There is no webhook {webhook_id}.")
    if row.state == WebhookState.REMOVED:
        return Refused("webhook-removed", f"The webhook {webhook_id} was removed. Make a new one.")
    return row


def _bad(wanted: Wanted) -> BadInput | None:
    url = wanted.url.strip()
    target: Target | BadInput = read_url(url)
    if isinstance(target, BadInput):
        return target
    unfit = bad_name(url, "The URL", "url-not-taken")
    unfit = unfit or bad_name(wanted.description.strip(), "The description", "description-unfit")
    if unfit:
        return unfit
    if len(wanted.description.strip()) > LONGEST_DESCRIPTION:
        return BadInput("description-too-long", f"A description has at most {LONGEST_DESCRIPTION} letters.")
    unknown = [name for name in wanted.events if not known_pattern(name)]
    if unknown or not wanted.events:
        known = f"* (all), a group such as license.*, or types: {', '.join(TYPES)}"
        return BadInput("events-unknown", f"Choose which events are sent, one or more of: {known}.")
    return None


def _ordered(patterns: Iterable[str]) -> list[str]:
    return sorted(set(patterns))
