"""Failures that are nobody's mistake, on pages that say what happened and what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.urls import reverse

from activations.models import SigningKey
from activations.services.licenses import LicenseCreated
from tests.portal.cast import length
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser

SignIn = Callable[[str], Browser]


def gone(*_: object) -> None:
    raise OperationalError("host db.internal refused user portal")


def test_a_database_that_is_gone_gives_a_page_that_says_to_try_again(sign_in: SignIn) -> None:
    agent = sign_in("agent")
    with connection.execute_wrapper(gone):
        page = agent.client.get(reverse("admin:desk"))
    text = page.content.decode()
    assert page.status_code == 503
    assert page.headers["Retry-After"] == "30"
    assert "cannot reach its database" in text
    assert "never booked twice" in text
    assert "db.internal" not in text


def test_a_database_that_goes_while_booking_books_nothing(license: LicenseCreated, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    shown = agent.paste(Chariot(license.license_key, host("pump-house")).request())
    before = length(license.license_id)

    def fails_late(execute, sql, params, many, context):
        if "INSERT" in sql and "ledgerentry" in sql:
            raise OperationalError("terminating connection")
        return execute(sql, params, many, context)

    form = shown.form(reverse("admin:desk_confirm"))
    with connection.execute_wrapper(fails_late):
        page = agent.client.post(form.action, {**form.fields, "book": ""})
    assert page.status_code == 503
    assert length(license.license_id) == before
    assert agent.confirm(shown).status == 200
    assert length(license.license_id) == before + 3


def test_a_portal_without_a_signing_key_says_what_is_missing(license: LicenseCreated, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    shown = agent.paste(Chariot(license.license_key, host("pump-house")).request())
    SigningKey.objects.filter(purpose="usage-license").update(current=False)
    before = length(license.license_id)
    form = shown.form(reverse("admin:desk_confirm"))
    page = agent.client.post(form.action, {**form.fields, "book": ""})
    assert page.status_code == 503
    assert "signing_key" in page.content.decode()
    assert "Nothing was booked." in page.content.decode()
    assert length(license.license_id) == before


@pytest.mark.parametrize("path", ["/admin/nothing/", "/nowhere", "/admin/activations/restoration/999/approve/"])
def test_an_unknown_address_says_so(path: str, sign_in: SignIn) -> None:
    page = sign_in("lead").get(path)
    assert page.status == 404
    assert "There is nothing here" in page.words


def test_an_unknown_row_leads_back_with_a_message(sign_in: SignIn) -> None:
    page = sign_in("lead").get("/admin/activations/license/999/change/")
    assert page.status == 200
    assert "There is no such license here." in page.words


def test_an_old_form_says_what_to_do(sign_in: SignIn) -> None:
    page = sign_in("agent").client.post(reverse("admin:desk"), {"text": "x"})
    assert page.status_code == 403
    assert "This form is too old" in page.content.decode()


def test_a_text_that_is_far_too_long_is_refused_in_words(sign_in: SignIn) -> None:
    agent = sign_in("agent")
    form = agent.get(reverse("admin:desk")).form(reverse("admin:desk"))
    page = agent.client.post(reverse("admin:desk"), {**form.fields, "text": "x" * 2_600_000})
    assert page.status_code == 400
    assert "2.5 MB at most" in page.content.decode()


def test_what_breaks_unexpectedly_shows_no_traceback(sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("activations.queries.pending_requests", broken)
    browser = sign_in("agent")
    client = Client(raise_request_exception=False)
    client.force_login(browser.user)
    page = client.get(reverse("admin:desk"))
    assert page.status_code == 500
    assert "Something broke in the portal" in page.content.decode()
    assert "secret detail" not in page.content.decode()
