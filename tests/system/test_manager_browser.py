"""What license managers and leads do, in a real browser on a real server and mostly by keyboard.

Each flow ends with what the person sees and with exactly what the ledger says of it; axe-core looks at every page that
follows a preview or a booking.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.system.browsing import PASSWORD, clipboard, press, wait_for_focus
from tests.system.managing import Office, confirm, follow, opened, overwrite, reach, reach_words
from tests.system.portal import Portal
from tests.system.test_accessibility import findings, sign_in

PORTAL = "portal"  # the chain of what belongs to no license
TEXT = "/admin/activations/replytext/text/refused/"


@pytest.fixture(scope="module")
def office(served: tuple[Portal, str]) -> Office:
    portal, address = served
    portal.manage("create_staff", "lead", "--role", "support-lead", "--password", PASSWORD)
    return opened(portal, address)


def signed_in(browser: Browser, office: Office, username: str) -> BrowserContext:
    context = browser.new_context(
        viewport={"width": 1366, "height": 768}, base_url=office.address, color_scheme="light", locale="en-US"
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=office.address)
    page = context.new_page()
    sign_in(page, username)
    page.close()
    return context


@pytest.fixture(scope="module")
def manager(browser: Browser, office: Office) -> Iterator[BrowserContext]:
    """Signed in once for all of them."""
    context = signed_in(browser, office, "manager")
    yield context
    context.close()


@pytest.fixture(scope="module")
def lead(browser: Browser, office: Office) -> Iterator[BrowserContext]:
    context = signed_in(browser, office, "lead")
    yield context
    context.close()


def watched(context: BrowserContext) -> Iterator[Page]:
    """A page that fails the test when the browser complains."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    page.close()
    assert complaints == []


@pytest.fixture
def page(manager: BrowserContext) -> Iterator[Page]:
    yield from watched(manager)


@pytest.fixture
def lead_page(lead: BrowserContext) -> Iterator[Page]:
    yield from watched(lead)


def heading(page: Page) -> str:
    return page.locator("h1").inner_text()


def told(page: Page) -> str:
    return page.locator(".messagelist").inner_text()


def test_a_new_license_and_its_key_once(office: Office, page: Page) -> None:
    page.goto("/admin/activations/license/add/")
    wait_for_focus(page, "#id_customer")
    page.keyboard.insert_text("Southern Dairy")
    reach(page, "#id_allowed")
    overwrite(page, "3")
    reach(page, "[name=has-mqtt-server]")
    page.keyboard.press("Space")
    press(page, "Control+Enter")
    assert heading(page) == "License created"
    assert findings(page) == []
    wait_for_focus(page, "[data-copy=license-key]")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Copied").wait_for()
    (made,) = office.of_customer("Southern Dairy")
    key = office.key_of(made)
    assert clipboard(page) == page.locator("#license-key").inner_text() == key
    page.reload()  # sends the form once more
    assert page.url.endswith(made.page)
    assert f"{made.license_id} was made; no second license was made. Its License Key is shown once only" in told(page)
    assert key not in page.content()
    assert "0 of 3 seats taken" in page.locator(".seats-words").inner_text()
    assert office.of_customer("Southern Dairy") == [made]
    assert [entry.said for entry in office.ledger(made.license_id)] == [("manager", "license.created", "")]


def test_changed_terms_from_the_preview_to_the_mail_by_keyboard(office: Office, page: Page) -> None:
    license, before = office.water, len(office.ledger(office.water.license_id))
    page.goto(license.page)
    follow(page, "Change terms")
    reach(page, "#id_allowed")
    overwrite(page, "6")
    reach(page, "[name=has-iot-bridge-snowflake]")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.type("06302031")
    reach(page, "#id_reason")
    overwrite(page, "Order 4711")
    press(page, "Control+Enter")

    wait_for_focus(page, "#preview-title")
    changed = page.locator("#preview tr.changed").all_inner_texts()
    assert [line.split() for line in changed] == [
        ["Allowed", "activations", "4", "6"],
        ["iot-bridge-snowflake", "not", "included", "until", "2031-06-30"],
    ]
    shown = page.locator("#preview").inner_text()
    assert "2 active hosts need a new round trip" in shown
    assert "pump-house" in shown
    assert "filter-hall" in shown
    assert "Nothing is booked yet." in shown
    assert findings(page) == []
    assert office.ledger(license.license_id, after=before) == []

    press(page, "Control+Enter")
    assert page.url.endswith(license.page)
    assert told(page) == "Booked. Hosts keep the Usage License they have until their next Usage Request."
    assert page.get_by_role("heading", name="Terms, revision 2").is_visible()
    assert "2 hosts still have older terms than the license." in page.locator("#content-main").inner_text()
    assert findings(page) == []
    assert [entry.said for entry in office.ledger(license.license_id, after=before)] == [
        ("manager", "license.terms_changed", "Order 4711"),
        ("manager", "license.allowed_changed", "Order 4711"),
    ]
    follow(page, "Which, and the mail that asks for a new Usage Request")
    _the_mail_to_the_customer(page)
    assert len(office.ledger(license.license_id, after=before)) == 2, "a mail books nothing"


