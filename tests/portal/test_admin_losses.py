"""A destroyed server in the admin: mark lost, request restoration, decided by a second person."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse

from activations.models import Activation, Restoration
from activations.services.licenses import LicenseCreated
from tests.portal.cast import answered, entries, length, occupied
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser, Page

SignIn = Callable[[str], Browser]


@pytest.fixture
def activation(license: LicenseCreated) -> Activation:
    answered(Chariot(license.license_key, host("pump-house")).request())
    return Activation.objects.get()


def act(browser: Browser, name: str, pk: int, **typed: str) -> Page:
    page = browser.get(reverse(f"admin:{name}", args=[pk]))
    return page.send(page.form(), **typed)


def lose(browser: Browser, activation: Activation) -> Restoration:
    act(browser, "activation_mark_lost", activation.pk, reason="Burned down.")
    act(browser, "activation_request_restoration", activation.pk, reason="There was a fire.")
    return Restoration.objects.latest("pk")


def test_the_whole_case_is_booked_by_two_people(
    license: LicenseCreated, activation: Activation, sign_in: SignIn
) -> None:
    before = length(license.license_id)
    agent, lead = sign_in("agent"), sign_in("lead")
    page = act(agent, "activation_mark_lost", activation.pk, reason="Burned down.")
    assert "is lost now. It keeps its seat." in page.words
    assert occupied(license.license_id) == 1
    page = act(agent, "activation_request_restoration", activation.pk, reason="There was a fire.")
    case = Restoration.objects.get()
    assert page.path == reverse("admin:activations_restoration_change", args=[case.pk])
    assert "Your role cannot decide restorations. Ask a support lead." in page.words
    page = lead.get(reverse("admin:activations_restoration_change", args=[case.pk]))
    assert "There was a fire." in page.words
    waiting = f"{reverse('admin:activations_restoration_changelist')}?mine=decide"
    assert case.restoration_id in lead.get(waiting).html
    page = act(lead, "restoration_approve", case.pk, reason="Photos seen.")
    assert f"{case.restoration_id} is approved." in page.words
    assert "Written off as TMB-" in page.words
    assert occupied(license.license_id) == 0
    assert [entry[1:] for entry in entries(license.license_id, after=before)] == [
        ("agent", "activation.lost", "Burned down."),
        ("agent", "restoration.requested", "There was a fire."),
        ("lead", "restoration.approved", "Photos seen."),
        ("lead", "activation.restored", "Photos seen."),
        ("lead", "tombstone.placed", "Photos seen."),
    ]


def test_denying_leaves_the_activation_lost(license: LicenseCreated, activation: Activation, sign_in: SignIn) -> None:
    case = lose(sign_in("agent"), activation)
    before = length(license.license_id)
    page = act(sign_in("lead"), "restoration_deny", case.pk, reason="It still answers.")
    assert f"{case.restoration_id} is denied." in page.words
    assert occupied(license.license_id) == 1
    assert [entry[1:] for entry in entries(license.license_id, after=before)] == [
        ("lead", "restoration.denied", "It still answers.")
    ]


def test_nobody_decides_the_case_they_opened(license: LicenseCreated, activation: Activation, sign_in: SignIn) -> None:
    lead = sign_in("lead")
    case = lose(lead, activation)
    before = length(license.license_id)
    page = lead.get(reverse("admin:activations_restoration_change", args=[case.pk]))
    assert "You opened this case, so another person must decide it." in page.words
    page = act(lead, "restoration_approve", case.pk, reason="Yes.")
    assert "Nothing was booked" in page.words
    assert "another person must decide it" in page.words
    assert length(license.license_id) == before
    act(sign_in("second-lead"), "restoration_approve", case.pk, reason="Yes.")
    assert occupied(license.license_id) == 0


def test_every_step_needs_a_reason_and_happens_once(
    license: LicenseCreated, activation: Activation, sign_in: SignIn
) -> None:
    agent, lead = sign_in("agent"), sign_in("lead")
    before = length(license.license_id)
    page = act(agent, "activation_mark_lost", activation.pk, reason="  ")
    assert "Say why, in a sentence" in page.words
    assert 'role="alert"' in page.html
    assert length(license.license_id) == before
    case = lose(agent, activation)
    assert (
        "only an active one can be marked as lost"
        in act(agent, "activation_mark_lost", activation.pk, reason="x").words
    )
    page = act(agent, "activation_request_restoration", activation.pk, reason="x")
    assert f"Case {case.restoration_id} is open for this activation already." in page.words
    act(lead, "restoration_approve", case.pk, reason="ok")
    booked = length(license.license_id)
    assert "is approved already" in act(lead, "restoration_approve", case.pk, reason="ok").words
    assert "is approved already" in act(lead, "restoration_deny", case.pk, reason="no").words
    assert length(license.license_id) == booked


def test_the_page_of_an_activation_offers_what_its_state_allows(
    license: LicenseCreated, activation: Activation, sign_in: SignIn
) -> None:
    address = reverse("admin:activations_activation_change", args=[activation.pk])
    agent = sign_in("agent")
    page = agent.get(address)
    assert "Mark lost" in page.words
    assert "Request restoration" not in page.words
    act(agent, "activation_mark_lost", activation.pk, reason="Burned down.")
    page = agent.get(address)
    assert "Request restoration" in page.words
    assert "Marked lost" in page.words
    assert "Burned down." in page.words
    assert "Mark lost" not in page.words
