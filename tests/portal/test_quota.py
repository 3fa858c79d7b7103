"""How many restorations a customer gets within a year, and how a lead goes above that."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import connection, transaction
from django.utils import timezone

from activations.domain.restoring import Quota
from activations.models import Activation, Customer, LedgerEntry, Restoration
from activations.services import quota
from activations.services.ledger_checks import verify_ledger
from activations.services.losses import (
    MarkedLost,
    RestorationCase,
    approve_restoration,
    deny_restoration,
    mark_lost,
    request_restoration,
)
from activations.services.results import Refused
from tests.portal.cast import AGENT, LEAD, MANAGER, SECOND_LEAD, SOURCE, answered, entries, length, make_keys
from tests.portal.cast import make_license as licensed
from tests.portal.chariot import Chariot, host


def lost_case(license_key: str, name: str) -> str:
    """An open case of a host that was activated and lost."""
    answered(Chariot(license_key, host(name)).request())
    activation_id = Activation.objects.get(hostname=name).activation_id
    lost = mark_lost(activation_id=activation_id, actor=AGENT, source=SOURCE, reason="Burned down.")
    assert isinstance(lost, MarkedLost), lost
    case = request_restoration(activation_id=activation_id, actor=AGENT, source=SOURCE, reason="There was a fire.")
    assert isinstance(case, RestorationCase), case
    return case.restoration_id


def approve(case: str, *, actor: Any = LEAD, **more: Any) -> Any:
    return approve_restoration(restoration_id=case, actor=actor, source=SOURCE, reason="Photos seen.", **more)


def approved_data(license_id: str) -> list[dict[str, Any]]:
    rows = LedgerEntry.objects.filter(chain=license_id, kind="restoration.approved").order_by("seq")
    return [json.loads(row.body)["data"] for row in rows]


@pytest.fixture
def cases(signing_keys: None) -> list[str]:
    """Four open cases of one customer, on two licenses; the quota is two a year."""
    first, second = (licensed(allowed=2).license_key for _ in range(2))
    return [lost_case(key, f"host-{number}") for number, key in enumerate([first, second, first, second])]


def chain_of(case: str) -> str:
    return Restoration.objects.get(restoration_id=case).activation.license.license_id


def test_up_to_the_quota_nothing_is_said_of_it(cases: list[str]) -> None:
    for case in cases[:2]:
        assert approve(case, override=True).state == "approved"

    assert [approved_data(chain_of(case)) for case in cases[:2]] == [
        [
            {
                "restoration_id": case,
                "activation_id": Restoration.objects.get(restoration_id=case).activation.activation_id,
            }
        ]
        for case in cases[:2]
    ]
    assert not Restoration.objects.filter(above_quota=True).exists()


def test_above_the_quota_an_approval_is_refused(cases: list[str]) -> None:
    for case in cases[:2]:
        approve(case)
    before = length(chain_of(cases[2]))

    result = approve(cases[2])

    assert (type(result), result.code, result.detail) == (Refused, "quota-reached", {"count": 2, "quota": 2})
    assert result.message == (
        "Acme Water has 2 of 2 restorations approved in the last 12 months. To approve this one all the same, say that "
        "it goes above the quota, and in the reason why."
    )
    assert length(chain_of(cases[2])) == before
    assert Restoration.objects.get(restoration_id=cases[2]).state == "requested"
    assert Activation.objects.get(restorations__restoration_id=cases[2]).state == "lost"


def test_with_the_override_it_is_booked_as_such(cases: list[str]) -> None:
    for case in cases[:2]:
        approve(case)
    chain = chain_of(cases[2])
    before = length(chain)

    assert approve(cases[2], override=True).state == "approved"

    assert entries(chain, after=before) == [
        (before + 1, "lead", "restoration.approved", "Photos seen."),
        (before + 2, "lead", "activation.restored", "Photos seen."),
        (before + 3, "lead", "tombstone.placed", "Photos seen."),
    ]
    row = Restoration.objects.get(restoration_id=cases[2])
    assert row.above_quota
    assert approved_data(chain)[-1] == {
        "restoration_id": cases[2],
        "activation_id": row.activation.activation_id,
        "above_quota": {"count": 2, "quota": 2},
    }
    assert approve(cases[3]).detail == {"count": 3, "quota": 2}
    assert verify_ledger(rebuild_check=True).problems == ()


def test_a_quota_of_none_needs_the_override_each_time(cases: list[str], settings: Any) -> None:
    settings.RESTORATIONS_A_YEAR = 0

    refused = approve(cases[0])

    assert (refused.code, refused.detail) == ("quota-reached", {"count": 0, "quota": 0})
    assert approve(cases[0], override=True).state == "approved"
    assert approved_data(chain_of(cases[0]))[0]["above_quota"] == {"count": 0, "quota": 0}


def test_denied_ones_do_not_count_and_need_no_override(cases: list[str]) -> None:
    for case in cases[:3]:
        denied = deny_restoration(restoration_id=case, actor=LEAD, source=SOURCE, reason="No proof.")
        assert isinstance(denied, RestorationCase)

    assert approve(cases[3]).state == "approved"
    assert not Restoration.objects.get(restoration_id=cases[0]).above_quota


def test_after_a_year_they_count_no_more(cases: list[str]) -> None:
    for case in cases[:2]:
        approve(case)
    customer, now = Customer.objects.get(), timezone.now()

    assert quota.quota_of(customer.pk, now + timedelta(days=364)) == Quota(2, 2)
    assert quota.quota_of(customer.pk, now + timedelta(days=367)) == Quota(0, 2)


def test_another_customer_has_a_quota_of_its_own(cases: list[str]) -> None:
    for case in cases[:2]:
        approve(case)
    other = lost_case(licensed(customer="Summit Dairy").license_key, "dairy")

    assert approve(other).state == "approved"


def test_the_override_is_for_leads_and_for_a_second_person(cases: list[str]) -> None:
    for case in cases[:2]:
        approve(case)
    activation_id = Activation.objects.get(restorations__restoration_id=cases[2]).activation_id
    deny_restoration(restoration_id=cases[2], actor=LEAD, source=SOURCE, reason="No proof.")
    own = request_restoration(activation_id=activation_id, actor=LEAD, source=SOURCE, reason="Proof came.")
    assert isinstance(own, RestorationCase)

    codes = [approve(own.restoration_id, actor=actor, override=True).code for actor in (AGENT, MANAGER, LEAD)]

    assert codes == ["not-allowed", "not-allowed", "same-person"]
    assert approve(own.restoration_id, actor=SECOND_LEAD, override=True).state == "approved"


def test_a_customer_is_locked_inside_a_transaction_only(transactional_db: None) -> None:
    customer = Customer.objects.create(name="Acme Water")

    with pytest.raises(RuntimeError, match="only inside a transaction"):
        quota.lock_customer(customer.pk)
    with transaction.atomic():
        quota.lock_customer(customer.pk)


# --- two at once ------------------------------------------------------------------------------------------


def race(cases: list[str]) -> Counter[str]:
    """What comes of approving all of them at the same moment, each on a connection of its own."""
    start, found = threading.Barrier(len(cases)), []

    def run(case: str) -> None:
        try:
            connection.ensure_connection()
            start.wait(30)
            result = approve(case)
            found.append(result.code if isinstance(result, Refused) else result.state)
        except Exception as error:  # what the race leads to is what the test wants to know
            found.append(f"{type(error).__name__}: {error}")
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[case]) for case in cases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return Counter(found)


def cases_of_many_licenses(number: int) -> list[str]:
    make_keys()
    return [lost_case(licensed(allowed=1).license_key, f"host-{index}") for index in range(number)]


def test_cases_of_one_customer_decided_at_once_stay_within_the_quota(transactional_db: None) -> None:
    cases = cases_of_many_licenses(6)

    assert race(cases) == {"approved": 2, "quota-reached": 4}
    assert Restoration.objects.filter(state="approved", above_quota=False).count() == 2


@contextmanager
def without_the_lock(number: int) -> Iterator[None]:
    """Nobody locks the customer, and each waits, having counted, until all have."""
    counted, count = threading.Barrier(number), quota.quota_of

    def count_and_wait(*arguments: Any) -> Quota:
        result = count(*arguments)
        counted.wait(30)
        return result

    with (
        mock.patch.object(quota, "lock_customer", return_value=None),
        mock.patch.object(quota, "quota_of", count_and_wait),
    ):
        yield


def test_without_the_lock_they_would_not(transactional_db: None) -> None:
    """The negative control: the race that the test above runs is one."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite lets one transaction write at a time: there is no race to lose")
    cases = cases_of_many_licenses(4)

    with without_the_lock(4):
        assert race(cases) == {"approved": 4}
