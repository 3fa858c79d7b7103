"""Replies to customers: written from the text in use, kept with what they answer, and their texts' versions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from activations.domain.decisions import Chosen
from activations.domain.words import Choice, LicenseStatus, RestorationState
from activations.models import Activation, Reply, Restoration, UsageLicense, UsageRequest
from activations.services import replies
from activations.services.booking import Book
from activations.services.deactivate import Deactivated, deactivate_activation
from activations.services.issue import Submission, submit_usage_request
from activations.services.licenses import LicenseChange, LicenseCreated, change_license
from activations.services.losses import mark_lost, request_restoration
from activations.services.post import answers
from activations.services.replies import TextChanged, change_text
from activations.services.results import BadInput, Refused
from tests.portal.cast import (
    AGENT,
    AUDITOR,
    LEAD,
    MANAGER,
    SOURCE,
    answered,
    entries,
    issue,
    length,
    license_row,
    make_license,
)
from tests.portal.chariot import Chariot, host


@pytest.fixture
def pump(license: LicenseCreated) -> Chariot:
    return Chariot(license.license_key, host("pump-house"))


def send(text: str, *, expect: str | None = None) -> Submission:
    """Books as the desk does: with the reply."""
    result = submit_usage_request(source=text, actor=AGENT, origin=SOURCE, expect=expect, reply=True)
    assert isinstance(result, Submission), result
    return result


def change(
    body: str, *, kind: str = "refused", shown: int = 0, reason: str = "Shorter."
) -> TextChanged | Refused | BadInput:
    return change_text(kind=kind, body=body, shown=shown, actor=MANAGER, source=SOURCE, reason=reason)


# --- with the booking they answer ---------------------------------------------------------------------------


def test_the_reply_to_an_issued_request_is_kept_with_the_booking(license: LicenseCreated, pump: Chariot) -> None:
    before = length(license.license_id)
    result = send(pump.request())
    assert [entry[2] for entry in entries(license.license_id, after=before)] == [
        "request.received",
        "activation.created",
        "usage_license.issued",
    ]
    kept, answer = Reply.objects.get(), UsageLicense.objects.get()
    assert result.reply == kept.body
    assert (kept.kind, kept.text_version, kept.written_by) == ("issued", 0, "agent")
    assert kept.written_at == answer.issued_at
    assert kept.license == license_row(license.license_id)
    assert kept.request == answer.request
    assert kept.activation == answer.activation
    assert kept.restoration is None
    assert answer.text.strip() in kept.body
    assert f"License ID: {license.license_id}\nHost: pump-house\nUsage License: {answer.usage_license_id}" in kept.body
    assert pump.install(kept.body).license_id == license.license_id


def test_the_dry_run_shows_the_reply_but_for_what_is_made_later(license: LicenseCreated, pump: Chariot) -> None:
    text = pump.request()
    shown = issue(text, dry_run=True)
    draft = replies.dry_run_of_request(
        shown.decision, license_id=license.license_id, request_id=shown.request_id, host="pump-house"
    )
    assert not Reply.objects.exists()
    assert "\n[the Usage License: made when you confirm]\n" in draft.body
    reply, answer = send(text).reply, UsageLicense.objects.get()
    assert reply is not None
    lines = answer.text.strip().splitlines()
    expected = (
        draft.body.replace("[first line of the Usage License]", lines[0])
        .replace("[last line of the Usage License]", lines[-1])
        .replace("[the Usage License: made when you confirm]", answer.text.strip())
        .replace("[its id: made when you confirm]", answer.usage_license_id)
    )
    assert reply == expected


def test_the_dry_run_of_an_answer_that_is_stored_does_not_give_it_away(license: LicenseCreated, pump: Chariot) -> None:
    text = pump.request()
    answered(text)
    answer = UsageLicense.objects.get()
    shown = issue(text, dry_run=True)
    draft = replies.dry_run_of_request(
        shown.decision, license_id=license.license_id, request_id=shown.request_id, host="pump-house"
    )
    assert answer.text.splitlines()[1] not in draft.body
    assert f"[the Usage License {answer.usage_license_id}: here when you confirm]" in draft.body
    assert f"Usage License: {answer.usage_license_id}" in draft.body
    assert send(text).reply == draft.body.replace(
        f"[the Usage License {answer.usage_license_id}: here when you confirm]", answer.text.strip()
    )
    assert Reply.objects.get().kind == "re-sent"


def test_refused_waiting_and_declined_ones_are_kept_too(license: LicenseCreated, pump: Chariot) -> None:
    send(pump.request())
    waiting = send(pump.reinstalled().request())
    assert waiting.reply == Reply.objects.get(kind="pending").body
    declined = submit_usage_request(
        source=UsageRequest.objects.get(state="pending").text,
        actor=AGENT,
        origin=SOURCE,
        chosen=Chosen(frozenset({Choice.REFUSE})),
        reason="The customer called: a mistake.",
        reply=True,
    )
    assert isinstance(declined, Submission)
    assert declined.reply == Reply.objects.get(kind="refused").body
    assert "a mistake" not in declined.reply, "the reason is for colleagues"
    suspended = LicenseChange(status=LicenseStatus.SUSPENDED)
    change_license(license_id=license.license_id, change=suspended, actor=MANAGER, source=SOURCE, reason="unpaid")
    refused = send(pump.request())
    assert "is suspended at the moment" in (refused.reply or "")
    assert list(Reply.objects.order_by("id").values_list("kind", flat=True)) == [
        "issued",
        "pending",
        "refused",
        "refused",
    ]


def test_an_update_is_another_reply_than_a_new_activation(license: LicenseCreated, pump: Chariot) -> None:
    pump.install(send(pump.request()).usage_license or "")
    pump.install(send(pump.request()).reply or "")
    assert [reply.kind for reply in Reply.objects.order_by("id")] == ["issued", "updated"]


def test_what_books_nothing_keeps_nothing(license: LicenseCreated, pump: Chariot) -> None:
    text = pump.request()
    submit_usage_request(source=text, actor=AGENT, origin=SOURCE, dry_run=True, reply=True)
    assert send(text, expect="0" * 64).stale
    submit_usage_request(source=text, actor=AUDITOR, origin=SOURCE, reply=True)
    submit_usage_request(source="no request", actor=AGENT, origin=SOURCE, reply=True)
    assert not Reply.objects.exists()


def test_a_reply_that_cannot_be_kept_takes_the_booking_with_it(
    license: LicenseCreated, pump: Chariot, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = length(license.license_id)

    def full(**row: object) -> Reply:
        raise DatabaseError("disk full")

    monkeypatch.setattr(Reply.objects, "create", full)
    with pytest.raises(DatabaseError):
        send(pump.request())
    assert length(license.license_id) == before
    assert not Activation.objects.exists()


def test_the_commands_keep_no_reply(license: LicenseCreated, pump: Chariot) -> None:
    result = issue(pump.request())
    assert result.booked
    assert result.reply is None
    assert not Reply.objects.exists()


def test_a_deactivation_is_confirmed_once_and_without_its_code(license: LicenseCreated, pump: Chariot) -> None:
    answered(pump.request())
    code = pump.deactivate()

    def deactivate() -> Deactivated:
        result = deactivate_activation(license_id=license.license_id, code=code, actor=AGENT, source=SOURCE, reply=True)
        assert isinstance(result, Deactivated)
        return result

    before = length(license.license_id)
    result = deactivate()
    assert [entry[2] for entry in entries(license.license_id, after=before)] == ["activation.deactivated"]
    kept = Reply.objects.get()
    assert result.reply == kept.body
    assert (kept.kind, kept.activation) == ("deactivated", Activation.objects.get())
    assert "its seat is free for another Chariot" in kept.body
    assert code not in kept.body
    assert deactivate().reply is None
    assert Reply.objects.count() == 1


def test_a_verdict_is_kept_with_the_case(license: LicenseCreated, pump: Chariot) -> None:
    answered(pump.request())
    lost = Activation.objects.get().activation_id
    mark_lost(activation_id=lost, actor=AGENT, source=SOURCE, reason="fire")
    request_restoration(activation_id=lost, actor=AGENT, source=SOURCE, reason="fire")
    case = Restoration.objects.select_related("activation__license").get()
    assert isinstance(change("No, for {reason}", kind="denied"), TextChanged)
    reason = f"They sent {license.license_key} and {pump.deactivate()}."
    with transaction.atomic(), Book(chain=license.license_id, actor=LEAD, source=SOURCE, reason=reason) as book:
        denied = replies.keep_verdict(case, replies.text_of_verdict(RestorationState.DENIED), book).body
        restored = replies.keep_verdict(case, replies.text_of_verdict(RestorationState.APPROVED), book).body
    assert denied == "No, for They sent [License Key] and [deactivation code].\n"
    assert "what you wrote to us about pump-house" in restored
    assert [(one.kind, one.text_version, one.restoration) for one in Reply.objects.order_by("id")] == [
        ("denied", 1, case),
        ("restored", 0, case),
    ]


# --- drafts -------------------------------------------------------------------------------------------------


def test_a_draft_is_kept_when_its_sender_says_so(license: LicenseCreated) -> None:
    draft = replies.not_accepted("license-key-replaced", license.license_id)
    assert not Reply.objects.exists()
    earliest = timezone.now() - timedelta(seconds=1)
    kept = answers.keep_sent(draft=draft, actor=AGENT)
    assert isinstance(kept, Reply)
    assert (kept.kind, kept.body, kept.license) == ("not-accepted", draft.body, license_row(license.license_id))
    assert kept.written_at > earliest
    refused = answers.keep_sent(draft=draft, actor=AUDITOR)
    assert isinstance(refused, Refused)
    assert refused.code == "not-allowed"
    assert Reply.objects.count() == 1


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("license-key-unknown", "We do not know the License Key"),
        ("license-key-replaced", "Please use the new License Key."),
        ("license-proof-wrong", "was changed on its way to us"),
        ("several-requests", "several different Usage Requests"),
        ("request-id-repeated", "with the same number reached us before"),
        ("license-unfit", "You need not send it again"),
        ("no-block", "We could not read the Usage Request you sent."),
    ],
)
def test_what_is_not_accepted_says_why(db: None, code: str, words: str) -> None:
    body = replies.not_accepted(code).body
    assert words in body
    assert body.startswith("Hello,\n\n")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([3], "damaged: line 3 cannot be read. Please send us line 3 once more"),
        ([3, 7, 9], "damaged: lines 3, 7 and 9 cannot be read. Please send us lines 3, 7 and 9 once more"),
        ([], "damaged, and parts of it are missing. Please send us the whole Usage Request once more"),
    ],
)
def test_damaged_lines_are_asked_for_by_number(db: None, lines: list[int], words: str) -> None:
    assert words in replies.damaged(lines).body


def test_new_requests_are_asked_for_by_host(license: LicenseCreated) -> None:
    draft = replies.new_request(license.license_id, ["pump-house", "filter-hall"])
    assert "It takes no activation.\n\n- pump-house\n- filter-hall\n\n" in draft.body
    assert "- every Chariot of this license" in replies.new_request(license.license_id, []).body
    kept = answers.keep_sent(draft=draft, actor=MANAGER)
    assert isinstance(kept, Reply)
    assert (kept.kind, kept.license) == ("new-request", license_row(license.license_id))


def test_a_host_called_like_a_placeholder_stays_text(license: LicenseCreated) -> None:
    chariot = Chariot(license.license_key, host("{block}"))
    reply = send(chariot.request()).reply or ""
    assert "Host: {block}\n" in reply
    assert reply.count(UsageLicense.objects.get().text.strip()) == 1
    assert chariot.install(reply)


def test_two_licenses_keep_their_replies_apart(license: LicenseCreated, pump: Chariot) -> None:
    other = make_license(customer="Northern Paper Mill")
    send(pump.request())
    send(Chariot(other.license_key, host("mill")).request())
    assert [reply.license.license_id for reply in Reply.objects.order_by("id")] == [  # type: ignore[union-attr]
        license.license_id,
        other.license_id,
    ]
