"""The text of a mail: its subject, its readable parts and attached texts, decoded. And, to be searched, all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from itertools import islice

MAIL = re.compile(rb"\A(?:[\w-]+:[^\n]*\n(?:[ \t][^\n]*\n)*){2,}\r?\n")
# The source of a mail, pasted as it is: its parts may be encoded, so they must be decoded before anything is searched.
MIME = re.compile(r"^(?:MIME-Version|Content-Transfer-Encoding):", re.IGNORECASE | re.MULTILINE)
HEADER_LETTERS = 20_000
TEXT_FILES = (".txt", ".req")  # whatever media type the mail program gave them
MAIL_FILES = (".eml",)
MOST_PARTS, MOST_NESTED = 200, 4  # of one mail, and of mails within mails


def text_of_paste(text: str) -> str:
    """What was pasted; of the whole source of a mail, its decoded parts."""
    head = text[:HEADER_LETTERS].replace("\r\n", "\n").split("\n\n", 1)[0]
    return text_of_upload(text.encode("utf-8", "replace")) if MIME.search(head) else text


SEAM = re.compile(rb"^--|message/rfc822", re.MULTILINE | re.IGNORECASE)
MOST_SEAMS = 400


def text_of_upload(data: bytes) -> str:
    """The text of an uploaded file: of a mail its subject, its readable parts and attached texts (.txt, .req, .eml),
    base64 and quoted-printable decoded; of anything else all of it.
    """
    parts = list(islice(_texts(data, MOST_NESTED), MOST_PARTS)) if _is_mail(data) else []
    # Some charsets decode to halves of characters, which no page and no table can hold.
    return ("\n\n".join(parts) or _decoded(data)).encode("utf-8", "replace").decode()


def _is_mail(data: bytes) -> bool:
    """Whether it is a mail that can be taken apart: one of thousands of parts is no letter, and costs minutes."""
    seams = len(SEAM.findall(data))
    return seams <= MOST_SEAMS and bool(MAIL.match(data[:HEADER_LETTERS].replace(b"\r\n", b"\n")))


def _texts(data: bytes, nested: int) -> Iterator[str]:
    try:
        mail = BytesParser(policy=policy.default).parsebytes(data)
    except (*_MALFORMED, RecursionError):
        yield _decoded(data)
        return
    with suppress(*_MALFORMED):
        # The License ID is often in the subject only.
        yield str(mail.get("Subject", ""))
    for part in mail.walk():
        if part.is_multipart():
            continue
        name = _file_name(part)
        if name.endswith(MAIL_FILES) and nested > 1:
            yield from _texts(_bytes_of(part), nested - 1)
        elif name.endswith(TEXT_FILES):
            yield _decoded(_bytes_of(part))
        elif part.get_content_maintype() == "text":
            try:
                yield str(part.get_content())
            except _MALFORMED:
                yield _decoded(_bytes_of(part))


# What Python's email package raises over mails that nobody would write.
_MALFORMED = (LookupError, ValueError, TypeError, AttributeError)


def _file_name(part: EmailMessage) -> str:
    try:
        return (part.get_filename() or "").strip().lower()
    except _MALFORMED:
        return ""


def _bytes_of(part: EmailMessage) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def everything_in(data: bytes) -> Iterator[str | bytes]:
    """Whatever a mail holds, to be searched: the values of its headers, decoded, and the bytes of each of its parts.

    Raises ValueError for what cannot be taken apart, or has more parts than a mail has.
    """
    if len(SEAM.findall(data)) > MOST_SEAMS:
        raise ValueError("more parts than a mail has")
    try:
        parts = list(islice(BytesParser(policy=policy.default).parsebytes(data).walk(), MOST_PARTS + 1))
    except (*_MALFORMED, RecursionError) as error:
        raise ValueError("no mail that can be taken apart") from error
    if len(parts) > MOST_PARTS:
        raise ValueError("more parts than a mail has")
    for part in parts:
        for name in dict.fromkeys(part):  # each value for itself, since one may be unreadable
            with suppress(*_MALFORMED):
                yield str(part[name])
        if not part.is_multipart():
            yield _bytes_of(part)
            if part.get_content_maintype() == "text":
                with suppress(*_MALFORMED):
                    yield str(part.get_content())
