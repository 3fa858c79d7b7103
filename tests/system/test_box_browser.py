"""The box and the search field in a real browser: nothing is lost when the session ends, and no License Key is kept."""

from __future__ import annotations

import base64
import json
from email.message import EmailMessage
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page

from tests.system.browsing import PASSWORD, Desk, press, sign_in, wait_for_focus

KEPT = "sessionStorage.getItem('portal-box')"
DROP = """([selector, name, base64]) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const given = new DataTransfer();
    given.items.add(new File([bytes], name));
    const target = document.querySelector(selector);
    for (const kind of ["dragenter", "dragover", "drop"]) {
        target.dispatchEvent(new DragEvent(kind, { dataTransfer: given, bubbles: true, cancelable: true }));
    }
}"""


def end_sessions(desk: Desk) -> None:
    desk.portal.python("from django.contrib.sessions.models import Session; Session.objects.all().delete()")


def sign_in_again(page: Page, username: str = "agent") -> None:
    """On the page that a lost form leads to."""
    wait_for_focus(page, "#id_username")
    page.keyboard.type(username)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    press(page, "Enter")


def box(page: Page) -> str:
    return page.locator("#id_text").input_value()


def kept(page: Page) -> str | None:
    found = page.evaluate(KEPT)
    return None if found is None else str(json.loads(found)["text"])


def wait_until_kept(page: Page, text: str | None) -> None:
    """What is typed is kept a moment later."""
    for _ in range(50):
        if kept(page) == text:
            return
        page.wait_for_timeout(50)
    assert kept(page) == text


def request_of(desk: Desk) -> str:
    return str(desk.chariot("request", desk.license_key)["usage_request"])


def test_what_was_pasted_is_in_the_box_again_after_signing_in(desk: Desk, page: Page) -> None:
    text = f"Hello,\n\n{request_of(desk)}\nThe plant"
    sign_in(page)
    page.keyboard.insert_text(text)
    end_sessions(desk)
    press(page, "Control+Enter")
    assert "/admin/login/" in page.url
    assert "What you pasted is not lost" in page.get_by_role("status").inner_text()
    sign_in_again(page)
    assert page.url.endswith("/admin/desk/")
    assert box(page) == text
    assert "This is what you had in the box." in page.locator("#box-restored").inner_text()
    wait_for_focus(page, "#id_text")
    press(page, "Control+Enter")
    assert page.locator("h1").inner_text() == "New activation"
    assert kept(page) is None
    page.goto("/admin/desk/")
    assert box(page) == ""


def test_a_confirmation_that_was_lost_is_looked_at_again(desk: Desk, page: Page) -> None:
    text = request_of(desk)
    sign_in(page)
    page.keyboard.insert_text(text)
    press(page, "Control+Enter")
    end_sessions(desk)
    press(page, "Control+Enter")
    sign_in_again(page)
    assert page.url.endswith("/admin/desk/")
    assert box(page).split() == text.split()
    assert desk.ledger() == ["license.created"]
    press(page, "Control+Enter")
    press(page, "Control+Enter")
    assert page.locator("h1").inner_text() == "Usage License issued"
    assert kept(page) is None
    assert desk.ledger()[1:] == ["request.received", "activation.created", "usage_license.issued"]


def test_a_deactivation_that_was_lost_is_looked_at_again(desk: Desk, page: Page) -> None:
    issued = desk.portal.manage(*("issue_usage_license", "--actor", "agent"), given=request_of(desk))
    desk.chariot("install", given=str(issued["usage_license"]))
    code = str(desk.chariot("deactivate")["deactivation_code"])
    sign_in(page)
    page.keyboard.insert_text(f"{desk.license_id}: {code}")
    press(page, "Control+Enter")
    assert page.locator("h1").inner_text() == "Frees a seat"
    end_sessions(desk)
    press(page, "Control+Enter")
    sign_in_again(page)
    assert box(page).split() == [desk.license_id, code]
    press(page, "Control+Enter")
    press(page, "Control+Enter")
    assert page.locator("h1").inner_text() == "Deactivation booked"


def test_what_was_typed_stays_when_another_page_is_looked_at(desk: Desk, page: Page) -> None:
    sign_in(page)
    page.keyboard.insert_text("half a mail")
    wait_until_kept(page, "half a mail")
    page.goto("/admin/activations/license/")
    page.goto("/admin/")
    assert box(page) == "half a mail"
    # It is selected, so that the next paste takes its place.
    wait_for_focus(page, "#id_text")
    page.keyboard.insert_text("another mail")
    assert box(page) == "another mail"


def test_a_license_key_is_cut_out_of_what_is_kept(desk: Desk, page: Page) -> None:
    key = desk.license_key
    shapes = [key, key.lower(), key.replace("-", ""), key.replace("-", " \N{EN DASH} "), key.replace("-", "\n> ")]
    sign_in(page)
    for shape in shapes:
        page.locator("#id_text").fill(f"{len(shape)}: our key is {shape}, please help.")
        wait_until_kept(page, f"{len(shape)}: our key is [License Key], please help.")
    end_sessions(desk)
    press(page, "Control+Enter")
    sign_in_again(page)
    assert box(page) == f"{len(shapes[-1])}: our key is [License Key], please help."


