"""What the commands read from files or standard input, and the files they write."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from chariot_license.protocol.clean import MAX_SOURCE

from activations.management.base import UNWRITTEN, Stop, bad_input
from activations.management.streams import why

MOST_PASSWORD = 1024


def read_input(name: str) -> bytes:
    """The bytes of a file, or of standard input for "-"; never more than the reader takes, however much is there."""
    try:
        if name == "-":
            data = _standard_input().read(MAX_SOURCE + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(MAX_SOURCE + 1)
    except OSError as error:
        said = "Standard input" if name == "-" else name
        raise bad_input("file-unreadable", f"{said} cannot be read: {why(error)}.") from None
    if len(data) > MAX_SOURCE:
        raise bad_input(
            "input-too-large",
            f"The input is larger than {MAX_SOURCE // 1_000_000} MB. Give only the mail or the text block.",
        )
    return data


def read_password() -> str:
    """One line of standard input."""
    try:
        password = _standard_input().readline(MOST_PASSWORD + 1).decode().rstrip("\r\n")
    except OSError as error:
        raise bad_input("file-unreadable", f"Standard input cannot be read: {why(error)}.") from None
    except UnicodeDecodeError:
        raise bad_input("password-unreadable", "The password is not text in UTF-8. Type it again.") from None
    if len(password) > MOST_PASSWORD:
        raise bad_input("password-too-long", f"A password has at most {MOST_PASSWORD} letters.")
    return password


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise bad_input("input-missing", "Standard input is closed. Name a file, or send the text to standard input.")
    return sys.stdin.buffer


@contextmanager
def whole_file(path: Path, *, make_folder: bool = False) -> Iterator[TextIO]:
    """A text file that is there whole or not at all: written beside its place, moved there at the end.

    Whether it can be written is found out before the block runs, so that nothing is booked for a file nobody gets.
    """
    part = _part(path, make_folder=make_folder)
    ready = False
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
            ready = True
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        if not ready:
            raise _unwritable(path, error) from None
        message = f"It is done and booked, but {path} could not be put in its place: {why(error)}."
        raise Stop(UNWRITTEN, {"outcome": "unwritten", "code": "file-unwritable", "message": message}) from None
    finally:
        part.unlink(missing_ok=True)


def _part(path: Path, *, make_folder: bool) -> Path:
    try:
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise bad_input("file-unwritable", f"{path} is a folder. Name a file in it.")
        if path.exists() and not path.is_file():
            # Moving a file to the place of a device or pipe would take it away from everybody.
            raise bad_input("file-unwritable", f"{path} is no plain file. Name one.")
    except OSError as error:
        raise _unwritable(path, error) from None
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _unwritable(path: Path, error: OSError) -> Stop:
    return bad_input("file-unwritable", f"{path} cannot be written: {why(error)}. Nothing was booked.")
