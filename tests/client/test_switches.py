"""The test switches: what they mark, and who refuses the mark."""

from __future__ import annotations

from pathlib import Path

import pytest
from chariot_license import answers
from chariot_license.errors import StateError
from chariot_license.instance import Instance

from tests.client.conftest import MakeChariot
from tests.client.steps import DAY, KEY, deactivated, license_it, made, refused
from tests.client.vendor import PLANT_HOST, Clock, Vendor, read_made


class TestSwitches:
    """Neither switch may become a way round licensing (Design 7, 9.20)."""

    @pytest.fixture
    def plain(self, state_dir: Path, clock: Clock) -> Instance:
        """The command line without any switch."""
        return Instance.for_command_line(state_dir, clock=clock)

    def test_a_request_with_a_switch_is_marked_under_its_signature(
        self, state_dir: Path, clock: Clock, plain: Instance
    ) -> None:
        with_facts = Instance.for_command_line(state_dir, facts=PLANT_HOST, clock=clock)
        assert read_made(made(with_facts.request(KEY.text)).block).test
        # For good: also without the switch.
        assert read_made(made(plain.request(KEY.text)).block).test
        assert plain.status().test_state

    @pytest.mark.parametrize("deactivate", [False, True])
    def test_a_real_instance_key_is_never_turned_into_a_test(
        self, chariot: MakeChariot, vendor: Vendor, state_dir: Path, plain: Instance, deactivate: bool
    ) -> None:
        block = made(plain.request(KEY.text)).block
        assert not read_made(block).test
        if deactivate:
            deactivated(plain.deactivate())
        before = (state_dir / "state.json").read_bytes()
        with_facts_alone, with_root_alone = chariot(roots=None), chariot(None)
        for switched in (with_facts_alone, with_root_alone):
            result = refused(switched.request(KEY.text), "real-state")
            assert "another --state-dir" in result.message
            refused(switched.install(vendor.answer(block)), "real-state")
        assert (state_dir / "state.json").read_bytes() == before
        assert not plain.status().test_state

    def test_a_look_with_a_switch_says_that_it_says_nothing(
        self, chariot: MakeChariot, state_dir: Path, plain: Instance
    ) -> None:
        made(plain.request(KEY.text))
        for chariot_asked, switched in ((plain, False), (chariot(roots=None), True), (chariot(None), True)):
            status = chariot_asked.status()
            assert (status.test_switch, status.test_state) == (switched, False)
            assert answers.status_json(status)["test_switch"] is switched
            assert ("it says nothing about what Chariot itself may do" in answers.status_text(status)) is switched

    def test_a_look_at_a_test_state_calls_it_one(self, chariot: MakeChariot, plain: Instance) -> None:
        made(chariot().request(KEY.text))
        assert (plain.status().test_switch, chariot().status().test_switch) == (False, True)
        assert "says nothing" not in answers.status_text(chariot().status())

    def test_the_embedding_api_refuses_a_test_state(self, chariot: MakeChariot, state_dir: Path) -> None:
        running = Instance(state_dir, version="2.4.1")
        made(chariot().request(KEY.text))
        for call in (lambda: Instance(state_dir, version="2.4.1"), running.status, running.deactivate):
            with pytest.raises(StateError) as caught:
                call()
            assert caught.value.code == "test-state"

    def test_the_embedding_api_reads_neither_variable(
        self, state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("CHARIOT_TRUST_ROOT", "CHARIOT_HOST_FACTS"):
            monkeypatch.setenv(name, str(tmp_path / "missing"))
        result = made(Instance(state_dir, version="2.4.1").request(KEY.text))
        assert not result.test_state
        assert not read_made(result.block).test

    def test_a_root_named_once_is_remembered_for_this_test_state(
        self, chariot: MakeChariot, vendor: Vendor, plain: Instance, state_dir: Path, clock: Clock
    ) -> None:
        license_it(chariot(), vendor)
        with_facts_only = Instance.for_command_line(state_dir, facts=PLANT_HOST, clock=clock)
        assert with_facts_only.status().state == "active"
        assert plain.status().state in ("active", "host-mismatch")

    def test_a_look_with_a_switch_writes_nothing_into_a_real_state(
        self, chariot: MakeChariot, state_dir: Path, clock: Clock, plain: Instance
    ) -> None:
        made(plain.request(KEY.text))
        clock.now += DAY
        before = (state_dir / "state.json").read_bytes()
        assert not chariot().status().test_state
        assert (state_dir / "state.json").read_bytes() == before
        plain.status()
        assert (state_dir / "state.json").read_bytes() != before