def _the_mail_to_the_customer(page: Page) -> None:
    assert page.get_by_role("heading", name="2 hosts with older terms").is_visible()
    rows = page.get_by_role("region", name="2 hosts with older terms").locator("tbody tr").all_inner_texts()
    assert sorted(row.split()[0] for row in rows) == ["filter-hall", "pump-house"]
    assert all("iot-bridge-snowflake: not included → until 2031-06-30" in row for row in rows)
    assert findings(page) == []
    wait_for_focus(page, "[data-copy=letter]")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Copied").wait_for()
    letter = clipboard(page)
    assert letter.startswith("Hello,")
    assert letter == page.locator("#letter").text_content()
    assert "pump-house (ACT-" in letter
    assert "filter-hall (ACT-" in letter
    assert page.get_by_role("link", name="plant@acme-water.example").is_visible()
    follow(page, "Keep this reply")
    assert told(page) == "The reply is kept as sent."
    assert letter.strip() in page.locator("#content-main").inner_text()
    assert findings(page) == []


def test_the_license_key_after_a_reason_and_another_in_its_place(office: Office, page: Page) -> None:
    license = office.new_license("Acme Water")
    first = office.key_of(license)
    page.goto(license.page)
    assert first not in page.content()
    follow(page, "Show key")
    wait_for_focus(page, "#id_reason")
    page.keyboard.press("Control+Enter")  # without a reason it stays where it is
    assert page.locator("#id_reason").evaluate("field => field.validity.valueMissing")
    confirm(page, "The plant lost the mail.")
    assert "Shown to you, and booked." in page.get_by_role("status").first.inner_text()
    assert page.locator("#license-key").inner_text() == first
    assert findings(page) == []

    follow(page, license.license_id)
    assert first not in page.content()
    follow(page, "Replace key")
    confirm(page, "It was in a public ticket.")
    assert heading(page) == "License Key replaced"
    second = page.locator("#license-key").inner_text()
    assert second == office.key_of(license)
    assert second != first
    assert findings(page) == []
    page.reload()
    assert page.url.endswith(license.page)
    assert "The key was replaced once." in told(page)
    assert second not in page.content()
    assert [entry.said for entry in office.ledger(license.license_id, after=1)] == [
        ("manager", "license.key_shown", "The plant lost the mail."),
        ("manager", "license.key_replaced", "It was in a public ticket."),
    ]


def test_a_license_suspended_reinstated_and_revoked(office: Office, page: Page) -> None:
    license = office.new_license("Unpaid Works")
    page.goto(license.page)
    refused = "its Usage Requests are refused until a license manager reinstates it."
    steps = [
        ("Suspend", "suspended", [f"This license is suspended: {refused}"]),
        ("Reinstate", "active", []),
        ("Revoke", "revoked", ["This license was revoked and stays so. Its Usage Requests are refused."]),
    ]
    for step, status, notes in steps:
        follow(page, step)
        assert heading(page) == f"{step} {license.license_id}"
        confirm(page, f"{step}: agreed with sales.")
        assert page.url.endswith(license.page)
        assert told(page) == f"{license.license_id} is {status} now."
        assert heading(page) == f"{license.license_id} {status}"
        assert page.locator("#content-main .note").all_inner_texts() == notes
        assert findings(page) == []
    assert page.get_by_role("link", name="Reinstate").count() == 0
    assert "Not possible here: Change terms, Suspend, Replace key, Revoke" in page.locator(".not-now").inner_text()
    assert [entry.said for entry in office.ledger(license.license_id, after=1)] == [
        ("manager", "license.suspended", "Suspend: agreed with sales."),
        ("manager", "license.reinstated", "Reinstate: agreed with sales."),
        ("manager", "license.revoked", "Revoke: agreed with sales."),
    ]


