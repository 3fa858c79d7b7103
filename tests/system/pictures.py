"""Takes the pictures of the guide (`docs/img`) anew, of a portal that is served and holds the world of `world`.

    python -m tests.system.world >world.json
    python -m tests.system.pictures http://127.0.0.1:8000 world.json docs/img

The accounts agent, lead and manager have the password of `browsing`. Nothing is booked.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.system.browsing import ARGUMENTS, CHROMIUM, PASSWORD, press

SIZE = {"width": 1280, "height": 768}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("world", type=Path)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    world = json.loads(given.world.read_text())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for name, (account, show) in PICTURES.items():
            page = _signed_in(browser, given.address, account)
            show(page, world)
            page.evaluate("document.activeElement.blur()")
            page.screenshot(path=given.folder / f"{name}.png", full_page=name == "conversation")
            page.context.close()
        browser.close()


def _signed_in(browser: Browser, address: str, account: str) -> Page:
    page = browser.new_context(viewport=SIZE, base_url=address, color_scheme="light").new_page()  # type: ignore[arg-type]
    page.goto("/admin/login/")
    page.fill("#id_username", account)
    page.fill("#id_password", PASSWORD)
    press(page, "Enter")
    return page


def _home(page: Page, world: dict[str, Any]) -> None:
    page.goto("/admin/")


def _dry_run(page: Page, world: dict[str, Any]) -> None:
    page.goto("/admin/desk/")
    page.fill("#id_text", world["fresh_request"])
    press(page, "Control+Enter")


def _conversation(page: Page, world: dict[str, Any]) -> None:
    page.goto(f"/admin/inbox/{world['conversations']['new']}/")


def _found(text: str) -> Callable[[Page, dict[str, Any]], None]:
    """A whole id in the search opens its page."""

    def show(page: Page, world: dict[str, Any]) -> None:
        page.fill("#search", world[text])
        page.focus("#search")
        press(page, "Enter")

    return show


def _reply_text(page: Page, world: dict[str, Any]) -> None:
    page.goto("/admin/activations/replytext/text/issued/")


PICTURES: dict[str, tuple[str, Callable[[Page, dict[str, Any]], None]]] = {
    "home": ("agent", _home),
    "desk-dry-run": ("agent", _dry_run),
    "conversation": ("agent", _conversation),
    "restoration": ("lead", _found("restoration_id")),
    "reply-text": ("manager", _reply_text),
    "license": ("manager", _found("license_id")),
}

if __name__ == "__main__":
    main()
