"""The command `chariot-license`, run as a process: output, messages, exit status, JSON."""

from __future__ import annotations

import json
import os
import pty
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from chariot_license.cli import main
from chariot_license.protocol.block import Kind
from chariot_license.protocol.reader import read_block
from chariot_license.store import StateStore

from tests.client.conftest import CLIENT, Run, facts_file
from tests.client.steps import KEY
from tests.client.vendor import OTHER_HOST, PLANT_HOST, Vendor, read_made


@pytest.fixture
def switches(tmp_path: Path, vendor: Vendor) -> dict[str, str]:
    """A test portal's root and a made-up host."""
    return {
        "CHARIOT_TRUST_ROOT": str(vendor.write_root(tmp_path / "trust-root.pem")),
        "CHARIOT_HOST_FACTS": str(facts_file(tmp_path, PLANT_HOST)),
    }


def test_the_whole_trip_for_people(run: Run, vendor: Vendor, switches: dict[str, str], tmp_path: Path) -> None:
    made = run("request", KEY.text, **switches)
    assert made.status == 0
    assert made.out.startswith("CHARIOT USAGE REQUEST BEGIN")
    assert made.out.rstrip().splitlines()[-1].startswith("CHARIOT USAGE REQUEST END")
    assert made.err == ""

    answer = tmp_path / "answer.txt"
    answer.write_text(vendor.answer(made.out))
    done = run("install", str(answer), **switches)
    assert done.status == 0
    assert vendor.license_id in done.out

    status = run("status", **switches)
    assert status.status == 0
    for words in ("active", vendor.license_id, "Acme Water", "mqtt-server, never expires", "days left", "Test state"):
        assert words in status.out

    gone = run("deactivate", **switches)
    assert gone.status == 0
    assert vendor.license_id in gone.out
    assert "Send the deactivation code and the License ID to Support" in gone.out


def test_the_whole_trip_in_json(run: Run, vendor: Vendor, switches: dict[str, str]) -> None:
    made = run("--json", "request", KEY.text, **switches).json
    assert set(made) == {
        "outcome", "usage_request", "request_id", "counter", "made_at", "replaces_request_made_at", "test_state",
        "warnings",
    }  # fmt: skip
    assert (made["outcome"], made["counter"], made["test_state"]) == ("made", 1, True)
    assert read_made(made["usage_request"]).request_id.hex() == made["request_id"]

    answer = vendor.answer(made["usage_request"])
    done = run("install", "-", "--json", stdin=answer, **switches).json
    assert set(done) == {
        "outcome", "license_id", "activation_id", "usage_license_id", "host_match_words", "test_state", "warnings",
    }  # fmt: skip
    assert (done["outcome"], done["license_id"]) == ("installed", vendor.license_id)
    assert run("install", "--json", stdin=answer, **switches).json["outcome"] == "already-installed"

    status = run("status", "--json", **switches).json
    assert set(status) == {
        "outcome", "state", "message", "license_id", "activation_id", "usage_license_id", "customer", "product",
        "versions", "terms_revision", "issued_at", "features", "host_match", "host_match_words",
        "pending_request_since", "deactivated_at", "test_state", "test_switch", "clock_warning", "warnings",
    }  # fmt: skip
    assert (status["outcome"], status["state"], status["host_match"]) == ("ok", "active", True)
    assert status["activation_id"] == vendor.activation_id
    assert status["features"][0] == {"code": "mqtt-server", "expires": None, "days_left": None, "active": True}
    assert status["features"][1]["expires"] == "2027-04-15T08:00:00Z"

    gone = run("deactivate", "--json", **switches).json
    assert set(gone) == {
        "outcome", "deactivation_code", "license_id", "other_license_ids", "deactivated_at", "test_state", "message",
        "warnings",
    }  # fmt: skip
    assert (gone["outcome"], gone["license_id"]) == ("deactivated", vendor.license_id)
    again = run("deactivate", "--json", **switches).json
    assert (again["outcome"], again["deactivation_code"]) == ("already-deactivated", gone["deactivation_code"])


