"""Answering a Usage Request where no person has to choose: activations, updates, re-sending, refusals, dry runs."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta

import pytest
from chariot_license.protocol.block import Kind
from chariot_license.protocol.reader import read_block
from django.utils import timezone

from activations.domain.words import LicenseStatus, Outcome
from activations.models import Feature, Instance, IntakeEntry, LedgerEntry, Product, UsageLicense, UsageRequest
from activations.services.deactivate import deactivate_activation
from activations.services.issue import submit_usage_request
from activations.services.licenses import FeatureTerm, LicenseChange, LicenseCreated, change_license
from activations.services.results import BadInput, Refused, Unanswerable
from tests.portal.cast import AGENT, MANAGER, SOURCE, answered, entries, issue, length, make_license, occupied
from tests.portal.chariot import Chariot, host

ISSUED = ["request.received", "activation.created", "usage_license.issued"]


def change(license_id: str, **what: object) -> None:
    result = change_license(
        license_id=license_id,
        change=LicenseChange(**what),  # type: ignore[arg-type]
        actor=MANAGER,
        source=SOURCE,
        reason="agreed",
    )
    assert not isinstance(result, Refused | BadInput), result


def kinds(license_id: str, after: int) -> list[str]:
    """The kinds of the entries after `after`, every one by the agent and without a reason."""
    found = entries(license_id, after=after)
    assert all((actor, reason) == ("agent", "") for _, actor, _, reason in found), found
    return [kind for _, _, kind, _ in found]


def test_a_new_chariot_takes_a_seat(license: LicenseCreated) -> None:
    head = LedgerEntry.objects.get(chain=license.license_id, seq=1).hash
    pump = Chariot(license.license_key, host("pump-house"))

    result = issue(pump.request())

    assert (result.decision.outcome, result.decision.code, result.booked) == (Outcome.ISSUED, "activated", True)
    assert (result.decision.seats_before, result.decision.seats_after) == (0, 1)
    assert result.usage_license is not None
    granted = pump.install(result.usage_license)
    assert (granted.license_id, granted.activation_id) == (license.license_id, result.activation_id)
    assert (granted.customer, granted.supersedes, granted.terms_revision) == ("Acme Water", None, 1)
    assert [(feature.code, feature.expires) for feature in granted.features] == [("mqtt-server", None)]
    assert granted.ledger_head == bytes.fromhex(head)[:16]
    assert entries(license.license_id) == [
        (1, "manager", "license.created", ""),
        (2, "agent", "request.received", ""),
        (3, "agent", "activation.created", ""),
        (4, "agent", "usage_license.issued", ""),
    ]


def test_what_was_received_and_what_was_sent_is_kept_byte_for_byte(license: LicenseCreated) -> None:
    pump = Chariot(license.license_key, host("pump-house"))
    text = pump.request()
    mail = f"Dear Support,\n\nplease activate our pump house.\n\n{text}\nKind regards\n"

    result = issue(mail)

    request = UsageRequest.objects.get()
    assert request.text == text
    assert bytes(request.payload) == read_block(text, Kind.REQUEST).data
    assert (request.state, request.code, request.received_by) == ("answered", "activated", "agent")
    stored = UsageLicense.objects.get()
    assert stored.text == result.usage_license
    assert bytes(stored.payload) == read_block(stored.text, Kind.LICENSE).data
    assert stored.sha256 == hashlib.sha256(bytes(stored.payload)).hexdigest()
    source = LedgerEntry.objects.filter(chain=license.license_id, seq__gt=1).values_list("source", flat=True)
    assert set(source) == {f"test:request:{request.request_id}"}


def test_an_update_comes_from_the_same_host_and_takes_no_seat(license: LicenseCreated) -> None:
    pump = Chariot(license.license_key, host("pump-house"))
    first = pump.install(answered(pump.request()))
    change(license.license_id, features=[FeatureTerm("mqtt-server"), FeatureTerm("iot-bridge-snowflake")])
    before = length(license.license_id)

    result = issue(pump.request())

    assert (result.decision.code, result.decision.seats_after) == ("updated", 1)
    assert result.usage_license is not None
    second = pump.install(result.usage_license)
    assert second.activation_id == first.activation_id
    assert (second.supersedes, second.terms_revision) == (first.usage_license_id, 2)
    assert [feature.code for feature in second.features] == ["mqtt-server", "iot-bridge-snowflake"]
    assert kinds(license.license_id, before) == ["request.received", "activation.updated", "usage_license.issued"]
    assert occupied(license.license_id) == 1


def test_the_same_request_gets_the_same_bytes_again(license: LicenseCreated) -> None:
    text = Chariot(license.license_key, host("pump-house")).request()
    first, before = issue(text), length(license.license_id)

    again = issue(text.lower())

    assert (again.decision.outcome, again.decision.code) == (Outcome.RESENT, "re-sent")
    assert (again.usage_license, again.usage_license_id) == (first.usage_license, first.usage_license_id)
    assert kinds(license.license_id, before) == ["usage_license.resent"]
    assert UsageLicense.objects.count() == 1
    assert occupied(license.license_id) == 1


def test_a_stored_answer_is_not_sent_again_once_its_activation_ended(license: LicenseCreated) -> None:
    pump = Chariot(license.license_key, host("pump-house"))
    text = pump.request()
    pump.install(answered(text))
    deactivate_activation(license_id=license.license_id, code=pump.deactivate(), actor=AGENT, source=SOURCE)
    before = length(license.license_id)

    result = issue(text)

    assert (result.decision.outcome, result.decision.code) == (Outcome.REFUSED, "answer-withdrawn")
    assert result.usage_license is None
    # The request was answered, and stays so: there is nothing new to book.
    assert kinds(license.license_id, before) == []


def test_each_new_request_makes_the_earlier_ones_void(license: LicenseCreated) -> None:
    pump = Chariot(license.license_key, host("pump-house"))
    old, new = pump.request(), pump.request()
    answered(new)
    before = length(license.license_id)

    result = issue(old)

    assert (result.decision.outcome, result.decision.code) == (Outcome.REFUSED, "superseded")
    assert UsageRequest.objects.get(counter=2).request_id in result.decision.staff
    assert kinds(license.license_id, before) == ["request.received", "request.refused"]
    assert issue(old).decision.code == "superseded"
    assert length(license.license_id) == before + 2  # the second time says nothing new


def test_a_dry_run_makes_nothing_void(license: LicenseCreated) -> None:
    pump = Chariot(license.license_key, host("pump-house"))
    old, new = pump.request(), pump.request()
    issue(new, dry_run=True)

    assert issue(old).decision.code == "activated"


def test_the_host_that_deactivated_properly_comes_back(license: LicenseCreated) -> None:
    pump = Chariot(license.license_key, host("pump-house"))
    first = pump.install(answered(pump.request()))
    deactivate_activation(license_id=license.license_id, code=pump.deactivate(), actor=AGENT, source=SOURCE)
    before = length(license.license_id)

    again = issue(pump.request())

    assert again.decision.code == "activated"
    assert again.activation_id != first.activation_id
    assert kinds(license.license_id, before) == ISSUED


def test_no_seat_is_free(license: LicenseCreated) -> None:
    for name in ("pump-house", "water-tower"):
        answered(Chariot(license.license_key, host(name)).request())
    before = length(license.license_id)

    result = issue(Chariot(license.license_key, host("mill")).request())

    assert (result.decision.outcome, result.decision.code) == (Outcome.REFUSED, "no-seat")
    assert "pump-house" in result.decision.staff
    assert "water-tower" in result.decision.customer
    assert kinds(license.license_id, before) == ["request.received", "request.refused"]
    assert occupied(license.license_id) == 2


def test_a_refused_request_is_answered_when_a_seat_becomes_free(license: LicenseCreated) -> None:
    pump = Chariot(license.license_key, host("pump-house"))
    pump.install(answered(pump.request()))
    answered(Chariot(license.license_key, host("water-tower")).request())
    text = Chariot(license.license_key, host("mill")).request()
    assert issue(text).decision.code == "no-seat"
    deactivate_activation(license_id=license.license_id, code=pump.deactivate(), actor=AGENT, source=SOURCE)
    before = length(license.license_id)

    assert issue(text).decision.code == "activated"
    assert kinds(license.license_id, before) == ["activation.created", "usage_license.issued"]


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ({"status": LicenseStatus.SUSPENDED}, "license-suspended"),
        ({"status": LicenseStatus.REVOKED}, "license-revoked"),
        ({"features": [FeatureTerm("mqtt-server", date(2020, 1, 1))]}, "license-expired"),
        ({"versions": ("3.0", "")}, "version-not-covered"),
    ],
)
def test_what_the_license_does_not_grant(license: LicenseCreated, what: dict[str, object], code: str) -> None:
    change(license.license_id, **what)
    before = length(license.license_id)

    result = issue(Chariot(license.license_key, host("pump-house")).request())

    assert (result.decision.outcome, result.decision.code) == (Outcome.REFUSED, code)
    assert kinds(license.license_id, before) == ["request.received", "request.refused"]
    assert occupied(license.license_id) == 0


def test_a_suspended_license_sends_no_stored_answer(license: LicenseCreated) -> None:
    text = Chariot(license.license_key, host("pump-house")).request()
    answered(text)
    change(license.license_id, status=LicenseStatus.SUSPENDED)

    assert issue(text).decision.code == "license-suspended"


def test_another_product_is_refused(license: LicenseCreated) -> None:
    result = issue(Chariot(license.license_key, host("pump-house"), product="mqtt-tools").request())

    assert result.decision.code == "product-mismatch"


def test_a_feature_ends_with_its_last_day(signing_keys: None) -> None:
    last = timezone.now().date() + timedelta(days=10)
    license = make_license(features=[FeatureTerm("mqtt-server-support", last)])
    pump = Chariot(license.license_key, host("pump-house"))

    [feature] = pump.install(answered(pump.request())).features

    end = datetime(last.year, last.month, last.day, tzinfo=UTC)
    assert feature.expires == int(end.timestamp()) + 86_400


def test_production_takes_no_requests_made_with_a_test_switch(license: LicenseCreated, settings: object) -> None:
    settings.ACCEPT_TEST_REQUESTS = False  # type: ignore[attr-defined]
    pump = Chariot(license.license_key, host("pump-house"))

    assert issue(pump.request(test=True)).decision.code == "test-request"
    assert issue(pump.request()).decision.code == "activated"


def test_the_answer_to_a_test_request_is_marked(license: LicenseCreated) -> None:
    pump = Chariot(license.license_key, host("pump-house"))

    assert pump.install(answered(pump.request(test=True))).test


def test_an_instance_active_on_another_license_is_told_to_staff(license: LicenseCreated) -> None:
    other = make_license()
    pump = Chariot(license.license_key, host("pump-house"))
    pump.install(answered(pump.request()))
    pump.use_key(other.license_key)

    result = issue(pump.request())

    assert result.decision.code == "activated"
    assert any(license.license_id in warning for warning in result.decision.warnings)
    assert (occupied(license.license_id), occupied(other.license_id)) == (1, 1)


# --- dry run and confirmation -----------------------------------------------------------------------------


def test_a_dry_run_leaves_no_trace(license: LicenseCreated) -> None:
    before = length(license.license_id)

    shown = issue(Chariot(license.license_key, host("pump-house")).request(), dry_run=True)

    assert (shown.decision.code, shown.booked, shown.usage_license) == ("activated", False, None)
    assert length(license.license_id) == before
    assert not UsageRequest.objects.exists()
    assert not Instance.objects.exists()
    assert not IntakeEntry.objects.exists()


def test_confirming_books_what_was_shown(license: LicenseCreated) -> None:
    text = Chariot(license.license_key, host("pump-house")).request()
    shown = issue(text, dry_run=True)

    result = issue(text, expect=shown.digest)

    assert (result.booked, result.stale, result.decision) == (True, False, shown.decision)


def test_nothing_is_booked_when_the_facts_changed_since_the_dry_run(license: LicenseCreated) -> None:
    text = Chariot(license.license_key, host("pump-house")).request()
    shown = issue(text, dry_run=True)
    answered(Chariot(license.license_key, host("water-tower")).request())
    before = length(license.license_id)

    result = issue(text, expect=shown.digest)

    assert (result.booked, result.stale, result.usage_license) == (False, True, None)
    assert result.digest != shown.digest
    assert length(license.license_id) == before
    assert issue(text, expect=result.digest).booked


def test_terms_that_fit_no_usage_license_are_found_by_the_dry_run(signing_keys: None) -> None:
    """Too much for a Usage License: nothing is booked, no seat is taken, and the request stays good."""
    product = Product.objects.get(code="chariot-mqtt-server")
    codes = [f"feature-{number:02}-{'x' * 45}" for number in range(60)]
    for code in codes:
        Feature.objects.create(product=product, code=code, name=code)
    made = make_license(features=[FeatureTerm(code) for code in codes])
    text = Chariot(made.license_key, host("pump-house")).request()

    for dry_run in (True, False):
        result = submit_usage_request(source=text, actor=AGENT, origin=SOURCE, dry_run=dry_run)
        assert isinstance(result, Refused), result
        assert (type(result), result.code) == (Unanswerable, "license-unfit")
        assert made.license_id in result.message
    assert [entry.code for entry in IntakeEntry.objects.all()] == ["license-unfit"]
    assert length(made.license_id) == 1
    assert (occupied(made.license_id), Instance.objects.count()) == (0, 0)

    change(made.license_id, features=[FeatureTerm("mqtt-server")])
    assert issue(text).decision.code == "activated"
