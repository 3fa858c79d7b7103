"""Whatever the bytes: a mail is read without an error, within its bounds, and nothing is lost without a word."""

from __future__ import annotations

import base64
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activations.mailtext import Mail, content_digest, conversation_token, read_mail

MAILS = sorted((Path(__file__).resolve().parent.parent / "mails").glob("*.eml"))
SOURCES = [path.read_bytes() for path in MAILS]
# Pieces that mean something to whoever reads mail, put where they do not belong.
PIECES = [
    b"\r\n\r\n",
    b"\n",
    b"\0",
    b"--",
    b"=",
    b"=?utf-8?b?",
    b"?=",
    b"<",
    b">",
    b"(",
    b'"',
    b"\\",
    b";",
    b"\xff\xfe",
    b"\x1b$B",
    b"\xed\xa0\x80",
    b"Content-Type: multipart/mixed; boundary=\r\n",
    b"Content-Type: message/rfc822\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"charset*0*=utf-16''%00",
    b"charset=idna",
    b"charset=unicode_escape",
    b"From: \xff@\xff\r\n",
    b"Date: Mon, 99 Zzz 99999 99:99:99 +9999\r\n",
]
ONCE = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def must_hold(mail: Mail) -> None:
    assert len(mail.text) <= 200_000
    assert len(mail.subject) <= 300
    assert "\n" not in mail.subject
    assert mail.own_text.strip() or not mail.text.strip()
    assert mail.sent_at is None or mail.sent_at.tzinfo is not None
    for one in mail.attachments:
        assert one.name
        assert len(one.name) <= 120
        assert not set(one.name) & set("/\\\r\n\0")
    for text in (
        mail.text,
        mail.own_text,
        mail.subject,
        mail.sender.name,
        mail.message_id,
        *mail.searchable,
        *mail.problems,
    ):
        assert "\0" not in text
        text.encode("utf-8")
    conversation_token(mail)


@ONCE
@given(st.binary(max_size=3_000))
def test_any_bytes_can_be_read(source: bytes) -> None:
    must_hold(read_mail(source))
    assert len(content_digest(source)) == 64


@ONCE
@given(st.integers(0, len(SOURCES) - 1), st.randoms(use_true_random=False))
def test_a_damaged_mail_can_be_read(which: int, rng: random.Random) -> None:
    source = bytearray(SOURCES[which])
    for _ in range(rng.randrange(1, 12)):
        at = rng.randrange(len(source) + 1)
        match rng.randrange(4):
            case 0:
                source[at:at] = rng.choice(PIECES)
            case 1:
                del source[at : at + rng.randrange(1, 200)]
            case 2:
                source[at : at + 1] = bytes([rng.randrange(256)])
            case _:
                again = rng.randrange(len(source) + 1)
                source[at:at] = source[again : again + rng.randrange(1, 300)]
    must_hold(read_mail(bytes(source), trusted_servers=frozenset({"mx.example.com"})))


@ONCE
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["plain", "html", "file", "txt", "mail", "zip"]), st.sampled_from(["7bit", "base64"])
        ),
        min_size=1,
        max_size=8,
    ),
    st.booleans(),
)
def test_no_part_is_lost_without_a_word(parts: list[tuple[str, str]], nested: bool) -> None:
    source = b"From: Joe Smith <plant@example.org>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    marks = [f"mark{number:03d}here" for number in range(len(parts))]
    for (kind, encoding), mark in zip(parts, marks, strict=True):
        source += b"--b\r\n" + _part(kind, encoding, mark)
    source += b"--b--\r\n"
    if nested:
        source = b"From: it@example.org\r\nContent-Type: message/rfc822\r\n\r\n" + source
    mail = read_mail(source)
    for (kind, _), mark in zip(parts, marks, strict=True):
        searched = any(mark in text for text in mail.searchable)
        kept = any(
            mark.encode() in one.data or base64.b64encode(mark.encode())[:-3] in one.data for one in mail.attachments
        )
        if kind in ("plain", "html"):
            assert searched
            assert nested or mark in mail.text
        elif kind in ("txt", "mail"):
            assert searched
            assert kept
        else:
            assert kept
            assert any(f"{mark}.{kind}" in problem for problem in mail.problems)


def _part(kind: str, encoding: str, mark: str) -> bytes:
    body = mark.encode()
    types = {
        "plain": "text/plain",
        "html": "text/html",
        "file": "application/x-thing",
        "txt": "text/plain",
        "zip": "application/zip",
        "mail": "message/rfc822",
    }
    head = f"Content-Type: {types[kind]}\r\n"
    if kind == "html":
        body = f"<p>{mark}</p>".encode()
    if kind == "mail":
        return head.encode() + b"\r\nSubject: inner\r\n\r\n" + body + b"\r\n"
    if kind in ("file", "txt", "zip"):
        head += f"Content-Disposition: attachment; filename={mark}.{kind}\r\n"
    if encoding == "base64":
        head, body = head + "Content-Transfer-Encoding: base64\r\n", base64.encodebytes(body)
    return head.encode() + b"\r\n" + body + b"\r\n"


@pytest.mark.parametrize("name", [path.stem for path in MAILS])
def test_a_mail_cut_off_anywhere_can_be_read(name: str) -> None:
    source = SOURCES[[path.stem for path in MAILS].index(name)]
    for end in range(0, len(source), max(1, len(source) // 12)):
        must_hold(read_mail(source[:end]))
