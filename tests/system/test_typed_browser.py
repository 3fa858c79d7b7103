"""What is typed besides the box, in a real browser: it outlives the end of the session, and no secret is kept."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Page

from tests.system.browsing import PASSWORD, Desk, press, sign_in, wait_for_focus
from tests.system.test_box_browser import box, end_sessions, request_of, sign_in_again

KEPT = "sessionStorage.getItem('portal-typed')"
REASON = "They moved the plant.\nNobody could deactivate it."


def typed(page: Page) -> dict[str, Any]:
    """What is kept: field name -> text, of each form."""
    found = page.evaluate(KEPT)
    return {} if found is None else {name: form["fields"] for name, form in json.loads(found)["forms"].items()}


def wait_until_typed(page: Page, expected: list[dict[str, str]]) -> None:
    """What is typed is kept a moment later."""
    for _ in range(50):
        if list(typed(page).values()) == expected:
            return
        page.wait_for_timeout(50)
    assert list(typed(page).values()) == expected


def activated(desk: Desk) -> str:
    """The activation page's address of a Chariot that was answered."""
    issued = desk.portal.manage("issue_usage_license", "--actor", "agent", given=request_of(desk))
    named = f"activation_id='{issued['activation_id']}'"
    code = f"from activations.models import Activation; print(Activation.objects.get({named}).pk)"
    return f"/admin/activations/activation/{desk.portal.python(code).strip()}"


def test_a_reason_is_in_its_form_again_after_signing_in_and_is_gone_once_sent(desk: Desk, page: Page) -> None:
    address = activated(desk)
    sign_in(page)
    page.goto(f"{address}/mark-lost/")
    wait_for_focus(page, "#id_reason")
    page.keyboard.insert_text(REASON)
    end_sessions(desk)
    press(page, "Control+Enter")
    assert "/admin/login/" in page.url
    assert "What you typed is not lost" in page.get_by_role("status").inner_text()
    sign_in_again(page)
    assert page.url.endswith(f"{address}/mark-lost/")
    assert page.locator("#id_reason").input_value() == REASON
    assert "This is what you typed here before." in page.locator(".note[role=status]").inner_text()
    page.locator("#id_reason").focus()
    press(page, "Control+Enter")
    assert page.url.endswith("/request-restoration/")
    assert typed(page) == {}
    assert desk.ledger()[-1] == "activation.lost"


def test_a_reason_on_a_dry_run_waits_for_the_same_request(desk: Desk, page: Page) -> None:
    first, second = request_of(desk), request_of(desk)
    sign_in(page)
    page.keyboard.insert_text(first)
    press(page, "Control+Enter")
    page.get_by_text("Refuse this request instead").click()
    page.locator("#refusal").fill(REASON)
    end_sessions(desk)
    with page.expect_navigation():
        page.get_by_role("button", name="Refuse for good").click()
    sign_in_again(page)
    assert box(page).split() == first.split()
    page.locator("#id_text").fill(second)
    press(page, "Control+Enter")
    assert page.locator("#refusal").input_value() == ""
    page.goto("/admin/desk/")
    page.locator("#id_text").fill(first)
    press(page, "Control+Enter")
    assert page.locator("#refusal").input_value() == REASON
    assert page.locator("#refusal").is_visible()
    with page.expect_navigation():
        page.get_by_role("button", name="Refuse for good").click()
    assert page.locator("h1").inner_text() == "Refused"
    assert typed(page) == {}
    assert desk.ledger()[1:] == ["request.received", "request.declined"]


def test_what_is_refused_stays_and_what_is_not_sent_stays(desk: Desk, page: Page) -> None:
    address = activated(desk)
    sign_in(page)
    page.goto(f"{address}/mark-lost/")
    page.locator("#id_reason").fill("half a reason")
    wait_until_typed(page, [{"reason": "half a reason"}])
    page.goto("/admin/")
    page.goto(f"{address}/mark-lost/")
    assert page.locator("#id_reason").input_value() == "half a reason"
    page.locator("#id_reason").fill("   ")
    press(page, "Control+Enter")
    assert "Say why, in a sentence" in page.get_by_role("alert").inner_text()


def test_no_secret_is_kept(desk: Desk, page: Page) -> None:
    address = activated(desk)
    code = str(desk.chariot("deactivate")["deactivation_code"])
    key = desk.license_key
    secrets = [
        key,
        key.lower(),
        key.replace("-", ""),
        f"{key[:20]}\u200b{key[20:]}",
        code,
        code.replace("-", " ").lower(),
    ]
    sign_in(page)
    page.goto(f"{address}/mark-lost/")
    for secret in [*secrets, code.replace("-", "")]:
        page.locator("#id_reason").fill("first")
        wait_until_typed(page, [{"reason": "first"}])
        page.locator("#id_reason").fill(f"It was {secret}, they say.")
        wait_until_typed(page, [])
    press(page, "Control+Enter")
    assert page.evaluate(KEPT) is None
    page.goto("/admin/password_change/")
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.wait_for_timeout(300)
    assert page.evaluate(KEPT) is None


def test_signing_out_forgets_and_nobody_else_gets_it(desk: Desk, page: Page) -> None:
    address = activated(desk)
    sign_in(page)
    for end in ("sign out", "session"):
        page.goto(f"{address}/mark-lost/")
        page.locator("#id_reason").fill("half a reason")
        wait_until_typed(page, [{"reason": "half a reason"}])
        if end == "sign out":
            with page.expect_navigation():
                page.get_by_role("button", name="Sign out").click()
            assert page.evaluate(KEPT) is None
            sign_in(page)
    end_sessions(desk)
    page.goto("/admin/")
    assert list(typed(page).values()) == [{"reason": "half a reason"}]
    sign_in_again(page, "manager")
    assert page.evaluate(KEPT) is None


def test_the_text_of_a_reply_and_a_name_outlive_the_session(desk: Desk, page: Page) -> None:
    page.goto("/admin/")
    sign_in_again(page, "manager")
    page.goto("/admin/activations/replytext/text/refused/")
    body = page.locator("#id_body").input_value() + "Kind regards\n"
    page.locator("#id_body").fill(body)
    page.locator("#id_reason").fill("Kinder.")
    end_sessions(desk)
    with page.expect_navigation():
        page.get_by_role("button", name="Save as version").click()
    sign_in_again(page, "manager")
    assert page.locator("#id_body").input_value() == body
    assert page.locator("#id_reason").input_value() == "Kinder."
    page.goto("/admin/activations/license/add/")
    page.locator("#id_customer").fill("Northern Paper Mill")
    end_sessions(desk)
    with page.expect_navigation():
        page.get_by_role("button", name="Create the license").click()
    sign_in_again(page, "manager")
    assert page.locator("#id_customer").input_value() == "Northern Paper Mill"
