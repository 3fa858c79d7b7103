"""Waiting for a database that is being restarted, where what is to be written cannot be found out again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.db import InterfaceError, OperationalError, connection

LONGEST = 60.0  # seconds
EVERY = 0.5


def once_it_answers(write: Callable[[], Any]) -> None:
    """Writes, and again for up to a minute while the database does not answer. `write` may do its work twice: a commit
    can have reached the disk though its answer was lost. Inside a transaction it is tried once: what came before in it
    is gone with the connection.
    """
    end = time.monotonic() + LONGEST
    while True:
        try:
            write()
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block or time.monotonic() >= end:
                raise
            connection.close()
            time.sleep(EVERY)
        else:
            return
