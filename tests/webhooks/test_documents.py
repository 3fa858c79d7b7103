"""docs/webhooks.md shows an example of every event, and they are what is really sent."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from activations.domain.words import ActivationState, Choice, LicenseStatus
from activations.models import Activation
from activations.services.deactivate import deactivate_activation
from activations.services.licenses import LicenseCreated
from activations.services.losses import mark_lost, request_restoration
from activations.services.webhooks import outbox, sending
from activations.services.webhooks.addresses import USUAL_PORTS
from activations.services.webhooks.events import TEST, TYPES
from activations.services.webhooks.replaying import MOST_REPLAYED, send_test
from tests.portal.cast import ADMINISTRATOR, AGENT, LEAD, SOURCE, answered, make_license
from tests.portal.chariot import Chariot, host
from tests.portal.licensing import change
from tests.webhooks.making import deliveries, made
from tests.webhooks.test_events import whole_story

pytestmark = pytest.mark.django_db
TEXT = (Path(__file__).resolve().parents[2] / "docs" / "webhooks.md").read_text()
EXAMPLES = [json.loads(each) for each in re.findall(r"```json\n(.*?)```", TEXT, flags=re.DOTALL)]


def rest_of_the_story() -> None:
    """What cannot happen to the license of the story any more, on another one."""
    license: LicenseCreated = make_license(allowed=3)
    found, gone = Chariot(license.license_key, host("bakery")), Chariot(license.license_key, host("brewery"))
    for chariot in (found, gone):
        chariot.install(answered(chariot.request()))
    row = Activation.objects.get(hostname="brewery", state=ActivationState.ACTIVE)
    mark_lost(activation_id=row.activation_id, actor=AGENT, source=SOURCE, reason="a flood")
    request_restoration(activation_id=row.activation_id, actor=AGENT, source=SOURCE, reason="a flood")
    deactivate_activation(license_id=license.license_id, code=gone.deactivate(), actor=AGENT, source=SOURCE)
    found.facts = host("bakery on a new server")
    found.install(answered(found.request(), Choice.REBIND, actor=LEAD, reason="a new server"))
    answered(found.reinstalled().request(), Choice.REINSTALLED)
    change(license, customer="Northern Dairy")
    change(license, status=LicenseStatus.REVOKED)


def shape(value: Any) -> Any:
    """Its keys and the types of its values; states and reasons as they stand."""
    if isinstance(value, dict):
        return {
            name: each if name in ("state", "status", "type") else shape(each)
            for name, each in value.items()
            if name != "why"
        }
    return type(value).__name__


def test_every_type_has_an_example_and_no_other() -> None:
    assert [each["type"] for each in EXAMPLES] == [*TYPES, TEST]


def test_the_examples_are_what_is_sent(signing_keys: None) -> None:
    endpoint = made("https://hooks.example.com/in").endpoint
    whole_story()
    rest_of_the_story()
    send_test(endpoint_pk=endpoint.pk, actor=ADMINISTRATOR)
    sent = [json.loads(row.body) for row in deliveries(endpoint)]
    untold = {each["type"] for each in EXAMPLES} - {each["type"] for each in sent}
    assert untold == set()
    for example in EXAMPLES:
        shapes = [shape(each) for each in sent if each["type"] == example["type"]]
        assert shape(example) in shapes, (example, shapes)


def test_the_numbers_are_those_of_the_code() -> None:
    words = " ".join(TEXT.split())
    for told in (
        f"waits {sending.PATIENCE:.0f} seconds in all",
        "after 5 seconds, 5 and 30 minutes, 2, 5, 10, 14, 20 and 24 hours",
        f"port {USUAL_PORTS[0]} or {USUAL_PORTS[1]}",
        f"kept for {outbox.DELIVERED_KEPT.days} days, dead ones for {outbox.DEAD_KEPT.days}",
        f"At most {MOST_REPLAYED:,} events",
    ):
        assert told in words, told
    assert [int(wait.total_seconds()) for wait in outbox.WAITS] == [
        *(5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
    ]
