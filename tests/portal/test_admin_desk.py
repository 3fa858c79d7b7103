"""The desk in the browser: paste, dry run, confirm, result. What is booked is asserted entry by entry."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from chariot_license.protocol.block import Kind
from chariot_license.protocol.fingerprint import HostFacts
from chariot_license.protocol.qr import qr_payload
from chariot_license.protocol.reader import read_block
from django.test import Client
from django.urls import reverse

from activations.admin.words import TITLES
from activations.domain.sentences import SENTENCES
from activations.models import IntakeEntry, License, UsageLicense, UsageRequest
from activations.services.licenses import LicenseCreated, replace_license_key
from tests.portal.cast import MANAGER, SOURCE, answered, entries, length
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser, mail

SignIn = Callable[[str], Browser]
ISSUED = ["request.received", "activation.created", "usage_license.issued"]


def kinds(license_id: str, after: int, actor: str = "agent") -> list[str]:
    found = entries(license_id, after=after)
    assert {entry[1] for entry in found} <= {actor}, found
    return [kind for _, _, kind, _ in found]


@pytest.fixture
def pump(license: LicenseCreated) -> Chariot:
    return Chariot(license.license_key, host("pump-house"))


def test_a_mail_with_a_request_leads_to_a_dry_run_that_books_nothing(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    before = length(license.license_id)
    page = sign_in("agent").paste(mail(pump.request()))
    assert page.status == 200
    for words in (
        "dry run, nothing is booked yet",
        "New activation",
        "Acme Water",
        license.license_id,
        "pump-house",
        "chariot-mqtt-server 2.4.1",
        "board, disk, machine id, network card",
        "0 of 2 seats taken now, 1 of 2 afterwards",
        "Seat 1: taken by this request",
        "Seat 2: free",
        "Here is the Usage License for your Chariot.",
    ):
        assert words in page.words
    assert length(license.license_id) == before
    assert not UsageRequest.objects.exists()


def test_confirming_books_what_was_shown_and_gives_the_reply(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    before = length(license.license_id)
    agent = sign_in("agent")
    page = agent.confirm(agent.paste(mail(pump.request())))
    stored = UsageRequest.objects.get()
    assert page.redirects == [reverse("admin:desk_result", args=[stored.request_id])]
    assert kinds(license.license_id, before) == ISSUED
    assert "Usage License issued" in page.words
    answer = UsageLicense.objects.get()
    assert page.block("usage-license") == answer.text
    reply = page.block("reply")
    assert "Here is the Usage License for your Chariot." in reply
    assert "Upload Usage License" in reply
    assert answer.text.strip() in reply
    assert pump.install(reply).license_id == license.license_id
    assert f"Activated {answer.activation.activation_id} on pump-house, seat 1" in page.words


def test_the_result_can_be_reloaded_and_downloaded_without_booking_again(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    agent = sign_in("agent")
    page = agent.confirm(agent.paste(pump.request()))
    booked = length(license.license_id)
    assert agent.get(page.path).block("usage-license") == UsageLicense.objects.get().text
    answer = UsageLicense.objects.get()
    file = agent.get(reverse("admin:desk_download", args=[answer.request.request_id]))
    assert file.html == answer.text
    assert file.headers["Content-Disposition"] == f'attachment; filename="{answer.usage_license_id}.txt"'
    assert length(license.license_id) == booked


def test_two_clicks_on_confirm_book_once(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    before = length(license.license_id)
    agent = sign_in("agent")
    shown = agent.paste(pump.request())
    first = agent.confirm(shown)
    second = agent.confirm(shown)
    assert second.path == first.path
    assert "Nothing was booked twice" in second.words
    assert kinds(license.license_id, before) == ISSUED


def test_someone_elses_result_is_sent_again_and_that_is_booked(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    agent = sign_in("agent")
    result = agent.confirm(agent.paste(pump.request()))
    before = length(license.license_id)
    lead = sign_in("lead")
    page = lead.get(result.path)
    assert "Answered before: the same Usage License again" in page.words
    assert lead.confirm(page).block("usage-license") == UsageLicense.objects.get().text
    assert kinds(license.license_id, before, "lead") == ["usage_license.resent"]


def test_when_the_facts_changed_nothing_is_booked_and_the_new_dry_run_is_shown(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    agent = sign_in("agent")
    shown = agent.paste(pump.request())
    answered(Chariot(license.license_key, host("filter-hall")).request())
    before = length(license.license_id)
    page = agent.confirm(shown)
    assert "Something changed since you looked, so nothing was booked." in page.words
    assert "1 of 2 seats taken now, 2 of 2 afterwards" in page.words
    assert 'role="alert"' in page.html
    assert length(license.license_id) == before
    agent.confirm(page)
    assert kinds(license.license_id, before) == ISSUED


def test_a_full_license_is_refused_with_the_reply(license: LicenseCreated, sign_in: SignIn) -> None:
    for name in ("pump-house", "filter-hall"):
        answered(Chariot(license.license_key, host(name)).request())
    before = length(license.license_id)
    agent = sign_in("agent")
    page = agent.paste(Chariot(license.license_key, host("new-line")).request())
    assert "No seat is free" in page.words
    assert "All activations of your license are in use." in page.block("draft")
    page = agent.confirm(page)
    assert kinds(license.license_id, before) == ["request.received", "request.refused"]
    assert "All activations of your license are in use." in page.block("reply")
    assert "usage-license" not in page.html


def test_warnings_and_repaired_lines_are_named(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    lines = pump.request(virtual="kvm", fingerprint=pump.claims().fingerprint).splitlines()
    del lines[4]
    pump.counter = 0
    page = sign_in("agent").paste("\n".join(lines))
    assert "has been repaired exactly: line 4" in page.words
    assert "Virtual machine kvm" in page.words


def test_a_host_that_cannot_be_recognised_is_said_so(license: LicenseCreated, sign_in: SignIn) -> None:
    bare = Chariot(license.license_key, HostFacts(hostname="bare", container="docker"))
    page = sign_in("agent").paste(bare.request())
    assert "Recognised by nothing" in page.words
    assert "Runs in a container docker" in page.words
    assert "it cannot be recognised again" in page.words


# --- what is no request, or not a good one ------------------------------------------------------------------


def test_a_damaged_request_names_its_lines_and_drafts_the_reply(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    lines = pump.request().splitlines()
    text = "\n".join([*lines[:3], *lines[6:]])
    page = sign_in("agent").paste(text)
    assert "Damaged Usage Request" in page.words
    assert "lines 3, 4 and 5 cannot be read" in page.block("draft")
    assert page.form(reverse("admin:desk")).fields["text"].split() == text.split()
    assert not UsageRequest.objects.exists()
    assert not IntakeEntry.objects.exists()


def test_a_request_of_an_unknown_key_is_refused_and_kept_in_the_intake_log(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    text = pump.request()
    replace_license_key(license_id=license.license_id, actor=MANAGER, source=SOURCE, reason="leaked")
    page = sign_in("agent").paste(mail(text))
    assert "The License Key behind this request was replaced" in page.words
    assert "has been replaced by a new one" in page.block("draft")
    kept = IntakeEntry.objects.get()
    assert (kept.code, kept.received_by) == ("license-key-replaced", "agent")
    assert text.splitlines()[3] in kept.text


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("", "The box is empty"),
        ("Hello, our Chariot does not start. Can you help?", "Nothing found in this text"),
        ("x" * 300_000, "Nothing found in this text"),
        ("LIC-7K2M-9Q4T-H3XW-0B5N-0", "A typing mistake"),
        ("CHARIOT USAGE REQUEST", "Nothing found in this text"),
        ("\x00\ufffd ☃ <script>alert(1)</script>", "Nothing found in this text"),
    ],
)
def test_a_text_without_a_request_says_what_is_looked_for(text: str, title: str, sign_in: SignIn) -> None:
    page = sign_in("agent").paste(text)
    assert page.status == 200
    assert title in page.words
    assert "alert(1)</script>" not in page.html


def test_a_license_id_alone_leads_to_the_license(license: LicenseCreated, sign_in: SignIn) -> None:
    page = sign_in("agent").paste(f"How many seats has {license.license_id.lower()}?")
    assert "Only a License ID" in page.words
    assert "Acme Water, 0 of 2 seats taken" in page.words


@pytest.mark.parametrize("typed", ["{}", "  {lower}\n", "{bare}"])
def test_a_license_id_that_is_all_there_is_opens_its_license(
    typed: str, license: LicenseCreated, sign_in: SignIn
) -> None:
    name = license.license_id
    page = sign_in("agent").paste(typed.format(name, lower=name.lower(), bare=name.replace("-", "")))
    assert page.path == reverse("admin:activations_license_change", args=[License.objects.get().pk])
    page = sign_in("agent").paste("LIC-0000-0000-0000-0000-0")
    assert page.path == reverse("admin:desk")


def test_a_license_key_is_not_shown_back(license: LicenseCreated, sign_in: SignIn) -> None:
    page = sign_in("agent").paste(f"our key is {license.license_key}")
    assert "A License Key alone says nothing about a Chariot." in page.words
    assert license.license_key not in page.html


@pytest.mark.parametrize("key", ["{}", "{lower}", "{wrapped}"])
def test_a_license_key_beside_a_request_is_carried_on_by_no_page(
    key: str, license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    secret = license.license_key
    ways = {"lower": secret.lower(), "wrapped": f"{secret[:20]}=\n{secret[20:]}"}
    page = sign_in("agent").paste(f"our key is {key.format(secret, **ways)}\n\n{pump.request()}")
    assert "New activation" in page.words
    squeezed = page.html.upper().replace("=\n", "").replace("-", "")
    assert secret.replace("-", "") not in squeezed
    assert "Usage License issued" in sign_in("agent").confirm(page).words


def test_the_text_of_a_qr_code_is_read(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    data = read_block(pump.request(), Kind.REQUEST).data
    page = sign_in("agent").paste("scanned: \n" + qr_payload(Kind.REQUEST, data))
    assert "New activation" in page.words


def test_a_usage_license_is_told_from_a_request(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    page = sign_in("agent").paste(answered(pump.request()))
    assert "A Usage License, not a request" in page.words


def test_a_form_that_was_tampered_with_books_nothing(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    before = length(license.license_id)
    agent = sign_in("agent")
    page = agent.paste(pump.request())
    for change in ({"expect": "x"}, {"expect": "0" * 64}, {"choice": "nonsense"}, {"text": ""}, {"choice": "second"}):
        answer = agent.confirm(page, **change)
        assert answer.status == 200
        assert "Usage License issued" not in answer.words
    assert length(license.license_id) == before


def test_no_request_is_stored_for_an_unknown_address(sign_in: SignIn) -> None:
    assert sign_in("agent").get(reverse("admin:desk_request", args=["0" * 32])).status == 404


def test_every_decision_has_a_title() -> None:
    assert set(TITLES) == set(SENTENCES)


def test_a_mail_with_a_request_and_a_code_offers_both(license: LicenseCreated, sign_in: SignIn) -> None:
    old = Chariot(license.license_key, host("pump-house"))
    old.install(answered(old.request()))
    fresh = Chariot(license.license_key, host("new-line"))
    text = f"{license.license_id}\nold server: {old.deactivate()}\n{fresh.request()}"
    agent = sign_in("agent")
    page = agent.paste(text)
    assert "There is a deactivation code in this text as well." in page.words
    code = [form for form in page.forms if form.fields.get("code") == "1"]
    assert "Frees a seat" in page.send(code[0]).words


@pytest.mark.parametrize("name", ["desk_confirm", "desk_deactivate"])
def test_a_form_sent_after_the_session_ended_leads_to_the_desk_after_signing_in(name: str, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    address = reverse(f"admin:{name}")
    answer = Client().post(address, {"text": "x"})
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/admin/login/?next={address}")
    assert agent.get(address).path == reverse("admin:desk")


def test_a_time_at_the_end_of_the_calendar_is_no_failure(db: None, sign_in: SignIn) -> None:
    client = sign_in("agent").client
    for query in ("created_at__gte=0001-01-01 00:00:00%2B14:00", "created_at__lt=9999-12-31 23:59:59-14:00"):
        assert client.get(f"/admin/activations/license/?{query}").status_code in (302, 400)
