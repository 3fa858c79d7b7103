"""The statement of a license: what it says and leaves out, that it is booked, and fetched again the same."""

from __future__ import annotations

import hashlib
import io
import json
import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest
from chariot_license.protocol.codes import format_public_id
from django.core.management import call_command
from django.utils import timezone

from activations.domain.ledger import Kind
from activations.domain.words import Ability, Choice
from activations.models import Activation, KeyPurpose, LedgerEntry, SigningKey
from activations.services import statements
from activations.services.booking import iso
from activations.services.checkpoints import checkpoint_ledger
from activations.services.ledger_checks import verify_ledger
from activations.services.licenses import LicenseCreated
from activations.services.losses import mark_lost
from activations.services.results import BadInput, Refused
from activations.services.signing import NoSigningKey, rotate_key
from activations.services.statement_words import WORDS
from activations.services.statements import StatementMade, make_statement, statement_file
from tests.portal.cast import (
    ADMINISTRATOR,
    AGENT,
    EVERYONE,
    SOURCE,
    answered,
    entries,
    length,
)
from tests.portal.chariot import Chariot, host
from tests.portal.licensing import change
from tests.portal.stating import done, fetched, made, read, with_history
from tests.portal.verifying import verdict


@pytest.fixture
def told(license: LicenseCreated) -> LicenseCreated:
    return with_history(license)


def test_what_a_statement_says(told: LicenseCreated) -> None:
    before = list(LedgerEntry.objects.filter(chain=told.license_id).order_by("seq"))
    checkpoint = done(checkpoint_ledger(actor=ADMINISTRATOR))
    statement = made(told)
    said = read(fetched(statement)).document

    assert (said["license_id"], said["customer"], said["status"]) == (told.license_id, "Acme Water", "active")
    assert said["terms"] == {
        "revision": 2,
        "features": [{"code": "mqtt-server", "expires": None}],
        "versions": ["2.0", ""],
    }
    assert said["seats"] == {"allowed": 2, "active": 1, "lost": 0, "free": 1}
    rows = list(
        Activation.objects.order_by("created_at").values_list("activation_id", "usage_license__usage_license_id")
    )
    assert [(row["activation_id"], row["usage_license_id"]) for row in said["activations"]] == rows
    assert [(row["host"], row["state"], row["seat"]) for row in said["activations"]] == [
        ("pump-0", "deactivated", None),
        ("pump-1", "restored", None),
        ("weir", "active", 1),
    ]
    assert said["ledger"] == {
        "origin": "licensing.localhost/ledger",
        "length": len(before),
        "head": before[-1].hash,
        "entry_hashes": [entry.hash for entry in before],
        "checkpoint": checkpoint.note,
    }
    assert said["as_of"] == said["made_at"] == iso(statement.made_at)
    whats = [(row["seq"], row["what"]) for row in said["history"]]
    left_out = {Kind.LICENSE_KEY_SHOWN, Kind.TOMBSTONE_PLACED}
    assert [seq for seq, _ in whats] == [entry.seq for entry in before if entry.kind not in left_out]
    assert {entry.kind for entry in before} >= left_out
    assert whats[0] == (1, "License created")
    assert whats[-2:] == [(len(before) - 1, "Activated"), (len(before), "Usage License issued")]
    assert {row["activation_id"] for row in said["history"] if "estoration" in row["what"]} == {rows[1][0]}


def test_nothing_of_staff_or_secret_is_in_it(told: LicenseCreated) -> None:
    text = json.dumps(read(fetched(made(told))).document)
    received = LedgerEntry.objects.filter(kind=Kind.REQUEST_RECEIVED)
    told_by_hosts = [json.loads(row.body)["data"] for row in received]
    digests = [str(data[name]) for data in told_by_hosts for name in ("request_id", "instance", "sha256")]
    assert len(digests) == 9
    for word in ("inner", "agent", "lead", "manager", "fingerprint", "commitment", told.license_key, *digests):
        assert word not in text, word


def test_it_is_booked_and_changes_nothing_else(told: LicenseCreated) -> None:
    count = length(told.license_id)
    statement = made(told)

    assert entries(told.license_id, after=count) == [(count + 1, "agent", "statement.made", "")]
    assert (statement.number, statement.length) == (count + 1, count)
    body = json.loads(LedgerEntry.objects.get(chain=told.license_id, seq=count + 1).body)
    key = SigningKey.objects.get(purpose=KeyPurpose.USAGE_LICENSE, current=True)
    assert body["data"] == {
        "as_of": iso(statement.as_of),
        "length": count,
        "sha256": statement.sha256,
        "checkpoint": None,
        "signing_serial": key.serial,
    }
    assert body["source"] == SOURCE
    assert verify_ledger(rebuild_check=True).problems == ()


