"""What stands in the state directory's place, or in it, that is not ours: named, never followed, never changed."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chariot_license.errors import StateError
from chariot_license.state import State
from chariot_license.store import LOCK_FILE, NEW_FILE, STATE_FILE, StateStore

from tests.client.states import FULL, in_child, save

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as other users")
NOBODY = 65534


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refused(work: Callable[[], Any], code: str = "state-unsafe") -> str:
    with pytest.raises(StateError) as caught:
        work()
    assert caught.value.code == code
    return caught.value.message


def as_nobody(work: Callable[[], Any]) -> str:
    """Do it in a process of a user without rights; returns the code and message of the StateError it ended with."""
    read, write = os.pipe()

    def act() -> None:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        try:
            work()
            told = "done"
        except StateError as error:
            told = f"{error.code} {error.message}"
        os.write(write, told.encode())
        os._exit(0)

    child = in_child(act)
    os.close(write)
    with os.fdopen(read) as stream:
        told = stream.read()
    assert os.waitpid(child, 0)[1] == 0
    return told


def make_link(path: Path, precious: Path) -> None:
    path.symlink_to(precious)


def make_hard_link(path: Path, precious: Path) -> None:
    path.hardlink_to(precious)


def make_pipe(path: Path, precious: Path) -> None:
    os.mkfifo(path)


def make_folder(path: Path, precious: Path) -> None:
    path.mkdir()


def make_socket(path: Path, precious: Path) -> None:
    os.mknod(path, 0o600 | stat.S_IFSOCK)


Make = Callable[[Path, Path], None]


@pytest.fixture
def store(tmp_path: Path) -> StateStore:
    made = StateStore(tmp_path / "state")
    save(made, State())
    return made


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A file with a whole state in it, which nobody asked to use."""
    elsewhere = StateStore(tmp_path / "elsewhere")
    save(elsewhere, FULL)
    elsewhere.file.chmod(0o644)
    return elsewhere.file


