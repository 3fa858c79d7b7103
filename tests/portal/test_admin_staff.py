"""The address of a member of staff is shown to those who manage staff, and to the person."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from activations.services.actors import change_staff
from tests.portal.cast import ADMINISTRATOR
from tests.portal.web import ROLE_OF, Browser

SignIn = Callable[[str], Browser]
ADDRESS = "lead@portal.example"
LIST = reverse("admin:auth_user_changelist")


def page_of(username: str) -> str:
    return reverse("admin:auth_user_change", args=[User.objects.get(username=username).pk])


@pytest.fixture
def lead(sign_in: SignIn) -> str:
    sign_in("lead")
    change_staff(username="lead", email=ADDRESS, actor=ADMINISTRATOR)
    return page_of("lead")


def test_who_manages_staff_sees_it_on_the_list_and_the_page(lead: str, sign_in: SignIn) -> None:
    browser = sign_in("administrator")
    assert ADDRESS in browser.get(LIST).html
    assert ADDRESS in browser.get(lead).html
    assert "none: reminders do not reach this person" in browser.get(page_of("administrator")).html


@pytest.mark.parametrize("username", ["manager", "auditor"])
def test_who_only_reads_sees_accounts_without_addresses(username: str, lead: str, sign_in: SignIn) -> None:
    browser = sign_in(username)
    for address in (LIST, lead):
        page = browser.get(address)
        assert page.status == 200
        assert ADDRESS not in page.html
    assert ADDRESS not in browser.get(f"{LIST}export/?format=csv").html


@pytest.mark.parametrize("username", sorted(ROLE_OF))
def test_everybody_is_led_to_a_page_about_themselves(username: str, lead: str, sign_in: SignIn) -> None:
    browser = sign_in(username)
    change_staff(username=username, email=f"{username}@west.example", actor=ADMINISTRATOR)
    own = page_of(username)
    assert f'href="{own}"' in browser.get(reverse("admin:index")).html
    page = browser.get(own)
    assert page.status == 200
    assert f"{username}@west.example" in page.html
    assert (f'href="{LIST}"' in page.html) == (browser.get(LIST).status == 200)


def test_an_agent_sees_nobody_else(lead: str, sign_in: SignIn) -> None:
    browser = sign_in("agent")
    history = lead.replace("/change/", "/history/")
    assert history != lead
    assert [browser.get(address).status for address in (LIST, f"{LIST}export/", lead, history)] == [403] * 4
    assert browser.client.post(page_of("agent"), {"email": "x@west.example"}).status_code == 403
