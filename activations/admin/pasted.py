"""What a pasted text or an uploaded mail is: recognised before anything is decided."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from itertools import islice

from chariot_license.protocol.block import DamagedBlock, FoundBlock
from chariot_license.protocol.block import Kind as BlockKind
from chariot_license.protocol.codes import FoundCodes, find_codes, parse_deactivation_code
from chariot_license.protocol.errors import BlockError, CodeError
from chariot_license.protocol.reader import find_blocks

from activations.services.intake import LICENSE_KEY

MAIL = re.compile(rb"\A(?:[\w-]+:[^\n]*\n(?:[ \t][^\n]*\n)*){2,}\r?\n")
# What was meant as a deactivation code: five to eight groups of four, of which the last may have lost a letter.
ALMOST_CODE = re.compile(r"(?<![\w-])[0-9A-Za-z]{4}([ -])(?:[0-9A-Za-z]{4}\1){4,6}[0-9A-Za-z]{2,5}(?![\w-])")
MOST_PROBLEMS = 5  # more would bury the first ones
# The source of a mail, pasted as it is: its parts may be encoded, so they must be decoded before anything is searched.
MIME = re.compile(r"^(?:MIME-Version|Content-Transfer-Encoding):", re.IGNORECASE | re.MULTILINE)
HEADER_LETTERS = 20_000
TEXT_FILES = (".txt", ".req")  # whatever media type the mail program gave them
MAIL_FILES = (".eml",)
MOST_PARTS, MOST_NESTED = 200, 4  # of one mail, and of mails within mails


@dataclass(frozen=True)
class Pasted:
    """What was found. `problems` are sentences that name typing mistakes and say what to do."""

    requests: tuple[FoundBlock, ...]
    damaged: DamagedBlock | None
    usage_licenses: int
    codes: FoundCodes
    problems: tuple[str, ...] = ()
    unreadable: str = ""
    # Usage Requests in order of appearance, damaged ones among them.
    blocks: tuple[FoundBlock | DamagedBlock, ...] = ()
    almost_code: bool = False  # what was meant as a deactivation code, and is none

    @property
    def has_request(self) -> bool:
        """A Usage Request, whole or damaged, is what the text is about."""
        return bool(self.requests) or self.damaged is not None

    @property
    def has_code(self) -> bool:
        return bool(self.codes.deactivation_codes)


def recognise(text: str) -> Pasted:
    """Finds Usage Requests and codes in a whole mail. Never raises."""
    codes = find_codes(text)
    try:
        blocks = find_blocks(text)
    except BlockError as error:
        return Pasted((), None, 0, codes, unreadable=error.message)
    whole = [block for block in blocks if isinstance(block, FoundBlock)]
    damaged = [block for block in blocks if isinstance(block, DamagedBlock)]
    requests = tuple(block for block in whole if block.kind is BlockKind.REQUEST)
    return Pasted(
        requests=requests,
        damaged=damaged[0] if damaged and not requests else None,
        usage_licenses=len(whole) - len(requests),
        codes=codes,
        problems=_problems(text, codes),
        blocks=tuple(block for block in blocks if block.kind is not BlockKind.LICENSE),
        almost_code=not codes.deactivation_codes and next(_almost(text), None) is not None,
    )


def without_keys(text: str, found: Pasted) -> str:
    """The text as a page may carry it on: a License Key that came with it is secret and needed for nothing."""
    if not found.codes.license_keys:
        return text
    masked = LICENSE_KEY.sub("[License Key]", text)
    if not find_codes(masked).license_keys:
        return masked
    # Wrapped or encoded so that it cannot be cut out: only what was found is kept.
    blocks = [block.text for block in found.blocks if isinstance(block, FoundBlock)]
    return "\n".join([*found.codes.license_ids, *found.codes.deactivation_codes, *blocks])


def _problems(text: str, codes: FoundCodes) -> tuple[str, ...]:
    found = [problem.message for problem in codes.problems]
    if not codes.deactivation_codes:
        for candidate in islice(_almost(text), MOST_PROBLEMS):
            try:
                parse_deactivation_code(candidate)
            except CodeError as error:
                found.append(f"{candidate}: {error.message}")
    return tuple(dict.fromkeys(found))[:MOST_PROBLEMS]


def _almost(text: str) -> Iterator[str]:
    # Six short words in a row look like a code, too; codes have digits.
    found = (candidate[0] for candidate in ALMOST_CODE.finditer(text))
    return (candidate for candidate in found if sum(map(str.isdigit, candidate)) > 1)


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
