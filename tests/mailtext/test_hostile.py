"""Mails made to break or to stall whoever reads them. Bounds are CPU time, with room for slow machines."""

from __future__ import annotations

import base64
import io
import struct
import time
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from activations.mailtext import Mail, PartKind, read_mail
from activations.mailtext.html_text import text_of_html
from activations.mailtext.pictures import read_picture
from activations.mailtext.quotes import own_text

HEAD = b"From: Joe Smith <plant@example.org>\r\nSubject: Usage Request\r\nMessage-ID: <a@example.org>\r\n"
MB = 1_000_000
MOST_SECONDS = 10


def deep(levels: int) -> bytes:
    parts = [b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (level, level) for level in range(levels)]
    return HEAD.replace(b"\r", b"") + b"".join(parts) + b"Content-Type: text/plain\n\nat the bottom\n"


def mails_in_mails(levels: int) -> bytes:
    return b"".join(HEAD + b"Content-Type: message/rfc822\r\n\r\n" for _ in range(levels)) + HEAD + b"\r\ninnermost"


def many_parts(count: int, part: bytes = b"Content-Type: text/plain\r\n\r\nx\r\n") -> bytes:
    return HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + (b"--b\r\n" + part) * count + b"--b--\r\n"


def typed(content_type: bytes, body: bytes, encoding: bytes = b"7bit") -> bytes:
    return HEAD + b"Content-Type: " + content_type + b"\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body


def prefixes() -> bytes:
    """Nested boundaries of which each begins like all the others, over lines that begin like all of them."""
    nest = b"".join(
        b"Content-Type: multipart/mixed; boundary=%s\n\n--%s\n" % (b"b" * n, b"b" * n) for n in range(1, 30)
    )
    return HEAD.replace(b"\r", b"") + nest + b"--" + b"b" * 40 + (b"\n--" + b"b" * 40) * 500_000


TOO_MANY, TOO_DEEP = "too many parts", "nests its parts too deeply"
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "10,000 parts": (lambda: many_parts(10_000), TOO_MANY),
    "10,000 pictures": (lambda: many_parts(10_000, b"Content-Type: image/png\r\n\r\n\x89PNG\r\n\x1a\n"), TOO_MANY),
    "a million seams": (lambda: many_parts(1, b"\r\n--b" * 2_000_000), TOO_MANY),
    "1,000 deep": (lambda: deep(1_000), TOO_DEEP),
    "1,000 mails deep": (lambda: mails_in_mails(1_000), "attached to each other more than"),
    "boundaries that begin alike": (prefixes, "where its parts begin"),
    "25 MB of one line": (lambda: typed(b"text/plain", b"x" * 25 * MB), "longer than 2 MB"),
    "25 MB of line ends": (lambda: typed(b"text/plain", b"\n" * 25 * MB), "longer than 2 MB"),
    "25 MB of header": (lambda: b"Subject: " + b"x" * 25 * MB + b"\r\n\r\nhello", "header lines"),
    "a million headers": (lambda: b"X: y\r\n" * 1_000_000 + b"\r\nhello", "header lines"),
    "25 MB of folded header": (lambda: HEAD + b"X: y\r\n" + b" z\r\n" * 6 * MB + b"\r\nhello", "header lines"),
    "25 MB of HTML": (lambda: typed(b"text/html", b"<p>x</p>" * 3 * MB), "longer than 2 MB"),
    "HTML in every part": (
        lambda: many_parts(400, b"Content-Type: text/html\r\n\r\n" + b"<td>x" * 10_000 + b"\r\n"),
        "too large or too broken",
    ),
    "pictures inside the HTML": (
        lambda: typed(b"text/html", b"<img src='data:image/png;base64,iVBORw0KGgo='>" * 40_000),
        "too large or too broken",
    ),
    "25 MB of base64": (lambda: typed(b"application/pdf", b"AAAA" * 6 * MB, b"base64"), "was not searched"),
    "base64 of nothing but signs": (lambda: typed(b"text/plain", b"=*" * 10 * MB, b"base64"), "damaged on its way"),
    "25 MB of quoted-printable": (
        lambda: typed(b"text/plain", b"=3D" * 8 * MB, b"quoted-printable"),
        "longer than 2 MB",
    ),
    "text in every part": (
        lambda: many_parts(
            400, b"Content-Type: text/plain\r\n\r\n" + b"".join(b"%d 12AB " % n for n in range(6_000)) + b"\r\n"
        ),
        "more than 200,000|too long|longer than 200,000",
    ),
    "nothing but NUL": (lambda: typed(b"text/plain", b"\0" * 5 * MB), "longer than 2 MB"),
    "100 MB": (lambda: HEAD + b"\r\n" + b"x\r\n" * 33 * MB, "larger than 40 MB"),
    "a boundary of megabytes": (lambda: typed(b"multipart/mixed; boundary=" + b"b" * 5 * MB, b"x"), "header lines"),
    "no boundary": (lambda: typed(b"multipart/mixed", b"--b\r\n\r\nhello"), "where its parts begin"),
    "a compression nobody knows": (lambda: typed(b"text/plain", b"hello", b"x-zip"), "damaged on its way"),
    "an external body": (lambda: typed(b"message/external-body; access-type=URL", b"x"), "It is not fetched"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_mail_is_read_in_seconds_and_what_is_left_out_is_named(name: str) -> None:
    make, gist = HOSTILE[name]
    source = make()
    began = time.process_time()
    mail = read_mail(source)
    assert time.process_time() - began < MOST_SECONDS
    assert any(words in problem for words in gist.split("|") for problem in mail.problems), mail.problems
    _within_bounds(mail)


def _within_bounds(mail: Mail) -> None:
    assert len(mail.text) <= 200_000
    assert len(mail.subject) <= 300
    assert sum(map(len, mail.searchable)) + 2 * len(mail.searchable) <= 2_000_000
    assert len(mail.attachments) <= 200
    assert len(mail.problems) <= 41
    assert len(mail.references) <= 50
    for text in (mail.text, mail.subject, *mail.searchable, *mail.problems):
        text.encode("utf-8")
        assert "\0" not in text


HEADERS: dict[str, bytes] = {
    "encoded words": b"Subject: " + b"=?utf-8?q?a?= " * 50_000,
    "encoded words without end": b"Subject: " + b"=?a?q?" * 100_000,
    "addresses": b"To: " + b"a@example.com, " * 50_000,
    "comments": b"From: " + b"(" * 200_000,
    "quotes": b"From: " + b'"\\' * 200_000,
    "groups": b"Cc: " + b"a:b;" * 100_000,
    "angles": b"Reply-To: " + b"<" * 200_000,
    "references": b"References: " + b"<a@example.com> " * 50_000 + b"\r\nIn-Reply-To: " + b"<" * 300_000,
    "parameters": b"Content-Type: text/plain" + b'; a="b' * 100_000,
    "continuations": b"Content-Disposition: attachment" + b"".join(b"; filename*%d=a" % n for n in range(30_000)),
    "date": b"Date: " + b"1 " * 200_000,
    "results": b"Authentication-Results: mx.example.com; " + b"(" * 100_000 + b"spf=pass;" * 50_000,
    "id": b"Message-ID: " + b"<" * 500_000,
    "failed recipients": b"X-Failed-Recipients: " + b"a@b.example," * 50_000,
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_of_megabytes_takes_no_time(name: str) -> None:
    began = time.process_time()
    mail = read_mail(HEADERS[name] + b"\r\n\r\nhello", trusted_servers=frozenset({"mx.example.com"}))
    assert time.process_time() - began < MOST_SECONDS
    _within_bounds(mail)


@pytest.mark.parametrize(
    "text",
    [
        "\n" * 200_000,
        "On " + "a " * 90_000,
        "From: x\nTo: y\n" * 10_000,
        "On x\nwrote\n" * 15_000,
        "> " * 90_000,
        "_" * 200_000,
        "_____________________\n" * 9_000,
        " " * 199_999 + "x",
    ],
)
def test_folding_quotes_takes_no_time(text: str) -> None:
    began = time.process_time()
    own_text(text, forwarded=False)
    assert time.process_time() - began < MOST_SECONDS


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 400_000,
        "<" * 2_000_000,
        "<!--" * 400_000,
        '<p style="' + "opacity: 0 " * 150_000,
        "<table><tr><td>" * 60_000,
        "&" * 2_000_000,
        "<blockquote type=cite>" * 80_000 + "x<br>" * 9_000,
    ],
)
def test_html_takes_no_time(html: str) -> None:
    began = time.process_time()
    text_of_html(html)
    assert time.process_time() - began < MOST_SECONDS


