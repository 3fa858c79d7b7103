"""The files of a statement: the pages of the PDF, the desk, the command, and what a customer's host says of them."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from chariot_license.instance import Instance
from chariot_license.protocol.errors import ProtocolError
from chariot_license.protocol.fingerprint import HostFacts
from chariot_license.results import Installed, RequestMade, StatementChecked
from django.urls import reverse
from django.utils import timezone

from activations.domain.ledger import Kind
from activations.models import KeyPurpose, LedgerEntry, License, StaffEvent
from activations.services import statements
from activations.services.booking import iso
from activations.services.licenses import LicenseCreated
from activations.services.signing import signer, trusted_roots
from activations.services.statement_letters import by_number, markup
from tests.portal.cast import (
    answered,
    entries,
    length,
    make_license,
)
from tests.portal.chariot import Chariot, host
from tests.portal.commands.asking import answer
from tests.portal.licensing import change
from tests.portal.stating import done, fetched, made, read, with_history
from tests.portal.web import Browser


@pytest.fixture
def told(license: LicenseCreated) -> LicenseCreated:
    return with_history(license)


@pytest.mark.parametrize(
    "customer", ["Wasserwerk Süd & Söhne <GmbH>", "水处理有限公司", "浄水場テスト", "한국수자원", "Łódź ภาษา"]
)
def test_the_pdf_says_what_the_document_says(signing_keys: None, customer: str) -> None:
    license = make_license(customer=customer)
    answered(Chariot(license.license_key, host("pump-house")).request())
    statement = made(license)
    pdf = fetched(statement, "pdf")
    inside = read(pdf)
    assert inside.in_pdf
    assert inside.document["customer"] == customer
    assert pdf.startswith(b"%PDF-1.")
    assert pdf.rstrip().endswith(b"%%EOF")
    assert b"/EmbeddedFiles" in pdf
    shown = shown_in(pdf)
    for word in (
        license.license_id,
        "pump-house",
        "chariot-license statement FILE.pdf",
        statement.sha256,
        "page 1 of 1",
    ):
        assert word in shown, word


def test_letters_that_no_font_has_are_written_as_their_number() -> None:
    assert markup("Süd <a&b>") == "Süd &lt;a&amp;b&gt;"
    assert markup("Łódź") == '<font name="NotoSans">Łódź</font>'  # a word is in one font
    assert markup("Завод") == '<font name="NotoSans">Завод</font>'
    assert by_number("Łódź, Ελλάς, Завод") == ""  # embedded, so every reader shows them
    assert markup("ก\u202e") == "[U+0E01][U+202E]"
    assert markup("a 水处") == 'a <font name="STSong-Light">水处</font>'
    assert markup("水場テ") == '<font name="HeiseiKakuGo-W5">水場テ</font>'
    assert markup("한국") == '<font name="HYGothic-Medium">한국</font>'
    assert markup("髒亂") == '<font name="MSung-Light">髒亂</font>'
    assert (by_number("Süd"), by_number("Süd 水水处")) == ("", "U+6C34 U+5904")


def test_a_long_history_has_page_numbers_and_repeated_headings(told: LicenseCreated) -> None:
    for number in range(150):
        done(change(told, allowed=3 + number % 2))
    pdf = fetched(made(told), "pdf")
    shown = shown_in(pdf)
    pages = len(re.findall(rb"/Type /Page\b", pdf))
    assert pages >= 4
    assert all(f"page {number} of {pages}" in shown for number in range(1, pages + 1))
    assert shown.count("What happened") in (pages - 1, pages)  # how to check it may stand on a page of its own
    assert read(pdf).document["history"][-1]["what"] == "Number of allowed activations changed"


def test_a_changed_byte_of_the_pdf_is_noticed(told: LicenseCreated) -> None:
    pdf = fetched(made(told), "pdf")
    for place in range(0, len(pdf), 977):
        changed = pdf[:place] + bytes([pdf[place] ^ 1]) + pdf[place + 1 :]
        with pytest.raises(ProtocolError):
            read(changed)


def shown_in(pdf: bytes) -> str:
    """The text of the pages whose font is Vera, as one string: glyph numbers read back by the fonts' own tables."""
    streams = []
    for found in re.finditer(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        try:
            streams.append(zlib.decompress(found[1]).decode("latin-1"))
        except zlib.error:
            continue
    texts = re.findall(r"\(((?:[^()\\]|\\.)*)\) Tj", "\n".join(part for part in streams if " Tj" in part))
    return "\n".join(re.sub(r"\\([0-7]{3}|.)", lambda one: one[1] if len(one[1]) == 1 else "", text) for text in texts)


@pytest.mark.parametrize("format", ["pdf", "json"])
def test_on_the_desk(told: LicenseCreated, sign_in: Callable[[str], Browser], format: str) -> None:
    agent, license = sign_in("agent"), License.objects.get()
    page = agent.get(reverse("admin:activations_license_change", args=[license.pk]))
    address = reverse("admin:license_statement", args=[license.pk])
    assert address in page.html
    form = agent.get(address).form()
    count = length(told.license_id)

    shown = agent.post(address, {**form.fields, "when": "now", "day": ""})
    assert shown.path == reverse("admin:license_statement_made", args=[license.pk, count + 1])
    assert "The statement was made" in shown.words
    assert f"The first {count} entries of this license" in shown.words
    assert entries(told.license_id, after=count) == [(count + 1, "agent", "statement.made", "")]

    again = agent.post(address, {**form.fields, "when": "now", "day": ""})
    assert "This was booked already" in again.words
    assert again.path == shown.path
    assert length(told.license_id) == count + 1

    file = agent.client.get(reverse("admin:license_statement_file", args=[license.pk, count + 1, format]))
    assert file.headers["Content-Type"] == f"application/{format}"
    assert file.headers["Content-Disposition"].startswith(f'attachment; filename="statement-{told.license_id}-')
    assert "no-store" in file.headers["Cache-Control"]
    assert read(file.content).claims.length == count
    assert length(told.license_id) == count + 1
    trail = list(StaffEvent.objects.filter(kind="file.downloaded").values_list("actor", "subject", "details"))
    assert trail == [("agent", told.license_id, {"file": "statement", "number": count + 1, "format": format})]
    assert StaffEvent.objects.filter(kind="statement.made", subject=told.license_id).count() == 1
    assert "Made before" in agent.get(address).words


def test_the_desk_says_what_is_wrong_with_a_day(told: LicenseCreated, sign_in: Callable[[str], Browser]) -> None:
    agent, license = sign_in("agent"), License.objects.get()
    address, count = reverse("admin:license_statement", args=[license.pk]), length(told.license_id)
    tomorrow = f"{timezone.now() + timedelta(days=1):%Y-%m-%d}"
    for typed, words in (
        ({"when": "day", "day": ""}, "Name the day, or choose Now"),
        ({"when": "day", "day": "24.11.2026"}, "Write the day as year, month and day"),
        ({"when": "day", "day": "2020-01-01"}, "did not exist"),
        ({"when": "day", "day": tomorrow}, "has not come yet"),
        ({"day": ""}, "Choose as of when"),
    ):
        form = agent.get(address).form()
        fields = {name: value for name, value in form.fields.items() if name != "when"}
        page = agent.post(address, {**fields, **typed})
        assert words in page.words, typed
        assert "Nothing was booked" in page.words
    assert length(told.license_id) == count
    today = f"{timezone.now().astimezone(UTC):%Y-%m-%d}"
    form = agent.get(address).form()
    assert "The statement was made" in agent.post(address, {**form.fields, "when": "day", "day": today}).words


def test_the_command(told: LicenseCreated, tmp_path: Path, sign_in: Callable[[str], Browser]) -> None:
    sign_in("agent"), sign_in("auditor")
    out, count = tmp_path / "statement.pdf", length(told.license_id)
    arguments = ("license_statement", told.license_id, "--out", str(out), "--actor", "agent")
    said = answer(*arguments, "--format", "pdf")
    assert (said["number"], said["entries"], said["out"]) == (count + 1, count, str(out))
    assert read(out.read_bytes()).in_pdf
    pdf = out.read_bytes()
    answer(*arguments, "--format", "pdf", "--again", str(count + 1))
    assert out.read_bytes() == pdf
    assert length(told.license_id) == count + 1

    lost = LedgerEntry.objects.get(kind=Kind.ACTIVATION_LOST)
    answer(*arguments, "--format", "json", "--at", iso(lost.at))
    assert read(out.read_bytes()).claims.head.hex() == lost.hash

    count = length(told.license_id)
    kept = out.read_bytes()
    assert answer(*arguments, "--format", "json", "--at", "2020-01-01", exit_code=2)["code"] == "license-not-yet"
    assert answer(*arguments, "--format", "json", "--at", "soon", exit_code=2)["code"] == "time-unreadable"
    refused = ("license_statement", told.license_id, "--out", str(out), "--actor", "auditor", "--format", "pdf")
    assert answer(*refused, exit_code=1)["code"] == "not-allowed"
    nowhere = ("license_statement", told.license_id, "--out", str(tmp_path), "--actor", "agent", "--format", "pdf")
    assert answer(*nowhere, exit_code=2)["code"] == "file-unwritable"
    assert (out.read_bytes(), length(told.license_id)) == (kept, count)


def test_the_customer_s_own_host_tells_a_true_history_from_one_without_it(
    license: LicenseCreated, tmp_path: Path
) -> None:
    """From both sides: a real Chariot, licensed here, checks what the portal says, and what a changed portal says."""
    roots = trusted_roots()

    def chariot(name: str) -> Instance:
        facts = HostFacts(machine_id=f"id of {name}", board_uuid=f"board of {name}", hostname=name)
        return Instance.for_command_line(tmp_path / name, version="2.4.1", roots=roots, facts=facts)

    early = made(license)
    for name in ("pump", "mill"):
        asked = chariot(name).request(license.license_key)
        assert isinstance(asked, RequestMade)
        assert isinstance(chariot(name).install(answered(asked.block)), Installed)
    statement = made(license)
    for format, name in (("pdf", "pump"), ("json", "mill")):
        checked = chariot(name).check_statement(fetched(statement, format))
        assert isinstance(checked, StatementChecked), checked
        assert checked.agrees is True
        assert checked.document["seats"]["active"] == 2
    # Signed well, but with the bookings of the hosts left out: as if they had never been licensed.
    entry = LedgerEntry.objects.get(chain=license.license_id, seq=early.number)
    soon = timezone.now() + timedelta(seconds=2)  # issue times are whole seconds
    text = statements._document(license.license_id, soon, soon, early.number, None)
    assert isinstance(text, str)
    assert json.loads(text)["ledger"]["head"] == entry.hash
    forged = statements._signed(text, signer(KeyPurpose.USAGE_LICENSE, timezone.now()))["pdf"]
    result = chariot("mill").check_statement(forged)
    assert not isinstance(result, StatementChecked)
    assert result.code == "statement-contradicts"
