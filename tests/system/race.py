"""Run by the tests in a process of its own: many forked processes submit Usage Requests at the same moment.

    python -m tests.system.race [--without license-lock,chain-lock] < requests.json

The input is a list of lists: what each process submits, one text after the other. Prints for each submission what came
of it: a decision code, or the name of the exception; and the SHA-256 of the Usage License.

Each process connects first and waits until all have. With a lock taken out, each also waits, once it has read the
facts, until all others have read theirs: the moment that the lock is there to prevent.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from typing import Any
from unittest import mock

PATIENCE = 120  # seconds


def main() -> None:
    import django

    django.setup()
    from django.db import connections

    parser = argparse.ArgumentParser()
    parser.add_argument("--without", default="", help="locks to leave out, separated by commas")
    without = {name for name in parser.parse_args().without.split(",") if name}
    work: list[list[str]] = json.load(sys.stdin)
    connections.close_all()
    fork = multiprocessing.get_context("fork")
    results: Queue[tuple[int, list[dict[str, Any]]]] = fork.Queue()
    start, read = fork.Barrier(len(work)), fork.Barrier(len(work))
    processes = [
        fork.Process(target=_submit_all, args=(number, texts, _Course(without, start, read), results))
        for number, texts in enumerate(work)
    ]
    for process in processes:
        process.start()
    found = dict(results.get(timeout=PATIENCE * 2) for _ in processes)
    for process in processes:
        process.join(PATIENCE)
    print(json.dumps([found[number] for number in range(len(work))]))


@dataclass(frozen=True)
class _Course:
    """The locks that are left out, and where the processes wait for each other: connected, and having read."""

    without: set[str]
    start: Barrier
    read: Barrier


def _submit_all(
    number: int, texts: list[str], course: _Course, results: Queue[tuple[int, list[dict[str, Any]]]]
) -> None:
    from django.db import connection

    from activations.services.issue import submit_usage_request
    from tests.portal.cast import AGENT

    with ExitStack() as patches:
        for patch in _patches(course):
            patches.enter_context(patch)
        connection.ensure_connection()
        course.start.wait(PATIENCE)
        found = []
        for text in texts:
            try:
                found.append(_said(submit_usage_request(source=text, actor=AGENT, origin="race")))
            except Exception as error:  # what the race leads to is what the test wants to know
                found.append({"code": type(error).__name__, "error": str(error)})
    connection.close()
    results.put((number, found))


def _said(result: Any) -> dict[str, Any]:
    if not hasattr(result, "decision"):
        return {"code": result.code}
    text = result.usage_license
    digest = hashlib.sha256(text.encode()).hexdigest() if text else None
    return {"code": result.decision.code, "activation_id": result.activation_id, "sha256": digest}


def _patches(course: _Course) -> list[Any]:
    from activations.models import LedgerChain, License
    from activations.services import booking, gathering, issue

    gather = gathering.gather

    def gather_and_wait(*args: Any) -> Any:
        facts = gather(*args)
        course.read.wait(PATIENCE)
        return facts

    def unlocked_license(pk: int) -> License:
        return License.objects.select_related("customer", "product").get(pk=pk)

    def unlocked_chain(name: str) -> LedgerChain:
        return LedgerChain.objects.get(name=name)

    patches = []
    if course.without:
        patches.append(mock.patch.object(issue, "gather", gather_and_wait))
    if "license-lock" in course.without:
        patches.append(mock.patch.object(issue, "lock_license", unlocked_license))
    if "chain-lock" in course.without:
        patches.append(mock.patch.object(booking, "lock_chain", unlocked_chain))
    return patches


if __name__ == "__main__":
    main()
