"""No reply goes out that nobody saw: its text may be changed while a page is open, whatever the page books."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse

from activations.domain.letters import LETTERS, ReplyKind
from activations.domain.words import Choice
from activations.models import Activation, Reply, Restoration
from activations.services.licenses import LicenseCreated
from activations.services.replies import TextChanged, change_text, text_in_use
from tests.portal.cases import opened
from tests.portal.cast import AGENT, MANAGER, SOURCE, answered, entries, issue, length
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser, Form, Page

SignIn = Callable[[str], Browser]
SAYS_SO = "The text of this reply was changed since you looked, so nothing was booked."


@pytest.fixture
def pump(license: LicenseCreated) -> Chariot:
    """A Chariot that is activated."""
    chariot = Chariot(license.license_key, host("pump-house"))
    chariot.install(answered(chariot.request()))
    return chariot


def change(kind: str) -> None:
    """The text in use with other words at its end."""
    shown = text_in_use(ReplyKind(kind))
    made = change_text(
        kind=kind,
        body=f"{shown.body}Changed words.\n",
        shown=shown.version,
        actor=MANAGER,
        source=SOURCE,
        reason="Clearer.",
    )
    assert isinstance(made, TextChanged), made


def refusal(page: Page) -> Form:
    (form,) = [form for form in page.forms if form.fields.get("choice") == "refuse"]
    return form


def confirmed(page: Page) -> Form:
    return page.form(reverse("admin:desk_confirm"))


def test_a_reply_after_a_choice_is_the_one_that_was_shown(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    agent = sign_in("agent")
    page = agent.paste(pump.reinstalled().request())
    change("issued")
    before = length(license.license_id)

    again = agent.confirm(page, choice="second", reason="They run two.")

    assert SAYS_SO in again.words
    assert (length(license.license_id), Reply.objects.count()) == (before, 0)
    assert (confirmed(again).fields["choice"], confirmed(again).fields["reason"]) == ("second", "They run two.")
    assert "Changed words." in again.words
    sent = again.send(confirmed(again), book="")
    assert "Changed words." in sent.block("reply")
    assert [entry[1:3] for entry in entries(license.license_id, after=before)] == [
        ("agent", "request.received"),
        ("agent", "activation.created"),
        ("agent", "usage_license.issued"),
    ]


def test_another_text_than_the_one_that_goes_out_stops_nothing(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    agent = sign_in("agent")
    page = agent.paste(pump.reinstalled().request())
    change("refused")
    assert agent.confirm(page, choice="second").block("reply")


def test_a_refusal_instead_goes_out_as_shown(license: LicenseCreated, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    page = agent.paste(Chariot(license.license_key, host("filter-hall")).request())
    change("refused")
    before = length(license.license_id)

    again = page.send(refusal(page), reason="Their contract ended.")

    assert SAYS_SO in again.words
    assert length(license.license_id) == before
    assert refusal(again).fields["reason"] == "Their contract ended."
    assert '<details class="panel" open>' in again.html
    assert "Changed words." in again.block("refusal-reply")
    assert again.send(refusal(again)).block("reply") == again.block("refusal-reply") == Reply.objects.get().body
    assert [entry[1:] for entry in entries(license.license_id, after=before)] == [
        ("agent", "request.received", ""),
        ("agent", "request.declined", "Their contract ended."),
    ]


@pytest.mark.parametrize("case", [("pump-house", "park", "pending"), ("mill", "book", "issued")])
def test_what_is_put_on_the_desk_or_issued_goes_out_as_shown(
    case: tuple[str, str, str], license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    name, button, kind = case
    agent = sign_in("agent")
    page = agent.paste(Chariot(license.license_key, host(name)).request())
    change(kind)
    before = length(license.license_id)
    again = agent.confirm(page, button)
    assert SAYS_SO in again.words
    assert length(license.license_id) == before
    assert "Changed words." in agent.confirm(again, button).block("reply")


def test_a_second_question_shows_the_reply_that_waiting_brings(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    """Put on the desk from the second question, the request waits with the first, and the customer reads of that."""
    lead = sign_in("lead")
    twin = pump.snapshot()
    twin.counter -= 1
    twin.facts = host("mill")
    page = lead.paste(twin.request())
    first = page.block("draft")
    asked = lead.confirm(page, choice="restored-backup", reason="They said so.")
    assert "One more question before anything is booked." in asked.words
    assert asked.block("draft") == first
    assert lead.confirm(asked, "park").block("reply") == first


def test_of_several_each_goes_out_as_shown(license: LicenseCreated, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    texts = [Chariot(license.license_key, host(name)).request() for name in ("mill", "weir")]
    several = agent.paste("\n".join(texts))
    page = several.send(next(form for form in several.forms if form.fields.get("one")))
    change("issued")
    before = length(license.license_id)
    again = agent.confirm(page)
    assert SAYS_SO in again.words
    assert length(license.license_id) == before
    assert "Changed words." in agent.confirm(again).block("reply")


def test_the_confirmation_of_a_code_goes_out_as_shown(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    page = agent.paste(f"{license.license_id}\n{pump.deactivate()}")
    form = page.form(reverse("admin:desk_deactivate"))
    change("deactivated")
    before = length(license.license_id)

    again = page.send(form, reason="Line closed.")

    assert SAYS_SO in again.words
    assert "Something changed" not in again.words
    assert (length(license.license_id), Activation.objects.get().state) == (before, "active")
    form = again.form(reverse("admin:desk_deactivate"))
    assert form.fields["reason"] == "Line closed."
    assert "Changed words." in again.block("draft-1")
    assert again.send(form).block("reply") == again.block("draft-1")
    assert [entry[1:] for entry in entries(license.license_id, after=before)] == [
        ("agent", "activation.deactivated", "Line closed.")
    ]


@pytest.mark.parametrize("verdict", [("approve", "restored", "approved"), ("deny", "denied", "denied")])
def test_the_verdict_on_a_restoration_goes_out_as_shown(
    verdict: tuple[str, str, str], license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    step, kind, state = verdict
    case, lead = opened("pump-house", actor=AGENT), sign_in("lead")
    page = lead.get(reverse(f"admin:restoration_{step}", args=[case.pk]))
    assert page.block("draft") == LETTERS[ReplyKind(kind)].shipped.replace("{license_id}", license.license_id).replace(
        "{activation_id}", case.activation.activation_id
    ).replace("{host}", "pump-house").lstrip("\n")
    change(kind)
    before = length(license.license_id)

    again = page.send(page.form(), reason="Photos seen.")

    assert "The text of the reply was changed since you looked, so nothing was booked." in again.words
    assert (length(license.license_id), Reply.objects.count()) == (before, 0)
    assert again.form().fields["reason"] == "Photos seen."
    assert "Changed words." in again.block("draft")
    assert f"is {state}." in again.send(again.form()).words
    assert Restoration.objects.get().state == state
    assert Reply.objects.get().body == again.block("draft")


def test_a_verdict_of_which_no_reply_was_shown_is_not_booked(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    case, lead = opened("pump-house"), sign_in("lead")
    page = lead.get(reverse("admin:restoration_deny", args=[case.pk]))
    for version in ("", "x", "\N{SUPERSCRIPT TWO}", "9" * 30):
        assert "was changed since you looked" in page.send(page.form(), reason="No.", text_version=version).words
    assert Restoration.objects.get().state == "requested"


def test_what_asks_for_damaged_lines_is_kept_as_it_was_sent(license: LicenseCreated, sign_in: SignIn) -> None:
    """It goes out before it is kept: what is kept is what was copied from the page, whatever the text is by now."""
    agent = sign_in("agent")
    lines = Chariot(license.license_key, host("mill")).request().splitlines()
    page = agent.paste("\n".join([*lines[:3], *lines[8:]]))
    shown = page.block("draft")
    change("damaged")
    page.send(page.form(reverse("admin:desk_keep_reply")))
    kept = Reply.objects.get()
    assert (kept.kind, kept.body, kept.text_version) == ("damaged", shown, 0)


def test_a_form_without_its_texts_books_nothing(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    page = agent.paste(pump.request())
    before = length(license.license_id)
    for texts in ("", "updated", "updated:x", "issued:0", "updated:\N{SUPERSCRIPT TWO}"):
        assert SAYS_SO in agent.confirm(page, texts=texts).words
    assert length(license.license_id) == before


def test_a_choice_without_the_desk_needs_no_texts(license: LicenseCreated, pump: Chariot) -> None:
    assert issue(pump.reinstalled().request(), Choice.SECOND).usage_license
