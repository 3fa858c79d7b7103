"""The header section of a mail: fields as bytes, then as values (RFC 5322, 2045, 2047, 2231)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import collapse_rfc2231_value, getaddresses, parsedate_to_datetime

from activations.mailtext.decoding import MAX_HEADER, decoded_words, file_name, header_letters, header_text, one_line
from activations.mailtext.values import Address

# More header than this is no header of a mail; what follows is not looked at, and `Head.cut` says so.
MAX_HEAD = 1_000_000
MOST_FIELDS = 2_000
MOST_ADDRESSES = 100
MOST_REFERENCES = 50
MAX_ID = 250
MAX_ADDRESS = 254

_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*:")
_CHARSET = re.compile(rb"charset\s{0,20}=\s{0,20}[\"']?([A-Za-z0-9_:+-]{1,40})", re.IGNORECASE)
_BLANK_LINE = re.compile(rb"\n\r?\n")
_ID = re.compile(r"<([!-;=?-~]{1,250})>")
_BARE_ID = re.compile(r"[!-;=?-~]{1,250}")
_ADDRESS = re.compile(r"([!#-'*+\-./-9=?A-Z^-~]{1,64})@([^\s@<>()\[\]\\,;:\"]{1,253})")
_DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_-]{1,63})*")

# What Python's email package raises over values that nobody would write.
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, RecursionError, AssertionError, OverflowError)


@dataclass(frozen=True)
class Head:
    """The fields of a header section in order, names in lower case, values as they stand, folded."""

    fields: tuple[tuple[str, bytes], ...]
    cut: bool = False

    def all(self, name: str) -> list[bytes]:
        """Return the values of every field of this name, topmost first."""
        return [value for found, value in self.fields if found == name]

    def first(self, name: str) -> bytes:
        """Return the topmost value, b"" if there is none. A second one was added by whoever wants to be read."""
        return next((value for found, value in self.fields if found == name), b"")

    def text(self, name: str) -> str:
        """Return the topmost value decoded, on one line."""
        return header_text(self.first(name), self.charset).strip()

    @property
    def charset(self) -> str:
        """The charset that the mail names for its text, "" if it names none."""
        found = _CHARSET.search(self.first("content-type")[:4000])
        return found[1].decode("ascii") if found else ""


def read_head(source: bytes, start: int, end: int) -> tuple[Head, int]:
    """Return the header section that begins at `start`, and where the body begins.

    What does not begin with a field is all body.
    """
    if source[start : start + 5] in (b"From ", b">From"):  # the line that mbox files put before a mail
        line_end = source.find(b"\n", start, end)
        start = line_end + 1 if line_end >= 0 else end
    if source[start : start + 1] == b"\n" or source[start : start + 2] == b"\r\n":
        return Head(()), start + 1 + (source[start : start + 1] == b"\r")
    if not _FIELD.match(source, start, end):
        return Head(()), start
    blank = _BLANK_LINE.search(source, start, end)
    stop, body = (blank.start(), blank.end()) if blank else (end, end)
    cut = stop - start > MAX_HEAD
    fields: list[tuple[str, list[bytes]]] = []
    at = start
    for line in source[start : min(stop, start + MAX_HEAD)].split(b"\n"):
        field = _FIELD.match(line)
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1][1].append(line.rstrip(b"\r"))
        elif field and len(fields) < MOST_FIELDS:
            fields.append((field[1].decode("ascii").lower(), [line[field.end() :].strip(b" \t\r")]))
        elif field:
            cut = True
        elif line.strip() and not line.startswith((b"From ", b">From ")):
            body = at  # a blank line was forgotten: from here on it is body
            break
        at += len(line) + 1
    return Head(tuple((name, b"\n".join(lines)) for name, lines in fields), cut), body


@dataclass(frozen=True)
class ContentType:
    """What a part says of itself. `name` is a base name, "" if the part has none."""

    media_type: str
    disposition: str
    name: str
    charset: str
    boundary: str
    flowed: bool
    delete_space: bool
    encoding: str
    report_type: str
    smime_type: str


def content_type(head: Head, default: str) -> ContentType:
    """Return the type, disposition and parameters of a part. Never raises: what cannot be read is as if not there."""
    message = Message()
    # Python takes quadratic time over parameters.
    for field in ("content-type", "content-disposition"):
        value = head.first(field)[:4000]
        if value:
            message[field] = " ".join(value.decode("utf-8", "replace").split())
    media_type = default
    if "content-type" in message:
        words = str(message["content-type"]).split(";", 1)[0].strip().lower()
        # "text" alone is what some programs write; RFC 2045 5.2 has text/plain for what cannot be read.
        media_type = words if re.fullmatch(r"[\w.+-]{1,100}/[\w.+-]{1,100}", words) else "text/plain"
    disposition = str(message.get("content-disposition", "")).split(";", 1)[0].strip().lower()
    name = _parameter(message, "filename", "content-disposition") or _parameter(message, "name", "content-type")
    return ContentType(
        media_type=media_type,
        disposition=disposition if disposition in ("attachment", "inline") else "",
        name=file_name(decoded_words(name)),
        charset=_parameter(message, "charset", "content-type"),
        boundary=_parameter(message, "boundary", "content-type").rstrip(),
        flowed=_parameter(message, "format", "content-type").lower() == "flowed",
        delete_space=_parameter(message, "delsp", "content-type").lower() == "yes",
        encoding=head.first("content-transfer-encoding")[:100]
        .decode("latin-1")
        .split(";")[0]
        .strip()
        .strip('"')
        .lower(),
        report_type=_parameter(message, "report-type", "content-type").lower(),
        smime_type=_parameter(message, "smime-type", "content-type").lower(),
    )


def _parameter(message: Message, name: str, field: str) -> str:
    try:
        value = message.get_param(name, "", field)
        return collapse_rfc2231_value(value) if value else ""
    except MALFORMED:
        return ""


def subject_of(head: Head) -> str:
    """Return the subject: decoded, one line, at most 300 letters."""
    return one_line(head.text("subject"), 300)


def addresses_of(head: Head, field: str) -> tuple[tuple[Address, ...], bool]:
    """Return the addresses in every field of this name, at most MOST_ADDRESSES, and whether there were more."""
    values = head.all(field)
    raw = b", ".join(values)
    # Encoded words are decoded one by one: a comma inside one separates nothing.
    text = " ".join(header_letters(raw, head.charset).split())
    try:
        pairs = getaddresses([text])
    except MALFORMED:
        pairs = []
    if text.strip() and not any(address for _, address in pairs):
        # Python gives up on the whole list for one wrong character; people's mail programs do not.
        pairs = [(text.split("<")[0], found[0]) for found in _ADDRESS.finditer(text)]
        if not pairs and not text.endswith(":;"):
            pairs = [(text.split("<")[0], "")]
    found = [_address(name, address) for name, address in pairs if name or address]
    return tuple(dict.fromkeys(found))[:MOST_ADDRESSES], len(found) > MOST_ADDRESSES or len(raw) > MAX_HEADER


def _address(name: str, address: str) -> Address:
    return Address(one_line(decoded_words(name).strip("'\" "), 200), usable_address(address))


def usable_address(text: str) -> str:
    """Return an address that mail can be sent to, its domain in lower case ASCII; "" if it is none."""
    found = _ADDRESS.fullmatch(text.strip()[:400])
    if not found:
        return ""
    local, domain = found[1], found[2].lower().rstrip(".")
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    if not _DOMAIN.fullmatch(domain) or local.startswith(".") or local.endswith(".") or ".." in local:
        return ""
    address = f"{local}@{domain}"
    # Longer ones no server takes (RFC 5321, 4.5.3.1.3), and cut to fit they are somebody else's.
    return address if len(address) <= MAX_ADDRESS else ""


def message_ids(raw: bytes) -> tuple[str, ...]:
    """Return the ids in In-Reply-To or References without <>, oldest first.

    Of more than MOST_REFERENCES the first, which began the conversation, and the last ones.
    """
    text = raw[:MAX_HEAD].decode("latin-1")
    found = list(dict.fromkeys(_ID.findall(text)))
    return tuple(found if len(found) <= MOST_REFERENCES else [found[0], *found[1 - MOST_REFERENCES :]])


def message_id(raw: bytes) -> str:
    """Return one Message-ID without <>, "" if there is none or it cannot be one."""
    text = raw[:2000].decode("latin-1").strip()
    found = _ID.search(text)
    if found:
        return found[1]
    return text if _BARE_ID.fullmatch(text) and "@" in text else ""


def date_of(head: Head) -> datetime | None:
    """Return what the sender's clock said, with its time zone; UTC where it names none."""
    try:
        sent = parsedate_to_datetime(head.first("date")[:200].decode("latin-1"))
        sent = sent.replace(tzinfo=UTC) if sent.tzinfo is None else sent
        # Near the ends of the calendar Python cannot even compare two times.
        return sent if 1970 <= sent.year <= 9000 else None
    except MALFORMED:
        return None
