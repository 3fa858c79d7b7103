"""The command with its standard input, output and error closed, full, or read by nobody, as real processes.

Exit status 1 means "refused by a rule" and 0 that the result was written; neither may come of a broken stream.
"""

from __future__ import annotations

import json
import os
import pty
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from chariot_license.instance import Instance
from chariot_license.store import StateStore

from tests.client.conftest import Run
from tests.client.shell import COUNTS, NEEDS_FULL, Shell, holds, wait_until
from tests.client.steps import KEY
from tests.client.vendor import Vendor, read_made


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


class TestClosedOutput:
    """Plain before anything is done, so nothing is done."""

    @pytest.mark.parametrize("redirection", [">&-", "1</dev/null", "<&- >&- 2>&-", ">&- 2>/dev/full"])
    @pytest.mark.parametrize(
        "command",
        # The key is another one in each process of the tests, and names must not be.
        [
            pytest.param(f"request {KEY.text}", id="request"),
            "request --json -",
            "install",
            "status --json",
            "deactivate --yes",
        ],
    )
    def test_nothing_is_changed(self, shell: Shell, state_dir: Path, command: str, redirection: str) -> None:
        Instance.for_command_line(state_dir).request(KEY.text)
        before = (state_dir / "state.json").read_bytes()
        done = shell(command, redirection)
        assert (done.status, done.out) == (2, "")
        if "2>" not in redirection:
            assert "could not be written to standard output" in done.err
            assert "Nothing was changed" in done.err
        assert (state_dir / "state.json").read_bytes() == before

    @pytest.mark.parametrize("command", ["--help", "request --help"])
    def test_help(self, shell: Shell, command: str) -> None:
        assert shell(command, ">&-").status == 2

    def test_a_request_for_a_file_needs_no_output(self, shell: Shell, tmp_path: Path) -> None:
        done = shell(f"request {KEY.text} --out request.txt", ">&-")
        assert done.status == 0
        assert read_made((tmp_path / "request.txt").read_text()).counter == 1

    def test_but_its_json_does(self, shell: Shell, tmp_path: Path, state_dir: Path) -> None:
        assert shell(f"request {KEY.text} --out request.txt --json", ">&-").status == 2
        assert not (tmp_path / "request.txt").exists()
        assert not state_dir.exists()

    def test_nothing_of_the_answer_lands_in_the_state(self, run: Run, shell: Shell, state_dir: Path) -> None:
        run("request", KEY.text)
        shell("deactivate", "<&- >&- 2>&-")
        shell("deactivate", "<&- 2>&- ")
        assert json.loads(run("status", "--json").out)["state"] == "deactivated"
        assert {path.name for path in state_dir.iterdir()} == {"state.json", "lock"}

    def test_a_usage_error_in_json(self, shell: Shell) -> None:
        done = shell("refresh --json", ">&-")
        assert done.status == 2
        assert "invalid choice" in done.err


@NEEDS_FULL
class TestFullOutput:
    """Seen only when it is written to: what counts by then is said."""

    @pytest.mark.parametrize("json_option", ["", "--json", "--qr"])
    def test_a_request_counts_and_says_so(self, shell: Shell, state_dir: Path, json_option: str) -> None:
        done = shell(f"request {KEY.text} {json_option}", ">/dev/full")
        assert (done.status, shell.counter) == (2, 1)
        assert "could not be written to standard output: No space left on device" in done.err
        assert COUNTS in done.err
        assert "Run `chariot-license request` once more" in done.err

    def test_a_request_whose_file_was_written_names_it(self, shell: Shell, tmp_path: Path) -> None:
        done = shell(f"request {KEY.text} --json --out request.txt", ">/dev/full")
        assert done.status == 2
        assert "request.txt holds it. Send that to Support" in done.err
        assert read_made((tmp_path / "request.txt").read_text()).counter == 1

    @pytest.mark.parametrize("json_option", ["", "--json"])
    def test_a_deactivation_counts_and_its_code_can_be_seen_again(
        self, run: Run, shell: Shell, json_option: str
    ) -> None:
        run("request", KEY.text)
        done = shell(f"deactivate {json_option}", ">/dev/full")
        assert done.status == 2
        assert "This Chariot is deactivated" in done.err
        assert "Run `chariot-license deactivate` again to see the deactivation code" in done.err
        again = run("deactivate", "--json").json
        assert again["outcome"] == "already-deactivated"
        assert again["deactivation_code"] not in done.err

    def test_an_installation_counts(self, run: Run, shell: Shell, vendor: Vendor, tmp_path: Path) -> None:
        root = vendor.write_root(tmp_path / "root.pem")
        made = run("request", KEY.text, CHARIOT_TRUST_ROOT=str(root))
        (tmp_path / "answer.txt").write_text(vendor.answer(made.out))
        done = shell("install answer.txt", ">/dev/full", CHARIOT_TRUST_ROOT=str(root))
        assert done.status == 2
        assert "The Usage License is installed" in done.err
        assert run("status", "--json").json["usage_license_id"]

    @pytest.mark.parametrize("command", ["status", "status --json", "--help", "request --help", "refresh --json"])
    def test_what_changes_nothing_says_that(self, shell: Shell, command: str) -> None:
        done = shell(command, ">/dev/full")
        assert done.status == 2
        assert "Nothing was changed" in done.err

    def test_a_refusal_is_told_on_standard_error_instead(self, shell: Shell) -> None:
        done = shell("deactivate --json", ">/dev/full")
        assert done.status == 2
        assert "could not be written" in done.err
        assert "deactivate" in done.err.splitlines()[0]

    @pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
    def test_standard_error_alone_costs_the_messages_only(self, shell: Shell, redirection: str) -> None:
        made = shell(f"request {KEY.text}", redirection)
        assert (made.status, read_made(made.out).counter) == (0, 1)
        assert shell("install", redirection).status == 2
        assert shell("deactivate", redirection).status == 0

    def test_both_are_full(self, shell: Shell, state_dir: Path) -> None:
        assert shell(f"request {KEY.text}", ">/dev/full 2>/dev/full").status == 2
        assert shell.counter == 1


