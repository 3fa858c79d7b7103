"""Replies to customers: the kinds there are, the text we ship for each, and how its placeholders are filled.

A text is plain text with placeholders like {license_id}. License managers write newer versions of it; these are
version 0. Filling is one pass: what a placeholder is filled with is never read for placeholders again, so a host that
calls itself "{block}" stays text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from chariot_license.protocol.block import FoundBlock, write_block
from chariot_license.protocol.block import Kind as BlockKind
from chariot_license.protocol.errors import BlockError
from chariot_license.protocol.reader import find_blocks

from activations.domain.decisions import Decision
from activations.domain.words import Action, Outcome

LONGEST, MOST_LINES = 4000, 200  # characters and lines of a text; a reply longer than two screens is not read


class ReplyKind(StrEnum):
    """What a reply answers; stored with each reply and each version of its text."""

    ISSUED = "issued"
    UPDATED = "updated"
    RESENT = "re-sent"
    REFUSED = "refused"
    PENDING = "pending"
    DAMAGED = "damaged"
    NOT_ACCEPTED = "not-accepted"
    DEACTIVATED = "deactivated"
    RESTORED = "restored"
    DENIED = "denied"
    NEW_REQUEST = "new-request"
    ENDING = "ending"


# Every placeholder there is, what it is filled with, and an example for the preview.
PLACEHOLDERS: dict[str, tuple[str, str]] = {
    "customer_sentence": ("What was decided and what the customer should do, in a sentence", ""),
    "license_id": ("The License ID", "LIC-CNW6-2VBG-DHJJ-TTB4-5"),
    "usage_license_id": ("The id of the Usage License in this reply", "USL-CNW6-2VBG-DHJJ-TTB4-P"),
    "activation_id": ("The activation", "ACT-CNW6-2VBG-DHJJ-TTB4-V"),
    "block": ("The whole Usage License, on lines of its own", ""),
    "first_line": ("The first line of the Usage License", ""),
    "last_line": ("The last line of the Usage License", ""),
    "features": (
        "The features that end and their last days, each on a line of its own",
        "- iot-bridge-snowflake: 2031-06-30",
    ),
    "lines": ("The lines to send once more, as in: lines 3, 7 and 9", "lines 3, 7 and 9"),
    "host": ("The name of the host; of several, each on a line of its own", "pump-house"),
    "reason": (
        "The reason that the person who decided typed for the ledger: written for colleagues, so think twice",
        "The police report names another site.",
    ),
}


@dataclass(frozen=True)
class Letter:
    """One kind of reply: when it is written, which placeholders its text must and may hold, and the text we ship."""

    title: str
    when: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    shipped: str
    example: str = ""  # the customer's sentence in a preview

    @property
    def allowed(self) -> tuple[str, ...]:
        return (*self.required, *self.optional)


def _letter(*paragraphs: str) -> str:
    return "\n\n".join(["Hello,", *paragraphs, "Kind regards,\nCirrus Link Support"]) + "\n"


_ASK = "Please make a new Usage Request on that Chariot (Offline > Generate Usage Request) and send it to us."
_WITH_LICENSE = ("customer_sentence", "license_id", "usage_license_id", "activation_id", "first_line", "last_line")
_CARRIES_LICENSE = _letter(
    "{customer_sentence}",
    "To install it, open the License page of that Chariot, choose Upload Usage License, paste everything from the line "
    '"{first_line}" to the line "{last_line}", and press Finish.',
    "{block}",
    "License ID: {license_id}\nHost: {host}\nUsage License: {usage_license_id}",
)
_OF_REQUEST = _letter("{customer_sentence}", "License ID: {license_id}\nHost: {host}")

LETTERS: dict[ReplyKind, Letter] = {
    ReplyKind.ISSUED: Letter(
        "New activation",
        "A Usage Request takes a seat; its Usage License is in the reply.",
        ("block",),
        (*_WITH_LICENSE, "host"),
        _CARRIES_LICENSE,
        "Here is the Usage License for your Chariot.",
    ),
    ReplyKind.UPDATED: Letter(
        "Updated",
        "A Chariot that is activated gets a newer Usage License: new terms, changed hardware, installed again, found.",
        ("block",),
        (*_WITH_LICENSE, "host"),
        _CARRIES_LICENSE,
        "Here is the updated Usage License for your Chariot. It replaces the earlier one.",
    ),
    ReplyKind.RESENT: Letter(
        "Sent again",
        "A Usage Request that was answered before; the stored Usage License is in the reply.",
        ("block",),
        (*_WITH_LICENSE, "host"),
        _CARRIES_LICENSE,
        "Here is your Usage License once more.",
    ),
    ReplyKind.REFUSED: Letter(
        "Refused",
        "A rule or a person refuses a Usage Request.",
        ("customer_sentence",),
        ("license_id", "host"),
        _OF_REQUEST,
        "License LIC-CNW6-2VBG-DHJJ-TTB4-5 is suspended at the moment. Please contact your sales representative.",
    ),
    ReplyKind.PENDING: Letter(
        "Waits for a person",
        "A Usage Request is put on the desk for a lead, mostly with a question to the customer.",
        ("customer_sentence",),
        ("license_id", "host"),
        _OF_REQUEST,
        "Your Usage Request comes from a host that already has an activated Chariot. Please tell us whether Chariot "
        "was installed again there, or whether this is a second one.",
    ),
    ReplyKind.DAMAGED: Letter(
        "Damaged text",
        "A Usage Request arrived beyond repair; the reply asks for the lines that are needed.",
        ("lines",),
        ("customer_sentence",),
        _letter(
            "{customer_sentence} Please send us {lines} once more, exactly as Chariot shows it.",
            "Better still, attach the file that the Download button of the popup gives you: attachments do not get "
            "re-wrapped on the way.",
        ),
        "The Usage Request you sent reached us damaged: lines 3, 7 and 9 cannot be read.",
    ),
    ReplyKind.NOT_ACCEPTED: Letter(
        "Not accepted",
        "A text that proves nothing: an unknown or replaced License Key, a Usage Request that was changed on its way.",
        ("customer_sentence",),
        (),
        _letter("{customer_sentence}"),
        f"The License Key that your Usage Request was made with has been replaced by a new one. {_ASK}",
    ),
    ReplyKind.DEACTIVATED: Letter(
        "Deactivated",
        "A Deactivation Request code is booked.",
        ("customer_sentence",),
        ("license_id", "activation_id", "host"),
        _letter(
            "Thank you for the Deactivation Request code. {customer_sentence}",
            "License ID: {license_id}\nHost: {host}\nActivation: {activation_id}",
        ),
        "The activation is deactivated, and its seat is free for another Chariot.",
    ),
    ReplyKind.RESTORED: Letter(
        "Restored",
        "A second person approves a restoration: the seat of a lost host is free again.",
        (),
        ("license_id", "activation_id", "host", "reason"),
        _letter(
            "We have reviewed what you wrote to us about {host}, and have restored its activation: the seat is free "
            "for another Chariot.",
            "To use it, make a Usage Request on the new Chariot (Offline > Generate Usage Request) and send it to us. "
            "The old host must not be used with this license any more; should it turn up, please tell us.",
            "License ID: {license_id}\nActivation: {activation_id}",
        ),
    ),
    ReplyKind.DENIED: Letter(
        "Denied",
        "A second person denies a restoration: the activation stays lost and keeps its seat.",
        (),
        ("license_id", "activation_id", "host", "reason"),
        _letter(
            "We have reviewed what you wrote to us about {host}, and cannot restore its activation: it keeps its seat.",
            "If the host still runs, press Deactivate on it and send us the Deactivation Request code. If there is "
            "something that we should know and do not, please write to us.",
            "License ID: {license_id}\nActivation: {activation_id}",
        ),
    ),
    ReplyKind.NEW_REQUEST: Letter(
        "New Usage Request wanted",
        "The terms of a license changed; hosts get them with a new Usage Request.",
        (),
        ("license_id", "host"),
        _letter(
            "The terms of your license were changed. Each Chariot gets the new terms with a new Usage License; until "
            "then it goes on working with the one it has.",
            "Please make a new Usage Request (Offline > Generate Usage Request) on each of these hosts and send them "
            "to us. It takes no activation.",
            "{host}",
            "License ID: {license_id}",
        ),
    ),
    ReplyKind.ENDING: Letter(
        "Features end soon",
        "Sent by itself 60, 30 and 7 days before a feature of a license ends.",
        ("features",),
        ("license_id",),
        _letter(
            "Parts of your license end soon:",
            "{features}",
            "Chariot goes on until then. To extend it, please write to your sales representative; afterwards each "
            "Chariot needs one more round trip with us (Offline > Generate Usage Request), which takes no activation.",
            "License ID: {license_id}",
        ),
    ),
}

NOT_ACCEPTED: dict[str, str] = {
    "license-key-unknown": "We do not know the License Key that your Usage Request was made with. Please compare it "
    f"with the one in your purchase email. {_ASK}",
    "license-key-replaced": "The License Key that your Usage Request was made with has been replaced by a new one. "
    f"Please use the new License Key. {_ASK}",
    "license-proof-wrong": f"Your Usage Request was changed on its way to us. {_ASK}",
    "license-unfit": "Your Usage Request is in order, but something in the terms of your license has to be mended on "
    "our side before we can answer it. You need not send it again; we will write to you.",
    "request-id-repeated": f"Another Usage Request with the same number reached us before yours. {_ASK}",
    "several-requests": "You sent us several different Usage Requests in one message. Please tell us which Chariots "
    "they come from; of each Chariot, only the newest one is valid.",
}
UNREADABLE = f"We could not read the Usage Request you sent. {_ASK}"

SEAT_FREED = "The activation is deactivated, and its seat is free for another Chariot."
DEACTIVATION_NOTED = "We have recorded the deactivation."


def kind_for(decision: Decision) -> ReplyKind:
    """Which reply answers a Usage Request that was decided so."""
    if decision.outcome is Outcome.REFUSED:
        return ReplyKind.REFUSED
    if decision.outcome is Outcome.PENDING:
        return ReplyKind.PENDING
    if decision.action is Action.RESEND:
        return ReplyKind.RESENT
    return ReplyKind.ISSUED if decision.action is Action.NEW else ReplyKind.UPDATED


def damaged_sentence(lines: Iterable[int]) -> str:
    names = listed(lines)
    what = f": {names} cannot be read." if names else ", and parts of it are missing."
    return f"The Usage Request you sent reached us damaged{what}"


def listed(lines: Iterable[int]) -> str:
    """Line numbers in words: "line 3", "lines 3, 7 and 9"; empty for none."""
    names = [str(line) for line in lines]
    if not names:
        return ""
    *others, last = names
    return f"lines {', '.join(others)} and {last}" if others else f"line {last}"


def render(text: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders filled. A placeholder without a value is an error of ours: KeyError."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)


def tidy(text: str) -> str:
    """The text as it is stored: plain line ends, no empty lines around it, none of the spaces at line ends."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    return "\n".join(lines).strip("\n") + "\n"


