"""Replies on the desk: what the dry run shows is what goes out and is kept; the texts, and who changes them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core import signing
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from activations.admin.replies import SALT
from activations.domain.letters import ReplyKind
from activations.models import Activation, Reply, UsageLicense, UsageRequest
from activations.services.licenses import LicenseCreated, replace_license_key
from activations.services.replies import TextChanged, change_text, text_in_use
from tests.portal.cast import MANAGER, SOURCE, answered, entries, issue, length, license_row, make_license
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser, Form, Page

SignIn = Callable[[str], Browser]
KEEP = "/admin/desk/keep-reply/"


@pytest.fixture
def pump(license: LicenseCreated) -> Chariot:
    return Chariot(license.license_key, host("pump-house"))


def reply_page(reply: Reply) -> str:
    return reverse("admin:activations_reply_change", args=[reply.pk])


def change(body: str, kind: str = "refused") -> None:
    shown = text_in_use(ReplyKind(kind)).version
    made = change_text(kind=kind, body=body, shown=shown, actor=MANAGER, source=SOURCE, reason="Shorter.")
    assert isinstance(made, TextChanged), made


def keep_form(page: Page) -> Form:
    return page.form(KEEP)


# --- the dry run and what goes out --------------------------------------------------------------------------


def test_the_dry_run_shows_the_whole_reply_with_the_place_of_the_usage_license(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    agent = sign_in("agent")
    page = agent.paste(pump.request())
    draft = page.block("draft")
    assert "Here is the Usage License for your Chariot." in draft
    assert "\n[the Usage License: made when you confirm]\n" in draft
    assert f"License ID: {license.license_id}\nHost: pump-house" in draft
    assert 'data-copy="draft"' not in page.html, "half a reply is not copied"
    assert not [form for form in page.forms if form.action == KEEP]
    assert not Reply.objects.exists()
    sent = agent.confirm(page).block("reply")
    answer = UsageLicense.objects.get()
    assert draft.split("[the Usage License: made")[0].split("To install")[0] == sent.split("To install")[0]
    assert answer.text.strip() in sent
    assert sent == Reply.objects.get().body


def test_the_reply_to_a_refusal_is_shown_whole_and_goes_out_as_shown(license: LicenseCreated, sign_in: SignIn) -> None:
    for name in ("pump-house", "filter-hall"):
        answered(Chariot(license.license_key, host(name)).request())
    agent = sign_in("agent")
    page = agent.paste(Chariot(license.license_key, host("new-line")).request())
    draft = page.block("draft")
    assert 'data-copy="draft"' in page.html
    assert agent.confirm(page).block("reply") == draft
    kept = Reply.objects.get()
    assert (kept.kind, kept.body, kept.written_by) == ("refused", draft, "agent")
    assert kept.request == UsageRequest.objects.get(hostname="new-line")


def test_each_choice_shows_the_reply_it_leads_to(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    answered(pump.request())
    agent = sign_in("agent")
    page = agent.paste(pump.reinstalled().request())
    assert "Please tell us whether Chariot was installed again there" in page.block("draft")
    assert "Here is the Usage License for your reinstalled Chariot." in page.words
    assert "Here is the Usage License for your second Chariot on this host." in page.words
    reply = agent.confirm(page, choice="second").block("reply")
    assert "Here is the Usage License for your second Chariot on this host." in reply


def test_a_refusal_by_a_person_shows_its_reply_and_keeps_the_reason_to_colleagues(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    agent = sign_in("agent")
    page = agent.paste(pump.request())
    shown = page.block("refusal-reply")
    assert "We could not accept this Usage Request." in shown
    (form,) = [form for form in page.forms if form.fields.get("choice") == "refuse"]
    assert page.send(form, reason="Their contract ended.").block("reply") == shown == Reply.objects.get().body
    assert "contract" not in shown


def test_the_dry_run_says_each_thing_once(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    page = agent.paste(pump.request())
    assert "New activation Takes a seat; free afterwards: 1 of 2." in page.words
    agent.confirm(page)
    answered(Chariot(license.license_key, host("filter-hall")).request())
    page = agent.paste(Chariot(license.license_key, host("new-line")).request())
    assert "No seat is free The license allows 2. Active:" in page.words


def test_the_reply_can_be_downloaded_by_who_booked_it(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    page = agent.confirm(agent.paste(pump.request()))
    address = reverse("admin:desk_download_reply", args=[UsageRequest.objects.get().request_id])
    assert f'href="{address}"' in page.html
    file = agent.get(address)
    assert file.html == page.block("reply")
    assert file.headers["Content-Disposition"].startswith('attachment; filename="reply-')
    assert "dry run, nothing is booked yet" in sign_in("lead").get(address).words


def test_two_clicks_keep_one_reply(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    shown = agent.paste(pump.request())
    agent.confirm(shown)
    agent.confirm(shown)
    for name in ("filter-hall", "new-line"):
        shown = agent.paste(Chariot(license.license_key, host(name)).request())
        agent.confirm(shown)
        agent.confirm(shown)
    assert [reply.kind for reply in Reply.objects.order_by("id")] == ["issued", "issued", "refused"]


def test_two_clicks_send_a_stored_answer_again_once(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    text = pump.request()
    answered(text)
    before = length(license.license_id)
    agent = sign_in("agent")
    shown = agent.paste(text)
    first, second = agent.confirm(shown), agent.confirm(shown)
    assert second.block("reply") == first.block("reply")
    assert "Nothing was booked twice" in second.words
    assert [entry[2] for entry in entries(license.license_id, after=before)] == ["usage_license.resent"]
    assert Reply.objects.count() == 1
    agent.confirm(agent.paste(text))
    assert Reply.objects.count() == 2


def test_when_the_text_was_changed_the_new_reply_is_shown_first(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    agent = sign_in("agent")
    shown = agent.paste(pump.request())
    before = length(license.license_id)
    change("Welcome!\n{block}\n", "issued")
    page = agent.confirm(shown)
    assert "The text of this reply was changed since you looked, so nothing was booked." in page.words
    assert page.block("draft").startswith("Welcome!")
    assert length(license.license_id) == before
    assert agent.confirm(page).block("reply").startswith("Welcome!\nCHARIOT USAGE LICENSE BEGIN")
    assert Reply.objects.get().text_version == 1


def test_a_host_called_like_a_placeholder_stays_text(license: LicenseCreated, sign_in: SignIn) -> None:
    chariot = Chariot(license.license_key, host("{block}<b>"))
    agent = sign_in("agent")
    page = agent.paste(chariot.request())
    assert "Host: {block}<b>\n" in page.block("draft")
    assert "Host: {block}<b>\n" in agent.confirm(page).block("reply")


def test_the_reply_to_a_deactivation_is_shown_and_kept(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    answered(pump.request())
    code = pump.deactivate()
    agent = sign_in("agent")
    page = agent.paste(f"{license.license_id} {code}")
    draft = page.block("draft-1")
    assert "its seat is free for another Chariot" in draft
    form = page.form(reverse("admin:desk_deactivate"))
    done = page.send(form)
    kept = Reply.objects.get()
    assert done.block("reply") == draft == kept.body
    assert (kept.kind, kept.activation) == ("deactivated", Activation.objects.get())
    assert code not in kept.body
    page.send(form)
    assert Reply.objects.count() == 1


def test_a_changed_deactivation_text_is_shown_first(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    answered(pump.request())
    agent = sign_in("agent")
    page = agent.paste(f"{license.license_id} {pump.deactivate()}")
    before = length(license.license_id)
    change("Thanks. {customer_sentence}", "deactivated")
    again = page.send(page.form(reverse("admin:desk_deactivate")))
    assert "The text of this reply was changed since you looked, so nothing was booked." in again.words
    assert length(license.license_id) == before
    assert again.block("draft-1").startswith("Thanks.")


# --- drafts -------------------------------------------------------------------------------------------------


def test_a_code_given_again_has_a_draft_that_can_be_kept(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    answered(pump.request())
    text = f"{license.license_id} {pump.deactivate()}"
    agent, lead = sign_in("agent"), sign_in("lead")
    page = agent.paste(text)
    page.send(page.form(reverse("admin:desk_deactivate")))
    page = lead.paste(text)
    done = page.send(page.form(reverse("admin:desk_deactivate")))
    assert "We have recorded the deactivation." in done.block("reply")
    assert Reply.objects.count() == 1
    kept = done.send(keep_form(done))
    assert "The reply is kept as sent." in kept.words
    assert Reply.objects.latest("id").written_by == "lead"


@pytest.fixture
def damaged(pump: Chariot) -> str:
    lines = pump.request().splitlines()
    return "\n".join([*lines[:3], *lines[6:]])


def test_a_draft_that_books_nothing_is_kept_when_it_is_sent(
    license: LicenseCreated, damaged: str, sign_in: SignIn
) -> None:
    agent = sign_in("agent")
    page = agent.paste(damaged)
    draft = page.block("draft")
    assert "Please send us lines 3, 4 and 5 once more" in draft
    assert not Reply.objects.exists()
    done = page.send(keep_form(page))
    kept = Reply.objects.get()
    assert (kept.kind, kept.body, kept.written_by, kept.license) == ("damaged", draft, "agent", None)
    assert done.path == reply_page(kept)
    assert done.block("kept-reply") == draft
    again = page.send(keep_form(page))
    assert "kept already" in again.words
    assert again.path == reply_page(kept)
    assert Reply.objects.count() == 1


def test_the_reply_about_a_replaced_key_belongs_to_its_license(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    text = pump.request()
    replace_license_key(license_id=license.license_id, actor=MANAGER, source=SOURCE, reason="leaked")
    page = sign_in("agent").paste(text)
    page.send(keep_form(page))
    kept = Reply.objects.get()
    assert (kept.kind, kept.license) == ("not-accepted", license_row(license.license_id))
    assert "Please use the new License Key." in kept.body


def test_the_reply_to_a_request_that_waits_can_be_sent_once_more(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    answered(pump.request())
    agent = sign_in("agent")
    page = agent.paste(pump.reinstalled().request())
    assert not [form for form in page.forms if form.action == KEEP]
    agent.confirm(page, button="park")
    waiting = UsageRequest.objects.get(state="pending")
    page = agent.get(reverse("admin:desk_request", args=[waiting.request_id]))
    page.send(keep_form(page))
    assert [(reply.kind, reply.request) for reply in Reply.objects.all()] == [("pending", waiting)] * 2


def test_a_draft_of_someone_else_or_tampered_with_is_not_kept(
    license: LicenseCreated, damaged: str, sign_in: SignIn
) -> None:
    agent, lead = sign_in("agent"), sign_in("lead")
    form = keep_form(agent.paste(damaged))
    for browser, draft in ((lead, form.fields["draft"]), (agent, form.fields["draft"][:-2] + "xx"), (agent, "")):
        own = keep_form(browser.paste(damaged))
        page = browser.post(KEEP, {**own.fields, "draft": draft})
        assert "The form did not arrive whole, so nothing was kept." in page.words
    forged = signing.dumps({"draft": {}, "by": "agent", "token": "x"}, salt=SALT, key="another key")
    assert "nothing was kept" in agent.post(KEEP, {**form.fields, "draft": forged}).words
    assert not Reply.objects.exists()


def test_who_may_keep_a_draft(license: LicenseCreated, damaged: str, sign_in: SignIn) -> None:
    for username in ("auditor", "administrator"):
        browser = sign_in(username)
        form = browser.get(reverse("admin:index")).form(reverse("admin:logout"))
        assert browser.post(KEEP, form.fields).status == 403


def test_keeping_is_never_done_by_a_link(damaged: str, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    form = keep_form(agent.paste(damaged))
    assert agent.client.get(KEEP, form.fields).status_code in (302, 405)
    assert not Reply.objects.exists()


# --- the list of replies ------------------------------------------------------------------------------------


def test_replies_are_found_by_license_and_kind_and_read_by_everyone(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    other = make_license(customer="Northern Paper Mill")
    agent = sign_in("agent")
    agent.confirm(agent.paste(pump.request()))
    agent.confirm(agent.paste(Chariot(other.license_key, host("mill")).request()))
    page = agent.paste("\n".join(pump.request().splitlines()[:3]))
    page.send(keep_form(page))
    auditor = sign_in("auditor")
    address = reverse("admin:activations_reply_changelist")

    def found(**query: str) -> int:
        return int(auditor.client.get(address, query).context["cl"].result_count)

    assert found() == 3
    assert found(q=license.license_id.lower()) == 1
    assert found(q="Northern") == 1
    assert found(q="pump-house") == 1
    assert found(kind="issued") == 2
    assert found(kind="damaged") == 1
    listed = auditor.get(address).words
    for words in ("New activation", "Damaged text", "Acme Water", "Northern Paper Mill", "pump-house", "agent"):
        assert words in listed


def test_a_kept_reply_does_not_give_its_usage_license_away(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    agent = sign_in("agent")
    agent.confirm(agent.paste(pump.request()))
    answer, kept = UsageLicense.objects.get(), Reply.objects.get()
    assert answer.text.strip() in kept.body
    page = sign_in("auditor").get(reply_page(kept))
    assert answer.text.splitlines()[1] not in page.html
    assert f"[the Usage License {answer.usage_license_id}; open its Usage Request" in page.block("kept-reply")
    for linked in (kept.license, kept.request, kept.activation):
        assert linked is not None
        name = linked._meta.model_name
        assert f'href="{reverse(f"admin:activations_{name}_change", args=[linked.pk])}"' in page.html


def test_the_list_takes_as_many_queries_for_many_replies(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    agent = sign_in("agent")
    address = reverse("admin:activations_reply_changelist")

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert agent.get(address).status == 200
        return len(queries)

    agent.confirm(agent.paste(pump.request()))
    few = count()
    for number in range(4):
        other = make_license(customer=f"Plant {number}")
        agent.confirm(agent.paste(Chariot(other.license_key, host(f"plant-{number}")).request()))
    assert count() == few <= 10


def test_the_commands_leave_no_reply_in_the_list(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    issue(pump.request())
    assert "0 replies" in sign_in("agent").get(reverse("admin:activations_reply_changelist")).words