class TestStateFile:
    @pytest.mark.parametrize(
        ("make", "words"),
        [
            (make_link, "is a symbolic link"),
            (make_pipe, "is a pipe"),
            (make_folder, "is a folder"),
            (make_socket, "is a socket"),
        ],
    )
    def test_what_is_no_file_is_named_at_once(self, store: StateStore, precious: Path, make: Make, words: str) -> None:
        store.file.unlink()
        make(store.file, precious)
        message = refused(store.load)
        assert str(store.file) in message
        assert words in message
        assert "backup" in message
        assert mode_of(precious) == 0o644

    @AS_ROOT
    def test_a_device(self, store: StateStore) -> None:
        store.file.unlink()
        os.mknod(store.file, 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # endless zeros
        assert "is a device" in refused(store.load)

    def test_a_link_that_leads_nowhere_is_no_new_state(self, store: StateStore, tmp_path: Path) -> None:
        store.file.unlink()
        store.file.symlink_to(tmp_path / "gone")
        assert "symbolic link" in refused(store.load)

    def test_a_huge_file_is_damage_and_is_not_read_whole(self, store: StateStore) -> None:
        with store.file.open("wb") as stream:
            stream.truncate(1 << 40)
        assert "larger than 1024 KiB" in refused(store.load, "state-damaged")

    def test_a_state_just_within_the_limit_is_read(self, store: StateStore) -> None:
        save(store, FULL)
        text = store.file.read_text()
        store.file.write_text(text.rstrip() + " " * (1024 * 1024 - len(text.rstrip())))
        assert store.load() == FULL
        store.file.write_text(store.file.read_text() + " ")
        refused(store.load, "state-damaged")

    @AS_ROOT
    def test_a_file_of_a_third_user(self, store: StateStore) -> None:
        os.chown(store.file, 12345, 12345)
        assert "number 12345" in refused(store.load)

    @AS_ROOT
    def test_a_file_of_the_folders_owner_serves_an_administrator(self, store: StateStore) -> None:
        for path in (store.folder, store.file, store.folder / LOCK_FILE):
            os.chown(path, 12345, 12345)
        save(store, FULL)
        assert store.load() == FULL


class TestNewFile:
    @pytest.mark.parametrize("make", [make_link, make_hard_link, make_pipe, make_socket])
    def test_what_stands_in_its_place_is_removed_and_never_written_through(
        self, store: StateStore, precious: Path, make: Make
    ) -> None:
        before = precious.read_bytes()
        make(store.folder / NEW_FILE, precious)
        save(store, FULL)
        assert store.load() == FULL
        assert (precious.read_bytes(), mode_of(precious)) == (before, 0o644)
        assert {path.name for path in store.folder.iterdir()} == {STATE_FILE, LOCK_FILE}
        assert mode_of(store.file) == 0o600

    def test_a_folder_in_its_place_is_an_error_and_leaves_the_old_state(self, store: StateStore) -> None:
        (store.folder / NEW_FILE).mkdir()
        refused(lambda: save(store, FULL), "state-unwritable")
        assert store.load() == State()


class TestLockFile:
    @pytest.mark.parametrize(
        ("make", "words"),
        [
            (make_link, "is a symbolic link"),
            (make_hard_link, "hard link"),
            (make_pipe, "is a pipe"),
            (make_folder, "is a folder"),
            (make_socket, "is a socket"),
        ],
    )
    def test_what_is_no_lock_of_ours_is_named(self, store: StateStore, precious: Path, make: Make, words: str) -> None:
        owner = precious.stat().st_uid
        lock = store.folder / LOCK_FILE
        lock.unlink()
        make(lock, precious)
        message = refused(lambda: save(store, FULL))
        assert words in message
        assert "remove it" in message
        assert store.load() == State()
        assert precious.stat().st_uid == owner

    @AS_ROOT
    def test_a_lock_linked_by_the_folders_owner_gives_no_file_away(self, store: StateStore, precious: Path) -> None:
        os.chown(store.folder, 12345, 12345)
        (store.folder / LOCK_FILE).unlink()
        (store.folder / LOCK_FILE).hardlink_to(precious)
        refused(lambda: save(store, FULL))
        assert precious.stat().st_uid == 0

    @AS_ROOT
    def test_a_lock_that_an_administrator_left_is_given_to_the_owner(self, store: StateStore) -> None:
        os.chown(store.folder, 12345, 12345)
        save(store, FULL)
        assert (store.folder / LOCK_FILE).stat().st_uid == 12345


class TestFolder:
    def test_a_folder_that_users_share_is_left_alone(self, tmp_path: Path) -> None:
        shared = tmp_path / "shared"
        shared.mkdir()
        shared.chmod(0o1777)
        store = StateStore(shared)
        for work in (store.load, lambda: save(store, FULL)):
            message = refused(work)
            assert "shared by several users (mode 1777)" in message
            assert f"--state-dir {shared}/chariot-license" in message
        assert (list(shared.iterdir()), mode_of(shared)) == ([], 0o1777)
        save(StateStore(shared / "chariot-license"), FULL)

    @AS_ROOT
    def test_a_folder_of_another_user_is_left_alone(self) -> None:
        # /usr is root's and open to read on every system.
        before = mode_of(Path("/usr"))
        for work in (StateStore(Path("/usr")).load, lambda: save(StateStore(Path("/usr")), FULL)):
            told = as_nobody(work)
            assert told.startswith("state-unsafe ")
            assert "belongs to another user (number 0)" in told
        assert mode_of(Path("/usr")) == before

    @AS_ROOT
    def test_a_folder_that_cannot_be_reached_is_no_new_state(self, store: StateStore) -> None:
        # The folder above belongs to root and is closed: what is in it is not known to be absent.
        assert as_nobody(store.load).startswith("state-permission ")
        assert as_nobody(lambda: save(store, FULL)).startswith("state-unwritable ")

    def test_a_folder_that_holds_other_things_keeps_its_mode(self, store: StateStore) -> None:
        (store.folder / "notes.txt").write_text("about the plant")
        store.folder.chmod(0o755)
        save(store, FULL)
        assert mode_of(store.folder) == 0o755
        assert store.warnings == [f"{store.folder} is open to other users (mode 0755); run: chmod 700 {store.folder}"]
        assert (store.load(), mode_of(store.folder)) == (FULL, 0o755)

    @pytest.mark.parametrize("mode", [0o770, 0o757])
    def test_one_that_others_can_write_to_besides_is_refused(self, store: StateStore, mode: int) -> None:
        (store.folder / "notes.txt").write_text("about the plant")
        store.folder.chmod(mode)
        for work in (store.load, lambda: save(store, FULL)):
            assert f"mode {mode:04o}" in refused(work)
        assert mode_of(store.folder) == mode

    def test_reading_changes_no_folder_without_a_state(self, tmp_path: Path) -> None:
        folder = tmp_path / "empty"
        folder.mkdir()
        folder.chmod(0o755)
        store = StateStore(folder)
        assert (store.load(), store.warnings, mode_of(folder)) == (State(), [], 0o755)

    @AS_ROOT
    def test_an_administrator_changes_no_mode_of_another_users_folder(self, store: StateStore) -> None:
        os.chown(store.folder, 12345, 12345)
        store.folder.chmod(0o750)
        save(store, FULL)
        assert mode_of(store.folder) == 0o750
        assert "run: chmod 700" in store.warnings[0]

    @pytest.mark.parametrize("mode", [0o500, 0o600, 0o700])
    def test_rights_are_never_added(self, store: StateStore, mode: int) -> None:
        store.folder.chmod(mode)
        store.file.chmod(0o400)
        try:
            store.load()
            assert (mode_of(store.folder), store.warnings) == (mode, [])
        except StateError as error:  # without its rights a user who is not root cannot read
            assert error.code == "state-permission"  # noqa: PT017
        finally:
            store.folder.chmod(0o700)
        assert mode_of(store.file) == 0o400


class TestLinkedFolder:
    def test_a_link_to_a_folder_of_ours_is_followed(self, store: StateStore, tmp_path: Path) -> None:
        link = tmp_path / "link"
        link.symlink_to(store.folder)
        linked = StateStore(link)
        save(linked, FULL)
        assert (store.load(), linked.load()) == (FULL, FULL)
        assert link.is_symlink()
        store.folder.chmod(0o755)
        linked.load()
        assert mode_of(store.folder) == 0o700

    def test_the_folder_it_leads_to_must_pass_the_same_checks(self, tmp_path: Path) -> None:
        shared = tmp_path / "shared"
        shared.mkdir()
        shared.chmod(0o1777)
        (tmp_path / "link").symlink_to(shared)
        store = StateStore(tmp_path / "link")
        for work in (store.load, lambda: save(store, FULL)):
            assert "shared by several users" in refused(work)
        assert (list(shared.iterdir()), mode_of(shared)) == ([], 0o1777)

    def test_a_link_that_leads_nowhere_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(tmp_path / "gone")
        store = StateStore(tmp_path / "link")
        assert "leads nowhere" in refused(store.load, "state-permission")
        assert "leads nowhere" in refused(lambda: save(store, FULL), "state-unwritable")
        assert not (tmp_path / "gone").exists()

    def test_a_link_to_itself_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(tmp_path / "link")
        refused(StateStore(tmp_path / "link").load, "state-permission")


def test_a_state_in_a_linked_place_is_never_read_by_the_state_file_alone(store: StateStore, precious: Path) -> None:
    # The negative control: the same bytes as a file of its own are a state.
    store.file.write_bytes(precious.read_bytes())
    assert store.load() == FULL
    assert json.loads(precious.read_text())["format"] == 1