def test_a_text_from_which_a_key_cannot_be_cut_is_not_kept(desk: Desk, page: Page) -> None:
    start, end = desk.license_key[:16], desk.license_key[16:]  # parted inside a group
    halves = desk.license_key[:20], desk.license_key[21:]  # parted between two
    hidden = [
        f"{start}=\n{end}",
        f"{start}<b></b>{end}",
        f"{start}\u200b{end}",
        "</b>-<b>".join(halves),
        "&#8209;".join(halves),
    ]
    sign_in(page)
    for key in hidden:
        page.locator("#id_text").fill("first")
        wait_until_kept(page, "first")
        page.locator("#id_text").fill(f"our key: {key}")
        wait_until_kept(page, None)
    press(page, "Control+Enter")
    assert kept(page) is None


def test_signing_out_forgets_and_nobody_else_gets_it(desk: Desk, page: Page) -> None:
    sign_in(page)
    page.keyboard.insert_text("half a mail")
    wait_until_kept(page, "half a mail")
    with page.expect_navigation():
        page.get_by_role("button", name="Sign out").click()
    assert page.evaluate(KEPT) is None
    sign_in(page)
    page.keyboard.insert_text("half a mail")
    wait_until_kept(page, "half a mail")
    end_sessions(desk)
    page.goto("/admin/")
    assert kept(page) == "half a mail"
    sign_in_again(page, "manager")
    assert page.evaluate(KEPT) is None


def test_a_mail_file_is_dropped_and_survives_the_end_of_the_session(desk: Desk, page: Page) -> None:
    message = EmailMessage()
    message["Subject"], message["From"] = "Request", "plant@example.com"
    message.set_content("Grüße\n" + request_of(desk), cte="base64")
    dropped = ["#box textarea", "request.eml", base64.b64encode(bytes(message)).decode()]
    sign_in(page)
    page.evaluate(DROP, dropped)
    page.get_by_text("request.eml is ready. Press Look to read it").wait_for()
    wait_for_focus(page, "#box button.primary")
    end_sessions(desk)
    press(page, "Enter")
    sign_in_again(page)
    assert "Content-Transfer-Encoding: base64" in box(page)
    press(page, "Control+Enter")
    assert page.locator("h1").inner_text() == "New activation"
    page.goto("/admin/desk/")
    page.evaluate(DROP, dropped)
    wait_for_focus(page, "#box button.primary")
    press(page, "Enter")
    assert page.locator("h1").inner_text() == "New activation"


def test_a_file_that_is_chosen_is_read(desk: Desk, page: Page, tmp_path: Path) -> None:
    file = tmp_path / "request.req"
    file.write_text(request_of(desk), encoding="utf-16")
    sign_in(page)
    page.get_by_label("or drop or choose a file").set_input_files(file)
    press(page, "Control+Enter")
    assert page.locator("h1").inner_text() == "New activation"


def test_several_requests_one_after_the_other_by_keyboard(desk: Desk, page: Page, tmp_path: Path) -> None:
    first = request_of(desk)
    other = Desk(desk.portal, desk.address, desk.license_id, desk.license_key, tmp_path / "other")
    other.folder.mkdir()
    text = first + "\n" + request_of(other)
    sign_in(page)
    page.keyboard.insert_text(text)
    press(page, "Control+Enter")
    wait_for_focus(page, "#several-title")
    press(page, "Control+Enter")
    assert page.locator("h1").inner_text() == "New activation"
    press(page, "Control+Enter")
    assert page.locator("h1").inner_text() == "Usage License issued"
    end_sessions(desk)
    page.reload()
    sign_in_again(page)
    # The list went with the session, the text did not.
    page.goto("/admin/desk/")
    assert box(page).split() == text.split()


def test_the_search_is_a_key_away_and_a_license_key_is_in_no_address(
    desk: Desk, context: BrowserContext, page: Page
) -> None:
    seen: list[str] = []
    context.on("request", lambda request: seen.append(request.url))
    sign_in(page)
    page.keyboard.type("/")
    assert box(page) == "/"
    page.goto("/admin/activations/license/")
    page.locator("h1").click()
    page.keyboard.press("/")
    wait_for_focus(page, "#search")
    page.keyboard.type("acme")
    press(page, "Enter")
    assert "/admin/search/?q=acme" in page.url
    page.keyboard.press("/")
    page.keyboard.insert_text(desk.license_key)
    press(page, "Enter")
    assert page.locator("h1").inner_text().startswith(desk.license_id)
    page.keyboard.press("/")
    page.keyboard.insert_text(desk.license_id.lower())
    press(page, "Enter")
    assert page.locator("h1").inner_text().startswith(desk.license_id)
    assert not [url for url in seen if desk.license_key[:13] in url.upper()]


def test_the_search_needs_no_javascript(desk: Desk, browser: Browser) -> None:
    plain = browser.new_context(java_script_enabled=False, base_url=desk.address)
    page = plain.new_page()
    sign_in(page)
    page.get_by_role("search").get_by_label("Search: License ID").fill(desk.license_id)
    page.get_by_role("button", name="Search").click()
    assert page.locator("h1").inner_text().startswith(desk.license_id)
    plain.close()
