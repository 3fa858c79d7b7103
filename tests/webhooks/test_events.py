"""What is told of a booking: the events, in the transaction of the booking, thin and the same at every asking."""

from __future__ import annotations

import json

import pytest
from django.db import transaction

from activations.domain.ledger import Entry, Kind, read_body
from activations.domain.words import Choice, LicenseStatus
from activations.models import Activation, LedgerEntry, WebhookDelivery, WebhookEndpoint
from activations.services.booking import Book
from activations.services.deactivate import deactivate_activation
from activations.services.licenses import (
    FeatureTerm,
    LicenseChange,
    LicenseCreated,
    change_license,
    replace_license_key,
)
from activations.services.losses import approve_restoration, deny_restoration, mark_lost, request_restoration
from activations.services.webhooks.events import EVENTS, LIMIT_REACHED, NOT_SENT, TYPES, all_events, event_of, wanted
from tests.domain.test_ledger_fold import PORTAL_KINDS
from tests.portal.cast import AGENT, LEAD, MANAGER, SOURCE, answered, issue, make_license
from tests.portal.chariot import Chariot, host
from tests.portal.licensing import change
from tests.webhooks.making import deliveries, made, types

pytestmark = pytest.mark.django_db
URL = "https://hooks.example.com/in"


def test_of_every_kind_it_is_decided_whether_it_is_told() -> None:
    assert {*EVENTS, *NOT_SENT, *PORTAL_KINDS} == set(Kind)
    assert not set(EVENTS) & NOT_SENT


@pytest.mark.parametrize(
    ("patterns", "told"),
    [(["*"], True), (["license.*"], True), (["license.created"], True), (["activation.*", "license.revoked"], False)],
)
def test_who_wants_what(patterns: list[str], told: bool) -> None:
    assert wanted(patterns, "license.created") == told


def whole_story() -> LicenseCreated:
    """Everything of which other systems are told, on one license with two seats."""
    license = make_license(allowed=2)
    first, second = Chariot(license.license_key, host("pump-house")), Chariot(license.license_key, host("mill"))
    first.install(answered(first.request()))
    second.install(answered(second.request()))
    third = Chariot(license.license_key, host("dairy"))
    assert issue(third.request()).decision.code == "no-seat"
    first.install(answered(first.request()))
    lost = Activation.objects.get(hostname="mill").activation_id
    mark_lost(activation_id=lost, actor=AGENT, source=SOURCE, reason="a fire at Ada's")
    answered(second.request(), Choice.FOUND_AGAIN)
    mark_lost(activation_id=lost, actor=AGENT, source=SOURCE, reason="a second fire")
    for decide in (deny_restoration, approve_restoration):
        case = request_restoration(activation_id=lost, actor=AGENT, source=SOURCE, reason="burned down")
        decide(restoration_id=case.restoration_id, actor=LEAD, source=SOURCE, reason="seen")  # type: ignore[union-attr]
    issue(second.request())
    change(license, allowed=1)
    change(license, allowed=3)
    change(license, status=LicenseStatus.SUSPENDED)
    change(license, status=LicenseStatus.ACTIVE)
    change(license, online=True)
    change(license, features=[FeatureTerm("mqtt-server"), FeatureTerm("mqtt-server-support", None)])
    replace_license_key(license_id=license.license_id, actor=MANAGER, source=SOURCE, reason="leaked")
    return license


def test_a_story_and_everything_that_is_told_of_it(signing_keys: None) -> None:
    endpoint = made(URL).endpoint
    license = whole_story()

    rows = deliveries(endpoint)
    told = [row.event for row in rows]
    booked = LedgerEntry.objects.filter(chain=license.license_id).order_by("seq").values_list("kind", flat=True)
    assert [name for name in told if name != LIMIT_REACHED] == [kind for kind in booked if kind in EVENTS]
    why = [json.loads(row.body)["data"]["why"] for row in rows if row.event == LIMIT_REACHED]
    assert why[0:2] == ["last-seat-taken", "request-refused"]
    assert "allowed-lowered" in why
    for name in ("activation.found", "activation.restored", "restoration.denied", "tombstone.sighted"):
        assert name in told, told
    for row in rows:
        body = json.loads(row.body)
        assert set(body) == {"type", "timestamp", "data"}
        assert body["type"] == row.event in TYPES
        entry = read_body(LedgerEntry.objects.get(chain=row.chain, seq=row.seq or 0).body)
        assert body["data"]["ledger"] == {"chain": entry.chain, "seq": entry.seq, "hash": entry.hash}
        assert body["timestamp"] == entry.at
        assert row.message_id == f"msg_{entry.chain}_{entry.seq}" + "_limit" * (row.event == LIMIT_REACHED)
        assert "." not in row.message_id


