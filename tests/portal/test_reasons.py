"""Reasons: a line end is one letter at every door, and a reason that cannot be taken costs nobody what was typed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse

from activations.models import Activation, LedgerEntry, Restoration
from activations.services.licenses import LicenseCreated
from activations.services.losses import MarkedLost, RestorationCase, mark_lost, request_restoration
from activations.services.results import BadInput, bad_reason
from tests.portal.cast import AGENT, SOURCE, answered, entries, length, license_row
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser

SignIn = Callable[[str], Browser]
LINES = "a\r\n" * 999 + "zz"  # 2,000 letters as a browser counts, 2,999 as it sends them
STORED = LINES.replace("\r\n", "\n")
TOO_LONG = "has 2001 letters; the ledger takes 2000"


@pytest.fixture
def pump(license: LicenseCreated) -> Chariot:
    """A Chariot that is activated."""
    chariot = Chariot(license.license_key, host("pump-house"))
    chariot.install(answered(chariot.request()))
    return chariot


def test_services_count_a_line_end_as_one_letter_and_store_it_as_one(license: LicenseCreated, pump: Chariot) -> None:
    name = Activation.objects.get().activation_id
    before = length(license.license_id)
    assert isinstance(mark_lost(activation_id=name, actor=AGENT, source=SOURCE, reason=LINES), MarkedLost)
    case = request_restoration(activation_id=name, actor=AGENT, source=SOURCE, reason=LINES)
    assert isinstance(case, RestorationCase), case
    assert entries(license.license_id, after=before) == [
        (before + 1, "agent", "activation.lost", STORED),
        (before + 2, "agent", "restoration.requested", STORED),
    ]
    assert Restoration.objects.get().reason == STORED


@pytest.mark.parametrize("ends", ["\r\n", "\r", "\n"])
def test_one_letter_more_is_too_long_whatever_the_line_ends(ends: str) -> None:
    problem = bad_reason(ends.join(["a"] * 1000) + "bb")
    assert isinstance(problem, BadInput)
    assert (problem.code, TOO_LONG in problem.message) == ("reason-too-long", True)
    assert bad_reason(ends.join(["a"] * 1000) + "b") is None


def test_a_long_reason_with_lines_is_booked_from_a_page(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    agent = sign_in("agent")
    page = agent.get(reverse("admin:activation_mark_lost", args=[Activation.objects.get().pk]))
    assert "is lost now" in page.send(page.form(), reason=LINES).words
    assert LedgerEntry.objects.get(kind="activation.lost").reason == STORED


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (f"{LINES}z", TOO_LONG),
        ("from left to\u202e right", "U+202E"),
        ("a\x00b", "U+0000"),
    ],
)
def test_a_reason_that_cannot_be_taken_comes_back_with_the_error_beside_it(
    typed: str, said: str, license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    agent, manager = sign_in("agent"), sign_in("manager")
    before = length(license.license_id)
    back = typed.replace("\r\n", "\n")
    pages = {
        "lost": (agent.get(reverse("admin:activation_mark_lost", args=[Activation.objects.get().pk])), ""),
        "choice": (agent.paste(pump.reinstalled().request()), reverse("admin:desk_confirm")),
        "refusal": (agent.paste(pump.request()), "refuse"),
        "code": (
            agent.paste(f"{license.license_id}\n{pump.deactivate()}"),
            reverse("admin:desk_deactivate"),
        ),
        "terms": (
            manager.get(reverse("admin:license_terms", args=[license_row(license.license_id).pk])),
            "",
        ),
    }
    for name, (page, action) in pages.items():
        more = {"choice": "second"} if name == "choice" else {}
        more |= {"allowed": "7"} if name == "terms" else {}
        refusing = action == "refuse"
        form = next(f for f in page.forms if f.fields.get("choice") == "refuse") if refusing else page.form(action)
        again = page.send(form, reason=typed, **more)
        assert "Nothing was booked" in again.words, name
        assert said in again.html.split('class="errorlist')[1][:300], name
        same = next(f for f in again.forms if f.fields.get("choice") == "refuse") if refusing else again.form(action)
        assert same.fields["reason"].replace("\r\n", "\n").strip("\n") == back, name
        assert {key: same.fields[key] for key in more} == more, name
    assert length(license.license_id) == before


def test_a_refusal_without_a_reason_says_so_beside_it(license: LicenseCreated, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    page = agent.paste(Chariot(license.license_key, host("mill")).request())
    (form,) = [form for form in page.forms if form.fields.get("choice") == "refuse"]
    before = length(license.license_id)
    again = page.send(form, reason="  ")
    assert "Say why, in a sentence" in again.html.split('id="refusal_error"')[1][:200]
    assert length(license.license_id) == before
