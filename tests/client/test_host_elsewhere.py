"""What stands in for the Linux probe: the commands of macOS, and the facts file for tests and support."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from chariot_license import macos
from chariot_license.errors import InputError
from chariot_license.files import NotReadable, read_small
from chariot_license.host import load_facts, real_value
from chariot_license.protocol.fingerprint import HostFacts
from chariot_license.protocol.request import CONTAINERS, VIRTUALS
from chariot_license.roots import roots_from_file
from cryptography.hazmat.primitives.serialization import Encoding

from tests.client.states import in_child
from tests.client.vendor import Vendor

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
        assert (seen.macs, seen.virtual) == ((), "vm")

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
            (b"[" * 60_000, "no JSON"),
            (b'"text"', "one JSON object"),
            (b'{"mac": {"eth0": "x"}}', "'mac' must be"),
            (b'{"mac": ["00:1b:21:3c:9d:e8", null]}', "each of 'mac' must be"),
            (b'{"board_uuid": ["x"]}', "'board_uuid' must be a text, or null"),
            (b'{"container": "dockr"}', "'container' must be one of container, docker"),
            (b'{"virtual": "oracle"}', "'virtual' must be one of vm, kvm"),
            (b'{"machine_id": "' + b"x" * 65536 + b'"}', "larger than 64 KiB"),
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

    @pytest.mark.parametrize("word", [*CONTAINERS, None])
    def test_every_container_of_the_protocol_may_be_named(self, tmp_path: Path, word: str | None) -> None:
        file = tmp_path / "host.json"
        file.write_text(json.dumps({"container": word}))
        assert load_facts(file).container == word

    @pytest.mark.parametrize("word", [*VIRTUALS, None])
    def test_every_virtual_machine_of_the_protocol_may_be_named(self, tmp_path: Path, word: str | None) -> None:
        file = tmp_path / "host.json"
        file.write_text(json.dumps({"virtual": word}))
        assert load_facts(file).virtual == word


def load_root(file: Path) -> object:
    return roots_from_file(file)


@pytest.mark.parametrize(
    ("load", "code"),
    [(load_facts, "host-facts-unreadable"), (load_root, "trust-root-unreadable")],
    ids=["host facts", "trust root"],
)
class TestWhatIsNoFile:
    """Both files are named by a user or a variable, and may be anything."""

    def refused(self, load: Callable[[Path], object], file: Path, code: str) -> str:
        with pytest.raises(InputError) as caught:
            load(file)
        assert caught.value.code == code
        assert str(file) in caught.value.message
        return caught.value.message

    def test_a_folder(self, load: Callable[[Path], object], code: str, tmp_path: Path) -> None:
        assert "it is a folder" in self.refused(load, tmp_path, code)

    @pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
    def test_a_device(self, load: Callable[[Path], object], code: str, device: str) -> None:
        assert "it is a device" in self.refused(load, Path(device), code)

    def test_a_large_file(self, load: Callable[[Path], object], code: str, tmp_path: Path) -> None:
        file = tmp_path / "large"
        with file.open("wb") as stream:
            stream.truncate(1 << 40)
        assert "larger than 64 KiB" in self.refused(load, file, code)

    def test_a_pipe_that_nobody_writes_to(self, load: Callable[[Path], object], code: str, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        started = time.monotonic()
        message = self.refused(load, tmp_path / "pipe", code)
        assert "pipe that was not written to its end within 5 seconds" in message
        assert time.monotonic() - started < 10

    def test_a_link_that_leads_in_a_circle(self, load: Callable[[Path], object], code: str, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(tmp_path / "link")
        self.refused(load, tmp_path / "link", code)

    def test_a_name_that_no_file_can_have(self, load: Callable[[Path], object], code: str) -> None:
        self.refused(load, Path("a\x00b"), code)
        self.refused(load, Path("a" * 5000), code)


class TestPipes:
    @pytest.mark.parametrize("pieces", [1, 5])
    def test_what_a_command_writes_is_read_whole(self, tmp_path: Path, pieces: int) -> None:
        text = json.dumps({"hostname": "plant-7", "cpu_model": "x" * 5000})
        os.mkfifo(tmp_path / "pipe")

        def write() -> None:
            with (tmp_path / "pipe").open("w") as stream:
                for start in range(0, len(text), -(-len(text) // pieces)):
                    time.sleep(0.05)
                    stream.write(text[start : start + -(-len(text) // pieces)])
                    stream.flush()
            os._exit(0)

        child = in_child(write)
        assert load_facts(tmp_path / "pipe").hostname == "plant-7"
        assert os.waitpid(child, 0)[1] == 0

    def test_a_command_in_place_of_a_file(self, tmp_path: Path) -> None:
        read, write = os.pipe()
        os.write(write, b'{"hostname": "plant-7"}')
        os.close(write)
        assert load_facts(Path(f"/dev/fd/{read}")).hostname == "plant-7"
        os.close(read)

    def test_an_endless_one_ends_at_the_limit(self) -> None:
        with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as endless:
            assert endless.stdout
            with pytest.raises(InputError, match="larger than 64 KiB"):
                load_facts(Path(f"/dev/fd/{endless.stdout.fileno()}"))
            endless.kill()

    def test_one_that_is_never_finished(self) -> None:
        read, write = os.pipe()
        os.write(write, b"{")
        with pytest.raises(NotReadable, match=r"not written to its end within 0\.2 seconds"):
            read_small(Path(f"/dev/fd/{read}"), 100, pipe_seconds=0.2)
        os.close(read)
        os.close(write)


class TestRoots:
    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "no certificate"),
            (b"\xff\x00", "no certificate"),
            (b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", "no certificate"),
        ],
    )
    def test_what_is_no_certificate(self, tmp_path: Path, content: bytes, words: str) -> None:
        file = tmp_path / "root.pem"
        file.write_bytes(content)
        with pytest.raises(InputError, match=words) as caught:
            roots_from_file(file)
        assert caught.value.code == "trust-root-invalid"

    def test_a_certificate_that_says_the_same_twice(self, tmp_path: Path) -> None:
        file = Vendor().write_root(tmp_path / "root.pem")
        der = roots_from_file(file)[0].public_bytes(Encoding.DER)
        # Two object identifiers of one length: key usage becomes a second basic constraints.
        basic, usage = (bytes.fromhex(number) for number in ("0603551d13", "0603551d0f"))
        assert der.count(basic) == der.count(usage) == 1
        body = base64.encodebytes(der.replace(usage, basic)).decode()
        file.write_text(f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n")
        with pytest.raises(InputError, match="damaged or unknown") as caught:
            roots_from_file(file)
        assert caught.value.code == "trust-root-invalid"
