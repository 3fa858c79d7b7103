"""A form that is sent twice books once, and says of the second click what the first one booked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from http.cookies import SimpleCookie

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import reverse

from activations.admin import once
from activations.models import Activation, License, Reply, SentForm, UsageRequest
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


def test_the_token_of_a_form_says_nothing_about_another_page(license: LicenseCreated, sign_in: SignIn) -> None:
    for name in ("pump-house", "weir"):
        answered(Chariot(license.license_key, host(name)).request())
    agent = sign_in("agent")
    pages = [agent.get(reverse("admin:activation_mark_lost", args=[row.pk])) for row in Activation.objects.all()]
    first, second = (page.form() for page in pages)
    pages[0].send(first, reason="Burned down.")
    other = pages[1].send(second, reason="Burned down.", token=first.fields["token"])
    assert OTHER in other.words
    assert "is lost now" in other.send(other.form(), reason="Burned down.").words


# --- after the browser's Back ---------------------------------------------------------------------------------

OTHER = "What you sent now was not booked, because the form of that page had been used already."


def linked(page: Page, address: str) -> bool:
    return f'<a href="{address}">Look at what was booked</a>' in page.html


def kinds(license: LicenseCreated, after: int) -> list[tuple[str, str, str]]:
    return [entry[1:] for entry in entries(license.license_id, after=after)]


def test_another_decision_after_back_is_not_booked_and_offered_anew(license: LicenseCreated, sign_in: SignIn) -> None:
    pump, lead = Chariot(license.license_key, host("pump-house")), sign_in("lead")
    pump.install(answered(pump.request()))
    page = lead.paste(pump.reinstalled().request())
    before = length(license.license_id)
    lead.confirm(page, button="park")
    parked = [("lead", "request.received", ""), ("lead", "request.pending", "")]
    assert kinds(license, before) == parked
    result = reverse("admin:desk_result", args=[UsageRequest.objects.get(state="pending").request_id])

    other = lead.confirm(page, choice="second", reason="They run two.")

    assert OTHER in other.words
    assert "On the desk for a lead." in other.words
    assert linked(other, result)
    assert "booked already" not in other.words
    assert kinds(license, before) == parked
    form = other.form(reverse("admin:desk_confirm"))
    assert (form.fields["choice"], form.fields["reason"]) == ("second", "They run two.")
    assert "Usage License issued" in other.send(form, book="").words
    assert kinds(license, before) == [
        *parked,
        ("lead", "activation.created", "They run two."),
        ("lead", "usage_license.issued", "They run two."),
    ]


@pytest.mark.parametrize(
    "typed", [{"choice": "reinstalled"}, {"reason": "They told us by phone."}, {"expect": "0" * 64}]
)
def test_another_choice_reason_or_dry_run_is_another_decision(
    typed: dict[str, str], license: LicenseCreated, sign_in: SignIn
) -> None:
    pump, agent = Chariot(license.license_key, host("pump-house")), sign_in("agent")
    pump.install(answered(pump.request()))
    page = agent.paste(pump.reinstalled().request())
    if typed.get("choice") == "reinstalled":
        offered = [value for value, _ in page.form(reverse("admin:desk_confirm")).choices["choice"]]
        typed = {"choice": next(value for value in offered if value.startswith("reinstalled"))}
    chosen = {"choice": "second", "reason": "They run two."}
    agent.confirm(page, **chosen)
    before = length(license.license_id)
    assert "booked already, by the click before. Usage License issued." in agent.confirm(page, **chosen).words
    other = agent.confirm(page, **{**chosen, **typed})
    assert OTHER in other.words
    assert linked(other, reverse("admin:desk_result", args=[UsageRequest.objects.latest("received_at").request_id]))
    assert "Nothing was booked twice" not in other.words
    assert kinds(license, before) == []
    reason = typed.get("reason", "They run two.")
    assert other.form(reverse("admin:desk_confirm")).fields["reason"] == reason, "what was typed is kept"


def test_refusing_after_back_what_was_issued_is_not_booked(license: LicenseCreated, sign_in: SignIn) -> None:
    agent, before = sign_in("agent"), length(license.license_id)
    page = agent.paste(Chariot(license.license_key, host("weir")).request())
    agent.confirm(page)
    refuse = next(one for one in page.forms if one.fields.get("choice") == "refuse")
    other = page.send(refuse, reason="Their contract ended.")
    assert OTHER in other.words
    assert "Usage License issued." in other.words
    assert other.form(reverse("admin:desk_confirm")).fields["reason"] == "Their contract ended."
    assert kinds(license, before) == [
        ("agent", "request.received", ""),
        ("agent", "activation.created", ""),
        ("agent", "usage_license.issued", ""),
    ]


def test_another_reason_after_back_is_not_booked_and_kept(
    license: LicenseCreated, activation: Activation, sign_in: SignIn
) -> None:
    agent, before = sign_in("agent"), length(license.license_id)
    page = agent.get(reverse("admin:activation_mark_lost", args=[activation.pk]))
    first = page.send(page.form(), reason="Burned down.")
    other = page.send(page.form(), reason="Flooded.")
    assert OTHER in other.words
    assert f"{activation.activation_id} is lost now. It keeps its seat." in other.words
    assert linked(other, first.path)
    assert "Nothing was booked" not in other.words, "something was, by the click before"
    assert other.form().fields["reason"] == "Flooded."
    assert kinds(license, before) == [("agent", "activation.lost", "Burned down.")]


def test_other_terms_after_back_are_not_booked(license: LicenseCreated, sign_in: SignIn) -> None:
    manager, before = sign_in("manager"), length(license.license_id)
    page = manager.get(reverse("admin:license_terms", args=[license_row(license.license_id).pk]))
    page = page.send(page.form(), allowed="7", reason="Order 4711.")
    page.send(page.form(), book="")
    other = page.send(page.form(), allowed="9", book="")
    assert OTHER in other.words
    assert license_row(license.license_id).allowed == 7
    assert kinds(license, before) == [("manager", "license.allowed_changed", "Order 4711.")]


def test_another_license_after_back_is_not_made_and_what_was_typed_is_kept(
    license: LicenseCreated, sign_in: SignIn
) -> None:
    manager = sign_in("manager")
    page = manager.get(reverse("admin:activations_license_add"))
    typed = {"has-mqtt-server": "on", "allowed": "3"}
    page.send(page.form(), customer="Northern Paper Mill", **typed)
    made = License.objects.exclude(license_id=license.license_id).get()
    other = page.send(page.form(), customer="Southern Dairy", **typed)
    assert OTHER in other.words
    assert linked(other, reverse("admin:activations_license_change", args=[made.pk]))
    assert License.objects.count() == 2
    form = other.form()
    assert (form.fields["customer"], form.fields["allowed"]) == ("Southern Dairy", "3")
    other.send(form)
    second = License.objects.latest("pk")
    assert second.customer.name == "Southern Dairy"
    for row in (made, second):
        assert [entry[1:3] for entry in entries(row.license_id)] == [("manager", "license.created")]


# --- whose token ----------------------------------------------------------------------------------------------


def test_the_token_of_somebody_else_is_none(license: LicenseCreated, sign_in: SignIn) -> None:
    agent, lead = sign_in("agent"), sign_in("lead")
    page = agent.paste(Chariot(license.license_key, host("weir")).request())
    token = page.form(reverse("admin:desk_confirm")).fields["token"]
    agent.confirm(page)
    theirs = UsageRequest.objects.get().request_id
    before = length(license.license_id)
    page = lead.paste(Chariot(license.license_key, host("mill")).request())

    for said in ("Usage License issued", "This was booked already, by the click before. Usage License issued."):
        answer = lead.confirm(page, token=token)
        assert said in answer.words
        assert theirs not in answer.path
        assert theirs not in answer.html
        assert OTHER not in answer.words

    assert kinds(license, before) == [
        ("lead", "request.received", ""),
        ("lead", "activation.created", ""),
        ("lead", "usage_license.issued", ""),
    ]
    rows = SentForm.objects.filter(token=token).order_by("pk")
    assert [row.user.username for row in rows] == ["agent", "lead"]


def test_the_same_action_with_the_token_of_somebody_else_says_nothing_of_it(
    license: LicenseCreated, activation: Activation, sign_in: SignIn
) -> None:
    agent, lead, before = sign_in("agent"), sign_in("lead"), length(license.license_id)
    address = reverse("admin:activation_mark_lost", args=[activation.pk])
    page, other = agent.get(address), lead.get(address)
    page.send(page.form(), reason="Burned down.")
    answer = other.send(other.form(), token=page.form().fields["token"], reason="Flooded.")
    assert "It keeps its seat. Nothing was booked twice" not in answer.words
    assert OTHER not in answer.words
    assert "Nothing was booked" in answer.words, "it is lost already, as the service says"
    assert kinds(license, before) == [("agent", "activation.lost", "Burned down.")]


# --- the rows -------------------------------------------------------------------------------------------------


def carrying(user: User, token: str) -> HttpRequest:
    request = RequestFactory().post("/", {"token": token})
    request.user = user
    return request


def used(user: User, token: str) -> bool:
    """Books with this token, and says whether it was used before."""
    with once.sending(carrying(user, token)) as sending:
        sending.done("Booked.", "/")
        return sending.before is not None


def test_tokens_older_than_a_day_are_removed(db: None, sign_in: SignIn) -> None:
    user = sign_in("agent").user
    old, young = once.new_token(), once.new_token()
    assert not used(user, old)
    assert not used(user, young)
    row = SentForm.objects.get(token=old)
    SentForm.objects.filter(pk=row.pk).update(sent_at=row.sent_at - timedelta(days=1, seconds=1))
    assert used(user, young)
    assert [one.token for one in SentForm.objects.all()] == [young]


@pytest.mark.parametrize("token", ["", "short", "x" * 65, "not a token at all"])
def test_what_is_no_token_names_no_earlier_click(token: str, db: None, sign_in: SignIn) -> None:
    user = sign_in("agent").user
    assert not used(user, token)
    assert not SentForm.objects.filter(token=token).exists()
    assert once.sent_before(carrying(user, token)) is None
    assert not used(user, token), "such a form counts as one of its own"


# --- two at once ------------------------------------------------------------------------------------------


def together(page: Page, form: Form, *typed: dict[str, str]) -> list[str]:
    """The words of the pages that clicks at the same moment lead to, each with what was typed for it."""
    cookies, start, found = page.browser.client.cookies.output(header="", sep=";"), threading.Barrier(len(typed)), []

    def click(more: dict[str, str]) -> None:
        client = Client()
        client.cookies = SimpleCookie(cookies)
        try:
            start.wait(30)
            answer = client.post(form.action or page.path, {**form.fields, **more}, follow=True)
            found.append(Page(answer, page.browser).words)
        finally:
            connection.close()

    threads = [threading.Thread(target=click, args=[more]) for more in typed]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == len(typed)
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

    words = together(page, form, typed, typed)

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


def test_two_decisions_at_the_same_moment_book_one(transactional_db: None, sign_in: SignIn) -> None:
    make_keys()
    license = make_license(allowed=2)
    pump = Chariot(license.license_key, host("pump-house"))
    pump.install(answered(pump.request()))
    page = sign_in("agent").paste(pump.reinstalled().request())
    before = length(license.license_id)

    words = together(
        page,
        page.form(reverse("admin:desk_confirm")),
        {"park": ""},
        {"book": "", "choice": "second", "reason": "They run two."},
    )

    assert sum(OTHER in one for one in words) == 1, words
    assert not [one for one in words if "booked already" in one]
    assert [entry[2] for entry in entries(license.license_id, after=before)] in (
        ["request.received", "request.pending"],
        ["request.received", "activation.created", "usage_license.issued"],
    )
