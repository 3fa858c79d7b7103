"""The state directory: one state.json, replaced whole, under a lock against a second process; and beside it the text
of the newest Usage Request, so that it can be sent again, which nothing depends on.

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
from chariot_license.files import kind_of
from chariot_license.folder import check_folder, put_right
from chariot_license.state import DamagedState, NewerState, State, from_text, to_text

STATE_FILE = "state.json"
NEW_FILE = "state.json.new"
LOCK_FILE = "lock"
REQUEST_FILE = "usage-request.txt"
NEW_REQUEST_FILE = "usage-request.txt.new"
LOCK_SECONDS = 5.0
_OWN_FILES = frozenset({STATE_FILE, NEW_FILE, LOCK_FILE, REQUEST_FILE, NEW_REQUEST_FILE})
_POLL_SECONDS = 0.05
_MOST_BYTES = 1024 * 1024
# A link is never followed, and a pipe never waited for, whoever put it there.
_CAREFULLY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class StateStore:
    """Reads and replaces the state of one Chariot under `folder`.

    The folder is made on first writing, mode 0700, its files 0600. Modes that let others in are put right, and
    `warnings` says so; it holds what the last `locked` or `load` found, where a `load` inside `locked` goes on
    with the same list. Methods raise StateError.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / STATE_FILE
        self.warnings: list[str] = []
        self._is_locked = False

    @contextlib.contextmanager
    def locked(self, seconds: float = LOCK_SECONDS) -> Iterator[None]:
        """Hold the lock of the folder; wait for it at most `seconds`. Raises StateError "state-busy"."""
        self.warnings = []
        with self._explained("state-unwritable", "written to"):
            self._make_folder()
            with self._opened_folder() as folder:
                self._put_right(folder, self.folder, 0o700)
                lock = self._open_lock(folder)
        try:
            self._wait_for(lock, seconds)
            self._is_locked = True
            yield
        finally:
            self._is_locked = False
            os.close(lock)

    def load(self) -> State:
        """Return the state kept; a new one if there is none yet. Needs no lock, since files are replaced whole.

        Raises StateError: "state-damaged", "state-newer", "state-permission", "state-unsafe". A file that cannot
        be read is never replaced by an empty one: it holds the only copy of the Instance key.
        """
        if not self._is_locked:
            self.warnings = []
        data = self._read()
        if data is None:
            return State()
        if len(data) > _MOST_BYTES:
            raise self._damaged(f"it is larger than {_MOST_BYTES // 1024} KiB")
        try:
            return from_text(data.decode("utf-8"))
        except NewerState as error:
            raise StateError(
                "state-newer",
                f"{self.file} was written by a newer version: {error}. Use that version, or upgrade this one.",
            ) from error
        except DamagedState as error:
            raise self._damaged(str(error)) from error
        except UnicodeDecodeError as error:
            raise self._damaged("it is no text") from error

    def save(self, state: State) -> None:
        """Replace the state, durably; call it inside `locked`. Raises StateError "state-unwritable"."""
        data = to_text(state).encode("utf-8")
        with self._explained("state-unwritable", "written to"), self._opened_folder() as folder:
            _replace(folder, STATE_FILE, NEW_FILE, data)

    def keep_request(self, block: str) -> None:
        """Keep the text of the pending Usage Request; call it inside `locked`. What counts is in the state already, so
        a text that cannot be kept is no failure.
        """
        with contextlib.suppress(OSError, StateError), self._opened_folder() as folder:
            _replace(folder, REQUEST_FILE, NEW_REQUEST_FILE, block.encode("utf-8"))

    def kept_request(self) -> str:
        """Return what `keep_request` kept; "" if there is nothing that can be read. Whoever uses it checks it."""
        with contextlib.suppress(OSError, StateError, UnicodeDecodeError), self._opened_folder() as folder:
            descriptor = os.open(REQUEST_FILE, os.O_RDONLY | _CAREFULLY, dir_fd=folder)
            with os.fdopen(descriptor, "rb") as stream:
                if stat.S_ISREG(os.fstat(descriptor).st_mode):
                    return stream.read(_MOST_BYTES).decode("utf-8")
        return ""

    def forget_request(self) -> None:
        """Remove the kept text, of a request that is no longer pending."""
        with contextlib.suppress(OSError, StateError), self._opened_folder() as folder:
            os.unlink(REQUEST_FILE, dir_fd=folder)

    def _read(self) -> bytes | None:
        """Return the content of state.json, at most a byte more than allowed; None if it is not there."""
        with self._explained("state-permission", "read"):
            try:
                self.folder.lstat()  # a link that leads nowhere is not the same as no folder
            except FileNotFoundError:
                return None
            with self._opened_folder() as folder:
                try:
                    descriptor = os.open(STATE_FILE, os.O_RDONLY | _CAREFULLY, dir_fd=folder)
                except FileNotFoundError:
                    return None
                except OSError as error:
                    self._check_kind(os.lstat(STATE_FILE, dir_fd=folder), folder, STATE_FILE)
                    raise error from None
                try:
                    self._check_kind(os.fstat(descriptor), folder, STATE_FILE)
                    self._put_right(descriptor, self.file, 0o600)
                    self._put_right(folder, self.folder, 0o700)
                    with os.fdopen(descriptor, "rb", closefd=False) as stream:
                        return stream.read(_MOST_BYTES + 1)
                finally:
                    os.close(descriptor)

    def _make_folder(self) -> None:
        missing = [path for path in (self.folder, *self.folder.parents) if not os.path.lexists(path)]
        for path in reversed(missing):
            with contextlib.suppress(FileExistsError):  # another process was quicker
                path.mkdir(mode=0o700)
            with contextlib.suppress(OSError):  # a parent that others own may be closed to us
                _sync_folder(path.parent)

    @contextlib.contextmanager
    def _opened_folder(self) -> Iterator[int]:
        """Open the folder, through a link too, and check what it leads to; all files are opened from there.

        So whoever swaps the link or the folder for another one gains nothing.
        """
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            check_folder(descriptor, self.folder)
            yield descriptor
        finally:
            os.close(descriptor)

    def _open_lock(self, folder: int) -> int:
        try:
            lock = os.open(LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_EXCL | _CAREFULLY, 0o600, dir_fd=folder)
        except FileExistsError:
            try:
                lock = os.open(LOCK_FILE, os.O_RDWR | _CAREFULLY, dir_fd=folder)
            except OSError as error:
                self._check_kind(os.lstat(LOCK_FILE, dir_fd=folder), folder, LOCK_FILE)
                raise error from None
        try:
            found = os.fstat(lock)
            self._check_kind(found, folder, LOCK_FILE)
            if found.st_nlink > 1:
                raise self._unsafe(LOCK_FILE, "has a second name (a hard link)")
            _give_to_owner(lock, folder)
        except BaseException:
            os.close(lock)
            raise
        return lock

    def _check_kind(self, found: os.stat_result, folder: int, name: str) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise self._unsafe(name, f"is {kind_of(found.st_mode)}, no file")
        if found.st_uid not in {0, os.geteuid(), os.fstat(folder).st_uid}:
            raise self._unsafe(name, f"belongs to another user (number {found.st_uid})")

    def _unsafe(self, name: str, what: str) -> StateError:
        remedy = (
            "Put the file it stands for in its place, or restore the whole state directory from a backup."
            if name == STATE_FILE
            else "Nothing is kept in it: remove it, and run this again."
        )
        return StateError(
            "state-unsafe", f"{self.folder / name} {what}. It was not used. {remedy}", path=str(self.folder / name)
        )

    def _put_right(self, descriptor: int, path: Path, mode: int) -> None:
        warning = put_right(descriptor, path, mode, _OWN_FILES)
        if warning and warning not in self.warnings:
            self.warnings.append(warning)

    def _damaged(self, reason: str) -> StateError:
        return StateError(
            "state-damaged",
            f"{self.file} is damaged: {reason}. It holds this Chariot's identity and is never reset by itself."
            " Restore the whole state directory from a backup. If there is none, move the file away, make a new"
            " Usage Request and tell Support that this activation was lost.",
            reason=reason,
        )

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

    @contextlib.contextmanager
    def _explained(self, code: str, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            with contextlib.suppress(OSError):  # the folder above may be closed to us
                if self.folder.is_symlink() and not self.folder.exists():
                    reason = f"it is a symbolic link that leads nowhere ({self.folder.readlink()})"
            raise StateError(
                code,
                f"The state directory {self.folder} cannot be {doing}: {reason}."
                " Check its owner, its mode and the space left on its disk.",
                path=str(self.folder),
            ) from error


def _replace(folder: int, name: str, new_name: str, data: bytes) -> None:
    """Replace a file of the open folder whole, durably."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new_name, dir_fd=folder)  # left over from a crash; never written through, it may be a link
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _CAREFULLY
    descriptor = os.open(new_name, flags, 0o600, dir_fd=folder)
    try:
        os.fchmod(descriptor, 0o600)  # whatever the umask
        _give_to_owner(descriptor, folder)
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
        _sync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(new_name, name, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)


def _give_to_owner(descriptor: int, folder: int) -> None:
    """An administrator's command must not leave a file behind that Chariot's own user cannot open."""
    if os.geteuid() == 0 and os.fstat(descriptor).st_uid == 0:
        owner = os.fstat(folder)
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _sync(descriptor: int) -> None:
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(descriptor)
    else:  # macOS: fsync alone leaves the data in the drive's own cache
        fcntl.fcntl(descriptor, full)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
