"""A form that is sent twice books once, and says of the second click what the first one booked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from http.cookies import SimpleCookie

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from activations.admin import once
from activations.models import Activation, Reply, SentForm
from activations.services.licenses import LicenseCreated
from tests.portal.cast import answered, entries, length, license_row, make_keys, make_license
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser, Form, Page

SignIn = Callable[[str], Browser]


@pytest.fixture
def activation(license: LicenseCreated) -> Activation:
    answered(Chariot(license.license_key, host("pump-house")).request())
    return Activation.objects.get()


def test_marking_lost_twice_says_what_was_booked(
    license: LicenseCreated, activation: Activation, sign_in: SignIn
) -> None:
    agent, before = sign_in("agent"), length(license.license_id)
    page = agent.get(reverse("admin:activation_mark_lost", args=[activation.pk]))
    first = page.send(page.form(), reason="Burned down.")
    second = page.send(page.form(), reason="Burned down.")
    assert f"{activation.activation_id} is lost now. It keeps its seat. Nothing was booked twice." in second.words
    assert "Nothing was booked " not in second.words.replace("Nothing was booked twice", "")
    assert second.path == first.path
    assert [entry[1:] for entry in entries(license.license_id, after=before)] == [
        ("agent", "activation.lost", "Burned down.")
    ]


def test_a_refused_form_may_be_sent_again(license: LicenseCreated, activation: Activation, sign_in: SignIn) -> None:
    manager = sign_in("manager")
    pk = license_row(license.license_id).pk
    page = manager.get(reverse("admin:license_reinstate", args=[pk]))
    for _ in range(2):
        refused = page.send(page.form(), reason="Paid.")
        assert "booked already" not in refused.words
        assert "Nothing was booked" in refused.words
    assert not SentForm.objects.exists()


@pytest.mark.parametrize("case", ["refused", "pending", "issued", "declined", "terms"])
def test_a_second_click_on_any_booking_says_what_the_first_one_booked(
    case: str, license: LicenseCreated, activation: Activation, sign_in: SignIn
) -> None:
    agent, manager = sign_in("agent"), sign_in("manager")
    texts = {
        "pending": Chariot(license.license_key, host("pump-house")).request(),
        "refused": Chariot(license.license_key, host("weir")).request(),
    }
    typed: dict[str, str] = {"book": ""}
    if case == "refused":
        answered(Chariot(license.license_key, host("mill")).request())
    if case == "terms":
        page = manager.get(reverse("admin:license_terms", args=[license_row(license.license_id).pk]))
        page = page.send(page.form(), allowed="7", reason="Order 4711.")
        form = page.form()
    else:
        page = agent.paste(texts.get(case, Chariot(license.license_key, host("weir")).request()))
        form = page.form(reverse("admin:desk_confirm"))
    if case == "declined":
        form = next(one for one in page.forms if one.fields.get("choice") == "refuse")
        typed = {"reason": "Their contract ended."}
    if case == "pending":
        typed = {"park": ""}
    page.send(form, **typed)
    booked, kept = length(license.license_id), Reply.objects.count()

    second = page.send(form, **typed)

    words = {
        "refused": "Refused.",
        "declined": "Refused.",
        "pending": "On the desk for a lead.",
        "issued": "Usage License issued.",
        "terms": "Booked.",
    }
    assert f"This was booked already, by the click before. {words[case]} Nothing was booked twice." in second.words
    assert second.redirects
    assert (length(license.license_id), Reply.objects.count()) == (booked, kept)


def test_tokens_older_than_a_day_are_removed(db: None, sign_in: SignIn) -> None:
    request = sign_in("agent")  # only a token is claimed: nothing of the request is read
    old, young = once.new_token(), once.new_token()
    assert once.first_use(request, old)  # type: ignore[arg-type]
    assert once.first_use(request, young)  # type: ignore[arg-type]
    row = SentForm.objects.get(token=old)
    SentForm.objects.filter(pk=row.pk).update(sent_at=row.sent_at - timedelta(days=1, seconds=1))
    assert not once.first_use(request, young)  # type: ignore[arg-type]
    assert [one.token for one in SentForm.objects.all()] == [young]


@pytest.mark.parametrize("token", ["", "short", "x" * 65, "not a token at all"])
def test_what_is_no_token_is_no_first_use(token: str, db: None) -> None:
    assert not once.first_use(None, token)  # type: ignore[arg-type]
    assert not SentForm.objects.exists()


# --- two at once ------------------------------------------------------------------------------------------


def together(page: Page, form: Form, **typed: str) -> list[str]:
    """The words of the pages that two clicks at the same moment lead to."""
    cookies, start, found = page.browser.client.cookies.output(header="", sep=";"), threading.Barrier(2), []

    def click() -> None:
        client = Client()
        client.cookies = SimpleCookie(cookies)
        try:
            start.wait(30)
            answer = client.post(form.action or page.path, {**form.fields, **typed}, follow=True)
            found.append(Page(answer, page.browser).words)
        finally:
            connection.close()

    threads = [threading.Thread(target=click) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 2
    return found


@pytest.mark.parametrize("case", ["lost", "issued", "re-sent", "refused", "key"])
def test_two_clicks_at_the_same_moment_book_once(case: str, transactional_db: None, sign_in: SignIn) -> None:
    make_keys()
    license = make_license(allowed=1)
    pump = Chariot(license.license_key, host("pump-house"))
    text = pump.request()
    if case != "issued":
        answered(text)
    typed = {"reason": "Burned down."}
    if case == "lost":
        page = sign_in("agent").get(reverse("admin:activation_mark_lost", args=[Activation.objects.get().pk]))
        form = page.form()
    elif case == "key":
        page = sign_in("manager").get(reverse("admin:license_show_key", args=[license_row(license.license_id).pk]))
        form = page.form()
    else:
        other = Chariot(license.license_key, host("mill")).request()
        page, typed = sign_in("agent").paste(other if case == "refused" else text), {"book": ""}
        form = page.form(reverse("admin:desk_confirm"))
    before, kept = length(license.license_id), Reply.objects.count()

    words = together(page, form, **typed)

    booked = {
        "lost": ["activation.lost"],
        "issued": ["request.received", "activation.created", "usage_license.issued"],
        "re-sent": ["usage_license.resent"],
        "refused": ["request.received", "request.refused"],
        "key": ["license.key_shown"],
    }
    assert [entry[2] for entry in entries(license.license_id, after=before)] == booked[case]
    assert Reply.objects.count() == kept + (case in ("issued", "re-sent", "refused"))
    assert sum("Nothing was booked twice." in one for one in words) == 1, words
