"""One HTTPS request to a receiver, to an address that was checked, within a time that is bounded as a whole."""

from __future__ import annotations

import contextlib
import email.utils
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse

from django.conf import settings

from activations.services.secret_text import without_secrets
from activations.services.webhooks.addresses import Address, NotReachable, Target, addresses_of

PATIENCE = 20.0  # seconds for all of it, from the first packet on; the resolver has 5 of its own
CONNECTING = 8.0  # for each address
TRIED_ADDRESSES = 3
MOST_ANSWER = 1024  # bytes of an answer that are read and kept
AGENT = "chariot-licensing-portal-webhooks"
_RETRY_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class Outcome:
    """What came of a request: a status with the beginning of the answer, or a problem."""

    status: int | None = None
    answer: str = ""
    problem: str = ""
    retry_after: float | None = None
    address: str = ""
    milliseconds: int = 0

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def post(target: Target, body: bytes, headers: Mapping[str, str]) -> Outcome:
    """Never raises: whatever a receiver does is an outcome. Follows no redirect and asks no proxy."""
    begun, reached = time.monotonic(), ""
    status, answer, problem, retry_after = None, "", "", None
    try:
        found = addresses_of(target)
        with _watched(PATIENCE) as watch:
            connection = _connected(target, found, watch)
            reached = connection.reached
            try:
                connection.request("POST", target.path, body=body, headers={**headers, "User-Agent": AGENT})
                response = connection.getresponse()
                status, retry_after = response.status, _retry_after(response.getheader("Retry-After", ""))
                answer = _said(_beginning(response))
            finally:
                connection.close()
    except NotReachable as error:
        problem = str(error)
    except ssl.SSLCertVerificationError as error:
        problem = f"Its certificate does not hold: {error.verify_message}. Nothing was sent."
    except (OSError, HTTPException, ValueError) as error:
        # Once the status is there, the receiver has the event, however its answer ends.
        problem = "" if status is not None else _why(error, time.monotonic() - begun)
    took = int((time.monotonic() - begun) * 1000)
    return Outcome(status, answer, problem[:1000], retry_after, reached, took)


class _Watch:
    """Cuts the connection when the time is over: a receiver that sends a byte a second is no faster than none."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._lock, self.over = threading.Lock(), False

    def over_this(self, sock: socket.socket) -> None:
        with self._lock:
            self._socket = sock
        if self.over:
            self.cut()

    def cut(self) -> None:
        with self._lock:
            self.over = True
            if self._socket is not None:
                # Not the method of an SSLSocket, which would drop its encryption under the thread that reads.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


@contextlib.contextmanager
def _watched(seconds: float) -> Iterator[_Watch]:
    watch = _Watch()
    timer = threading.Timer(seconds, watch.cut)
    timer.daemon = True
    timer.start()
    try:
        yield watch
    finally:
        timer.cancel()
    if watch.over:
        raise TimeoutError


class _Pinned(HTTPConnection):
    """A connection to this very address; the name is for the certificate, for SNI and for the Host header."""

    def __init__(self, target: Target, address: Address, watch: _Watch) -> None:
        super().__init__(target.host, target.port, timeout=CONNECTING)
        self.default_port = 443 if target.scheme == "https" else 80  # what Host leaves out
        self.reached = str(address)
        self._target, self._watch = target, watch

    def connect(self) -> None:
        sock = socket.create_connection((self.reached, self._target.port), timeout=CONNECTING)
        self._watch.over_this(sock)
        sock.settimeout(PATIENCE)
        if self._target.scheme == "https":
            try:
                wrapped = _tls().wrap_socket(sock, server_hostname=self._target.host, do_handshake_on_connect=False)
                self._watch.over_this(wrapped)
                sock = wrapped
                wrapped.do_handshake()
            except BaseException:
                sock.close()
                raise
        self.sock = sock


def _connected(target: Target, found: list[Address], watch: _Watch) -> _Pinned:
    for number, address in enumerate(found[:TRIED_ADDRESSES], 1):
        connection = _Pinned(target, address, watch)
        try:
            connection.connect()
        except ssl.SSLError:
            raise
        except OSError:
            connection.close()
            if number == len(found[:TRIED_ADDRESSES]) or watch.over:
                raise
        else:
            return connection
    raise NotReachable(f"The name {target.host} leads to no address.")


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    if settings.WEBHOOK_CA_FILE:
        context.load_verify_locations(settings.WEBHOOK_CA_FILE)
    return context


def _beginning(response: HTTPResponse) -> bytes:
    """The first KB; the rest stays where it is. What breaks off behind the status is the end of it."""
    body = b""
    with contextlib.suppress(OSError, HTTPException, ValueError):
        while len(body) < MOST_ANSWER and (part := response.read1(MOST_ANSWER - len(body))):
            body += part
    return body[:MOST_ANSWER]


def _said(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    return without_secrets("".join(letter if letter.isprintable() or letter in "\n\t" else " " for letter in text))


def _why(error: Exception, took: float) -> str:
    if isinstance(error, TimeoutError) or took >= PATIENCE:
        return f"It did not answer within {PATIENCE:.0f} seconds."
    if isinstance(error, ssl.SSLError):
        return f"No secure connection came about: {error.reason or 'TLS failed'}."
    if isinstance(error, OSError):
        return f"It cannot be reached: {error.strerror or type(error).__name__}."
    return f"Its answer is no HTTP: {type(error).__name__}."


def _retry_after(given: str) -> float | None:
    """Seconds, as a number or as a date (RFC 9110, 10.2.3)."""
    if _RETRY_SECONDS.fullmatch(given.strip()):
        return float(given)
    try:
        at = email.utils.parsedate_to_datetime(given)
    except (TypeError, ValueError, OverflowError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
