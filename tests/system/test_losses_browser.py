"""A burned server in a real browser: marked lost, its case opened, evidence added, approved by a second person.

By keyboard alone; only the file chooser is the operating system's, so the test hands the file over itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.system.browsing import PASSWORD, press, tab_to, wait_for_focus
from tests.system.portal import Portal

ACTIVATE = """
from tests.portal.cast import answered, make_license
from tests.portal.chariot import Chariot, host
from activations.models import Activation
license = make_license()
chariot = Chariot(license.license_key, host("pump-house"))
answered(chariot.request())
print(license.license_id, Activation.objects.latest("pk").pk)
"""


@pytest.fixture(scope="module")
def lost_server(served: tuple[Portal, str]) -> tuple[str, str, str]:
    """The portal's address, a License ID and the key of the row of its activation."""
    portal, address = served
    portal.manage("create_staff", "lead", "--role", "support-lead", "--password", PASSWORD)
    license_id, pk = portal.python(ACTIVATE).split()
    return address, license_id, pk


@pytest.fixture
def context(browser: Browser, lost_server: tuple[str, str, str]) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1366, "height": 768}, base_url=lost_server[0])
    yield made
    made.close()


def signed_in(context: BrowserContext, username: str, complaints: list[str]) -> Page:
    context.clear_cookies()
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto("/admin/")
    wait_for_focus(page, "#id_username")
    page.keyboard.type(username)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    press(page, "Enter")
    return page


def say(page: Page, words: str) -> None:
    """Writes the reason into the field that has the focus, and confirms."""
    wait_for_focus(page, "#id_reason")
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(words)
    press(page, "Control+Enter")


def test_from_the_burned_server_to_the_free_seat_by_keyboard(
    browser: Browser, context: BrowserContext, lost_server: tuple[str, str, str], tmp_path: Path
) -> None:
    _, license_id, pk = lost_server
    complaints: list[str] = []
    page = signed_in(context, "agent", complaints)
    page.goto(f"/admin/activations/activation/{pk}/change/")
    tab_to(page, "Mark lost")
    press(page, "Enter")
    assert page.locator("h1").inner_text() == "Mark pump-house lost"
    say(page, "Burned down on Sunday.")
    assert "is lost now. It keeps its seat." in page.locator(".messagelist").inner_text()
    assert page.locator("#id_reason").input_value() == "Burned down on Sunday."
    say(page, "There was a fire, they write.")
    photo = tmp_path / "wreck.jpg"
    photo.write_bytes(b"\xff\xd8\xff a burned server")
    page.set_input_files("#id_files", photo)
    page.locator("#id_files").focus()
    tab_to(page, "Add files")
    press(page, "Enter")
    assert "Added: wreck.jpg." in page.locator(".messagelist").inner_text()
    assert page.get_by_text("Your role cannot decide restorations. Ask a support lead.").is_visible()
    case = page.url

    page = signed_in(context, "lead", complaints)
    page.goto(case)
    assert page.locator(".verdict-word").inner_text() == "approve"
    with page.expect_download() as download:
        tab_to(page, "wreck.jpg")
        page.keyboard.press("Enter")
    assert download.value.path().read_bytes() == photo.read_bytes()
    assert page.url == case  # nothing was shown in the browser
    page.goto(case)
    tab_to(page, "Approve")
    press(page, "Enter")
    say(page, "Photo seen.")
    assert "is approved." in page.locator(".messagelist").inner_text()
    assert license_id in page.locator("#reply").inner_text()
    assert complaints == []
    _pages_fit_a_laptop(browser, lost_server)


def _pages_fit_a_laptop(browser: Browser, lost_server: tuple[str, str, str]) -> None:
    """One heading of the first order, and no sideways scrolling at 1280 pixels."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, base_url=lost_server[0])
    page = signed_in(context, "lead", [])
    for place in (
        "/admin/activations/restoration/",
        "/admin/activations/tombstone/",
        "/admin/activations/restoration/1/change/",
        "/admin/activations/tombstone/1/change/",
        "/admin/activations/restoration/1/approve/",
        "/admin/activations/restoration/1/deny/",
        f"/admin/activations/activation/{lost_server[2]}/change/",
        f"/admin/activations/activation/{lost_server[2]}/mark-lost/",
    ):
        answer = page.goto(place)
        assert answer is not None, place
        assert answer.status == 200, place
        assert page.locator("h1").count() == 1, place
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280, place
    context.close()
