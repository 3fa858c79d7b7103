"""The plain text that goes back to the customer, ready to be pasted into an email."""

from __future__ import annotations

from collections.abc import Iterable

GREETING = "Hello,"
CLOSING = "Kind regards,\nCirrus Link Support"

INSTALL = (
    "To install it, open the License page of that Chariot, choose Upload Usage License, paste everything from the "
    'line "{first}" to the line "{last}", and press Finish.'
)


def issued(sentence: str, block: str, license_id: str, usage_license_id: str) -> str:
    """The answer with the Usage License block in it."""
    lines = block.strip().splitlines()
    install = INSTALL.format(first=lines[0], last=lines[-1])
    names = f"License ID: {license_id}\nUsage License: {usage_license_id}"
    return _letter(sentence, install, block.strip(), names)


def refused(sentence: str, license_id: str) -> str:
    """The answer to a request that is refused or waits for a person."""
    return _letter(sentence, f"License ID: {license_id}")


_NEW_REQUEST = "Please make a new Usage Request on that Chariot (Offline > Generate Usage Request) and send it to us."
_NOT_ACCEPTED = {
    "license-key-unknown": "We do not know the License Key that your Usage Request was made with. Please compare it "
    f"with the one in your purchase email. {_NEW_REQUEST}",
    "license-key-replaced": "The License Key that your Usage Request was made with has been replaced by a new one. "
    f"Please use the new License Key. {_NEW_REQUEST}",
    "license-proof-wrong": f"Your Usage Request was changed on its way to us. {_NEW_REQUEST}",
    "several-requests": "You sent us several different Usage Requests in one message. Please tell us which Chariots "
    "they come from; of each Chariot, only the newest one is valid.",
}


def not_accepted(code: str) -> str:
    """The answer to what could not be accepted as a Usage Request of any license, by the code of the refusal."""
    return _letter(_NOT_ACCEPTED.get(code, f"We could not read the Usage Request you sent. {_NEW_REQUEST}"))


def damaged(lines: Iterable[int]) -> str:
    """Asks for the lines of a block that arrived beyond repair."""
    numbers = listed(lines)
    if numbers:
        what = (
            f"The Usage Request you sent reached us damaged: {numbers} cannot be read. Please send us {numbers} once "
            "more, exactly as Chariot shows them."
        )
    else:
        what = "The Usage Request you sent reached us damaged, and parts of it are missing."
    return _letter(
        what,
        "Better still, attach the file that the Download button of the popup gives you: attachments do not get "
        "re-wrapped on the way.",
    )


def deactivated(license_id: str, activation_id: str, *, freed: bool) -> str:
    """Confirms a deactivation code."""
    what = "The activation is deactivated, and its seat is free for another Chariot."
    if not freed:
        what = "We have recorded the deactivation."
    return _letter(
        f"Thank you for the Deactivation Request code. {what}",
        f"License ID: {license_id}\nActivation: {activation_id}",
    )


def listed(lines: Iterable[int]) -> str:
    """Line numbers in words: "line 3", "lines 3, 7 and 9"; empty for none."""
    names = [str(line) for line in lines]
    if not names:
        return ""
    if len(names) == 1:
        return f"line {names[0]}"
    return f"lines {', '.join(names[:-1])} and {names[-1]}"


def _letter(*paragraphs: str) -> str:
    return "\n\n".join([GREETING, *paragraphs, CLOSING]) + "\n"
