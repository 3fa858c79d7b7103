"""The online door: anybody may post a Usage Request, and gets its Usage License where no person has to decide.

What is asked for proves itself: the block is signed by the Instance and proves possession of the License Key, so no
other secret is needed, to ask or to ask again (ADR 0015). Nobody looks at what comes in here, so the door keeps less
than the desk and books no more than once what is asked again and again.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from activations.domain.online import FOR_STRANGERS, retry_after
from activations.domain.words import Ability, Actor, Outcome
from activations.models import UsageRequest
from activations.services.issue import Submission, submit_usage_request
from activations.services.results import BadInput, Refused, Unanswerable

ONLINE = Actor("online", frozenset({Ability.ISSUE}))
ORIGIN = "online"
MOST_TEXT = 100_000  # letters: a block has some 2,000; room for the mail around it
TOO_MANY = "too-many-new-requests"
TOO_LARGE = "input-too-large"
WAITS = (
    "The Usage Request waits at Support, and nothing is lost. Ask again with the same Usage Request to get the answer."
)
# Whoever holds the License Key gets a sentence of the decision; these prove nothing, so what they say is not theirs.
_KEY = ("license-key-unknown", "license-key-replaced", "license-proof-wrong")


@dataclass(frozen=True)
class Answered:
    """The Usage License. `outcome` is "issued", or "re-sent" for what was answered before."""

    outcome: str
    code: str
    message: str
    usage_license: str
    usage_license_id: str
    activation_id: str
    license_id: str


@dataclass(frozen=True)
class Waiting:
    """A person has to decide: it is on the desk. Ask again in `retry_after` seconds, with the same block."""

    code: str
    message: str
    license_id: str
    request_id: str
    retry_after: int


def answer_online(*, source: str) -> Answered | Waiting | Refused | BadInput:
    """Answers a Usage Request that anybody posted, as far as that goes without a person.

    Refused: a rule says no, in the customer's words. BadInput: what was posted is no Usage Request that holds.
    """
    if len(source) > MOST_TEXT:
        return BadInput(
            TOO_LARGE,
            f"This text has more than {MOST_TEXT:,} letters. Send only the Usage Request, from its first line to its "
            "last.",
        )
    result = submit_usage_request(source=source, actor=ONLINE, origin=ORIGIN, unattended=True)
    if isinstance(result, Unanswerable):
        return _unanswerable(result)
    if not isinstance(result, Submission):
        return result
    decision = result.decision
    if decision.outcome is Outcome.PENDING:
        return _waiting(result)
    if decision.outcome is Outcome.REFUSED:
        named: dict[str, object] = {"license_id": result.license_id, "request_id": result.request_id}
        return Refused(decision.code, decision.customer, named)
    return Answered(
        decision.outcome.value,
        decision.code,
        decision.customer,
        result.usage_license or "",  # none of them is empty: it was issued, now or before
        result.usage_license_id or "",
        result.activation_id or "",
        result.license_id,
    )


def _unanswerable(result: Unanswerable) -> Refused | BadInput:
    message = FOR_STRANGERS.get(result.code, result.message)
    if result.code in _KEY:
        return Refused(result.code, message)
    if result.code in FOR_STRANGERS:
        return Refused(result.code, message, {"license_id": result.detail["license_id"]})
    return BadInput(result.code, message)


def _waiting(result: Submission) -> Waiting:
    since = UsageRequest.objects.values_list("received_at", flat=True).get(request_id=result.request_id)
    waited = int((timezone.now() - since).total_seconds())
    message = f"{result.decision.customer} {WAITS}"
    return Waiting(result.decision.code, message, result.license_id, result.request_id, retry_after(waited))
