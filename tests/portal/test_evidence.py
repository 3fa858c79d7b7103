"""The papers of a restoration case: what is kept, under which name, and what is not."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from email.message import EmailMessage
from typing import Any

import pytest
from chariot_license.protocol.codes import format_deactivation_code

from activations.models import Activation, Evidence, LedgerEntry, Restoration
from activations.services.evidence import LARGEST_FILE, EvidenceAdded, add_evidence, clean_name
from activations.services.ledger_checks import verify_ledger
from activations.services.licenses import LicenseCreated
from activations.services.losses import (
    RestorationCase,
    approve_restoration,
    deny_restoration,
    mark_lost,
    request_restoration,
)
from activations.services.results import BadInput, Refused
from tests.portal.cast import AGENT, EVERYONE, LEAD, SOURCE, answered, entries, length
from tests.portal.chariot import Chariot, host

PHOTO = b"\xff\xd8\xff\xe0 a burned server"
PDF = b"%PDF-1.7 the fire brigade's report"
MAIL = b"From: plant@example.com\r\nSubject: Fire\r\n\r\nIt burned down.\r\n"


@pytest.fixture
def chariot(license: LicenseCreated) -> Chariot:
    pump = Chariot(license.license_key, host("pump-house"))
    pump.install(answered(pump.request()))
    return pump


@pytest.fixture
def case(chariot: Chariot) -> str:
    """An open case of the activation on pump-house."""
    activation_id = Activation.objects.get().activation_id
    mark_lost(activation_id=activation_id, actor=AGENT, source=SOURCE, reason="Burned down.")
    opened = request_restoration(activation_id=activation_id, actor=AGENT, source=SOURCE, reason="There was a fire.")
    assert isinstance(opened, RestorationCase), opened
    return opened.restoration_id


def add(case: str, name: str = "wreck.jpg", content: bytes = PHOTO, *, actor: Any = AGENT) -> Any:
    return add_evidence(restoration_id=case, name=name, content=content, actor=actor, source=SOURCE)


def test_a_file_is_kept_byte_for_byte_and_booked(license: LicenseCreated, case: str) -> None:
    before, digest = length(license.license_id), hashlib.sha256(PHOTO).hexdigest()

    assert add(case.lower()) == EvidenceAdded(case, "wreck.jpg", digest, len(PHOTO))

    row = Evidence.objects.get()
    assert (row.name, row.media_type, bytes(row.content)) == ("wreck.jpg", "image/jpeg", PHOTO)
    assert (row.size, row.sha256, row.added_by) == (len(PHOTO), digest, "agent")
    assert row.restoration.restoration_id == case
    assert entries(license.license_id, after=before) == [(before + 1, "agent", "restoration.evidence_added", "")]
    entry = LedgerEntry.objects.get(chain=license.license_id, seq=before + 1)
    assert entry.at == row.added_at
    assert json.loads(entry.body)["data"] == {
        "restoration_id": case,
        "name": "wreck.jpg",
        "sha256": digest,
        "size": len(PHOTO),
    }
    assert verify_ledger(rebuild_check=True).problems == ()


def outlook() -> bytes:
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 a mail"


@pytest.mark.parametrize(
    ("name", "content", "media_type", "kept_as"),
    [
        ("wreck.JPEG", PHOTO, "image/jpeg", "wreck.JPEG"),
        ("wreck.png", b"\x89PNG\r\n\x1a\n....", "image/png", "wreck.png"),
        ("wreck.gif", b"GIF89a....", "image/gif", "wreck.gif"),
        ("wreck.tiff", b"II*\x00....", "image/tiff", "wreck.tiff"),
        ("IMG_1.heic", b"\x00\x00\x00\x18ftypheic....", "image/heic", "IMG_1.heic"),
        ("wreck.webp", b"RIFF....WEBPVP8 ", "image/webp", "wreck.webp"),
        ("report.pdf", PDF, "application/pdf", "report.pdf"),
        ("mail.eml", MAIL, "message/rfc822", "mail.eml"),
        ("mail.msg", outlook(), "application/vnd.ms-outlook", "mail.msg"),
        ("note.txt", "Überschwemmt.".encode("cp1252"), "text/plain", "note.txt"),
        # The name never makes a file something else than it is.
        ("report.exe", PDF, "application/pdf", "report.exe.pdf"),
        ("wreck", PHOTO, "image/jpeg", "wreck.jpg"),
        ("page.html", PHOTO, "image/jpeg", "page.html.jpg"),
    ],
)
def test_what_is_kept(case: str, name: str, content: bytes, media_type: str, kept_as: str) -> None:
    assert add(case, name, content).name == kept_as
    assert Evidence.objects.get().media_type == media_type


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("empty.pdf", b"", "evidence-empty"),
        ("large.jpg", PHOTO.ljust(LARGEST_FILE + 1), "evidence-too-large"),
        ("page.html", b"<script>alert(1)</script>", "evidence-kind"),
        ("picture.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "evidence-kind"),
        ("setup.exe", b"MZ\x90\x00", "evidence-kind"),
        ("really.pdf", b"MZ\x90\x00", "evidence-kind"),
        ("really.txt", b"MZ\x90\x00", "evidence-kind"),
        ("table.msg", b"no Outlook mail", "evidence-kind"),
    ],
)
def test_what_is_not_kept_is_named(license: LicenseCreated, case: str, name: str, content: bytes, code: str) -> None:
    before = length(license.license_id)

    result = add(case, name, content)

    assert (type(result), result.code) == (BadInput, code)
    assert result.message.startswith(name)
    assert (length(license.license_id), Evidence.objects.count()) == (before, 0)


def test_the_largest_file_is_kept(case: str) -> None:
    assert add(case, "large.jpg", PHOTO.ljust(LARGEST_FILE)).size == LARGEST_FILE


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("C:\\Users\\plant\\Desktop\\wreck.jpg", "wreck.jpg"),
        ("../../etc/passwd.jpg", "passwd.jpg"),
        ("wreck\u202egpj.exe\x00\n.jpg", "wreck gpj.exe.jpg"),
        ("  wreck   of  the pump house.jpg ", "wreck of the pump house.jpg"),
        ('a<b>:"c|d?*.jpg', "a_b___c_d__.jpg"),
        ("Pumpenhaus-Überflutung.jpg", "Pumpenhaus-Überflutung.jpg"),
        ("...", "file"),
        ("", "file"),
        ("x" * 300 + ".jpg", "x" * 116 + ".jpg"),
    ],
)
def test_names_are_cleaned(given: str, kept: str) -> None:
    assert clean_name(given) == kept
    assert clean_name(kept) == kept


def test_the_same_file_twice_costs_nothing(license: LicenseCreated, case: str) -> None:
    add(case)
    before = length(license.license_id)

    again, renamed = add(case), add(case, "other.jpg")

    assert (type(again), again.code) == (Refused, "evidence-kept-already")
    assert again.message == "wreck.jpg is kept with this case already. Nothing changed."
    assert renamed.message == "other.jpg is kept with this case already as wreck.jpg. Nothing changed."
    assert (length(license.license_id), Evidence.objects.count()) == (before, 1)


def test_ten_files_and_no_more(license: LicenseCreated, case: str) -> None:
    for number in range(10):
        assert isinstance(add(case, f"{number}.jpg", PHOTO + bytes([number])), EvidenceAdded)
    before = length(license.license_id)

    result = add(case, "11.jpg", PHOTO + b"more")

    assert (type(result), result.code) == (Refused, "evidence-full")
    assert (length(license.license_id), Evidence.objects.count()) == (before, 10)


@pytest.mark.parametrize("decide", [approve_restoration, deny_restoration])
def test_only_while_the_case_is_open(license: LicenseCreated, case: str, decide: Any) -> None:
    decide(restoration_id=case, actor=LEAD, source=SOURCE, reason="Seen.")
    before = length(license.license_id)

    result = add(case)

    assert (type(result), result.code) == (Refused, "restoration-decided")
    assert length(license.license_id) == before


def test_the_case_must_exist(case: str) -> None:
    from chariot_license.protocol.codes import format_public_id

    assert add(format_public_id("RES", bytes(10))).code == "restoration-unknown"
    assert add(case[:-3]).code == "restoration-id-length"


@pytest.mark.parametrize("actor", EVERYONE)
def test_who_may_add(case: str, actor: Any) -> None:
    result = add(case, actor=actor)

    if actor in (AGENT, LEAD):
        assert isinstance(result, EvidenceAdded)
    else:
        assert (type(result), result.code) == (Refused, "not-allowed")
        assert not Evidence.objects.exists()


def mail_with(text: str, *, encoding: str = "quoted-printable") -> bytes:
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "plant@example.com", "Fire"
    mail.set_content(text, cte=encoding)
    mail.add_attachment(PHOTO, maintype="image", subtype="jpeg", filename="wreck.jpg")
    return mail.as_bytes()


@pytest.mark.parametrize("encoding", ["quoted-printable", "base64", "7bit"])
def test_no_license_key_is_kept(license: LicenseCreated, case: str, encoding: str) -> None:
    before = length(license.license_id)
    text = f"Our key is {license.license_key}, it burned down.\n"
    assert isinstance(add(case, "clean.eml", mail_with("It burned down.\n", encoding=encoding)), EvidenceAdded)

    results = [
        add(case, "mail.eml", mail_with(text, encoding=encoding)),
        add(case, "note.txt", text.encode()),
        add(case, f"{license.license_key}.jpg", PHOTO),
    ]

    assert [(type(result), result.code) for result in results] == [(BadInput, "evidence-holds-key")] * 3
    assert length(license.license_id) == before + 1
    stored = b"".join(bytes(row.content) for row in Evidence.objects.all())
    assert license.license_key.encode() not in stored
    assert base64.b64encode(license.license_key.encode())[:20] not in stored


def nested(depth: int) -> bytes:
    """A mail in a mail in a mail."""
    heads = [f"Content-Type: multipart/mixed; boundary=b{number}\n\n--b{number}\n" for number in range(depth)]
    return "".join(heads).encode() + b"Content-Type: text/plain\n\nIt burned down.\n"


@pytest.mark.parametrize(
    "content",
    [
        nested(3000),
        b"Content-Type: multipart/mixed; boundary=\n\n--\n",
        b'Content-Type: text/plain; charset="\xff"; =\nContent-Transfer-Encoding: base64\n\n=A=\n',
        b"Subject: =?utf-8?b?=?=\nContent-Type: ;;;\nContent-Disposition: ;=\n\nx\n",
    ],
)
def test_a_mail_that_is_not_well_made_is_no_surprise(case: str, content: bytes) -> None:
    result = add(case, "mail.eml", content)

    assert isinstance(result, EvidenceAdded) or result.code == "evidence-unsearchable", result


def test_a_deactivation_code_is_better_than_a_restoration(chariot: Chariot, case: str) -> None:
    result = add(case, "mail.eml", mail_with(f"The code is {chariot.deactivate()}.\n"))

    assert (type(result), result.code) == (BadInput, "evidence-holds-code")
    assert "frees the seat without a restoration" in result.message
    assert Restoration.objects.get().evidence.count() == 0


def with_attachment(data: bytes) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "plant@example.com", "Fire"
    mail.set_content("It burned down.")
    mail.add_attachment(data, maintype="application", subtype="octet-stream", filename="key.bin")
    return mail.as_bytes()


def with_subject(text: str) -> bytes:
    encoded = base64.b64encode(f"Fire {text} \u00fc".encode()).decode()
    return f"From: plant@example.com\nSubject: =?utf-8?b?{encoded}?=\n\nIt burned down.\n".encode()


def pdf(drawn: bytes) -> bytes:
    return b"%PDF-1.7\n1 0 obj <</Filter/FlateDecode>> stream\n" + zlib.compress(drawn) + b"\nendstream endobj\n"


HIDDEN = {
    "octet-stream.eml": lambda key: with_attachment(key.encode()),
    "wide.eml": lambda key: with_attachment(key.encode("utf-16-le")),
    "pdf-inside.eml": lambda key: with_attachment(pdf(f"({key}) Tj".encode())),
    "subject.eml": with_subject,
    "mail.msg": lambda key: outlook() + bytes(99) + key.encode("utf-16-le") + bytes(99),
    "plain.pdf": lambda key: PDF + b"0" + key.encode(),
    "drawn.pdf": lambda key: pdf(f"BT ({key}) Tj ET".encode()),
    "kerned.pdf": lambda key: pdf(f"BT [({key[:9]}) -20.5 ({key[9:30]}) 7 ({key[30:]})] TJ ET".encode()),
    "title.pdf": lambda key: PDF + b"/Title (\xfe\xff" + key.encode("utf-16-be") + b")",
    "photo.jpg": lambda key: PHOTO + key.encode(),
    "long.txt": lambda key: b"It burned down. " * 150_000 + key.encode(),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_no_secret_is_kept_in_other_parts_of_a_file(license: LicenseCreated, case: str, name: str) -> None:
    before, clean = length(license.license_id), "no key here, nor a code"
    code = format_deactivation_code(b"0123456789abcdef")

    results = [add(case, name, HIDDEN[name](secret)) for secret in (license.license_key, code)]

    assert [result.code for result in results] == ["evidence-holds-key", "evidence-holds-code"]
    assert (length(license.license_id), Evidence.objects.count()) == (before, 0)
    assert isinstance(add(case, name, HIDDEN[name](clean)), EvidenceAdded)


def test_no_message_repeats_a_key_in_a_file_name(license: LicenseCreated, case: str) -> None:
    key = license.license_key
    files = [(".exe", b"MZ"), (".pdf", b""), (".jpg", PHOTO.ljust(LARGEST_FILE + 1)), (".jpg", PHOTO)]
    for suffix, content in files:
        result = add(case, f"{key}{suffix}", content)
        assert isinstance(result, BadInput)
        assert key not in result.message
    assert add(case, "x" * 100 + f" {key}.jpg").code == "evidence-holds-key"