def fault(kind: ReplyKind, text: str) -> tuple[str, str] | None:
    """What is wrong with a text for this kind of reply, as code and sentence; None when it can be used."""
    letter = LETTERS[kind]
    if not text.strip():
        return "text-empty", "The text is empty. Write what the customer shall read, or use an earlier version again."
    if len(text) > LONGEST:
        return "text-too-long", f"The text has {len(text)} characters; at most {LONGEST} are possible. Shorten it."
    if text.count("\n") > MOST_LINES:
        return "text-too-long", f"The text has more than {MOST_LINES} lines. Shorten it."
    used = _PLACEHOLDER.findall(text)
    unknown = [name for name in used if name not in letter.allowed]
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in letter.allowed)
        return "placeholder-unknown", f"{{{unknown[0]}}} is no placeholder of this text. It has: {known}."
    if "{" in (rest := _PLACEHOLDER.sub("", text)) or "}" in rest:
        return (
            "brace-stray",
            "A brace belongs to no placeholder. Write them like {license_id}, and no other braces.",
        )
    missing = [name for name in letter.required if name not in used]
    if missing:
        what = PLACEHOLDERS[missing[0]][0]
        return "placeholder-missing", f"{{{missing[0]}}} is missing ({what}). Without it this reply tells nothing."
    return _block_fault(text) if "block" in used else None


