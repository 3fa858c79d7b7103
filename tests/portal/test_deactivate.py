"""Deactivation codes: what they free, what they settle, and what they are too late for."""

from __future__ import annotations

import pytest

from activations.domain.words import Choice
from activations.models import Activation, Restoration, RevealedCode, Tombstone
from activations.services.deactivate import Deactivated, deactivate_activation
from activations.services.licenses import LicenseCreated
from activations.services.losses import RestorationCase, approve_restoration, mark_lost, request_restoration
from activations.services.results import BadInput, Refused
from tests.portal.cast import (
    AGENT,
    EVERYONE,
    LEAD,
    SOURCE,
    answered,
    entries,
    issue,
    length,
    make_license,
    occupied,
)
from tests.portal.chariot import Chariot, host


@pytest.fixture
def pump(license: LicenseCreated) -> Chariot:
    chariot = Chariot(license.license_key, host("pump-house"))
    chariot.install(answered(chariot.request()))
    return chariot


def deactivate(license: LicenseCreated, code: str, *, actor: object = AGENT) -> Deactivated | Refused | BadInput:
    return deactivate_activation(license_id=license.license_id, code=code, actor=actor, source=SOURCE)  # type: ignore[arg-type]


def effect(license: LicenseCreated, code: str) -> str:
    result = deactivate(license, code)
    assert isinstance(result, Deactivated), result
    return result.effect


def refusal(license: LicenseCreated, code: str, **how: object) -> tuple[type, str]:
    result = deactivate(license, code, **how)
    assert isinstance(result, Refused | BadInput), result
    return type(result), result.code


def kinds(license: LicenseCreated, after: int) -> list[str]:
    found = entries(license.license_id, after=after)
    assert all((actor, reason) == ("agent", "") for _, actor, _, reason in found), found
    return [kind for _, _, kind, _ in found]


def lost(chariot: Chariot) -> str:
    activation_id = Activation.objects.get(instance__thumbprint=chariot.name, state="active").activation_id
    mark_lost(activation_id=activation_id, actor=AGENT, source=SOURCE, reason="flooded")
    return activation_id


def test_a_code_frees_the_seat(license: LicenseCreated, pump: Chariot) -> None:
    activation_id, before = Activation.objects.get().activation_id, length(license.license_id)

    result = deactivate(license, pump.deactivate())

    assert isinstance(result, Deactivated)
    assert (result.activation_id, result.effect) == (activation_id, "freed")
    assert kinds(license, before) == ["activation.deactivated"]
    assert (Activation.objects.get().state, occupied(license.license_id)) == ("deactivated", 0)


def test_twice_gives_the_same_answer_and_is_booked_once(license: LicenseCreated, pump: Chariot) -> None:
    code = pump.deactivate()
    deactivate(license, code)
    before = length(license.license_id)

    again = deactivate(license, code)

    assert isinstance(again, Deactivated)
    assert (again.activation_id, again.effect) == (Activation.objects.get().activation_id, "repeated")
    assert length(license.license_id) == before
    assert RevealedCode.objects.count() == 1


def test_the_code_as_people_type_it(license: LicenseCreated, pump: Chariot) -> None:
    code = pump.deactivate().lower().replace("-", " ").replace("0", "o").replace("1", "l")
    typed = LicenseCreated(license.license_id.lower().replace("-", " "), license.license_key)

    assert effect(typed, code) == "freed"


def test_a_code_that_was_never_installed_frees_too(license: LicenseCreated) -> None:
    """The answer was issued but never reached the host, which then deactivates (Design 9.1)."""
    pump = Chariot(license.license_key, host("pump-house"))
    answered(pump.request())

    assert effect(license, pump.deactivate()) == "freed"


def test_a_lost_activation_is_freed_without_a_restoration(license: LicenseCreated, pump: Chariot) -> None:
    case = request_restoration(activation_id=lost(pump), actor=AGENT, source=SOURCE, reason="flooded")
    assert isinstance(case, RestorationCase)
    before = length(license.license_id)

    assert effect(license, pump.deactivate()) == "freed"

    assert kinds(license, before) == ["restoration.closed", "activation.deactivated"]
    assert Restoration.objects.get().state == "closed"
    assert occupied(license.license_id) == 0


def test_a_restored_activation_is_settled(license: LicenseCreated, pump: Chariot) -> None:
    case = request_restoration(activation_id=lost(pump), actor=AGENT, source=SOURCE, reason="flooded")
    assert isinstance(case, RestorationCase)
    approve_restoration(restoration_id=case.restoration_id, actor=LEAD, source=SOURCE, reason="photos")
    before, code = length(license.license_id), pump.deactivate()

    assert effect(license, code) == "settled"

    assert kinds(license, before) == ["tombstone.settled"]
    assert Tombstone.objects.get().settled_at is not None
    assert Activation.objects.get().state == "restored"
    assert effect(license, code) == "repeated"


