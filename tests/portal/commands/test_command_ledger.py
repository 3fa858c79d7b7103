"""The stable commands for the ledger: verify, export, checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from activations.models import LedgerCheckpoint, LedgerEntry, License
from activations.services.licenses import LicenseCreated
from tests.portal.cast import entries, length
from tests.portal.commands.asking import answer, run


def test_verify_ledger(license: LicenseCreated) -> None:
    sound = answer("verify_ledger", "--rebuild-check")
    assert (sound["entries"], sound["problems"], sound["rebuild_check"]) == (LedgerEntry.objects.count(), [], True)

    License.objects.update(allowed=3)
    assert answer("verify_ledger")["problems"] == []
    broken = answer("verify_ledger", "--rebuild-check", exit_code=1)
    assert broken["code"] == "ledger-broken"
    assert len(broken["problems"]) == 1
    code, out, err = run("verify_ledger", "--rebuild-check")
    assert (code, out) == (1, "")
    assert broken["problems"][0] in err


def test_export_ledger(license: LicenseCreated, tmp_path: Path) -> None:
    out = tmp_path / "ledger.jsonl"

    exported = answer("export_ledger", "--format", "jsonl", "--license", license.license_id, "--out", str(out))

    assert (exported["entries"], exported["out"]) == (1, str(out))
    header, line, end = [json.loads(line) for line in out.read_text().splitlines()]
    assert json.loads(line["body"])["kind"] == "license.created"
    assert (header["checkpoint"], end) == (exported["checkpoint"], {"end": 1})
    assert exported["checkpoint"].split("\n")[1] == str(exported["size"])
    assert list(tmp_path.iterdir()) == [out]
    assert entries("portal")[-1][1:] == ("command-line", "ledger.exported", "")


def test_export_ledger_to_standard_output(license: LicenseCreated, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run("export_ledger", "--format", "csv", "--actor", "auditor")

    assert code == 0
    assert capsys.readouterr().out.startswith("index,chain,seq,at,actor,kind,reason,source,data,prev,hash")
    assert "entries exported" in err
    assert LedgerCheckpoint.objects.get().note in err


def test_export_ledger_as_csv_puts_the_checkpoint_beside_it(license: LicenseCreated, tmp_path: Path) -> None:
    out = tmp_path / "ledger.csv"

    exported = answer("export_ledger", "--format", "csv", "--out", str(out))

    assert (tmp_path / "ledger.csv.checkpoint").read_text() == exported["checkpoint"]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("more", "exit_code", "code"),
    [
        (("--until", "yesterday"), 2, "time-unreadable"),
        (("--until", "20261231"), 2, "time-unreadable"),
        (("--until", "2026-W01-1"), 2, "time-unreadable"),
        (("--until", "2026-11-24T13:00:00"), 2, "time-unreadable"),
        (("--until", "2026-11-24T25:00:00Z"), 2, "time-unreadable"),
        (("--until", "9999-12-31T23:59:59-12:00"), 2, "time-out-of-range"),
        (("--until", "0001-01-01T00:00:00+12:00"), 2, "time-out-of-range"),
        (("--until", "0001-01-01"), 2, "time-out-of-range"),
        (("--license", "LIC-1"), 2, "license-id-length"),
        (("--actor", "agent"), 1, "not-allowed"),
        (("--out", "/no/such/folder/x"), 2, "file-unwritable"),
        (("--out", "/dev/null"), 2, "file-unwritable"),
        (("--out", "/"), 2, "file-unwritable"),
        (("--out", "/proc/x"), 2, "file-unwritable"),
        (("--out", "x" * 300), 2, "file-unwritable"),
    ],
)
def test_export_ledger_refused(
    license: LicenseCreated, tmp_path: Path, more: tuple[str, ...], exit_code: int, code: str
) -> None:
    out = tmp_path / "ledger.jsonl"
    arguments = ("export_ledger", "--format", "jsonl", "--out", str(out), *more)

    before = length("portal")

    assert answer(*arguments, exit_code=exit_code)["code"] == code
    assert not list(tmp_path.iterdir())
    assert length("portal") == before


@pytest.mark.parametrize("until", ["2999-01-01", "2999-01-01T00:00:00.5+14:00", "2999-01-01t00:00:00z"])
def test_export_ledger_until_a_time(license: LicenseCreated, tmp_path: Path, until: str) -> None:
    out = tmp_path / "ledger.jsonl"

    assert answer("export_ledger", "--format", "jsonl", "--out", str(out), "--until", until)["entries"] > 1
    assert Path("/dev/null").is_char_device()


def test_export_ledger_in_json_needs_a_file(license: LicenseCreated) -> None:
    assert answer("export_ledger", "--format", "jsonl", exit_code=2)["code"] == "out-missing"


def test_checkpoint_ledger(license: LicenseCreated) -> None:
    made = answer("checkpoint_ledger")

    assert (made["size"], made["new"]) == (LedgerEntry.objects.count(), LedgerEntry.objects.count())
    assert made["checkpoint"].split("\n")[1] == str(made["size"])
    assert answer("checkpoint_ledger", "--actor", "administrator")["new"] == 0
    assert answer("checkpoint_ledger", "--actor", "auditor", exit_code=1)["code"] == "not-allowed"
    code, out, _ = run("checkpoint_ledger")
    assert (code, out) == (0, made["checkpoint"])