def _block_fault(text: str) -> tuple[str, str] | None:
    """The customer pastes the whole reply into Chariot: the Usage License must be found in it, once and whole."""
    if [line for line in text.split("\n") if "{block}" in line] != ["{block}"]:
        return "block-not-alone", "{block} must stand once, on a line of its own: the Usage License has many lines."
    block = write_block(BlockKind.LICENSE, _EXAMPLE)
    try:
        found = find_blocks(render(text, example(ReplyKind.ISSUED)))
    except BlockError:
        found = []
    if [one.text if isinstance(one, FoundBlock) else "" for one in found] != [block]:
        return (
            "block-hidden",
            "Chariot would not find the Usage License in this reply. Remove lines that look like the lines of one.",
        )
    return None


def example(kind: ReplyKind) -> dict[str, str]:
    """Values for the preview of a text, none of them real."""
    values = {name: shown for name, (_, shown) in PLACEHOLDERS.items()}
    values["customer_sentence"] = LETTERS[kind].example
    return {**values, **block_values(write_block(BlockKind.LICENSE, _EXAMPLE))}


def block_values(block: str) -> dict[str, str]:
    """The placeholders that a Usage License block fills."""
    lines = block.strip().splitlines()
    return {"block": block.strip(), "first_line": lines[0], "last_line": lines[-1]}


_PLACEHOLDER = re.compile(r"\{([^{}\n]*)\}")
_EXAMPLE = b"An example: no Chariot accepts this Usage License, because nobody signed it."
