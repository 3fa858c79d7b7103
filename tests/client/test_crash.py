"""A crash of the state directory at any point leaves the old state or the new one."""

from __future__ import annotations

import os
import random
import signal
import stat
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from chariot_license.errors import StateError
from chariot_license.state import State, to_text
from chariot_license.store import NEW_FILE, StateStore

from tests.client.states import FULL, in_child, save


@pytest.fixture
def store(tmp_path: Path) -> StateStore:
    return StateStore(tmp_path / "a" / "state")


SYSTEM_CALLS = ("open", "unlink", "fchmod", "write", "fsync", "close", "replace")


class TestCrash:
    OLD = replace(FULL, counter=1)
    NEW = replace(FULL, counter=2, pending=None)

    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    def test_killed_at_each_system_call(self, store: StateStore, after: bool) -> None:
        found = {}
        for number in range(40):
            save(store, self.OLD)
            (store.folder / NEW_FILE).write_text("left over from a crash")
            child = in_child(partial(_save_killed_at, store, self.NEW, number, after))
            _, status = os.waitpid(child, 0)
            found[number] = StateStore(store.folder).load()
            assert found[number] in (self.OLD, self.NEW)
            if os.WIFEXITED(status):
                assert os.WEXITSTATUS(status) == 0
                break
            assert os.WTERMSIG(status) == signal.SIGKILL
        else:
            pytest.fail("the save never finished")
        # Both sides of the replacement were really reached, each more than once.
        assert list(found.values()).count(self.OLD) >= 4
        assert list(found.values()).count(self.NEW) >= 2

    @pytest.mark.parametrize("call", SYSTEM_CALLS)
    def test_a_failing_system_call_is_named_and_leaves_old_or_new(
        self, store: StateStore, call: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = getattr(os, call)
        told = []
        for number in range(6):
            save(store, self.OLD)
            calls = 0

            def failing(*arguments: Any, number: int = number, **options: Any) -> Any:
                nonlocal calls
                calls += 1
                if calls == number + 1:
                    if call == "close":  # closes, and then reports that writing back had failed
                        real(*arguments, **options)
                    raise OSError(28, "No space left on device")
                return real(*arguments, **options)

            with store.locked():
                monkeypatch.setattr(os, call, failing)
                try:
                    store.save(self.NEW)
                except StateError as error:
                    told.append((error.code, "No space left on device" in error.message))
                finally:
                    monkeypatch.setattr(os, call, real)
            assert StateStore(store.folder).load() in (self.OLD, self.NEW)
        assert set(told) == {("state-unwritable", True)}

    @pytest.mark.skipif(sys.platform == "darwin", reason="macOS syncs files by fcntl, not fsync")
    def test_data_is_on_the_disk_before_its_name_is(self, store: StateStore, monkeypatch: pytest.MonkeyPatch) -> None:
        # A kill does not lose what the kernel holds, a power cut does: the order itself must be right.
        order = []
        real_fsync, real_replace = os.fsync, os.replace

        def fsync(descriptor: int) -> None:
            kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
            order.append((kind, os.fstat(descriptor).st_size if kind == "file" else None))
            real_fsync(descriptor)

        def replaced(source: Any, target: Any, **folders: Any) -> None:
            order.append(("replace", None))
            real_replace(source, target, **folders)

        with store.locked():
            monkeypatch.setattr(os, "fsync", fsync)
            monkeypatch.setattr(os, "replace", replaced)
            store.save(FULL)
        assert order == [("file", len(to_text(FULL))), ("replace", None), ("folder", None)]

    def test_a_disk_that_takes_a_few_bytes_at_a_time(self, store: StateStore, monkeypatch: pytest.MonkeyPatch) -> None:
        real = os.write
        monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data[:7])))
        save(store, FULL)
        monkeypatch.undo()
        assert store.load() == FULL

    def test_killed_at_sixty_random_moments(self, store: StateStore) -> None:
        randomness = random.Random(7)
        save(store, replace(FULL, counter=0))
        seen = []
        for _ in range(60):
            read, write = os.pipe()
            child = in_child(partial(_count_and_tell, store, write))
            os.read(read, 4)
            time.sleep(randomness.uniform(0, 0.02))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(write)
            told = b""
            while chunk := os.read(read, 65536):
                told += chunk
            os.close(read)
            counter = StateStore(store.folder).load().counter
            if told:
                # What was told was on disk before; at most the one being saved is ahead of it.
                assert 0 <= counter - int.from_bytes(told[-4:], "big") <= 1
            seen.append(counter)
        assert seen == sorted(seen)
        assert seen[-1] > 60


def _save_killed_at(store: StateStore, state: State, number: int, after: bool) -> None:
    """Save `state`; kill this process at its `number`-th system call, before it or right after it."""
    with store.locked():
        calls = 0

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any, **options: Any) -> Any:
                nonlocal calls
                mine, calls = calls, calls + 1
                if mine == number and not after:
                    os.kill(os.getpid(), signal.SIGKILL)
                result = real(*arguments, **options)
                if mine == number and after:
                    os.kill(os.getpid(), signal.SIGKILL)
                return result

            return call

        for name in SYSTEM_CALLS:
            setattr(os, name, counted(getattr(os, name)))
        store.save(state)
        os._exit(0)


def _count_and_tell(store: StateStore, pipe: int) -> None:
    mine = StateStore(store.folder)
    while True:
        with mine.locked():
            state = mine.load()
            counter = state.counter + 1
            mine.save(replace(state, counter=counter))
        os.write(pipe, counter.to_bytes(4, "big"))