def test_the_root_named_at_install_alone(run: Run, vendor: Vendor, switches: dict[str, str]) -> None:
    root = switches.pop("CHARIOT_TRUST_ROOT")
    made = run("request", KEY.text, **switches)
    assert run("install", "--trust-root", root, stdin=vendor.answer(made.out), **switches).status == 0
    assert run("status", "--json", **switches).json["state"] == "active"


def test_on_the_real_host(run: Run, vendor: Vendor, tmp_path: Path) -> None:
    root = str(vendor.write_root(tmp_path / "trust-root.pem"))
    made = run("request", KEY.text, "--trust-root", root)
    assert run("install", "--trust-root", root, stdin=vendor.answer(made.out)).status == 0
    status = run("status", "--json").json
    assert (status["state"], status["host_match"], status["test_state"]) == ("active", True, True)


class TestRequest:
    def test_the_key_may_come_from_standard_input(self, run: Run) -> None:
        made = run("request", "-", stdin=f"  {KEY.text.lower()} \n")
        assert read_made(made.out).lookup_id == KEY.lookup_id

    def test_an_earlier_one_is_named_on_standard_error(self, run: Run) -> None:
        run("request", KEY.text)
        again = run("request", KEY.text)
        assert again.status == 0
        assert "is no longer valid" in again.err
        assert read_made(again.out).counter == 2

    def test_a_typo_in_the_key(self, run: Run, state_dir: Path) -> None:
        wrong = KEY.text.replace(KEY.text[3], "0" if KEY.text[3] != "0" else "1", 1)
        made = run("request", wrong, "--json")
        assert (made.status, made.json["outcome"], made.json["code"]) == (2, "bad-input", "license-key-typo")
        assert KEY.text not in made.out
        assert "typing mistake" in run("request", wrong).err
        assert not state_dir.exists()

    def test_a_qr_code_for_the_terminal(self, run: Run) -> None:
        made = run("request", KEY.text, "--qr")
        block, _, picture = made.out.partition("\n\n")
        assert read_made(block).counter == 1
        assert len(picture.splitlines()) > 20

    def test_the_text_of_the_qr_code_in_json(self, run: Run) -> None:
        made = run("request", KEY.text, "--qr", "--json").json
        assert read_block(made["qr"], Kind.REQUEST).data == read_block(made["usage_request"], Kind.REQUEST).data

    def test_written_to_a_file(self, run: Run, tmp_path: Path) -> None:
        file = tmp_path / "request.txt"
        made = run("request", KEY.text, "--out", str(file))
        assert (made.status, made.out) == (0, "")
        assert str(file) in made.err
        assert read_made(file.read_text()).counter == 1

    def test_the_qr_code_written_as_a_picture(self, run: Run, tmp_path: Path) -> None:
        file = tmp_path / "request.svg"
        assert run("request", KEY.text, "--qr", "--out", str(file)).status == 0
        assert "<svg" in file.read_text()

    @pytest.mark.parametrize("version", ["2.4\n1", "v\u00e9"])
    def test_a_version_that_no_request_can_carry(self, run: Run, version: str) -> None:
        made = run("request", KEY.text, "--chariot-version", version)
        assert made.status == 2
        assert made.err.strip()

    def test_the_version_it_is_told(self, run: Run) -> None:
        assert read_made(run("request", KEY.text).out).version == "unknown"
        assert read_made(run("request", KEY.text, CHARIOT_VERSION="2.4.1").out).version == "2.4.1"
        assert read_made(run("request", KEY.text, "--chariot-version", "2.5").out).version == "2.5"


def test_a_name_that_the_terminal_cannot_show(run: Run, vendor: Vendor, switches: dict[str, str]) -> None:
    made = run("request", KEY.text, **switches)
    run("install", stdin=vendor.answer(made.out, customer="Wasserwerke Zürich 東京"), **switches)
    status = run("status", PYTHONIOENCODING="ascii", **switches)
    assert status.status == 0
    assert "Wasserwerke Z?rich" in status.out
    assert run("status", "--json", PYTHONIOENCODING="ascii", **switches).json["customer"] == "Wasserwerke Zürich 東京"