def test_html_deeper_than_a_browser_goes_loses_nothing_unsaid() -> None:
    for depth in (300, 3_000, 100_000):
        page = text_of_html("<div>" * depth + "at the bottom")
        assert "at the bottom" in page.text or not page.whole


def picture(form: str, size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    Image.new("1", size).save(out, form)
    return out.getvalue()


def declared_png(width: int, height: int) -> bytes:
    """A PNG of one byte a pixel, all of them 0."""
    rows = zlib.compressobj(9)
    empty = bytes(width + 1)
    data = b"".join([*(rows.compress(empty) for _ in range(min(height, 400))), rows.flush()])
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", data), (b"IEND", b"")]
    written = (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


@pytest.mark.parametrize("size", [(40_000, 40_000), (6_000, 6_000)])
def test_a_picture_that_unpacks_to_gigabytes_is_not_opened(size: tuple[int, int]) -> None:
    data = declared_png(*size)
    assert len(data) < MB
    began = time.process_time()
    found = read_picture(data)
    assert time.process_time() - began < 1
    assert "more pixels" in found.trouble
    mail = read_mail(typed(b"image/png; name=qr.png", base64.encodebytes(data), b"base64"))
    assert mail.attachments[0].kind is PartKind.IMAGE
    assert "more pixels" in mail.attachments[0].note
    assert any("qr.png" in problem for problem in mail.problems)


@pytest.mark.parametrize(
    "data",
    [
        picture("TIFF", (10, 10)),
        picture("PPM", (10, 10)),
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"GIF89a",
        picture("PNG", (900, 900))[:60],
        b"<svg/>",
        b"BM" + b"\xff" * 60,
    ],
)
def test_what_is_no_plain_picture_is_said_to_be_none(data: bytes) -> None:
    assert read_picture(data).trouble


def test_pictures_share_one_bound() -> None:
    data = base64.encodebytes(picture("PNG", (5_000, 5_000)))
    began = time.process_time()
    mail = read_mail(many_parts(40, b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" + data))
    assert time.process_time() - began < 2 * MOST_SECONDS
    assert len(mail.attachments) == 40
    assert any("QR codes" in problem for problem in mail.problems)
    assert all(one.note for one in mail.attachments)
