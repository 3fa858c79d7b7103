"""Run by the tests in a process of its own: kills issuing processes with SIGKILL and looks at what they leave behind.

    python -m tests.system.killing random MOMENTS SEED < world.json
    python -m tests.system.killing statements before|after < world.json

The input has `databases`, names of copies of one database, and `requests`, Usage Requests for which all of them have
seats. After every ten kills the next copy is taken: each check reads a whole ledger, and a short one is read sooner.

The process stays and forks a child for each Usage Request, without a connection of its own open, so that a child is at
work within milliseconds. `random` kills after a random delay within the time an issue takes; `statements` kills before
or after each SQL statement of an issue, and before or after its commit. After each kill the ledger and the tables are
checked in full and the request is submitted again, twice. Prints what was found, one object for each kill.
"""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

NEVER = 10_000
KILLS_EACH = 10  # on each copy of the database


def main() -> None:
    import django

    django.setup()
    mode, texts = sys.argv[1], _requests(**json.load(sys.stdin))
    kills = (
        _random(int(sys.argv[2]), int(sys.argv[3]), texts)
        if mode == "random"
        else _statements(sys.argv[2] == "after", texts)
    )
    print(json.dumps(list(kills)))


def _requests(databases: list[str], requests: list[str]) -> Iterator[str]:
    """One request after the other, each on the database that is connected to from then on."""
    from django.db import connections

    for name in databases:
        connections.close_all()
        connections["default"].settings_dict["NAME"] = name
        yield from requests[:KILLS_EACH]
    raise AssertionError("Make more copies of the database: all are used up.")


def _random(moments: int, seed: int, texts: Iterator[str]) -> Iterator[dict[str, Any]]:
    _aftermath(next(texts))  # what is imported and cached on first use, the children have from the start
    durations = []
    for _ in range(KILLS_EACH - 1):
        began = time.monotonic()
        _wait(_fork(_issue, next(texts)))
        durations.append(time.monotonic() - began)
    longest = statistics.median(durations) * 1.25
    chance = random.Random(seed)
    for _ in range(moments):
        text, delay = next(texts), chance.uniform(0, longest)
        child = _fork(_issue, text)
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
        yield {"delay": delay, "of": longest, "killed": _wait(child), **_aftermath(text)}


def _statements(after: bool, texts: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Until a child lives through it: then every statement has had its turn."""
    for number in range(1, NEVER):
        text = next(texts)
        killed = _wait(_fork(_issue_until_statement, text, number, after))
        yield {"statement": number, "after": after, "killed": killed, **_aftermath(text)}
        if not killed:
            break
    text = next(texts)
    killed = _wait(_fork(_issue_until_commit, text, after))
    yield {"statement": "commit", "after": after, "killed": killed, **_aftermath(text)}


def _fork(work: Callable[..., None], *arguments: Any) -> int:
    from django.db import connections

    # A connection shared with a child that is killed would be closed under our feet.
    connections.close_all()
    child = os.fork()
    if child:
        return child
    try:
        work(*arguments)
    finally:
        os._exit(0)


def _wait(child: int) -> bool:
    """Whether the child was killed; it exits 0 otherwise."""
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def _issue(text: str) -> None:
    from activations.services.issue import submit_usage_request
    from tests.portal.cast import AGENT

    submit_usage_request(source=text, actor=AGENT, origin="child")


def _issue_until_statement(text: str, number: int, after: bool) -> None:
    from django.db import connection

    seen = 0

    def count_and_die(execute: Callable[..., Any], *arguments: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == number and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = execute(*arguments)
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    with connection.execute_wrapper(count_and_die):
        _issue(text)


def _issue_until_commit(text: str, after: bool) -> None:
    from django.db import connections

    connection: Any = connections["default"]
    commit = connection._commit

    def commit_and_die() -> None:
        if after:
            commit()
        os.kill(os.getpid(), signal.SIGKILL)

    connection._commit = commit_and_die
    _issue(text)


def _aftermath(text: str) -> dict[str, Any]:
    """Whether everything holds; whether the issue had been booked; what asking twice gives."""
    from activations.models import UsageLicense
    from activations.services.issue import Submission, submit_usage_request
    from activations.services.ledger_checks import verify_ledger
    from tests.portal.cast import AGENT

    checked = verify_ledger(rebuild_check=True)
    answers = UsageLicense.objects.count()
    again = [submit_usage_request(source=text, actor=AGENT, origin="again") for _ in range(2)]
    submissions = [result for result in again if isinstance(result, Submission)]
    texts = {submission.usage_license for submission in submissions}
    return {
        "problems": checked.problems,
        "codes": [submission.decision.code for submission in submissions],
        "same_answer": len(texts) == 1 and None not in texts,
        "answers_made_by_asking": UsageLicense.objects.count() - answers,
    }


if __name__ == "__main__":
    main()
