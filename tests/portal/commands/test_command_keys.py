"""The stable command signing_key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chariot_license.protocol.block import Kind
from chariot_license.protocol.license import read_license
from chariot_license.protocol.reader import read_block
from cryptography import x509

from activations.services.licenses import LicenseCreated
from tests.portal.cast import entries
from tests.portal.chariot import Chariot
from tests.portal.commands.asking import USERS, answer, issue


def test_signing_key(tmp_path: Path) -> None:
    out = tmp_path / "trust" / "root.pem"
    assert answer("signing_key", "issue", exit_code=1)["code"] == "no-root"

    root = answer("signing_key", "create-root", "--out", str(out))
    issued = answer("signing_key", "issue")["keys"]

    assert root["trust_root"] == str(out)
    assert out.read_text() == root["certificate"]
    assert [key["purpose"] for key in issued] == ["usage-license", "checkpoint"]
    assert answer("signing_key", "issue", exit_code=1)["code"] == "key-exists"
    [rotated] = answer("signing_key", "rotate")["keys"]
    listed = {(key["purpose"], key["state"]): key["serial"] for key in answer("signing_key", "list")["keys"]}
    assert listed == {
        ("root", "current"): root["serial"],
        ("usage-license", "retired"): issued[0]["serial"],
        ("usage-license", "current"): rotated["serial"],
        ("checkpoint", "current"): issued[1]["serial"],
    }


def test_the_trust_root_file_holds_both_roots(tmp_path: Path) -> None:
    out = tmp_path / "root.pem"
    for _ in range(2):
        answer("signing_key", "create-root", "--out", str(out))

    assert len(x509.load_pem_x509_certificates(out.read_bytes())) == 2
    assert answer("signing_key", "create-root", "--out", str(out), exit_code=1)["code"] == "roots-complete"


def test_what_the_trust_root_file_says_is_enough_for_a_chariot(
    license: LicenseCreated, pump: Chariot, given: Any, tmp_path: Path
) -> None:
    out = tmp_path / "root.pem"
    answer("signing_key", "create-root", "--name", "Spare", "--out", str(out))
    text = issue(given(pump.request()))["usage_license"]

    roots = x509.load_pem_x509_certificates(out.read_bytes())

    assert read_license(read_block(text, Kind.LICENSE).data, roots).license_id == license.license_id


def test_a_root_is_not_made_for_a_file_that_nobody_gets(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    for out in (tmp_path, tmp_path / "file" / "root.pem", Path("/dev/full"), Path("/proc/root.pem")):
        assert answer("signing_key", "create-root", "--out", str(out), exit_code=2)["code"] == "file-unwritable"

    assert answer("signing_key", "list")["keys"] == []
    assert [kind for _, _, kind, _ in entries("portal")] == ["staff.created"] * len(USERS)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_retire_root(license: LicenseCreated, tmp_path: Path) -> None:
    out = tmp_path / "root.pem"
    first = next(key for key in answer("signing_key", "list")["keys"] if key["purpose"] == "root")["serial"]
    retire = ("signing_key", "retire-root", first, "--reason", "its card was lost", "--out", str(out))
    assert answer(*retire, exit_code=1)["code"] == "root-last"
    spare = answer("signing_key", "create-root", "--out", str(out))

    retired = answer(*retire, "--actor", "administrator")

    assert (retired["serial"], len(retired["warnings"])) == (first, 2)
    assert out.read_text() == spare["certificate"]
    assert entries("portal")[-1][1:] == ("administrator", "signing_key.retired", "its card was lost")
    states = {key["serial"]: key["state"] for key in answer("signing_key", "list")["keys"]}
    assert (states[first], states[spare["serial"]]) == ("retired", "current")
    assert answer(*retire, exit_code=1)["code"] == "root-retired"
    assert answer(*retire, "--actor", "agent", exit_code=1)["code"] == "not-allowed"
    assert answer(*retire[:2], "00", *retire[3:], exit_code=2)["code"] == "root-unknown"
    assert out.read_text() == spare["certificate"]


def test_signing_key_refused(tmp_path: Path) -> None:
    root = ("signing_key", "create-root", "--out", str(tmp_path / "root.pem"))

    assert answer(*root, "--actor", "agent", exit_code=1)["code"] == "not-allowed"
    assert answer(*root, "--name", "x" * 65, exit_code=2)["code"] == "name-unfit"
    assert answer("signing_key", "rotate", exit_code=1)["code"] == "no-root"
