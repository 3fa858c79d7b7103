"""The texts that replies are written from: each change a version, booked, and fit for use."""

from __future__ import annotations

import hashlib
import json

import pytest
from django.db import DatabaseError, transaction

from activations.domain.letters import LETTERS, LONGEST, ReplyKind
from activations.models import LedgerEntry, Reply, ReplyText
from activations.services import replies
from activations.services.issue import Submission, submit_usage_request
from activations.services.ledger_checks import verify_ledger
from activations.services.licenses import LicenseCreated
from activations.services.replies import TextChanged, change_text, text_in_use
from activations.services.results import BadInput, Refused
from tests.portal.cast import (
    AGENT,
    EVERYONE,
    MANAGER,
    SOURCE,
    entries,
    length,
)
from tests.portal.chariot import Chariot, host

PORTAL = "portal"


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


def test_a_new_version_is_booked_and_counts_from_then_on(license: LicenseCreated) -> None:
    before = length(PORTAL)
    assert text_in_use(ReplyKind.REFUSED).version == 0
    body = "No.\r\n{customer_sentence}  \r\n"
    assert change(body) == TextChanged(ReplyKind.REFUSED, 1)
    stored = "No.\n{customer_sentence}\n"
    assert entries(PORTAL, after=before) == [(before + 1, "manager", "reply_text.changed", "Shorter.")]
    said = json.loads(LedgerEntry.objects.get(chain=PORTAL, seq=before + 1).body)["data"]
    assert said == {"kind": "refused", "version": 1, "sha256": hashlib.sha256(stored.encode()).hexdigest()}
    row = ReplyText.objects.get()
    assert (row.kind, row.version, row.body, row.reason, row.written_by) == (
        "refused",
        1,
        stored,
        "Shorter.",
        "manager",
    )
    assert text_in_use(ReplyKind.REFUSED) == replies.Text(ReplyKind.REFUSED, 1, stored)
    assert text_in_use(ReplyKind.PENDING).version == 0
    assert change("Never. {customer_sentence}", shown=1) == TextChanged(ReplyKind.REFUSED, 2)
    assert not list(verify_ledger().problems)


def test_a_reply_says_which_version_it_was_written_from(license: LicenseCreated, pump: Chariot) -> None:
    change("Look:\n{block}\nOf {host}.", kind="issued")
    reply = send(pump.request()).reply or ""
    assert reply.startswith("Look:\nCHARIOT USAGE LICENSE BEGIN")
    assert reply.endswith("Of pump-house.\n")
    assert Reply.objects.get().text_version == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "text-empty"),
        ("{customer_sentence}" + "x" * LONGEST, "text-too-long"),
        ("{customer_sentence} {block}", "placeholder-unknown"),
        ("Sorry.", "placeholder-missing"),
        ("{customer_sentence} {", "brace-stray"),
        ("{customer_sentence}\u202e", "text-unfit"),
        ("{customer_sentence}\u200b", "text-unfit"),
        ("{customer_sentence}\x00", "text-unfit"),
    ],
)
def test_an_unfit_text_is_refused(db: None, body: str, code: str) -> None:
    before = length(PORTAL)
    result = change(body)
    assert isinstance(result, BadInput)
    assert result.code == code
    assert not ReplyText.objects.exists()
    assert length(PORTAL) == before


def test_no_secret_gets_into_a_text(license: LicenseCreated, pump: Chariot) -> None:
    for secret in (license.license_key, pump.deactivate()):
        result = change(f"{{customer_sentence}} Use {secret}")
        assert isinstance(result, BadInput)
        assert result.code == "text-holds-secret"
        assert secret not in result.message


def test_who_may_change_a_text(db: None) -> None:
    for actor in EVERYONE:
        result = change_text(
            kind="refused", body="{customer_sentence}", shown=0, actor=actor, source=SOURCE, reason="Shorter."
        )
        assert isinstance(result, TextChanged) == (actor == MANAGER), actor
        if isinstance(result, Refused):
            assert result.message.endswith("Ask a license manager.")


def test_a_change_needs_a_reason_a_kind_and_a_difference(db: None) -> None:
    codes = [
        change("{customer_sentence}", reason=" "),
        change("{customer_sentence}", kind="farewell"),
        change(LETTERS[ReplyKind.REFUSED].shipped),
    ]
    assert [problem.code for problem in codes] == ["reason-missing", "reply-unknown", "text-unchanged"]  # type: ignore[union-attr]
    assert not ReplyText.objects.exists()


def test_of_two_managers_who_write_at_once_the_second_is_told(db: None) -> None:
    assert isinstance(change("One: {customer_sentence}"), TextChanged)
    second = change("Two: {customer_sentence}")
    assert isinstance(second, Refused)
    assert (second.code, second.detail) == ("text-changed-since", {"version": 1})
    assert ReplyText.objects.count() == 1


def test_an_earlier_text_used_again_is_a_new_version(db: None) -> None:
    change("One: {customer_sentence}")
    assert change(LETTERS[ReplyKind.REFUSED].shipped, shown=1) == TextChanged(ReplyKind.REFUSED, 2)
    assert text_in_use(ReplyKind.REFUSED).body == LETTERS[ReplyKind.REFUSED].shipped


def test_replies_and_texts_are_never_changed(license: LicenseCreated, pump: Chariot) -> None:
    send(pump.request())
    change("One: {customer_sentence}")
    for row in (Reply.objects.all(), ReplyText.objects.all()):
        with pytest.raises(DatabaseError), transaction.atomic():
            row.update(body="other")
        with pytest.raises(DatabaseError), transaction.atomic():
            row.delete()


@pytest.mark.parametrize("kind", list(ReplyKind))
def test_a_preview_fills_every_placeholder_with_an_example(kind: ReplyKind) -> None:
    body = " ".join(f"{name}: {{{name}}}" for name in LETTERS[kind].allowed if name != "block")
    shown = replies.preview(kind, body)
    assert "{" not in shown
    assert all(f"{name}: " in shown for name in LETTERS[kind].allowed if name != "block")
