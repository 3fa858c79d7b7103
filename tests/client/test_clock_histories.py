"""Random jumps of the clock, requests, answers kept back and late installs: what must hold whatever happens."""

from __future__ import annotations

import tempfile
from pathlib import Path

from chariot_license.clock import CLOCK_RECORD_SECONDS
from chariot_license.instance import Instance
from chariot_license.protocol.license import Feature
from chariot_license.results import Status
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.client.steps import DAY, KEY, installed, made
from tests.client.vendor import NOW, PLANT_HOST, Clock, Vendor

VENDOR = Vendor()
TERM = 30 * DAY


class Plant:
    """The true time only moves on; the host's clock shows it plus whatever somebody set it off by.

    What the host can honestly know of the true time is the latest that its clock showed without being ahead.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.true = NOW
        self.off = 0
        self.pending: tuple[str, int] | None = None  # the answer, and the end of its feature
        self.end: int | None = None  # of the feature in force
        self.known = 0
        self.known_in_force = 0  # since the license in force was installed
        self.right_since_request = False

    def chariot(self) -> Instance:
        clock = Clock(self.true + self.off)
        return Instance.for_command_line(
            self.folder / "state", version="2.4.1", roots=VENDOR.roots, facts=PLANT_HOST, clock=clock
        )

    def shown(self) -> None:
        """The clock was read, by a call that keeps what it read."""
        if self.off <= 0:
            self.known = max(self.known, self.true + self.off)
            self.known_in_force = max(self.known_in_force, self.true + self.off)
        self.right_since_request = self.right_since_request and self.off == 0

    def time_passes(self, seconds: int, off: int) -> None:
        self.true += seconds
        self.off = off

    def request(self, later: int) -> None:
        """Ask, and have the portal answer a while later; the answer may be kept back."""
        block = made(self.chariot().request(KEY.text)).block
        self.shown()
        self.right_since_request = True  # whatever the clock showed until now, this request included
        self.true += later
        end = self.true + TERM
        self.pending = (VENDOR.answer(block, issued_at=self.true, features=(Feature("mqtt-server", end),)), end)

    def install(self, set_back: bool) -> None:
        if self.pending is None:
            return
        answer, end = self.pending
        if set_back:  # to when it was issued
            self.off = min(0, end - TERM - self.true)
        installed(self.chariot().install(answer))
        self.pending, self.end, self.known_in_force = None, end, 0
        self.shown()
        if self.right_since_request:
            status = self.look()
            assert status.clock_warning is None
            assert status.allows("mqtt-server") is (self.true < end)

    def look(self) -> Status:
        status = self.chariot().status()
        if self.end is not None or self.pending is not None:
            self.shown()
        if self.end is not None and status.allows("mqtt-server"):
            assert self.end > self.known_in_force
            # A time that was not yet the end of anything may be written a minute late.
            assert self.end > self.known - CLOCK_RECORD_SECONDS
        return status

    def is_healed_by_one_round_trip(self) -> None:
        """Whatever went on before: the clock is put right, and the license renewed once."""
        self.off = 0
        self.look()
        self.request(later=3600)
        self.look()
        self.install(set_back=False)
        status = self.look()
        assert (status.allows("mqtt-server"), status.clock_warning) == (True, None)


OFF = st.one_of(
    st.just(0), st.sampled_from([400 * DAY, 3600]), st.integers(-100, 100), st.integers(-90 * DAY, 90 * DAY)
)
SECONDS = st.one_of(st.integers(1, 59), st.integers(TERM - 59, TERM + 59), st.just(2 * TERM))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("time_passes"), SECONDS, OFF),
        st.tuples(st.just("request"), st.sampled_from([0, 3600, 5 * DAY])),
        st.tuples(st.just("install"), st.booleans()),
    ),
    min_size=4,
    max_size=12,
)


@given(steps=STEPS)
@example(steps=[("request", 0), ("time_passes", 2 * TERM, 0), ("install", True)])
@example(steps=[("time_passes", 1, 400 * DAY), ("request", 0), ("time_passes", 2 * TERM, 0), ("install", True)])
@settings(max_examples=60, deadline=None)
def test_no_feature_outlives_what_the_host_knows_and_a_right_clock_heals(
    steps: list[tuple[str, int] | tuple[str, int, int]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        plant = Plant(Path(folder))
        for name, *given_values in steps:
            getattr(plant, name)(*given_values)
            plant.look()
        plant.is_healed_by_one_round_trip()
