"""The parts of a mail, one after the other: what is shown, what is searched, what is attached (RFC 2046)."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from chariot_license.protocol.block import FoundBlock
from chariot_license.protocol.errors import BlockError
from chariot_license.protocol.reader import find_blocks

from activations.mailtext import files
from activations.mailtext.decoding import decoded, file_name
from activations.mailtext.findings import Findings
from activations.mailtext.headers import (
    ContentType,
    Head,
    addresses_of,
    content_type,
    message_id,
    read_head,
    subject_of,
)
from activations.mailtext.html_text import text_of_html
from activations.mailtext.pictures import read_picture
from activations.mailtext.transfer import decode_transfer, find_seams
from activations.mailtext.values import Attachment, PartKind

MOST_DEEP = 20  # multiparts within multiparts
MOST_NESTED = 4  # mails within mails
MAX_PART = 2_000_000  # bytes of one part that are read as text
_MOST_VERSIONS = 4  # of one text, that are compared
_LONGEST_COMPARED = 100_000
_SHORT = 300  # what stands outside the parts is a sentence for programs that know no MIME

_BODIES = ("text/plain", "text/html", "text/enriched", "text/richtext", "text/x-amp-html", "text/x-watch-html")
_META_CHARSET = re.compile(rb"charset\s{0,20}=\s{0,20}[\"']?([A-Za-z0-9_:+-]{1,40})", re.IGNORECASE)
_PGP = re.compile(r"^-----BEGIN PGP MESSAGE-----", re.MULTILINE)
_UUENCODED = re.compile(r"^begin [0-7]{3,4} \S[^\n]{0,200}\n[!-`]{20,}", re.MULTILINE)

ENCRYPTED = (
    "This mail, or a part of it, is encrypted (S/MIME or PGP) and cannot be read here."
    " Ask the customer to send it again without encryption; a Usage Request holds no secret."
)
OPAQUE = (
    "This mail is signed in a form that wraps all of its text (S/MIME, smime.p7m) and cannot be read here."
    " Ask the customer to send it again without a signature, or with a clear-text signature."
)
WINMAIL = (
    "Outlook packed what was attached into winmail.dat, which cannot be read here. If something is missing, ask the"
    " customer to send it again as HTML or plain text, or to paste the Usage Request into the mail."
)


@dataclass(frozen=True)
class Letter:
    """One mail: its header section, its own content type and what a person reads of it, not bounded yet."""

    head: Head
    media_type: str
    text: str


def read_letter(source: bytes, start: int, end: int, findings: Findings, nested: int = 0) -> Letter:
    """Read the mail between two offsets; `nested` counts the mails around it. What is found goes into `findings`."""
    return _Letter(source, findings, nested).read(start, end)


class _Letter:
    def __init__(self, source: bytes, findings: Findings, nested: int) -> None:
        self._source = source
        self._findings = findings
        self._nested = nested

    def read(self, start: int, end: int) -> Letter:
        head, body = read_head(self._source, start, end)
        kind = content_type(head, "text/plain")
        self._findings.search(subject_of(head), "The subject")
        if len(head.all("content-type")) > 1 and len(set(head.all("content-type"))) > 1:
            self._findings.problem(
                "The mail names its type more than once, so that mail programs show it differently."
                " Read here is the first. If something is missing, ask the customer to send it again."
            )
        return Letter(head, kind.media_type, self._content(head, kind, body, end, deep=0, within=""))

    def _part(self, start: int, end: int, *, default: str, deep: int, within: str) -> tuple[str, str]:
        """Return the media type of a part and what a person reads of it."""
        head, body = read_head(self._source, start, end)
        kind = content_type(head, default)
        return kind.media_type, self._content(head, kind, body, end, deep=deep, within=within)

    def _content(self, head: Head, kind: ContentType, body: int, end: int, *, deep: int, within: str) -> str:
        if head.cut:
            self._findings.problem("The mail has far more header lines than any mail has; not all of them were read.")
        if kind.media_type.startswith("multipart/"):
            return self._multipart(kind, body, end, deep)
        self._findings.parts_left -= 1
        if self._findings.parts_left < 0:
            self._too_many()
            return ""
        content, whole = decode_transfer(self._source[body:end], kind.encoding)
        if not whole:
            what = f"“{kind.name}”" if kind.name else "A part of this mail"
            self._findings.problem(
                f"{what} was damaged on its way (its encoding is broken). Compare it with what the customer sees,"
                " or ask for it again."
            )
        if (
            kind.media_type in _BODIES
            and kind.disposition != "attachment"
            and (not kind.name or within == "alternative")
        ):
            return self._body(kind, content)
        self._attachment(kind, content, within)
        return ""

    # ---- multiparts

    def _multipart(self, kind: ContentType, body: int, end: int, deep: int) -> str:
        within = kind.media_type.partition("/")[2]
        if within == "encrypted":
            self._findings.problem(ENCRYPTED)
        if deep >= MOST_DEEP or not kind.boundary:
            return self._unopened(body, end, deep)
        seams = find_seams(self._source, body, end, kind.boundary, max(self._findings.parts_left, 1))
        if not seams.parts:
            return self._unopened(body, end, deep)
        if seams.more:
            self._too_many()
        elif not seams.closed:
            self._findings.problem(
                "The mail breaks off before its end, so that its last part may not be whole."
                " If something is missing, ask the customer to send it again."
            )
        default = "message/rfc822" if within == "digest" else "text/plain"
        texts = [self._part(*span, default=default, deep=deep + 1, within=within) for span in seams.parts]
        for span in seams.outside:
            self._outside(*span)
        if within == "alternative":
            if _differ(texts):
                self._findings.problem(
                    "The plain and the HTML version of this mail hold different Usage Requests."
                    " Ask the customer which one is meant."
                )
            return _best(texts)
        return "\n\n".join(text for _, text in texts if text.strip())

    def _unopened(self, body: int, end: int, deep: int) -> str:
        """Take all of a multipart that cannot be taken apart as one text."""
        why = "nests its parts too deeply" if deep >= MOST_DEEP else "does not show where its parts begin"
        self._findings.problem(
            f"The mail {why}, so it was read as it stands, and attached files in it were not opened."
            " If something is missing, ask the customer to send it again."
        )
        text = decoded(self._cut(self._source[body:end], "The mail"))[0]
        self._findings.search(text, "The mail")
        return text

    def _outside(self, start: int, end: int) -> None:
        text = decoded(self._source[start : min(end, start + MAX_PART)])[0].strip()
        self._findings.search(text, "The text outside the parts of the mail")
        if len(text) > _SHORT or files.has_block_words(text):
            self._findings.problem(
                "There is text outside the parts of this mail, which mail programs do not show. It was searched."
                " Look at the mail itself before you rely on it."
            )

    def _too_many(self) -> None:
        self._findings.problem(
            "The mail has too many parts to read all of them. Ask the customer for a mail with the request alone."
        )

    # ---- texts

    def _body(self, kind: ContentType, content: bytes) -> str:
        text, shown = self._text(kind, content, "The text of the mail")
        self._findings.search(text, "The text of the mail")
        if _PGP.search(text):
            self._findings.problem(ENCRYPTED)
        if _UUENCODED.search(text):
            self._findings.problem(
                "A file is written into the text of this mail in an old form (uuencode) and is not opened."
                " Ask the customer to attach it."
            )
        return shown

    def _text(self, kind: ContentType, content: bytes, what: str) -> tuple[str, str]:
        """Return what is searched of a text part, and what is shown of it."""
        data = self._cut(content, what)
        is_html = "html" in kind.media_type or kind.name.lower().endswith((".htm", ".html"))
        charset = kind.charset
        if not charset and is_html:
            found = _META_CHARSET.search(data[:4000])
            charset = found[1].decode("ascii") if found else ""
        text, whole = decoded(data, charset)
        if not whole:
            self._findings.problem(
                f"Some letters of {what[0].lower() + what[1:]} could not be read: it is not in the character set that"
                " the mail names. Names and prose may show wrong letters; a Usage Request is checked line by line."
            )
        if is_html:
            page = self._page(text, what)
            return page, page
        return text, _unflowed(text, kind.delete_space) if kind.flowed else text

    def _page(self, source: str, what: str) -> str:
        room = max(self._findings.html_left, 0)
        page = text_of_html(source[:room])
        self._findings.html_left -= len(source)
        self._findings.conceal(page.hidden)
        if not page.whole or len(source) > room:
            self._findings.problem(
                f"{what} is HTML that is too large or too broken to read all of it."
                " If something is missing, ask the customer for plain text."
            )
        for address in page.pictures:
            self._embedded(address)
        return page.text

    def _embedded(self, address: str) -> None:
        """Take a picture that stands in the HTML itself (RFC 2397) as an attached one."""
        media_type, comma, data = address.lstrip()[len("data:") :].partition(",")
        encoding = "base64" if media_type.lower().endswith(";base64") and comma else ""
        head = Head((("content-type", media_type.split(";")[0].encode("utf-8", "replace")),))
        content, _ = decode_transfer(unquote_to_bytes(data), encoding)
        self._attachment(content_type(head, "application/octet-stream"), content, "related")

    def _cut(self, data: bytes, what: str) -> bytes:
        if len(data) > MAX_PART:
            self._findings.problem(
                f"{what} is longer than {MAX_PART // 1_000_000} MB; only its beginning was read."
                " Ask the customer for the Usage Request alone."
            )
        return data[:MAX_PART]

    # ---- attachments

    def _attachment(self, kind: ContentType, data: bytes, within: str) -> None:
        number = len(self._findings.attachments) + 1
        name = files.name_for(kind.name, kind.media_type, number)
        what = files.kind_of(kind.name, kind.media_type, data)
        note = files.note_of(name, kind.media_type, what, data)
        if what is PartKind.MAIL:
            name, note = self._mail(name if kind.name else "", data, within)
        elif what is PartKind.IMAGE and not note:
            note = self._picture(name, data)
        elif what in (PartKind.TEXT, PartKind.REQUEST):
            what = self._attached_text(kind, name, what, data, within)
        self._warn(kind, name, what, data, note)
        if not self._nested:
            self._findings.attach(Attachment(name, kind.media_type, what, data, note))

    def _attached_text(self, kind: ContentType, name: str, what: PartKind, data: bytes, within: str) -> PartKind:
        text, _ = self._text(kind, data, f"The file “{name}”")
        if kind.media_type in ("message/delivery-status", "message/global-delivery-status"):
            self._findings.reports.append(data)
        elif kind.media_type == "text/rfc822-headers":
            self._remember_original(data)
        elif within != "report":
            self._findings.search(text, f"The file “{name}”")
        return PartKind.REQUEST if files.has_block_words(text) else what

    def _mail(self, name: str, data: bytes, within: str) -> tuple[str, str]:
        """Read an attached mail; return its name as a file and what staff are told."""
        if within == "report":
            # What comes back with a bounce is our own mail, or a quote of an older one: nothing a customer sends.
            self._remember_original(data)
            return name or "returned-mail.eml", "The mail that could not be delivered. It is not searched."
        if self._nested >= MOST_NESTED:
            self._findings.problem(
                f"Mails are attached to each other more than {MOST_NESTED} deep; the innermost were not read."
                " Ask the customer for the Usage Request alone."
            )
            return name or "mail.eml", "Not read: too many mails within mails."
        letter = read_letter(data, 0, len(data), self._findings, self._nested + 1)
        subject = subject_of(letter.head) or "no subject"
        sender = next((one.address for one in addresses_of(letter.head, "from")[0] if one.address), "an unknown sender")
        return name or f"{file_name(subject)[:100] or 'mail'}.eml", f"A mail from {sender}: {subject}. It was searched."

    def _remember_original(self, data: bytes) -> None:
        if not self._findings.original_message_id:
            self._findings.original_message_id = message_id(read_head(data, 0, len(data))[0].first("message-id"))

    def _picture(self, name: str, data: bytes) -> str:
        if self._findings.pictures_left <= 0 or self._findings.pixels_left <= 0:
            self._findings.problem(
                f"The mail has more pictures than are searched for QR codes; “{name}” and those after it were not."
            )
            return "Not searched for a QR code: the mail has too many pictures."
        picture = read_picture(data, self._findings.pixels_left)
        self._findings.pictures_left -= 1
        self._findings.pixels_left -= picture.pixels
        for payload in picture.payloads:
            self._findings.search(payload, f"The QR code in “{name}”")
        if picture.trouble:
            self._findings.problem(
                f"The picture “{name}” was not searched for a QR code: {picture.trouble}."
                " Ask the customer for the Usage Request as text."
            )
            return f"Not searched for a QR code: {picture.trouble}."
        if any(files.has_block_words(payload) for payload in picture.payloads):
            return "QR code read."
        return "A QR code, but none of Chariot's." if picture.payloads else "No QR code was found in it."

    def _warn(self, kind: ContentType, name: str, what: PartKind, data: bytes, note: str) -> None:
        """Name in the problems what may hold the request and was not read."""
        media_type = kind.media_type
        if media_type in ("application/ms-tnef", "application/vnd.ms-tnef") or data.startswith(files.TNEF_START):
            self._findings.problem(WINMAIL)
        elif media_type in ("application/pkcs7-mime", "application/x-pkcs7-mime") or name.lower().endswith(".p7m"):
            self._findings.problem(OPAQUE if kind.smime_type == "signed-data" else ENCRYPTED)
        elif media_type == "application/pgp-encrypted" or name.lower().endswith((".pgp", ".gpg")):
            self._findings.problem(ENCRYPTED)
        elif media_type in ("message/partial", "message/external-body"):
            self._findings.problem(
                "Part of this mail is not in it but elsewhere (message/partial or external-body). It is not fetched."
                " Ask the customer to send all of it in one mail."
            )
        elif what is PartKind.ARCHIVE or name.lower().endswith((".msg", ".heic", ".heif", ".tif", ".tiff")):
            self._findings.problem(f"“{name}”: {note}")
        elif what is PartKind.OTHER and data and "signature" not in media_type:
            self._findings.problem(
                f"“{name}” was not searched. If the Usage Request is in it, open it and paste the text."
            )


def _best(texts: list[tuple[str, str]]) -> str:
    """Return the version that is shown: the plain one, unless it only says that there is an HTML one."""
    plain = next((text for media_type, text in texts if media_type == "text/plain" and text.strip()), "")
    rich = next((text for media_type, text in reversed(texts) if media_type != "text/plain" and text.strip()), "")
    if not plain or (rich and len(rich) > 4 * len(plain) + _SHORT):
        return rich or plain
    return plain


def _differ(texts: list[tuple[str, str]]) -> bool:
    """Say whether one reader of this mail would see another Usage Request than the next."""
    seen: list[set[bytes]] = []
    for _, text in texts[:_MOST_VERSIONS]:
        if files.has_block_words(text) and len(text) < _LONGEST_COMPARED:
            with suppress(BlockError):
                seen.append({block.data for block in find_blocks(text) if isinstance(block, FoundBlock)})
    return any(one != seen[0] for one in seen if one and seen[0])


def _unflowed(text: str, delete_space: bool) -> str:
    """Return the paragraphs of a format=flowed text (RFC 3676)."""
    out: list[str] = []
    open_at = -1  # quote depth of the paragraph that goes on
    for line in text.replace("\r\n", "\n").split("\n"):
        content = line.lstrip(">")
        depth = len(line) - len(content)
        content = content.removeprefix(" ")
        flows = content.endswith(" ") and content != "-- "
        piece = content[:-1] if flows and delete_space else content
        if open_at == depth and content != "-- ":
            out[-1] += piece
        else:
            out.append((">" * depth + " " if depth else "") + piece)
        open_at = depth if flows else -1
    return "\n".join(out)
