"""The start page of each role: what waits, what was booked today, and how many queries that takes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from activations import queries
from activations.domain.words import LicenseStatus
from activations.models import Activation, LedgerEntry, Restoration, Tombstone, UsageRequest
from activations.services.deactivate import deactivate_activation
from activations.services.licenses import FeatureTerm, LicenseChange, LicenseCreated, change_license
from activations.services.losses import approve_restoration, mark_lost, request_restoration
from tests.portal.cast import AGENT, LEAD, MANAGER, SOURCE, answered, issue, license_row, make_license
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser, Page

SignIn = Callable[[str], Browser]
HOME = "/admin/"


def lost(license: LicenseCreated, name: str) -> tuple[Chariot, str]:
    """A host that was activated and then marked lost, and its activation."""
    chariot = Chariot(license.license_key, host(name))
    chariot.install(answered(chariot.request()))
    activation_id = Activation.objects.get(hostname=name, license__license_id=license.license_id).activation_id
    mark_lost(activation_id=activation_id, actor=AGENT, source=SOURCE, reason="fire")
    return chariot, activation_id


def case_of(activation_id: str) -> str:
    case = request_restoration(activation_id=activation_id, actor=AGENT, source=SOURCE, reason="fire")
    return case.restoration_id  # type: ignore[union-attr]


def sighted(license: LicenseCreated, name: str) -> Tombstone:
    """A host that was lost, restored, and asks again."""
    chariot, activation_id = lost(license, name)
    approve_restoration(restoration_id=case_of(activation_id), actor=LEAD, source=SOURCE, reason="yes")
    issue(chariot.request())
    return Tombstone.objects.get(activation__activation_id=activation_id)


def links(page: Page, address: str) -> bool:
    return f'href="{address}"' in page.html


def change_page(row: object, name: str) -> str:
    return reverse(f"admin:activations_{name}_change", args=[row.pk])  # type: ignore[attr-defined]


def test_nothing_waits_and_nothing_was_booked_is_said_for_each_role(db: None, sign_in: SignIn) -> None:
    said = {
        "No restoration waits for your decision.": {"lead"},
        "No Usage Request waits for a decision.": {"agent", "lead"},
        "No written-off host has asked again.": {"agent", "lead"},
        "No feature ends within 60 days.": {"manager"},
        "It was not checked yet.": {"auditor", "administrator"},
        "Nothing was booked yet today.": {"agent", "lead", "manager", "auditor", "administrator"},
    }
    for username in ("agent", "lead", "manager", "auditor", "administrator"):
        page = sign_in(username).get(HOME)
        assert {words for words in said if words in page.words} == {w for w, who in said.items() if username in who}
        assert ('id="id_text"' in page.html) == (username in {"agent", "lead"})
        assert 'name="q"' in page.html


def test_the_words_paste_and_search_are_not_for_an_account_without_a_role(db: None) -> None:
    page = Browser(User.objects.create_user("nobody", is_staff=True)).get(HOME)
    assert "Your account has no role in the portal yet." in page.words
    assert 'name="q"' not in page.html
    assert "Booked today" not in page.words


def test_a_lead_sees_the_restorations_of_others_but_not_their_own(license: LicenseCreated, sign_in: SignIn) -> None:
    _, first = lost(license, "pump-house")
    _, second = lost(license, "filter-hall")
    case_of(first)
    request_restoration(activation_id=second, actor=LEAD, source=SOURCE, reason="flood")
    theirs = Restoration.objects.get(requested_by="agent")
    own = Restoration.objects.get(requested_by="lead")
    page = sign_in("lead").get(HOME)
    assert links(page, change_page(theirs, "restoration"))
    assert not links(page, change_page(own, "restoration"))
    page = sign_in("second-lead").get(HOME)
    assert links(page, change_page(own, "restoration"))
    assert not links(sign_in("agent").get(HOME), change_page(theirs, "restoration"))


def test_requests_that_need_a_person_lead_to_their_dry_run(license: LicenseCreated, sign_in: SignIn) -> None:
    chariot = Chariot(license.license_key, host("pump-house"))
    chariot.install(answered(chariot.request()))
    issue(chariot.reinstalled().request())
    waiting = UsageRequest.objects.get(state="pending")
    for username, sees in (("agent", True), ("lead", True), ("manager", False)):
        page = sign_in(username).get(HOME)
        assert links(page, reverse("admin:desk_request", args=[waiting.request_id])) is sees
    assert "A Chariot on a host that is active already" in sign_in("agent").get(HOME).words


def test_a_written_off_host_that_asks_again_is_shown_until_it_is_settled(
    license: LicenseCreated, sign_in: SignIn
) -> None:
    _, activation_id = lost(license, "filter-hall")
    approve_restoration(restoration_id=case_of(activation_id), actor=LEAD, source=SOURCE, reason="yes")
    quiet = Tombstone.objects.get()
    assert not links(sign_in("lead").get(HOME), change_page(quiet, "tombstone"))
    seen = sighted(license, "pump-house")
    page = sign_in("lead").get(HOME)
    assert links(page, change_page(seen, "tombstone"))
    assert f"{seen.tombstone_id}, asked again {timezone.now():%Y-%m-%d}" in page.words
    assert not links(page, change_page(quiet, "tombstone"))
    Tombstone.objects.filter(pk=seen.pk).update(settled_at=timezone.now(), settled_by="lead")
    assert not links(sign_in("lead").get(HOME), change_page(seen, "tombstone"))


@pytest.mark.parametrize(
    ("today", "last", "shown"),
    [
        (date(2027, 3, 1), date(2027, 3, 1), True),
        (date(2027, 3, 1), date(2027, 4, 30), True),
        (date(2027, 3, 1), date(2027, 5, 1), False),
        (date(2027, 3, 1), date(2027, 2, 28), False),
        (date(2027, 12, 31), date(2028, 1, 1), True),
        (date(2027, 1, 31), date(2027, 2, 28), True),
        (date(2027, 12, 15), date(2028, 2, 13), True),
        (date(2027, 12, 15), date(2028, 2, 14), False),
    ],
)
def test_features_that_end_within_sixty_days(today: date, last: date, shown: bool, db: None) -> None:
    made = make_license(features=[FeatureTerm("mqtt-server"), FeatureTerm("mqtt-server-support", last)])
    found = queries.ending_soon(today, 60)
    assert [(row.license.license_id, row.features) for row in found] == (
        [(made.license_id, (("mqtt-server-support", last),))] if shown else []
    )


def test_only_the_terms_in_force_count_and_the_next_to_end_is_first(db: None, sign_in: SignIn) -> None:
    soon, later = (timezone.now().date() + timedelta(days=days) for days in (10, 40))
    second = make_license(customer="Second", features=[FeatureTerm("mqtt-server", later)])
    first = make_license(customer="First", features=[FeatureTerm("mqtt-server", soon)])
    renewed = make_license(customer="Renewed", features=[FeatureTerm("mqtt-server", soon)])
    revoked = make_license(customer="Revoked", features=[FeatureTerm("mqtt-server", soon)])
    for license, change in (
        (renewed, LicenseChange(features=[FeatureTerm("mqtt-server")])),
        (revoked, LicenseChange(status=LicenseStatus.REVOKED)),
    ):
        change_license(license_id=license.license_id, change=change, actor=MANAGER, source=SOURCE, reason="order 2")
    page = sign_in("manager").get(HOME)
    words = page.words[: page.words.index("Booked today")]
    assert f"First: mqtt-server until {soon}" in words
    assert words.index("First: mqtt-server") < words.index("Second: mqtt-server")
    assert "Renewed" not in words
    assert "Revoked" not in words
    assert links(page, change_page(license_row(first.license_id), "license"))
    assert second.license_id in words


def test_what_was_booked_today_is_counted_and_linked(license: LicenseCreated, sign_in: SignIn) -> None:
    pump = Chariot(license.license_key, host("pump-house"))
    text = pump.request()
    pump.install(answered(text))
    answered(text)
    answered(Chariot(license.license_key, host("filter-hall")).request())
    issue(Chariot(license.license_key, host("new-line")).request())
    deactivate_activation(license_id=license.license_id, code=pump.deactivate(), actor=AGENT, source=SOURCE)
    page = sign_in("auditor").get(HOME)
    assert "2 issued, 1 sent again, 1 refused, 1 deactivated" in page.words
    assert links(page, change_page(license_row(license.license_id), "license"))
    assert "Acme Water" in page.words


def test_what_was_booked_yesterday_is_not_of_today(license: LicenseCreated) -> None:
    answered(Chariot(license.license_key, host("pump-house")).request())
    entry = LedgerEntry.objects.get(kind="usage_license.issued")
    kinds = ["usage_license.issued"]
    assert list(queries.booked_since(entry.at, kinds)) == [entry]
    assert list(queries.booked_since(entry.at + timedelta(microseconds=1), kinds)) == []


def test_at_most_ten_of_each_are_shown_and_the_rest_is_a_list(signing_keys: None, sign_in: SignIn) -> None:
    large = make_license(allowed=20)
    for number in range(11):
        _, activation_id = lost(large, f"host-{number}")
        case_of(activation_id)
    page = sign_in("lead").get(HOME)
    shown = [case for case in Restoration.objects.all() if links(page, change_page(case, "restoration"))]
    assert len(shown) == 10
    rest = reverse("admin:activations_restoration_changelist") + "?state__exact=requested"
    assert links(page, rest)
    assert sign_in("lead").get(rest).status == 200
    assert page.words.count("Usage License issued") <= 10


@pytest.mark.parametrize("username", ["agent", "lead", "manager", "auditor", "administrator"])
def test_the_start_page_takes_as_many_queries_for_much_as_for_little(
    username: str, signing_keys: None, sign_in: SignIn
) -> None:
    browser = sign_in(username)
    everything("Acme Water")
    few = count(browser)
    everything("Northern Paper Mill")
    everything("Southern Dairy")
    assert count(browser) == few <= 15


def everything(customer: str) -> None:
    """One of each thing that the page shows."""
    soon = timezone.now().date() + timedelta(days=5)
    license = make_license(allowed=5, customer=customer, features=[FeatureTerm("mqtt-server", soon)])
    sighted(license, f"{customer} 1")
    _, activation_id = lost(license, f"{customer} 2")
    case_of(activation_id)
    chariot = Chariot(license.license_key, host(f"{customer} 3"))
    chariot.install(answered(chariot.request()))
    issue(chariot.reinstalled().request())


def count(browser: Browser) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert browser.get(HOME).status == 200
    return len(queries)
