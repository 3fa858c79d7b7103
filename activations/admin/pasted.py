"""What a pasted text is: recognised before anything is decided."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from chariot_license.protocol import base32
from chariot_license.protocol.block import DamagedBlock, FoundBlock
from chariot_license.protocol.block import Kind as BlockKind
from chariot_license.protocol.codes import FoundCodes, find_codes, parse_deactivation_code
from chariot_license.protocol.errors import BlockError, CodeError
from chariot_license.protocol.reader import find_blocks

from activations import searching
from activations.services import secret_text
from activations.services.intake import without_secrets
from activations.services.secret_looks import looks_random, what_is_known

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
    """The text as a page may carry it on: a License Key or token that came with it is secret and needed for nothing."""
    masked = secret_text.without_keys(text)
    if masked is not None:
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
    # Short words, bank accounts and network addresses have such groups, too.
    known: bytearray | None = None
    for match in ALMOST_CODE.finditer(text):
        if sum(map(str.isdigit, match[0])) > 1:
            known = what_is_known(text) if known is None else known
            if looks_random(text, *match.span(), known):
                yield match[0]


KEY, CODE, TOKEN = secret_text.KEY, secret_text.CODE, secret_text.TOKEN
KEY_LETTERS = range(34, 51)  # around the 42 of a License Key: a few may have been lost or doubled
KEY_DIGITS = 5  # a random key has fewer once in 500; a company's name hardly ever has more


def secret_in(text: str, found: Pasted) -> str:
    """KEY, CODE or TOKEN for a text with a License Key, deactivation code or API token in it, or with what was meant as
    one: it goes into no address and onto no page. "" for every other text.
    """
    letters = base32.normalise(text) if len(text) <= searching.MOST_LETTERS else ""
    meant = letters[:1] == "K" and len(letters) in KEY_LETTERS and sum(map(str.isdigit, letters)) >= KEY_DIGITS
    held = secret_text.secret_in(text)
    if held == KEY or (meant and looks_random(text, 0, len(text), what_is_known(text))):
        return KEY
    if held == TOKEN:
        return TOKEN
    return CODE if held or found.almost_code or without_secrets(text) != text else ""
