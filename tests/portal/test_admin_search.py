"""The search field: what it finds, what it opens at once, and that no secret is on its way or on its pages."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from activations import searching
from activations.admin.words import TITLES
from activations.models import (
    Activation,
    Contact,
    Customer,
    Instance,
    License,
    Restoration,
    Tombstone,
    UsageLicense,
    UsageRequest,
)
from activations.services.licenses import LicenseCreated, replace_license_key
from activations.services.losses import approve_restoration, mark_lost, request_restoration
from tests.portal.cast import AGENT, LEAD, MANAGER, SOURCE, answered, issue, license_row, make_license
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser, Page

SignIn = Callable[[str], Browser]
SEARCH = "/admin/search/"


def search(browser: Browser, text: str) -> Page:
    """Types into the field of the header and presses Enter."""
    form = browser.get(SEARCH).form(SEARCH)
    return browser.post(SEARCH, {**form.fields, "q": text})


def page_of(row: object) -> str:
    return reverse(f"admin:activations_{row._meta.model_name}_change", args=[row.pk])  # type: ignore[attr-defined]


def groups(page: Page) -> dict[str, list[str]]:
    """The names found, by the heading they are under."""
    context = page.browser.client.get(
        SEARCH, {"q": page.words.split("Found for ")[1].split(" :")[0].rstrip(":")}
    ).context
    return {group.title: [row.name for row in group.rows] for group in context["groups"]}


@pytest.fixture
def pump(license: LicenseCreated) -> Chariot:
    """An activated host of Acme Water, who have a contact."""
    customer = Customer.objects.get(name="Acme Water")
    Contact.objects.create(customer=customer, name="Plant engineering", email="plant@acme.example")
    chariot = Chariot(license.license_key, host("pump-house"))
    chariot.install(answered(chariot.request()))
    return chariot


@pytest.mark.parametrize("typed", ["{}", " {} ", "{lower}", "{bare}", "License ID: {}", "{spaced}"])
def test_a_license_id_opens_its_license_however_it_is_typed(
    typed: str, license: LicenseCreated, sign_in: SignIn
) -> None:
    name = license.license_id
    ways = {
        "lower": name.lower(),
        "bare": name[4:].replace("-", ""),
        "spaced": name.replace("-", " ").replace("0", "O"),
    }
    assert search(sign_in("auditor"), typed.format(name, **ways)).path == page_of(license_row(name))


def test_every_id_and_hash_opens_what_it_names(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    activation = Activation.objects.get()
    mark_lost(activation_id=activation.activation_id, actor=AGENT, source=SOURCE, reason="fire")
    case = request_restoration(activation_id=activation.activation_id, actor=AGENT, source=SOURCE, reason="fire")
    approve_restoration(restoration_id=case.restoration_id, actor=LEAD, source=SOURCE, reason="yes")  # type: ignore[union-attr]
    answer, stored = UsageLicense.objects.get(), UsageRequest.objects.get()
    restoration, tombstone = Restoration.objects.get(), Tombstone.objects.get()
    agent = sign_in("agent")
    for typed, row in (
        (activation.activation_id, activation),
        (answer.usage_license_id.lower(), answer),
        (restoration.restoration_id, restoration),
        (tombstone.tombstone_id, tombstone),
        (stored.request_id, stored),
        (stored.request_id.upper()[:12], stored),
    ):
        assert search(agent, typed).path == page_of(row), typed


def test_a_thumbprint_and_a_part_of_a_fingerprint_find_the_host(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    other = make_license(customer="Northern Paper Mill")
    answered(Chariot(other.license_key, host("press-1")).request())
    activation, agent = Activation.objects.get(hostname="pump-house"), sign_in("agent")
    for typed in (pump.name, pump.name[:16], pump.name[:8]):
        found = groups(search(agent, typed))
        assert found["Activations"] == [activation.activation_id], typed
        assert [name.split(",")[0] for name in found["Usage Requests"]] == ["pump-house"]
    for hashes in activation.fingerprint.values():
        if hashes[0] not in str(Activation.objects.get(hostname="press-1").fingerprint):
            assert search(agent, hashes[0]).path == page_of(activation)
    mark_lost(activation_id=activation.activation_id, actor=AGENT, source=SOURCE, reason="fire")
    case = request_restoration(activation_id=activation.activation_id, actor=AGENT, source=SOURCE, reason="fire")
    approve_restoration(restoration_id=case.restoration_id, actor=LEAD, source=SOURCE, reason="yes")  # type: ignore[union-attr]
    found = groups(search(agent, activation.fingerprint["machine_id"][0]))
    assert found == {
        "Activations": [activation.activation_id],
        "Written-off hosts": [Tombstone.objects.get().tombstone_id],
    }


def test_names_are_found_by_a_part_and_grouped(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    make_license(customer="Northern Paper Mill")
    agent = sign_in("agent")
    assert groups(search(agent, "acme")) == {
        "Licenses": [license.license_id],
        "Customers": ["Acme Water"],
        "Contacts": ["Plant engineering <plant@acme.example>"],
    }
    assert groups(search(agent, "plant@acme")) == {
        "Licenses": [license.license_id],
        "Contacts": ["Plant engineering <plant@acme.example>"],
    }
    assert "Plant engineering <plant@acme.example>" in search(agent, "Plant eng").words
    assert search(agent, "PUMP").path == page_of(Activation.objects.get())


def test_a_host_that_was_refused_is_found_by_its_request(license: LicenseCreated, sign_in: SignIn) -> None:
    for name in ("pump-house", "filter-hall"):
        answered(Chariot(license.license_key, host(name)).request())
    issue(Chariot(license.license_key, host("new-line")).request())
    page = search(sign_in("agent"), "new-line")
    refused = UsageRequest.objects.get(hostname="new-line")
    assert page.path == page_of(refused)
    assert TITLES[refused.code] in page.words


@pytest.mark.parametrize("username", ["agent", "manager", "auditor"])
@pytest.mark.parametrize("shape", ["{}", "  {lower} ", "our key is {}", "{plain}"])
def test_a_license_key_opens_its_license_and_is_nowhere(
    username: str, shape: str, license: LicenseCreated, sign_in: SignIn, caplog: pytest.LogCaptureFixture
) -> None:
    key = license.license_key
    typed = shape.format(key, lower=key.lower(), plain=key.replace("-", ""))
    browser = sign_in(username)
    with caplog.at_level(logging.DEBUG), CaptureQueriesContext(connection):
        page = search(browser, typed)
    assert page.path == page_of(license_row(license.license_id))
    for place in (page.html, *page.redirects, caplog.text, *(str(row.get_decoded()) for row in Session.objects.all())):
        assert not holds(place, key)


def holds(place: str, key: str) -> bool:
    return key.replace("-", "")[:24] in place.upper().replace("-", "").replace(" ", "")


def test_a_replaced_key_opens_its_license_and_says_so(license: LicenseCreated, sign_in: SignIn) -> None:
    replace_license_key(license_id=license.license_id, actor=MANAGER, source=SOURCE, reason="leaked")
    page = search(sign_in("agent"), license.license_key)
    assert page.path == page_of(license_row(license.license_id))
    assert f"an earlier one of {license.license_id}: it was replaced" in page.words
    assert not holds(page.html, license.license_key)


def test_a_key_that_is_mistyped_or_not_ours_goes_into_no_address(license: LicenseCreated, sign_in: SignIn) -> None:
    key = license.license_key
    changed = key[:-1] + ("A" if key[-1] != "A" else "B")
    agent = sign_in("agent")
    for typed in (changed, key[:-1], changed.replace("-", ""), changed.replace("-", " ").lower()):
        page = search(agent, typed)
        assert "looks like a License Key with a typing mistake" in page.words, typed
        assert not page.redirects
        assert not holds(page.html, key)
    License.objects.update(key_digest="0" * 64)
    page = search(agent, key)
    assert "No license has this License Key." in page.words
    assert not holds(page.html, key)


def test_a_key_in_the_address_is_not_looked_up(license: LicenseCreated, sign_in: SignIn) -> None:
    page = sign_in("agent").get(f"{SEARCH}?q={quote(license.license_key)}")
    assert page.path == SEARCH
    assert "It was not looked up" in page.words
    assert not holds(page.html, license.license_key)


def test_a_deactivation_code_leads_to_the_desk_and_into_no_address(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    code = pump.deactivate()
    page = search(sign_in("agent"), f"{license.license_id} {code}")
    assert "Frees a seat" in page.words
    for typed in (code, code[:-1]):
        page = search(sign_in("auditor"), typed)
        assert "A support agent books it on the Desk" in page.words
        assert not page.redirects
        assert typed not in page.html


def test_a_usage_request_leads_an_agent_to_its_dry_run_and_others_to_what_is_known(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    # A one-line field takes the line ends out of what is pasted.
    text = pump.request().replace("\n", " ")
    page = search(sign_in("agent"), text)
    assert "Update of the same activation" in page.words
    assert "nothing is booked yet" in page.words
    assert groups(search(sign_in("auditor"), text))["Activations"] == [Activation.objects.get().activation_id]
    stored = UsageRequest.objects.get()
    assert search(sign_in("manager"), stored.text).path == page_of(stored)


def test_a_whole_mail_goes_to_the_desk(sign_in: SignIn) -> None:
    text = "Hello, our Chariot does not start. " * 20
    assert "Nothing found in this text" in search(sign_in("agent"), text).words
    assert "too long for a search" in search(sign_in("auditor"), text).words


def test_more_than_ten_lead_to_the_list(signing_keys: None, sign_in: SignIn) -> None:
    for number in range(12):
        make_license(customer=f"Plant {number:02}")
    page = search(sign_in("agent"), "plant")
    found = groups(page)
    assert [len(names) for names in found.values()] == [10, 10]
    for name in ("license", "customer"):
        rest = reverse(f"admin:activations_{name}_changelist") + "?q=plant"
        assert f'href="{rest}"' in page.html
        assert "12 licenses" in page.browser.get(rest).words or "12 customers" in page.browser.get(rest).words


def test_nothing_found_and_typing_mistakes_are_said_and_nothing_is_run(
    license: LicenseCreated, sign_in: SignIn
) -> None:
    agent = sign_in("agent")
    page = search(agent, "<script>alert(1)</script>")
    assert "Nothing was found for" in page.words
    assert "alert(1)</script>" not in page.html
    wrong = license.license_id[:-1] + ("A" if license.license_id[-1] != "A" else "B")
    assert "The License ID has a typing mistake" in search(agent, wrong).words
    assert "activation id has" in search(agent, "act-1234-5678").words
    assert "What the search finds" in search(agent, "").words
    assert "Nothing was found for" in search(agent, "x").words
    assert search(agent, "%").status == search(agent, "\x01'\"; --").status == 200


def test_results_need_a_role_and_a_sign_in(license: LicenseCreated) -> None:
    nobody = Browser(User.objects.create_user("nobody", is_staff=True))
    assert nobody.get(f"{SEARCH}?q=acme").status == 403
    answer = Client().get(SEARCH, {"q": "acme"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/login/?next=/admin/search/%3Fq%3Dacme")


def test_what_a_role_may_not_list_is_not_found(
    license: LicenseCreated, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Today every role may read all of it; the results ask the list pages, so they follow when that changes."""
    from activations.admin.people import CustomerAdmin
    from activations.domain.words import Ability

    monkeypatch.setattr(CustomerAdmin, "readers", (Ability.MANAGE_STAFF,))
    assert search(sign_in("agent"), "acme").path == page_of(license_row(license.license_id))


