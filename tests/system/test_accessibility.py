"""Every page that a role can reach, looked at by axe-core: no serious and no critical finding, light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.system.browsing import PASSWORD, press
from tests.system.portal import Portal

ROLES = {
    "agent": "support-agent",
    "lead": "support-lead",
    "manager": "license-manager",
    "auditor": "auditor",
    "administrator": "administrator",
}
# One page of a kind is enough: numbers and identifiers of Design 2 stand for each other.
NAMES = re.compile(r"/(\d+|[0-9a-f]{32}|(?:LIC|ACT|RES|USL|TMB)-[0-9A-Z-]+)(?=/|$)")
# The API's page is Swagger UI, which is not ours to mend.
LEAVE = ("/admin/logout/", "/static/", "/admin/jsi18n/", "/api/")
FILES = (".csv", ".xlsx", ".txt")
BAD = ("serious", "critical")
MAIL = {
    "/admin/inbox/",
    "/admin/inbox/*/",
    "/admin/activations/outgoingmail/",
    "/admin/activations/outgoingmail/*/change/",
    "/admin/automatic-answers/",
}
AUDIT = {
    "/admin/activations/ledgerentry/",
    "/admin/audit/as-of/",
    "/admin/audit/standing-out/",
    "/admin/audit/decisions/",
    "/admin/audit/figures/",
    "/admin/audit/check/",
    "/admin/audit/activations/*/",
    "/admin/exports/",
}
WEBHOOKS = {
    "/admin/activations/webhookendpoint/",
    "/admin/activations/webhookendpoint/add/",
    "/admin/activations/webhookendpoint/*/change/",
    "/admin/activations/webhookendpoint/*/edit/",
    "/admin/activations/webhookendpoint/*/rotate/",
    "/admin/activations/webhookdelivery/",
    "/admin/activations/webhookdelivery/*/change/",
}
TOKENS = {
    "/admin/activations/apitoken/",
    "/admin/activations/apitoken/add/",
    "/admin/activations/apitoken/*/change/",
    "/admin/activations/apitoken/*/rotate/",
    "/admin/activations/apitoken/*/revoke/",
}
AXE = Axe()


@pytest.fixture(scope="module")
def world(served: tuple[Portal, str]) -> dict[str, Any]:
    """A portal with one of everything, and an account of each role."""
    portal, _ = served
    for name, role in ROLES.items():
        if name not in ("agent", "manager"):
            portal.manage("create_staff", name, "--role", role, "--password", PASSWORD)
    return dict(portal.script("world"))


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def looker(browser: Browser, served: tuple[Portal, str], scheme: str) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": 1366, "height": 768},
        base_url=served[1],
        color_scheme="dark" if scheme == "dark" else "light",
    )
    yield context.new_page()
    context.close()


def findings(page: Page) -> list[str]:
    """What axe-core holds against the page as it is shown now, in one line each."""
    page.evaluate(AXE.axe_script)
    # The violations alone: what passes is most of what it finds, and takes longest to hand over.
    found = page.evaluate("axe.run({resultTypes: ['violations']}).then((results) => results.violations)")
    return [
        f"{urlsplit(page.url).path}: {finding['id']} ({finding['impact']}), {finding['help']}: {node['html'][:160]}"
        for finding in found
        if finding["impact"] in BAD
        for node in finding["nodes"]
    ]


def sign_in(page: Page, username: str) -> None:
    page.goto("/admin/login/")
    page.fill("#id_username", username)
    page.fill("#id_password", PASSWORD)
    press(page, "Enter")


class Links(HTMLParser):
    """Where the links of a page lead, those apart that download."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a" and given.get("href") and "download" not in given:
            self.found.append(str(given["href"]))


def links(address: str, page: str) -> list[str]:
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(address))
    addresses = [urljoin(address, found) for found in Links(page).found]
    paths = [found.removeprefix(origin).partition("#")[0] for found in addresses if found.startswith(origin)]
    pages = [path for path in paths if not path.startswith(LEAVE) and not path.endswith(FILES) and "?" not in path]
    return [path for path in pages if "/files/" not in path]  # attached to a mail: a file, or who may have it


def test_every_page_that_a_role_can_reach(world: dict[str, Any], looker: Page, scheme: str) -> None:
    """Each kind of page once, as the first role that gets there sees it; every link of every role is followed. In the
    dark by one role that sees most: only colours are new there.
    """
    wrong: list[str] = []
    looked_at: set[str] = set()
    for role in ROLES if scheme == "light" else ("lead",):
        sign_in(looker, role)
        seen, waiting = set(), ["/admin/"]
        while waiting:
            path = waiting.pop()
            kind = NAMES.sub("/*", path)
            if kind in seen:
                continue
            seen.add(kind)
            look = kind not in looked_at or path == "/admin/"
            # A page that only leads on need not be drawn.
            answered = looker.goto(path) if look else looker.context.request.get(path)
            assert answered is not None
            assert answered.status == 200, (role, path, answered.status)
            if look:
                looked_at.add(kind)
                wrong += findings(looker)
            waiting += links(answered.url, answered.text())
        assert len(seen) >= 8, (role, sorted(seen))
        looker.context.clear_cookies()
    assert looked_at >= MAIL | AUDIT | (WEBHOOKS | TOKENS if scheme == "light" else set()), sorted(looked_at)
    assert not wrong, "\n".join(wrong)


