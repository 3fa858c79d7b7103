"""What a use case answers when it did not do what was asked: expected, so values and not exceptions."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from chariot_license.protocol.codes import parse_public_id
from chariot_license.protocol.errors import CodeError

from activations.domain.words import Ability, Actor
from activations.services.secret_text import CODE, TOKEN, secret_in
from activations.services.secret_text import NAMED as SECRETS_NAMED


@dataclass(frozen=True)
class Refused:
    """A rule says no; nothing was booked. `code` is stable, `message` says what to do."""

    code: str
    message: str
    detail: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Unanswerable(Refused):
    """What a customer sent and nobody can answer as things stand: refused, and kept in the intake log."""


@dataclass(frozen=True)
class BadInput:
    """What was given cannot be understood; nothing was booked. `code` is stable, `message` says what to do."""

    code: str
    message: str
    detail: dict[str, object] = field(default_factory=dict)


def lacking(actor: Actor, abilities: Iterable[Ability]) -> Refused | None:
    """The refusal for an actor who lacks one of the abilities; None when nothing is lacking."""
    missing = actor.lacks(abilities)
    if not missing:
        return None
    names = ", ".join(ability.value.replace("_", " ") for ability in missing)
    roles = _ROLE_HINT.get(missing[0], "a colleague with that role")
    return Refused("not-allowed", f"{actor.name} may not: {names}. Ask {roles}.")


def public_id(prefix: str, text: str) -> str | BadInput:
    """The canonical form of an identifier as somebody typed it; a typo is named as a typo, not as unknown."""
    try:
        return parse_public_id(prefix, text)
    except CodeError as error:
        return BadInput(error.code, str(error), dict(error.detail))


def bad_letters(text: str, what: str, code: str, *, lines: bool = False) -> BadInput | None:
    """A character that nobody sees and that can make a text read otherwise than it is: marks that turn the direction
    of writing, other invisible format characters, separators, control characters. `lines` allows line breaks and tabs.
    """
    for letter in text:
        if unicodedata.category(letter) in _UNSEEN and not (lines and letter in "\n\r\t"):
            name = unicodedata.name(letter, "a control character")
            return BadInput(
                code,
                f"{what} holds a character that cannot be seen: U+{ord(letter):04X} ({name}). Type the text again "
                "instead of pasting it.",
            )
    return None


def plain_lines(text: str) -> str:
    """The text with LF for every line end. A form sends CRLF, while the browser counted each line end as one letter."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def bad_name(name: str, what: str, code: str) -> BadInput | None:
    """What no name may hold, since names are shown, booked and put into addresses: letters that nobody sees, as
    `bad_letters` has them, a License Key, a deactivation code, a token. The message does not repeat the secret.
    """
    held = secret_in(name)
    if held in SECRETS_NAMED:
        return BadInput(
            code,
            f"{what} holds {SECRETS_NAMED[held]}, which is secret and would be shown to everyone. Write it without.",
        )
    return bad_letters(name, what, code)


def bad_reason(reason: str, *, due: bool = True) -> BadInput | None:
    """What is wrong with a reason: it is missing where one is due, it would put a secret into the ledger, or it
    would be shown otherwise than it is written.
    """
    reason = plain_lines(reason)
    if due and not reason.strip():
        return BadInput("reason-missing", "Say why, in a sentence: the reason goes into the ledger.")
    if len(reason) > LONGEST_REASON:
        return BadInput(
            "reason-too-long",
            f"The reason has {len(reason)} letters; the ledger takes {LONGEST_REASON}. Say it in a few sentences.",
        )
    unseen = bad_letters(reason, "The reason", "reason-unfit", lines=True)
    if unseen:
        return unseen
    held = secret_in(reason)
    if held == CODE:
        return BadInput(
            "reason-holds-code",
            "The reason holds a deactivation code, and what is in the ledger stays there. Paste the code on the desk "
            "instead: it frees the seat.",
        )
    if held == TOKEN:
        return BadInput(
            "reason-holds-token",
            "The reason holds an API token, and what is in the ledger stays there. Write the name of the token "
            "instead; if others may have read it, have it rotated.",
        )
    if held:
        return BadInput(
            "reason-holds-key",
            "The reason holds a License Key, and what is in the ledger stays there. Name the License ID instead.",
        )
    return None


LONGEST_REASON = 2000
_UNSEEN = ("Cc", "Cf", "Zl", "Zp")
_ROLE_HINT = {
    Ability.DECIDE_AS_LEAD: "a support lead",
    Ability.DECIDE_RESTORATION: "a support lead",
    Ability.CREATE_LICENSE: "a license manager",
    Ability.CHANGE_LICENSE: "a license manager",
    Ability.SHOW_LICENSE_KEY: "a license manager",
    Ability.EDIT_REPLIES: "a license manager",
    Ability.MAKE_STATEMENT: "a support agent or a license manager",
    Ability.MANAGE_KEYS: "an administrator",
    Ability.MANAGE_STAFF: "an administrator",
    Ability.CHECKPOINT_LEDGER: "an administrator",
    Ability.READ_LEDGER: "a support lead or an auditor",
    Ability.READ_STAFF_TRAIL: "an auditor",
    Ability.ISSUE: "a support agent",
    Ability.DEACTIVATE: "a support agent",
    Ability.MARK_LOST: "a support agent",
    Ability.REQUEST_RESTORATION: "a support agent",
}
