"""The state directory: one state.json, replaced whole, under a lock against a second process.

A crash at any moment leaves the old state or the new one. Nothing here decides anything.
"""

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from chariot_license.errors import StateError
from chariot_license.state import DamagedState, NewerState, State, from_text, to_text

STATE_FILE = "state.json"
NEW_FILE = "state.json.new"
LOCK_FILE = "lock"
LOCK_SECONDS = 5.0
_POLL_SECONDS = 0.05
_MOST_BYTES = 1024 * 1024


class StateStore:
    """Reads and replaces the state of one Chariot under `folder`.

    The folder is made on first writing, mode 0700, its files 0600. Modes that let others in are put right, and
    `warnings` says so. Methods raise StateError.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / STATE_FILE
        self.warnings: list[str] = []

    @contextlib.contextmanager
    def locked(self, seconds: float = LOCK_SECONDS) -> Iterator[None]:
        """Hold the lock of the folder; wait for it at most `seconds`. Raises StateError "state-busy"."""
        with self._explained("state-unwritable", "written to"):
            self._make_folder()
            lock = os.open(self.folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with self._explained("state-unwritable", "written to"):
                self._give_to_owner(lock)
            self._wait_for(lock, seconds)
            yield
        finally:
            os.close(lock)

    def load(self) -> State:
        """Return the state kept; a new one if there is none yet. Needs no lock, since files are replaced whole.

        Raises StateError: "state-damaged", "state-newer", "state-permission". A file that cannot be read is
        never replaced by an empty one: it holds the only copy of the Instance key.
        """
        with self._explained("state-permission", "read"):
            try:
                descriptor = os.open(self.file, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return State()
            with os.fdopen(descriptor, "rb") as stream:
                self._close_to_others(descriptor, self.file, 0o600)
                data = stream.read(_MOST_BYTES)
        self._check_folder_mode()
        try:
            return from_text(data.decode("utf-8"))
        except NewerState as error:
            raise StateError(
                "state-newer",
                f"{self.file} was written by a newer version: {error}. Use that version, or upgrade this one.",
            ) from error
        except (DamagedState, UnicodeDecodeError) as error:
            reason = str(error) if isinstance(error, DamagedState) else "it is no text"
            raise StateError(
                "state-damaged",
                f"{self.file} is damaged: {reason}. It holds this Chariot's identity and is never reset by itself."
                " Restore the whole state directory from a backup. If there is none, move the file away, make a new"
                " Usage Request and tell Support that this activation was lost.",
                reason=reason,
            ) from error

    def save(self, state: State) -> None:
        """Replace the state, durably; call it inside `locked`. Raises StateError "state-unwritable"."""
        data = to_text(state).encode("utf-8")
        new = self.folder / NEW_FILE
        with self._explained("state-unwritable", "written to"):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(new, flags, 0o600)
            try:
                os.fchmod(descriptor, 0o600)  # a file left over from a crash keeps the mode it had
                self._give_to_owner(descriptor)
                left = memoryview(data)
                while left:
                    left = left[os.write(descriptor, left) :]
                _sync(descriptor)
            finally:
                os.close(descriptor)
            new.replace(self.file)
            self._sync_folder(self.folder)

    def _make_folder(self) -> None:
        missing = [path for path in (self.folder, *self.folder.parents) if not path.exists()]
        for path in reversed(missing):
            with contextlib.suppress(FileExistsError):  # another process was quicker
                path.mkdir(mode=0o700)
            with contextlib.suppress(OSError):  # a parent that others own may be closed to us
                self._sync_folder(path.parent)
        self._check_folder_mode()

    def _check_folder_mode(self) -> None:
        with self._explained("state-permission", "opened"):
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                self._close_to_others(descriptor, self.folder, 0o700)
            finally:
                os.close(descriptor)

    def _close_to_others(self, descriptor: int, path: Path, mode: int) -> None:
        found = stat.S_IMODE(os.fstat(descriptor).st_mode)
        if not found & 0o077:
            return
        try:
            os.fchmod(descriptor, mode)
            done = f"it is now {mode:04o}"
        except OSError:
            done = f"run: chmod {mode:o} {path}"
        warning = f"{path} was open to other users (mode {found:04o}); {done}."
        if warning not in self.warnings:
            self.warnings.append(warning)

    def _give_to_owner(self, descriptor: int) -> None:
        """An administrator's command must not leave a file behind that Chariot's own user cannot open."""
        if os.geteuid() == 0:
            owner = self.folder.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)

    def _wait_for(self, lock: int, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise StateError(
                        "state-unwritable", f"{self.folder} cannot be locked: {error.strerror}. Use a local disk."
                    ) from error
            else:
                return
            if time.monotonic() >= deadline:
                raise StateError(
                    "state-busy",
                    f"Another process is using {self.folder}, and did not finish within {seconds:g} seconds."
                    " Try again; if this stays, look for a chariot-license that hangs.",
                )
            time.sleep(_POLL_SECONDS)

    def _sync_folder(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _explained(self, code: str, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StateError(
                code,
                f"The state directory {self.folder} cannot be {doing}: {error.strerror or error}."
                " Check its owner, its mode and the space left on its disk.",
                path=str(self.folder),
            ) from error


def _sync(descriptor: int) -> None:
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(descriptor)
    else:  # macOS: fsync alone leaves the data in the drive's own cache
        fcntl.fcntl(descriptor, full)
