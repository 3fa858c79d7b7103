"""Exports: JSON Lines that verify without the portal, CSV that no spreadsheet runs; each export is booked itself."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from activations.domain.merkle import Range, leaf_hash
from activations.domain.words import Ability
from activations.models import Activation, KeyPurpose, LedgerCheckpoint, LedgerEntry, LedgerLeaf, SigningKey
from activations.services.exports import Exported, export_chosen, export_ledger
from activations.services.licenses import LicenseCreated
from activations.services.losses import mark_lost
from activations.services.results import BadInput, Refused
from activations.services.spreadsheets import kept_as_text
from activations.services.witnessing.letters import _attachment
from tests.portal.cast import AGENT, AUDITOR, EVERYONE, SOURCE, answered, entries, length, make_license
from tests.portal.chariot import Chariot, host
from tests.portal.test_checkpoints import checkpoint
from tests.portal.verifying import consistency_proof, verdict


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


def parts(text: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The header and the entries of an export; its last line says how many there are."""
    header, *lines, end = [json.loads(line) for line in text.splitlines()]
    assert (header["export"], end) == ("chariot-ledger-1", {"end": len(lines)})
    assert header["entries"] == len(lines)
    return header, lines


def bodies(text: str) -> list[dict[str, Any]]:
    return [json.loads(line["body"]) for line in parts(text)[1]]


def verified(tmp_path: Path, text: str, *kept: str) -> dict[str, Any]:
    """What the verifier says of an export, with the portal's own key and the notes that were kept."""
    files = []
    for number, said in enumerate([text, *kept]):
        files.append(tmp_path / f"{number}.txt")
        files[-1].write_text(said, "utf-8")
    return verdict(files[0], *files[1:])


def test_json_lines_hold_what_the_checkpoint_covers(busy: LicenseCreated, settings: Any) -> None:
    written = LedgerEntry.objects.count()

    result, text = export()

    made = LedgerCheckpoint.objects.get()
    assert (result.entries, result.format, result.size, result.root) == (written, "jsonl", written, made.root)
    header, lines = parts(text)
    assert (header["checkpoint"], header["origin"], header["filter"]) == (made.note, settings.LEDGER_ORIGIN, None)
    assert header["by"] == "auditor"
    assert [line["index"] for line in lines] == list(range(written))
    assert Range().grown(leaf_hash(line["body"].encode()) for line in lines).root.hex() == made.root
    assert [hashlib.sha256(line["body"].encode()).hexdigest() for line in lines] == [line["hash"] for line in lines]


def test_what_is_booked_meanwhile_waits_for_the_next_export(busy: LicenseCreated) -> None:
    first, _ = export()
    second, text = export()

    assert second.entries == first.entries + 1
    assert bodies(text)[-1]["kind"] == "ledger.exported"


def test_every_export_verifies_against_a_checkpoint_that_was_kept(busy: LicenseCreated, tmp_path: Path) -> None:
    kept = checkpoint().note
    for number in range(3):
        make_license(customer=f"Customer {number}")

    answer = verified(tmp_path, export()[1], kept)
    assert (answer["verdict"], answer["unchecked"]) == ("ok", []), answer
    latest = LedgerCheckpoint.objects.first()
    assert latest is not None
    middle = LedgerEntry.objects.order_by("id")[5].at
    for how in ({"license_id": busy.license_id}, {"until": timezone.now()}, {"until": middle}):
        _, text = export(**how)
        header, lines = parts(text)
        assert header["filter"]
        assert lines
        assert verified(tmp_path, text, header["checkpoint"])["verdict"] == "ok"
        assert verified(tmp_path, text, latest.note)["verdict"] == "unchecked"  # without a consistency proof


@pytest.mark.parametrize("chosen", [{}, {"kind": ["activation.lost"]}])
def test_the_entries_that_a_list_shows(busy: LicenseCreated, tmp_path: Path, chosen: dict[str, list[str]]) -> None:
    before, told, out = length("portal"), list[tuple[int, int]](), io.BytesIO()
    shown = LedgerEntry.objects.filter(kind__in=chosen["kind"]) if chosen else LedgerEntry.objects.all()
    expected = shown.count()

    written = export_chosen(
        entries=shown, chosen=chosen, out=out, actor=AUDITOR, source=SOURCE, tell=lambda *far: told.append(far)
    )

    text = out.getvalue().decode()
    header, lines = parts(text)
    assert isinstance(written, Exported)
    assert (written.entries, len(lines), header["filter"]) == (expected, expected, chosen or None)
    answer = verified(tmp_path, text, header["checkpoint"])
    assert answer["verdict"] == ("unchecked" if chosen else "ok")
    assert answer["first"] is None
    said = json.loads(LedgerEntry.objects.get(chain="portal", seq=before + 1).body)["data"]
    assert (said["filter"], said["entries"], said["checkpoint"]["size"]) == (chosen, expected, before + 5)
    assert isinstance(export_chosen(entries=shown, chosen=chosen, out=out, actor=AGENT, source=SOURCE), Refused)


