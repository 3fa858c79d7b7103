"""What the License page shows, and the clock it judges expiry by."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from chariot_license.errors import StateError
from chariot_license.protocol.license import Feature
from chariot_license.store import StateStore

from tests.client.conftest import MakeChariot
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

    @pytest.mark.parametrize(
        ("version", "state"), [("2.4.9", "active"), ("2.5", "version-not-covered"), ("unknown", "active")]
    )
    def test_of_a_version_outside_the_license(
        self, chariot: MakeChariot, vendor: Vendor, version: str, state: str
    ) -> None:
        license_it(chariot(), vendor, versions=("2.0", "2.4"))
        assert chariot(version=version).status().state == state

    def test_a_license_swapped_in_the_file_is_found(
        self, chariot: MakeChariot, vendor: Vendor, state_dir: Path, tmp_path: Path
    ) -> None:
        license_it(chariot(), vendor)
        other = chariot(state_dir=tmp_path / "elsewhere")
        license_it(other, vendor)
        store, elsewhere = StateStore(state_dir), StateStore(tmp_path / "elsewhere")
        with store.locked():
            store.save(replace(store.load(), installed=elsewhere.load().installed))
        assert chariot().status().state == "invalid"

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


class TestClock:
    def test_set_back_is_noticed_and_expiry_stays(self, chariot: MakeChariot, vendor: Vendor, clock: Clock) -> None:
        license_it(chariot(), vendor)
        clock.now = NOW + 91 * DAY
        assert not chariot().status().features[1].active
        clock.now = NOW + 10 * DAY
        status = chariot().status()
        assert not status.features[1].active
        assert status.clock_warning is not None
        assert "81 days behind the latest time known" in status.clock_warning
        assert "reads 2027-01-25 08:00 UTC" in status.clock_warning

    def test_small_corrections_are_no_matter(self, chariot: MakeChariot, vendor: Vendor, clock: Clock) -> None:
        license_it(chariot(), vendor)
        clock.now += DAY
        chariot().status()
        clock.now -= 300
        assert chariot().status().clock_warning is None

    def test_issued_in_the_future_warns_and_installs(self, chariot: MakeChariot, vendor: Vendor, clock: Clock) -> None:
        clock.now = NOW - 40 * DAY
        block = made(chariot().request(KEY.text)).block
        result = installed(chariot().install(vendor.answer(block)))
        (warning,) = result.warnings
        assert "40 days ahead of this host's clock" in warning
        status = chariot().status()
        assert status.state == "active"
        # Expiry counts from the latest time known, which is the vendor's.
        assert status.features[1].days_left == 90

    def test_one_wrong_jump_does_not_expire_a_host_for_good(
        self, chariot: MakeChariot, vendor: Vendor, clock: Clock
    ) -> None:
        license_it(chariot(), vendor)
        clock.now = NOW + 20 * YEAR
        assert not chariot().status().features[1].active
        clock.now = NOW + DAY
        assert not chariot().status().features[1].active
        block = made(chariot().request(KEY.text))
        assert "set back" in block.warnings[0]
        result = installed(chariot().install(vendor.answer(block.block, issued_at=NOW + DAY)))
        assert "set back" in result.warnings[0]
        status = chariot().status()
        assert (status.features[1].active, status.features[1].days_left) == (True, 89)
        assert status.clock_warning is None

    def test_installing_the_license_in_force_again_resets_nothing(
        self, chariot: MakeChariot, vendor: Vendor, clock: Clock
    ) -> None:
        answer = license_it(chariot(), vendor)
        clock.now = NOW + YEAR
        chariot().status()
        clock.now = NOW
        installed(chariot().install(answer))
        assert not chariot().status().features[1].active

    def test_is_not_written_on_every_look(
        self, chariot: MakeChariot, vendor: Vendor, clock: Clock, state_dir: Path
    ) -> None:
        license_it(chariot(), vendor)
        before = (state_dir / "state.json").stat().st_ino
        clock.now += 59
        chariot().status()
        assert (state_dir / "state.json").stat().st_ino == before
        clock.now += 1
        chariot().status()
        assert json.loads((state_dir / "state.json").read_text())["state"]["high_water"] == NOW + 60
