"""The file that `request --out` writes: there whole or not at all, and found writable before a request is made."""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from chariot_license.errors import InputError

# More than a Usage Request ever takes, as text or as a picture: a full disk is noticed before the request is made.
_ROOM = 64 * 1024


class OutFile:
    """A file opened for one text. `name` is what the user called it; `write` raises OSError."""

    def __init__(self, name: str, descriptor: int, new: Path | None, target: Path) -> None:
        self.name = name
        self._descriptor = descriptor
        self._new = new
        self._target = target

    def write(self, text: str) -> None:
        data = text.encode("utf-8")
        left = memoryview(data)
        while left:
            left = left[os.write(self._descriptor, left) :]
        if self._new is not None:
            os.ftruncate(self._descriptor, len(data))
            os.fsync(self._descriptor)
            self._new.replace(self._target)
            self._new = None

    def close(self) -> None:
        os.close(self._descriptor)
        if self._new is not None:
            with contextlib.suppress(OSError):
                self._new.unlink()


@contextlib.contextmanager
def out_file(name: str | None, state_dir: Path) -> Iterator[OutFile | None]:
    """Open the file `name` for writing, without changing it yet; None stands for none.

    A link is followed. A terminal, a pipe or another device is written to as it is; anything else is replaced whole.
    Raises InputError "output-unwritable".
    """
    if name is None:
        yield None
        return
    try:
        opened = _opened(name, state_dir)
    except OSError as error:
        reason = "nobody reads this pipe" if error.errno == errno.ENXIO else error.strerror or str(error)
        message = f"{name} cannot be written: {reason}. No Usage Request was made. Name another file: --out FILE."
        raise InputError("output-unwritable", message) from error
    try:
        yield opened
    finally:
        opened.close()


def _opened(name: str, state_dir: Path) -> OutFile:
    path = Path(name)
    target = Path(os.path.realpath(path))
    try:
        # Not created and not shortened: this only asks whether it may be written.
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        mode = None
    else:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            os.set_blocking(descriptor, True)
            return OutFile(name, descriptor, None, path)
        os.close(descriptor)
    if target.parent == Path(os.path.realpath(state_dir)):
        raise OSError(None, "it is in the state directory")
    new = target.with_name(f".{secrets.token_hex(8)}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    opened = OutFile(name, descriptor, new, target)
    try:
        if mode is not None:
            os.fchmod(descriptor, stat.S_IMODE(mode))
        left = _ROOM
        while left:
            left -= os.write(descriptor, bytes(left))
        os.fsync(descriptor)
        os.lseek(descriptor, 0, os.SEEK_SET)
    except BaseException:
        opened.close()
        raise
    return opened
