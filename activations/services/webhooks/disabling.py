"""Switching a webhook off, by a person or by itself, and booking that."""

from __future__ import annotations

from django.db.models import QuerySet

from activations.domain.ledger import Kind
from activations.domain.words import Actor
from activations.models import WebhookEndpoint, WebhookState
from activations.services.booking import Book, portal_book
from activations.services.results import BadInput
from activations.services.webhooks.addresses import read_url

BY_ITSELF = Actor("automatic")


def locked_endpoints() -> QuerySet[WebhookEndpoint]:
    """Locked against each other, and not against bookings: those write deliveries, which name a receiver, and must not
    wait for whoever holds one and waits for a chain.
    """
    return WebhookEndpoint.objects.select_for_update(no_key=True)


def booked_as(endpoint: WebhookEndpoint) -> dict[str, str]:
    """How entries name a webhook: by its id and where it leads, without what may be secret in the URL."""
    return {"webhook": endpoint.webhook_id, "address": shown(endpoint)}


def shown(endpoint: WebhookEndpoint) -> str:
    target = read_url(endpoint.url)
    # A URL that was taken once and no longer is: the settings changed.
    return endpoint.url.partition("?")[0] if isinstance(target, BadInput) else target.shown


def disable(endpoint: WebhookEndpoint, why: str, book: Book) -> None:
    """In the transaction of the book, the row locked. What waits stays, and goes out if it is enabled again."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(state=WebhookState.DISABLED, state_why=why[:300])
    endpoint.state, endpoint.state_why = WebhookState.DISABLED, why[:300]
    book.add(Kind.WEBHOOK_DISABLED, {**booked_as(endpoint), "why": why})


def disable_by_itself(endpoint: WebhookEndpoint, why: str) -> None:
    with portal_book(actor=BY_ITSELF, source="webhooks") as book:
        disable(endpoint, why, book)
