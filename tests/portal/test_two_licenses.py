"""One Chariot under two licenses: bookings that concern both lock in one order, so that neither ends in a deadlock."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from activations.domain.words import RestorationState
from activations.models import Activation
from activations.services import recording, tombstones
from activations.services.losses import RestorationCase, approve_restoration, mark_lost, request_restoration
from tests.portal.cast import AGENT, LEAD, SOURCE, answered, issue, make_keys, make_license
from tests.portal.chariot import Chariot, host


@pytest.mark.django_db(transaction=True)
def test_a_lost_chariot_asks_for_another_license_while_its_case_is_approved(monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("one writer at a time: there is nothing to lock in another order")
    make_keys()
    one, other = make_license(), make_license(customer="Northern Paper Mill")
    pump = Chariot(other.license_key, host("pump-house"))
    pump.install(answered(pump.request()))
    lost = Activation.objects.get().activation_id
    mark_lost(activation_id=lost, actor=AGENT, source=SOURCE, reason="fire")
    case = request_restoration(activation_id=lost, actor=AGENT, source=SOURCE, reason="fire")
    assert isinstance(case, RestorationCase)
    assert issue(pump.request()).booked  # it waits for a lead
    pump.use_key(one.license_key)
    text = pump.request()
    # Each waits before its second lock, so that both hold their first: in two orders they would block each other.
    meeting = threading.Event()
    place, lock_chains = tombstones.place, recording.lock_chains

    def late(do: Callable[..., object]) -> Callable[..., object]:
        def wait_first(*given: object, **named: object) -> object:
            meeting.wait(1)
            return do(*given, **named)

        return wait_first

    monkeypatch.setattr(tombstones, "place", late(place))
    monkeypatch.setattr("activations.services.issue.lock_chains", late(lock_chains))
    results: dict[str, object] = {}

    def run(name: str, do: Callable[[], object]) -> None:
        try:
            results[name] = do()
        finally:
            connection.close()

    threads = [
        threading.Thread(target=run, args=["asked", lambda: issue(text).booked]),
        threading.Thread(
            target=run,
            args=[
                "approved",
                lambda: approve_restoration(
                    restoration_id=case.restoration_id, actor=LEAD, source=SOURCE, reason="photos"
                ),
            ],
        ),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.get("asked") is True
    approved = results.get("approved")
    assert isinstance(approved, RestorationCase)
    assert approved.state == RestorationState.APPROVED
