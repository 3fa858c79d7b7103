"""The closed vocabularies as the API's document names them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from activations.domain import words


def _choices(kind: Iterable[StrEnum]) -> list[tuple[str, str]]:
    return [(each.value, each.value) for each in kind]


ACTIVATION_STATES = _choices(words.ActivationState)
CHOICES = _choices(words.Choice)
JOB_STATES = _choices(words.JobState)
LICENSE_STATUSES = _choices(words.LicenseStatus)
OUTCOMES = _choices(words.Outcome)
REQUEST_STATES = _choices(words.RequestState)
RESTORATION_STATES = _choices(words.RestorationState)
