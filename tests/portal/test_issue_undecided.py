"""Usage Requests that never reach the decision table: who may not, keys and numbers that do not fit, no signing key."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from activations.models import Activation, IntakeEntry, KeyPurpose, UsageRequest
from activations.services import intake
from activations.services.checkpoints import checkpoint_ledger
from activations.services.issue import submit_usage_request
from activations.services.licenses import LicenseCreated, replace_license_key
from activations.services.results import BadInput, Refused, Unanswerable
from activations.services.signing import NoSigningKey, rotate_key
from tests.portal.cast import (
    ADMINISTRATOR,
    AGENT,
    AUDITOR,
    EVERYONE,
    LEAD,
    MANAGER,
    SOURCE,
    answered,
    entries,
    issue,
    length,
    make_license,
    occupied,
)
from tests.portal.chariot import Chariot, host


def submitted(text: str | bytes, actor: object = AGENT) -> Refused | BadInput:
    result = submit_usage_request(source=text, actor=actor, origin=SOURCE)  # type: ignore[arg-type]
    assert isinstance(result, Refused | BadInput), result
    return result


@pytest.mark.parametrize("actor", [actor for actor in EVERYONE if actor not in (AGENT, LEAD)])
def test_who_may_not_issue(license: LicenseCreated, actor: object) -> None:
    before = length(license.license_id)

    result = submitted(Chariot(license.license_key, host("pump-house")).request(), actor)

    assert (type(result), result.code) == (Refused, "not-allowed")
    assert length(license.license_id) == before
    assert not IntakeEntry.objects.exists()


def test_a_key_replaced_meanwhile_is_noticed_under_the_lock(
    license: LicenseCreated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The License Key leaks and is replaced after the request was read and before its license is locked."""
    read = intake.read_pasted

    def read_then_replace(source: str | bytes) -> object:
        found = read(source)
        replace_license_key(license_id=license.license_id, actor=MANAGER, source=SOURCE, reason="leaked")
        return found

    monkeypatch.setattr("activations.services.issue.read_pasted", read_then_replace)

    result = submitted(Chariot(license.license_key, host("pump-house")).request())

    assert (type(result), result.code) == (Unanswerable, "license-key-replaced")
    assert occupied(license.license_id) == 0
    assert [kind for _, _, kind, _ in entries(license.license_id)] == ["license.created", "license.key_replaced"]
    assert IntakeEntry.objects.get().code == "license-key-replaced"


def test_the_number_of_another_request_is_not_taken_for_it(license: LicenseCreated) -> None:
    pump = Chariot(license.license_key, host("pump-house"))
    answered(pump.request(request_id=b"\x07" * 16))
    other = make_license()
    before = length(license.license_id)

    foreign = submitted(Chariot(other.license_key, host("mill")).request(request_id=b"\x07" * 16))
    own = submitted(pump.request(request_id=b"\x07" * 16))

    assert (foreign.code, own.code) == ("request-id-repeated", "request-id-repeated")
    assert length(license.license_id) == before
    assert [kind for _, _, kind, _ in entries(other.license_id)] == ["license.created"]
    assert [entry.license_id is not None for entry in IntakeEntry.objects.all()] == [True, True]


def test_without_a_valid_signing_key_nothing_is_booked(license: LicenseCreated) -> None:
    text = Chariot(license.license_key, host("pump-house")).request()

    with time_machine.travel(timezone.now() + timedelta(days=4 * 365)), pytest.raises(NoSigningKey, match="rotate"):
        issue(text)

    assert not Activation.objects.exists()
    assert not UsageRequest.objects.exists()
    assert length(license.license_id) == 1


def test_a_key_made_while_the_clock_was_ahead_signs_what_is_booked_at_that_time(license: LicenseCreated) -> None:
    """Entries are never dated before the last checkpoint, so the dry run asks about that time, not the machine's."""
    with time_machine.travel(timezone.now() + timedelta(days=2)):
        checkpoint_ledger(actor=ADMINISTRATOR)
        rotate_key(purpose=KeyPurpose.USAGE_LICENSE, name="later", actor=ADMINISTRATOR, source=SOURCE)

    text = Chariot(license.license_key, host("pump-house")).request()

    assert issue(text, dry_run=True).decision.code == "activated"
    assert issue(text).usage_license is not None


def test_an_auditor_sees_no_decision(license: LicenseCreated) -> None:
    text = Chariot(license.license_key, host("pump-house")).request()

    assert isinstance(submit_usage_request(source=text, actor=AUDITOR, origin=SOURCE, dry_run=True), Refused)