class TestRefusals:
    def test_a_superseded_request(self, run: Run, vendor: Vendor, switches: dict[str, str]) -> None:
        older = run("request", KEY.text, **switches).out
        run("request", KEY.text, **switches)
        done = run("install", "--json", stdin=vendor.answer(older), **switches)
        assert (done.status, done.json["outcome"], done.json["code"]) == (1, "refused", "superseded-request")
        assert "newer_request_made_at" in done.json["detail"]
        people = run("install", stdin=vendor.answer(older), **switches)
        assert (people.status, people.out) == (1, "")
        assert "its answer is needed" in people.err

    def test_another_host(self, run: Run, vendor: Vendor, switches: dict[str, str], tmp_path: Path) -> None:
        made = run("request", KEY.text, **switches)
        elsewhere = {**switches, "CHARIOT_HOST_FACTS": str(facts_file(tmp_path, OTHER_HOST))}
        done = run("install", "--json", stdin=vendor.answer(made.out), **elsewhere)
        assert (done.status, done.json["code"]) == (1, "host-mismatch")
        assert done.json["detail"]["host_match_words"].startswith("board, disk")

    def test_nothing_to_deactivate(self, run: Run) -> None:
        gone = run("deactivate", "--json")
        assert (gone.status, gone.json["code"]) == (1, "nothing-to-deactivate")

    def test_deactivating_before_any_answer_names_the_email(self, run: Run) -> None:
        run("request", KEY.text)
        gone = run("deactivate")
        assert gone.status == 0
        assert "purchase email" in gone.out


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            ([], "usage"),
            (["refresh"], "usage"),
            (["request"], "usage"),
            (["request", "A", "B"], "usage"),
            (["status", "--stat"], "usage"),
            (["install", "missing.txt"], "input-unreadable"),
            (["install", "/"], "input-unreadable"),
            (["install"], "no-block"),
            (["request", ""], "license-key-length"),
            (["request", "-"], "license-key-length"),
            (["status", "--trust-root", "missing.pem"], "trust-root-unreadable"),
        ],
    )
    def test_each_has_its_code_and_status(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: str
    ) -> None:
        with Path(os.devnull).open() as nothing:
            monkeypatch.setattr(sys, "stdin", nothing)
            assert main([*arguments, "--json"]) == 2
            answer = json.loads(capsys.readouterr().out)
            assert (answer["outcome"], answer["code"]) == ("bad-input", code)
            assert main(arguments) == 2
        out, err = capsys.readouterr()
        assert (out, err.strip()) == ("", answer["message"])

    @pytest.mark.parametrize(
        "junk",
        [b"\x00" * 4096, b"\xff\xfe\x00junk", random.Random(5).randbytes(100_000), b"9" * 8_000_001],
        ids=["zeros", "half UTF-16", "random", "too large"],
    )
    def test_junk_is_no_license(self, run: Run, junk: bytes) -> None:
        done = run("install", "--json", stdin=junk)
        assert (done.status, done.json["outcome"]) == (2, "bad-input")

    def test_a_root_that_is_a_signing_certificate(self, run: Run, vendor: Vendor, tmp_path: Path) -> None:
        file = tmp_path / "signing.pem"
        vendor.root = vendor.certificate
        vendor.write_root(file)
        done = run("status", "--json", "--trust-root", str(file))
        assert (done.status, done.json["code"]) == (2, "trust-root-invalid")
        assert "no vendor root" in done.json["message"]

    def test_bad_host_facts(self, run: Run, tmp_path: Path) -> None:
        file = tmp_path / "host.json"
        file.write_text('{"mac_address": "x"}')
        done = run("request", KEY.text, "--json", CHARIOT_HOST_FACTS=str(file))
        assert (done.status, done.json["code"]) == (2, "host-facts-invalid")

    def test_a_damaged_state(self, run: Run, state_dir: Path) -> None:
        run("request", KEY.text)
        file = state_dir / "state.json"
        file.write_text(file.read_text()[:200])
        for command in (["status"], ["request", KEY.text], ["deactivate"]):
            done = run(*command, "--json")
            assert (done.status, done.json["code"]) == (2, "state-damaged")
        assert len(file.read_text()) == 200

    def test_a_state_in_use(self, run: Run, state_dir: Path) -> None:
        with StateStore(state_dir).locked():
            done = run("request", KEY.text, "--json")
        assert (done.status, done.json["code"]) == (2, "state-busy")


