"""kill -9 of what fetches, reads and sends mails: none lost, none doubled, none sent twice."""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

from celery import Celery
from redis import Redis

from tests.mailroom.imap import ImapServer
from tests.mailroom.letters import letter
from tests.mailroom.smtp import Catcher, catching
from tests.system.mailing import MailPortal, Workers, wait_until
from tests.system.portal import Portal

FETCHED = 100
# In, and as many out. With 500 it takes minutes: docs/benchmarks.md says what came out.
MAILS = int(os.environ.get("MAILS_OF_THE_KILL_TEST", "100"))
KILLS, EVERY = MAILS // 8, 8  # every so many the whole worker
PATIENCE = 120 + MAILS  # seconds


def numbered(count: int) -> list[bytes]:
    return [letter(f"Mail number\n{number}\n", sender=f"ada@customer-{number}.example") for number in range(count)]


def test_a_fetch_that_is_killed_again_and_again(portal: Portal, imap_server: ImapServer) -> None:
    imap_server.deliver(*numbered(FETCHED))

    found = MailPortal.of(portal, IMAP_URLS=imap_server.url).script("fetch_killing", "1")

    kills = found["kills"]
    killed = [kill for kill in kills if kill["killed"]]
    in_the_middle = [kill for kill in killed if kill["new"]]
    print(f"{portal.vendor}: {len(killed)} killed, {len(in_the_middle)} of them had stored some mails")
    assert len(killed) >= 5
    assert len(in_the_middle) >= 3
    for kill in kills:
        assert kill["mails"] == kill["sources"] == kill["position"], "a mail and the position are stored together"
    assert found["numbers"] == [str(number) for number in range(FETCHED)]


# --- real workers on a real broker -------------------------------------------------------------------------

QUEUE = """
from django.db import transaction
from activations import tasks
from activations.services.post import outbox
for number in range({mails}):
    with transaction.atomic():
        said = outbox.Letter(key=f"test:{{number}}", subject=f"Answer {{number}}", body=f"Answer number {{number}}\\n")
        outbox.queue(said, to=f"ada@customer-{{number}}.example", by="agent", conversation=None)
"""
# What a person does who finds unknown mails on the desk and looks each one up in the mail server's log.
SETTLE = """
import json
from activations import tasks
from activations.models import OutgoingMail
from activations.services.post import outbox
from tests.portal.cast import AGENT
arrived, told = set(json.loads({arrived!r})), []
for mail in OutgoingMail.objects.filter(state="unknown"):
    if mail.message_id in arrived:
        result = outbox.settle(mail_pk=mail.pk, sent=True, actor=AGENT)
    else:
        shown = outbox.standing(mail)
        result = outbox.send_again(mail_pk=mail.pk, to_address=mail.to_address, shown=shown, actor=AGENT)
    assert isinstance(result, outbox.Settled), result
    told.append(mail.message_id in arrived)
print(json.dumps(told))
"""
# As if the time had gone by after which a mail that a process died over is taken up again.
TIME_GOES_BY = (
    "UPDATE activations_outgoingmail SET claimed_at = now() - interval '1 day' WHERE state = 'sending' RETURNING 1",
    "UPDATE activations_outgoingmail SET next_attempt_at = now() WHERE state = 'queued' RETURNING 1",
    "UPDATE activations_incomingmail SET begun_at = begun_at - interval '1 day' WHERE state = 'stored' RETURNING 1",
)
PERIODIC = ("activations.fetch_mail", "activations.read_mails", "activations.send_mails")


