"""Deactivating: destroys the license, shows the code, ends the tenure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from chariot_license.protocol.block import Kind
from chariot_license.protocol.codes import commitment, parse_deactivation_code
from chariot_license.protocol.reader import read_block

from tests.client.conftest import MakeChariot
from tests.client.steps import DAY, KEY, deactivated, installed, license_it, made, refused
from tests.client.vendor import NOW, OTHER_HOST, Clock, Vendor, new_license_key, read_made


class TestDeactivate:
    def test_shows_the_secret_that_every_request_committed_to(self, chariot: MakeChariot, vendor: Vendor) -> None:
        first = read_made(made(chariot().request(KEY.text)).block)
        license_it(chariot(), vendor)
        gone = deactivated(chariot().deactivate())
        secret = parse_deactivation_code(gone.code)
        assert commitment(first.thumbprint, secret) == first.commitment
        assert (gone.license_id, gone.again) == (vendor.license_id, False)

    def test_destroys_the_license(self, chariot: MakeChariot, vendor: Vendor, state_dir: Path) -> None:
        answer = license_it(chariot(), vendor)
        deactivated(chariot().deactivate())
        status = chariot().status()
        assert (status.state, status.deactivated_at, status.features) == ("deactivated", NOW, ())
        assert read_block(answer, Kind.LICENSE).data.hex() not in (state_dir / "state.json").read_text()
        refused(chariot().install(answer), "deactivated")

    def test_again_shows_the_same_code(self, chariot: MakeChariot, vendor: Vendor, clock: Clock) -> None:
        license_it(chariot(), vendor)
        first = deactivated(chariot().deactivate())
        clock.now += DAY
        assert deactivated(chariot().deactivate()) == replace(first, again=True)

    def test_works_though_no_answer_was_ever_installed(self, chariot: MakeChariot, vendor: Vendor) -> None:
        block = made(chariot().request(KEY.text)).block
        gone = deactivated(chariot().deactivate())
        assert gone.license_id is None
        request = read_made(block)
        assert commitment(request.thumbprint, parse_deactivation_code(gone.code)) == request.commitment
        refused(chariot().install(vendor.answer(block)), "deactivated")

    def test_works_on_another_host_and_without_a_root(self, chariot: MakeChariot, vendor: Vendor) -> None:
        license_it(chariot(), vendor)
        assert deactivated(chariot(OTHER_HOST, roots=()).deactivate()).license_id == vendor.license_id

    def test_of_what_was_never_requested(self, chariot: MakeChariot) -> None:
        assert "nothing to deactivate" in refused(chariot().deactivate(), "nothing-to-deactivate").message

    def test_a_new_request_begins_a_new_tenure(self, chariot: MakeChariot, vendor: Vendor) -> None:
        license_it(chariot(), vendor)
        old = deactivated(chariot().deactivate())
        result = made(chariot().request(KEY.text))
        request = read_made(result.block)
        assert (request.counter, request.previous) == (2, None)
        assert request.commitment != commitment(request.thumbprint, parse_deactivation_code(old.code))
        assert any(old.code in warning for warning in result.warnings)
        new = deactivated(chariot().deactivate())
        assert (new.license_id, new.code == old.code) == (None, False)

    def test_names_every_license_held_at_once(self, chariot: MakeChariot, vendor: Vendor) -> None:
        license_it(chariot(), vendor)
        other = Vendor()
        answer = vendor.answer(made(chariot().request(new_license_key().text)).block, license_id=other.license_id)
        installed(chariot().install(answer))
        gone = deactivated(chariot().deactivate())
        assert (gone.license_id, gone.other_license_ids) == (other.license_id, (vendor.license_id,))
