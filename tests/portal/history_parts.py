"""What the random histories are made of: round trips, mails on their way, and what the tables said at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hypothesis import strategies as st

from activations.domain.fold import LicenseState
from activations.domain.words import Actor
from tests.portal.cast import AGENT, LEAD
from tests.portal.chariot import Chariot


@dataclass(frozen=True)
class Trip:
    """One round trip: who answers, who chooses which of the options where a person must, and whether it arrives."""

    actor: Actor
    chooser: Actor
    wanted: tuple[int, ...]
    delivered: bool


TRIPS = st.builds(
    Trip,
    actor=st.sampled_from([AGENT, LEAD]),
    chooser=st.sampled_from([LEAD, AGENT, LEAD]),
    wanted=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    delivered=st.sampled_from([True, True, True, False]),
)


@dataclass
class Mail:
    """A Usage Request on its way: who made it, and the Usage License it was once answered with."""

    sender: Chariot
    text: str
    answer: str | None = None


@dataclass(frozen=True)
class Past:
    """What the tables said at a time, when the ledger had so many entries."""

    at: datetime
    entries: int
    tables: dict[str, LicenseState]
