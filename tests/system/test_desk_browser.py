"""An agent's day in a real browser on a real server: by keyboard alone, from the mail to the reply."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.ops.processes import ROOT, answer, free_port, started, until
from tests.system.portal import Portal

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CHROMIUM = next(
    (path for name in ("chromium", "google-chrome") if (path := shutil.which(name))),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
PASSWORD = "correct-battery-9"
FACTS = {
    "machine_id": "0f" * 16,
    "board_uuid": "2c9c1e0a-64a5-4b0c-9d5e-1f2a3b4c5d6e",
    "disk_serial": "DISK-0001",
    "mac": ["02:00:5e:10:00:01"],
    "hostname": "pump-house",
}


@dataclass
class Desk:
    """A portal that is being served, a license in it, and a Chariot of that license."""

    portal: Portal
    address: str
    license_id: str
    license_key: str
    folder: Path

    def chariot(self, *arguments: str, given: str = "") -> dict[str, object]:
        """One command of the real client, on a simulated host."""
        facts = self.folder / "facts.json"
        facts.write_text(json.dumps(FACTS))
        command = [
            str(Path(sys.executable).with_name("chariot-license")),
            *("--state-dir", str(self.folder / "chariot"), "--json"),
            *("--trust-root", str(self.portal.var / "trust-root.pem"), *arguments),
        ]
        env = {**self.portal.env, "CHARIOT_HOST_FACTS": str(facts)}
        done = subprocess.run(command, cwd=ROOT, env=env, input=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return dict(json.loads(done.stdout))

    def ledger(self) -> list[str]:
        """The kinds of what was booked for this license."""
        done = self.portal.run(
            [sys.executable, "manage.py", "export_ledger", "--format", "jsonl", "--license", self.license_id]
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(json.loads(line)["body"])["kind"] for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def served(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Portal, str]]:
    """A portal with staff and keys, served by gunicorn; and its address."""
    folder = tmp_path_factory.mktemp("served")
    file = folder / "portal.sqlite3"
    shutil.copy(migrated_sqlite, file)
    portal = Portal("sqlite", f"sqlite:///{file}", folder / "var")
    for name, role in (("agent", "support-agent"), ("manager", "license-manager")):
        portal.manage("create_staff", name, "--role", role, "--password", PASSWORD)
    portal.manage("signing_key", "create-root")
    portal.manage("signing_key", "issue")
    port, log = free_port(), folder / "gunicorn.log"
    address = f"http://127.0.0.1:{port}"
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "licensing_portal.wsgi",
        "--bind",
        f"127.0.0.1:{port}",
        "--workers",
        "1",
    ]
    with started(command, portal.env, log):
        until(lambda: (answer(f"{address}/healthz") or (0, ""))[0] == 200, "the portal's answer", log)
        yield portal, address


@pytest.fixture
def desk(served: tuple[Portal, str], tmp_path: Path) -> Desk:
    portal, address = served
    made = portal.manage(
        *("create_license", "--customer", "Acme Water", "--allowed", "2"),
        *("--feature", "mqtt-server", "--actor", "manager"),
    )
    return Desk(portal, address, str(made["license_id"]), str(made["license_key"]), tmp_path)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def context(browser: Browser, desk: Desk) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1280, "height": 800}, base_url=desk.address)
    made.grant_permissions(["clipboard-read", "clipboard-write"], origin=desk.address)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that fails the test when the browser complains: a refused script or style, a missing file."""
    made = context.new_page()
    complaints: list[str] = []
    made.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda error: complaints.append(str(error)))
    yield made
    assert complaints == []


def press(page: Page, keys: str) -> None:
    """A key that leads to another page."""
    with page.expect_navigation():
        page.keyboard.press(keys)


def wait_for_focus(page: Page, selector: str) -> None:
    """Pages put the focus where work begins, a moment after they are loaded."""
    page.locator(f"{selector}:focus").wait_for()


def sign_in(page: Page, username: str = "agent") -> None:
    page.goto("/admin/")
    wait_for_focus(page, "#id_username")
    page.keyboard.type(username)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    press(page, "Enter")
    assert page.locator("h1").inner_text() == "What can we do for the customer?"
    wait_for_focus(page, "#id_text")


def clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


def tab_to(page: Page, text: str) -> None:
    """Presses Tab until the element with this text has the focus."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if text in page.evaluate("document.activeElement.textContent"):
            return
    raise AssertionError(f"the keyboard does not reach {text!r}")


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
