"""Ctrl-C at any moment: exit status 130, what was changed by then, and no traceback."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import time
from functools import partial
from pathlib import Path

import pytest
from chariot_license.instance import Instance
from chariot_license.store import StateStore

from tests.client.conftest import Run
from tests.client.shell import COUNTS, LINUX, Shell, holds, loads_cryptography, wait_until
from tests.client.steps import KEY


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


class TestInterrupted:
    def test_while_it_asks_for_the_key(self, shell: Shell, state_dir: Path) -> None:
        keyboard, terminal = pty.openpty()
        process = shell.started("request", "-", stdin=terminal)
        assert process.stderr
        assert process.stderr.read(13) == "License Key: "
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        os.close(keyboard)
        os.close(terminal)
        assert (process.returncode, out) == (130, "")
        assert err.strip() == "Interrupted. Nothing was changed."
        assert not state_dir.exists()

    @LINUX
    def test_while_another_process_holds_the_state(self, run: Run, shell: Shell, state_dir: Path) -> None:
        run("request", KEY.text)
        with StateStore(state_dir).locked():
            process = shell.started("request", KEY.text, "--json")
            wait_until(lambda: holds(process.pid, state_dir / "lock"))
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (130, "")
        answer = json.loads(out)
        assert (answer["outcome"], answer["code"]) == ("bad-input", "interrupted")
        assert "`chariot-license status` shows" in answer["message"]

    @LINUX
    def test_while_nobody_takes_its_answer(self, shell: Shell, state_dir: Path) -> None:
        read, write = os.pipe()
        os.write(write, b"." * fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096))
        process = shell.started("request", KEY.text, stdout=write)
        wait_until((state_dir / "state.json").exists)
        wait_until(lambda: "pipe_write" in Path(f"/proc/{process.pid}/wchan").read_text())
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        os.close(read)
        os.close(write)
        assert process.returncode == 130
        assert COUNTS in err
        assert "Traceback" not in err
        assert Instance.for_command_line(state_dir).status().state == "request-pending"

    @LINUX
    def test_at_any_moment_of_its_start_there_is_no_traceback(self, shell: Shell) -> None:
        ended = set()
        for number in range(10):
            process = shell.started("status")
            wait_until(partial(loads_cryptography, process.pid))
            time.sleep(number * 0.03)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
            assert "Traceback" not in err
            ended.add(process.returncode)
        assert 130 in ended
        # Ended before the signal came, or by the signal itself: Python hands it back to the system while it shuts down.
        assert ended <= {130, 0, -signal.SIGINT}
