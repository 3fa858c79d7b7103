"""The reply texts' pages: every version to read, for license managers to change with a preview."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from activations.domain.letters import LETTERS, ReplyKind
from activations.models import ReplyText
from activations.services.replies import TextChanged, change_text, text_in_use
from tests.portal.cast import MANAGER, SOURCE, entries, length
from tests.portal.web import Browser

SignIn = Callable[[str], Browser]
PORTAL = "portal"


def change(body: str, kind: str = "refused") -> None:
    shown = text_in_use(ReplyKind(kind)).version
    made = change_text(kind=kind, body=body, shown=shown, actor=MANAGER, source=SOURCE, reason="Shorter.")
    assert isinstance(made, TextChanged), made


def text_page(kind: str, **query: str) -> str:
    address = reverse("admin:reply_text", args=[kind])
    return address + ("?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else "")


def test_the_list_of_texts_names_every_reply(sign_in: SignIn) -> None:
    change("No. {customer_sentence}")
    page = sign_in("agent").get(reverse("admin:activations_replytext_changelist"))
    for kind, letter in LETTERS.items():
        assert f'href="{text_page(kind)}"' in page.html
        assert letter.title in page.words
    assert "version 1" in page.words
    assert "as shipped" in page.words


def test_the_list_and_a_text_take_as_many_queries_for_many_versions(sign_in: SignIn) -> None:
    browser = sign_in("manager")

    def count(address: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(address).status == 200
        return len(queries)

    pages = [reverse("admin:activations_replytext_changelist"), text_page("refused")]
    change("No. {customer_sentence}")
    few = [count(page) for page in pages]
    for number in range(5):
        change(f"No {number}. {{customer_sentence}}")
    assert [count(page) for page in pages] == few


def test_a_manager_previews_and_saves_a_text(sign_in: SignIn) -> None:
    manager = sign_in("manager")
    page = manager.get(text_page("refused"))
    form = page.form(text_page("refused"))
    assert form.fields["body"] == LETTERS[ReplyKind.REFUSED].shipped
    before = length(PORTAL)
    body = "Sorry, {customer_sentence}\r\n{license_id}"
    page = page.send(form, body=body, reason="Kinder.", preview="")
    assert "Sorry, License LIC-CNW6-2VBG-DHJJ-TTB4-5 is suspended" in page.block("preview")
    assert "- Hello," in page.words
    assert "+ Sorry, {customer_sentence}" in page.words
    assert length(PORTAL) == before
    form = page.form(text_page("refused"))
    assert (form.fields["body"], form.fields["reason"]) == (body, "Kinder.")
    page = page.send(form, save="")
    assert page.redirects == [text_page("refused")]
    assert "Version 1 is in use from now on." in page.words
    assert entries(PORTAL, after=before) == [(before + 1, "manager", "reply_text.changed", "Kinder.")]
    assert ReplyText.objects.get().body == "Sorry, {customer_sentence}\n{license_id}\n"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("Hello", "{block} is missing"),
        ("{block}\n{licence_id}", "{licence_id} is no placeholder of this text."),
        ("{block}\n\u202eevil", "U+202E (RIGHT-TO-LEFT OVERRIDE)"),
        ("{block}\n" + "x" * 5000, "at most 4000 are possible"),
        ("", "The text is empty."),
    ],
)
def test_an_unfit_text_is_named_and_stays_in_the_form(body: str, words: str, sign_in: SignIn) -> None:
    manager = sign_in("manager")
    page = manager.get(text_page("issued"))
    form = page.form(text_page("issued"))
    for button in ("preview", "save"):
        answer = page.send(form, body=body, reason="Because.", **{button: ""})
        assert words in answer.words
        assert 'role="alert"' in answer.html
        assert answer.form(text_page("issued")).fields["body"] == body
    assert not ReplyText.objects.exists()


def test_saving_without_a_reason_or_a_change_is_named(sign_in: SignIn) -> None:
    manager = sign_in("manager")
    page = manager.get(text_page("refused"))
    form = page.form(text_page("refused"))
    assert "Say why, in a sentence" in page.send(form, body="{customer_sentence}", save="").words
    assert "in use already, version 0" in page.send(form, reason="Because.", save="").words
    assert not ReplyText.objects.exists()


def test_of_two_managers_the_second_sees_the_difference_before_taking_over(sign_in: SignIn) -> None:
    manager = sign_in("manager")
    page = manager.get(text_page("refused"))
    change("First: {customer_sentence}")
    page = page.send(page.form(text_page("refused")), body="Second: {customer_sentence}", reason="Mine.", save="")
    assert "Version 1 was saved while you wrote, so yours was not." in page.words
    assert "- First: {customer_sentence}" in page.words
    assert "+ Second: {customer_sentence}" in page.words
    page = page.send(page.form(text_page("refused")), save="")
    assert "Version 2 is in use from now on." in page.words


def test_an_earlier_version_is_used_again_as_a_new_one(sign_in: SignIn) -> None:
    change("First: {customer_sentence}")
    change("Second: {customer_sentence}")
    manager = sign_in("manager")
    page = manager.get(text_page("refused"))
    assert f'href="{text_page("refused")}?from=1"' in page.html
    assert "- First: {customer_sentence} + Second: {customer_sentence}" in page.words
    before = length(PORTAL)
    page = manager.get(text_page("refused", **{"from": "1"}))
    assert length(PORTAL) == before
    assert "This is version 1. Save it to use it again: it becomes version 3." in page.words
    page = page.send(page.form(text_page("refused")), save="")
    assert entries(PORTAL, after=before)[0][2:] == ("reply_text.changed", "Version 1 is used again.")
    assert text_in_use(ReplyKind.REFUSED).body == "First: {customer_sentence}\n"
    assert manager.get(text_page("refused", **{"from": "0"})).form(text_page("refused")).fields["body"] == (
        LETTERS[ReplyKind.REFUSED].shipped
    )


@pytest.mark.parametrize("wanted", ["99", "-1", "x", "", "9" * 30, "\u0663"])
def test_a_version_that_is_not_there_leaves_the_text_in_use(wanted: str, sign_in: SignIn) -> None:
    page = sign_in("manager").get(text_page("refused", **{"from": wanted}))
    assert page.status == 200
    assert page.form(text_page("refused")).fields["body"] == LETTERS[ReplyKind.REFUSED].shipped


def test_others_read_the_texts_and_are_told_who_changes_them(sign_in: SignIn) -> None:
    manager_form = sign_in("manager").get(text_page("refused")).form(text_page("refused"))
    for username in ("agent", "lead", "auditor", "administrator"):
        browser = sign_in(username)
        page = browser.get(text_page("refused"))
        assert "Your role cannot change reply texts. Ask a license manager." in page.words
        assert not [form for form in page.forms if form.action == text_page("refused")]
        csrf = page.form(reverse("admin:logout")).fields
        sent = {**manager_form.fields, **csrf, "body": "{customer_sentence}", "reason": "x", "save": ""}
        assert "Ask a license manager." in browser.post(text_page("refused"), sent).words
    assert not ReplyText.objects.exists()


def test_a_reply_that_does_not_exist_has_no_text(sign_in: SignIn) -> None:
    assert sign_in("manager").get(text_page("farewell")).status == 404


def test_a_row_of_the_texts_leads_to_its_page(sign_in: SignIn) -> None:
    change("No. {customer_sentence}")
    address = reverse("admin:activations_replytext_change", args=[ReplyText.objects.get().pk])
    assert sign_in("auditor").get(address).path == text_page("refused")
