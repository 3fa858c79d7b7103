"""A real browser on a portal that is really served: the fixtures, and how a person without a mouse gets about."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
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
        told = self.portal.text("manage", "export_ledger", "--format", "jsonl", "--license", self.license_id)
        entries = told.splitlines()[1:-1]  # between the header and the line that ends the export
        return [json.loads(json.loads(line)["body"])["kind"] for line in entries]


@pytest.fixture(scope="module")
def served(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Portal, str]]:
    """A portal with staff and keys, served by gunicorn; and its address."""
    folder = tmp_path_factory.mktemp("served")
    file = folder / "portal.sqlite3"
    shutil.copy(migrated_sqlite, file)
    with closing(Portal("sqlite", f"sqlite:///{file}", folder / "var")) as portal:
        yield from _served(portal, folder)


def _served(portal: Portal, folder: Path) -> Iterator[tuple[Portal, str]]:
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
