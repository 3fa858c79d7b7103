"""Webhooks as the tests make them."""

from __future__ import annotations

from activations.models import WebhookDelivery, WebhookEndpoint
from activations.services.webhooks.endpoints import SecretGiven, Wanted, create_webhook
from tests.portal.cast import ADMINISTRATOR, SOURCE, entries
from tests.webhooks.receiver import Receiver

REASON = "for the plant's own system"


def url_of(receiver: Receiver, path: str = "/hooks") -> str:
    return f"https://localhost:{receiver.port}{path}"


def made(url: str, *events: str, description: str = "Plant system") -> SecretGiven:
    given = create_webhook(
        wanted=Wanted(url, events or ("*",), description), actor=ADMINISTRATOR, source=SOURCE, reason=REASON
    )
    assert isinstance(given, SecretGiven), given
    return given


def made_for(receiver: Receiver, *events: str) -> SecretGiven:
    return made(url_of(receiver), *events)


def deliveries(endpoint: WebhookEndpoint) -> list[WebhookDelivery]:
    return list(endpoint.deliveries.order_by("id"))


def types(endpoint: WebhookEndpoint) -> list[str]:
    return [row.event for row in deliveries(endpoint)]


def portal_entries(after: int = 0) -> list[tuple[str, str, str]]:
    """(actor, kind, reason) of the portal's chain."""
    return [(actor, kind, reason) for _, actor, kind, reason in entries("portal", after=after)]
