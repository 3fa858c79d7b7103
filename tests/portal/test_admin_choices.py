"""What a person must choose, on the desk: options, reasons, what waits for a lead."""

from __future__ import annotations

from collections.abc import Callable

from django.urls import reverse

from activations.admin.showing import CHOICES
from activations.domain.words import Choice
from activations.models import Activation, UsageRequest
from activations.services.licenses import LicenseCreated
from tests.portal.cast import answered, entries, length, occupied
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser

SignIn = Callable[[str], Browser]


def kinds(license_id: str, after: int, actor: str = "agent") -> list[str]:
    found = entries(license_id, after=after)
    assert {entry[1] for entry in found} <= {actor}, found
    return [kind for _, _, kind, _ in found]


def reinstalled(license: LicenseCreated) -> str:
    """A request from a new Chariot on a host that holds an activation already."""
    first = Chariot(license.license_key, host("pump-house"))
    first.install(answered(first.request()))
    return first.reinstalled().request()


def test_an_open_choice_is_offered_with_what_each_leads_to(license: LicenseCreated, sign_in: SignIn) -> None:
    text = reinstalled(license)
    activation = Activation.objects.get()
    page = sign_in("agent").paste(text)
    form = page.form(reverse("admin:desk_confirm"))
    assert form.choices["choice"] == [
        (f"reinstalled:{activation.activation_id}", True),
        ("second", True),
        ("refuse", True),
    ]
    assert "Seats taken: 1 now, 1 afterwards" in page.words
    assert "Seats taken: 1 now, 2 afterwards" in page.words


def test_choosing_books_the_choice(license: LicenseCreated, sign_in: SignIn) -> None:
    text = reinstalled(license)
    activation = Activation.objects.get()
    before = length(license.license_id)
    agent = sign_in("agent")
    page = agent.confirm(agent.paste(text), choice=f"reinstalled:{activation.activation_id}")
    assert "Usage License issued" in page.words
    assert kinds(license.license_id, before) == [
        "request.received",
        "tombstone.placed",
        "activation.reinstalled",
        "usage_license.issued",
    ]
    assert occupied(license.license_id) == 1


def test_nothing_chosen_is_an_error_that_keeps_what_was_typed(license: LicenseCreated, sign_in: SignIn) -> None:
    text = reinstalled(license)
    before = length(license.license_id)
    agent = sign_in("agent")
    page = agent.confirm(agent.paste(text), reason="The plant called.")
    assert "Choose one of the options, or put the request on the desk for a lead." in page.words
    assert page.form(reverse("admin:desk_confirm")).fields["reason"] == "The plant called."
    assert length(license.license_id) == before


def test_refusing_needs_a_reason_and_is_final(license: LicenseCreated, sign_in: SignIn) -> None:
    text = reinstalled(license)
    before = length(license.license_id)
    agent = sign_in("agent")
    page = agent.confirm(agent.paste(text), choice="refuse")
    assert "Say why, in a sentence" in page.words
    assert length(license.license_id) == before
    page = agent.confirm(page, choice="refuse", reason="The customer sent it by mistake.")
    assert "Refused" in page.words
    assert [entry[1:] for entry in entries(license.license_id, after=before)] == [
        ("agent", "request.received", ""),
        ("agent", "request.declined", "The customer sent it by mistake."),
    ]


def test_what_would_be_issued_can_be_refused_instead(license: LicenseCreated, sign_in: SignIn) -> None:
    before = length(license.license_id)
    agent = sign_in("agent")
    page = agent.paste(Chariot(license.license_key, host("pump-house")).request())
    refusal = [form for form in page.forms if form.fields.get("choice") == "refuse"]
    page.send(refusal[0], reason="Sent by mistake.")
    assert kinds(license.license_id, before) == ["request.received", "request.declined"]


def moved(license: LicenseCreated) -> Chariot:
    """A Chariot whose hardware was replaced: only a lead may decide."""
    chariot = Chariot(license.license_key, host("pump-house"))
    chariot.install(answered(chariot.request()))
    return chariot.clone(host("pump-house-2", hostname="pump-house"))


