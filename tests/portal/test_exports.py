"""Exports: JSON Lines that verify without the portal, CSV that no spreadsheet runs; each export is booked itself."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from activations.domain.ledger import GENESIS
from activations.models import Activation, LedgerEntry
from activations.services.exports import Exported, export_ledger
from activations.services.licenses import LicenseCreated
from activations.services.losses import mark_lost
from activations.services.results import BadInput, Refused
from activations.services.spreadsheets import kept_as_text
from tests.portal.cast import AGENT, AUDITOR, EVERYONE, SOURCE, answered, entries, length, make_license
from tests.portal.chariot import Chariot, host


@pytest.fixture
def busy(license: LicenseCreated) -> LicenseCreated:
    answered(Chariot(license.license_key, host("pump-house")).request())
    activation = Activation.objects.get()
    mark_lost(activation_id=activation.activation_id, actor=AGENT, source=SOURCE, reason='=HYPERLINK("x") 水')
    return license


def export(format: str = "jsonl", *, actor: object = AUDITOR, **how: Any) -> tuple[Any, str]:
    out = io.StringIO(newline="")
    result = export_ledger(out=out, format=format, actor=actor, source=SOURCE, **how)  # type: ignore[arg-type]
    return result, out.getvalue()


def test_json_lines_verify_without_the_portal(busy: LicenseCreated) -> None:
    written = LedgerEntry.objects.count()

    result, text = export()

    assert result == Exported(written, "jsonl")
    lines = [json.loads(line) for line in text.splitlines()]
    assert len(lines) == written
    heads: dict[str, tuple[int, str]] = {}
    for line in lines:
        body = json.loads(line["body"])
        seq, prev = heads.get(body["chain"], (0, GENESIS))
        assert (body["seq"], body["prev"]) == (seq + 1, prev)
        assert hashlib.sha256(line["body"].encode()).hexdigest() == line["hash"]
        heads[body["chain"]] = (body["seq"], line["hash"])
    assert set(heads) == {"portal", busy.license_id}


def test_csv_is_safe_in_a_spreadsheet(busy: LicenseCreated) -> None:
    result, text = export("csv", license_id=busy.license_id)

    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert result == Exported(5, "csv")
    assert [(int(row["seq"]), row["actor"], row["kind"]) for row in rows][-1] == (5, "agent", "activation.lost")
    assert rows[-1]["reason"] == '\'=HYPERLINK("x") 水'
    assert json.loads(rows[0]["data"])["customer"] == "Acme Water"


def test_an_export_is_booked_in_the_portals_chain(busy: LicenseCreated) -> None:
    before = length("portal")

    export(license_id=busy.license_id)

    assert entries("portal", after=before) == [(before + 1, "auditor", "ledger.exported", "")]
    said = json.loads(LedgerEntry.objects.get(chain="portal", seq=before + 1).body)["data"]
    assert said == {"format": "jsonl", "license": busy.license_id, "until": None, "entries": 5}


def test_one_license_up_to_a_time(busy: LicenseCreated) -> None:
    make_license(customer="Beta Mills")
    at = LedgerEntry.objects.get(chain=busy.license_id, seq=4).at

    result, text = export(license_id=busy.license_id.lower(), until=at)

    assert result.entries == 4
    assert {json.loads(json.loads(line)["body"])["chain"] for line in text.splitlines()} == {busy.license_id}
    assert export(until=timezone.now() - timedelta(days=1))[0].entries == 0


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"format": "xlsx"}, "format-unknown"),
        ({"license_id": "LIC-0000"}, "license-id-length"),
        ({"license_id": "RES-0000-0000-0000-0000-0"}, "license-id-other-kind"),
    ],
)
def test_bad_input_is_not_booked(busy: LicenseCreated, how: dict[str, Any], code: str) -> None:
    before = length("portal")

    result, text = export(**how)

    assert (type(result), result.code, text) == (BadInput, code, "")
    assert length("portal") == before


def test_agents_do_not_export(busy: LicenseCreated) -> None:
    for actor in EVERYONE:
        result, _ = export(actor=actor)
        assert isinstance(result, Refused) == (actor is AGENT)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("=1+1", "'=1+1"),
        ("x;=1+1", "x;'=1+1"),
        ("x; =1+1;@SUM(A1)", "x;' =1+1;'@SUM(A1)"),
        ("a\t+1\r\n-2\n@3", "a\t'+1\r\n'-2\n'@3"),
        ("\tx", "'\tx"),
        ("\uff1d1", "'\uff1d1"),
        ("\u00a0=1+1", "'\u00a0=1+1"),
        ("\u200b\ufeff=1", "'\u200b\ufeff=1"),
        ("x;\u3000 \x00\u202e@SUM(A1)", "x;'\u3000 \x00\u202e@SUM(A1)"),
        ('\v-1\n\u2028\u2029"\u00ad+1', "'\v-1\n'\u2028\u2029\"\u00ad+1"),
        ("x;\t\u00a0\t=1", "x;\t\u00a0\t'=1"),
        ("\t=1", "'\t'=1"),
        ("a\u00a0= b,\u200b-d", "a\u00a0= b,\u200b-d"),
        ("a = b, c-d; e: 水", "a = b, c-d; e: 水"),
        ("", ""),
    ],
)
def test_no_part_of_a_cell_is_a_formula(text: str, kept: str) -> None:
    assert kept_as_text(text) == kept
    # The same in a spreadsheet that parts the line at semicolons, whatever the quotation marks say.
    out = io.StringIO()
    csv.writer(out).writerow(["first", text if kept == text else kept, "last"])
    assert not [part for part in re.split("[;\t\r\n]", out.getvalue()) if part.lstrip(' "').startswith(tuple("=+-@"))]
