"""What stands in for the Linux probe: the commands of macOS, and the facts file for tests and support."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from chariot_license import macos
from chariot_license.errors import InputError
from chariot_license.host import load_facts, real_value
from chariot_license.protocol.fingerprint import HostFacts

MACHINE_ID = "3f1c9a5be2d94c0f8a7765d1e0b4c2aa"
UUID = "8a1b4c6d-12ef-4a90-9c33-0f5e7d2b6a18"
MAC = "00:1b:21:3c:9d:e8"


class TestMac:
    REGISTRY = (
        '    "IOPlatformUUID" = "8A1B4C6D-12EF-4A90-9C33-0F5E7D2B6A18"\n    "IOPlatformSerialNumber" = "C02XK0AAJG5J"\n'
    )

    def test_the_answers_of_its_commands(self) -> None:
        seen = macos.facts_from(
            real_value,
            registry=self.REGISTRY,
            address="Ethernet Address: 3C:22:FB:01:02:03",
            processor="Apple M1\n",
            virtual="0\n",
            hostname="mac-1.local",
        )
        assert seen == HostFacts(
            machine_id="C02XK0AAJG5J",
            board_uuid=UUID,
            macs=("3c:22:fb:01:02:03",),
            cpu_model="Apple M1",
            hostname="mac-1.local",
        )

    def test_no_answers_at_all(self) -> None:
        assert (
            macos.facts_from(real_value, registry="", address="", processor="", virtual="", hostname="") == HostFacts()
        )

    def test_a_privacy_address_is_left_out(self) -> None:
        seen = macos.facts_from(
            real_value,
            registry="",
            address="Ethernet Address: 3e:22:fb:01:02:03",
            processor="",
            virtual="1",
            hostname="",
        )
        assert (seen.macs, seen.virtual) == ((), "apple")

    def test_commands_that_do_not_exist_are_no_answers(self) -> None:
        assert macos._asked("/nonexistent/ioreg") == ""
        assert macos._asked("/bin/sh", "-c", "exit 3") == ""


class TestFactsFile:
    def test_all_names(self, tmp_path: Path) -> None:
        file = tmp_path / "host.json"
        file.write_text(
            json.dumps(
                {
                    "machine_id": MACHINE_ID.upper(),
                    "board_uuid": UUID.upper(),
                    "mac": [MAC.upper(), "not a mac", MAC],
                    "disk_serial": "S4EW",
                    "cpu_model": "None",
                    "hostname": "plant-7",
                    "container": "docker",
                    "virtual": None,
                }
            )
        )
        assert load_facts(file) == HostFacts(
            machine_id=MACHINE_ID,
            board_uuid=UUID,
            macs=(MAC,),
            disk_serial="S4EW",
            hostname="plant-7",
            container="docker",
        )

    def test_each_name_is_optional_and_one_mac_may_stand_alone(self, tmp_path: Path) -> None:
        file = tmp_path / "host.json"
        file.write_text("{}")
        assert load_facts(file) == HostFacts()
        file.write_text(json.dumps({"mac": MAC}))
        assert load_facts(file).macs == (MAC,)

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "no JSON"),
            (b"[1]", "one JSON object"),
            (b"\xff\xfe", "no text file"),
            (b'{"serial": "x"}', "'serial' is not known"),
            (b'{"mac": [1]}', "'mac' must be"),
            (b'{"hostname": 7}', "'hostname' must be"),
            (b"[" * 100_000, "no JSON"),
        ],
    )
    def test_a_bad_file_is_named(self, tmp_path: Path, content: bytes, words: str) -> None:
        file = tmp_path / "host.json"
        file.write_bytes(content)
        with pytest.raises(InputError) as caught:
            load_facts(file)
        assert words in caught.value.message
        assert str(file) in caught.value.message

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(InputError) as caught:
            load_facts(tmp_path / "none.json")
        assert caught.value.code == "host-facts-unreadable"
        assert "No such file" in caught.value.message
