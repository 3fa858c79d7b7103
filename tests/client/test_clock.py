"""The clock that expiry is judged by: what is remembered of it, and what an answer mends."""

from __future__ import annotations

from pathlib import Path

from chariot_license.protocol.license import Feature
from chariot_license.store import StateStore

from tests.client.conftest import MakeChariot
from tests.client.steps import DAY, KEY, installed, license_it, made
from tests.client.vendor import NOW, YEAR, Clock, Vendor


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
        assert result.warnings == ()
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
        assert StateStore(state_dir).load().high_water == NOW + 60

    def test_the_end_of_a_feature_is_written_at_once(
        self, chariot: MakeChariot, vendor: Vendor, clock: Clock, state_dir: Path
    ) -> None:
        license_it(chariot(), vendor, features=(Feature("mqtt-server", NOW + 40),))
        clock.now = NOW + 39
        assert chariot().status().allows("mqtt-server")
        assert StateStore(state_dir).load().high_water == NOW
        clock.now = NOW + 40
        assert chariot().status().state == "expired"
        clock.now = NOW + 10
        status = chariot().status()
        assert (status.state, status.allows("mqtt-server")) == ("expired", False)
        before = (state_dir / "state.json").stat().st_ino
        clock.now = NOW + 41
        assert chariot().status().state == "expired"
        assert (state_dir / "state.json").stat().st_ino == before  # once is enough


class TestAnswerKeptBack:
    """An answer that is installed late begins no second term; one round trip with a right clock heals (Design 9.9)."""

    TERM = 30 * DAY

    def answer(self, chariot: MakeChariot, vendor: Vendor, now: int) -> str:
        block = made(chariot().request(KEY.text)).block
        return vendor.answer(block, issued_at=now, features=(Feature("mqtt-server", now + self.TERM),))

    def test_is_worth_nothing_when_its_term_has_passed(
        self, chariot: MakeChariot, vendor: Vendor, clock: Clock
    ) -> None:
        installed(chariot().install(self.answer(chariot, vendor, NOW)))
        kept_back = self.answer(chariot, vendor, NOW)
        for _ in range(30):
            clock.now += DAY
            chariot().status()
        assert chariot().status().state == "expired"
        clock.now = NOW
        result = installed(chariot().install(kept_back))
        assert "30 days behind the latest time known" in result.warnings[0]
        assert chariot().status().state == "expired"

    def test_nor_when_its_request_was_made_with_the_clock_ahead(
        self, chariot: MakeChariot, vendor: Vendor, clock: Clock
    ) -> None:
        never = (Feature("mqtt-server", NOW + 20 * YEAR),)
        license_it(chariot(), vendor, features=never)
        clock.now = NOW + YEAR
        kept_back = self.answer(chariot, vendor, NOW)
        clock.now = NOW + self.TERM
        chariot().status()
        clock.now = NOW
        installed(chariot().install(kept_back))
        assert chariot().status().state == "expired"

    def test_a_jump_before_the_request_is_forgotten_though_it_was_looked_at_for_long(
        self, chariot: MakeChariot, vendor: Vendor, clock: Clock
    ) -> None:
        clock.now = NOW + 20 * YEAR
        made(chariot().request(KEY.text))
        chariot().status()
        clock.now = NOW
        answer = self.answer(chariot, vendor, NOW)
        clock.now = NOW + DAY
        assert chariot().status().clock_warning is not None
        assert installed(chariot().install(answer)).warnings == ()
        status = chariot().status()
        assert (status.state, status.clock_warning, status.features[0].days_left) == ("active", None, 29)

    def test_a_jump_after_the_request_is_healed_by_the_next_one(
        self, chariot: MakeChariot, vendor: Vendor, clock: Clock
    ) -> None:
        answer = self.answer(chariot, vendor, NOW)
        clock.now = NOW + 20 * YEAR
        chariot().status()
        clock.now = NOW + DAY
        (warning,) = installed(chariot().install(answer)).warnings
        assert "the answer to a new Usage Request puts the latest time right" in warning
        assert chariot().status().state == "expired"
        installed(chariot().install(self.answer(chariot, vendor, NOW + DAY)))
        assert chariot().status().state == "active"
