"""Mails, what was found in them and where they stand, in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from activations.admin.words import TITLES
from activations.domain.words import AutomaticOutcome, FindingKind, OutgoingState, Priority

# How a mail of ours stands: the sentence, and the colour of its badge.
STATES: dict[str, tuple[str, str]] = {
    OutgoingState.QUEUED: ("It is queued and goes out by itself.", "requested"),
    OutgoingState.SENDING: ("It is being handed to the mail server.", "requested"),
    OutgoingState.SENT: ("The mail server took it.", "active"),
    OutgoingState.FAILED: ("It was not sent: the mail server refused it, or could not be reached.", "refused"),
    OutgoingState.BOUNCED: ("It came back: the customer does not have it.", "refused"),
    OutgoingState.UNKNOWN: (
        "Nobody knows whether the mail server took it. Look into its log, then decide; it is not sent again by itself.",
        "refused",
    ),
    OutgoingState.DROPPED: ("A person decided that it is not sent, or sent it anew.", "deactivated"),
}
PRIORITIES = {Priority.NORMAL: "normal", Priority.HIGH: "high", Priority.URGENT: "urgent"}
AUTOMATIC = {
    AutomaticOutcome.RESENT: "The same request again: the same Usage License again",
    AutomaticOutcome.DAMAGED: "A damaged Usage Request: ask a known contact for its lines",
    AutomaticOutcome.UPDATED: "Update on the same host, asked for by a known contact",
}
# Requests that prove no License Key of ours.
_UNANSWERED = {
    "license-key-unknown": "Made with a License Key that is not ours",
    "license-key-replaced": "Made with a License Key that was replaced",
    "license-proof-wrong": "Its proof of the License Key does not hold",
    "request-id-repeated": "Its id belongs to another request",
}
_GOOD = {"pass"}
_METHODS = ("spf", "dkim", "dmarc")


def request_title(code: str) -> str:
    """What a dry run came to, or why the request never got to one, as a heading."""
    known = TITLES.get(code) or _UNANSWERED.get(code)
    return known or code.replace("-", " ").capitalize() or "Not looked at"


def found_words(findings: Iterable[Mapping[str, Any]]) -> list[str]:
    """ "2 Usage Requests: new activation", "1 deactivation code"; in the order in which they were found."""
    counted = Counter(_kind_and_title(row) for row in findings)
    return [_told(kind, title, number) for (kind, title), number in counted.items()]


def _kind_and_title(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row["kind"]), request_title(row["code"]) if row["kind"] == FindingKind.REQUEST else ""


def _told(kind: str, title: str, number: int) -> str:
    plural = "s" * (number > 1)
    if kind == FindingKind.REQUEST:
        return f"{number} Usage Request{plural}: {title[:1].lower() + title[1:]}"
    if kind == FindingKind.DAMAGED:
        return f"{number} damaged Usage Request{plural}"
    return f"{number} deactivation code{plural}"


def age(since: datetime | None, now: datetime) -> str:
    """How long ago, in the largest unit that says something: "under 1 min", "5 min", "3 h", "2 days"."""
    if since is None:
        return "-"
    passed = max(now - since, timedelta())
    if passed < timedelta(minutes=1):
        return "under 1 min"
    if passed < timedelta(hours=1):
        return f"{passed // timedelta(minutes=1)} min"
    if passed < timedelta(days=2):
        return f"{passed // timedelta(hours=1)} h"
    return f"{passed.days} days"


def checks_words(checks: Iterable[Mapping[str, str]]) -> list[tuple[str, str]]:
    """What the receiving server says of the sender, each with the colour it is shown in."""
    told = []
    for check in checks:
        method, result = str(check.get("method", "")), str(check.get("result", ""))
        if method in _METHODS:
            told.append((f"{method.upper()}: {result}", "good" if result in _GOOD else "bad"))
    return told