class TestOptions:
    @pytest.mark.parametrize("before", [True, False])
    def test_stand_before_or_after_the_command(self, run: Run, tmp_path: Path, before: bool) -> None:
        folder = tmp_path / "named"
        options = ["--state-dir", str(folder), "--json"]
        done = run(*options, "request", KEY.text) if before else run("request", KEY.text, *options)
        assert done.json["outcome"] == "made"
        assert (folder / "state.json").exists()

    def test_the_state_folder_by_default(self, run: Run, tmp_path: Path) -> None:
        run("request", KEY.text, CHARIOT_STATE_DIR="")
        assert (tmp_path / "home/.local/state/chariot-license/state.json").exists()
        run("request", KEY.text, CHARIOT_STATE_DIR="", XDG_STATE_HOME=str(tmp_path / "xdg"))
        assert (tmp_path / "xdg/chariot-license/state.json").exists()

    def test_help(self, run: Run) -> None:
        shown = run("--help")
        assert shown.status == 0
        assert "Exit status" in shown.out
        assert "LICENSE_KEY" in run("request", "--help").out

    def test_open_modes_are_put_right_and_told(self, run: Run, state_dir: Path) -> None:
        run("request", KEY.text)
        state_dir.chmod(0o755)
        status = run("status")
        assert status.status == 0
        assert "open to other users (mode 0755)" in status.err


def _at_a_terminal(arguments: list[str], typed: str, environment: dict[str, str]) -> tuple[int, str]:
    """Run the command with a terminal as its standard input."""
    keyboard, terminal = pty.openpty()
    try:
        os.write(keyboard, typed.encode())
        done = subprocess.run(
            [sys.executable, "-m", "chariot_license.cli", *arguments],
            stdin=terminal,
            capture_output=True,
            text=True,
            env={"PYTHONPATH": str(CLIENT), **environment},
            timeout=60,
            check=False,
        )
    finally:
        os.close(keyboard)
        os.close(terminal)
    return done.returncode, done.stdout + done.stderr


class TestAtATerminal:
    @pytest.mark.parametrize(("typed", "status"), [("no\n", 1), ("\n", 1), ("yes\n", 0)])
    def test_deactivating_asks_first(self, run: Run, state_dir: Path, typed: str, status: int) -> None:
        run("request", KEY.text)
        environment = {"CHARIOT_STATE_DIR": str(state_dir)}
        code, shown = _at_a_terminal(["deactivate"], typed, environment)
        assert code == status
        assert "Type yes" in shown
        state = json.loads(run("status", "--json").out)["state"]
        assert state == ("deactivated" if status == 0 else "request-pending")

    def test_yes_given_is_not_asked_for(self, run: Run, state_dir: Path) -> None:
        run("request", KEY.text)
        code, shown = _at_a_terminal(["deactivate", "--yes"], "", {"CHARIOT_STATE_DIR": str(state_dir)})
        assert code == 0
        assert "Type yes" not in shown


def test_two_commands_at_once_each_get_a_counter_of_their_own(state_dir: Path) -> None:
    command: list[Any] = [sys.executable, "-m", "chariot_license.cli", "request", KEY.text, "--json"]
    environment = {"PYTHONPATH": str(CLIENT), "CHARIOT_STATE_DIR": str(state_dir)}
    racing = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) for _ in range(4)]
    answers = [json.loads(process.communicate(timeout=60)[0]) for process in racing]
    assert sorted(answer["counter"] for answer in answers) == [1, 2, 3, 4]
    assert len({read_made(answer["usage_request"]).instance_key for answer in answers}) == 1
