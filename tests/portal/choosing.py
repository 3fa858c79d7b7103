"""What a Usage Request waits for, and what keeps a choice from being booked."""

from __future__ import annotations

from activations.domain.decisions import Chosen
from activations.domain.words import Choice, Outcome
from activations.services.issue import submit_usage_request
from activations.services.results import BadInput, Refused
from tests.portal.cast import AGENT, SOURCE, issue

WHY = "The customer explained it on the phone."


def refused(
    text: str, *choices: Choice, actor: object = AGENT, activation_id: str | None = None, reason: str = WHY
) -> str:
    """The code of what keeps these choices from being booked."""
    result = submit_usage_request(
        source=text,
        actor=actor,  # type: ignore[arg-type]
        origin=SOURCE,
        chosen=Chosen(frozenset(choices), activation_id),
        reason=reason,
    )
    assert isinstance(result, Refused | BadInput), result
    return result.code


def pending(text: str) -> tuple[str, list[tuple[str, str]]]:
    """The decision and the options of a request that a person must decide."""
    result = issue(text)
    assert (result.decision.outcome, result.booked, result.usage_license) == (Outcome.PENDING, True, None)
    return result.decision.code, [(option.choice.value, option.ability.value) for option in result.decision.options]
