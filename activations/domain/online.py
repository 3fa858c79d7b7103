"""What becomes of a Usage Request at the online door, where nobody looks at it (ADR 0015); pure."""

from __future__ import annotations

from dataclasses import replace

from activations.domain import sentences as say
from activations.domain.facts import Facts
from activations.domain.walk import Decision
from activations.domain.words import Outcome

OFF = "online-activation-off"
SPARE = 20
MINUTE, HOUR, DAY = 60, 3600, 86_400


def without_a_person(facts: Facts, decision: Decision, *, online: bool) -> Decision:
    """The decision as it holds without anybody looking: what would be issued waits where the license does not allow
    online activation. Everything else stands as decided: what waits for a person waits, and what was answered once is
    answered again.
    """
    if online or decision.outcome is not Outcome.ISSUED:
        return decision
    staff, customer = say.sentences(OFF, license_id=facts.license.license_id)
    return replace(
        decision,
        outcome=Outcome.PENDING,
        code=OFF,
        staff=staff,
        customer=customer,
        action=None,
        activation_id=None,
        seats_after=decision.seats_before,
    )


def most_new_a_day(allowed: int) -> int:
    """How many new Usage Requests of one license are taken in online in a day: whoever holds a License Key could
    otherwise fill the ledger with requests of made-up hosts.
    """
    return SPARE + 2 * allowed


def retry_after(waited: int) -> int:
    """In how many seconds to ask again what has waited for so many: a person who decides needs minutes or days."""
    if waited < HOUR:
        return MINUTE
    return 10 * MINUTE if waited < DAY else HOUR


# What a stranger at the door reads where the sentence of the desk is written for staff, or tells of a license that the
# sender did not prove to have a key of.
FOR_STRANGERS: dict[str, str] = {
    "license-key-unknown": "No license has the License Key that this Usage Request was made with. Check the key in the "
    "purchase email, and make a new Usage Request with it on that Chariot.",
    "license-key-replaced": "The License Key that this Usage Request was made with was replaced and is no longer valid."
    " Make a new Usage Request with the new key, or ask Support for it.",
    "license-proof-wrong": "This Usage Request names a License Key but does not prove that its sender has it. Make a "
    "new one on that Chariot.",
    "request-id-repeated": "Another Usage Request with the same number was received before, and its content was "
    "different. Make a new Usage Request on that Chariot.",
    "license-unfit": "This license cannot be put into a Usage License at the moment. Send the Usage Request to "
    "Support, who will see to it.",
}