def test_a_restoration_is_denied(office: Office, lead_page: Page) -> None:
    page, case = lead_page, office.cases[2]
    before = len(office.ledger(office.mill.license_id))
    page.goto(office.case_page(case))
    follow(page, "Deny")
    assert heading(page) == f"Deny {case}"
    assert "The activation stays lost and keeps its seat." in page.locator("#content-main").inner_text()
    confirm(page, "The photo shows another machine.")
    assert told(page) == f"{case} is denied."
    assert heading(page) == f"{case} denied"
    assert "The photo shows another machine." in page.locator("blockquote").all_inner_texts()
    assert office.mill.license_id in page.locator("#reply").inner_text()
    assert page.get_by_role("link", name="Approve").count() == 0
    assert findings(page) == []
    booked = office.ledger(office.mill.license_id, after=before)
    assert [entry.said for entry in booked] == [("lead", "restoration.denied", "The photo shows another machine.")]
    assert booked[0].data["restoration_id"] == case
    page.goto(office.mill.page)
    row = page.get_by_role("row").filter(has_text="winder").locator("td").all_inner_texts()
    assert (row[2], row[3].isdecimal()) == ("lost", True), row  # it has its seat


def test_a_restoration_above_the_quota_needs_a_tick(office: Office, lead_page: Page) -> None:
    page, case = lead_page, office.cases[3]
    before = len(office.ledger(office.mill.license_id))
    page.goto(office.case_page(case))
    follow(page, "Approve")
    confirm(page, "The insurer confirms it.")
    assert "Nothing was booked" in page.get_by_role("alert").inner_text()
    assert page.locator("#id_reason").input_value() == "The insurer confirms it."
    assert findings(page) == []
    assert office.ledger(office.mill.license_id, after=before) == []

    wait_for_focus(page, "#id_reason")
    reach(page, "#id_above_quota")
    page.keyboard.press("Space")
    press(page, "Control+Enter")
    assert told(page) == f"{case} is approved."
    assert "Approved by lead" in page.locator("#content-main").inner_text()
    assert "above the quota" in page.locator("#content-main").inner_text()
    assert findings(page) == []
    booked = office.ledger(office.mill.license_id, after=before)
    assert [entry.said for entry in booked] == [
        ("lead", "restoration.approved", "The insurer confirms it."),
        ("lead", "activation.restored", "The insurer confirms it."),
        ("lead", "tombstone.placed", "The insurer confirms it."),
    ]
    assert booked[0].data["above_quota"] == {"count": 2, "quota": 2}


def test_licenses_from_a_file(office: Office, page: Page, tmp_path: Path) -> None:
    file = tmp_path / "licenses.csv"
    rows = "customer,allowed,mqtt-server,mqtt-server-support,lowest version\nAcme Pipes,2,yes,2098-12-31,2.4\n"
    file.write_text(f"{rows}Eastern Brewery,none,2097-06-30,,\n")
    before = len(office.ledger(PORTAL))
    page.goto("/admin/activations/license/import/")
    _look_at(page, file)
    assert page.locator(".verdict-word").inner_text() == "1 of 2 rows is wrong, so nothing can be booked"
    wrong = page.get_by_role("region", name="What is wrong").locator("tbody tr").all_inner_texts()
    assert [row.split("\t")[:2] for row in wrong] == [["3", "allowed"]]
    assert page.get_by_role("button", name="Import").count() == 0
    assert findings(page) == []
    follow(page, "Choose another file")
    file.write_text(f"{rows}Eastern Brewery,1,2097-06-30,,\n")
    _look_at(page, file)
    assert page.locator(".verdict-word").inner_text() == "Ready: 2 of 2 rows do something"
    does = page.locator(".import-rows tbody td:nth-of-type(1)").all_inner_texts()
    assert does == [
        "New license for 2 Chariots: mqtt-server, mqtt-server-support until 2098-12-31 (a new customer).",
        "New license for 1 Chariot: mqtt-server until 2097-06-30 (a new customer).",
    ]
    assert findings(page) == []
    assert office.ledger(PORTAL, after=before) == []

    press(page, "Control+Enter")
    assert heading(page) == "Licenses imported"
    assert "2 licenses made." in page.get_by_role("status").first.inner_text()
    assert findings(page) == []
    wait_for_focus(page, "button.primary")
    with page.expect_download() as started:
        page.keyboard.press("Enter")
    assert started.value.suggested_filename == "license-keys.csv"
    made = [sold for name in ("Acme Pipes", "Eastern Brewery") for sold in office.of_customer(name)]
    with Path(started.value.path()).open(encoding="utf-8-sig", newline="") as keys:
        assert list(csv.reader(keys)) == [
            ["License ID", "License Key", "customer", "allowed", "contacts"],
            [made[0].license_id, office.key_of(made[0]), "Acme Pipes", "2", ""],
            [made[1].license_id, office.key_of(made[1]), "Eastern Brewery", "1", ""],
        ]
    page.reload()
    assert "This import was sent before, and nothing was booked twice." in told(page)
    (booked,) = office.ledger(PORTAL, after=before)
    assert booked.said == ("manager", "list.imported", "")
    assert (booked.data["list"], booked.data["rows"]) == ("licenses", 2)
    for sold in made:
        assert [entry.said for entry in office.ledger(sold.license_id)] == [("manager", "license.created", "")]


