"""`chariot-license statement`: a statement checked by its signature and against the Usage License on this host."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from chariot_license.instance import Instance
from chariot_license.protocol.block import Kind
from chariot_license.protocol.license import UsageLicense, read_license
from chariot_license.protocol.reader import read_block
from chariot_license.protocol.statement import (
    StatementClaims,
    sign_statement,
    signature_size,
    with_pages,
    write_file,
)
from chariot_license.protocol.statement_document import seconds
from chariot_license.results import Refused, StatementChecked
from chariot_license.statement_check import TEST_ROOT
from chariot_license.store import StateStore
from cryptography.hazmat.primitives import serialization

from tests.client.conftest import MakeChariot, Run, facts_file
from tests.client.steps import license_it, refused
from tests.client.vendor import NOW, OTHER_HOST, PLANT_HOST, Vendor
from tests.protocol.statements import DOCUMENT, pdf_around

HASHES = [hashlib.sha256(f"entry {number}".encode()).hexdigest() for number in range(1, 9)]
HEAD = bytes.fromhex(HASHES[3])[:16]  # four entries, then the booking of the Usage License
AS_OF = "2027-01-15T09:00:00.000000Z"  # an hour after NOW


@dataclass
class Story:
    """What a vendor says of the license that `vendor` gave out: eight entries, the host licensed by the last four."""

    vendor: Vendor
    changes: dict[str, Any] = field(default_factory=dict)

    def document(self, license: UsageLicense | None = None) -> dict[str, Any]:
        row = {
            **DOCUMENT["activations"][0],
            "activation_id": self.vendor.activation_id,
            "usage_license_id": license.usage_license_id if license else None,
        }
        ledger = {**DOCUMENT["ledger"], "length": len(HASHES), "head": HASHES[-1], "entry_hashes": HASHES}
        said = {"license_id": self.vendor.license_id, "as_of": AS_OF, "made_at": AS_OF}
        return {**DOCUMENT, **said, "activations": [row], "ledger": ledger, **self.changes}

    def file(self, license: UsageLicense | None = None, *, pdf: bool = False, **claims: Any) -> bytes:
        document = self.document(license)
        text = json.dumps(document)
        said = StatementClaims(
            license_id=document["license_id"],
            made_at=seconds(document["made_at"]),
            as_of=seconds(document["as_of"]),
            length=document["ledger"]["length"],
            head=bytes.fromhex(document["ledger"]["head"]),
            document=hashlib.sha256(text.encode()).digest(),
            pages=bytes(32),
        )
        said = replace(said, **claims)
        der = self.vendor.certificate.public_bytes(serialization.Encoding.DER)
        if pdf:
            said = with_pages(said, pdf_around(write_file(text, bytes(signature_size(said, der)))))
        file = write_file(text, sign_statement(said, self.vendor.signing_key, der))
        return pdf_around(file) if pdf else file


@pytest.fixture
def story(vendor: Vendor) -> Story:
    return Story(vendor)


def licensed(chariot: MakeChariot, vendor: Vendor, **changes: Any) -> UsageLicense:
    """A host with an installed Usage License."""
    block = license_it(chariot(), vendor, **{"ledger_head": HEAD, **changes})
    return read_license(read_block(block, Kind.LICENSE).data, vendor.roots)


def checked(result: StatementChecked | Refused) -> StatementChecked:
    assert isinstance(result, StatementChecked), result
    return result


def cut(length: int) -> dict[str, Any]:
    hashes = HASHES[:length]
    return {"ledger": {**DOCUMENT["ledger"], "length": length, "head": hashes[-1], "entry_hashes": hashes}}


@pytest.mark.parametrize("pdf", [False, True])
def test_without_a_license_here_it_is_verified_alone(chariot: MakeChariot, story: Story, pdf: bool) -> None:
    done = checked(chariot().check_statement(story.file(pdf=pdf)))
    assert (done.in_pdf, done.agrees) == (pdf, None)
    assert done.document == story.document()
    assert "none is installed here" in done.comparison


def test_with_its_history_it_agrees(chariot: MakeChariot, vendor: Vendor, story: Story) -> None:
    license = licensed(chariot, vendor)
    done = checked(chariot().check_statement(story.file(license)))
    assert done.agrees is True
    assert "entry 4 was the last one before it" in done.comparison
    later = story.document()["activations"][0] | {"usage_license_id": None, "state": "deactivated", "seat": None}
    assert checked(chariot().check_statement(Story(vendor, {"activations": [later]}).file())).agrees is True


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"ledger": {**DOCUMENT["ledger"]}}, id="another history"),
        pytest.param(cut(3), id="ends before"),
        pytest.param(cut(4), id="ends right before"),
        pytest.param({"activations": []}, id="without the activation"),
        pytest.param(
            {"ledger": {**cut(8)["ledger"], "entry_hashes": [*HASHES[:3], HASHES[3][::-1], *HASHES[4:]]}},
            id="the entry before it changed",
        ),
    ],
)
def test_a_history_without_the_host_s_license_is_told(
    chariot: MakeChariot, vendor: Vendor, changes: dict[str, Any]
) -> None:
    license = licensed(chariot, vendor)
    story = Story(vendor, changes)
    if changes.get("ledger", {}).get("length") == 3:
        story.changes = {**changes, "history": []}
    result = refused(chariot().check_statement(story.file()), "statement-contradicts")
    assert "leaves out or changes the history your Usage License was issued in" in result.message
    assert license.usage_license_id in result.message
    assert result.detail["ledger_head"] == HEAD.hex()


def test_what_cannot_be_compared_is_said(chariot: MakeChariot, vendor: Vendor, story: Story) -> None:
    licensed(chariot, vendor)
    other = Story(vendor, {"license_id": DOCUMENT["license_id"]})
    done = checked(chariot().check_statement(other.file()))
    assert (done.agrees, "of another license" in done.comparison) == (None, True)
    early = Story(vendor, {"as_of": "2027-01-15T07:59:59.000000Z", **cut(3)})
    done = checked(chariot().check_statement(early.file()))
    assert (done.agrees, "when this statement had ended" in done.comparison) == (None, True)
    # Issued in the statement's last second, and in it: that can be compared.
    same = Story(vendor, {"as_of": "2027-01-15T08:00:00.500000Z"})
    installed = StateStore(chariot()._store.folder).load().installed
    assert installed is not None
    license = read_license(installed.data, vendor.roots)
    assert checked(chariot().check_statement(same.file())).agrees is None
    assert checked(chariot().check_statement(same.file(license))).agrees is True


def test_checking_changes_nothing_here(chariot: MakeChariot, vendor: Vendor, story: Story, state_dir: Path) -> None:
    checked(chariot().check_statement(story.file()))
    assert not state_dir.exists()
    licensed(chariot, vendor)
    before = {path: path.read_bytes() for path in state_dir.iterdir()}
    checked(chariot().check_statement(story.file()))
    checked(chariot(facts=OTHER_HOST).check_statement(story.file()))
    assert {path: path.read_bytes() for path in state_dir.iterdir()} == before


def test_a_state_that_cannot_be_read_does_not_keep_it_from_being_verified(
    chariot: MakeChariot, vendor: Vendor, story: Story, state_dir: Path
) -> None:
    licensed(chariot, vendor)
    opened = chariot()
    (state_dir / "state.json").write_text("{")
    done = checked(opened.check_statement(story.file()))
    assert done.agrees is None
    assert "state.json" in done.comparison


def test_forged_and_changed_ones_are_refused(chariot: MakeChariot, story: Story, vendor: Vendor) -> None:
    other = Vendor(name="Some Other Vendor")
    refused(chariot().check_statement(Story(other).file()), "certificate-unknown-issuer")
    twin = Vendor()
    refused(chariot().check_statement(Story(twin).file()), "certificate-signature-wrong")
    good = story.file()
    refused(chariot().check_statement(good.replace(b"mqtt-01", b"mqtt-02")), "statement-document-changed")
    refused(chariot().check_statement(story.file(pdf=True) + b" "), "statement-pages-changed")
    copied = story.file().replace(vendor.license_id.encode(), other.license_id.encode())
    refused(chariot().check_statement(copied), "statement-document-changed")


@pytest.fixture
def switches(tmp_path: Path, vendor: Vendor) -> dict[str, str]:
    return {
        "CHARIOT_TRUST_ROOT": str(vendor.write_root(tmp_path / "trust-root.pem")),
        "CHARIOT_HOST_FACTS": str(facts_file(tmp_path, PLANT_HOST)),
    }


def test_the_command_for_people(
    run: Run, story: Story, switches: dict[str, str], tmp_path: Path, state_dir: Path
) -> None:
    vendor = story.vendor
    file = tmp_path / "statement.pdf"
    file.write_bytes(story.file(pdf=True))
    shown = run("statement", str(file), "--trust-root", switches["CHARIOT_TRUST_ROOT"])
    assert (shown.status, shown.err) == (0, f"Warning: {TEST_ROOT}\n")
    first = "This statement is genuine: the vendor signed it (key 02), and it was not changed since."
    assert shown.out.startswith(first)
    for words in (
        "The pages of this PDF are those that were signed.",
        "It was not compared with a Usage License: none is installed here.",
        f"{vendor.license_id}, active",
        "Wasserwerk Süd GmbH & Co. 水",
        "2 allowed: 1 active, 0 lost, 1 free",
        "mqtt-server-support, last day 2027-03-31",
        f"{vendor.activation_id}  active, seat 1, host mqtt-01.plant.example, Chariot 5.0.2",
        "    1  2026-09-21 14:13  License created: 2 activations allowed",
        HASHES[-1],
    ):
        assert words in shown.out, words
    assert not state_dir.exists()


def test_the_command_in_json_and_from_standard_input(run: Run, story: Story, switches: dict[str, str]) -> None:
    shown = run("statement", "-", "--json", stdin=story.file(), **switches)
    assert shown.status == 0
    assert shown.json == {
        "outcome": "genuine",
        "license_id": story.vendor.license_id,
        "made_at": "2027-01-15T09:00:00Z",
        "as_of": AS_OF,
        "signing_serial": "02",
        "pdf": False,
        "compared": None,
        "compared_words": "It was not compared with a Usage License: none is installed here.",
        "document": story.document(),
        "warnings": [TEST_ROOT],
    }


def test_the_exit_status_of_the_command(run: Run, story: Story, switches: dict[str, str], tmp_path: Path) -> None:
    forged = run("statement", "-", "--json", stdin=Story(Vendor(name="Other")).file(), **switches)
    assert (forged.status, forged.json["outcome"]) == (1, "refused")
    assert forged.json["code"] == "certificate-unknown-issuer"
    nothing = run("statement", "-", stdin=b"%PDF-1.4 a bill", **switches)
    assert (nothing.status, nothing.out) == (2, "")
    assert "There is no license statement in this PDF" in nothing.err
    absent = run("statement", str(tmp_path / "nowhere.pdf"), "--json", **switches)
    assert (absent.status, absent.json["code"]) == (2, "input-unreadable")
    unpinned = run("statement", "-", "--json", stdin=story.file())
    assert (unpinned.status, unpinned.json["code"]) == (1, "no-trust-root")


def test_letters_that_reorder_a_line_are_shown_by_number(run: Run, vendor: Vendor, switches: dict[str, str]) -> None:
    shown = run("statement", "-", stdin=Story(vendor, {"customer": "Acme \u202eretaW\x1b[2J"}).file(), **switches)
    assert "Acme [U+202E]retaW[U+001B][2J" in shown.out


def test_with_the_pinned_root_nobody_is_warned(
    story: Story, vendor: Vendor, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an embedded Chariot does it, which knows no test switch."""
    monkeypatch.setattr("chariot_license.instance.pinned_roots", lambda: vendor.roots)
    done = checked(Instance(state_dir, version="2.4.1").check_statement(story.file()))
    assert done.warnings == ()


def test_a_revoked_key_signs_no_statement(chariot: MakeChariot, vendor: Vendor, story: Story) -> None:
    vendor.use_signing_key(serial=3)
    licensed(chariot, vendor, revoked=("02",))
    checked(chariot().check_statement(story.file()))
    vendor.use_signing_key(serial=2)
    refused(chariot().check_statement(story.file()), "certificate-revoked")


def test_a_license_made_long_after_is_not_held_against_an_old_statement(
    chariot: MakeChariot, vendor: Vendor, story: Story
) -> None:
    licensed(chariot, vendor, issued_at=NOW + 7200)
    assert checked(chariot().check_statement(story.file())).agrees is None
