"""Lost activations, and the reviewed cases that give them back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from activations.models import Activation, Restoration, Tombstone
from activations.services.licenses import LicenseCreated
from activations.services.losses import (
    MarkedLost,
    RestorationCase,
    approve_restoration,
    deny_restoration,
    mark_lost,
    request_restoration,
)
from activations.services.results import Refused
from tests.portal.cast import AGENT, EVERYONE, LEAD, SECOND_LEAD, SOURCE, answered, entries, issue, length, occupied
from tests.portal.chariot import Chariot, host

UNKNOWN_ACTIVATION = "ACT-0000-0000-0000-0000-0"
UNKNOWN_CASE = "RES-0000-0000-0000-0000-0"


@pytest.fixture
def activation_id(license: LicenseCreated) -> str:
    """An active activation on the host pump-house."""
    answered(Chariot(license.license_key, host("pump-house")).request())
    return Activation.objects.get().activation_id


def lose(activation_id: str, *, actor: object = AGENT, reason: str = "The pump house was flooded.") -> Any:
    return mark_lost(activation_id=activation_id, actor=actor, source=SOURCE, reason=reason)  # type: ignore[arg-type]


def ask(activation_id: str, *, actor: object = AGENT, reason: str = "Photos of the wreck are attached.") -> Any:
    return request_restoration(activation_id=activation_id, actor=actor, source=SOURCE, reason=reason)  # type: ignore[arg-type]


def opened(activation_id: str, *, actor: object = AGENT) -> str:
    """The case of an activation that is marked lost first."""
    assert isinstance(lose(activation_id), MarkedLost)
    case = ask(activation_id, actor=actor)
    assert isinstance(case, RestorationCase), case
    return case.restoration_id


def decide(how: Callable[..., Any], case: str, *, actor: object = LEAD, reason: str = "Seen the photos.") -> Any:
    return how(restoration_id=case, actor=actor, source=SOURCE, reason=reason)


def test_a_lost_activation_keeps_its_seat(license: LicenseCreated, activation_id: str) -> None:
    before = length(license.license_id)

    assert lose(activation_id) == MarkedLost(license.license_id, activation_id)

    assert entries(license.license_id, after=before) == [
        (before + 1, "agent", "activation.lost", "The pump house was flooded.")
    ]
    assert (Activation.objects.get().state, occupied(license.license_id)) == ("lost", 1)


def test_an_approved_restoration_gives_the_seat_back(license: LicenseCreated, activation_id: str) -> None:
    case, before = opened(activation_id), length(license.license_id)

    result = decide(approve_restoration, case)

    assert result == RestorationCase(case, activation_id, license.license_id, "approved")
    assert entries(license.license_id, after=before - 1) == [
        (before, "agent", "restoration.requested", "Photos of the wreck are attached."),
        (before + 1, "lead", "restoration.approved", "Seen the photos."),
        (before + 2, "lead", "activation.restored", "Seen the photos."),
        (before + 3, "lead", "tombstone.placed", "Seen the photos."),
    ]
    row = Restoration.objects.get()
    assert (row.state, row.requested_by, row.decided_by) == ("approved", "agent", "lead")
    assert (Activation.objects.get().state, occupied(license.license_id)) == ("restored", 0)
    assert Tombstone.objects.get().restoration == row


def test_a_denied_restoration_leaves_the_activation_lost(license: LicenseCreated, activation_id: str) -> None:
    case, before = opened(activation_id), length(license.license_id)

    assert decide(deny_restoration, case, reason="No proof.").state == "denied"

    assert entries(license.license_id, after=before) == [(before + 1, "lead", "restoration.denied", "No proof.")]
    assert (Activation.objects.get().state, occupied(license.license_id)) == ("lost", 1)
    assert not Tombstone.objects.exists()


def test_after_a_denial_a_new_case_can_be_opened(license: LicenseCreated, activation_id: str) -> None:
    decide(deny_restoration, opened(activation_id))

    again = ask(activation_id)

    assert decide(approve_restoration, again.restoration_id).state == "approved"


def test_the_seat_of_a_restored_activation_can_be_used_again(license: LicenseCreated, activation_id: str) -> None:
    answered(Chariot(license.license_key, host("mill")).request())
    tower = Chariot(license.license_key, host("water-tower"))
    text = tower.request()
    case = opened(activation_id)
    assert issue(text).decision.code == "no-seat"

    decide(approve_restoration, case)

    assert issue(text).decision.code == "activated"
    assert occupied(license.license_id) == 2


@pytest.mark.parametrize("how", [approve_restoration, deny_restoration])
def test_nobody_decides_the_case_they_opened(
    license: LicenseCreated, activation_id: str, how: Callable[..., Any]
) -> None:
    case = opened(activation_id, actor=LEAD)
    before = length(license.license_id)

    result = decide(how, case, actor=LEAD)

    assert (type(result), result.code) == (Refused, "same-person")
    assert length(license.license_id) == before
    assert decide(how, case, actor=SECOND_LEAD).state in ("approved", "denied")


def test_the_database_holds_the_second_person_too(activation_id: str) -> None:
    opened(activation_id)

    with pytest.raises(IntegrityError, match="restoration_decided_by_another_person"), transaction.atomic():
        Restoration.objects.update(state="approved", decided_by="agent", decided_at="2026-01-01T00:00:00Z")


@pytest.mark.parametrize("how", [approve_restoration, deny_restoration])
@pytest.mark.parametrize("first", [approve_restoration, deny_restoration])
def test_a_case_is_decided_once(
    license: LicenseCreated, activation_id: str, first: Callable[..., Any], how: Callable[..., Any]
) -> None:
    case = opened(activation_id)
    decide(first, case)
    before = length(license.license_id)

    result = decide(how, case, actor=SECOND_LEAD)

    assert (type(result), result.code) == (Refused, "restoration-decided")
    assert length(license.license_id) == before


def test_only_an_active_activation_is_lost(license: LicenseCreated, activation_id: str) -> None:
    lose(activation_id)
    before = length(license.license_id)

    result = lose(activation_id)

    assert (type(result), result.code) == (Refused, "not-active")
    assert length(license.license_id) == before


def test_only_a_lost_activation_has_a_case(activation_id: str) -> None:
    result = ask(activation_id)

    assert (type(result), result.code) == (Refused, "not-lost")


def test_one_case_at_a_time(activation_id: str) -> None:
    opened(activation_id)

    result = ask(activation_id, actor=LEAD)

    assert (type(result), result.code) == (Refused, "restoration-open")
    assert Restoration.objects.count() == 1


def test_the_reason_is_due(license: LicenseCreated, activation_id: str) -> None:
    assert lose(activation_id, reason=" ").code == "reason-missing"
    case = opened(activation_id)
    assert ask(activation_id, reason="").code == "reason-missing"
    before = length(license.license_id)
    assert decide(approve_restoration, case, reason="").code == "reason-missing"
    assert length(license.license_id) == before


def test_identifiers_as_people_type_them(license: LicenseCreated, activation_id: str) -> None:
    assert lose(activation_id.lower().replace("-", " ")) == MarkedLost(license.license_id, activation_id)
    case = ask(activation_id.lower()).restoration_id
    assert decide(approve_restoration, case.lower()).restoration_id == case


@pytest.mark.usefixtures("license")
def test_what_does_not_exist_is_told_from_a_typo() -> None:
    from chariot_license.protocol.codes import format_public_id

    activation, case = format_public_id("ACT", bytes(10)), format_public_id("RES", bytes(10))
    wrong = "0" if activation[-1] != "0" else "1"
    codes = [
        lose(activation).code,
        lose(activation[:-1] + wrong).code,
        ask(activation).code,
        ask("LIC" + activation[3:]).code,
        decide(approve_restoration, case).code,
        decide(deny_restoration, case[:-3]).code,
    ]
    assert codes == [
        "activation-unknown",
        "activation-id-typo",
        "activation-unknown",
        "activation-id-other-kind",
        "restoration-unknown",
        "restoration-id-length",
    ]


@pytest.mark.parametrize("actor", [actor for actor in EVERYONE if actor not in (AGENT, LEAD)])
def test_who_may_not_lose_or_ask(license: LicenseCreated, activation_id: str, actor: object) -> None:
    assert lose(activation_id, actor=actor).code == "not-allowed"
    lose(activation_id)
    before = length(license.license_id)
    assert ask(activation_id, actor=actor).code == "not-allowed"
    assert length(license.license_id) == before


@pytest.mark.parametrize("actor", [actor for actor in EVERYONE if actor is not LEAD])
def test_only_a_lead_decides(activation_id: str, actor: object) -> None:
    case = opened(activation_id, actor=SECOND_LEAD)

    assert decide(approve_restoration, case, actor=actor).code == "not-allowed"
    assert decide(deny_restoration, case, actor=actor).code == "not-allowed"
    assert Restoration.objects.get().state == "requested"
