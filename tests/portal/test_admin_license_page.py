"""The page of a large license: each of its parts is bounded, readable, and leads to the whole of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from chariot_license.protocol.codes import format_public_id
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from activations.models import Activation, Instance, Seat
from activations.services.licenses import LicenseChange, change_license
from tests.portal.cast import MANAGER, SOURCE, answered, license_row, make_keys, make_license
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser, Page

SignIn = Callable[[str], Browser]


def large(allowed: int, active: int, lost: int) -> Any:
    """A license with so many activations, copied from one that was booked."""
    made = make_license(allowed=allowed)
    answered(Chariot(made.license_key, host("host-1")).request())
    first = Activation.objects.get(license__license_id=made.license_id)
    row = license_row(made.license_id)
    rows = []
    for seat in Seat.objects.filter(license=row).order_by("number")[1 : active + lost]:
        copy = Activation.objects.get(pk=first.pk)
        copy.pk, copy.activation_id = None, format_public_id("ACT", row.pk.to_bytes(4) + seat.number.to_bytes(6))
        copy.seat, copy.hostname, copy.usage_license = seat, f"host-{seat.number}", None
        copy.instance = Instance.objects.create(
            thumbprint=secrets.token_hex(32), public_key=first.instance.public_key, first_seen=first.created_at
        )
        copy.state = "active" if seat.number <= active else "lost"
        rows.append(copy)
    Activation.objects.bulk_create(rows)
    return row


def page_of(browser: Browser, row: Any) -> Page:
    return browser.get(reverse("admin:activations_license_change", args=[row.pk]))


def test_of_a_large_license_the_newest_are_shown_and_the_counts_of_all(db: None, sign_in: SignIn) -> None:
    make_keys()
    row = large(allowed=400, active=210, lost=3)
    page = page_of(sign_in("agent"), row)
    assert "213 of 400 seats taken : 210 active, 3 lost, 187 free" in page.words
    assert page.html.count('<li class="seat seat-') == 100
    assert page.html.index("Seat 213: lost, host-213") < page.html.index("Seat 1: active, host-1")
    assert "100 of the taken seats, lost ones first; 113 more are taken. 187 are free." in page.words
    assert page.html.count('<td class="nowrap"><a href="/admin/activations/activation/') == 100
    assert ">host-213</td>" in page.html
    assert ">host-2</td>" not in page.html
    link = f"{reverse('admin:activations_activation_changelist')}?q={row.license_id}"
    assert f'<a href="{link}">All activations of this license</a>' in page.html
    assert "213 activations" in sign_in("agent").get(link).words


def test_of_a_small_license_every_seat_is_shown(db: None, sign_in: SignIn) -> None:
    make_keys()
    page = page_of(sign_in("agent"), large(allowed=4, active=2, lost=1))
    assert "3 of 4 seats taken" in page.words
    assert page.html.count('<li class="seat seat-') == 4
    assert "All activations of this license" not in page.html
    assert "more are taken" not in page.words


def test_of_a_large_license_that_nobody_uses_no_seat_is_drawn(db: None, sign_in: SignIn) -> None:
    page = page_of(sign_in("agent"), license_row(make_license(allowed=5000).license_id))
    assert "0 of 5000 seats taken : 0 active, 0 lost, 5000 free" in page.words
    assert '<li class="seat' not in page.html


def test_many_revisions_end_with_the_way_to_all_of_them(db: None, sign_in: SignIn) -> None:
    made = make_license(allowed=1)
    for number in range(32):
        versions = LicenseChange(versions=(f"4.0.{number}", ""))
        change_license(license_id=made.license_id, change=versions, actor=MANAGER, source=SOURCE, reason="Order")
    page = page_of(sign_in("lead"), license_row(made.license_id))
    assert page.html.count("<li><strong>Revision ") == 30
    assert "Revision 33" in page.words
    assert "Revision 3 " not in page.words
    assert "as bought" not in page.words
    assert "All changes in the ledger" in page.words


@pytest.mark.parametrize("allowed", [30, 600])
def test_the_page_takes_as_many_queries_for_many_rows_as_for_few(allowed: int, db: None, sign_in: SignIn) -> None:
    make_keys()
    agent, counts = sign_in("agent"), []
    for active, lost in ((2, 1), (allowed - 10, 8)):
        row = large(allowed=allowed, active=active, lost=lost)
        with CaptureQueriesContext(connection) as queries:
            page_of(agent, row)
        counts.append(len(queries))
    assert counts[0] == counts[1]
