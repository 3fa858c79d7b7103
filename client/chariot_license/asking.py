"""Asking again and again until Support has decided, without being a burden to the server."""

import random
import time
from collections.abc import Callable

from chariot_license.errors import InputError
from chariot_license.online import MOST_PAUSE, Asked, Server, Unreachable, Waits

MOST_MINUTES = 30 * 24 * 60
_FIRST_PAUSE = 5.0


def minutes(given: str | None) -> int:
    """Return how long to wait. Raises InputError "wait-invalid"."""
    if given is None:
        return 0
    if not (given.isascii() and given.isdecimal() and len(given) < 7 and 0 < int(given) <= MOST_MINUTES):
        raise InputError("wait-invalid", f"--wait takes whole minutes, from 1 to {MOST_MINUTES}.")
    return int(given)


def until_answered(
    server: Server,
    block: str,
    wait: int,
    *,
    say: Callable[[str], object],
    sleep: Callable[[float], object] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> Asked:
    """Ask once; with `wait` minutes go on while it waits at Support, or while the server cannot be reached.

    Each pause is as long as the server asks for, and longer each time that it cannot be reached; a little chance keeps
    many hosts apart that were started together. Raises InputError if the server finds that it is no Usage Request.
    """
    end, pause, told = now() + wait * 60, _FIRST_PAUSE, ""
    while True:
        asked = server.ask(block)
        again = isinstance(asked, Waits) or (isinstance(asked, Unreachable) and not asked.lasting)
        left = end - now()
        if not again or left <= 0:
            return asked
        assert isinstance(asked, Waits | Unreachable)  # noqa: S101
        if asked.message != told:
            told = asked.message
            say(f"{told} Asking again for up to {max(1, round(left / 60))} more minutes; Ctrl-C stops.")
        pause = _FIRST_PAUSE if isinstance(asked, Waits) else min(pause * 2, MOST_PAUSE)
        wanted = max(pause, asked.retry_after) * random.uniform(1, 1.25)  # noqa: S311
        sleep(min(wanted, left))