def test_one_license_verifies_with_a_proof_from_the_portal(busy: LicenseCreated, tmp_path: Path) -> None:
    old, kept, export_file = checkpoint(), tmp_path / "kept.txt", tmp_path / "license.jsonl"
    kept.write_text(old.note, "utf-8")
    make_license(customer="Beta Mills")
    export_file.write_text(export(license_id=busy.license_id)[1], "utf-8")

    assert verdict(export_file, kept)["exit_code"] == 3
    answer = verdict(export_file, kept, proof=consistency_proof(tmp_path, old.size))
    assert (answer["exit_code"], answer["entries"]) == (0, 5), answer


def test_an_export_verifies_with_the_leaf_hashes_of_a_witness_mail(busy: LicenseCreated, tmp_path: Path) -> None:
    checkpoint()
    made = LedgerCheckpoint.objects.get()
    for start, end in ((0, 4), (4, made.size)):  # the hashes of one mail may stop short of its checkpoint
        (tmp_path / f"leaves-{start}.txt").write_text(_attachment(made, start, end), "utf-8")
    (tmp_path / "export.jsonl").write_text(export()[1], "utf-8")

    answer = verdict(tmp_path / "export.jsonl", tmp_path / "leaves-0.txt", tmp_path / "leaves-4.txt")
    assert (answer["exit_code"], len(answer["checked"])) == (0, 4), answer


def test_an_auditor_need_not_be_able_to_make_checkpoints(busy: LicenseCreated) -> None:
    assert not AUDITOR.may(Ability.CHECKPOINT_LEDGER)
    assert isinstance(export()[0], Exported)


def test_without_a_key_the_last_checkpoint_is_taken(busy: LicenseCreated) -> None:
    made = checkpoint()
    SigningKey.objects.filter(purpose=KeyPurpose.CHECKPOINT).update(current=False)
    make_license(customer="Beta Mills")

    result, text = export()

    assert (result.entries, result.size) == (made.size, made.size)
    assert "leaves out what came after it" in result.warning
    assert parts(text)[0]["checkpoint"] == made.note


def test_without_any_checkpoint_there_is_no_export(busy: LicenseCreated) -> None:
    SigningKey.objects.filter(purpose=KeyPurpose.CHECKPOINT).update(current=False)
    before = length("portal")

    result, text = export()

    assert (type(result), result.code, text) == (Refused, "no-signing-key", "")
    assert "there is none yet" in result.message
    assert length("portal") == before


def test_csv_is_safe_in_a_spreadsheet(busy: LicenseCreated) -> None:
    result, text = export("csv", license_id=busy.license_id)

    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert (result.entries, result.format) == (5, "csv")
    places = LedgerLeaf.objects.filter(entry__chain=busy.license_id).order_by("index")
    assert [int(row["index"]) for row in rows] == list(places.values_list("index", flat=True))
    assert [(int(row["seq"]), row["actor"], row["kind"]) for row in rows][-1] == (5, "agent", "activation.lost")
    assert rows[-1]["reason"] == '\'=HYPERLINK("x") 水'
    assert json.loads(rows[0]["data"])["customer"] == "Acme Water"


def test_an_export_is_booked_in_the_portals_chain(busy: LicenseCreated) -> None:
    before = length("portal")

    result, _ = export(license_id=busy.license_id)

    assert entries("portal", after=before) == [(before + 1, "auditor", "ledger.exported", "")]
    said = json.loads(LedgerEntry.objects.get(chain="portal", seq=before + 1).body)["data"]
    assert said == {
        "format": "jsonl",
        "license": busy.license_id,
        "until": None,
        "entries": 5,
        "checkpoint": {"size": result.size, "root": LedgerCheckpoint.objects.get().root},
    }


def test_one_license_up_to_a_time(busy: LicenseCreated) -> None:
    make_license(customer="Beta Mills")
    at = LedgerEntry.objects.get(chain=busy.license_id, seq=4).at

    result, text = export(license_id=busy.license_id.lower(), until=at)

    assert result.entries == 4
    assert {body["chain"] for body in bodies(text)} == {busy.license_id}
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