class TestNobodyReads:
    """`... | head -1`: 141, as a shell says it of every program."""

    def run_into_closed_pipe(self, shell: Shell, *arguments: str) -> tuple[int, str]:
        read, write = os.pipe()
        os.close(read)
        process = shell.started(*arguments, stdout=write)
        os.close(write)
        _, err = process.communicate(timeout=60)
        return process.returncode, err

    @pytest.mark.parametrize("arguments", [["status"], ["status", "--json"], ["--help"], ["refresh", "--json"]])
    def test_quiet_where_nothing_was_changed(self, shell: Shell, arguments: list[str]) -> None:
        status, err = self.run_into_closed_pipe(shell, *arguments)
        assert status == 141
        assert "standard output" not in err

    @pytest.mark.parametrize("arguments", [["request", KEY.text], ["deactivate"], ["install", "answer.txt"]])
    def test_a_pipe_closed_from_the_start_changes_nothing(
        self, shell: Shell, state_dir: Path, arguments: list[str]
    ) -> None:
        Instance.for_command_line(state_dir).request(KEY.text)
        before = (state_dir / "state.json").read_bytes()
        assert self.run_into_closed_pipe(shell, *arguments) == (141, "")
        assert (state_dir / "state.json").read_bytes() == before

    @pytest.mark.parametrize(
        ("command", "words"), [("request", COUNTS), ("deactivate", "to see the deactivation code")]
    )
    def test_one_that_closes_meanwhile_is_told_what_counts(
        self, shell: Shell, state_dir: Path, command: str, words: str
    ) -> None:
        Instance.for_command_line(state_dir).request(KEY.text)
        read, write = os.pipe()
        with StateStore(state_dir).locked():  # the command waits here, with its output still open
            process = shell.started(command, *([KEY.text] if command == "request" else []), stdout=write)
            os.close(write)
            wait_until(lambda: holds(process.pid, state_dir / "lock"))
            os.close(read)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 141
        assert words in err
        assert "Traceback" not in err


class TestInput:
    @pytest.mark.parametrize("redirection", ["<&-", "0>/dev/null"])
    @pytest.mark.parametrize("command", ["request -", "install", "install -"])
    def test_closed_is_named(self, shell: Shell, state_dir: Path, command: str, redirection: str) -> None:
        done = shell(f"{command} --json", redirection)
        assert (done.status, done.json["code"]) == (2, "input-unreadable")
        assert "Standard input cannot be read" in done.json["message"]
        assert not state_dir.exists()

    def test_what_reads_none_needs_none(self, shell: Shell) -> None:
        assert shell(f"request {KEY.text}", "<&-").status == 0
        assert shell("status", "<&-").status == 0
        assert shell("deactivate", "<&-").status == 0

    def test_a_question_that_cannot_be_shown_is_not_waited_for(self, run: Run, shell: Shell, state_dir: Path) -> None:
        run("request", KEY.text)
        keyboard, terminal = pty.openpty()
        done = subprocess.run(
            ["/bin/sh", "-c", f"{shlex.quote(sys.executable)} -m chariot_license.cli deactivate 2>&-"],
            env=shell.environment,
            stdin=terminal,
            capture_output=True,
            timeout=60,
            check=False,
        )
        os.close(keyboard)
        os.close(terminal)
        assert done.returncode == 2
        assert run("status", "--json").json["state"] == "request-pending"
