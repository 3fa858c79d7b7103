"""A session that ends at the last button of an answer to a mail, in a real browser: nothing of it is lost."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.system.browsing import Desk, sign_in
from tests.system.test_box_browser import end_sessions, request_of, sign_in_again
from tests.system.test_typed_browser import REASON, typed

BUYER = "buyer@acme-water.example"
ARRIVED = """
from activations.models import Contact, License
from activations.services.post.keeping import keep_mail
from activations.services.post.reading import read_kept
from tests.mailroom.letters import CUSTOMER, letter
customer = License.objects.get(license_id="{license_id}").customer
for address in (CUSTOMER, "{buyer}"):
    Contact.objects.create(customer=customer, email=address)
mail = read_kept(keep_mail(letter('''{text}'''), mailbox="support@portal.example").mail.pk)
print(mail.conversation_id, mail.findings.get().pk)
"""


def test_the_same_dry_run_of_the_same_conversation_with_what_was_typed_and_chosen(desk: Desk, page: Page) -> None:
    code = ARRIVED.format(license_id=desk.license_id, buyer=BUYER, text=request_of(desk))
    conversation, finding = desk.portal.python(code).split()
    before = desk.ledger()
    sign_in(page)
    page.goto(f"/admin/inbox/{conversation}/")
    with page.expect_navigation():
        page.get_by_role("button", name="Open").click()
    page.get_by_text("Refuse this request instead").click()
    page.locator("#refusal").fill(REASON)
    refusing = page.locator("form", has=page.locator("#refusal"))
    refusing.locator(f"input[name=to][value='{BUYER}']").check()
    end_sessions(desk)
    with page.expect_navigation():
        page.get_by_role("button", name="Refuse for good").click()
    assert "/admin/login/" in page.url
    sign_in_again(page)

    assert page.url.endswith(f"/admin/inbox/findings/{finding}/")
    assert page.locator("#refusal").is_visible()
    assert page.locator("#refusal").input_value() == REASON
    assert refusing.locator(f"input[name=to][value='{BUYER}']").is_checked()
    assert refusing.locator("input[name=conversation]").input_value() == conversation
    assert desk.ledger() == before
    with page.expect_navigation():
        page.get_by_role("button", name="Refuse for good").click()
    assert f"The reply is queued for {BUYER}." in page.locator("#content-main").inner_text()
    assert typed(page) == {}
    assert desk.ledger()[-1] == "request.declined"