def test_a_displaced_chariot_settles_its_tombstone_and_not_its_successor(
    license: LicenseCreated, pump: Chariot
) -> None:
    fresh = pump.reinstalled()
    fresh.install(answered(fresh.request(), Choice.REINSTALLED))

    assert effect(license, pump.deactivate()) == "settled"
    assert occupied(license.license_id) == 1
    assert effect(license, fresh.deactivate()) == "freed"


def test_a_code_settles_every_case_of_its_chariot(license: LicenseCreated, pump: Chariot) -> None:
    """Moved to other hardware, then reinstalled there: two tombstones of one Instance, one code."""
    pump.facts = host("pump-house-2")
    pump.install(answered(pump.request(), Choice.REBIND, actor=LEAD, reason="lightning"))
    fresh = pump.reinstalled()
    fresh.install(answered(fresh.request(), Choice.REINSTALLED))
    before = length(license.license_id)

    assert effect(license, pump.deactivate()) == "settled"

    assert kinds(license, before) == ["tombstone.settled", "tombstone.settled"]
    assert not Tombstone.objects.filter(settled_at=None).exists()


def test_the_code_of_a_tenure_that_was_lost_again_is_not_a_repetition(license: LicenseCreated, pump: Chariot) -> None:
    """Freed once; put back from a snapshot with the same secret, activated, lost and restored: settles that case."""
    snapshot = pump.snapshot()
    code = pump.deactivate()
    assert effect(license, code) == "freed"
    answered(snapshot.request(), Choice.RESTORED_BACKUP, actor=LEAD, reason="backup")
    case = request_restoration(activation_id=lost(snapshot), actor=AGENT, source=SOURCE, reason="flooded")
    assert isinstance(case, RestorationCase)
    approve_restoration(restoration_id=case.restoration_id, actor=LEAD, source=SOURCE, reason="photos")

    assert effect(license, code) == "settled"
    assert effect(license, code) == "repeated"


def test_each_acceptance_of_a_backup_starts_a_new_account_of_codes(license: LicenseCreated, pump: Chariot) -> None:
    """The same code counts again after a lead accepted the state from before it, and ends that state too."""
    snapshot, other = pump.snapshot(), pump.snapshot()
    assert effect(license, pump.deactivate()) == "freed"
    snapshot.install(answered(snapshot.request(), Choice.RESTORED_BACKUP, actor=LEAD, reason="backup"))
    assert effect(license, snapshot.deactivate()) == "freed"

    other.counter = snapshot.counter
    assert issue(other.request()).decision.code == "deactivated-earlier"


def test_an_old_code_does_not_free_what_was_activated_since(license: LicenseCreated, pump: Chariot) -> None:
    """Deactivated on the host, the code never mailed, activated again: the old code must not free the new tenure."""
    old = pump.deactivate()
    pump.install(answered(pump.request()))
    before = length(license.license_id)

    assert refusal(license, old) == (Refused, "code-outdated")

    assert length(license.license_id) == before
    assert effect(license, pump.deactivate()) == "freed"


def test_a_code_frees_only_on_its_own_license(license: LicenseCreated, pump: Chariot) -> None:
    other = make_license()

    assert refusal(other, pump.deactivate()) == (Refused, "code-unknown")
    assert occupied(license.license_id) == 1


def test_a_chariot_that_never_got_an_activation_has_nothing_to_free(signing_keys: None) -> None:
    license = make_license(allowed=1)
    answered(Chariot(license.license_key, host("pump-house")).request())
    mill = Chariot(license.license_key, host("mill"))
    issue(mill.request())

    assert refusal(license, mill.deactivate()) == (Refused, "no-activation-held")


def test_typos_are_named_as_typos(license: LicenseCreated, pump: Chariot) -> None:
    code = pump.deactivate()
    wrong = code[:-1] + ("0" if code[-1] != "0" else "2")

    assert refusal(license, wrong) == (BadInput, "deactivation-code-typo")
    assert refusal(license, code[:-2]) == (BadInput, "deactivation-code-length")
    mistyped = LicenseCreated(license.license_id[:-1] + ("0" if license.license_id[-1] != "0" else "2"), "")
    assert refusal(mistyped, code) == (BadInput, "license-id-typo")


@pytest.mark.parametrize("actor", [actor for actor in EVERYONE if actor not in (AGENT, LEAD)])
def test_who_may_not_deactivate(license: LicenseCreated, pump: Chariot, actor: object) -> None:
    assert refusal(license, pump.deactivate(), actor=actor) == (Refused, "not-allowed")
    assert occupied(license.license_id) == 1
