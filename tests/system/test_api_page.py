"""The API's page in a real browser that reaches nothing but the portal: it reads, it calls, it needs no exception."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.system.browsing import PASSWORD, Desk, press

DOCS = "/api/v1/docs"


@pytest.fixture
def alone(context: BrowserContext) -> Iterator[list[str]]:
    """Addresses that somebody wanted to reach outside of the portal; none is reached."""
    wanted: list[str] = []

    def only_ours(route: Route) -> None:
        if urlsplit(route.request.url).hostname in ("127.0.0.1", None):
            route.continue_()
        else:
            wanted.append(route.request.url)
            route.abort()

    context.route("**/*", only_ours)
    context.add_init_script(
        "window.refused = []; document.addEventListener('securitypolicyviolation', "
        "event => window.refused.push(event.violatedDirective + ' ' + event.blockedURI + ' ' + event.sourceFile))"
    )
    yield wanted
    assert wanted == []


def sign_in_manager(page: Page) -> None:
    page.goto("/admin/login/")
    page.fill("#id_username", "manager")
    page.fill("#id_password", PASSWORD)
    press(page, "Enter")


def shown(page: Page) -> None:
    page.goto(DOCS)
    page.locator(".opblock").first.wait_for()


def open_operation(page: Page, name: str) -> None:
    page.locator(f"[id$='-{name}'] .opblock-summary-control").click()
    page.locator(f"[id$='-{name}'] .try-out__btn").click()


def answered(page: Page, name: str) -> tuple[str, str]:
    """Status and body of the answer to the call."""
    page.locator(f"[id$='-{name}'] .execute").click()
    live = page.locator(f"[id$='-{name}'] .live-responses-table")
    live.wait_for()
    return live.locator(".response-col_status").last.inner_text().split()[0], live.inner_text()


def refused(page: Page) -> list[str]:
    return list(page.evaluate("window.refused"))


def test_anybody_reads_it_without_the_internet(page: Page, desk: Desk, alone: list[str]) -> None:
    shown(page)
    document = page.request.get("/api/v1/openapi.json").json()
    operations = [op for path in document["paths"].values() for op in path.values()]
    expect(page.locator(".opblock")).to_have_count(len(operations))
    assert [tag.inner_text().split("\n")[0] for tag in page.locator(".opblock-tag").all()] == [
        tag["name"] for tag in document["tags"]
    ]
    expect(page.locator("header.portal")).to_contain_text("sign in")
    assert page.locator("#swagger-ui").get_attribute("data-csrf") == ""
    assert refused(page) == []


def test_only_its_own_policy_lets_pictures_in(page: Page, desk: Desk) -> None:
    here = page.request.get(DOCS).headers["content-security-policy"]
    assert "img-src 'self' data:" in here
    assert "unsafe" not in here
    assert "data:" not in page.request.get("/admin/login/").headers["content-security-policy"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_manager_reads_and_books_with_the_session(page: Page, desk: Desk, alone: list[str], scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    sign_in_manager(page)
    shown(page)
    open_operation(page, "licenses_list")
    status, text = answered(page, "licenses_list")
    assert status == "200"
    assert desk.license_id in text

    open_operation(page, "licenses_suspend")
    form = page.locator("[id$='-licenses_suspend']")
    key = form.locator("tr[data-param-name='Idempotency-Key'] input")
    assert len(key.input_value()) == 36
    # What is typed is dark on white, in the dark too, where the page turns both.
    assert key.evaluate("field => getComputedStyle(field).color") == "rgb(59, 65, 81)"
    form.locator("tr[data-param-name='license_id'] input").fill(desk.license_id)
    form.locator("tr[data-param-name='If-Match'] input").fill("*")
    form.locator("textarea.body-param__text").fill('{"reason": "Not paid."}')
    status, text = answered(page, "licenses_suspend")
    assert (status, '"suspended"' in text) == ("200", True), text
    assert desk.ledger()[-1] == "license.suspended"
    assert refused(page) == []
