"""The past over the API: it says what the service says, and for random histories what the ledger folds to."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from chariot_license.protocol.codes import format_public_id
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from activations.domain.estate import line_of
from activations.domain.fold import LicenseState, fold
from activations.domain.ledger import read_body
from activations.domain.scopes import Scope
from activations.domain.words import LicenseStatus
from activations.models import LedgerEntry
from activations.services.as_of import license_as_of, licenses_as_of, line_json
from activations.services.licenses import LicenseChange, LicenseCreated, change_license
from tests.api.calling import Answer, Caller, machine, person, staff_account
from tests.api.situations import lost, open_case, running
from tests.portal.cast import AUDITOR, MANAGER, SOURCE, make_license
from tests.portal.test_histories import Histories

pytestmark = pytest.mark.django_db


@pytest.fixture
def archive(signing_keys: None) -> Caller:
    return machine(Scope.READ_LEDGER, name="archive", rate=6000)


def refused(answer: Answer, status: int, code: str) -> Answer:
    assert (answer.status, answer.code) == (status, code), answer
    return answer


def written(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"


def plain(value: object) -> Any:
    """As it looks after a journey as JSON."""
    return json.loads(json.dumps(value))


@pytest.fixture
def days(archive: Caller) -> dict[str, Any]:
    """Three days: a license with three hosts; one is lost and its case opened; then the license is suspended."""
    start = timezone.now().replace(hour=12) + timedelta(days=2)
    moment = {"now": start}
    with mock.patch.object(timezone, "now", side_effect=lambda: moment["now"]):
        one = make_license(allowed=4)
        running(one, "pump-house")
        running(one, "mill")
        moment["now"] += timedelta(days=1)
        open_case(one, "shed")
        two = make_license(customer="Beta Mills", allowed=5)
        moment["now"] += timedelta(days=1)
        suspend = LicenseChange(status=LicenseStatus.SUSPENDED)
        change_license(license_id=one.license_id, change=suspend, actor=MANAGER, source=SOURCE, reason="unpaid")
    return {"first": start, "one": one.license_id, "two": two.license_id}


def end_of(days: dict[str, Any], number: int) -> datetime:
    at: datetime = days["first"] + timedelta(days=number)
    return at.replace(hour=23, minute=59, second=59)


def test_a_license_on_each_day_is_what_the_service_says(archive: Caller, days: dict[str, Any]) -> None:
    seen = []
    for number in range(3):
        at = end_of(days, number)
        answer = archive.get(f"/as-of/licenses/{days['one']}", at=written(at))
        then = license_as_of(license_id=days["one"], at=at, actor=AUDITOR)
        assert answer.json == plain(then.as_json())  # type: ignore[union-attr]
        seen.append((answer["status"], answer["active"], answer["lost"], answer["free"], len(answer["restorations"])))
    assert seen == [("active", 2, 0, 2, 0), ("active", 2, 1, 1, 1), ("suspended", 2, 1, 1, 1)]


def test_everything_and_one_customer_on_each_day(archive: Caller, days: dict[str, Any]) -> None:
    for number in range(3):
        for customer in ("", "Acme Water", "Beta Mills"):
            at = end_of(days, number)
            asked = {"at": written(at), **({"customer": customer} if customer else {})}
            answer = archive.get("/as-of/licenses", **asked)
            if (number, customer) == (0, "Beta Mills"):
                refused(answer, 404, "customer-unknown")
                continue
            then = licenses_as_of(at=at, customer=customer, actor=AUDITOR)
            assert answer.json == plain(then.as_json())  # type: ignore[union-attr]
    everything = archive.get("/as-of/licenses", at=written(end_of(days, 2)))
    assert (everything["licenses"], everything["suspended"], everything["allowed"]) == (2, 1, 9)
    assert everything["customer"] is None


def test_the_very_time_of_a_booking_counts_and_any_time_zone_will_do(archive: Caller, days: dict[str, Any]) -> None:
    row = LedgerEntry.objects.get(chain=days["one"], kind="license.suspended")
    path = f"/as-of/licenses/{days['one']}"
    assert archive.get(path, at=written(row.at))["status"] == "suspended"
    assert archive.get(path, at=written(row.at - timedelta(microseconds=1)))["status"] == "active"
    elsewhere = (row.at + timedelta(hours=5, minutes=30)).replace(tzinfo=None).isoformat() + "+05:30"
    answer = archive.get(path, at=elsewhere)
    assert (answer["status"], answer["at"]) == ("suspended", written(row.at))
    assert archive.get(path, at=row.at.replace(tzinfo=None).isoformat())["at"] == written(
        row.at
    )  # UTC where none is named


def test_without_a_time_it_is_now(archive: Caller, license: LicenseCreated) -> None:
    lost(license, "pump-house")
    before = timezone.now()
    answer = archive.get(f"/as-of/licenses/{license.license_id.lower()}")
    assert (answer["license_id"], answer["lost"]) == (license.license_id, 1)
    assert written(before) <= answer["at"] <= written(timezone.now())
    assert [entry["seq"] for entry in answer["entries"]] == list(range(1, len(answer["entries"]) + 1))
    assert archive.get("/as-of/licenses")["lost"] == 1


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"at": "yesterday"}, 400, "invalid"),
        ({"at": "2026-02-30T00:00:00Z"}, 400, "invalid"),
        ({"at": "0001-01-01T00:00:00+23:59"}, 400, "invalid"),
        ({"at": "9999-12-31T23:59:59-23:59"}, 400, "invalid"),
        ({"at": ""}, 400, "invalid"),
        ({"at": "1 January 2026"}, 400, "invalid"),
        ({"at": ["2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"]}, 400, "unreadable"),
        ({"on": "2026-01-01T00:00:00Z"}, 400, "invalid"),
        ({"at": "2020-01-01T00:00:00Z"}, 422, "license-not-yet"),
    ],
)
def test_times_that_cannot_be_told(
    archive: Caller, license: LicenseCreated, asked: dict[str, Any], status: int, code: str
) -> None:
    refused(archive.get(f"/as-of/licenses/{license.license_id}", **asked), status, code)
    if status == 400:
        refused(archive.get("/as-of/licenses", **asked), status, code)


def test_what_there_never_was(archive: Caller, license: LicenseCreated) -> None:
    refused(archive.get(f"/as-of/licenses/{format_public_id('LIC', bytes(10))}"), 404, "license-unknown")
    refused(archive.get("/as-of/licenses/LIC-1"), 422, "license-id-length")
    refused(archive.get("/as-of/licenses", customer="Nobody"), 404, "customer-unknown")
    refused(archive.get("/as-of/licenses", customer='"}{'), 404, "customer-unknown")
    refused(archive.get("/as-of/licenses", page=2), 404, "page-unknown")
    for page in (0, -1, "x", 1_000_001):
        refused(archive.get("/as-of/licenses", page=page), 400, "invalid")


def test_licenses_come_in_pages(archive: Caller) -> None:
    made = sorted(make_license(customer="Acme Water").license_id for _ in range(52))
    first, second = archive.get("/as-of/licenses"), archive.get("/as-of/licenses", page=2)
    assert [line["license_id"] for page in (first, second) for line in page["license_lines"]] == made
    assert (first["pages"], first["licenses"], second["page"]) == (2, 52, 2)
    theirs = archive.get("/as-of/licenses", customer="Acme Water", page=2)
    assert [line["license_id"] for line in theirs["license_lines"]] == made[50:]


class Asked(Histories):
    """The random histories of two licenses; what held at each time is asked over the API."""

    def __init__(self) -> None:
        super().__init__()
        staff_account("auditor")

    def check_the_past(self, at: datetime, tables: dict[str, LicenseState]) -> None:
        auditor = person("auditor")
        lines = []
        for license_id, state in tables.items():
            bodies = (
                LedgerEntry.objects.filter(chain=license_id, at__lte=at).order_by("seq").values_list("body", flat=True)
            )
            folded = fold(map(read_body, bodies))
            assert folded.differences(state) == []
            answer = auditor.get(f"/as-of/licenses/{license_id}", at=written(at))
            line = line_of(license_id, folded)
            lines.append(plain(line_json(line)))
            assert {name: answer[name] for name in lines[-1]} == lines[-1]
            assert answer["seats"] == plain(folded.seats)
            assert {each["activation_id"]: each["state"] for each in answer["activations"]} == {
                name: str(row["state"]) for name, row in folded.activations.items()
            }
            assert [each["restoration_id"] for each in answer["restorations"]] == sorted(folded.restorations)
            assert len(answer["entries"]) == len(bodies)
        for customer in ["", *{line["customer"] for line in lines}]:
            found = auditor.get("/as-of/licenses", at=written(at), **({"customer": customer} if customer else {}))
            theirs = sorted(
                (line for line in lines if customer in ("", line["customer"])), key=lambda line: str(line["license_id"])
            )
            assert found["license_lines"] == theirs
            for name in ("allowed", "active", "lost", "free"):
                assert found[name] == sum(line[name] for line in theirs)


@pytest.mark.usefixtures("signing_keys")
def test_random_histories_are_told_as_the_ledger_folds() -> None:
    run_state_machine_as_test(
        Asked,
        settings=settings(
            max_examples=5,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
