"""Making Usage Requests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from chariot_license.errors import StateError
from chariot_license.protocol.block import Kind
from chariot_license.protocol.errors import CodeError
from chariot_license.protocol.fingerprint import HostFacts, fingerprint_of
from chariot_license.protocol.license import digest16
from chariot_license.protocol.reader import read_block
from chariot_license.protocol.request import proof_holds
from chariot_license.store import StateStore

from tests.client.conftest import MakeChariot
from tests.client.steps import KEY, license_it, made
from tests.client.vendor import NOW, PLANT_HOST, Clock, Vendor, new_license_key, read_made


class TestRequest:
    def test_says_what_the_portal_needs(self, chariot: MakeChariot) -> None:
        result = made(chariot().request(KEY.text))
        request = read_made(result.block)
        assert (request.request_id, request.counter, request.issued_at) == (result.request_id, 1, NOW)
        assert request.lookup_id == KEY.lookup_id
        assert proof_holds(request, KEY.proof_key)
        assert request.fingerprint == fingerprint_of(PLANT_HOST, KEY.salt)
        assert (request.product, request.version, request.hostname) == ("chariot-mqtt-server", "2.4.1", "plant-7")
        assert (request.previous, request.test) == (None, True)
        assert result.warnings == ()

    def test_a_typo_is_named_and_changes_nothing(self, chariot: MakeChariot, state_dir: Path) -> None:
        wrong = KEY.text[:-1] + ("0" if KEY.text[-1] != "0" else "1")
        with pytest.raises(CodeError) as caught:
            chariot().request(wrong)
        assert caught.value.code == "license-key-typo"
        assert not state_dir.exists()

    def test_the_license_key_is_kept_nowhere(self, chariot: MakeChariot, vendor: Vendor, state_dir: Path) -> None:
        license_it(chariot(), vendor)
        kept = (state_dir / "state.json").read_text().lower()
        for secret in (KEY.secret, KEY.seed, KEY.proof_key, KEY.receipt_key):
            assert secret.hex() not in kept
        assert KEY.text.lower() not in kept

    def test_each_one_replaces_the_one_before(self, chariot: MakeChariot, clock: Clock) -> None:
        first = made(chariot().request(KEY.text))
        clock.now += 3600
        second = made(chariot().request(KEY.text))
        one, two = read_made(first.block), read_made(second.block)
        assert one.instance_key == two.instance_key
        assert one.request_id != two.request_id
        assert (one.counter, two.counter) == (1, 2)
        assert one.commitment == two.commitment
        assert (first.replaces, second.replaces) == (None, NOW)
        assert "2027-01-15 08:00 UTC is no longer valid" in second.warnings[0]

    def test_names_the_license_before_it(self, chariot: MakeChariot, vendor: Vendor) -> None:
        answer = license_it(chariot(), vendor)
        request = read_made(made(chariot().request(KEY.text)).block)
        assert request.previous == digest16(read_block(answer, Kind.LICENSE).data)

    def test_a_key_of_another_license_warns_of_the_seat(self, chariot: MakeChariot, vendor: Vendor) -> None:
        license_it(chariot(), vendor)
        assert made(chariot().request(KEY.text)).warnings == ()
        (*_, warning) = made(chariot().request(new_license_key().text)).warnings
        assert "deactivate first" in warning

    def test_a_replaced_key_of_the_same_license_does_not(self, chariot: MakeChariot, vendor: Vendor) -> None:
        license_it(chariot(), vendor)
        assert made(chariot().request(replace(KEY, secret=b"n" * 16).text)).warnings == ()

    @pytest.mark.parametrize(
        ("facts", "words"),
        [(HostFacts(), "no identifying part"), (HostFacts(disk_serial="S4EW", cpu_model="Atom"), "only one")],
    )
    def test_a_host_that_shows_too_little_is_warned_of(
        self, chariot: MakeChariot, facts: HostFacts, words: str
    ) -> None:
        (warning,) = made(chariot(facts).request(KEY.text)).warnings
        assert words in warning
        assert "/etc/machine-id" in warning

    def test_long_names_are_cut_to_what_a_request_carries(self, chariot: MakeChariot) -> None:
        facts = replace(PLANT_HOST, hostname="très-long-hostname.of.a.plant.example")
        request = read_made(made(chariot(facts, version="2.4.1-SNAPSHOT-20270115").request(KEY.text)).block)
        assert len(request.hostname) == 23
        assert request.version.startswith("2.4.1-")

    @pytest.mark.parametrize("now", [-5, 0, 2**32, 2**70])
    def test_a_clock_gone_wild_does_not_stop_it(self, chariot: MakeChariot, now: int) -> None:
        assert 0 <= read_made(made(chariot(clock=Clock(now)).request(KEY.text)).block).issued_at < 2**32

    def test_is_on_disk_before_it_is_shown(
        self, chariot: MakeChariot, state_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made(chariot().request(KEY.text))

        def full(store: StateStore, state: object) -> None:
            raise StateError("state-unwritable", "disk full")

        monkeypatch.setattr(StateStore, "save", full)
        with pytest.raises(StateError, match="disk full"):
            chariot().request(KEY.text)
        monkeypatch.undo()
        assert made(chariot().request(KEY.text)).counter == 2
