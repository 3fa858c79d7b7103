"""Licenses in the admin: the page of one, creating, changing, and what is shown once or never."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie

import pytest
from chariot_license.protocol.codes import LicenseKey
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from activations.models import Activation, Customer, License, LicenseTerms
from activations.services.licenses import LicenseCreated
from tests.portal.cast import answered, entries, length, license_row, make_license
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser, Page

SignIn = Callable[[str], Browser]
LIST = "/admin/activations/license/"
ADD = f"{LIST}add/"


def page_of(license: LicenseCreated) -> str:
    return reverse("admin:activations_license_change", args=[license_row(license.license_id).pk])


def change(browser: Browser, license: LicenseCreated, action: str, **typed: str) -> Page:
    page = browser.get(reverse(f"admin:license_{action}", args=[license_row(license.license_id).pk]))
    return page.send(page.form(), **typed)


def change_terms(browser: Browser, license: LicenseCreated, **typed: str) -> Page:
    """Fills in the form, looks at the preview, and books it."""
    page = change(browser, license, "terms", **typed)
    return page.send(page.form(), book="") if "What this changes" in page.words else page


def test_a_license_manager_creates_a_license_and_sees_its_key_once(db: None, sign_in: SignIn) -> None:
    manager = sign_in("manager")
    form = manager.get(ADD).form()
    typed = {
        "customer": "Acme Water",
        "allowed": "3",
        "has-mqtt-server": "on",
        "has-mqtt-server-support": "on",
        "until-mqtt-server-support": "2031-06-30",
    }
    page = manager.post(ADD, {**form.fields, **typed})
    license = License.objects.get()
    key = page.block("license-key")
    assert LicenseKey.parse(key).text == key
    assert "This page does not come back." in page.words
    assert "no-store" in page.headers["Cache-Control"]
    assert [entry[1:] for entry in entries(license.license_id)] == [("manager", "license.created", "")]
    assert LicenseTerms.objects.get().features == [
        {"code": "mqtt-server", "expires": None},
        {"code": "mqtt-server-support", "expires": "2031-06-30"},
    ]
    page = manager.get(reverse("admin:activations_license_change", args=[license.pk]))
    assert key not in page.html
    assert "0 of 3 seats taken" in page.words
    assert "mqtt-server-support 2031-06-30" in page.words


def test_sending_the_same_form_twice_makes_one_license(db: None, sign_in: SignIn) -> None:
    manager = sign_in("manager")
    data = {**manager.get(ADD).form().fields, "customer": "Acme Water", "has-mqtt-server": "on"}
    manager.post(ADD, data)
    page = manager.post(ADD, data)
    assert "no second license was made" in page.words
    assert License.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_clicking_many_times_at_once_makes_one_license(sign_in: SignIn) -> None:
    manager = sign_in("manager")
    data = {**manager.get(ADD).form().fields, "customer": "Acme Water", "has-mqtt-server": "on"}
    cookies = manager.client.cookies

    def click(_: int) -> str:
        client = Client()
        client.cookies = SimpleCookie(cookies.output(header="", sep=";"))
        try:
            return client.post(ADD, data, follow=True).content.decode()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        pages = list(threads.map(click, range(4)))
    assert License.objects.count() == 1
    assert sum("This page does not come back." in page for page in pages) == 1


def test_a_form_with_mistakes_says_what_to_do_and_can_be_sent_again(db: None, sign_in: SignIn) -> None:
    manager = sign_in("manager")
    page = manager.get(ADD)
    page = page.send(page.form(), customer=" ", allowed="0", **{"until-mqtt-server": "2031-06-30"})
    assert 'role="alert"' in page.html
    assert "Tick at least one feature." in page.words
    assert "Tick MQTT Server too, or remove its last day." in page.words
    assert not License.objects.exists()
    page = page.send(page.form(), customer="Acme Water", allowed="1", **{"has-mqtt-server": "on"})
    assert License.objects.count() == 1


def test_the_page_shows_seats_activations_terms_and_history(license: LicenseCreated, sign_in: SignIn) -> None:
    chariot = Chariot(license.license_key, host("pump-house"))
    chariot.install(answered(chariot.request()))
    activation = Activation.objects.get()
    page = sign_in("agent").get(page_of(license))
    for words in (
        f"{license.license_id} active",
        "Acme Water",
        "1 of 2 seats taken",
        "Seat 1: active, pump-house",
        "Seat 2: free",
        f"{activation.activation_id} pump-house active 1 2.4.1",
        "mqtt-server does not expire",
        "every version",
        f"Activated {activation.activation_id} on pump-house, seat 1 agent",
        "License created Acme Water, 2 allowed activations.",
    ):
        assert words in page.words
    row = license_row(license.license_id)
    for secret in (license.license_key, bytes(row.key_encrypted).decode(), row.key_digest):
        assert secret not in page.html


def test_changing_terms_books_only_what_differs(license: LicenseCreated, sign_in: SignIn) -> None:
    chariot = Chariot(license.license_key, host("pump-house"))
    chariot.install(answered(chariot.request()))
    before = length(license.license_id)
    manager = sign_in("manager")
    page = change_terms(manager, license, allowed="4", reason="Order 4711")
    assert page.path == page_of(license)
    assert [entry[1:] for entry in entries(license.license_id, after=before)] == [
        ("manager", "license.allowed_changed", "Order 4711")
    ]
    page = change_terms(manager, license, reason="Order 4712", **{"has-iot-bridge-snowflake": "on"})
    assert [entry[2] for entry in entries(license.license_id, after=before + 1)] == ["license.terms_changed"]
    assert "Hosts keep the Usage License they have until their next Usage Request." in page.words
    assert "older terms" in page.words
    page = change(manager, license, "terms", reason="nothing")
    assert "Nothing was booked" in page.words
    page = change(manager, license, "terms", allowed="5")
    assert "Say why, in a sentence" in page.words
    assert length(license.license_id) == before + 2


def test_a_change_of_terms_is_previewed_and_booked_as_previewed(license: LicenseCreated, sign_in: SignIn) -> None:
    """Who needs a new round trip is said before anything is booked; what is typed afterwards gets a new preview."""
    answered(Chariot(license.license_key, host("pump-house")).request())
    before = length(license.license_id)
    manager = sign_in("manager")
    page = change(manager, license, "terms", reason="Order 4712", **{"has-iot-bridge-snowflake": "on"})
    assert "iot-bridge-snowflake not included does not expire" in page.words
    assert "mqtt-server does not expire the same" in page.words
    assert "1 active host needs a new round trip" in page.words
    assert f"pump-house {Activation.objects.get().activation_id}, seat 1" in page.words
    assert length(license.license_id) == before

    page = page.send(page.form(), book="", allowed="7")
    assert "Allowed activations 2 7" in page.words
    assert length(license.license_id) == before
    page = page.send(page.form(), book="")
    assert page.path == page_of(license)
    assert [entry[1:] for entry in entries(license.license_id, after=before)] == [
        ("manager", "license.terms_changed", "Order 4712"),
        ("manager", "license.allowed_changed", "Order 4712"),
    ]
    page = change(manager, license, "terms", reason="Order 4713", allowed="8")
    assert "No host needs a new Usage License for this." in page.words


def test_online_activation_is_a_tick_that_is_previewed_and_booked(license: LicenseCreated, sign_in: SignIn) -> None:
    manager, before = sign_in("manager"), length(license.license_id)

    page = change(manager, license, "terms", reason="Order 4711", online="on")

    assert "Online activation off allowed" in page.words
    assert "No host needs a new Usage License for this" in page.words
    page = page.send(page.form(), book="")
    assert entries(license.license_id, after=before) == [
        (before + 1, "manager", "license.online_changed", "Order 4711")
    ]
    assert "answered at once where no person has to decide" in page.words
    assert "Online activation changed Allowed from now on" in page.words
    page = change(manager, license, "terms", reason="Order 4712", allowed="3")
    assert page.form().fields["online"] == "on", "another change leaves it as it is"


def test_hosts_on_older_terms_and_the_mail_that_asks_them_back(license: LicenseCreated, sign_in: SignIn) -> None:
    pump, mill = (Chariot(license.license_key, host(name)) for name in ("pump-house", "mill"))
    for chariot in (pump, mill):
        chariot.install(answered(chariot.request()))
    manager = sign_in("manager")
    older = reverse("admin:license_older_terms", args=[license_row(license.license_id).pk])
    assert "Every active host of this license has its current terms." in manager.get(older).words
    change_terms(manager, license, reason="Order 1", **{"has-iot-bridge-snowflake": "on"})
    mill.install(answered(mill.request()))

    agent = sign_in("agent")
    assert "1 host still has older terms than the license." in agent.get(page_of(license)).words
    page = agent.get(older)
    assert "1 host with older terms" in page.words
    assert "iot-bridge-snowflake: not included → does not expire" in page.words
    letter = page.block("letter")
    assert "pump-house (ACT-" in letter
    assert "mill" not in letter
    assert "It takes no activation" in letter
    assert "Keep this reply" in page.words
    assert "Keep this reply" not in sign_in("auditor").get(older).words


def test_the_pages_of_a_license_cost_the_same_for_two_hosts_and_for_twelve(signing_keys: None, sign_in: SignIn) -> None:
    made = make_license(allowed=12)
    manager, agent = sign_in("manager"), sign_in("agent")
    pk = license_row(made.license_id).pk
    addresses = [page_of(made), reverse("admin:license_older_terms", args=[pk])]
    counts = []
    for number in range(12):
        answered(Chariot(made.license_key, host(f"host-{number}")).request())
        if number in (1, 11):
            change_terms(manager, made, reason="Order", **{"until-mqtt-server": f"20{40 + number}-01-01"})
            for address in addresses:
                with CaptureQueriesContext(connection) as queries:
                    agent.get(address)
                counts.append(len(queries))
    assert counts[:2] == counts[2:]


def test_the_dry_run_of_an_update_shows_the_terms_side_by_side(license: LicenseCreated, sign_in: SignIn) -> None:
    pump = Chariot(license.license_key, host("pump-house"))
    agent = sign_in("agent")
    assert "What changes in the terms" not in agent.paste(pump.request()).words
    pump.install(answered(pump.request()))
    assert "What changes in the terms" not in agent.paste(pump.request()).words
    change_terms(sign_in("manager"), license, reason="Order 1", **{"has-iot-bridge-snowflake": "on"})
    page = agent.paste(pump.request())
    assert "What changes in the terms" in page.words
    assert "iot-bridge-snowflake not included does not expire" in page.words


def test_terms_changed_by_somebody_else_meanwhile_are_not_overwritten(license: LicenseCreated, sign_in: SignIn) -> None:
    manager = sign_in("manager")
    page = change(manager, license, "terms", reason="Order 1", allowed="5")
    change_terms(manager, license, reason="Order 2", allowed="9")
    page = page.send(page.form(), book="")
    assert "Nothing was booked" in page.words
    assert license_row(license.license_id).allowed == 9


def test_a_license_key_is_shown_after_a_reason_and_booked(license: LicenseCreated, sign_in: SignIn) -> None:
    before = length(license.license_id)
    manager = sign_in("manager")
    address = reverse("admin:license_show_key", args=[license_row(license.license_id).pk])
    page = manager.get(address)
    assert license.license_key not in page.html
    page = page.send(page.form(), reason=" ")
    assert "Say why, in a sentence" in page.words
    assert length(license.license_id) == before
    page = page.send(page.form(), reason="The customer lost the purchase mail.")
    assert page.block("license-key") == license.license_key
    assert "no-store" in page.headers["Cache-Control"]
    assert entries(license.license_id, after=before) == [
        (before + 1, "manager", "license.key_shown", "The customer lost the purchase mail.")
    ]
    assert license.license_key not in manager.get(page_of(license)).html


@pytest.mark.parametrize("role", ["agent", "lead", "auditor", "administrator"])
def test_who_cannot_be_shown_a_license_key(role: str, license: LicenseCreated, sign_in: SignIn) -> None:
    before = length(license.license_id)
    browser = sign_in(role)
    page = browser.get(reverse("admin:license_show_key", args=[license_row(license.license_id).pk]))
    assert page.status == 403
    assert "Ask a license manager." in page.words
    assert "Show key : " in browser.get(page_of(license)).words
    assert length(license.license_id) == before


def test_seats_that_are_taken_cannot_be_taken_away(license: LicenseCreated, sign_in: SignIn) -> None:
    for name in ("pump-house", "filter-hall"):
        answered(Chariot(license.license_key, host(name)).request())
    page = change(sign_in("manager"), license, "terms", allowed="1", reason="smaller")
    assert "2 activations are in use, so the license cannot go below 2." in page.words


def test_suspending_reinstating_and_revoking(license: LicenseCreated, sign_in: SignIn) -> None:
    before = length(license.license_id)
    manager = sign_in("manager")
    assert "is suspended now" in change(manager, license, "suspend", reason="unpaid").words
    assert "Reinstate" in manager.get(page_of(license)).words
    assert "is active now" in change(manager, license, "reinstate", reason="paid").words
    assert "is active already" in change(manager, license, "reinstate", reason="paid").words
    assert "is revoked now" in change(manager, license, "revoke", reason="returned").words
    page = manager.get(page_of(license))
    assert "This license was revoked and stays so." in page.words
    assert "Change terms : A revoked license stays revoked." in page.words
    assert reverse("admin:license_terms", args=[license_row(license.license_id).pk]) not in page.html
    assert [entry[1:] for entry in entries(license.license_id, after=before)] == [
        ("manager", "license.suspended", "unpaid"),
        ("manager", "license.reinstated", "paid"),
        ("manager", "license.revoked", "returned"),
    ]


def test_a_leaked_key_is_replaced_and_shown_once(license: LicenseCreated, sign_in: SignIn) -> None:
    before = length(license.license_id)
    manager = sign_in("manager")
    form = manager.get(reverse("admin:license_replace_key", args=[license_row(license.license_id).pk]))
    page = form.send(form.form(), reason="Posted in a forum.")
    assert page.block("license-key") != license.license_key
    assert "The key was replaced once" in form.send(form.form(), reason="Posted in a forum.").words
    assert [entry[1:] for entry in entries(license.license_id, after=before)] == [
        ("manager", "license.key_replaced", "Posted in a forum.")
    ]


def test_search_finds_a_license_however_its_id_was_typed(license: LicenseCreated, sign_in: SignIn) -> None:
    other = make_license(customer="Northern Paper Mill")
    agent = sign_in("agent")
    typed = license.license_id.lower().replace("-", " ").replace("0", "O")
    for query in (license.license_id, typed, "acme", license.license_id[:12]):
        page = agent.client.get(LIST, {"q": query})
        assert license.license_id in page.content.decode(), query
        assert other.license_id not in page.content.decode(), query
    page = agent.client.get(LIST, {"status__exact": "suspended"})
    assert license.license_id not in page.content.decode()


def test_a_license_manager_keeps_the_contacts_of_a_customer(license: LicenseCreated, sign_in: SignIn) -> None:
    customer = Customer.objects.get()
    address = reverse("admin:activations_customer_change", args=[customer.pk])
    manager = sign_in("manager")
    form = manager.get(address).form()
    assert "name" not in form.fields  # the ledger names the customer of the license
    contact = {"contacts-TOTAL_FORMS": "1", "contacts-0-name": "Plant", "contacts-0-email": "plant@example.com"}
    manager.post(address, {**form.fields, **contact, "contacts-0-customer": str(customer.pk)})
    assert list(customer.contacts.values_list("email", flat=True)) == ["plant@example.com"]
    page = sign_in("agent").get(address)
    assert "plant@example.com" in page.words
    assert not [form for form in page.forms if form.fields.get("contacts-0-email")]
    assert license.license_id in sign_in("agent").client.get(LIST, {"q": "plant@example"}).content.decode()
