"""The API under gunicorn with four workers on PostgreSQL: what holds in one process holds through HTTP, too."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.ops.processes import answer, free_port, started, until
from tests.system.portal import Portal
from tests.system.requests import from_new_hosts
from tests.system.test_last_seats import assert_sound, sold

WORKERS, THREADS = 4, 16
TOKEN = """
from tests.api.calling import all_scopes, made_token
print(made_token(*all_scopes(), rate=6000).token)
"""
COUNTED = """
import json
from activations.models import ApiCall, LedgerEntry, License
kinds = list(LedgerEntry.objects.filter(chain__startswith="LIC").order_by("chain", "seq").values_list("actor", "kind"))
print(json.dumps({"licenses": License.objects.count(), "kinds": kinds, "calls": ApiCall.objects.count()}))
"""
ACTOR = "token:purchase-system"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


@dataclass(frozen=True)
class Served:
    """A portal behind four workers, and a token that may do all that a token can."""

    portal: Portal
    port: int
    token: str
    process: int

    def post(self, path: str, sent: dict[str, Any], key: str) -> Reply:
        return self.send("POST", path, sent, {"Authorization": f"Bearer {self.token}", "Idempotency-Key": key})

    def ask_online(self, text: str) -> Reply:
        """As a connected Chariot, which has no token."""
        return self.send("POST", "/online/usage-requests", {"usage_request": text}, {})

    def send(self, method: str, path: str, sent: dict[str, Any], headers: dict[str, str]) -> Reply:
        headers = {**headers, "Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, f"/api/v1{path}", json.dumps(sent), headers)
            reply = connection.getresponse()
            return Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def until_answered(self, path: str, sent: dict[str, Any], key: str) -> Reply:
        """As a careful client: the same call under the same key, until somebody answers."""
        for _ in range(200):
            with contextlib.suppress(OSError, http.client.HTTPException):
                reply = self.post(path, sent, key)
                if reply.status < 500:
                    return reply
            time.sleep(0.1)
        raise AssertionError(f"nobody answered {key}")

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process}/task/{self.process}/children").read_text()
        return [int(each) for each in children.split()]


@pytest.fixture
def api(postgres_portal: Portal, tmp_path: Path) -> Iterator[Served]:
    port, log = free_port(), tmp_path / "gunicorn.log"
    token = postgres_portal.python(TOKEN).strip()
    command = [sys.executable, "-m", "gunicorn", "licensing_portal.wsgi", "--bind", f"127.0.0.1:{port}"]
    with started([*command, "--workers", str(WORKERS)], postgres_portal.env, log) as process:
        until(lambda: (answer(f"http://127.0.0.1:{port}/healthz") or (0, ""))[0] == 200, "an answer", log)
        yield Served(postgres_portal, port, token, process.pid)


def at_once(calls: Sequence[Callable[[], Reply]]) -> list[Reply]:
    """All in the same moment, as far as there are threads; the answers in the order of the calls."""
    start = threading.Barrier(min(len(calls), THREADS))

    def run(number: int) -> Reply:
        if number < start.parties:
            start.wait(60)
        return calls[number]()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(len(calls))))


def test_the_last_seats_are_sold_once(api: Served) -> None:
    seats, hosts = 10, 32
    [key] = api.portal.sell(allowed=seats)
    texts = from_new_hosts(key, hosts)

    calls = [
        partial(api.post, "/usage-requests", {"text": text}, f"request-{number:04}")
        for number, text in enumerate(texts)
    ]
    replies = at_once(calls)

    codes = Counter((reply.status, reply.json["code"]) for reply in replies)
    assert codes == {(200, "activated"): seats, (409, "no-seat"): hosts - seats}
    assert sold(api.portal) == {"active": seats, "seats": seats, "answers": seats}
    assert_sound(api.portal)


def test_the_same_request_under_many_keys_is_one_activation(api: Served) -> None:
    [key] = api.portal.sell(allowed=3)
    [text] = from_new_hosts(key, 1)

    replies = at_once([partial(api.post, "/usage-requests", {"text": text}, f"attempt-{n:04}") for n in range(60)])

    assert Counter(reply.json["code"] for reply in replies) == {"activated": 1, "re-sent": 59}
    assert len({reply.json["usage_license"] for reply in replies}) == 1
    kinds = json.loads(api.portal.python(COUNTED))["kinds"]
    assert kinds == [
        ["manager", "license.created"],
        [ACTOR, "request.received"],
        [ACTOR, "activation.created"],
        [ACTOR, "usage_license.issued"],
        *[[ACTOR, "usage_license.resent"]] * 59,
    ]


def test_the_same_key_many_times_at_once_is_one_booking(api: Served) -> None:
    [key] = api.portal.sell(allowed=3)
    [text] = from_new_hosts(key, 1)

    replies = at_once([partial(api.post, "/usage-requests", {"text": text}, "one-and-the-same")] * 60)

    assert {(reply.status, reply.body) for reply in replies} == {(200, replies[0].body)}
    assert Counter(reply.headers.get("idempotency-replayed") for reply in replies) == {None: 1, "true": 59}
    counted = json.loads(api.portal.python(COUNTED))
    assert [kind for _, kind in counted["kinds"]] == [
        "license.created",
        "request.received",
        "activation.created",
        "usage_license.issued",
    ]
    assert counted["calls"] == 1


def test_one_of_many_changes_made_from_the_same_reading_is_booked(api: Served) -> None:
    purchase = {"customer": "Acme Water", "allowed": 1, "features": [{"code": "mqtt-server"}]}
    bought = api.post("/licenses", purchase, "order-0001")
    path, tag = bought.headers["location"].removeprefix("/api/v1"), bought.headers["etag"]

    def change(number: int) -> Reply:
        headers = {"Authorization": f"Bearer {api.token}", "Idempotency-Key": f"change-{number:04}", "If-Match": tag}
        return api.send("PATCH", path, {"allowed": 2 + number, "reason": f"Order {number}"}, headers)

    replies = at_once([partial(change, number) for number in range(16)])

    codes = Counter((reply.status, reply.json.get("code")) for reply in replies)
    assert codes == {(200, None): 1, (412, "changed-meanwhile"): 15}
    kinds = [kind for _, kind in json.loads(api.portal.python(COUNTED))["kinds"]]
    assert kinds == ["license.created", "license.allowed_changed"]


def test_the_last_seats_are_sold_once_at_the_open_door(api: Served) -> None:
    """Connected Chariots and a token at the same time, for the same seats."""
    seats, hosts = 5, 16
    make = "from tests.portal.cast import make_keys, make_license; make_keys()"
    key = api.portal.python(f"{make}\nprint(make_license(allowed={seats}, online=True).license_key)").strip()
    texts = from_new_hosts(key, hosts)
    calls = [
        partial(api.ask_online, text)
        if number % 2
        else partial(api.post, "/usage-requests", {"text": text}, f"request-{number:04}")
        for number, text in enumerate(texts)
    ]

    replies = at_once(calls)

    codes = Counter((reply.status, reply.json["code"]) for reply in replies)
    assert codes == {(200, "activated"): seats, (409, "no-seat"): hosts - seats}
    assert sold(api.portal) == {"active": seats, "seats": seats, "answers": seats}
    assert_sound(api.portal)


def test_workers_killed_in_the_middle_lose_and_double_nothing(api: Served) -> None:
    """Purchases come in while workers are killed with kill -9; each client sends again under its key until it is
    answered. Each has bought exactly once, and has the License Key that the portal has.
    """
    purchases = 80
    purchase = {"customer": "Acme Water", "allowed": 1, "features": [{"code": "mqtt-server"}]}
    over, killed = threading.Event(), 0
    chance = random.Random(4711)

    def kill_now_and_then() -> None:
        nonlocal killed
        while not over.wait(chance.uniform(0.2, 0.6)):
            workers = api.workers()
            if workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(chance.choice(workers), signal.SIGKILL)
                    killed += 1

    killer = threading.Thread(target=kill_now_and_then)
    killer.start()
    try:
        replies = at_once(
            [partial(api.until_answered, "/licenses", purchase, f"order-{n:04}") for n in range(purchases)]
        )
    finally:
        over.set()
        killer.join()

    assert killed >= 3, "nobody was killed: the test shows nothing"
    assert {reply.status for reply in replies} == {201}
    assert len({reply.json["license"]["license_id"] for reply in replies}) == purchases
    assert len({reply.json["license_key"] for reply in replies}) == purchases
    counted = json.loads(api.portal.python(COUNTED))
    assert (counted["licenses"], counted["calls"]) == (purchases, purchases)
    assert counted["kinds"] == [[ACTOR, "license.created"]] * purchases
    assert_sound(api.portal)
