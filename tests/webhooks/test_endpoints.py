"""Making, changing, rotating, disabling, removing: who may, what is booked, and that no secret is left anywhere."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from pytest_django import Settings

from activations.domain.ledger import PORTAL_CHAIN, read_body
from activations.domain.words import LicenseStatus
from activations.models import DeliveryState, LedgerEntry, StaffEvent, WebhookDelivery, WebhookEndpoint, WebhookState
from activations.services.licenses import LicenseCreated
from activations.services.results import BadInput, Refused
from activations.services.vault import VaultError
from activations.services.webhooks import endpoints
from activations.services.webhooks.endpoints import (
    SecretGiven,
    Wanted,
    WebhookChanged,
    change_webhook,
    create_webhook,
    disable_webhook,
    enable_webhook,
    in_trouble,
    remove_webhook,
    rotate_secret,
    secrets_of,
)
from activations.services.webhooks.replaying import replay_dead, replay_since, send_again, send_test
from tests.portal.cast import ADMINISTRATOR, AGENT, AUDITOR, LEAD, MANAGER, SOURCE
from tests.portal.licensing import change
from tests.webhooks.making import REASON, deliveries, made, portal_entries

pytestmark = pytest.mark.django_db
URL = "https://hooks.example.com/in?token=abc"
ADDRESS = "https://hooks.example.com/in"
BOOKED = {"actor": ADMINISTRATOR, "source": SOURCE, "reason": REASON}


def newest() -> tuple[str, dict[str, Any]]:
    entry = read_body(LedgerEntry.objects.filter(chain=PORTAL_CHAIN).order_by("-seq").values_list("body", flat=True)[0])
    return entry.kind, dict(entry.data)


def fresh(given: SecretGiven) -> WebhookEndpoint:
    return WebhookEndpoint.objects.get(pk=given.endpoint.pk)


def test_made(db: None) -> None:
    given = made(URL, "license.*", "activation.created")
    row = fresh(given)
    assert (row.url, row.events, row.state) == (URL, ["activation.created", "license.*"], WebhookState.ACTIVE)
    assert len(base64.b64decode(given.secret.removeprefix("whsec_"))) == 32
    assert secrets_of(row, timezone.now()) == [given.secret]
    assert portal_entries() == [("administrator", "webhook.created", REASON)]
    assert newest()[1] == {"webhook": row.webhook_id, "address": ADDRESS, "events": ["activation.created", "license.*"]}
    event = StaffEvent.objects.get(kind="webhook.created")
    assert (event.actor, event.subject) == ("administrator", row.webhook_id)


def test_no_secret_is_left_anywhere(db: None) -> None:
    given = made(URL)
    rotated = rotate_secret(webhook_id=given.endpoint.webhook_id, **BOOKED)  # type: ignore[arg-type]
    assert isinstance(rotated, SecretGiven)
    kept = [row.body for row in LedgerEntry.objects.all()] + [str(row.details) for row in StaffEvent.objects.all()]
    row = fresh(given)
    kept += [repr(bytes(row.secret_encrypted)), repr(bytes(row.before_encrypted)), repr(given), repr(rotated)]
    for secret in (given.secret, rotated.secret, "token=abc"):
        assert [text for text in kept if secret.removeprefix("whsec_") in text] == []


CALLS: list[Callable[..., Any]] = [
    lambda row, who: create_webhook(wanted=Wanted(URL, ("*",)), actor=who, source=SOURCE, reason=REASON),
    lambda row, who: change_webhook(
        webhook_id=row.webhook_id, wanted=Wanted(ADDRESS, ("*",)), actor=who, source=SOURCE, reason=REASON
    ),
    lambda row, who: rotate_secret(webhook_id=row.webhook_id, actor=who, source=SOURCE, reason=REASON),
    lambda row, who: disable_webhook(webhook_id=row.webhook_id, actor=who, source=SOURCE, reason=REASON),
    lambda row, who: enable_webhook(webhook_id=row.webhook_id, actor=who, source=SOURCE, reason=REASON),
    lambda row, who: remove_webhook(webhook_id=row.webhook_id, actor=who, source=SOURCE, reason=REASON),
    lambda row, who: send_test(endpoint_pk=row.pk, actor=who),
    lambda row, who: replay_dead(endpoint_pk=row.pk, actor=who, source=SOURCE),
    lambda row, who: replay_since(endpoint_pk=row.pk, day=timezone.now().date(), actor=who, source=SOURCE),
    lambda row, who: send_again(delivery_pk=1, shown=0, actor=who, source=SOURCE),
]


@pytest.mark.parametrize("call", CALLS)
def test_only_administrators(call: Callable[..., Any]) -> None:
    row, before = made(URL).endpoint, len(portal_entries())
    for who in (AGENT, LEAD, MANAGER, AUDITOR):
        refused = call(row, who)
        assert isinstance(refused, Refused)
        assert refused.code == "not-allowed"
        assert "Ask an administrator" in refused.message
    assert len(portal_entries()) == before
    assert not WebhookDelivery.objects.exists()


@pytest.mark.parametrize(
    ("wanted", "reason", "code"),
    [
        (Wanted("http://hooks.example.com/", ("*",)), REASON, "url-not-taken"),
        (Wanted("https://10.0.0.1/", ("*",)), REASON, "url-not-taken"),
        (Wanted(URL, ()), REASON, "events-unknown"),
        (Wanted(URL, ("license.created", "license.painted")), REASON, "events-unknown"),
        (Wanted(URL, ("staff.*",)), REASON, "events-unknown"),
        (Wanted(URL, ("*",), "x" * 201), REASON, "description-too-long"),
        (Wanted(URL, ("*",), "a\u202eb"), REASON, "description-unfit"),
        (Wanted(URL, ("*",)), "  ", "reason-missing"),
    ],
)
def test_what_is_not_taken(wanted: Wanted, reason: str, code: str) -> None:
    result = create_webhook(wanted=wanted, actor=ADMINISTRATOR, source=SOURCE, reason=reason)
    assert isinstance(result, BadInput)
    assert result.code == code
    assert portal_entries() == []


def test_there_are_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "MOST_WEBHOOKS", 1)
    first = made(URL)
    second = create_webhook(wanted=Wanted(URL, ("*",)), **BOOKED)  # type: ignore[arg-type]
    assert isinstance(second, Refused)
    assert second.code == "webhooks-full"
    remove_webhook(webhook_id=first.endpoint.webhook_id, **BOOKED)  # type: ignore[arg-type]
    made(URL)


def test_changed(db: None) -> None:
    given = made(URL)
    WebhookEndpoint.objects.update(failing_since=timezone.now(), failures=3, paused_until=timezone.now())
    wanted = Wanted("https://new.example.com/", ("restoration.*",), "Other")
    result = change_webhook(webhook_id=given.endpoint.webhook_id, wanted=wanted, **BOOKED)  # type: ignore[arg-type]
    assert isinstance(result, WebhookChanged)
    row = fresh(given)
    assert (row.url, row.events, row.description) == ("https://new.example.com/", ["restoration.*"], "Other")
    assert (row.failing_since, row.failures, row.paused_until) == (None, 0, None)
    assert portal_entries(1) == [("administrator", "webhook.changed", REASON)]
    data = {"webhook": row.webhook_id, "address": "https://new.example.com/", "events": ["restoration.*"]}
    assert newest()[1] == {**data, "url_changed": True}

    again = change_webhook(webhook_id=row.webhook_id, wanted=wanted, **BOOKED)  # type: ignore[arg-type]
    assert isinstance(again, Refused)
    assert again.code == "nothing-changed"
    assert len(portal_entries()) == 2


def test_rotated(db: None) -> None:
    given = made(URL)
    with time_machine.travel(timezone.now(), tick=False):
        rotated = rotate_secret(webhook_id=given.endpoint.webhook_id, **BOOKED)  # type: ignore[arg-type]
        assert isinstance(rotated, SecretGiven)
        assert secrets_of(fresh(given), timezone.now()) == [rotated.secret, given.secret]
    assert rotated.before_until is not None
    assert secrets_of(fresh(given), rotated.before_until) == [rotated.secret]
    assert portal_entries(1) == [("administrator", "webhook.secret_rotated", REASON)]
    assert set(newest()[1]) == {"webhook", "address", "before_until"}

    third = rotate_secret(webhook_id=given.endpoint.webhook_id, **BOOKED)  # type: ignore[arg-type]
    assert isinstance(third, SecretGiven)
    assert secrets_of(fresh(given), timezone.now()) == [third.secret, rotated.secret], "two are the most"


def test_disabled_and_enabled(license: LicenseCreated) -> None:
    given = made(URL)
    webhook, before = given.endpoint.webhook_id, len(portal_entries())
    change(license, status=LicenseStatus.SUSPENDED)

    disable_webhook(webhook_id=webhook, **BOOKED)  # type: ignore[arg-type]
    change(license, status=LicenseStatus.ACTIVE)
    assert [row.event for row in deliveries(given.endpoint)] == ["license.suspended"]
    assert (fresh(given).state, fresh(given).state_why) == ("disabled", "by administrator")
    assert in_trouble() == [], "a person did it on purpose"
    again = disable_webhook(webhook_id=webhook, **BOOKED)  # type: ignore[arg-type]
    assert isinstance(again, Refused)
    assert again.code == "webhook-disabled"

    enable_webhook(webhook_id=webhook, **BOOKED)  # type: ignore[arg-type]
    twice = enable_webhook(webhook_id=webhook, **BOOKED)  # type: ignore[arg-type]
    assert isinstance(twice, Refused)
    assert (fresh(given).state, fresh(given).state_why) == ("active", "")
    expected = [("administrator", kind, REASON) for kind in ("webhook.disabled", "webhook.enabled")]
    assert portal_entries(before) == expected


def test_removed(license: LicenseCreated) -> None:
    given = made(URL)
    before = len(portal_entries())
    change(license, status=LicenseStatus.SUSPENDED)

    remove_webhook(webhook_id=given.endpoint.webhook_id, **BOOKED)  # type: ignore[arg-type]

    row = fresh(given)
    assert (row.state, row.url, bytes(row.secret_encrypted)) == (WebhookState.REMOVED, ADDRESS, b"")
    (left,) = deliveries(row)
    assert (left.state, left.problem) == (DeliveryState.DEAD, "The webhook was removed.")
    assert portal_entries(before) == [("administrator", "webhook.removed", REASON)]
    for call in CALLS[1:6]:
        refused = call(row, ADMINISTRATOR)
        assert isinstance(refused, Refused)
        assert refused.code == "webhook-removed"
    change(license, status=LicenseStatus.ACTIVE)
    assert len(deliveries(row)) == 1


def test_a_webhook_that_there_is_not(db: None) -> None:
    result = disable_webhook(webhook_id="wh_nobody", **BOOKED)  # type: ignore[arg-type]
    assert isinstance(result, BadInput)
    assert result.code == "webhook-unknown"


def test_a_secret_under_a_key_that_was_changed(settings: Settings) -> None:
    """Without its key-encryption key nothing is sent, and the problem says which key is missing."""
    given = made(URL)
    settings.KEY_ENCRYPTION_KEYS = [b"x" * 32]
    with pytest.raises(VaultError, match="KEY_ENCRYPTION_KEY"):
        secrets_of(fresh(given), timezone.now())
