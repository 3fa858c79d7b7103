"""An agent's day in a real browser on a real server: by keyboard alone, from the mail to the reply."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.system.browsing import Desk, clipboard, press, sign_in, tab_to, wait_for_focus


def test_from_the_mail_to_the_reply_by_keyboard(desk: Desk, page: Page) -> None:
    block = str(desk.chariot("request", desk.license_key)["usage_request"])
    mail = "Hello,\n\n" + "".join(f"> {line}\n" for line in block.splitlines()) + "\nThe plant"
    sign_in(page)
    page.keyboard.insert_text(mail)
    press(page, "Control+Enter")
    assert page.locator("h1").inner_text() == "New activation"
    assert "1 of 2 afterwards" in page.locator(".seats-words").inner_text()
    press(page, "Control+Enter")
    assert page.locator("h1").inner_text() == "Usage License issued"
    wait_for_focus(page, "[data-copy=reply]")
    page.keyboard.press("Enter")
    page.get_by_role("region", name="Reply to the customer").get_by_role("button", name="Copied").wait_for()
    reply = clipboard(page)
    assert reply.startswith("Hello,")
    installed = desk.chariot("install", given=reply)
    assert installed["license_id"] == desk.license_id
    tab_to(page, "Copy block")
    page.keyboard.press("Enter")
    page.get_by_role("region", name="Usage License").get_by_role("button", name="Copied").wait_for()
    assert clipboard(page).strip() in reply
    tab_to(page, "Download (.txt)")
    with page.expect_download() as started_download:
        page.keyboard.press("Enter")
    file = Path(started_download.value.path())
    assert file.read_text() == page.locator("#usage-license").inner_text()
    assert started_download.value.suggested_filename.startswith("USL-")
    page.reload()
    assert page.locator("h1").inner_text() == "Usage License issued"
    assert desk.ledger()[1:] == ["request.received", "activation.created", "usage_license.issued"]

    code = str(desk.chariot("deactivate")["deactivation_code"])
    page.goto("/admin/desk/")
    wait_for_focus(page, "#id_text")
    page.keyboard.insert_text(f"License {desk.license_id}, code {code}")
    press(page, "Control+Enter")
    assert page.locator("h1").inner_text() == "Frees a seat"
    press(page, "Control+Enter")
    assert page.locator("h1").inner_text() == "Deactivation booked"
    assert desk.ledger()[4:] == ["activation.deactivated"]


def test_two_quick_clicks_send_one_form(desk: Desk, page: Page) -> None:
    block = str(desk.chariot("request", desk.license_key)["usage_request"])
    sign_in(page)
    page.keyboard.insert_text(block)
    press(page, "Control+Enter")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    with page.expect_navigation():
        page.get_by_role("button", name="Issue the Usage License").dblclick()
    assert page.locator("h1").inner_text() == "Usage License issued"
    assert len(sent) == 1
    assert desk.ledger()[1:] == ["request.received", "activation.created", "usage_license.issued"]


def test_without_javascript_the_flow_is_the_same(desk: Desk, browser: Browser) -> None:
    block = str(desk.chariot("request", desk.license_key)["usage_request"])
    plain = browser.new_context(java_script_enabled=False, base_url=desk.address)
    page = plain.new_page()
    sign_in(page)
    page.get_by_label("Paste the customer's email").fill(block)
    page.get_by_role("button", name="Look").click()
    page.get_by_role("button", name="Issue the Usage License").click()
    assert page.locator("h1").inner_text() == "Usage License issued"
    assert page.get_by_role("button", name="Copy reply").count() == 0
    assert desk.chariot("install", given=page.locator("#reply").inner_text())["license_id"] == desk.license_id
    plain.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_are_readable_and_the_page_fits_a_laptop(desk: Desk, browser: Browser, scheme: str) -> None:
    """Contrast of what is read all day (WCAG AA, 4.5 to 1), and no sideways scrolling at 1280 pixels."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 800},
        base_url=desk.address,
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    sign_in(page)
    page.keyboard.insert_text(str(desk.chariot("request", desk.license_key)["usage_request"]))
    press(page, "Control+Enter")
    for place in ("", "/admin/desk/", "/admin/activations/license/"):
        if place:
            page.goto(place)
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280, place
        assert page.evaluate(CONTRASTS) == [], place
    context.close()


# Every element with text of its own whose colour stands out less than 4.5 to 1 from what is behind it.
CONTRASTS = """() => {
    const channels = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => {
        const part = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
        return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
    };
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = channels(getComputedStyle(at).backgroundColor);
            if (colour.length < 4 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const poor = [];
    for (const element of document.body.querySelectorAll("*")) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        const box = element.getBoundingClientRect();
        if (!own || box.width < 2 || box.height < 2) continue;
        const a = light(channels(getComputedStyle(element).color)), b = light(behind(element));
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (contrast < 4.5) poor.push(`${element.textContent.trim().slice(0, 40)}: ${contrast.toFixed(2)}`);
    }
    return poor;
}"""
