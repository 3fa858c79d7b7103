"""Deactivation codes on the desk: preview, confirm, reply."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse

from activations.domain.words import ActivationState
from activations.models import Activation
from activations.services.licenses import LicenseCreated
from activations.services.losses import approve_restoration, mark_lost, request_restoration
from tests.portal.cast import AGENT, LEAD, SOURCE, answered, entries, length, make_license, occupied
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser, Page

SignIn = Callable[[str], Browser]


@pytest.fixture
def pump(license: LicenseCreated) -> Chariot:
    """A Chariot that is activated."""
    chariot = Chariot(license.license_key, host("pump-house"))
    chariot.install(answered(chariot.request()))
    return chariot


def letter(license: LicenseCreated, code: str) -> str:
    return f"Dear Support,\n> we switched it off.\n> License: {license.license_id.lower()}\n> {code}\nThanks"


def book(page: Page, **typed: str) -> Page:
    return page.send(page.form(reverse("admin:desk_deactivate")), **typed)


def test_a_code_shows_what_it_frees_and_books_nothing(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    before = length(license.license_id)
    page = sign_in("agent").paste(letter(license, pump.deactivate()))
    activation = Activation.objects.get()
    for words in (
        "Frees a seat",
        "dry run, nothing is booked yet",
        activation.activation_id,
        "pump-house",
        "Acme Water",
        "1 of 2 seats taken now, 0 of 2 afterwards",
        "Seat 1: becomes free, held by pump-house now",
    ):
        assert words in page.words
    assert activation.state == ActivationState.ACTIVE
    assert length(license.license_id) == before
    assert occupied(license.license_id) == 1


def test_confirming_frees_the_seat_and_gives_the_reply(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    before = length(license.license_id)
    agent = sign_in("agent")
    page = book(agent.paste(letter(license, pump.deactivate())), reason="Line closed.")
    assert page.redirects
    assert [entry[1:] for entry in entries(license.license_id, after=before)] == [
        ("agent", "activation.deactivated", "Line closed.")
    ]
    assert occupied(license.license_id) == 0
    assert "is deactivated and its seat is free" in page.words
    assert "its seat is free for another Chariot" in page.block("reply")
    assert agent.get(page.path).block("reply") == page.block("reply")
    assert length(license.license_id) == before + 1


def test_two_clicks_and_a_second_mail_book_once(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    text = letter(license, pump.deactivate())
    before = length(license.license_id)
    agent = sign_in("agent")
    shown = agent.paste(text)
    book(shown)
    assert "This code was booked on" in book(shown).words
    again = agent.paste(text)
    assert "Booked before" in again.words
    book(again)
    assert length(license.license_id) == before + 1


def test_a_code_of_a_restored_activation_settles_its_case(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    activation = Activation.objects.get()
    mark_lost(activation_id=activation.activation_id, actor=AGENT, source=SOURCE, reason="fire")
    case = request_restoration(activation_id=activation.activation_id, actor=AGENT, source=SOURCE, reason="fire")
    approve_restoration(restoration_id=case.restoration_id, actor=LEAD, source=SOURCE, reason="yes")  # type: ignore[union-attr]
    before = length(license.license_id)
    agent = sign_in("agent")
    page = agent.paste(letter(license, pump.deactivate()))
    assert "Settles a written-off host" in page.words
    assert "0 of 2 seats taken, before and after" in page.words
    assert length(license.license_id) == before
    page = book(page)
    assert [entry[2] for entry in entries(license.license_id, after=before)] == ["tombstone.settled"]
    assert "We have recorded the deactivation." in page.block("reply")


def test_when_a_code_does_something_else_by_now_nothing_is_booked(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    agent = sign_in("agent")
    shown = agent.paste(letter(license, pump.deactivate()))
    activation = Activation.objects.get()
    mark_lost(activation_id=activation.activation_id, actor=AGENT, source=SOURCE, reason="fire")
    case = request_restoration(activation_id=activation.activation_id, actor=AGENT, source=SOURCE, reason="fire")
    approve_restoration(restoration_id=case.restoration_id, actor=LEAD, source=SOURCE, reason="yes")  # type: ignore[union-attr]
    before = length(license.license_id)
    page = book(shown)
    assert "Something changed since you looked, so nothing was booked." in page.words
    assert "Settles a written-off host" in page.words
    assert length(license.license_id) == before


def test_a_code_without_its_license_id_asks_for_it(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    page = sign_in("agent").paste(f"the code is {pump.deactivate()}")
    assert "License ID missing" in page.words
    assert "Add the License ID" in page.words


def test_a_typing_mistake_is_named_as_one(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    code = pump.deactivate()
    mistyped = code[:-1] + ("A" if code[-1] != "A" else "B")
    agent = sign_in("agent")
    page = agent.paste(letter(license, mistyped))
    assert "A typing mistake" in page.words
    assert f"{mistyped}: The deactivation code has a typing mistake" in page.words
    short = agent.paste(letter(license, code[:-2]))
    assert "26 characters where there should be 28" in short.words
    # A digit, since an ID may have none, and is then told from prose only when it is right.
    wrong_id = license.license_id[:-1] + ("7" if license.license_id[-1] != "7" else "8")
    page = agent.paste(f"{wrong_id} {code}")
    assert "License ID missing" in page.words
    assert "The License ID has a typing mistake" in page.words


def test_a_code_of_another_license_frees_nothing(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    other = make_license(customer="Northern Paper Mill")
    agent = sign_in("agent")
    page = agent.paste(letter(other, pump.deactivate()))
    assert "This code frees nothing" in page.words
    assert f"no Chariot of {other.license_id} shows it" in page.words
    assert occupied(license.license_id) == 1


def test_with_several_license_ids_the_right_one_is_found(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    other = make_license(customer="Northern Paper Mill")
    page = sign_in("agent").paste(f"{other.license_id} or {license.license_id}: {pump.deactivate()}")
    assert "Frees a seat" in page.words
    assert "Northern Paper Mill" not in page.words


def test_a_tampered_form_books_nothing(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    before = length(license.license_id)
    page = sign_in("agent").paste(letter(license, pump.deactivate()))
    for change in ({"code": ""}, {"code": "0000"}, {"expect": "ACT:freed"}, {"license_id": "LIC-?"}):
        assert book(page, **change).status == 200
    assert length(license.license_id) == before
