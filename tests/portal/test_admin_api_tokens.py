"""The pages of API tokens: who makes, rotates and revokes them, that a token is shown once, and what the list says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from activations.domain.scopes import MEANINGS, Scope
from activations.models import ApiToken, LedgerEntry
from activations.services.actors import switch_account
from activations.services.tokens import NotTaken, TokenGiven, create_token, token_behind
from tests.portal.cast import ADMINISTRATOR, SOURCE
from tests.portal.web import Browser, Page

SignIn = Callable[[str], Browser]
LIST, ADD = reverse("admin:activations_apitoken_changelist"), reverse("admin:activations_apitoken_add")
TYPED: dict[str, Any] = {
    "name": "shop",
    "owner": "lead",
    "scopes": [Scope.READ_LICENSES.value, Scope.SUBMIT_REQUESTS.value],
    "rate": "30",
    "days": "90",
    "reason": "Orders come from it",
}


@pytest.fixture
def administrator(sign_in: SignIn) -> Browser:
    sign_in("lead")
    return sign_in("administrator")


def made(name: str = "shop", **how: Any) -> TokenGiven:
    given = create_token(
        **{"name": name, "scopes": ["licenses:read"], "owner": "lead", "reason": "Orders", **how},
        actor=ADMINISTRATOR,
        source=SOURCE,
    )
    assert isinstance(given, TokenGiven), given
    return given


def address(step: str = "change", name: str = "shop") -> str:
    row = ApiToken.objects.get(name=name)
    label = "activations_apitoken_change" if step == "change" else f"apitoken_{step}"
    return reverse(f"admin:{label}", args=[row.pk])


def booked() -> list[str]:
    return list(LedgerEntry.objects.filter(kind__startswith="api_").order_by("seq").values_list("kind", flat=True))


def is_taken(text: str) -> bool:
    return not isinstance(token_behind(text), NotTaken)


def send(page: Page, **typed: Any) -> Page:
    form = page.form()
    return page.browser.post(page.path, {**form.fields, **typed})


def test_a_token_is_made_and_shown_once(administrator: Browser) -> None:
    form = administrator.get(ADD)
    assert all(meaning in form.words for meaning in MEANINGS.values())
    assert form.form().fields["rate"] == "120"
    shown = send(form, **TYPED)
    token = shown.block("api-token")
    assert (shown.status, is_taken(token)) == (200, True)
    assert "no-store" in shown.headers["Cache-Control"]
    assert "keep it where the system reads its secrets" in shown.words
    assert 'data-copy="api-token"' in shown.html
    row = ApiToken.objects.get()
    assert (row.owner.username, row.rate, row.scopes) == ("lead", 30, ["licenses:read", "requests:submit"])

    again = send(form, **TYPED)  # a second click, or a reload
    assert again.redirects == [address()]
    assert "It is shown once only; if it was missed, rotate it." in again.words
    for page in (again, administrator.get(address()), administrator.get(LIST), administrator.get("/admin/")):
        assert token not in page.html
        assert token.split("_", 2)[2] not in page.html
    other = send(form, **{**TYPED, "name": "other"})
    assert "What you sent now was not booked" in other.words
    assert booked() == ["api_token.created"]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"name": ""}, "Name the token after the system"),
        ({"name": "The Shop"}, "small letters, digits and hyphens, at most 60"),
        ({"name": "taken"}, "There is a token taken already"),
        ({"owner": "nobody"}, "Choose a member of staff"),
        ({"scopes": []}, "Tick what the token may do"),
        ({"scopes": ["restorations:decide"]}, "is not one of the available choices"),
        ({"rate": "0"}, "A token may send 1 to 6000 requests a minute"),
        ({"days": "731"}, "A token is good for 1 to 730 days"),
        ({"reason": ""}, "Say why, in a sentence"),
        ({"reason": "clt_abcdefgh_" + "Ab3" * 14 + "z"}, "The reason holds an API token"),
    ],
)
def test_what_cannot_be_made_is_said_and_what_was_typed_stays(
    administrator: Browser, typed: dict[str, Any], said: str
) -> None:
    made("taken")
    page = send(administrator.get(ADD), **{**TYPED, **typed})
    assert "Nothing was booked" in page.words
    assert said in page.words
    kept = page.form().fields
    for name in {"name", "rate", "days"} - set(typed):
        assert kept[name] == TYPED[name]
    assert booked() == ["api_token.created"]


def test_rotated_the_new_one_is_shown_once_and_the_one_before_is_taken_for_the_hours_typed(
    administrator: Browser,
) -> None:
    first = made()
    form = administrator.get(address("rotate"))
    assert form.form().fields["overlap"] == "24"
    for wrong in ("169", "-1", "", "1.5", "many", "9" * 30):
        page = send(form, overlap=wrong, reason="Its year is over")
        assert "The token before can be taken for 0 to 168 hours more." in page.words
        assert page.form().fields["overlap"] == wrong
    shown = send(form, overlap="2", reason="Its year is over")
    second = shown.block("api-token")
    row = ApiToken.objects.get()
    assert row.before_until is not None
    assert f"is taken until {row.before_until:%Y-%m-%d %H:%M}" in shown.words
    assert "no-store" in shown.headers["Cache-Control"]
    assert [is_taken(each) for each in (first.token, second)] == [True, True]
    again = send(form, overlap="2", reason="Its year is over")
    assert again.redirects == [address()]
    assert second not in again.html
    assert f"The token before this one is taken until {row.before_until:%Y-%m-%d %H:%M}" in again.words
    assert "Rotating it now ends that one at once." in administrator.get(address("rotate")).words
    leaked = send(administrator.get(address("rotate")), overlap="0", reason="Leaked")
    assert "is taken no more" in leaked.words
    assert [is_taken(each) for each in (first.token, second)] == [False, False]
    assert booked() == ["api_token.created", "api_token.rotated", "api_token.rotated"]


def test_revoked_it_is_refused_and_offers_nothing_more(administrator: Browser) -> None:
    given = made()
    page = send(administrator.get(address("revoke")), reason="Switched off")
    assert "The token shop is revoked." in page.words
    assert "every call with it is refused" in page.words
    assert not is_taken(given.token)
    assert address("rotate") not in page.html
    for step in ("rotate", "revoke"):
        refused = send(administrator.get(address(step)), reason="Once more")
        assert "The token shop is revoked already. Make a new one under another name." in refused.words
    assert booked() == ["api_token.created", "api_token.revoked"]
    gone = administrator.get(reverse("admin:apitoken_rotate", args=[0]))
    assert "There is no such API token" in gone.words


def test_the_page_tells_what_it_may_and_what_was_booked_of_it(administrator: Browser) -> None:
    made(scopes=["ledger:read"])
    made("other", reason="Something else")
    page = administrator.get(address())
    assert MEANINGS[Scope.READ_LEDGER] in page.words
    assert MEANINGS[Scope.READ_LICENSES] not in page.words
    assert "API token made" in page.words
    assert "Orders" in page.words
    assert "Something else" not in page.words
    assert 'href="/admin/activations/ledgerentry/?actor=token%3Ashop"' in page.html


def test_an_owner_who_is_disabled_and_an_end_that_is_near_are_marked(administrator: Browser) -> None:
    made(days=31)
    given = made("claims", owner="administrator")
    listed = administrator.get(LIST).words
    assert "account disabled" not in listed
    switch_account(username="lead", active=False, actor=ADMINISTRATOR, source=SOURCE, reason="left")
    assert "account disabled" in administrator.get(LIST).words
    page = administrator.get(address()).words
    assert "Nobody answers for this token: the account of lead is disabled. The token goes on working." in page
    found = administrator.get(f"{LIST}?state=owner").html
    assert (">shop<" in found, ">claims<" in found) == (True, False)
    with time_machine.travel(timezone.now() + timedelta(days=2)):
        administrator = Browser(administrator.user)
        assert "expires in 28 days" in administrator.get(address()).words
        assert ">shop<" in administrator.get(f"{LIST}?state=ending").html
        assert ">claims<" not in administrator.get(f"{LIST}?state=ending").html
        assert "lead" not in administrator.get(ADD).form().fields.values()
    with time_machine.travel(given.expires_at):
        administrator = Browser(administrator.user)
        assert "This token has expired" in administrator.get(address(name="claims")).words
        assert "Nobody answers" not in administrator.get(address()).words


@pytest.mark.parametrize("username", ["auditor", "lead", "manager"])
def test_who_reads_the_ledger_reads_the_list_and_changes_nothing(sign_in: SignIn, username: str) -> None:
    reader = sign_in(username)
    sign_in("lead")
    made()
    for page in (reader.get(LIST), reader.get(address())):
        assert page.status == 200
        assert "shop" in page.words
        assert ADD not in page.html
        assert address("rotate") not in page.html
    for place in (ADD, address("rotate"), address("revoke")):
        assert reader.get(place).status == 403
        assert reader.client.post(place, {"reason": "x"}).status_code == 403
    assert booked() == ["api_token.created"]


def test_administrators_are_led_there_from_every_page_and_agents_are_not(sign_in: SignIn) -> None:
    assert f'href="{LIST}"' in sign_in("administrator").get(reverse("admin:auth_user_changelist")).html
    assert sign_in("agent").get(LIST).status == 403


def test_a_token_that_was_found_leads_to_its_page_and_into_no_address(administrator: Browser, sign_in: SignIn) -> None:
    given = made()
    search = reverse("admin:search")
    form = administrator.get(search).form(search)
    found = administrator.post(search, {**form.fields, "q": f" {given.token}\n"})
    assert found.redirects == [address()]
    assert "If it lay where others could read it, rotate or revoke it." in found.words
    agent = sign_in("agent")
    form = agent.get(search).form(search)
    told = agent.post(search, {**form.fields, "q": given.token})
    assert told.redirects == []
    assert "This is an API token, which is secret." in told.words
    for page in (
        found,
        told,
        administrator.get(f"{search}?q={given.token}"),
        administrator.get(f"{LIST}?q={given.token}"),
    ):
        assert given.token not in page.html
        assert all(given.token not in each for each in page.redirects)
    assert ApiToken.objects.get().last_used_at is None
    assert ">shop<" in administrator.get(f"{LIST}?q={given.token[:12]}").html
