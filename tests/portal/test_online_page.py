"""/activate/: a helper's phone takes a Usage Request across the air gap and a Usage License back."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
import segno
from chariot_license.protocol.block import Kind
from chariot_license.protocol.qr import qr_payload
from chariot_license.protocol.reader import read_block
from django.conf import settings
from django.core.cache import caches
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from activations import online_page
from activations.models import IntakeEntry
from activations.services.licenses import LicenseCreated
from tests.portal.cast import issue, length, make_license
from tests.portal.chariot import Chariot, host
from tests.portal.web import INLINE, Page

ADDRESS = "/activate/"


@pytest.fixture(autouse=True)
def _nothing_counted() -> None:
    caches["default"].clear()


@pytest.fixture
def online(signing_keys: None) -> LicenseCreated:
    return make_license(allowed=1, online=True)


@pytest.fixture
def phone(db: None) -> Client:
    """A browser that nobody signed in with; it has the form's token."""
    client = Client(enforce_csrf_checks=True)
    client.get(ADDRESS)
    return client


def send(phone: Client, text: str = "", **more: Any) -> Any:
    given = {"csrfmiddlewaretoken": phone.cookies["csrftoken"].value, "text": text, **more}
    return phone.post(ADDRESS, given)


def read(response: Any) -> Page:
    return Page(response, None)  # type: ignore[arg-type]  # nobody goes on from it


def words(response: Any) -> str:
    return read(response).words


def picture_of(text: str, kind: Kind = Kind.REQUEST) -> SimpleUploadedFile:
    out = io.BytesIO()
    segno.make_qr(qr_payload(kind, read_block(text, kind).data), error="m").save(out, kind="png", scale=5)
    return SimpleUploadedFile("photo.png", out.getvalue(), content_type="image/png")


def test_the_page_needs_no_one_to_sign_in_and_no_script(phone: Client) -> None:
    page = phone.get(ADDRESS)

    assert page.status_code == 200
    assert not INLINE.search(page.content.decode())
    assert list(phone.cookies) == ["csrftoken"]
    assert page["Cache-Control"].count("no-store") == 1
    assert "unsafe" not in page["Content-Security-Policy"]


def test_a_pasted_request_gets_its_license_as_text_file_and_qr_code(phone: Client, online: LicenseCreated) -> None:
    pump = Chariot(online.license_key, host("pump-house"))
    text = pump.request()

    page = send(phone, f"Hello\n{text}\n")

    shown = re.search(r'<pre id="usage-license"[^>]*>([^<]+)</pre>', page.content.decode())
    assert page.status_code == 200
    assert shown
    granted = pump.install(shown[1])
    assert granted.usage_license_id in words(page)
    assert "viewBox=" in page.content.decode()
    assert not INLINE.search(page.content.decode())
    assert list(phone.cookies) == ["csrftoken"]

    file = send(phone, text, download="1")

    assert file["Content-Disposition"] == f'attachment; filename="{granted.usage_license_id}.txt"'
    assert file.content.decode().strip() == shown[1].strip()


def test_the_qr_code_of_a_request_is_read_from_a_picture(phone: Client, online: LicenseCreated) -> None:
    text = Chariot(online.license_key, host("pump-house")).request()

    page = send(phone, picture=picture_of(text))

    assert "Your Usage License" in words(page)


def test_what_waits_is_asked_for_again_with_one_button(phone: Client, license: LicenseCreated) -> None:
    text = Chariot(license.license_key, host("pump-house")).request()

    page = send(phone, text)

    assert "It waits at Support" in words(page)
    assert license.license_id in words(page)
    carried = read(page).forms[0].fields["text"]
    assert read_block(carried, Kind.REQUEST).data == read_block(text, Kind.REQUEST).data
    issue(text)
    assert "Your Usage License" in words(send(phone, carried))


def test_a_refusal_is_said_in_the_customers_words(phone: Client, online: LicenseCreated) -> None:
    send(phone, Chariot(online.license_key, host("pump-house")).request())

    page = send(phone, Chariot(online.license_key, host("weir")).request())

    assert page.status_code == 409
    assert "All activations of your license are in use." in words(page)


def test_what_is_no_request_stays_in_the_box_without_the_license_key(phone: Client, online: LicenseCreated) -> None:
    page = send(phone, f"My key is {online.license_key}, where do I put it?")

    assert page.status_code == 422
    assert "There is no Usage Request in this text" in words(page)
    assert "where do I put it" in page.content.decode()
    assert online.license_key not in page.content.decode()
    assert not IntakeEntry.objects.exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "Paste the Usage Request, or choose a picture"),
        ({"picture": SimpleUploadedFile("a.png", b"no picture")}, "it is no PNG, JPEG, GIF, WebP or BMP"),
    ],
)
def test_what_cannot_be_read_says_what_to_do(phone: Client, more: dict[str, Any], said: str) -> None:
    page = send(phone, **more)

    assert page.status_code == 422
    assert said in words(page)


def test_a_picture_without_a_code_says_how_to_take_it(phone: Client) -> None:
    out = io.BytesIO()
    Image.new("L", (400, 300), 255).save(out, "PNG")

    assert "No QR code was found" in words(send(phone, picture=SimpleUploadedFile("a.png", out.getvalue())))


def test_too_large_is_refused_before_it_is_read(phone: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(online_page, "MOST_BODY", 1000)

    page = send(phone, "x" * 2000)

    assert page.status_code == 413
    assert "larger than 15 MB" in words(page)


def test_a_form_of_another_site_is_refused(online: LicenseCreated) -> None:
    text = Chariot(online.license_key, host("pump-house")).request()

    page = Client(enforce_csrf_checks=True).post(ADDRESS, {"text": text})

    assert page.status_code == 403
    assert length(online.license_id) == 1


def test_pictures_and_pages_are_counted(phone: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(online_page, "PICTURES_A_MINUTE", 1)
    no_picture = SimpleUploadedFile("a.png", b"no picture")
    send(phone, picture=no_picture)
    assert "Too many pictures" in words(send(phone, picture=SimpleUploadedFile("a.png", b"no picture")))

    monkeypatch.setattr(settings, "ONLINE_RATE", 2)
    page = send(phone, "Hello")

    assert page.status_code == 429
    assert int(page["Retry-After"]) <= 60
    assert "Too many requests" in words(page)


def test_a_session_of_staff_is_neither_needed_nor_touched(sign_in: Any, online: LicenseCreated) -> None:
    agent = sign_in("agent")

    page = agent.client.get(ADDRESS)

    assert "agent" not in page.content.decode()
    assert "sessionid" not in page.cookies
