"""The text of a pasted or uploaded mail, as the desk looks at it; and, to be searched for secrets, all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from itertools import islice

from activations.mailtext import read_mail
from activations.mailtext.decoding import decoded

MAIL = re.compile(rb"\A(?:[\w-]+:[^\n]*\n(?:[ \t][^\n]*\n)*){2,}\r?\n")
# The source of a mail, pasted as it is: its parts may be encoded, so they must be decoded before anything is searched.
MIME = re.compile(r"^(?:MIME-Version|Content-Transfer-Encoding):", re.IGNORECASE | re.MULTILINE)
HEADER_LETTERS = 20_000
SEAM = re.compile(rb"^--|message/rfc822", re.MULTILINE | re.IGNORECASE)
MOST_SEAMS, MOST_PARTS = 400, 200  # of what is searched for secrets: a mail of more cannot be searched in time


def text_of_paste(text: str) -> str:
    """What was pasted; of the whole source of a mail, its decoded parts."""
    head = text[:HEADER_LETTERS].replace("\r\n", "\n").split("\n\n", 1)[0]
    return text_of_upload(text.encode("utf-8", "replace")) if MIME.search(head) else text


def source_of_file(data: bytes) -> str | bytes:
    """A file as the reader of Usage Requests takes it: of a mail whose parts are encoded, their text."""
    head = data[:HEADER_LETTERS].replace(b"\r\n", b"\n").split(b"\n\n", 1)[0]
    return text_of_upload(data) if MIME.search(head.decode("latin-1")) else data


def text_of_upload(data: bytes) -> str:
    """The text of an uploaded file: of a mail everything that a request or a code may stand in (`mailtext`), decoded;
    of anything else all of it.
    """
    parts = read_mail(data).searchable if MAIL.match(data[:HEADER_LETTERS].replace(b"\r\n", b"\n")) else ()
    # Some charsets decode to halves of characters, which no page and no table can hold.
    return ("\n\n".join(parts) or decoded(data)[0]).encode("utf-8", "replace").decode()


# What Python's email package raises over mails that nobody would write.
_MALFORMED = (LookupError, ValueError, TypeError, AttributeError)


def _bytes_of(part: EmailMessage) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


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
