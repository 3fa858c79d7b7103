"""The import's pages: file, dry run, confirmation, and the License Keys once."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from activations.admin import importing as admin_importing
from activations.models import Contact, Customer, License
from activations.services.licenses import license_key
from activations.services.table_files import LARGEST_FILE
from tests.portal.test_import import GOOD
from tests.portal.web import Browser, Page

SignIn = Callable[[str], Browser]


def upload(browser: Browser, text: str | bytes, what: str = "license") -> Page:
    address = reverse(f"admin:{what}_import")
    fields = browser.get(address).form().fields
    content = text.encode() if isinstance(text, str) else text
    return browser.post(address, {**fields, "file": SimpleUploadedFile("list.csv", content)})


def file_rows(response: Any) -> list[list[str]]:
    text = response.content.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def test_from_the_file_to_the_keys(sign_in: SignIn) -> None:
    manager = sign_in("manager")
    Contact.objects.create(customer=Customer.objects.create(name="Acme Water"), email="plant@acme.example")
    page = upload(manager, GOOD)
    assert "Ready: 2 of 2 rows do something" in page.words
    assert "New license for 1 Chariot: mqtt-server until 2097-06-30 (a new customer)." in page.words
    assert License.objects.count() == 0
    form = page.form()
    done = page.send(form)
    assert "2 licenses made." in done.words
    keys = {row.license_id: license_key(row).text for row in License.objects.all()}
    assert not [key for key in keys.values() if key in done.html]
    assert "no-store" in done.headers["Cache-Control"]

    address = reverse("admin:license_import_keys")
    fields = done.form(address).fields
    answer = manager.client.post(address, fields)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="license-keys.csv"'
    assert "no-store" in answer.headers["Cache-Control"]
    rows = file_rows(answer)
    assert rows[0] == ["License ID", "License Key", "customer", "allowed", "contacts"]
    assert {row[0]: row[1] for row in rows[1:]} == keys
    assert rows[1][2:] == ["Acme Water", "2", "plant@acme.example"]

    again = manager.post(address, fields)
    assert "License Keys are not given again" in again.words
    twice = page.send(form)
    assert "sent before, and nothing was booked twice" in twice.words
    refused = upload(manager, GOOD)
    assert "This very file was imported on" in refused.words
    assert 'name="confirmed"' not in refused.html
    assert License.objects.count() == 2


def test_the_keys_of_an_import_are_for_whoever_made_it(sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = sign_in("manager")
    page = upload(manager, GOOD)
    done = page.send(page.form())
    address = reverse("admin:license_import_keys")
    keys = done.form(address).fields["keys"]
    agent = sign_in("agent")
    token = agent.get(reverse("admin:index")).form(reverse("admin:logout")).fields["csrfmiddlewaretoken"]
    assert agent.post(address, {"csrfmiddlewaretoken": token, "keys": keys}).status == 403
    for broken in ("", "rubbish", keys[:-4] + "AAAA"):
        answer = manager.post(address, {**done.form(address).fields, "keys": broken})
        assert "License Keys are not given again" in answer.words
    assert manager.get(address).redirects == [reverse("admin:activations_license_changelist")]
    another = Browser(manager.user)  # the same person, signed in again
    fresh = another.get(reverse("admin:index")).form(reverse("admin:logout")).fields
    assert "License Keys are not given again" in another.post(address, {**fresh, "keys": keys}).words
    monkeypatch.setattr(admin_importing, "KEYS_SECONDS", 0)
    assert "License Keys are not given again" in manager.post(address, done.form(address).fields).words
    monkeypatch.undo()
    assert manager.client.post(address, done.form(address).fields).headers["Content-Type"].startswith("text/csv")


def test_wrong_rows_on_the_page_and_no_button(sign_in: SignIn) -> None:
    page = upload(sign_in("manager"), GOOD + "Southern Dairy,0,,,\n")
    assert "1 of 3 rows is wrong, so nothing can be booked" in page.words
    assert "Allowed activations are a whole number" in page.words
    assert 'name="confirmed"' not in page.html


def test_a_bad_file_on_the_page(sign_in: SignIn) -> None:
    manager = sign_in("manager")
    page = upload(manager, b"PK\x03\x04 no workbook")
    assert "Nothing was booked" in page.words
    assert "The Excel workbook is damaged" in page.words
    fields = page.form().fields
    assert "Choose a file first." in manager.post(page.path, fields).words
    large = SimpleUploadedFile("list.csv", b"x" * (LARGEST_FILE + 1))
    assert "larger than 2 MB" in manager.post(page.path, {**fields, "file": large}).words


def test_a_dry_run_that_was_tampered_with_is_not_booked(sign_in: SignIn) -> None:
    manager = sign_in("manager")
    page = upload(manager, GOOD)
    form = page.form()
    assert "can no longer be confirmed" in page.send(form, confirmed=form.fields["confirmed"] + "A").words
    customers = manager.post(reverse("admin:customer_import"), form.fields)
    assert "can no longer be confirmed" in customers.words
    assert License.objects.count() == 0


def test_the_page_shows_a_new_dry_run_when_facts_changed(sign_in: SignIn) -> None:
    page = upload(sign_in("manager"), GOOD)
    Customer.objects.create(name="Acme Water")
    again = page.send(page.form())
    assert "Something changed since you looked at this file" in again.words
    assert License.objects.count() == 0
    assert "2 licenses made." in again.send(again.form()).words


def test_customers_on_the_web(sign_in: SignIn) -> None:
    manager = sign_in("manager")
    page = upload(manager, "customer,email\nAcme Water,plant@acme.example\n", "customer")
    done = page.send(page.form())
    assert "Imported: 1 row, all of them." in done.words
    assert Contact.objects.get().email == "plant@acme.example"


@pytest.mark.parametrize("what", ["license", "customer"])
def test_the_example_file_can_be_imported(what: str, sign_in: SignIn) -> None:
    manager = sign_in("manager")
    answer = manager.client.get(reverse(f"admin:{what}_import_example"))
    assert answer.status_code == 200
    page = upload(manager, answer.content, what)
    assert re.search(r"Ready: (2 of 2|3 of 3) rows do something", page.words)


@pytest.mark.parametrize("username", ["agent", "lead", "auditor", "administrator"])
def test_others_see_no_import(username: str, sign_in: SignIn) -> None:
    browser = sign_in(username)
    for what in ("license", "customer"):
        address = reverse(f"admin:{what}_import")
        assert browser.get(address).status == 403
        assert address not in browser.get(reverse(f"admin:activations_{what}_changelist")).html


def test_the_lists_lead_a_manager_to_the_import(sign_in: SignIn) -> None:
    browser = sign_in("manager")
    for what in ("license", "customer"):
        page = browser.get(reverse(f"admin:activations_{what}_changelist"))
        assert f'href="{reverse(f"admin:{what}_import")}"' in page.html