def test_fetching_gives_the_same_bytes_and_books_nothing(told: LicenseCreated) -> None:
    statement = made(told)
    count = LedgerEntry.objects.count()
    files = {format: fetched(statement, format) for format in ("json", "pdf")}
    change(told, allowed=5)
    assert {format: fetched(statement, format) for format in ("json", "pdf")} == files
    assert LedgerEntry.objects.count() == count + 1
    assert files["pdf"].count(files["json"]) == 1
    assert hashlib.sha256(json.loads(files["json"])["document"].encode()).hexdigest() == statement.sha256


def test_asked_twice_it_is_made_twice_and_the_second_tells_of_the_first(told: LicenseCreated) -> None:
    first, second = made(told), made(told)
    assert (second.number, second.length) == (first.number + 1, first.length + 1)
    row = read(fetched(second)).document["history"][-1]
    assert (row["seq"], row["what"]) == (first.number, "Statement of this license made")


def test_as_of_an_earlier_moment(told: LicenseCreated) -> None:
    lost = LedgerEntry.objects.get(kind=Kind.ACTIVATION_LOST)
    said = read(fetched(made(told, lost.at))).document
    assert said["ledger"]["head"] == lost.hash
    assert said["seats"] == {"allowed": 2, "active": 1, "lost": 1, "free": 0}
    assert said["history"][-1]["what"] == "Marked as lost; the seat stays taken"
    assert said["terms"]["revision"] == 1


def test_times_that_cannot_be(told: LicenseCreated) -> None:
    first = LedgerEntry.objects.get(chain=told.license_id, seq=1).at
    count = LedgerEntry.objects.count()
    for at, code in (
        (first - timedelta(microseconds=1), "license-not-yet"),
        (timezone.now() + timedelta(1), "time-ahead"),
    ):
        result = make_statement(license_id=told.license_id, actor=AGENT, source=SOURCE, at=at)
        assert isinstance(result, BadInput)
        assert result.code == code
    assert LedgerEntry.objects.count() == count


def test_who_may_and_what_is_no_license_or_statement(told: LicenseCreated) -> None:
    statement, count = made(told), LedgerEntry.objects.count()
    for actor in EVERYONE:
        if actor.may(Ability.MAKE_STATEMENT):
            continue
        for result in (
            make_statement(license_id=told.license_id, actor=actor, source=SOURCE),
            statement_file(license_id=told.license_id, number=statement.number, format="pdf", actor=actor),
        ):
            assert isinstance(result, Refused)
            assert result.code == "not-allowed"
    assert [actor.name for actor in EVERYONE if not actor.may(Ability.MAKE_STATEMENT)] == ["auditor", "administrator"]
    unknown = make_statement(license_id=format_public_id("LIC", bytes(10)), actor=AGENT, source=SOURCE)
    assert isinstance(unknown, BadInput)
    assert unknown.code == "license-unknown"
    for number, format, code in ((1, "pdf", "statement-unknown"), (statement.number, "csv", "format-unknown")):
        result = statement_file(license_id=told.license_id, number=number, format=format, actor=AGENT)
        assert isinstance(result, BadInput)
        assert result.code == code
    assert LedgerEntry.objects.count() == count


def test_without_a_key_nothing_is_booked(told: LicenseCreated) -> None:
    SigningKey.objects.filter(purpose=KeyPurpose.USAGE_LICENSE).update(current=False)
    count = LedgerEntry.objects.count()
    with pytest.raises(NoSigningKey):
        make_statement(license_id=told.license_id, actor=AGENT, source=SOURCE)
    assert LedgerEntry.objects.count() == count


@pytest.mark.parametrize("days", [0, 3])
def test_after_its_key_was_replaced_a_new_one_is_made(told: LicenseCreated, days: int) -> None:
    """The certificate of a key that is made days later begins after the statement."""
    statement = made(told)
    kept, then = fetched(statement), timezone.now() + timedelta(days=days)
    with mock.patch.object(timezone, "now", side_effect=lambda: then):
        replaced(told, statement, kept)


def replaced(told: LicenseCreated, statement: StatementMade, kept: bytes) -> None:
    done(rotate_key(purpose=KeyPurpose.USAGE_LICENSE, name="second key", actor=ADMINISTRATOR, source=SOURCE))
    again = statement_file(license_id=told.license_id, number=statement.number, format="pdf", actor=AGENT)
    assert isinstance(again, Refused)
    assert again.code == "statement-key-replaced"
    assert read(kept).claims.length == statement.length  # what the customer has stays good
    assert read(fetched(made(told))).claims.length == statement.length + 1


