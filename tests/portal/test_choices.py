"""Answering a Usage Request where a person has to choose: clones, snapshots, changed hosts, reinstallations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from activations.domain.words import Choice, Outcome
from activations.models import Activation, Instance, Sighting, Tombstone, UsageRequest
from activations.services.licenses import LicenseCreated
from tests.portal.cast import AGENT, LEAD, SOURCE, answered, entries, issue, length, make_license, occupied
from tests.portal.chariot import Chariot, host
from tests.portal.choosing import WHY, pending, refused


@pytest.fixture
def pump(license: LicenseCreated) -> Chariot:
    """An active Chariot on the host pump-house."""
    chariot = Chariot(license.license_key, host("pump-house"))
    chariot.install(answered(chariot.request()))
    return chariot


# --- clones and snapshots ---------------------------------------------------------------------------------


def test_a_clone_waits_for_a_lead(license: LicenseCreated, pump: Chariot) -> None:
    twin = pump.snapshot()
    answered(pump.request())
    before = length(license.license_id)
    text = twin.request()

    assert pending(text) == (
        "counter-repeated",
        [("restored-backup", "decide_as_lead"), ("refuse", "decide_as_lead")],
    )
    assert refused(text, Choice.RESTORED_BACKUP) == "not-allowed"
    assert refused(text, Choice.RESTORED_BACKUP, actor=LEAD, reason="") == "reason-missing"
    accepted = issue(text, Choice.RESTORED_BACKUP, actor=LEAD, reason=WHY)

    assert accepted.decision.code == "updated"
    assert entries(license.license_id, after=before) == [
        (before + 1, "agent", "request.received", ""),
        (before + 2, "agent", "request.pending", ""),
        (before + 3, "lead", "instance.backup_accepted", WHY),
        (before + 4, "lead", "activation.updated", WHY),
        (before + 5, "lead", "usage_license.issued", WHY),
    ]
    assert Instance.objects.get(thumbprint=pump.name).epoch == 2
    assert occupied(license.license_id) == 1


def test_after_a_backup_was_accepted_what_came_before_it_is_void(license: LicenseCreated, pump: Chariot) -> None:
    """Requests of the line that was given up must not count, though their counters are ahead."""
    snapshot = pump.snapshot()
    given_up = [pump.request() for _ in range(3)]
    pump.install(answered(given_up[-1]))
    answered(snapshot.request(), Choice.RESTORED_BACKUP, actor=LEAD, reason=WHY)
    before = length(license.license_id)

    result = issue(given_up[-1])

    assert (result.decision.code, result.usage_license) == ("superseded-by-backup", None)
    assert length(license.license_id) == before  # it was answered then, and that stays


def test_what_waited_before_a_backup_was_accepted_waits_no_more(license: LicenseCreated, pump: Chariot) -> None:
    """Of the same Chariot, whatever license it asked for; what other Chariots wait for stays."""
    other = make_license()
    snapshot = pump.snapshot()
    pump.install(answered(pump.request()))
    pump.facts = host("mill")
    waiting = pump.request()
    assert pending(waiting)[0] == "host-changed"
    twin = pump.snapshot()
    twin.counter -= 1
    twin.use_key(other.license_key)
    also_waiting = twin.request()
    assert pending(also_waiting)[0] == "counter-repeated"
    stranger = Chariot(license.license_key, replace(host("shed"), board_uuid=None, macs=(), disk_serial=None))
    assert pending(stranger.request())[0] == "host-not-recognisable"
    before, before_other = length(license.license_id), length(other.license_id)

    answered(snapshot.request(), Choice.RESTORED_BACKUP, actor=LEAD, reason=WHY)

    ended = UsageRequest.objects.filter(text__in=[waiting, also_waiting])
    assert {(row.state, row.code) for row in ended} == {("refused", "superseded-by-backup")}
    assert UsageRequest.objects.get(state="pending").hostname == "shed"
    assert entries(license.license_id, after=before) == [
        (before + 1, "lead", "request.received", ""),
        (before + 2, "lead", "instance.backup_accepted", WHY),
        (before + 3, "lead", "request.refused", ""),
        (before + 4, "lead", "activation.updated", WHY),
        (before + 5, "lead", "usage_license.issued", WHY),
    ]
    assert entries(other.license_id, after=before_other) == [(before_other + 1, "lead", "request.refused", "")]
    assert issue(waiting).decision.code == "superseded-by-backup"
    assert length(license.license_id) == before + 5, "it says so already"


def test_a_lower_counter_that_was_refused_can_still_be_accepted_as_a_backup(
    license: LicenseCreated, pump: Chariot
) -> None:
    snapshot = pump.snapshot()
    for _ in range(2):
        pump.install(answered(pump.request()))
    text = snapshot.request()
    first = issue(text)
    assert (first.decision.outcome, first.decision.code) == (Outcome.REFUSED, "superseded")
    assert [option.choice for option in first.decision.options] == [Choice.RESTORED_BACKUP]

    result = issue(text, Choice.RESTORED_BACKUP, actor=LEAD, reason=WHY)

    assert (result.decision.code, result.booked) == ("updated", True)
    assert UsageRequest.objects.get(request_id=result.request_id).epoch == 2


def test_a_request_from_before_the_deactivation_is_a_snapshot(license: LicenseCreated, pump: Chariot) -> None:
    from activations.services.deactivate import deactivate_activation

    snapshot = pump.snapshot()
    deactivate_activation(license_id=license.license_id, code=pump.deactivate(), actor=AGENT, source=SOURCE)

    assert pending(snapshot.request())[0] == "deactivated-earlier"


def test_a_declined_request_stays_declined(license: LicenseCreated, pump: Chariot) -> None:
    twin = pump.snapshot()
    answered(pump.request())
    text = twin.request()
    before = length(license.license_id)

    result = issue(text, Choice.REFUSE, actor=LEAD, reason="It is a clone.")

    assert (result.decision.outcome, result.decision.code) == (Outcome.REFUSED, "declined-by-person")
    assert entries(license.license_id, after=before) == [
        (before + 1, "lead", "request.received", ""),
        (before + 2, "lead", "request.declined", "It is a clone."),
    ]
    again = issue(text)
    assert again.decision.code == "declined-earlier"
    assert "It is a clone." in again.decision.staff
    assert length(license.license_id) == before + 2


def test_an_agent_may_decline_what_an_agent_may_answer(license: LicenseCreated) -> None:
    text = Chariot(license.license_key, host("pump-house")).request()

    assert issue(text, Choice.REFUSE, reason="Asked twice.").decision.code == "declined-by-person"
    assert occupied(license.license_id) == 0


# --- changed hosts ----------------------------------------------------------------------------------------


def test_changed_hardware_is_rebound_by_a_lead(license: LicenseCreated, pump: Chariot) -> None:
    old = pump.facts
    pump.facts = host("pump-house-2")
    text = pump.request()
    assert pending(text) == ("host-changed", [("rebind", "decide_as_lead"), ("refuse", "decide_as_lead")])
    before = length(license.license_id)

    result = issue(text, Choice.REBIND, actor=LEAD, reason="New board after lightning.")

    assert result.decision.code == "rebound"
    assert [kind for _, _, kind, _ in entries(license.license_id, after=before)] == [
        "tombstone.placed",
        "activation.rebound",
        "usage_license.issued",
    ]
    assert occupied(license.license_id) == 1
    stone = Tombstone.objects.get()
    assert (stone.kind, stone.instance.thumbprint) == ("rebound", pump.name)
    # Back on the hardware that was written off: seen, and a lead again.
    assert result.usage_license is not None
    pump.install(result.usage_license)
    pump.facts = old
    assert pending(pump.request())[0] == "host-changed"
    assert Sighting.objects.get().tombstone == stone


def test_one_changed_part_is_within_tolerance(license: LicenseCreated, pump: Chariot) -> None:
    pump.facts = host("pump-house", disk_serial="a new disk")

    result = issue(pump.request())

    assert result.decision.code == "updated"
    assert any("disk changed" in warning for warning in result.decision.warnings)


# --- the same host ----------------------------------------------------------------------------------------


def test_a_reinstalled_chariot_takes_over_the_activation(license: LicenseCreated, pump: Chariot) -> None:
    fresh = pump.reinstalled()
    text = fresh.request()
    assert pending(text) == (
        "same-host",
        [("reinstalled", "issue_usage_license"), ("second", "issue_usage_license"), ("refuse", "issue_usage_license")],
    )
    before = length(license.license_id)

    result = issue(text, Choice.REINSTALLED)

    assert result.decision.code == "reinstalled"
    assert entries(license.license_id, after=before) == [
        (before + 1, "agent", "tombstone.placed", ""),
        (before + 2, "agent", "activation.reinstalled", ""),
        (before + 3, "agent", "usage_license.issued", ""),
    ]
    assert occupied(license.license_id) == 1
    assert Activation.objects.get().instance.thumbprint == fresh.name
    stone = Tombstone.objects.get()
    assert (stone.kind, stone.instance.thumbprint) == ("displaced", pump.name)


def test_a_second_chariot_on_the_host_takes_a_seat(license: LicenseCreated, pump: Chariot) -> None:
    result = issue(pump.reinstalled().request(), Choice.SECOND)

    assert (result.decision.code, result.decision.seats_after) == ("second-chariot", 2)
    assert occupied(license.license_id) == 2


def test_the_third_reinstallation_within_a_year_needs_a_lead(license: LicenseCreated, pump: Chariot) -> None:
    fresh = pump
    for _ in range(2):
        fresh = fresh.reinstalled()
        fresh.install(answered(fresh.request(), Choice.REINSTALLED))
    text = fresh.reinstalled().request()

    assert ("reinstalled", "decide_as_lead") in pending(text)[1]
    assert refused(text, Choice.REINSTALLED) == "not-allowed"
    assert issue(text, Choice.REINSTALLED, actor=LEAD, reason=WHY).decision.code == "reinstalled"


def test_which_activation_is_meant_must_be_said(license: LicenseCreated, pump: Chariot) -> None:
    answered(pump.reinstalled().request(), Choice.SECOND)
    text = pump.reinstalled().request()
    issue(text)
    second = Activation.objects.order_by("-id")[0]

    assert refused(text, Choice.REINSTALLED) == "activation-not-named"
    result = issue(text, Choice.REINSTALLED, activation_id=second.activation_id)
    assert result.activation_id == second.activation_id


def test_containers_are_not_recognised_by_their_host(license: LicenseCreated) -> None:
    facts = host("pump-house", container="docker")
    answered(Chariot(license.license_key, facts).request())

    assert issue(Chariot(license.license_key, facts).request()).decision.code == "activated"


def test_a_choice_that_is_not_open_is_refused(license: LicenseCreated) -> None:
    text = Chariot(license.license_key, host("pump-house")).request()

    assert refused(text, Choice.REBIND, actor=LEAD) == "choice-not-open"
    assert not UsageRequest.objects.exists()
    assert not Instance.objects.exists()


def test_a_host_that_names_one_part_of_itself_waits_for_a_lead(license: LicenseCreated) -> None:
    """Its Usage License would run on any copy of its state, so that an agent cannot give it away."""
    facts = host("pump-house", board_uuid=None, macs=(), disk_serial=None, container="docker")
    pump = Chariot(license.license_key, facts)
    text = pump.request()

    assert pending(text) == ("host-not-recognisable", [("accept-host", "decide_as_lead"), ("refuse", "decide_as_lead")])
    assert refused(text, Choice.ACCEPT_HOST) == "not-allowed"
    assert refused(text, Choice.ACCEPT_HOST, actor=LEAD, reason="") == "reason-missing"
    accepted = issue(text, Choice.ACCEPT_HOST, actor=LEAD, reason=WHY)

    assert accepted.decision.code == "host-accepted"
    assert entries(license.license_id, after=1) == [
        (2, "agent", "request.received", ""),
        (3, "agent", "request.pending", ""),
        (4, "lead", "activation.created", WHY),
        (5, "lead", "usage_license.issued", WHY),
    ]
    assert occupied(license.license_id) == 1


def test_a_request_that_waits_ends_when_a_newer_one_comes(license: LicenseCreated, pump: Chariot) -> None:
    pump.facts = host("mill")
    waiting, newer = pump.request(), pump.request()
    assert pending(waiting)[0] == "host-changed"
    before = length(license.license_id)

    assert pending(newer)[0] == "host-changed"
    first = UsageRequest.objects.get(text=waiting)
    assert (first.state, first.code) == ("refused", "superseded")
    assert entries(license.license_id, after=before) == [
        (before + 1, "agent", "request.received", ""),
        (before + 2, "agent", "request.refused", ""),
        (before + 3, "agent", "request.pending", ""),
    ]
    assert issue(waiting).decision.code == "superseded"


def test_a_request_that_waits_ends_when_a_newer_one_comes_for_another_license(
    license: LicenseCreated, pump: Chariot
) -> None:
    """An Instance is global (Design 9.8): its counter decides whatever license it asks for."""
    other = make_license()
    pump.facts = host("mill")
    waiting = pump.request()
    assert pending(waiting)[0] == "host-changed"
    pump.use_key(other.license_key)
    pump.previous = None
    before, before_other = length(license.license_id), length(other.license_id)

    newer = pending(pump.request())

    assert newer[0] == "previous-license-forgotten"
    first = UsageRequest.objects.get(text=waiting)
    assert (first.state, first.code) == ("refused", "superseded")
    assert entries(license.license_id, after=before) == [(before + 1, "agent", "request.refused", "")]
    assert [entry[1:] for entry in entries(other.license_id, after=before_other)] == [
        ("agent", "request.received", ""),
        ("agent", "request.pending", ""),
    ]
    assert issue(waiting).decision.code == "superseded"
