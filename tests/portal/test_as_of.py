"""The past as the ledger tells it: a license, a customer, everything, at the end of any day; service, page, command."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.urls import reverse
from django.utils import timezone

from activations.domain.words import Choice, LicenseStatus
from activations.models import Activation, License
from activations.services.as_of import LicensesThen, LicenseThen, estate_json, license_as_of, licenses_as_of
from activations.services.deactivate import deactivate_activation
from activations.services.licenses import LicenseChange, LicenseCreated, change_license
from activations.services.losses import approve_restoration, mark_lost, request_restoration
from activations.services.results import BadInput, Refused
from tests.portal.cast import AGENT, AUDITOR, LEAD, MANAGER, SECOND_LEAD, SOURCE, answered, make_license
from tests.portal.chariot import Chariot, host
from tests.portal.commands.asking import answer
from tests.portal.web import signed_in


@pytest.fixture
def days(signing_keys: None) -> dict[str, Any]:
    """Eight days in the life of two licenses, something on each: `first` is the first day, `one` and `two` the ids."""
    start = timezone.now().replace(hour=12) + timedelta(days=2)
    moment = {"now": start}
    clock = mock.patch.object(timezone, "now", side_effect=lambda: moment["now"])
    with clock:
        one = make_license(customer="Acme Water", allowed=3)
        chariots = [Chariot(one.license_key, host(f"pump-{number}")) for number in range(3)]
        for chariot in chariots:
            chariot.install(answered(chariot.request()))
        moment["now"] += timedelta(days=1)  # 1: the first host is lost, a second license appears
        lost = Activation.objects.get(hostname="pump-0")
        done(mark_lost(activation_id=lost.activation_id, actor=AGENT, source=SOURCE, reason="flooded"))
        two = make_license(customer="Beta Mills", allowed=5)
        moment["now"] += timedelta(days=1)  # 2: the loss is restored
        case = done(request_restoration(activation_id=lost.activation_id, actor=LEAD, source=SOURCE, reason="flooded"))
        done(
            approve_restoration(
                restoration_id=case.restoration_id, actor=SECOND_LEAD, source=SOURCE, reason="seen the photos"
            )
        )
        moment["now"] += timedelta(days=1)  # 3: another is deactivated, fewer are allowed, the other is suspended
        code = chariots[1].deactivate()
        done(deactivate_activation(license_id=one.license_id, code=code, actor=AGENT, source=SOURCE))
        change(one, LicenseChange(allowed=2))
        change(two, LicenseChange(status=LicenseStatus.SUSPENDED))
        moment["now"] += timedelta(days=1)  # 4: the second goes to the first customer, and is reinstated
        change(two, LicenseChange(status=LicenseStatus.ACTIVE))
        change(two, LicenseChange(customer="Acme Water"))
        moment["now"] += timedelta(days=1)  # 5: the last host is lost, and found again on the next day
        last = Activation.objects.get(hostname="pump-2")
        done(mark_lost(activation_id=last.activation_id, actor=AGENT, source=SOURCE, reason="stolen"))
        moment["now"] += timedelta(days=1)
        answered(chariots[2].request(), Choice.FOUND_AGAIN)
        moment["now"] += timedelta(days=1)  # 7: the second is revoked
        change(two, LicenseChange(status=LicenseStatus.REVOKED))
    return {"first": start, "one": one.license_id, "two": two.license_id}


def done(result: Any) -> Any:
    assert not isinstance(result, Refused | BadInput), result
    return result


def change(license: LicenseCreated, what: LicenseChange) -> None:
    done(change_license(license_id=license.license_id, change=what, actor=MANAGER, source=SOURCE, reason="agreed"))


def end_of_day(days: dict[str, Any], number: int) -> datetime:
    at: datetime = days["first"] + timedelta(days=number)
    return at.replace(hour=23, minute=59, second=59)


def estate(days: dict[str, Any], number: int, customer: str = "") -> tuple[int, ...]:
    then = done(licenses_as_of(at=end_of_day(days, number), customer=customer, actor=AUDITOR))
    assert isinstance(then, LicensesThen)
    counted = estate_json(then.estate)
    assert counted["licenses"] == len(then.lines)
    for name in ("allowed", "active", "lost", "free"):
        assert counted[name] == sum(getattr(line, name) for line in then.lines)
    names = ("licenses", "allowed", "active", "lost", "free", "suspended", "revoked")
    return tuple(counted[name] for name in names)  # type: ignore[misc]


def test_everything_on_each_day(days: dict[str, Any]) -> None:
    assert [estate(days, number) for number in range(-1, 9)] == [
        (0, 0, 0, 0, 0, 0, 0),
        (1, 3, 3, 0, 0, 0, 0),
        (2, 8, 2, 1, 5, 0, 0),
        (2, 8, 2, 0, 6, 0, 0),
        (2, 7, 1, 0, 6, 1, 0),
        (2, 7, 1, 0, 6, 0, 0),
        (2, 7, 0, 1, 6, 0, 0),
        (2, 7, 1, 0, 6, 0, 0),
        (2, 7, 1, 0, 6, 0, 1),
        (2, 7, 1, 0, 6, 0, 1),
    ]


def test_a_customer_on_each_day_has_what_was_theirs_then(days: dict[str, Any]) -> None:
    assert [estate(days, number, "Acme Water")[:2] for number in (0, 3, 4)] == [(1, 3), (1, 2), (2, 7)]
    assert estate(days, 3, "Beta Mills") == (1, 5, 0, 0, 5, 1, 0)
    for number in (0, 4):  # not yet, and not any more
        none = licenses_as_of(at=end_of_day(days, number), customer="Beta Mills", actor=AUDITOR)
        assert isinstance(none, BadInput)
        assert none.code == "customer-unknown"


def test_a_license_is_told_with_the_entries_that_led_there(days: dict[str, Any]) -> None:
    then = done(license_as_of(license_id=days["one"].lower(), at=end_of_day(days, 2), actor=AUDITOR))
    assert isinstance(then, LicenseThen)
    assert (then.line.allowed, then.line.active, then.line.lost, then.line.free) == (3, 2, 0, 1)
    assert [entry.seq for entry in then.entries] == list(range(1, len(then.entries) + 1))
    assert then.entries[-1].kind == "tombstone.placed"
    states = {row["hostname"]: str(row["state"]) for row in then.state.activations.values()}
    assert states == {"pump-0": "restored", "pump-1": "active", "pump-2": "active"}


def test_what_cannot_be_told_says_why(days: dict[str, Any]) -> None:
    early = license_as_of(license_id=days["two"], at=end_of_day(days, 0), actor=AUDITOR)
    assert isinstance(early, BadInput)
    assert early.code == "license-not-yet"
    assert license_as_of(license_id="LIC-1", at=end_of_day(days, 0), actor=AUDITOR).code == "license-id-length"  # type: ignore[union-attr]
    assert isinstance(license_as_of(license_id=days["two"], at=end_of_day(days, 0), actor=AGENT), Refused)
    assert isinstance(licenses_as_of(at=end_of_day(days, 0), actor=AGENT), Refused)
    beyond = licenses_as_of(at=end_of_day(days, 0), actor=AUDITOR, page=2)
    assert isinstance(beyond, BadInput)
    assert beyond.code == "page-unknown"


def test_the_tables_of_today_do_not_matter(days: dict[str, Any]) -> None:
    """Somebody who changes the tables does not change the past."""
    before = estate(days, 3, "Beta Mills")
    License.objects.update(allowed=99)
    assert estate(days, 3, "Beta Mills") == before


def test_the_command(days: dict[str, Any]) -> None:
    signed_in("auditor")
    day = end_of_day(days, 3).date().isoformat()
    one = answer("as_of", days["one"], "--at", day)
    assert (one["license_id"], one["allowed"], one["active"]) == (days["one"], 2, 1)
    assert [row["state"] for row in one["activations"]].count("deactivated") == 1
    everything = answer("as_of", "--at", day, "--actor", "auditor")
    assert (everything["licenses"], everything["suspended"], everything["allowed"]) == (2, 1, 7)
    theirs = answer("as_of", "--customer", "Beta Mills", "--at", f"{day}T23:59:59Z")
    assert [line["license_id"] for line in theirs["license_lines"]] == [days["two"]]
    assert answer("as_of", "--at", "yesterday", exit_code=2)["code"] == "time-unreadable"
    assert answer("as_of", days["one"], "--customer", "Beta Mills", "--at", day, exit_code=2)["code"] == "usage"


def test_the_page(days: dict[str, Any]) -> None:
    browser, address = signed_in("auditor"), reverse("admin:audit_as_of")
    day = end_of_day(days, 2).date().isoformat()
    everything = browser.get(f"{address}?day={day}")
    assert days["one"] in everything.words
    assert "Beta Mills" in everything.words
    one = browser.get(f"{address}?day={day}&license={days['one']}").words
    assert "2 of 3 taken : 2 active, 0 lost, 1 free" in one
    assert "Restored, seat freed" in one
    assert "did not exist" in browser.get(f"{address}?day=2020-01-01&license={days['one']}").words
    assert "Write the day as year, month and day" in browser.get(f"{address}?day=soon").words