def test_an_agent_cannot_choose_what_a_lead_decides_but_can_put_it_on_the_desk(
    license: LicenseCreated, sign_in: SignIn
) -> None:
    text = moved(license).request()
    activation = Activation.objects.get()
    before = length(license.license_id)
    agent = sign_in("agent")
    page = agent.paste(text)
    form = page.form(reverse("admin:desk_confirm"))
    assert form.choices["choice"] == [(f"rebind:{activation.activation_id}", False), ("refuse", False)]
    assert "Ask a support lead." in page.words
    assert form.buttons == ["park"]
    forced = agent.confirm(page, choice=f"rebind:{activation.activation_id}", reason="I want it.")
    assert "agent may not: decide as lead. Ask a support lead." in forced.words
    assert length(license.license_id) == before
    page = agent.confirm(page, button="park")
    assert "On the desk for a lead" in page.words
    assert "needs a review on our side" in page.block("reply")
    assert kinds(license.license_id, before) == ["request.received", "request.pending"]


def test_a_lead_opens_what_waits_on_the_desk_and_decides_it(license: LicenseCreated, sign_in: SignIn) -> None:
    agent, lead = sign_in("agent"), sign_in("lead")
    agent.confirm(agent.paste(moved(license).request()), button="park")
    before = length(license.license_id)
    waiting = UsageRequest.objects.get(state="pending")
    desk = lead.get(reverse("admin:desk"))
    assert "The host is not recognised any more" in desk.words
    address = reverse("admin:desk_request", args=[waiting.request_id])
    assert f'href="{address}"' in desk.html
    assert f'href="{address}"' in lead.get(reverse("admin:index")).html
    activation = Activation.objects.get()
    seen = agent.get(address)
    assert "put there by agent" in seen.words
    assert "A support lead decides this." in seen.words
    assert seen.form(reverse("admin:desk_confirm")).buttons == []
    page = lead.confirm(
        lead.get(address), choice=f"rebind:{activation.activation_id}", reason="New server, told by phone."
    )
    assert "Usage License issued" in page.words
    assert [entry[1:] for entry in entries(license.license_id, after=before)] == [
        ("lead", "tombstone.placed", "New server, told by phone."),
        ("lead", "activation.rebound", "New server, told by phone."),
        ("lead", "usage_license.issued", "New server, told by phone."),
    ]
    assert "No Usage Request waits for a decision." in lead.get(reverse("admin:desk")).words


def test_a_choice_that_opens_another_question_asks_it_before_booking(license: LicenseCreated, sign_in: SignIn) -> None:
    chariot = Chariot(license.license_key, host("pump-house"))
    chariot.install(answered(chariot.request()))
    copy = chariot.snapshot()
    answered(chariot.request())
    text = copy.clone(host("elsewhere")).request()  # the number of the request before, from another host
    activation = Activation.objects.get()
    before = length(license.license_id)
    lead = sign_in("lead")
    page = lead.paste(text)
    assert "Then one more question: the host is not recognised any more." in page.words
    page = lead.confirm(page, choice="restored-backup")
    assert "One more question before anything is booked." in page.words
    assert length(license.license_id) == before
    page = lead.confirm(page, choice=f"rebind:{activation.activation_id}", reason="Restored on a new server.")
    assert "Usage License issued" in page.words
    assert kinds(license.license_id, before, "lead") == [
        "request.received",
        "instance.backup_accepted",
        "tombstone.placed",
        "activation.rebound",
        "usage_license.issued",
    ]


def test_a_lead_may_accept_a_superseded_request_as_a_restored_backup(license: LicenseCreated, sign_in: SignIn) -> None:
    chariot = Chariot(license.license_key, host("pump-house"))
    early = chariot.snapshot()
    chariot.request()
    answered(chariot.request())
    before = length(license.license_id)
    lead = sign_in("lead")
    page = lead.paste(early.request())
    assert "A newer request is here already" in page.words
    page = lead.confirm(page, choice="restored-backup", reason="Put back from last night's backup.")
    assert "Usage License issued" in page.words
    assert "instance.backup_accepted" in kinds(license.license_id, before, "lead")


def test_every_choice_has_a_name() -> None:
    assert set(CHOICES) == set(Choice)