def test_the_same_is_told_from_the_ledger_alone(signing_keys: None) -> None:
    """What a replay tells is, byte for byte, what was told when it was booked."""
    endpoint = made(URL).endpoint
    license = whole_story()
    bodies = LedgerEntry.objects.filter(chain=license.license_id).order_by("seq").values_list("body", flat=True)
    anew = {(event.message_id, event.type, event.body) for event in all_events(map(read_body, bodies))}
    assert anew == {(row.message_id, row.event, row.body) for row in deliveries(endpoint)}


def test_nothing_of_a_person_a_host_or_a_key_is_told(signing_keys: None) -> None:
    endpoint = made(URL).endpoint
    license = whole_story()
    told = "\n".join(row.body for row in deliveries(endpoint))
    rows = list(Activation.objects.all())
    secret = [license.license_key, "pump-house", "mill", "Acme Water", "Ada", "fire", "leaked", "agent", "lead"]
    secret += [row.instance.thumbprint for row in rows] + [row.commitment for row in rows]
    secret += [part for row in rows for part in json.dumps(row.fingerprint).split('"') if len(part) > 11]
    assert [word for word in secret if word in told] == []


def test_deactivation_is_told(license: LicenseCreated) -> None:
    endpoint = made(URL, "activation.*").endpoint
    chariot = Chariot(license.license_key, host("pump-house"))
    chariot.install(answered(chariot.request()))
    deactivate_activation(license_id=license.license_id, code=chariot.deactivate(), actor=AGENT, source=SOURCE)
    assert types(endpoint) == ["activation.created", "activation.deactivated"]


def test_each_receiver_gets_what_it_wants_and_one_that_is_disabled_nothing(license: LicenseCreated) -> None:
    all_of_it = made(URL).endpoint
    some = made(URL, "license.suspended", "restoration.*").endpoint
    off = made(URL).endpoint
    WebhookEndpoint.objects.filter(pk=off.pk).update(state="disabled")

    change(license, status=LicenseStatus.SUSPENDED)
    change(license, status=LicenseStatus.ACTIVE)

    assert types(all_of_it) == ["license.suspended", "license.reinstated"]
    assert types(some) == ["license.suspended"]
    assert types(off) == []


def test_a_booking_that_is_rolled_back_tells_nothing(license: LicenseCreated) -> None:
    made(URL)
    with transaction.atomic():
        change(license, status=LicenseStatus.SUSPENDED)
        assert WebhookDelivery.objects.count() == 1
        transaction.set_rollback(True)
    assert not WebhookDelivery.objects.exists()


def test_a_booking_that_was_refused_tells_nothing(license: LicenseCreated) -> None:
    made(URL)
    refused = change_license(
        license_id=license.license_id,
        change=LicenseChange(allowed=0),
        actor=MANAGER,
        source=SOURCE,
        reason="a slip of the pen",
    )
    assert refused.code == "allowed-out-of-range"  # type: ignore[union-attr]
    with transaction.atomic(), Book(chain=license.license_id, actor=MANAGER, source=SOURCE):
        pass
    assert not WebhookDelivery.objects.exists()


def test_an_entry_of_the_portals_own_chain_is_told_to_nobody() -> None:
    made(URL)
    made(URL)
    assert not WebhookDelivery.objects.exists()
    entry = Entry("portal", 1, "2026-01-01T00:00:00.000000Z", "a", Kind.LICENSE_CREATED, "", "", {}, "0" * 64)
    assert event_of(entry) is None
