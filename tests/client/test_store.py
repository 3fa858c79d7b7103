"""The state directory: modes, the lock, damage that is named."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chariot_license.errors import StateError
from chariot_license.state import State, from_text, to_text
from chariot_license.store import LOCK_FILE, NEW_FILE, STATE_FILE, StateStore

from tests.client.states import FULL, in_child, save


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def store(tmp_path: Path) -> StateStore:
    return StateStore(tmp_path / "a" / "state")


class TestKeeping:
    def test_nothing_kept_yet_is_a_new_state_and_reading_makes_no_folder(self, store: StateStore) -> None:
        assert store.load() == State()
        assert not store.folder.exists()

    def test_what_was_saved_is_loaded(self, store: StateStore) -> None:
        save(store, FULL)
        assert StateStore(store.folder).load() == FULL
        save(store, State())
        assert store.load() == State()

    def test_folder_and_files_are_closed_to_others_whatever_the_umask(self, store: StateStore) -> None:
        before = os.umask(0)
        try:
            save(store, FULL)
        finally:
            os.umask(before)
        assert mode_of(store.folder) == 0o700
        assert {path.name: mode_of(path) for path in store.folder.iterdir()} == {STATE_FILE: 0o600, LOCK_FILE: 0o600}
        assert store.warnings == []

    def test_open_modes_are_put_right_and_told(self, store: StateStore) -> None:
        save(store, FULL)
        store.folder.chmod(0o755)
        store.file.chmod(0o644)
        again = StateStore(store.folder)
        assert again.load() == FULL
        assert (mode_of(store.folder), mode_of(store.file)) == (0o700, 0o600)
        assert ["mode 0644" in text or "mode 0755" in text for text in again.warnings] == [True, True]
        again.load()
        assert again.warnings == []

    def test_each_look_starts_with_no_warnings_and_a_lock_keeps_those_of_its_looks(self, store: StateStore) -> None:
        save(store, FULL)
        store.folder.chmod(0o750)
        with store.locked():
            store.file.chmod(0o640)
            store.load()
            store.load()
            assert [text.split("mode ")[1][:4] for text in store.warnings] == ["0750", "0640"]
        assert len(store.warnings) == 2
        with store.locked():
            assert store.warnings == []

    def test_a_file_left_over_from_a_crash_is_replaced_with_the_right_mode(self, store: StateStore) -> None:
        save(store, State())
        left = store.folder / NEW_FILE
        left.write_text("half a st")
        left.chmod(0o666)
        save(store, FULL)
        assert store.load() == FULL
        assert mode_of(store.file) == 0o600
        assert not left.exists()

    def test_a_file_in_place_of_the_folder_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        store = StateStore(tmp_path / "file")
        with pytest.raises(StateError) as caught:
            save(store, FULL)
        assert caught.value.code in ("state-unwritable", "state-permission")
        with pytest.raises(StateError) as caught:
            store.load()
        assert caught.value.code == "state-permission"

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
    def test_what_root_writes_belongs_to_the_owner_of_the_folder(self, store: StateStore) -> None:
        store.folder.mkdir(mode=0o700, parents=True)
        os.chown(store.folder, 12345, 12346)
        save(store, FULL)
        found = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in store.folder.iterdir()}
        assert found == {STATE_FILE: (12345, 12346), LOCK_FILE: (12345, 12346)}


class TestDamage:
    @pytest.mark.parametrize(
        "damage",
        [
            lambda text: "",
            lambda text: text[: len(text) // 2],
            lambda text: text[:-3],
            lambda text: text.replace('"counter": 7', '"counter": 8'),
            lambda text: text.replace("LIC-A", "LIC-C"),
            lambda text: "null",
            lambda text: "[]",
            lambda text: "[" * 100_000,
            lambda text: '{"format": 1}',
            lambda text: '{"format": 0, "check": "", "state": {}}',
            lambda text: '{"format": true, "check": "", "state": {}}',
        ],
    )
    def test_a_damaged_file_is_named_and_left_alone(self, store: StateStore, damage: Callable[[str], str]) -> None:
        save(store, FULL)
        damaged = damage(store.file.read_text())
        store.file.write_text(damaged)
        with pytest.raises(StateError) as caught:
            store.load()
        assert caught.value.code == "state-damaged"
        assert str(store.file) in caught.value.message
        assert "backup" in caught.value.message
        assert store.file.read_text() == damaged

    def test_bytes_that_are_no_text(self, store: StateStore) -> None:
        save(store, FULL)
        store.file.write_bytes(b"\xff\x00" * 50)
        with pytest.raises(StateError, match="it is no text"):
            store.load()

    def test_a_newer_format_asks_for_the_newer_version(self, store: StateStore) -> None:
        save(store, FULL)
        text = json.loads(store.file.read_text())
        store.file.write_text(json.dumps({**text, "format": 2}))
        with pytest.raises(StateError) as caught:
            store.load()
        assert caught.value.code == "state-newer"
        assert "format 2" in caught.value.message

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("private_key", "00"),
            ("private_key", 5),
            ("counter", -1),
            ("counter", "7"),
            ("counter", True),
            ("pending", []),
            ("pending", {"request_id": "00"}),
            ("installed", {"data": "", "salt": "00" * 16, "installed_at": 1}),
            ("tenure", {"secret": "zz", "license_ids": [], "revealed_at": None}),
            ("high_water", 1.5),
            ("denied", "0a"),
            ("denied", [1]),
            ("test", 1),
            ("test_roots", None),
            ("extra", 1),
        ],
    )
    def test_fields_that_no_version_writes(self, name: str, value: Any) -> None:
        outer = json.loads(to_text(FULL))
        outer["state"][name] = value
        # The check is made right, so that it is the field that is refused.
        resealed = _resealed(outer)
        with pytest.raises(ValueError, match=r"\w+"):
            from_text(resealed)
        del outer["state"][name]
        if name != "extra":
            with pytest.raises(ValueError, match=f"{name} is missing"):
                from_text(_resealed(outer))


def _resealed(outer: dict[str, Any]) -> str:
    from chariot_license.state import _check

    return json.dumps({**outer, "check": _check(outer["state"])})


class TestLock:
    def test_a_second_process_waits_its_turn(self, store: StateStore) -> None:
        save(store, replace(FULL, counter=0))

        def count_up() -> None:
            mine = StateStore(store.folder)
            for _ in range(25):
                with mine.locked(seconds=60):
                    state = mine.load()
                    time.sleep(0.001)
                    mine.save(replace(state, counter=state.counter + 1))
            os._exit(0)

        children = [in_child(count_up) for _ in range(4)]
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0, 0]
        assert store.load().counter == 100

    def test_without_the_lock_the_same_race_loses_counts(self, store: StateStore) -> None:
        # The negative control of the test above.
        save(store, replace(FULL, counter=0))

        def count_up() -> None:
            mine = StateStore(store.folder)
            for _ in range(25):
                # Two writers of one new file can even publish half of it.
                with contextlib.suppress(StateError):
                    state = mine.load()
                    time.sleep(0.002)
                    mine.save(replace(state, counter=state.counter + 1))
            os._exit(0)

        children = [in_child(count_up) for _ in range(4)]
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0, 0]
        try:
            assert store.load().counter < 100
        except StateError as error:
            assert "damaged" in str(error)  # noqa: PT017 - either way the counts are gone

    def test_a_held_lock_is_named_after_a_bounded_wait(self, store: StateStore) -> None:
        with store.locked():
            started = time.monotonic()
            with pytest.raises(StateError) as caught, StateStore(store.folder).locked(seconds=0.3):
                pytest.fail("two holders")
            assert 0.3 <= time.monotonic() - started < 3
        assert caught.value.code == "state-busy"
        with StateStore(store.folder).locked(seconds=0):
            pass

    def test_a_killed_holder_frees_it(self, store: StateStore) -> None:
        read, write = os.pipe()

        def hold() -> None:
            with store.locked():
                os.write(write, b"x")
                time.sleep(60)

        child = in_child(hold)
        os.read(read, 1)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with store.locked(seconds=1):
            pass
        os.close(read)
        os.close(write)
