"""Figures by month: against the ledger gone through entry by entry, by who held a license then, and what is kept."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from activations.audit_queries import keeping
from activations.audit_queries.figures import Month, busiest_customers, months
from activations.domain.estate import Estate
from activations.domain.ledger import Kind
from activations.domain.words import Choice
from activations.models import Activation, LedgerEntry
from activations.services.deactivate import deactivate_activation
from activations.services.licenses import LicenseChange, LicenseCreated, change_license
from activations.services.losses import approve_restoration, deny_restoration, mark_lost, request_restoration
from activations.services.results import BadInput, Refused
from tests.portal.cast import AGENT, LEAD, MANAGER, SECOND_LEAD, SOURCE, answered, make_keys, make_license
from tests.portal.chariot import Chariot, host
from tests.portal.web import signed_in

START = datetime(2031, 1, 15, 12, tzinfo=UTC)
Clock = Any  # time_machine's


@pytest.fixture
def clock(db: None) -> Iterator[Clock]:
    cache.clear()
    with time_machine.travel(START, tick=False) as clock:
        make_keys()
        yield clock
    cache.clear()


@pytest.fixture
def lived(clock: Clock) -> LicenseCreated:
    """January to May of a license that is sold to Beta Mills in March, and of one that stays. It is May now."""
    sold, stays = make_license(allowed=3), make_license(customer="Beta Mills", allowed=4)
    pumps = [active(sold, f"pump-{number}") for number in range(3)]
    mills = [active(stays, f"mill-{number}") for number in range(4)]

    clock.move_to(START.replace(month=2))
    for name in ("pump-0", "mill-0", "mill-1"):
        done(mark_lost(activation_id=named(name), actor=AGENT, source=SOURCE, reason="flooded"))
    decide("pump-0", approve_restoration)
    decide("mill-0", deny_restoration)
    free(stays, mills[0])  # lost, and its code arrives

    clock.move_to(START.replace(month=3))
    moved = done(change(sold, LicenseChange(customer="Beta Mills")))
    pumps[1].use_key(moved.license_key)
    answered(pumps[1].request())
    done(change(sold, LicenseChange(allowed=5)))

    clock.move_to(START.replace(month=4))
    answered(mills[1].request(), Choice.FOUND_AGAIN)  # lost, and found again
    free(stays, mills[2])
    done(mark_lost(activation_id=named("pump-2"), actor=AGENT, source=SOURCE, reason="stolen"))

    clock.move_to(START.replace(month=5))
    answered(pumps[1].request())
    return sold


def active(license: LicenseCreated, name: str) -> Chariot:
    chariot = Chariot(license.license_key, host(name))
    chariot.install(answered(chariot.request()))
    return chariot


def named(hostname: str) -> str:
    return Activation.objects.get(hostname=hostname).activation_id


def done(result: Any) -> Any:
    assert not isinstance(result, Refused | BadInput), result
    return result


def change(license: LicenseCreated, what: LicenseChange) -> Any:
    return change_license(license_id=license.license_id, change=what, actor=MANAGER, source=SOURCE, reason="agreed")


def decide(hostname: str, verdict: Any) -> None:
    case = done(request_restoration(activation_id=named(hostname), actor=LEAD, source=SOURCE, reason="flooded"))
    done(verdict(restoration_id=case.restoration_id, actor=SECOND_LEAD, source=SOURCE, reason="looked into"))


def free(license: LicenseCreated, chariot: Chariot) -> None:
    code = chariot.deactivate()
    done(deactivate_activation(license_id=license.license_id, code=code, actor=AGENT, source=SOURCE))


def by_hand(first: date) -> Month:
    """The month, by going through every entry up to its end in Python."""
    after = (first + timedelta(days=31)).replace(day=1)
    estate, counts = Estate(), Counter[str]()
    for at, chain, kind, body in LedgerEntry.objects.order_by("id").values_list("at", "chain", "kind", "body"):
        if at.date() < after:
            estate.take(chain, kind, json.loads(body)["data"])
            counts[kind] += at.date() >= first
    decided = [counts[k] for k in (Kind.USAGE_LICENSE_ISSUED, Kind.RESTORATION_APPROVED, Kind.RESTORATION_DENIED)]
    return Month(first, estate.allowed, estate.active, len(estate.lost), *decided)


def figures(customer: str) -> list[tuple[int, ...]]:
    """January to May: allowed, active, lost, issued, restored, denied."""
    rows = months(5, timezone.now(), customer)
    return [(row.allowed, row.active, row.lost, row.issued, row.restored, row.denied) for row in rows]


def test_each_month_is_what_its_entries_come_to(lived: LicenseCreated) -> None:
    rows = months(12, timezone.now())
    assert [row.first for row in rows][-5:] == [date(2031, month, 1) for month in range(1, 6)]
    assert rows == [by_hand(row.first) for row in rows]
    assert (rows[-1].active, rows[-1].lost, rows[-1].allowed) == (3, 1, 9)


def test_a_customer_has_what_was_booked_while_they_held_the_license(lived: LicenseCreated) -> None:
    assert figures("Acme Water") == [
        (3, 3, 0, 3, 0, 0),
        (3, 2, 0, 0, 1, 0),
        (0, 0, 0, 0, 0, 0),  # sold, with its seats
        (0, 0, 0, 0, 0, 0),
        (0, 0, 0, 0, 0, 0),
    ]
    assert figures("Beta Mills") == [
        (4, 4, 0, 4, 0, 0),
        (4, 2, 1, 0, 0, 1),
        (9, 4, 1, 1, 0, 0),
        (9, 3, 1, 1, 0, 0),
        (9, 3, 1, 1, 0, 0),
    ]
    assert figures("Acme") == [(0,) * 6] * 5  # whole names only
    assert busiest_customers(timezone.now()) == [("Beta Mills", 7, 0), ("Acme Water", 3, 1)]


def test_the_page_says_whose_what_is(lived: LicenseCreated) -> None:
    told = signed_in("auditor").get(f"{reverse('admin:audit_figures')}?customer=Acme Water").words
    assert "what was booked while they held the license" in told
    assert "2031-02 3 2 0 0 1 0" in told
    assert "2031-03 0 0 0 0 0 0" in told
    told = signed_in("auditor").get(reverse("admin:audit_figures")).words
    assert "Beta Mills 7 0 Acme Water 3 1" in told


def test_months_that_are_over_are_added_up_once(lived: LicenseCreated, clock: Clock) -> None:
    def asked() -> tuple[list[Month], list[tuple[str, int, int]], list[str]]:
        with CaptureQueriesContext(connection) as caught:
            found = months(12, timezone.now()), busiest_customers(timezone.now())
        return *found, [query["sql"] for query in caught.captured_queries]

    rows, busiest, first = asked()
    again, busiest_again, second = asked()
    assert (again, busiest_again) == (rows, busiest)
    assert len(second) < len(first)
    # All that is added up again is of May.
    sums = [sql for sql in second if "COUNT(" in sql]
    assert sums
    assert all("2031-05-01 00:00:00" in sql for sql in sums)

    clock.move_to(START.replace(month=7))
    make_license(customer="Beta Mills", allowed=1)
    later, _, _ = asked()
    cache.clear()
    assert later == months(12, timezone.now()) == [by_hand(row.first) for row in later]


def test_the_month_before_counts_as_open_for_a_day(lived: LicenseCreated, clock: Clock) -> None:
    """A booking of the last minute may be committed when the month is over."""
    clock.move_to(datetime(2031, 6, 1, 0, 0, 1, tzinfo=UTC))
    months(12, timezone.now())
    kept = keeping.fetch("seats")
    assert kept is not None
    assert max(kept.months) == date(2031, 4, 1)
    clock.move_to(datetime(2031, 6, 2, 0, 0, 1, tzinfo=UTC))
    months(12, timezone.now())
    kept = keeping.fetch("seats")
    assert kept is not None
    assert max(kept.months) == date(2031, 5, 1)


def test_sums_of_another_ledger_are_not_believed(lived: LicenseCreated) -> None:
    rows = months(12, timezone.now())
    key = "audit-figures:1:seats"
    kept = cache.get(key)
    assert kept is not None
    kept.months[date(2031, 2, 1)].allowed = 1000
    cache.set(key, kept)
    assert months(12, timezone.now()) != rows  # what is kept is what is shown
    cache.set(key, replace(kept, last="0" * 64))
    assert months(12, timezone.now()) == rows


def test_without_a_cache_everything_is_added_up_anew(lived: LicenseCreated, settings: Any) -> None:
    rows = months(12, timezone.now())
    nobody = "redis://127.0.0.1:1/0"
    backend = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {**settings.CACHES, "default": {"BACKEND": backend, "LOCATION": nobody}}
    assert months(12, timezone.now()) == rows


def test_an_empty_ledger_has_empty_months(db: None) -> None:
    rows = months(12, timezone.now())
    assert len(rows) == 12
    assert {(row.allowed, row.active, row.lost, row.issued) for row in rows} == {(0, 0, 0, 0)}
    assert busiest_customers(timezone.now()) == []