@pytest.mark.parametrize("typed", ["acme", "line", "LIC", "0" * 16, "1" * 64, "plant@"])
def test_a_search_takes_as_many_queries_for_many_rows_as_for_few(
    typed: str, signing_keys: None, sign_in: SignIn
) -> None:
    agent = sign_in("agent")

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert agent.get(f"{SEARCH}?q={typed}").status == 200
        return len(queries)

    few = 0
    for number in range(5):
        license = make_license(customer=f"Acme {number}", allowed=3)
        customer = Customer.objects.get(name=f"Acme {number}")
        Contact.objects.create(customer=customer, email=f"plant@acme{number}.example")
        for line in range(3):
            answered(Chariot(license.license_key, host(f"line-{number}-{line}")).request())
        issue(Chariot(license.license_key, host(f"line-{number}-9")).request())
        # A single row is opened at once, so the first page of results is that of two customers.
        few = count() if number == 1 else few
    assert count() == few <= 12


def test_thumbprints_are_looked_up_by_index(db: None) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Of a table that is nearly empty each way costs the same: it has rows here, and is not asked row by row.
            Instance.objects.bulk_create(
                Instance(thumbprint=f"{number:064x}", public_key=bytes(32), first_seen=timezone.now())
                for number in range(2000)
            )
            cursor.execute('ANALYZE "activations_instance"')
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_nestloop = off")
    for find in (searching.activations, searching.requests, searching.tombstones):
        plan = find(searching.sought("ab" * 32)).explain()
        assert re.search(r"INDEX activations_instance\w*|sqlite_autoindex_activations_instance|_thumbprint_", plan), (
            plan
        )
        assert not re.search(r"SCAN U0|Seq Scan on activations_instance", plan), plan


def test_the_field_is_on_every_page_of_everyone_with_a_role(license: LicenseCreated, sign_in: SignIn) -> None:
    pages = [reverse("admin:index"), SEARCH, page_of(license_row(license.license_id)), "/admin/password_change/"]
    for username in ("agent", "manager", "auditor", "administrator"):
        for address in pages:
            page = sign_in(username).get(address)
            form = page.form(SEARCH)
            assert form.method == "post", address
            assert '<label for="search"' in page.html


def test_the_field_holds_what_was_searched_for_and_nothing_else(license: LicenseCreated, sign_in: SignIn) -> None:
    """Not what another form on the page brings back when it is refused."""
    browser = sign_in("manager")
    form = next(form for form in browser.get(reverse("admin:automatic_answers")).forms if "customer_due" in form.fields)
    refused = browser.post(
        reverse("admin:automatic_answers"), {**form.fields, "customer_name": "Nobody known", "allowed": "yes"}
    )
    assert "There is no customer of this name" in refused.words
    assert refused.form(SEARCH).fields["q"] == ""
    assert search(browser, "zzzz").form(SEARCH).fields["q"] == "zzzz"
