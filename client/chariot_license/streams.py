"""Standard input, output and error as they may really be: closed, full, or read by nobody any more."""

import errno
import fcntl
import io
import os
import select
import sys
from typing import Any

from chariot_license.errors import InputError

BROKEN_PIPE = 141  # 128 + SIGPIPE: what a shell reports for a program whose reader went away, `... | head -1`
_FAILURES = (OSError, ValueError)  # ValueError: Python's own word for a stream that was closed


class OutputFailed(Exception):
    """The result could not be written to standard output; str(error) says why."""

    def __init__(self, cause: Exception) -> None:
        super().__init__((cause.strerror if isinstance(cause, OSError) else None) or str(cause))
        self.nobody_reads = isinstance(cause, BrokenPipeError)


class _Closed(io.TextIOBase):
    """Stands for an output that the caller closed (`>&-`): writing to it fails as writing to a full disk does."""

    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, "it is closed")


def prepare() -> None:
    """Before anything is opened: a closed descriptor 0, 1 or 2 would be given to the next file, and what is written
    to standard output or error would land there, in the state for one.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = _Closed()
    if sys.stderr is None:
        sys.stderr = _Closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a customer's name must not stop an old terminal


def require_output() -> None:
    """Raise OutputFailed if it is plain now that no result can be written, before anything is changed for it.

    A full disk shows itself only when it is written to.
    """
    if isinstance(sys.stdout, _Closed):
        raise OutputFailed(OSError(errno.EBADF, "it is closed"))
    try:
        number = sys.stdout.fileno()
    except _FAILURES:
        return  # no stream of the system's
    if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise OutputFailed(OSError(errno.EBADF, "it is open for reading only"))
    readers = select.poll()
    readers.register(number, 0)
    if any(event & (select.POLLERR | select.POLLHUP) for _, event in readers.poll(0)):
        raise OutputFailed(BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)))


def write(text: str) -> None:
    """Write a result to standard output, all of it. Raises OutputFailed."""
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except _FAILURES as error:
        _silence(sys.stdout)
        raise OutputFailed(error) from error
    except KeyboardInterrupt:
        _silence(sys.stdout)
        raise


def say(text: str, end: str = "\n") -> bool:
    """Write a message to standard error. Where nobody can be told, nobody is told: returns whether it was written."""
    try:
        sys.stderr.write(text + end)
        sys.stderr.flush()
    except _FAILURES:
        _silence(sys.stderr)
        return False
    return True


def input_is_terminal() -> bool:
    try:
        return sys.stdin is not None and sys.stdin.isatty()
    except _FAILURES:
        return False


def input_bytes(most: int) -> bytes:
    """Return standard input up to `most` bytes. Raises InputError "input-unreadable"."""
    return _read("read", most)


def input_line() -> str:
    """Return one line of standard input. Raises InputError "input-unreadable"."""
    return _read("readline", 4096).decode("utf-8", "replace")


def _read(method: str, most: int) -> bytes:
    try:
        if sys.stdin is None:
            raise OSError(errno.EBADF, "it is closed")
        data: bytes | None = getattr(sys.stdin.buffer, method)(most)
    except _FAILURES as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InputError(
            "input-unreadable", f"Standard input cannot be read: {reason}. Redirect a file to it, or name the file."
        ) from error
    return data or b""  # None: it is open without waiting, and nothing has come


def _silence(stream: Any) -> None:
    """Nothing more goes to a stream that failed; Python would try again when it ends, and complain."""
    try:
        number = stream.fileno()
    except _FAILURES:
        return
    if number in (1, 2):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
