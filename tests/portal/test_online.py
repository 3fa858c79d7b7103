"""The online door: who gets a Usage License without a person, what waits on the desk, and what asking again books."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from chariot_license.protocol.block import Kind
from chariot_license.protocol.reader import read_block
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from activations.domain.online import most_new_a_day
from activations.domain.words import Choice, LicenseStatus
from activations.models import Instance, IntakeEntry, LedgerEntry, License, UsageLicense, UsageRequest
from activations.services.deactivate import deactivate_activation
from activations.services.issue import submit_usage_request
from activations.services.ledger_checks import verify_ledger
from activations.services.licenses import LicenseChange, LicenseCreated, change_license, replace_license_key
from activations.services.online import MOST_TEXT, Answered, Waiting, answer_online
from activations.services.results import BadInput, Refused
from tests.portal.cast import (
    AGENT,
    LEAD,
    MANAGER,
    SOURCE,
    answered,
    entries,
    issue,
    length,
    license_row,
    make_keys,
    make_license,
    occupied,
)
from tests.portal.chariot import Chariot, host
from tests.portal.licensing import change

RECEIVED, PENDING, REFUSED = "request.received", "request.pending", "request.refused"
NEW = [RECEIVED, "activation.created", "usage_license.issued"]


@pytest.fixture
def online(signing_keys: None) -> LicenseCreated:
    """A license with two allowed activations that allows online activation."""
    return make_license(allowed=2, online=True)


def booked(license: LicenseCreated, after: int, actor: str = "online") -> list[str]:
    """The kinds of the entries after `after`, every one by the door and without a reason."""
    found = entries(license.license_id, after=after)
    assert all((by, reason) == (actor, "") for _, by, _, reason in found), found
    return [kind for _, _, kind, _ in found]


def given(text: str) -> Answered:
    result = answer_online(source=text)
    assert isinstance(result, Answered), result
    return result


def waits(text: str) -> Waiting:
    result = answer_online(source=text)
    assert isinstance(result, Waiting), result
    return result


def refused(text: str) -> Refused:
    result = answer_online(source=text)
    assert isinstance(result, Refused), result
    return result


def assert_sound() -> None:
    checked = verify_ledger(rebuild_check=True)
    assert [problem for problem in checked.problems if "checkpoint" not in problem] == []


def test_a_license_says_once_that_it_may_be_activated_online(signing_keys: None) -> None:
    told, quiet = make_license(online=True), make_license(customer="Beta Mills")

    created = dict(LedgerEntry.objects.filter(seq=1).values_list("chain", "body"))
    assert '"online":true' in created[told.license_id]
    assert "online" not in created[quiet.license_id]
    assert license_row(told.license_id).online
    assert not license_row(quiet.license_id).online


def test_it_is_a_change_of_the_license_and_none_of_its_terms(license: LicenseCreated) -> None:
    result = change(license, online=True)

    assert (result.changes, result.terms_revision, result.online) == (("license.online_changed",), 1, True)
    assert LedgerEntry.objects.get(chain=license.license_id, seq=2).body.count('"data":{"online":true}') == 1
    assert license_row(license.license_id).online
    assert isinstance(change_result(license, online=True), Refused)
    assert change(license, online=False).changes == ("license.online_changed",)
    assert_sound()


def change_result(license: LicenseCreated, **what: Any) -> object:
    return change_license(
        license_id=license.license_id, change=LicenseChange(**what), actor=MANAGER, source=SOURCE, reason="agreed"
    )


def test_who_may_not_change_terms_may_not_allow_it(license: LicenseCreated) -> None:
    done = change_license(
        license_id=license.license_id, change=LicenseChange(online=True), actor=LEAD, source=SOURCE, reason="wanted"
    )

    assert isinstance(done, Refused)
    assert done.code == "not-allowed"
    assert not license_row(license.license_id).online


def test_a_new_chariot_is_activated(online: LicenseCreated) -> None:
    pump = Chariot(online.license_key, host("pump-house"))
    text = pump.request()

    result = given(f"Hello,\n{text}\nmy License Key is {online.license_key}")

    granted = pump.install(result.usage_license)
    assert (result.outcome, result.code) == ("issued", "activated")
    assert (result.license_id, result.activation_id) == (granted.license_id, granted.activation_id)
    assert (result.usage_license_id, result.message) == (
        granted.usage_license_id,
        "Here is the Usage License for your Chariot.",
    )
    assert booked(online, 1) == NEW
    request = UsageRequest.objects.get()
    assert (request.received, request.received_by) == (text, "online"), "of the text only the block is kept"
    sources = LedgerEntry.objects.filter(chain=online.license_id, seq__gt=1).values_list("source", flat=True)
    assert set(sources) == {f"online:request:{request.request_id}"}
    assert occupied(online.license_id) == 1
    assert_sound()


def test_asking_again_gives_the_same_bytes_and_books_nothing_that_day(online: LicenseCreated) -> None:
    text = Chariot(online.license_key, host("pump-house")).request()
    first, before = given(text), length(online.license_id)

    for _ in range(20):
        again = given(text.lower())
        assert (again.outcome, again.usage_license) == ("re-sent", first.usage_license)

    assert booked(online, before) == []
    assert occupied(online.license_id) == 1


def test_a_day_later_it_is_booked_once_more(online: LicenseCreated, monkeypatch: pytest.MonkeyPatch) -> None:
    text = Chariot(online.license_key, host("pump-house")).request()
    given(text)
    before, now = length(online.license_id), timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(hours=25))

    for _ in range(5):
        assert given(text).outcome == "re-sent"

    assert booked(online, before) == ["usage_license.resent"]


def test_what_the_desk_answered_is_handed_out_and_booked_once(license: LicenseCreated) -> None:
    text = Chariot(license.license_key, host("pump-house")).request()
    sent, before = answered(text), length(license.license_id)

    results = [given(text) for _ in range(5)]

    assert {(one.outcome, one.usage_license) for one in results} == {("re-sent", sent)}
    assert booked(license, before) == ["usage_license.resent"], "although the license is not answered online"


def test_an_update_takes_no_seat(online: LicenseCreated) -> None:
    pump = Chariot(online.license_key, host("pump-house"))
    pump.install(given(pump.request()).usage_license)
    before = length(online.license_id)

    result = given(pump.request())

    assert (result.outcome, result.code) == ("issued", "updated")
    assert booked(online, before) == [RECEIVED, "activation.updated", "usage_license.issued"]
    assert occupied(online.license_id) == 1


def test_without_leave_it_waits_on_the_desk_and_staff_answer_it(license: LicenseCreated) -> None:
    pump = Chariot(license.license_key, host("pump-house"))
    text = pump.request()

    first = waits(text)

    assert (first.code, first.license_id, first.retry_after) == ("online-activation-off", license.license_id, 60)
    assert first.message.startswith(f"Usage Requests of license {license.license_id} are answered by Support. The ")
    assert booked(license, 1) == [RECEIVED, PENDING]
    assert [waits(text) for _ in range(10)] == [first] * 10, "polling is posting the same block"
    assert booked(license, 1) == [RECEIVED, PENDING]
    assert occupied(license.license_id) == 0
    request = UsageRequest.objects.get()
    assert (request.state, request.code, request.request_id) == ("pending", "online-activation-off", first.request_id)

    on_the_desk = issue(text)

    assert (on_the_desk.decision.code, on_the_desk.booked) == ("activated", True)
    before = length(license.license_id)
    assert given(text).usage_license == on_the_desk.usage_license
    assert booked(license, before) == ["usage_license.resent"]
    assert_sound()


def test_leave_that_comes_later_answers_what_waits(license: LicenseCreated) -> None:
    text = Chariot(license.license_key, host("pump-house")).request()
    waits(text)
    change(license, online=True)
    before = length(license.license_id)

    assert given(text).code == "activated"

    assert booked(license, before) == ["activation.created", "usage_license.issued"]
    assert_sound()


def test_what_a_person_must_decide_waits_once(online: LicenseCreated) -> None:
    given(Chariot(online.license_key, host("pump-house")).request())
    again = Chariot(online.license_key, host("pump-house")).request()
    before = length(online.license_id)

    found = [waits(again) for _ in range(5)]

    assert {one.code for one in found} == {"same-host"}
    assert booked(online, before) == [RECEIVED, PENDING]
    assert occupied(online.license_id) == 1
    done = issue(again, Choice.SECOND)
    assert given(again).usage_license == done.usage_license
    assert_sound()


def test_a_person_who_refuses_ends_it(license: LicenseCreated) -> None:
    text = Chariot(license.license_key, host("pump-house")).request()
    waits(text)
    issue(text, Choice.REFUSE, reason="not theirs")
    before = length(license.license_id)

    results = {refused(text).message for _ in range(5)}

    assert results == {
        "This Usage Request has been refused. Please make a new Usage Request on that Chariot (Offline > Generate "
        "Usage Request) and send it to us."
    }
    assert booked(license, before) == []


def test_without_a_seat_it_is_refused_once_and_answered_when_one_is_free(online: LicenseCreated) -> None:
    first, second, third = (Chariot(online.license_key, host(name)) for name in ("one", "two", "three"))
    for chariot in (first, second):
        chariot.install(given(chariot.request()).usage_license)
    text, before = third.request(), length(online.license_id)

    results = [refused(text) for _ in range(20)]

    assert {one.code for one in results} == {"no-seat"}
    assert results[0].detail == {"license_id": online.license_id, "request_id": UsageRequest.objects.first().request_id}  # type: ignore[union-attr]
    assert booked(online, before) == [RECEIVED, REFUSED]
    assert occupied(online.license_id) == 2
    deactivate_activation(license_id=online.license_id, code=first.deactivate(), actor=AGENT, source=SOURCE)
    before = length(online.license_id)
    assert given(text).code == "activated"
    assert booked(online, before) == ["activation.created", "usage_license.issued"]
    assert occupied(online.license_id) == 2
    assert_sound()


@pytest.mark.parametrize("status", [LicenseStatus.SUSPENDED, LicenseStatus.REVOKED])
def test_a_license_that_is_not_in_force_is_refused_once(online: LicenseCreated, status: LicenseStatus) -> None:
    change(online, status=status)
    text, before = Chariot(online.license_key, host("pump-house")).request(), length(online.license_id)

    assert {refused(text).code for _ in range(5)} == {f"license-{status.value}"}

    assert booked(online, before) == [RECEIVED, REFUSED]


def test_a_later_request_supersedes_the_one_that_waits(license: LicenseCreated) -> None:
    pump = Chariot(license.license_key, host("pump-house"))
    earlier, later = pump.request(), pump.request()
    waits(earlier)
    before = length(license.license_id)

    waits(later)
    assert {refused(earlier).code for _ in range(5)} == {"superseded"}

    assert booked(license, before) == [RECEIVED, REFUSED, PENDING]


@pytest.mark.parametrize("kind", ["nothing", "damaged", "license", "large", "empty"])
def test_what_is_no_usage_request_is_answered_and_not_kept(online: LicenseCreated, kind: str) -> None:
    text = Chariot(online.license_key, host("pump-house")).request()
    lines = text.splitlines()
    texts = {
        "nothing": "Hello",
        "damaged": "\n".join([*lines[:2], *lines[6:]]),
        "license": given(Chariot(online.license_key, host("weir")).request()).usage_license,
        "large": text + "x" * MOST_TEXT,
        "empty": "",
    }
    before = length(online.license_id)

    result = answer_online(source=texts[kind])

    codes = {
        "nothing": "no-block",
        "damaged": "block-damaged",
        "license": "wrong-kind",
        "large": "input-too-large",
        "empty": "no-block",
    }
    assert isinstance(result, BadInput)
    assert result.code == codes[kind]
    assert not IntakeEntry.objects.exists()
    assert length(online.license_id) == before


def test_who_proves_nothing_learns_nothing_and_leaves_nothing(online: LicenseCreated) -> None:
    """The lookup id stands in every Usage Request: with it alone nobody learns whose license that is."""
    pump = Chariot(online.license_key, host("pump-house"))
    unknown = Chariot(make_license(customer="Beta Mills").license_key, host("mill"))
    old = unknown.request()
    replace_license_key(license_id=licenses_of("Beta Mills"), actor=MANAGER, source=SOURCE, reason="leaked")
    before = length(online.license_id)

    forged, retired = refused(pump.request(proof=bytes(16))), refused(old)

    assert (forged.code, forged.detail, retired.code, retired.detail) == (
        "license-proof-wrong",
        {},
        "license-key-replaced",
        {},
    )
    assert "LIC-" not in forged.message + retired.message
    assert not IntakeEntry.objects.exists()
    assert not Instance.objects.exists()
    assert length(online.license_id) == before


def licenses_of(customer: str) -> str:
    return License.objects.get(customer__name=customer).license_id


def test_the_same_number_with_another_content_is_refused(online: LicenseCreated) -> None:
    pump = Chariot(online.license_key, host("pump-house"))
    given(pump.request())
    assert pump.pending is not None
    before = length(online.license_id)

    result = refused(pump.request(request_id=pump.pending, hostname="elsewhere"))

    assert (result.code, result.detail) == ("request-id-repeated", {"license_id": online.license_id})
    assert booked(online, before) == []
    assert not IntakeEntry.objects.exists()


def test_a_key_holder_cannot_fill_the_ledger(signing_keys: None) -> None:
    license = make_license(allowed=1)
    most = most_new_a_day(1)
    texts = [Chariot(license.license_key, host(f"host-{number}")).request() for number in range(most + 3)]

    codes = Counter(getattr(answer_online(source=text), "code", "") for text in texts)

    assert codes == {"online-activation-off": most, "too-many-new-requests": 3}
    assert length(license.license_id) == 1 + 2 * most
    assert Instance.objects.count() == most
    assert waits(texts[0]).code == "online-activation-off", "what is known is answered"
    assert issue(texts[-1]).decision.code == "activated", "the desk takes what the door does not"


def test_the_dry_run_on_the_desk_says_that_it_came_in_online(license: LicenseCreated, sign_in: Any) -> None:
    text = Chariot(license.license_key, host("pump-house")).request()
    waiting = waits(text)
    agent = sign_in("agent")

    listed = agent.get("/admin/desk/")
    shown = agent.get(reverse("admin:desk_request", args=[waiting.request_id]))

    assert "Came in online, and this license is answered by Support" in listed.words
    assert "came in online from its host" in shown.words
    assert "New activation" in shown.words


@pytest.mark.django_db(transaction=True)
def test_many_at_the_door_get_the_last_seats_once() -> None:
    """Threads with connections of their own; on SQLite they queue for the database, on PostgreSQL for the license."""
    make_keys()
    license = make_license(allowed=3, online=True)
    many = 24 if connection.vendor == "postgresql" else 8
    texts = [Chariot(license.license_key, host(f"host-{number}")).request() for number in range(many)]
    texts += texts[:4]  # some ask twice at once
    results: list[Any] = [None] * len(texts)
    gate = threading.Barrier(len(texts))

    def ask(number: int) -> None:
        try:
            gate.wait(30)
            results[number] = answer_online(source=texts[number])
        except Exception as error:
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    failed = [one for one in results if not isinstance(one, Answered | Refused)]
    assert failed == []
    given_out = {one.usage_license for one in results if isinstance(one, Answered)}
    assert len(given_out) == UsageLicense.objects.count() == occupied(license.license_id) == 3
    assert {one.code for one in results if isinstance(one, Refused)} == {"no-seat"}
    kinds = Counter(booked(license, 1))
    assert kinds == {
        RECEIVED: many,
        "activation.created": 3,
        "usage_license.issued": 3,
        REFUSED: many - 3,
    }
    assert all(read_block(text, Kind.LICENSE).data for text in given_out)
    assert_sound()


def test_the_desk_still_keeps_what_proves_nothing(license: LicenseCreated) -> None:
    submit_usage_request(source="Hello", actor=AGENT, origin=SOURCE)

    assert IntakeEntry.objects.get().code == "no-block"
