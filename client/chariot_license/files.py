"""Opening files that may not be what their names say: links, folders, devices, pipes that nobody writes to."""

import os
import select
import stat
import time
from pathlib import Path

PIPE_SECONDS = 5.0
_KINDS = (
    (stat.S_ISREG, "a file"),
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


class NotReadable(Exception):
    """The file cannot be read; str(error) says why, to stand after "it": "it is a folder"."""


def kind_of(mode: int) -> str:
    """Return what a file of this mode is, in words: "a folder", "a device" ..."""
    return next((words for is_kind, words in _KINDS if is_kind(mode)), "a device")


def read_small(file: Path, most: int, pipe_seconds: float = PIPE_SECONDS) -> bytes:
    """Return the content of a small regular file, or of a pipe (`<(command)`) that ends within `pipe_seconds`.

    Never waits for a pipe that nobody writes to, and never reads a device. Raises NotReadable.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise NotReadable(_why(error)) from error
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
            raise NotReadable(f"it is {kind_of(mode)}")
        data = _read_all(descriptor, most, pipe_seconds if stat.S_ISFIFO(mode) else None)
    except OSError as error:
        raise NotReadable(_why(error)) from error
    finally:
        os.close(descriptor)
    if len(data) > most:
        raise NotReadable(f"it is larger than {most // 1024} KiB")
    return data


def _read_all(descriptor: int, most: int, seconds: float | None) -> bytes:
    """Read to the end, or one byte more than `most`; of a pipe for at most `seconds`."""
    data = bytearray()
    deadline = time.monotonic() + (seconds or 0)
    while len(data) <= most:
        if seconds is not None:
            waiting = select.poll()
            waiting.register(descriptor, select.POLLIN)
            if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise NotReadable(f"it is a pipe that was not written to its end within {seconds:g} seconds")
        chunk = os.read(descriptor, most + 1 - len(data))
        if not chunk:
            break
        data += chunk
    return bytes(data)


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
