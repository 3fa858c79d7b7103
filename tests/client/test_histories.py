"""Random histories of one Chariot, and a kill at random moments: what must hold whatever happens."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from pathlib import Path

import pytest
from chariot_license.instance import Instance
from chariot_license.protocol.block import Kind
from chariot_license.protocol.codes import commitment, parse_deactivation_code
from chariot_license.protocol.license import digest16
from chariot_license.protocol.reader import read_block
from chariot_license.protocol.request import UsageRequest
from chariot_license.results import Installed, Refused
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.client.steps import KEY, deactivated, made
from tests.client.vendor import NOW, PLANT_HOST, Clock, Vendor, new_license_key, read_made

VENDOR = Vendor()
KEYS = (KEY, new_license_key())


class Histories(RuleBasedStateMachine):
    """Requests, answers in any order, deactivations and clock jumps, against a model of what must follow."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.requests: list[tuple[UsageRequest, str]] = []
        self.pending: int | None = None  # number of the request whose answer is awaited
        self.in_force: str | None = None
        self.tenure: list[UsageRequest] = []
        self.codes: dict[bytes, str] = {}

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def chariot(self) -> Instance:
        """Opened anew for each step, as after a restart."""
        return Instance.for_command_line(
            Path(self.folder.name) / "state", version="2.4.1", roots=VENDOR.roots, facts=PLANT_HOST, clock=self.clock
        )

    @rule(key=st.sampled_from(KEYS))
    def request(self, key: object) -> None:
        assert key in KEYS
        block = made(self.chariot().request(KEYS[KEYS.index(key)].text)).block
        request = read_made(block)
        if self.requests:
            last = self.requests[-1][0]
            assert request.counter == last.counter + 1
            assert request.instance_key == last.instance_key
        assert request.request_id not in {earlier.request_id for earlier, _ in self.requests}
        wanted = digest16(read_block(self.in_force, Kind.LICENSE).data) if self.in_force else None
        assert request.previous == wanted
        if self.tenure:
            assert request.commitment == self.tenure[0].commitment
        assert request.commitment not in self.codes
        self.tenure.append(request)
        self.requests.append((request, VENDOR.answer(block)))
        self.pending = len(self.requests) - 1

    @precondition(lambda self: self.requests)
    @rule(data=st.data())
    def install(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.requests) - 1))
        answer = self.requests[number][1]
        result = self.chariot().install(answer)
        if answer == self.in_force:
            assert isinstance(result, Installed)
            assert result.again
        elif number == self.pending:
            assert isinstance(result, Installed)
            assert not result.again
            self.in_force, self.pending = answer, None
        else:
            assert isinstance(result, Refused)
            wanted = "superseded-request" if self.pending is not None else None
            wanted = wanted or ("no-pending-request" if self.tenure else "deactivated")
            assert result.code == wanted

    @rule()
    def deactivate(self) -> None:
        if not self.requests:
            assert isinstance(self.chariot().deactivate(), Refused)
            return
        gone = deactivated(self.chariot().deactivate())
        secret = parse_deactivation_code(gone.code)
        last = self.requests[-1][0]
        assert commitment(last.thumbprint, secret) == last.commitment
        assert gone.again is not bool(self.tenure)
        assert self.codes.setdefault(last.commitment, gone.code) == gone.code
        self.tenure, self.in_force, self.pending = [], None, None

    @rule(seconds=st.integers(-20_000_000, 20_000_000))
    def turn_clock(self, seconds: int) -> None:
        self.clock.now = max(NOW - 30_000_000, self.clock.now + seconds)

    @invariant()
    def status_fits(self) -> None:
        if not hasattr(self, "folder"):
            return
        status = self.chariot().status()
        assert (status.pending_since is not None) == (self.pending is not None)
        if self.in_force:
            assert status.state == "active"
        elif self.pending is not None:
            assert status.state == "request-pending"
        else:
            assert status.state == ("deactivated" if self.requests else "unlicensed")


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=20, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_while_making_requests(tmp_path: Path, seed: int) -> None:
    """A request that anyone saw has its counter on disk, and the next one has a higher counter."""
    randomness = random.Random(seed)
    highest = 0
    for _ in range(15):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                _make_requests(tmp_path / "state", write)
            finally:
                os._exit(70)
        os.close(write)
        shown = os.read(read, 4)
        time.sleep(randomness.uniform(0, 0.06))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while chunk := os.read(read, 65536):
            shown += chunk
        os.close(read)
        counters = [int.from_bytes(shown[i : i + 4], "big") for i in range(0, len(shown) // 4 * 4, 4)]
        assert counters == sorted(set(counters))
        assert counters[0] > highest
        highest = counters[-1]
    assert highest >= 15


def _make_requests(folder: Path, pipe: int) -> None:
    while True:
        result = made(Instance.for_command_line(folder, facts=PLANT_HOST).request(KEY.text))
        os.write(pipe, result.counter.to_bytes(4, "big"))