def _look_at(page: Page, file: Path) -> None:
    wait_for_focus(page, "#id_file")
    page.set_input_files("#id_file", file)  # the dialog is the operating system's
    press(page, "Control+Enter")


def test_a_list_as_a_view_and_as_a_file(office: Office, page: Page) -> None:
    wanted = [office.new_license("Harbour Cranes") for _ in range(2)]
    before = len(office.ledger(PORTAL))
    page.goto("/admin/activations/license/?status__exact=active&q=Harbour")
    reach_words(page, "Save this view")
    page.keyboard.press("Enter")
    reach(page, "#view-name")
    page.keyboard.insert_text("The harbour")
    press(page, "Enter")
    assert told(page) == "The view The harbour is saved. You find it above this list; nobody else sees it."
    assert page.locator(".saved-views a[aria-current=true]").inner_text() == "The harbour"
    assert findings(page) == []
    page.goto("/admin/activations/license/")
    follow(page, "The harbour")
    assert "Export 2 rows:" in page.locator("#export-what").inner_text()
    reach(page, ".export button[value=csv]")
    with page.expect_download() as started:
        page.keyboard.press("Enter")
    with Path(started.value.path()).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["License ID"] for row in rows) == sorted(sold.license_id for sold in wanted)
    assert {row["customer"] for row in rows} == {"Harbour Cranes"}
    assert findings(page) == []
    (booked,) = office.ledger(PORTAL, after=before)  # the view is one's own, and not booked
    assert booked.said == ("manager", "list.exported", "")
    assert (booked.data["list"], booked.data["format"], booked.data["rows"]) == ("Licenses", "csv", 2)
    assert booked.data["filter"] == {"status__exact": ["active"], "q": ["Harbour"]}


def test_a_reply_text_from_the_preview_to_a_new_version(office: Office, page: Page) -> None:
    before = len(office.ledger(PORTAL))
    page.goto(TEXT)
    reach(page, "#id_body")
    overwrite(page, "Good day,\n\n{customer_sentence}\n{license_id}\n")
    reach(page, "#id_reason")
    overwrite(page, "Kinder.")
    follow(page, "Preview")
    assert page.locator("#preview").inner_text().startswith("Good day,\n\nLicense LIC-")
    assert any("Hello," in line for line in page.locator("#content-main del").all_inner_texts())
    assert any("Good day," in line for line in page.locator("#content-main ins").all_inner_texts())
    assert page.locator("#id_reason").input_value() == "Kinder."
    assert findings(page) == []
    assert office.ledger(PORTAL, after=before) == []

    follow(page, "Save as version 1")
    assert told(page) == "Version 1 is in use from now on."
    assert "In use: version 1." in page.locator(".page-head").inner_text()
    assert page.locator("#id_body").input_value() == "Good day,\n\n{customer_sentence}\n{license_id}\n"
    assert findings(page) == []
    (booked,) = office.ledger(PORTAL, after=before)
    assert booked.said == ("manager", "reply_text.changed", "Kinder.")
    assert (booked.data["kind"], booked.data["version"]) == ("refused", 1)
