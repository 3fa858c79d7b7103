"""`request --out FILE`: there whole or not at all, and an unwritable place costs no request."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.client.conftest import Run
from tests.client.shell import NEEDS_FULL, Shell
from tests.client.steps import KEY
from tests.client.vendor import read_made


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


class TestOutFile:
    def test_one_that_cannot_be_written_burns_no_request(self, shell: Shell, tmp_path: Path, state_dir: Path) -> None:
        (tmp_path / "folder").mkdir()
        os.mkfifo(tmp_path / "pipe")
        for name, words in (
            ("missing/request.txt", "No such file"),
            ("folder", "Is a directory"),
            ('""', "Is a directory"),
            ("pipe", "nobody reads this pipe"),
            ("/proc/self/request.txt", "cannot be written"),
        ):
            done = shell(f"request {KEY.text} --json --out {name}", "")
            assert (done.status, done.json["code"]) == (2, "output-unwritable")
            assert words in done.json["message"]
            assert "No Usage Request was made" in done.json["message"]
        assert not state_dir.exists()
        assert {path.name for path in tmp_path.iterdir()} == {"folder", "pipe"}

    def test_nor_does_one_on_a_full_disk(self, shell: Shell, tmp_path: Path, state_dir: Path) -> None:
        # A limit on the size of files stands for the disk.
        done = shell(f"request {KEY.text} --out request.txt", "")
        assert done.status == 0
        before = (tmp_path / "request.txt").read_text()
        limited = shell(
            f"request {KEY.text} --out request.txt", "", "ulimit -f 8; trap '' XFSZ; ", PYTHONDONTWRITEBYTECODE="1"
        )
        assert limited.status == 2
        assert "No Usage Request was made" in limited.err
        assert (shell.counter, (tmp_path / "request.txt").read_text()) == (1, before)
        assert {path.name for path in tmp_path.iterdir()} == {"request.txt", "state"}

    def test_an_older_file_is_replaced_whole_and_keeps_its_mode(self, shell: Shell, tmp_path: Path) -> None:
        file = tmp_path / "request.txt"
        file.write_text("x" * 100_000)
        file.chmod(0o640)
        assert shell(f"request {KEY.text} --out request.txt", "").status == 0
        assert read_made(file.read_text()).counter == 1
        assert "x" not in file.read_text()
        assert file.stat().st_mode & 0o777 == 0o640
        assert {path.name for path in tmp_path.iterdir()} == {"request.txt", "state"}

    def test_a_refused_or_mistyped_request_leaves_the_older_file(self, shell: Shell, tmp_path: Path) -> None:
        file = tmp_path / "request.txt"
        file.write_text("older")
        assert shell("request K123 --out request.txt", "").status == 2
        assert file.read_text() == "older"
        assert {path.name for path in tmp_path.iterdir()} == {"request.txt"}

    def test_a_link_is_followed(self, shell: Shell, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("request.txt")
        assert shell(f"request {KEY.text} --out link", "").status == 0
        assert (tmp_path / "link").is_symlink()
        assert read_made((tmp_path / "request.txt").read_text()).counter == 1

    @pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1"])
    def test_a_pipe_is_written_to(self, shell: Shell, name: str) -> None:
        assert read_made(shell(f"request {KEY.text} --out {name}", "| cat").out).counter == 1

    @NEEDS_FULL
    def test_a_device_that_fails_later_loses_no_request(self, shell: Shell) -> None:
        done = shell(f"request {KEY.text} --out /dev/full", "")
        assert (done.status, read_made(done.out).counter) == (2, 1)
        assert "was made and counts; send the one shown" in done.err
        failed = shell(f"request {KEY.text} --out /dev/full --json", "")
        assert (failed.status, failed.json["code"]) == (2, "output-unwritable")
        assert read_made(failed.json["detail"]["usage_request"]).counter == 2
        assert Path("/dev/full").is_char_device()

    def test_the_state_itself_is_no_place_for_it(self, run: Run, shell: Shell, state_dir: Path) -> None:
        run("request", KEY.text)
        done = shell(f"request {KEY.text} --out {state_dir}/state.json", "")
        assert done.status == 2
        assert "state directory" in done.err
        assert shell.counter == 1
