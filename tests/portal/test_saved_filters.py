"""Saved views of lists: one's own, bounded, without secrets, and never overwritten in passing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from activations.admin.saved_filters import LONGEST_NAME, MOST_VIEWS
from activations.models import LedgerEntry, SavedFilter
from activations.services.licenses import LicenseCreated
from tests.portal.web import Browser, Page

SignIn = Callable[[str], Browser]
LIST = "/admin/activations/license/"
SUSPENDED = "status__exact=suspended"


def save(browser: Browser, name: str, query: str = SUSPENDED, **more: str) -> Page:
    page = browser.get(f"{LIST}?{query}")
    form = next((form for form in page.forms if "save-view" in form.action), None)
    fields = form.fields if form else page.form(reverse("admin:logout")).fields
    return browser.post(f"{LIST}save-view/?{query}", {**fields, "name": name, **more})


def saved(username: str) -> list[tuple[str, str, str]]:
    return list(SavedFilter.objects.filter(owner__username=username).values_list("page", "name", "query"))


def test_a_view_is_saved_shown_and_deleted_by_its_owner_alone(license: LicenseCreated, sign_in: SignIn) -> None:
    agent, lead = sign_in("agent"), sign_in("lead")
    booked = LedgerEntry.objects.count()
    page = save(agent, "  Suspended   ones ")
    assert "The view Suspended ones is saved." in page.words
    assert saved("agent") == [("activations.license", "Suspended ones", SUSPENDED)]
    assert f'<a href="?{SUSPENDED}" class="current" aria-current="true">Suspended ones</a>' in page.html
    assert f'<a href="?{SUSPENDED}">Suspended ones</a>' in agent.get(LIST).html
    assert "Suspended ones" not in lead.get(LIST).words
    assert "Suspended ones" not in agent.get("/admin/activations/activation/").words

    pk = str(SavedFilter.objects.get().pk)
    token = lead.get(LIST).form(reverse("admin:logout")).fields
    for view in (pk, "0", "", "x", "9" * 30, "1.5", "\u0661"):
        assert "You have no such view" in lead.post(f"{LIST}delete-view/", {**token, "view": view}).words
    assert len(saved("agent")) == 1
    page = agent.get(f"{LIST}?{SUSPENDED}")
    form = next(form for form in page.forms if "delete-view" in form.action)
    assert "The view Suspended ones is deleted." in page.send(form).words
    assert saved("agent") == []
    assert LedgerEntry.objects.count() == booked


def test_a_name_that_is_taken_is_asked_about(license: LicenseCreated, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    save(agent, "Mine")
    assert "is saved" in save(agent, "Mine").words  # the same again changes nothing
    asked = save(agent, "Mine", "status__exact=revoked&q=acme")
    assert "You have a view of this name" in asked.words
    assert "status__exact suspended revoked" in asked.words
    assert saved("agent") == [("activations.license", "Mine", SUSPENDED)]
    assert (
        "is saved" in asked.send(asked.form("/admin/activations/license/save-view/?status__exact=revoked&q=acme")).words
    )
    assert saved("agent") == [("activations.license", "Mine", "status__exact=revoked&q=acme")]


def test_only_what_the_list_offers_is_kept(license: LicenseCreated, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    token = agent.get(LIST).form(reverse("admin:logout")).fields
    query = "q=acme&o=-1&seats=free&p=3&e=1&_popup=1&all=&customer__contacts__email__startswith=a&created_at__year=2026"
    agent.post(f"{LIST}save-view/?{query}", {**token, "name": "Kept"})
    assert saved("agent") == [("activations.license", "Kept", "q=acme&o=-1&seats=free&created_at__year=2026")]


@pytest.mark.parametrize(
    ("name", "query", "answer"),
    [
        ("", SUSPENDED, "give the view a name"),
        ("x" * (LONGEST_NAME + 1), SUSPENDED, "at most 60 letters"),
        ("a\u202eb", SUSPENDED, "cannot be seen"),
        ("All", "", "the list shows everything"),
        ("Long", f"q={'x' * 1100}", "too long to keep"),
    ],
)
def test_what_cannot_be_saved_is_told(
    name: str, query: str, answer: str, license: LicenseCreated, sign_in: SignIn
) -> None:
    page = save(sign_in("agent"), name, query)
    assert "Nothing was saved" in page.words
    assert answer in page.words
    assert saved("agent") == []


def test_a_license_key_in_a_search_is_not_kept(license: LicenseCreated, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    assert "those are not kept" in save(agent, "Key", f"q={license.license_key}").words
    assert "holds a secret" in save(agent, license.license_key[:60]).words or saved("agent") == []
    assert saved("agent") == []


def test_there_is_a_bound(license: LicenseCreated, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    for number in range(MOST_VIEWS):
        SavedFilter.objects.create(owner=agent.user, page="activations.activation", name=str(number), query="q=1")
    assert "you have 30 views" in save(agent, "One more").words
    assert len(saved("agent")) == MOST_VIEWS
    sign_in("lead")
    assert "is saved" in save(sign_in("lead"), "First").words


def test_a_get_writes_nothing_and_comes_back_to_the_list(license: LicenseCreated, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    for action in ("save-view", "delete-view", "export"):
        page = agent.get(f"{LIST}{action}/?{SUSPENDED}&name=x")
        assert page.redirects == [f"{LIST}?{SUSPENDED}"]
    assert saved("agent") == []


def test_a_list_one_may_not_see_has_no_views(license: LicenseCreated, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    token = agent.get(LIST).form(reverse("admin:logout")).fields
    for action in ("save-view", "delete-view", "export"):
        address = f"/admin/activations/ledgerentry/{action}/?kind=license.created"
        assert agent.post(address, {**token, "name": "x", "format": "csv"}).status == 403, action
        assert Client().post(address).status_code == 302
    assert saved("agent") == []
