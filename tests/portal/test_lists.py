"""The lists: what their filters find, the way by date, the empty list, and as many queries for 30 rows as for 2."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from activations.admin import by_date
from activations.models import Activation, Contact, Customer, License, LicenseTerms, UsageLicense, UsageRequest
from activations.services.intake import keep_refused
from activations.services.licenses import FeatureTerm, LicenseChange, LicenseCreated, change_license
from activations.services.losses import RestorationCase, approve_restoration, mark_lost, request_restoration
from activations.services.post.threads import begin_conversation
from activations.services.results import BadInput
from tests.portal.cast import AGENT, LEAD, MANAGER, SOURCE, answered, issue, make_license
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser

SignIn = Callable[[str], Browser]
LISTS = {
    "activations.license",
    "activations.activation",
    "activations.usagerequest",
    "activations.usagelicense",
    "activations.customer",
    "activations.reply",
    "activations.conversation",
    "activations.outgoingmail",
    "activations.restoration",
    "activations.tombstone",
    "activations.ledgerentry",
    "activations.intakeentry",
    "activations.signingkey",
    "activations.product",
    "auth.user",
}


def address(name: str) -> str:
    return reverse(f"admin:{name.replace('.', '_')}_changelist")


def grow(rows: range) -> None:
    """One more row in each list for each number: a customer, its license, a lost and restored host, a bad text."""
    for number in rows:
        license = make_license(customer=f"Plant {number}")
        Contact.objects.create(customer=Customer.objects.get(name=f"Plant {number}"), email=f"a{number}@plant.example")
        answered(Chariot(license.license_key, host(f"host {number}")).request())
        lost = Activation.objects.get(license__license_id=license.license_id).activation_id
        mark_lost(activation_id=lost, actor=AGENT, source=SOURCE, reason="flood")
        case = request_restoration(activation_id=lost, actor=AGENT, source=SOURCE, reason="flood")
        assert isinstance(case, RestorationCase), case
        approve_restoration(restoration_id=case.restoration_id, actor=LEAD, source=SOURCE, reason="yes")
        keep_refused(source="?", problem=BadInput("no-block", "None."), actor=AGENT)
        User.objects.create_user(f"colleague-{number}", is_staff=True)
        begin_conversation(f"Mail {number}", timezone.now(), Customer.objects.get(name=f"Plant {number}"))


def count(browser: Browser, url: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert browser.get(url).status == 200
    return len(queries)


def test_every_list_takes_as_many_queries_for_30_rows_as_for_2(signing_keys: None, sign_in: SignIn) -> None:
    browser = sign_in("lead")
    browser.get(reverse("admin:index"))
    grow(range(2))
    few = {name: count(browser, address(name)) for name in LISTS}
    grow(range(2, 30))
    many = {name: count(browser, address(name)) for name in LISTS}
    assert many == few
    assert max(few.values()) <= 10, few
    for name in LISTS - {"activations.product", "activations.signingkey"}:
        page = browser.client.get(address(name))
        assert page.context["cl"].result_count >= 30, name


def found(browser: Browser, name: str, **query: str) -> list[Any]:
    page = browser.client.get(address(name), query)
    assert page.status_code == 200, (name, query, page.status_code)
    return list(page.context["cl"].result_list)


def test_licenses_by_seats_and_by_what_their_hosts_run(license: LicenseCreated, sign_in: SignIn) -> None:
    unused = make_license(allowed=1, customer="Unused")
    full = make_license(allowed=1, customer="Full")
    answered(Chariot(full.license_key, host("full")).request())
    answered(Chariot(license.license_key, host("half")).request())
    browser = sign_in("agent")

    def ids(**query: str) -> set[str]:
        return {row.license_id for row in found(browser, "activations.license", **query)}

    assert ids(seats="full") == {full.license_id}
    assert ids(seats="free") == {license.license_id, unused.license_id}
    assert ids(seats="unused") == {unused.license_id}
    assert ids(seats="nonsense") == ids()
    assert ids(hosts="behind") == ids(hosts="lost") == set()
    change = LicenseChange(features=[FeatureTerm("mqtt-server"), FeatureTerm("mqtt-server-support")])
    change_license(license_id=full.license_id, change=change, actor=MANAGER, source=SOURCE, reason="order")
    lost = Activation.objects.get(hostname="half").activation_id
    mark_lost(activation_id=lost, actor=AGENT, source=SOURCE, reason="fire")
    assert ids(hosts="behind") == {full.license_id}
    assert ids(hosts="lost") == {license.license_id}
    page = browser.get(address("activations.license"))
    assert "mqtt-server, mqtt-server-support" in page.words


def test_requests_usage_licenses_and_bad_texts_by_what_became_of_them(license: LicenseCreated, sign_in: SignIn) -> None:
    chariot = Chariot(license.license_key, host("pump-house"))
    chariot.install(answered(chariot.request()))
    answered(chariot.request())
    issue(chariot.reinstalled().request())
    keep_refused(source="?", problem=BadInput("no-block", "None."), actor=AGENT)
    keep_refused(source="?", problem=BadInput("license-key-unknown", "None."), actor=AGENT)
    browser = sign_in("agent")
    assert [row.state for row in found(browser, "activations.usagerequest", code="same-host")] == ["pending"]
    newest = UsageLicense.objects.latest("pk")
    assert found(browser, "activations.usagelicense", in_use="current") == [newest]
    assert newest not in found(browser, "activations.usagelicense", in_use="earlier")
    assert len(found(browser, "activations.usagelicense", issued_by="agent")) == 2
    assert found(browser, "activations.usagelicense", issued_by="nobody") == []
    assert len(found(browser, "activations.usagelicense", q="pump-house")) == 2
    assert [row.code for row in found(browser, "activations.intakeentry", code="no-block")] == ["no-block"]
    assert len(found(browser, "activations.intakeentry", license_known="no")) == 2
    assert found(browser, "activations.intakeentry", license_known="yes") == []


def test_customers_with_and_without_licenses_and_contacts(license: LicenseCreated, sign_in: SignIn) -> None:
    asked = Customer.objects.create(name="Only asked")
    Contact.objects.create(customer=asked, email="b@asked.example")
    Contact.objects.create(customer=asked, email="a@asked.example")
    browser = sign_in("agent")

    def names(**query: str) -> set[str]:
        return {row.name for row in found(browser, "activations.customer", **query)}

    assert names(has_licenses="yes") == names(has_contact="no") == {"Acme Water"}
    assert names(has_licenses="no") == names(has_contact="yes") == {"Only asked"}
    assert "a@asked.example and 1 more" in browser.get(address("activations.customer")).words


def test_no_column_of_a_table_hides_what_a_page_says() -> None:
    """Django asks the table first: a method of the same name would never be called."""
    for model, page in admin.site._registry.items():
        columns = {field.name for field in model._meta.fields}
        named = [*page.list_display, *(page.fields or ())]
        assert [name for name in named if name in columns and hasattr(type(page), str(name))] == [], model


def test_usage_requests_are_listed_by_when_they_came_not_by_their_text(
    license: LicenseCreated, sign_in: SignIn
) -> None:
    text = Chariot(license.license_key, host("pump-house")).request()
    answered(text)
    browser, row = sign_in("agent"), UsageRequest.objects.get()
    listed = browser.get(address("activations.usagerequest"))
    assert f"{row.received_at:%Y-%m-%d %H:%M}" in listed.words
    assert text.splitlines()[1] not in listed.words
    shown = browser.get(reverse("admin:activations_usagerequest_change", args=[row.pk]))
    assert "Received (UTC):" in shown.words
    assert "Test switch: not used" in shown.words


def test_a_customers_page_leads_to_its_licenses(license: LicenseCreated, sign_in: SignIn) -> None:
    browser = sign_in("agent")
    customer = Customer.objects.get()
    row = License.objects.get()
    page = browser.get(reverse("admin:activations_customer_change", args=[customer.pk]))
    assert f'<a href="{reverse("admin:activations_license_change", args=[row.pk])}">{row.license_id}</a>' in page.html
    empty = Customer.objects.create(name="Only asked")
    assert "Licenses: none yet" in browser.get(reverse("admin:activations_customer_change", args=[empty.pk])).words


# --- by date -----------------------------------------------------------------------------------------------


def request_at(license: LicenseCreated, *times: datetime) -> None:
    for number, time in enumerate(times):
        answered(Chariot(license.license_key, host(f"h{number}")).request())
        UsageRequest.objects.filter(hostname=f"h{number}").update(received_at=time)


def test_the_way_by_date_leads_from_years_to_days(db: None, sign_in: SignIn) -> None:
    browser = sign_in("agent")
    url = address("activations.customer")
    for name, time in (("Old", datetime(2024, 11, 3, tzinfo=UTC)), ("New", datetime(2026, 2, 7, 23, 59, tzinfo=UTC))):
        row = Customer.objects.create(name=name)
        Customer.objects.filter(pk=row.pk).update(created_at=time)

    def steps(**query: str) -> list[str]:
        page = browser.client.get(url, query)
        assert page.status_code == 200
        return [step.title for step in page.context["calendar"]]

    assert steps() == ["2024", "2025", "2026"]
    assert steps(created_at__year="2024") == ["All dates", "2024", "November 2024", "December 2024"]
    chosen = {"created_at__year": "2026", "created_at__month": "2"}
    assert steps(**chosen) == ["All dates", "2026", "February 2026", *map(str, range(1, 8))]
    assert steps(**chosen, created_at__day="7") == ["All dates", "2026", "February 2026"]
    assert [row.name for row in found(browser, "activations.customer", created_at__year="2024")] == ["Old"]
    assert [row.name for row in found(browser, "activations.customer", **chosen, created_at__day="7")] == ["New"]
    page = browser.get(f"{url}?q=e&created_at__year=2026&p=2")
    assert 'href="?q=e&amp;created_at__year=2026&amp;created_at__month=1"' in page.html


def test_one_year_begins_with_its_months(db: None) -> None:
    first, last = datetime(2026, 3, 1, tzinfo=UTC).date(), datetime(2026, 5, 1, tzinfo=UTC).date()
    assert [title for title, _ in by_date._below((), first, last)] == ["March 2026", "April 2026", "May 2026"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("at__year=9999", 400),
        ("at__year=0", 302),
        ("at__year=x", 400),
        ("at__year=2026&at__month=13", 302),
        ("at__year=2026&at__month=2&at__day=30", 302),
        ("at__week=1", 400),
        ("at__month=5", 200),
    ],
)
def test_dates_that_are_none_are_no_error_of_ours(
    query: str, status: int, license: LicenseCreated, sign_in: SignIn
) -> None:
    answer = sign_in("auditor").client.get(f"{address('activations.ledgerentry')}?{query}")
    assert answer.status_code == status


def test_every_list_with_times_has_the_way_by_date() -> None:
    for model, page in admin.site._registry.items():
        if model._meta.model_name == "replytext":
            continue  # a page of its own, not a list
        times = [field.name for field in model._meta.fields if field.get_internal_type() == "DateTimeField"]
        if times and model is not User:
            assert page.date_hierarchy in times, model
        assert page.show_full_result_count is False


# --- the empty list ----------------------------------------------------------------------------------------


def test_an_empty_list_says_what_comes_next(db: None, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    page = agent.get(address("activations.license"))
    assert "This list is empty. A license manager makes the first one" in page.words
    page = agent.get(address("activations.usagerequest"))
    assert "This list is empty. What a customer sends is pasted on the support desk" in page.words
    assert f'<a class="button" href="{reverse("admin:desk")}">To the support desk</a>' in page.html
    assert "Export" not in page.words


def test_a_filter_that_finds_nothing_leads_back_to_the_list(license: LicenseCreated, sign_in: SignIn) -> None:
    page = sign_in("agent").get(f"{address('activations.license')}?status__exact=revoked")
    assert "Nothing in this list matches." in page.words
    assert f'<a href="{address("activations.license")}">show the whole list</a>' in page.html


def test_who_may_not_see_a_list_gets_no_part_of_it(license: LicenseCreated, sign_in: SignIn) -> None:
    browser = sign_in("agent")
    with CaptureQueriesContext(connection) as queries:
        assert browser.get(address("activations.ledgerentry")).status == 403
    assert not [query for query in queries if "ledgerentry" in query["sql"]]


def test_terms_of_the_revision_in_force_are_shown(license: LicenseCreated, sign_in: SignIn) -> None:
    day = (datetime.now(UTC) + timedelta(days=400)).date()
    change = LicenseChange(features=[FeatureTerm("mqtt-server", day)])
    change_license(license_id=license.license_id, change=change, actor=MANAGER, source=SOURCE, reason="order")
    assert LicenseTerms.objects.filter(license=License.objects.get()).count() == 2
    assert f"mqtt-server until {day}" in sign_in("agent").get(address("activations.license")).words


def test_the_counts_beside_the_filters_can_be_shown(license: LicenseCreated, sign_in: SignIn) -> None:
    answered(Chariot(license.license_key, host("pump-house")).request())
    browser = sign_in("lead")
    for name in LISTS:
        assert browser.get(f"{address(name)}?_facets=True").status == 200, name
    assert "Some free (1)" in browser.get(f"{address('activations.license')}?_facets=True").words
