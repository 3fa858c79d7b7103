"""Standard input, output and error as they may really be: closed, full, endless, or read by nobody any more."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any

BROKEN_PIPE = 141  # 128 + SIGPIPE: what a shell reports for a program whose reader went away, `... | head -1`
FAILURES = (OSError, ValueError)  # ValueError: Python's own word for a stream that was closed


class OutputFailed(Exception):
    """The result itself could not be written while it was made; nothing was booked."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class _Closed(io.TextIOBase):
    """Stands for an output that the caller closed (`>&-`): writing to it fails as writing to a full disk does."""

    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, "it is closed")


def prepare() -> None:
    """Before anything else is opened: a closed descriptor 0, 1 or 2 would be given to the next file or connection,
    and what is written to standard output or error would land there, in the database for one.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = _Closed()
    if sys.stderr is None:
        sys.stderr = io.StringIO()  # there is nobody to tell
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that knows no such letter is no failure


def silence(stream: Any) -> None:
    """Nothing more goes to a stream that failed; Python would try again when it ends, and complain."""
    try:
        number = stream.fileno()
    except FAILURES:
        return
    if number in (1, 2):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


def why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