def test_the_inbox_in_each_of_its_states(world: dict[str, Any], looker: Page) -> None:
    """The crawl looks at one conversation and one mail of ours; what they say depends on how they stand."""
    tabs = [f"/admin/inbox/?tab={tab}" for tab in ("unassigned", "mine", "others", "waiting", "done")]
    conversations = [f"/admin/inbox/{pk}/" for pk in world["conversations"].values()]
    mails = [f"/admin/activations/outgoingmail/{pk}/change/" for pk in world["mails"].values()]
    sign_in(looker, "agent")
    wrong: list[str] = []
    for path in (*tabs, "/admin/inbox/?q=nobody", *conversations, *mails):
        answered = looker.goto(path)
        assert answered is not None
        assert answered.status == 200, path
        wrong += findings(looker)
    assert not wrong, "\n".join(wrong)


def test_forms_that_are_refused(world: dict[str, Any], looker: Page) -> None:
    """A reply to a stranger without the tick, an empty note, a name that is no customer's."""
    sign_in(looker, "agent")
    stranger = f"/admin/inbox/{world['conversations']['stranger']}/"
    for field, text, button, told in (
        ("#letter", "Hello", "Send this reply", "not a known contact"),
        ("#note", " ", "Keep the note", "The note is empty"),
    ):
        looker.goto(stranger)
        looker.fill(field, text)
        with looker.expect_navigation():
            looker.get_by_role("button", name=button).click()
        assert told in looker.locator("[role=alert]").inner_text()
        assert findings(looker) == []
    looker.context.clear_cookies()
    sign_in(looker, "manager")
    looker.goto("/admin/automatic-answers/")
    looker.fill("#customer-name", "Nobody known")
    with looker.expect_navigation():
        looker.get_by_role("button", name="Forbid", exact=True).click()
    assert "There is no customer of this name" in looker.locator("[role=alert]").inner_text()
    assert findings(looker) == []


@pytest.mark.parametrize(
    ("path", "status"), [("/admin/nowhere/", 404), ("/admin/auth/user/", 403), ("/admin/?x=%00", 400)]
)
def test_pages_that_say_no(world: dict[str, Any], looker: Page, path: str, status: int) -> None:
    sign_in(looker, "agent")
    answered = looker.goto(path)
    assert answered is not None
    assert answered.status == status
    assert findings(looker) == []


PASTED = ["fresh_request", "update_request", "full_request", "damaged", "code", "junk"]


@pytest.mark.parametrize("what", PASTED)
def test_what_the_desk_answers(world: dict[str, Any], looker: Page, what: str) -> None:
    """Dry runs, refusals, damaged blocks and typing mistakes, which no link leads to."""
    text = {
        **world,
        "damaged": "\n".join(world["fresh_request"].splitlines()[6:]),
        "code": f"License {world['license_id']}, code {world['code']}",
        "junk": "Where is our license?",
    }[what]
    sign_in(looker, "agent")
    looker.goto("/admin/desk/")
    looker.fill("#id_text", text)
    press(looker, "Control+Enter")
    assert findings(looker) == []


@pytest.mark.parametrize("name", ["waiting", "sighting"])
def test_what_waits_for_a_lead(world: dict[str, Any], looker: Page, name: str) -> None:
    sign_in(looker, "lead")
    looker.goto(f"/admin/desk/requests/{world[name]}/")
    assert findings(looker) == []


def test_the_sign_in_page(looker: Page, served: tuple[Portal, str]) -> None:
    looker.goto("/admin/login/")
    assert findings(looker) == []
    looker.fill("#id_username", "nobody")
    looker.fill("#id_password", "wrong")
    press(looker, "Enter")
    assert findings(looker) == []


@pytest.mark.parametrize("width", [390, 1366])
@pytest.mark.parametrize("what", ["empty", "junk", "license", "waits", "refused"])
def test_the_page_for_who_carries_a_block(world: dict[str, Any], looker: Page, what: str, width: int) -> None:
    """/activate/ in each of its states, on a phone and on a screen; no link of the staff's pages leads there."""
    text = {
        "empty": "",
        "junk": "Where is our license?",
        "license": world["online_request"],
        "waits": world["off_request"],
        "refused": world["full_request"],
    }[what]
    looker.set_viewport_size({"width": width, "height": 844})
    looker.goto("/activate/")
    if what != "empty":
        looker.fill("#text", text)
        with looker.expect_navigation():
            looker.get_by_role("button", name="Get the Usage License").click()
        title = {"junk": "Activate a Chariot", "license": "Your Usage License", "waits": "It waits at Support"}
        assert looker.locator("h1").inner_text() == title.get(what, "Not activated")
    assert findings(looker) == []


def test_axe_sees_what_is_wrong(looker: Page, served: tuple[Portal, str]) -> None:
    """The negative control: a picture without words, and words nobody can read."""
    looker.goto("/admin/login/")
    looker.evaluate("document.querySelector('main, #content').insertAdjacentHTML('beforeend', '<img src=\"/x\">')")
    looker.evaluate("document.querySelectorAll('label').forEach(label => label.remove())")
    assert any("image-alt" in finding for finding in findings(looker))
    assert any("label" in finding for finding in findings(looker))