def test_words_that_changed_since_are_not_signed_as_the_old_ones(told: LicenseCreated) -> None:
    statement = made(told)
    with mock.patch.dict(WORDS, {Kind.LICENSE_CREATED: ("Bought", WORDS[Kind.LICENSE_CREATED][1])}):  # type: ignore[index]
        again = statement_file(license_id=told.license_id, number=statement.number, format="json", actor=AGENT)
    assert isinstance(again, Refused)
    assert again.code == "statement-differs"


def test_a_history_that_is_too_long_is_refused(told: LicenseCreated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "MOST_ENTRIES", 3)
    result = make_statement(license_id=told.license_id, actor=AGENT, source=SOURCE)
    assert isinstance(result, Refused)
    assert result.code == "statement-too-long"
    assert " entries by then; a statement takes 3. Make one as of a time before " in result.message, result.message


def test_what_a_refused_statement_advises_does_it(
    told: LicenseCreated, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A statement as of an earlier time, and the whole history as an export that the customer verifies."""
    monkeypatch.setattr(statements, "MOST_ENTRIES", 3)
    refused = make_statement(license_id=told.license_id, actor=AGENT, source=SOURCE)
    assert isinstance(refused, Refused)
    found = re.search(r"a time before (\S+Z)\..*`manage\.py (export_ledger [^`]+)`", refused.message)
    assert found is not None, refused.message

    before = datetime.fromisoformat(found[1]) - timedelta(microseconds=1)
    assert 1 <= done(make_statement(license_id=told.license_id, actor=AGENT, source=SOURCE, at=before)).length <= 3
    late = make_statement(license_id=told.license_id, actor=AGENT, source=SOURCE, at=datetime.fromisoformat(found[1]))
    assert isinstance(late, Refused), "one moment later it is too long"

    file = tmp_path / "license.jsonl"
    call_command(*found[2].split(), "--out", str(file), stdout=io.StringIO(), stderr=io.StringIO())
    kept = tmp_path / "kept.txt"
    kept.write_text(json.loads(file.read_text("utf-8").splitlines()[0])["checkpoint"], "utf-8")
    answer = verdict(file, kept)
    assert (answer["verdict"], answer["entries"]) == ("ok", length(told.license_id)), answer


def test_each_kind_of_entry_is_told_or_left_out_on_purpose() -> None:
    assert set(WORDS) == set(Kind)


def test_a_transferred_license_does_not_name_its_earlier_customer(told: LicenseCreated) -> None:
    done(change(told, customer="Beta Mills"))
    text = json.loads(fetched(made(told)))["document"]
    assert json.loads(text)["customer"] == "Beta Mills"
    assert "Acme" not in text
    assert "License transferred to another customer" in text


def test_a_changed_ledger_is_not_signed(told: LicenseCreated) -> None:
    """The entries are read back as the chain has them; what does not follow is not told to a customer."""
    rows = list(LedgerEntry.objects.filter(chain=told.license_id).order_by("seq"))
    rows[3].body = rows[3].body.replace("pump-0", "pump-9") if "pump-0" in rows[3].body else rows[2].body
    bodies = [row.body for row in rows]
    with mock.patch.object(statements, "_bodies", return_value=bodies):
        result = make_statement(license_id=told.license_id, actor=AGENT, source=SOURCE)
    assert isinstance(result, Refused)
    assert result.code == "ledger-unreadable"
    assert "verify_ledger" in result.message


def test_a_found_host_and_a_choice_are_told(license: LicenseCreated) -> None:
    chariot = Chariot(license.license_key, host("pump"))
    chariot.install(answered(chariot.request()))
    done(mark_lost(activation_id=Activation.objects.get().activation_id, actor=AGENT, source=SOURCE, reason="stolen"))
    answered(chariot.request(), Choice.FOUND_AGAIN)
    said = read(fetched(made(license))).document
    assert "Lost activation found again" in [row["what"] for row in said["history"]]
    assert said["seats"] == {"allowed": 2, "active": 1, "lost": 0, "free": 1}


def test_the_claims_are_those_of_the_booking(told: LicenseCreated) -> None:
    statement = made(told)
    claims = read(fetched(statement)).claims
    assert replace(claims, pages=b"", document=b"", head=b"") == replace(
        claims,
        license_id=told.license_id,
        length=statement.length,
        as_of=int(statement.as_of.timestamp()),
        made_at=int(statement.made_at.timestamp()),
        pages=b"",
        document=b"",
        head=b"",
    )
