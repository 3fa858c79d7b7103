"""Delivery status notifications (RFC 3464), and those of Exim that have only their own headers."""

from __future__ import annotations

import re

from activations.mailtext.decoding import one_line
from activations.mailtext.headers import Head, message_id, read_head, usable_address
from activations.mailtext.values import Bounce

MOST_BOUNCES = 50
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_ACTIONS = frozenset({"failed", "delayed", "delivered", "relayed", "expanded"})
_MAX_REPORT = 500_000
_GROUP_ENDS = re.compile(rb"\n[ \t]*\n")


def bounces_of_report(report: bytes, original_message_id: str) -> tuple[Bounce, ...]:
    """Return what a message/delivery-status part says of each recipient, at most MOST_BOUNCES."""
    groups = [
        _fields(group) for group in _GROUP_ENDS.split(report[:_MAX_REPORT].replace(b"\r\n", b"\n"))[: MOST_BOUNCES * 2]
    ]
    original = original_message_id
    for group in groups:
        original = original or message_id(group.first("x-original-message-id") or group.first("original-message-id"))
    found = (_bounce(group, original) for group in groups)
    return tuple(bounce for bounce in found if bounce)[:MOST_BOUNCES]


def _fields(group: bytes) -> Head:
    group = group.lstrip(b"\n")
    return read_head(group, 0, len(group))[0]


def _bounce(group: Head, original: str) -> Bounce | None:
    recipient = _typed(group, "final-recipient")
    action = group.text("action").split(" ")[0].strip().lower()
    if not recipient and not action:
        return None
    # Where mail is forwarded, the address that we wrote to is the original one.
    named = _typed(group, "original-recipient") or recipient
    diagnostic = one_line(_typed(group, "diagnostic-code"), 1000)
    status = _STATUS.search(group.text("status")) or _STATUS.search(diagnostic)
    return Bounce(
        recipient=usable_address(named) or usable_address(recipient),
        action=action if action in _ACTIONS else "",
        status=status[1] if status else "",
        diagnostic=diagnostic,
        original_message_id=original,
    )


def _typed(group: Head, field: str) -> str:
    """Return a value without the type before it ("rfc822; ", "smtp; ") and without angle brackets."""
    value = group.text(field)
    kind, semicolon, rest = value.partition(";")
    return (rest if semicolon and len(kind) < 30 else value).strip().strip("<>").strip()


def bounces_of_headers(head: Head, text: str, original_message_id: str) -> tuple[Bounce, ...]:
    """Return the bounces of a mail that names its failed recipients in X-Failed-Recipients, as Exim does."""
    recipients = [usable_address(one) for one in head.text("x-failed-recipients").split(",")][:MOST_BOUNCES]
    lines = text[:20_000].split("\n")
    return tuple(
        _told_in_words(recipient, lines, original_message_id) for recipient in dict.fromkeys(recipients) if recipient
    )


def _told_in_words(recipient: str, lines: list[str], original: str) -> Bounce:
    """Return the bounce of a recipient as the lines behind its address in the text tell it."""
    at = next((number for number, line in enumerate(lines) if recipient in line), len(lines))
    told = []
    for line in lines[at + 1 : at + 8]:
        if not line.strip():
            break
        told.append(line.strip())
    diagnostic = one_line(" ".join(told), 1000)
    status = _STATUS.search(diagnostic)
    return Bounce(recipient, "failed", status[1] if status else "", diagnostic, original)
