"""Installing Usage Licenses, and refusing those that are not for this Chariot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from chariot_license.protocol.block import Kind
from chariot_license.protocol.certificates import serial_hex
from chariot_license.protocol.errors import BlockError
from chariot_license.protocol.fingerprint import HostFacts
from chariot_license.protocol.reader import read_block

from tests.client.conftest import MakeChariot
from tests.client.steps import DAY, KEY, installed, license_it, made, refused
from tests.client.vendor import OTHER_HOST, PLANT_HOST, Clock, Vendor


class TestInstall:
    def test_puts_the_license_in_force(self, chariot: MakeChariot, vendor: Vendor) -> None:
        block = made(chariot().request(KEY.text)).block
        result = installed(chariot().install(vendor.answer(block)))
        assert (result.license_id, result.activation_id, result.again) == (
            vendor.license_id,
            vendor.activation_id,
            False,
        )
        assert result.warnings == ()
        status = chariot().status()
        assert (status.state, status.license_id, status.pending_since) == ("active", vendor.license_id, None)

    def test_out_of_a_whole_email(self, chariot: MakeChariot, vendor: Vendor) -> None:
        answer = vendor.answer(made(chariot().request(KEY.text)).block)
        quoted = "\r\n".join(f"> {line.lower()}" for line in answer.splitlines())
        email = f"Hello,\r\n\r\nhere is your license:\r\n{quoted}\r\n\r\nRegards, Support\r\n"
        assert installed(chariot().install(email.encode())).license_id == vendor.license_id

    def test_the_right_one_of_several_in_a_mail(self, chariot: MakeChariot, vendor: Vendor) -> None:
        older = license_it(chariot(), vendor)
        newer = vendor.answer(made(chariot().request(KEY.text)).block)
        thread = f"Here it is:\n{newer}\n\n> On Monday Support wrote:\n> {older.replace(chr(10), chr(10) + '> ')}\n"
        assert not installed(chariot().install(thread)).again
        assert chariot().status().usage_license_id == installed(chariot().install(newer)).usage_license_id

    def test_none_of_several_is_the_one(self, chariot: MakeChariot, vendor: Vendor) -> None:
        first, second = (vendor.answer(made(chariot().request(KEY.text)).block) for _ in range(2))
        made(chariot().request(KEY.text))
        with pytest.raises(BlockError) as caught:
            chariot().install(f"{first}\n{second}")
        assert caught.value.code == "several-blocks"

    def test_the_same_one_again_changes_nothing(self, chariot: MakeChariot, vendor: Vendor, state_dir: Path) -> None:
        answer = license_it(chariot(), vendor)
        before = (state_dir / "state.json").read_bytes()
        assert installed(chariot().install(answer)).again
        assert (state_dir / "state.json").read_bytes() == before

    def test_the_same_one_again_keeps_a_newer_request_waiting(self, chariot: MakeChariot, vendor: Vendor) -> None:
        answer = license_it(chariot(), vendor)
        newer = made(chariot().request(KEY.text)).block
        assert installed(chariot().install(answer)).again
        assert not installed(chariot().install(vendor.answer(newer))).again

    def test_the_answer_to_an_older_request_is_refused(
        self, chariot: MakeChariot, vendor: Vendor, clock: Clock
    ) -> None:
        older = made(chariot().request(KEY.text)).block
        clock.now += DAY
        newer = made(chariot().request(KEY.text)).block
        result = refused(chariot().install(vendor.answer(older)), "superseded-request")
        assert "A newer Usage Request was made on 2027-01-16 08:00 UTC; its answer is needed" in result.message
        assert chariot().status().state == "request-pending"
        installed(chariot().install(vendor.answer(newer)))

    def test_an_older_license_of_this_chariot_is_refused(self, chariot: MakeChariot, vendor: Vendor) -> None:
        first = license_it(chariot(), vendor)
        license_it(chariot(), vendor)
        refused(chariot().install(first), "no-pending-request")

    def test_without_any_request(self, chariot: MakeChariot, vendor: Vendor, tmp_path: Path) -> None:
        elsewhere = made(chariot(state_dir=tmp_path / "elsewhere").request(KEY.text)).block
        refused(chariot().install(vendor.answer(elsewhere)), "other-instance")

    def test_made_for_another_chariot(self, chariot: MakeChariot, vendor: Vendor, tmp_path: Path) -> None:
        made(chariot().request(KEY.text))
        elsewhere = made(chariot(state_dir=tmp_path / "elsewhere").request(KEY.text)).block
        refused(chariot().install(vendor.answer(elsewhere)), "other-instance")

    def test_carried_to_another_host_with_its_state(self, chariot: MakeChariot, vendor: Vendor) -> None:
        answer = vendor.answer(made(chariot().request(KEY.text)).block)
        result = refused(chariot(OTHER_HOST).install(answer), "host-mismatch")
        assert "board, disk, machine id and network card changed" in result.message
        assert chariot().status().state == "request-pending"
        installed(chariot().install(answer))

    def test_one_new_part_is_within_tolerance(self, chariot: MakeChariot, vendor: Vendor) -> None:
        answer = vendor.answer(made(chariot().request(KEY.text)).block)
        changed = replace(PLANT_HOST, macs=OTHER_HOST.macs)
        result = installed(chariot(changed).install(answer))
        assert result.host_words == "network card changed; board, disk and machine id are the same"

    def test_of_another_vendor(self, chariot: MakeChariot, vendor: Vendor) -> None:
        answer = Vendor("Somebody Else").answer(made(chariot().request(KEY.text)).block)
        refused(chariot().install(answer), "certificate-unknown-issuer")

    def test_of_another_product(self, chariot: MakeChariot, vendor: Vendor) -> None:
        answer = vendor.answer(made(chariot().request(KEY.text)).block, product="other-product")
        refused(chariot().install(answer), "other-product")

    def test_tampered_with(self, chariot: MakeChariot, vendor: Vendor) -> None:
        from chariot_license.protocol.block import write_block

        data = bytearray(read_block(vendor.answer(made(chariot().request(KEY.text)).block), Kind.LICENSE).data)
        data[-1] ^= 1
        refused(chariot().install(write_block(Kind.LICENSE, bytes(data))), "license-signature-wrong")

    @pytest.mark.parametrize(("text", "code"), [("", "no-block"), ("Dear all,\nthanks!", "no-block")])
    def test_text_without_a_license(self, chariot: MakeChariot, text: str, code: str) -> None:
        with pytest.raises(BlockError) as caught:
            chariot().install(text)
        assert caught.value.code == code

    def test_the_request_instead_of_its_answer(self, chariot: MakeChariot) -> None:
        block = made(chariot().request(KEY.text)).block
        with pytest.raises(BlockError) as caught:
            chariot().install(block)
        assert caught.value.code == "wrong-kind"

    def test_without_any_root_says_so(self, chariot: MakeChariot, vendor: Vendor) -> None:
        answer = vendor.answer(made(chariot().request(KEY.text)).block)
        result = refused(chariot(roots=()).install(answer), "no-trust-root")
        assert "--trust-root" in result.message

    @pytest.mark.parametrize(
        "facts", [HostFacts(cpu_model="Atom"), HostFacts(disk_serial="S4EWNX0R512345", cpu_model="Atom")]
    )
    def test_a_license_made_for_a_host_that_shows_little(
        self, chariot: MakeChariot, vendor: Vendor, facts: HostFacts
    ) -> None:
        answer = vendor.answer(made(chariot(facts).request(KEY.text)).block)
        if facts.disk_serial:
            refused(chariot(replace(facts, disk_serial="OTHER-1")).install(answer), "host-mismatch")
            refused(chariot(replace(facts, disk_serial=None)).install(answer), "host-mismatch")
        assert "identifying part" in installed(chariot(facts).install(answer)).host_words
        assert chariot(facts).status().state == "active"

    @pytest.mark.parametrize(
        ("shown", "fits"),
        [
            (HostFacts(), True),
            (HostFacts(cpu_model="Atom", disk_serial="S4EWNX0R512345"), True),
            (HostFacts(disk_serial="S4EWNX0R512345", macs=("00:1b:21:3c:9d:e8",)), False),
            (PLANT_HOST, False),
        ],
    )
    def test_a_license_that_knows_nothing_fits_only_a_host_that_shows_little(
        self, chariot: MakeChariot, vendor: Vendor, shown: HostFacts, fits: bool
    ) -> None:
        nothing = HostFacts(cpu_model="Atom")
        answer = vendor.answer(made(chariot(nothing).request(KEY.text)).block)
        if not fits:
            result = refused(chariot(shown).install(answer), "host-mismatch")
            assert "knows no identifying part of its host, and this host shows" in result.message
            assert "Make a new Usage Request on this host" in result.message
        installed(chariot(nothing).install(answer))
        status = chariot(shown).status()
        assert status.state == ("active" if fits else "host-mismatch")

    @pytest.mark.parametrize("disk", ["S4EWNX0R512345", "OTHER-1"])
    def test_a_license_that_knows_one_part_needs_that_part(
        self, chariot: MakeChariot, vendor: Vendor, disk: str
    ) -> None:
        license_it(chariot(HostFacts(disk_serial="S4EWNX0R512345")), vendor)
        fits = disk == PLANT_HOST.disk_serial
        status = chariot(replace(PLANT_HOST, disk_serial=disk)).status()
        assert status.state == ("active" if fits else "host-mismatch")

    def test_a_host_that_hides_its_parts_is_no_match(self, chariot: MakeChariot, vendor: Vendor) -> None:
        answer = vendor.answer(made(chariot().request(KEY.text)).block)
        refused(chariot(HostFacts(disk_serial=PLANT_HOST.disk_serial)).install(answer), "host-mismatch")
        refused(chariot(HostFacts()).install(answer), "host-mismatch")


class TestRevokedKeys:
    def test_learned_from_a_license_and_remembered(self, chariot: MakeChariot, vendor: Vendor) -> None:
        stolen_key, stolen = vendor.signing_key, vendor.certificate
        vendor.use_signing_key(serial=0x7A3)
        license_it(chariot(), vendor, revoked=(serial_hex(stolen),))
        assert chariot().status().state == "active"
        vendor.signing_key, vendor.certificate = stolen_key, stolen
        answer = vendor.answer(made(chariot().request(KEY.text)).block)
        refused(chariot().install(answer), "certificate-revoked")
        # A later license that says nothing of it does not make it trusted again.
        vendor.use_signing_key(serial=0x7A4)
        license_it(chariot(), vendor)
        vendor.signing_key, vendor.certificate = stolen_key, stolen
        refused(chariot().install(vendor.answer(made(chariot().request(KEY.text)).block)), "certificate-revoked")
