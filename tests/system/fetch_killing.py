"""Run by the tests in a process of its own: kills fetching processes with SIGKILL until everything is fetched.

    python -m tests.system.fetch_killing SEED

Forks a child for each fetch and kills it after a random delay, in which it gets through a few mails; once a child ends
by itself and has fetched nothing, all is there. Prints what each kill left behind, and which mails are stored.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from typing import Any

LONGEST = 0.2  # seconds


def main() -> None:
    import django

    django.setup()
    _let_nobody_read()
    chance = random.Random(int(sys.argv[1]))
    kills = []
    while True:
        before = _stored()["mails"]
        child = _fork()
        time.sleep(chance.uniform(0, LONGEST))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        after = _stored()
        kills.append({"killed": os.WIFSIGNALED(status), "new": after["mails"] - before, **after})
        if not os.WIFSIGNALED(status) and after["mails"] == before:
            break
    print(json.dumps({"kills": kills, "numbers": _numbers()}))


def _let_nobody_read() -> None:
    """Without a broker a mail is read where it is fetched; here it is about the fetching."""
    from activations import tasks
    from activations.services.post.signals import mail_to_read

    mail_to_read.disconnect(tasks._read_soon)


def _fork() -> int:
    from django.db import connections

    # A connection shared with a child that is killed would be closed under our feet.
    connections.close_all()
    child = os.fork()
    if child:
        return child
    try:
        from activations.mail import fetching

        fetching.fetch_all()
    finally:
        os._exit(0)


def _stored() -> dict[str, Any]:
    from activations.models import IncomingMail, Mailbox, MailSource

    box = Mailbox.objects.filter(uid_validity__isnull=False).first()
    return {
        "mails": IncomingMail.objects.count(),
        "sources": MailSource.objects.count(),
        "position": box.last_uid if box else 0,
    }


def _numbers() -> list[str]:
    """What stands in the last line of each stored mail."""
    from activations.models import IncomingMail
    from activations.services.post.keeping import source_of

    return [source_of(mail).decode().split()[-1] for mail in IncomingMail.objects.order_by("id")]


if __name__ == "__main__":
    main()
