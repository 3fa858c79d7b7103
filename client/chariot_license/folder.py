"""Whether a folder may keep a state: it is our own, nobody else writes to it, and its modes let nobody in.

A folder that serves something else too (temporary files, a home, the top of a disk) is never changed: only one that
holds nothing but the state's files is taken for a state directory.
"""

import contextlib
import os
import stat
from pathlib import Path

from chariot_license.errors import StateError

_OTHERS = 0o077
_OTHERS_WRITE = 0o022


def check_folder(descriptor: int, path: Path) -> None:
    """Raise StateError "state-unsafe" unless the open folder may keep a state. An administrator may use anybody's."""
    found, user = os.fstat(descriptor), os.geteuid()
    if found.st_mode & stat.S_ISVTX:
        raise _unsafe(path, f"is shared by several users (mode {stat.S_IMODE(found.st_mode):04o})")
    if user not in (0, found.st_uid):
        raise _unsafe(path, f"belongs to another user (number {found.st_uid})")


def put_right(descriptor: int, path: Path, mode: int, own_files: frozenset[str]) -> str | None:
    """Take the rights of others from an open file or folder, if it is ours; return a warning if they had any.

    Raises StateError "state-unsafe" for a folder that is left as it is though others can write to it.
    """
    found = os.fstat(descriptor)
    rights = stat.S_IMODE(found.st_mode)
    if not rights & _OTHERS:
        return None
    is_folder = stat.S_ISDIR(found.st_mode)
    if found.st_uid == os.geteuid() and not (is_folder and set(os.listdir(descriptor)) - own_files):
        if _closed(descriptor, mode):
            return f"{path} was open to other users (mode {rights:04o}); it is now {mode:04o}."
    elif is_folder and rights & _OTHERS_WRITE:
        raise _unsafe(path, f"can be written to by other users (mode {rights:04o}) and was left as it is")
    return f"{path} is open to other users (mode {rights:04o}); run: chmod {mode:o} {path}"


def _closed(descriptor: int, mode: int) -> bool:
    """Set the mode and say whether it holds: some file systems (FAT, shares) have none, and report no error."""
    with contextlib.suppress(OSError):
        os.fchmod(descriptor, mode)
    return not stat.S_IMODE(os.fstat(descriptor).st_mode) & _OTHERS


def _unsafe(path: Path, what: str) -> StateError:
    return StateError(
        "state-unsafe",
        f"The folder {path} {what}. A state directory must belong to the user that Chariot runs as, and to nobody"
        f" else: name a folder of its own, for example --state-dir {path / 'chariot-license'}.",
        path=str(path),
    )
