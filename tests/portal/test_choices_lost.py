"""Answering a Usage Request where a person has to choose: hosts that were lost or written off and are seen again."""

from __future__ import annotations

import pytest

from activations.domain.words import Choice
from activations.models import Activation, Tombstone
from activations.services.licenses import LicenseCreated
from activations.services.losses import approve_restoration, mark_lost, request_restoration
from activations.services.results import BadInput, Refused
from tests.portal.cast import AGENT, LEAD, SOURCE, answered, entries, issue, length, make_license, occupied
from tests.portal.chariot import Chariot, host
from tests.portal.choosing import pending, refused


@pytest.fixture
def pump(license: LicenseCreated) -> Chariot:
    """An active Chariot on the host pump-house."""
    chariot = Chariot(license.license_key, host("pump-house"))
    chariot.install(answered(chariot.request()))
    return chariot


def lose(chariot: Chariot) -> str:
    """Marks the activation of a Chariot as lost."""
    activation_id = Activation.objects.get(instance__thumbprint=chariot.name, state="active").activation_id
    result = mark_lost(activation_id=activation_id, actor=AGENT, source=SOURCE, reason="flooded")
    assert not isinstance(result, Refused | BadInput), result
    return activation_id


def restore(activation_id: str) -> str:
    case = request_restoration(activation_id=activation_id, actor=AGENT, source=SOURCE, reason="flooded")
    assert not isinstance(case, Refused | BadInput), case
    approved = approve_restoration(restoration_id=case.restoration_id, actor=LEAD, source=SOURCE, reason="photos")
    assert not isinstance(approved, Refused | BadInput), approved
    return case.restoration_id


def test_a_lost_chariot_turns_up_again(license: LicenseCreated, pump: Chariot) -> None:
    activation_id = lose(pump)
    text = pump.request()
    assert pending(text) == (
        "lost-host-seen",
        [("found-again", "issue_usage_license"), ("refuse", "issue_usage_license")],
    )
    before = length(license.license_id)

    result = issue(text, Choice.FOUND_AGAIN)

    assert (result.decision.code, result.activation_id) == ("found-again", activation_id)
    assert [kind for _, _, kind, _ in entries(license.license_id, after=before)] == [
        "activation.found",
        "usage_license.issued",
    ]
    assert not Tombstone.objects.exists()
    assert occupied(license.license_id) == 1


def test_found_again_closes_the_open_case(license: LicenseCreated, pump: Chariot) -> None:
    activation_id = lose(pump)
    case = request_restoration(activation_id=activation_id, actor=AGENT, source=SOURCE, reason="flooded")
    assert not isinstance(case, Refused | BadInput)
    text = pump.request()
    issue(text)
    before = length(license.license_id)

    result = issue(text, Choice.FOUND_AGAIN)

    assert any(case.restoration_id in warning for warning in result.decision.warnings)
    assert [kind for _, _, kind, _ in entries(license.license_id, after=before)] == [
        "restoration.closed",
        "activation.found",
        "usage_license.issued",
    ]
    late = approve_restoration(restoration_id=case.restoration_id, actor=LEAD, source=SOURCE, reason="photos")
    assert isinstance(late, Refused)
    assert late.code == "restoration-decided"


def test_the_lost_host_with_a_new_installation_is_found_again(license: LicenseCreated, pump: Chariot) -> None:
    activation_id = lose(pump)
    fresh = pump.reinstalled()

    result = issue(fresh.request(), Choice.FOUND_AGAIN)

    assert (result.decision.code, result.activation_id) == ("found-again", activation_id)
    assert Tombstone.objects.get().instance.thumbprint == pump.name
    assert occupied(license.license_id) == 1


def test_a_written_off_chariot_is_sighted(license: LicenseCreated, pump: Chariot) -> None:
    case = restore(lose(pump))
    before = length(license.license_id)
    text = pump.request()

    code, options = pending(text)

    assert code == "tombstone-seen"
    assert options == [("second", "decide_as_lead"), ("refuse", "decide_as_lead")]
    stone = Tombstone.objects.get()
    assert (stone.kind, stone.restoration and stone.restoration.restoration_id) == ("restored", case)
    assert refused(text, Choice.SECOND) == "not-allowed"
    result = issue(text, Choice.SECOND, actor=LEAD, reason="It was in the storeroom.")
    assert result.decision.code == "sighting-accepted"
    assert case in result.decision.staff
    assert entries(license.license_id, after=before) == [
        (before + 1, "agent", "request.received", ""),
        (before + 2, "agent", "tombstone.sighted", ""),
        (before + 3, "agent", "request.pending", ""),
        (before + 4, "lead", "tombstone.settled", "It was in the storeroom."),
        (before + 5, "lead", "activation.created", "It was in the storeroom."),
        (before + 6, "lead", "usage_license.issued", "It was in the storeroom."),
    ]
    stone.refresh_from_db()
    assert stone.settled_by == "lead"


def test_a_sighting_is_booked_whatever_becomes_of_the_request(signing_keys: None) -> None:
    license = make_license(allowed=1)
    pump = Chariot(license.license_key, host("pump-house"))
    pump.install(answered(pump.request()))
    restore(lose(pump))
    answered(Chariot(license.license_key, host("mill")).request())
    before = length(license.license_id)
    text = pump.request()

    assert issue(text).decision.code == "no-seat-tombstone"
    assert issue(text).decision.code == "no-seat-tombstone"
    assert [kind for _, _, kind, _ in entries(license.license_id, after=before)] == [
        "request.received",
        "tombstone.sighted",
        "request.refused",
    ]
