"""Redis, PostgreSQL, the mail server that sends and the one that is fetched, each taken away and given back under the
processes of the Procfile: the desk goes on where it can, says what is wrong, and catches up alone.

No process of the portal is started anew in this test, and nobody helps a mail along.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.mailroom.imap import ImapServer
from tests.mailroom.smtp import Mood, catching
from tests.ops.processes import run
from tests.ops.procfile import PROCFILE, running
from tests.system.parts import Gate, PostgresServer, RedisServer, database_on, postgres_server, redis_server
from tests.system.post_office import PostOffice, address, imaps_url, production_env, staffed_portal

# How long Redis is gone. It must be longer than the worker waits before it tries again, and long enough for the start
# page to say so. 60: the minute of a real restart, in which the worker waits longer each time.
SECONDS_DOWN = float(os.environ.get("SECONDS_OF_THE_OUTAGE_TEST", "11"))
PATIENCE = 60 + 2 * SECONDS_DOWN
DATABASE_GONE = "The portal cannot reach its database at the moment"


@dataclass
class Parts:
    """What can go away, and the desk that has to live with it."""

    office: PostOffice
    redis: RedisServer
    postgres: PostgresServer
    gate: Gate  # before the mailbox `north`
    north: ImapServer
    south: ImapServer
    processes: dict[str, subprocess.Popen[bytes]]
    worker_log: Path


@pytest.fixture
def parts(imap_server: ImapServer, tmp_path: Path) -> Iterator[Parts]:
    south = imap_server.another_user()
    home = Path(os.environ["TEST_SERVICES_FOLDER"]) / "imap"
    tls_port = int((home / "tls-port").read_text())
    with (
        redis_server(tmp_path) as redis,
        postgres_server() as postgres,
        catching() as smtp,
        closing(Gate(("127.0.0.1", tls_port))) as gate,
    ):
        env = production_env(
            tmp_path / "var",
            database_on(postgres.url, "portal_of_parts"),
            REDIS_URL=redis.url,
            EMAIL_URL=smtp.url,
            IMAP_URLS=f"{imaps_url(imap_server, gate.port)},{imaps_url(south, tls_port)}",
            SSL_CERT_FILE=str(home / "certificate.pem"),
            MAIL_EVERY="1",
            MAIL_TIMEOUT="4",
            MAIL_RETRY_AFTER=",".join(["1"] * 60),
        )
        assert run(shlex.split(PROCFILE["release"]), env).returncode == 0
        with staffed_portal(env) as portal, running(env, tmp_path) as processes:
            log = tmp_path / "worker.log"
            office = PostOffice(portal, smtp, PATIENCE, lambda: log.read_text()[-4000:])
            yield Parts(office, redis, postgres, gate, imap_server, south, processes, log)


def test_each_part_goes_away_and_comes_back(parts: Parts) -> None:
    parts.office.writes("first", parts.north)
    parts.office.answered("first")
    parts.office.wait(lambda: parts.office.is_sent("first"), "sending the first mail")

    redis_goes_away(parts)
    redis_hangs(parts)
    postgres_goes_away(parts, "immediate", at_once=3)
    postgres_goes_away(parts, "fast", at_once=2)
    mail_servers_fail(parts)

    nothing_is_lost_or_doubled(parts)
    assert {name: process.poll() for name, process in parts.processes.items()} == dict.fromkeys(parts.processes)


def redis_goes_away(parts: Parts) -> None:
    """Bookings go on, their mails wait, and the start page says that nothing moves."""
    office = parts.office
    for name in ("pump", "weir"):
        office.writes(name, parts.north)
    office.wait_on_desk("pump", "weir")
    parts.redis.kill()
    gone = time.monotonic()
    office.answered("pump")
    office.answered("weir")
    office.writes("mill", parts.south)
    office.wait(lambda: time.monotonic() > gone + SECONDS_DOWN, "the outage")
    office.wait(lambda: "2 mails wait to be sent since" in office.home(), "the word on the start page")
    assert "Mail stands still No mailbox was looked at since" in office.home()
    assert [office.outgoing(name) for name in ("pump", "weir")] == [[("queued", 0, "")]] * 2

    parts.redis.start()
    office.wait(lambda: office.is_sent("pump") and office.is_sent("weir"), "sending what waited for Redis")
    office.answered("mill")
    office.wait(lambda: office.is_sent("mill"), "sending after Redis was gone")
    assert "Mail stands still" not in office.home()


def redis_hangs(parts: Parts) -> None:
    """It takes connections and does not answer: the agent is not kept waiting for it without end."""
    office = parts.office
    office.writes("lock", parts.north)
    office.wait_on_desk("lock")
    parts.redis.hang()
    office.answered("lock")
    assert office.outgoing("lock") == [("queued", 0, "")]
    parts.redis.go_on()
    office.wait(lambda: office.is_sent("lock"), "sending after Redis hung")


def postgres_goes_away(parts: Parts, mode: str, at_once: int) -> None:
    """While bookings are made at once, and a mail is in the hands of the mail server."""
    office, names = parts.office, [f"{mode}-{number}" for number in range(at_once)]
    held, late = f"held-{mode}", f"late-{mode}"
    for name in (held, *names):
        office.writes(name, parts.south)
    office.wait_on_desk(held, *names)
    pages = {name: office.opened(name) for name in names}
    errors = parts.worker_log.read_text().count("OperationalError")
    given, office.smtp.slow = len(office.smtp.mails), 2.0
    office.answered(held)
    office.wait(lambda: len(office.smtp.mails) > given, "the mail server has the mail")
    with ThreadPoolExecutor(len(names)) as agents:
        asked = {name: agents.submit(office.confirmed, page, name) for name, page in pages.items()}
        wait(asked.values(), return_when=FIRST_COMPLETED)  # the others are in the middle of it
        parts.postgres.stop(mode)
    office.smtp.slow = 0.0
    found = {name: answer.result() for name, answer in asked.items()}
    print(f"PostgreSQL stopped ({mode}) in the middle of bookings: {[page.status for page in found.values()]}")
    assert {page.status for page in found.values()} <= {200, 503}

    for page in (office.browser.get("/admin/"), office.confirmed(pages[names[0]], names[0])):
        assert page.status == 503
        assert DATABASE_GONE in page.words
    office.writes(late, parts.north)
    office.wait(
        lambda: parts.worker_log.read_text().count("OperationalError") > errors, "a job of the worker that failed"
    )

    parts.postgres.start()
    assert office.browser.get("/admin/").status == 200
    for name, page in pages.items():
        office.booked(page, name)
    office.answered(late)
    everybody = [held, late, *names]
    office.wait(lambda: all(map(office.is_sent, everybody)), "sending after PostgreSQL was gone")
    assert [state for name in everybody for state, _, _ in office.outgoing(name)] == ["sent"] * len(everybody)
    assert office.outgoing(held) == [("sent", 1, "")]


def mail_servers_fail(parts: Parts) -> None:
    office, smtp = parts.office, parts.office.smtp
    parts.gate.shut()
    smtp.refuse_connections()
    office.writes("behind-the-gate", parts.north)
    office.writes("refused", parts.south)
    office.answered("refused")  # it came from the other mailbox
    box = f"Mailbox {parts.north.user}@127.0.0.1/INBOX Last read "
    office.wait(lambda: box in office.home(), "the word on the start page")
    assert "The mail server did not answer within 4 seconds. The next run tries again." in office.home()
    _is_refused(parts, "refused", "The connection to the mail server failed: Connection refused")
    smtp.mood = Mood.DROPS_AT_ADDRESS
    smtp.listen()
    _is_refused(parts, "refused", "The connection to the mail server failed: SMTPServerDisconnected")
    smtp.mood = Mood.BUSY
    _is_refused(parts, "refused", "451 4.7.1 Greylisted, come back later")
    smtp.mood = Mood.CLOSING
    _is_refused(parts, "refused", "421 4.3.2 Closing for the night")
    assert "1 mail waits for the mail server since" in office.home()
    assert "421 4.3.2 Closing for the night Nothing is lost: it is tried again by itself." in office.home()
    smtp.mood = Mood.TAKES
    office.wait(lambda: office.is_sent("refused"), "sending once the mail server takes mails")
    assert "for the mail server since" not in office.home()

    _a_mail_is_refused_for_good(parts)
    parts.gate.open()
    office.answered("behind-the-gate")
    office.wait(lambda: office.is_sent("behind-the-gate"), "sending after the mailbox was read again")
    assert "Mailbox " not in office.home()


def _is_refused(parts: Parts, name: str, said: str) -> None:
    """The mail is tried once more and waits, with the reason."""
    office = parts.office
    ((_, attempts, _),) = office.outgoing(name)

    def tried() -> bool:
        ((state, times, problem),) = office.outgoing(name)
        assert state in ("queued", "sending")
        return times > attempts and said in problem

    office.wait(tried, f"an attempt that ends with {said}")


def _a_mail_is_refused_for_good(parts: Parts) -> None:
    """A person decides, and nothing is tried again before."""
    office = parts.office
    office.smtp.mood = Mood.REFUSES_MAIL
    office.writes("spam", parts.south)
    office.answered("spam")
    office.wait(lambda: office.outgoing("spam")[0][0] == "failed", "the refusal")
    assert "failed: The mail server refused the mail: 554 5.7.1 Spam, says our filter" in office.home()
    office.smtp.mood = Mood.TAKES
    ((pk,),) = office.portal.rows(f"SELECT id FROM activations_outgoingmail WHERE to_address = '{address('spam')}'")
    page = office.browser.get(f"/admin/activations/outgoingmail/{pk}/change/")
    (form,) = [form for form in page.forms if form.fields.get("do") == "again"]
    assert page.send(form, unknown=address("spam")).status == 200
    office.wait(lambda: office.is_sent("spam"), "sending it again")


def nothing_is_lost_or_doubled(parts: Parts) -> None:
    office = parts.office
    names = set(office.chariots)
    assert office.on_desk() == Counter(names)
    assert office.received() == Counter(names)
    states = Counter(state for name in names for state, _, _ in office.outgoing(name))
    assert states == Counter(sent=len(names), dropped=1), "the one that was refused for good was sent anew"
    assert office.portal.rows("SELECT count(*) FROM activations_usagelicense") == [(len(names),)]
    assert office.portal.rows("SELECT count(*) FROM activations_incomingmail") == [(len(names),)]
    assert office.portal.manage("verify_ledger", "--rebuild-check")["problems"] == []
    for message in office.smtp.messages:
        name = str(message["To"]).partition("@")[0]
        text = message.get_body(("plain",))
        assert text is not None
        assert office.answers_its_request(name, text.get_content())