class Office:
    """The portal, its broker and what can be counted of both from outside."""

    def __init__(self, portal: MailPortal, broker: str, smtp: Catcher) -> None:
        self.portal, self.smtp = portal, smtp
        self._jobs = Celery(broker=broker)
        self._queue = Redis.from_url(broker)
        self._queue.flushdb()

    def tick(self) -> None:
        """What beat does once a minute; here more often, but not while more of it waits than is worked off."""
        if self._queue.llen("celery") > 2 * MAILS + 10:
            return
        for name in PERIODIC:
            self._jobs.send_task(name)

    def incoming(self) -> Counter[str]:
        return Counter(dict(self.portal.rows("SELECT state, count(*) FROM activations_incomingmail GROUP BY state")))

    def outgoing(self) -> Counter[str]:
        return Counter(dict(self.portal.rows("SELECT state, count(*) FROM activations_outgoingmail GROUP BY state")))

    def told(self) -> str:
        left = self.portal.rows("SELECT state, attempts, problem FROM activations_outgoingmail WHERE state <> 'sent'")
        return f"in: {self.incoming()}, out: {self.outgoing()}, {left[:20]}"

    def progress(self) -> int:
        """Grows with each mail that is begun."""
        began = self.portal.rows("SELECT coalesce(sum(readings), 0) FROM activations_incomingmail")[0][0]
        return int(began) + self.smtp.connections

    def is_done(self) -> bool:
        return not self.outgoing()["queued"] and self.incoming()["read"] == MAILS

    def is_idle(self) -> bool:
        out, came = self.outgoing(), self.incoming()
        idle = not out["queued"] and not out["sending"] and not came["stored"] and came.total() == MAILS
        if not idle and not self._queue.llen("celery"):
            self.tick()
        return idle


def test_workers_that_are_killed_over_many_mails_in_and_out(
    postgres_portal: Portal, imap_server: ImapServer, redis_url: str, tmp_path: Path
) -> None:
    broker = urlsplit(redis_url)._replace(path="/11").geturl()
    chance = random.Random(1)
    with catching() as smtp:
        smtp.slow = 0.05  # as a server is that looks at a mail before it says yes
        portal = MailPortal.of(
            postgres_portal, IMAP_URLS=imap_server.url, EMAIL_URL=smtp.url, REDIS_URL=broker, MAIL_TIMEOUT="10"
        )
        office = Office(portal, broker, smtp)
        imap_server.deliver(*numbered(MAILS))
        office.tick()  # so that fetching, reading and sending are at work side by side
        portal.python(QUEUE.format(mails=MAILS))
        with Workers(portal, tmp_path / "worker.log") as workers:
            kills = _kill_while_they_work(office, workers, chance)
            workers.kill()
            for statement in TIME_GOES_BY:
                portal.rows(statement)
            workers.start()
            wait_until(office.is_idle, "all mails are worked off", office.told, seconds=PATIENCE)
            unknown = office.outgoing()["unknown"]
            settled = json.loads(portal.python(SETTLE.format(arrived=json.dumps(smtp.message_ids))))
            wait_until(office.is_idle, "what was sent again has gone", office.told, seconds=PATIENCE)
        _assert_each_once(office)

    begun_again = portal.rows("SELECT count(*) FROM activations_incomingmail WHERE readings > 1")[0][0]
    print(f"{kills} kills, {unknown} unknown, {sum(settled)} of them had arrived; {begun_again} mails were read anew")
    assert len(settled) == unknown
    assert kills >= MAILS // 16
    assert unknown + begun_again >= 3, "hardly a kill hit anything in the middle: the test has shown nothing"


def _kill_while_they_work(office: Office, workers: Workers, chance: random.Random) -> int:
    """Each kill comes at a random moment after the worker was seen at work, until there is no work left."""
    kills, end = 0, time.monotonic() + PATIENCE
    while kills < KILLS and not office.is_done():
        before = office.progress()
        office.tick()
        while office.progress() == before and not office.is_done():
            assert time.monotonic() < end, f"{kills} kills in {PATIENCE} s. {office.told()}\n{workers.log()}"
            workers.start_if_gone()
            time.sleep(0.02)
        time.sleep(chance.uniform(0, 0.2))
        if kills % EVERY == EVERY - 1:
            workers.kill()
            workers.start()
            kills += 1
        else:
            kills += workers.kill_one_process(chance.choice)
    return kills


def _assert_each_once(office: Office) -> None:
    arrived = Counter(str(message["Subject"]) for message in office.smtp.messages)
    assert arrived == Counter({f"Answer {number}": 1 for number in range(MAILS)})
    out = office.outgoing()
    assert out["sent"] == MAILS
    assert set(out) <= {"sent", "dropped"}, "what was dropped was sent again"

    assert office.incoming() == Counter(read=MAILS)
    rows = office.portal.rows("SELECT text, count(*) FROM activations_incomingmail GROUP BY text")
    assert Counter(dict(rows)) == Counter({f"Mail number\n{number}": 1 for number in range(MAILS)})
    (conversations,) = office.portal.rows("SELECT count(*) FROM activations_conversation")[0]
    assert conversations == MAILS, "none was begun twice"
