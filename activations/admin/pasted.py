"""What a pasted text or an uploaded mail is: recognised before anything is decided."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import policy
from email.parser import BytesParser
from itertools import islice

from chariot_license.protocol.block import DamagedBlock, FoundBlock
from chariot_license.protocol.block import Kind as BlockKind
from chariot_license.protocol.codes import FoundCodes, find_codes, parse_deactivation_code
from chariot_license.protocol.errors import BlockError, CodeError
from chariot_license.protocol.reader import find_blocks

MAIL = re.compile(rb"\A(?:[\w-]+:[^\n]*\n(?:[ \t][^\n]*\n)*){2,}\r?\n")
# What was meant as a deactivation code: five to eight groups of four, of which the last may have lost a letter.
ALMOST_CODE = re.compile(r"(?<![\w-])[0-9A-Za-z]{4}([ -])(?:[0-9A-Za-z]{4}\1){4,6}[0-9A-Za-z]{2,5}(?![\w-])")
MOST_PROBLEMS = 5  # more would bury the first ones


@dataclass(frozen=True)
class Pasted:
    """What was found. `problems` are sentences that name typing mistakes and say what to do."""

    requests: tuple[FoundBlock, ...]
    damaged: DamagedBlock | None
    usage_licenses: int
    codes: FoundCodes
    problems: tuple[str, ...] = ()
    unreadable: str = ""

    @property
    def has_request(self) -> bool:
        """A Usage Request, whole or damaged, is what the text is about."""
        return bool(self.requests) or self.damaged is not None

    @property
    def has_code(self) -> bool:
        return bool(self.codes.deactivation_codes)

    @property
    def damaged_lines(self) -> list[int]:
        return sorted({*self.damaged.damaged, *self.damaged.missing}) if self.damaged else []


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
    )


def _problems(text: str, codes: FoundCodes) -> tuple[str, ...]:
    found = [problem.message for problem in codes.problems]
    if not codes.deactivation_codes:
        almost = (candidate[0] for candidate in ALMOST_CODE.finditer(text))
        # Six short words in a row look like a code, too; codes have digits.
        for candidate in islice((c for c in almost if sum(map(str.isdigit, c)) > 1), MOST_PROBLEMS):
            try:
                parse_deactivation_code(candidate)
            except CodeError as error:
                found.append(f"{candidate}: {error.message}")
    return tuple(dict.fromkeys(found))[:MOST_PROBLEMS]


def text_of_upload(data: bytes) -> str:
    """The text of an uploaded file: of a mail its readable parts and text attachments, of anything else all of it."""
    if not MAIL.match(data[:20_000].replace(b"\r\n", b"\n")):
        return _decoded(data)
    mail = BytesParser(policy=policy.default).parsebytes(data)
    parts = []
    for part in mail.walk():
        if part.get_content_maintype() != "text":
            continue
        try:
            parts.append(str(part.get_content()))
        except (LookupError, KeyError, UnicodeError):
            parts.append(_decoded(part.get_payload(decode=True)))
    # Some charsets decode to halves of characters, which no page and no table can hold.
    return ("\n\n".join(parts) or _decoded(data)).encode("utf-8", "replace").decode()


def _decoded(data: object) -> str:
    if not isinstance(data, bytes):
        return ""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
