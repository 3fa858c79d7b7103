"""What the License page shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from chariot_license.errors import StateError
from chariot_license.instance import Instance
from chariot_license.protocol.block import Kind
from chariot_license.protocol.license import Feature
from chariot_license.protocol.reader import read_block
from chariot_license.store import StateStore

from tests.client.conftest import MakeChariot
from tests.client.states import save
from tests.client.steps import DAY, KEY, installed, license_it, made
from tests.client.vendor import NOW, OTHER_HOST, YEAR, Clock, Vendor


class TestStatus:
    def test_of_a_chariot_never_used(self, chariot: MakeChariot, state_dir: Path) -> None:
        status = chariot().status()
        assert (status.state, status.license_id, status.features) == ("unlicensed", None, ())
        assert not state_dir.exists()

    def test_while_a_request_waits(self, chariot: MakeChariot) -> None:
        made(chariot().request(KEY.text))
        status = chariot().status()
        assert (status.state, status.pending_since) == ("request-pending", NOW)

    def test_of_a_license_in_force(self, chariot: MakeChariot, vendor: Vendor) -> None:
        license_it(chariot(), vendor, terms_revision=4, versions=("2.0", "2.4"))
        status = chariot().status()
        assert status.state == "active"
        assert (status.customer, status.terms_revision, status.versions) == ("Acme Water", 4, ("2.0", "2.4"))
        assert [(f.code, f.expires, f.days_left, f.active) for f in status.features] == [
            ("mqtt-server", None, None, True),
            ("mqtt-server-support", NOW + 90 * DAY, 90, True),
        ]
        assert status.host_match is not None
        assert status.host_match.matched
        assert (status.clock_warning, status.warnings) == (None, ())
        assert status.allows("mqtt-server")
        assert not status.allows("iot-bridge-snowflake")

    @pytest.mark.parametrize(
        ("after", "left"),
        [(0, 90), (1, 89), (89 * DAY, 1), (90 * DAY - 1, 0), (90 * DAY, None), (YEAR, None)],
    )
    def test_days_left(self, chariot: MakeChariot, vendor: Vendor, clock: Clock, after: int, left: int | None) -> None:
        active = left is not None
        license_it(chariot(), vendor)
        clock.now += after
        status = chariot().status()
        support = status.features[1]
        assert (support.days_left, support.active) == (left or 0, active)
        assert status.state == "active"  # the one-time feature never expires
        assert ("expired: mqtt-server-support" in status.message) is not active

    def test_expired_when_all_features_are(self, chariot: MakeChariot, vendor: Vendor, clock: Clock) -> None:
        features = (Feature("mqtt-server", NOW + DAY), Feature("iot-bridge-snowflake", NOW + 2 * DAY))
        license_it(chariot(), vendor, features=features)
        clock.now += DAY
        assert chariot().status().state == "active"
        assert not chariot().status().allows("mqtt-server")
        clock.now += DAY
        status = chariot().status()
        assert status.state == "expired"
        assert not status.allows("iot-bridge-snowflake")

    def test_on_another_host(self, chariot: MakeChariot, vendor: Vendor) -> None:
        license_it(chariot(), vendor)
        status = chariot(OTHER_HOST).status()
        assert status.state == "host-mismatch"
        assert status.host_match is not None
        assert not status.host_match.matched
        assert "board, disk, machine id and network card changed" in status.message
        assert not status.allows("mqtt-server")

    def test_a_license_swapped_in_the_file_is_found(
        self, chariot: MakeChariot, vendor: Vendor, state_dir: Path, tmp_path: Path
    ) -> None:
        license_it(chariot(), vendor)
        other = chariot(state_dir=tmp_path / "elsewhere")
        license_it(other, vendor)
        store, elsewhere = StateStore(state_dir), StateStore(tmp_path / "elsewhere")
        save(store, replace(store.load(), installed=elsewhere.load().installed))
        status = chariot().status()
        assert (status.state, status.features) == ("invalid", ())
        assert "was made for another Chariot" in status.message
        assert "make a new one if none waits" in status.message

    def test_a_test_mark_taken_off_the_state_finds_the_test_license(
        self, chariot: MakeChariot, vendor: Vendor, state_dir: Path
    ) -> None:
        license_it(chariot(), vendor)
        store = StateStore(state_dir)
        save(store, replace(store.load(), test=False, test_roots=()))
        status = chariot().status()
        assert (status.state, status.features) == ("invalid", ())
        assert "from a test portal and can never license a real Chariot" in status.message
        assert "Make a new Usage Request" in status.message

    def test_a_license_of_another_product_put_into_the_file(
        self, chariot: MakeChariot, vendor: Vendor, state_dir: Path
    ) -> None:
        other = vendor.answer(made(chariot().request(KEY.text)).block, product="other-product")
        license_it(chariot(), vendor)
        store = StateStore(state_dir)
        state = store.load()
        assert state.installed is not None
        data = read_block(other, Kind.LICENSE).data
        save(store, replace(state, installed=replace(state.installed, data=data)))
        status = chariot().status()
        assert (status.state, status.features) == ("invalid", ())
        assert "is for other-product, and this is chariot-mqtt-server. Ask Support" in status.message
        assert chariot(product="other-product", version="2.4.1").status().state == "active"

    def test_a_license_that_no_longer_verifies(self, chariot: MakeChariot, vendor: Vendor) -> None:
        license_it(chariot(), vendor)
        status = chariot(roots=Vendor("Somebody Else").roots).status()
        assert (status.state, status.customer) == ("invalid", None)
        assert status.license_id == vendor.license_id
        assert "cannot be used" in status.message

    def test_works_on_a_disk_that_is_full_and_says_so(
        self, chariot: MakeChariot, vendor: Vendor, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        license_it(chariot(), vendor)
        clock.now += DAY

        def full(store: StateStore, state: object) -> None:
            raise StateError("state-unwritable", "disk full")

        monkeypatch.setattr(StateStore, "save", full)
        status = chariot().status()
        assert (status.state, status.warnings) == ("active", ("disk full",))

    def test_does_not_wait_for_another_process(
        self, chariot: MakeChariot, vendor: Vendor, clock: Clock, state_dir: Path
    ) -> None:
        license_it(chariot(), vendor)
        clock.now += DAY
        with StateStore(state_dir).locked():
            status = chariot().status()
        assert (status.state, status.warnings) == ("active", ())

    def test_a_warning_is_told_once_by_whichever_call_comes_first(
        self, chariot: MakeChariot, vendor: Vendor, state_dir: Path, clock: Clock
    ) -> None:
        running = chariot()
        answer = license_it(running, vendor)
        for call in (running.status, lambda: installed(running.install(answer)), running.deactivate):
            state_dir.chmod(0o755)
            clock.now += DAY
            (warning,) = call().warnings  # type: ignore[union-attr]
            assert "open to other users (mode 0755); it is now 0700" in warning
            assert running.status().warnings == ()

    def test_a_warning_found_while_it_was_made_is_told_by_its_first_call(self, state_dir: Path) -> None:
        made(Instance(state_dir, version="2.4.1").request(KEY.text))
        (state_dir / "state.json").chmod(0o644)
        running = Instance(state_dir, version="2.4.1")
        (warning,) = running.status().warnings
        assert "state.json was open to other users (mode 0644)" in warning
        assert running.status().warnings == ()
