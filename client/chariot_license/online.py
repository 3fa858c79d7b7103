"""Asking a portal over the network for the Usage License that answers a Usage Request.

Only the block travels, never the License Key. Whatever the server says is taken for a stranger's: its size, its time
and its letters are bounded, it is not followed elsewhere, and a Usage License is verified when it is installed.
"""

import contextlib
import http.client
import json
import re
import socket
import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chariot_license.errors import InputError
from chariot_license.protocol.block import Kind
from chariot_license.protocol.errors import BlockError
from chariot_license.protocol.reader import read_block
from chariot_license.results import Refused

PATH = "/api/v1/online/usage-requests"
QUIET_SECONDS = 30  # without a byte from the server
TOTAL_SECONDS = 90  # for the whole answer: bytes that drip in keep nobody waiting for ever
MOST_BYTES = 1_000_000
MOST_WORDS = 2_000
LEAST_PAUSE, MOST_PAUSE = 5, 3600
OFFLINE = "Or take the offline way: `chariot-license request` makes a Usage Request that can be mailed to Support."
PATIENCE = "Run the same command again later, or add --wait MINUTES."
_HEADERS = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "chariot-license"}
_OWN_HOSTS = ("localhost", "127.0.0.1", "::1")
_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_NAME = re.compile(r"[A-Za-z0-9.-]+")


@dataclass(frozen=True)
class Given:
    """The Usage License, as a block that was read. `outcome` is "issued" or "re-sent"."""

    block: str
    outcome: str
    message: str
    usage_license_id: str
    activation_id: str
    license_id: str


@dataclass(frozen=True)
class Waits:
    """A person at Support has to decide; ask again in `retry_after` seconds."""

    code: str
    message: str
    license_id: str
    request_id: str
    retry_after: int


@dataclass(frozen=True)
class Unreachable:
    """The server could not be asked. `lasting`: asking again changes nothing until somebody changes something."""

    code: str
    message: str
    lasting: bool = False
    retry_after: int = LEAST_PAUSE


Asked = Given | Waits | Unreachable | Refused


@dataclass(frozen=True)
class Server:
    """Where to ask. Made by `named`."""

    scheme: str
    host: str
    port: int | None
    prefix: str
    context: ssl.SSLContext | None = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{f':{self.port}' if self.port else ''}{self.prefix}"

    @classmethod
    def named(cls, address: str, ca_file: Path | None = None) -> "Server":
        """The server of an address that somebody typed. Raises InputError "server-invalid", "ca-file-unusable"."""
        try:
            parts = urlsplit(address.strip())
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise _bad_address() from None
        if parts.scheme not in ("https", "http") or not (_NAME.fullmatch(host) or ":" in host):
            raise _bad_address()
        if parts.username is not None or parts.query or parts.fragment or not parts.path.isascii():
            raise _bad_address()
        if not re.fullmatch(r"[A-Za-z0-9._~/-]*", parts.path):
            raise _bad_address()
        if parts.scheme == "http" and host not in _OWN_HOSTS:
            raise InputError(
                "server-invalid",
                f"http://{host} would be asked without encryption. Give the address with https:// (http is for a test"
                " portal on this computer only).",
            )
        context = _trust(ca_file) if parts.scheme == "https" else None
        return cls(parts.scheme, host, port, parts.path.rstrip("/"), context)

    def ask(self, block: str) -> Asked:
        """Post a Usage Request once. Raises InputError if the server finds that it is none."""
        try:
            status, headers, body = self._post(json.dumps({"usage_request": block}).encode())
        except ssl.SSLCertVerificationError as error:
            return Unreachable(
                "server-not-trusted",
                f"{self.name} could not prove who it is ({_printable(error.verify_message)}), so nothing was sent."
                " Check the address and this host's clock; a certificate of your own company needs --ca-file FILE."
                f" {OFFLINE}",
                lasting=True,
            )
        except TimeoutError:
            return self._gone("it did not answer in time")
        except socket.gaierror:
            return self._gone("this name is not known here")
        except (OSError, http.client.HTTPException) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or "it hung up before it had answered"
            return self._gone(_printable(reason))
        return self._read(status, headers, body)

    def _post(self, body: bytes) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection: http.client.HTTPConnection
        if self.context is None:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=QUIET_SECONDS)
        else:
            connection = http.client.HTTPSConnection(self.host, self.port, timeout=QUIET_SECONDS, context=self.context)
        late = threading.Event()
        watch = threading.Timer(TOTAL_SECONDS, _cut, (connection, late))
        watch.daemon = True
        watch.start()
        try:
            connection.request("POST", f"{self.prefix}{PATH}", body, _HEADERS)
            response = connection.getresponse()
            found = response.read(MOST_BYTES + 1)
            if late.is_set() or (response.length and len(found) <= MOST_BYTES):
                raise http.client.IncompleteRead(found, response.length)
            return response.status, response.headers, found
        except (OSError, http.client.HTTPException):
            if late.is_set():
                raise TimeoutError from None
            raise
        finally:
            watch.cancel()
            connection.close()

    def _read(self, status: int, headers: http.client.HTTPMessage, body: bytes) -> Asked:
        if 300 <= status < 400:
            where = _printable(headers.get("Location") or "another address")
            return self._odd(f"it leads to {where}, which is not followed. Give the right address with --server")
        said = _object(body)
        pause = _seconds(headers.get("Retry-After"))
        if status == 429:
            return Unreachable(
                "too-many-requests",
                f"{self.name} was asked too often from this network. Wait {pause} seconds, then run this again.",
                retry_after=pause,
            )
        if status >= 500:
            return self._gone(f"it cannot answer at the moment (status {status})", pause)
        if said is None:
            return self._odd(f"what answers there is no licensing portal (status {status}). Check the address")
        if status == 200:
            return self._given(said)
        code, message = _code(said.get("code")), _words(said.get("message") or said.get("detail"))
        if status == 202:
            license_id, request_id = _words(said.get("license_id")), _words(said.get("request_id"))
            pause = _seconds(said.get("retry_after"))
            return Waits(code, message or "It waits at Support.", license_id, request_id, pause)
        if not message:
            return self._odd(f"what answers there is no licensing portal (status {status}). Check the address")
        if status == 409:
            named_id = said.get("license_id")
            return Refused(code, message, {"license_id": _words(named_id)} if named_id else {})
        if status in (400, 413, 422):
            raise InputError(code, message)
        return self._odd(f"it answers with status {status}: {message}")

    def _given(self, said: dict[str, Any]) -> Asked:
        """The block as it is read here, so that nothing else of the answer reaches a terminal or a file."""
        try:
            block = read_block(str(said.get("usage_license")), Kind.LICENSE).text
        except BlockError:
            return self._odd("its answer holds no whole Usage License. Try again")
        outcome = "re-sent" if said.get("outcome") == "re-sent" else "issued"
        names = ("message", "usage_license_id", "activation_id", "license_id")
        return Given(block, outcome, *(_words(said.get(name)) for name in names))

    def _gone(self, why: str, pause: int = LEAST_PAUSE) -> Unreachable:
        return Unreachable(
            "server-unreachable",
            f"{self.name} could not be asked: {why}. Check the address and this host's network, then run this again."
            f" {OFFLINE}",
            retry_after=pause,
        )

    def _odd(self, why: str) -> Unreachable:
        return Unreachable("server-unexpected", f"{self.name}: {why}. {OFFLINE}", lasting=True)


def _bad_address() -> InputError:
    return InputError(
        "server-invalid",
        "The address of the server cannot be used. Give it as Support wrote it: https://licensing.example.com",
    )


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            "ca-file-unusable", f"{ca_file} holds no certificates that can be used: {reason}. Check the file."
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _cut(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    late.set()
    if connection.sock is not None:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def _object(body: bytes) -> dict[str, Any] | None:
    if len(body) > MOST_BYTES:
        return None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _seconds(told: object) -> int:
    text = str(told)
    seconds = int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else LEAST_PAUSE
    return min(max(seconds, LEAST_PAUSE), MOST_PAUSE)


def _code(told: object) -> str:
    return told if isinstance(told, str) and len(told) <= 60 and _CODE.fullmatch(told) else "refused"


def _words(told: object) -> str:
    return _printable(told) if isinstance(told, str) else ""


def _printable(text: str) -> str:
    """Words that a terminal shows as they are: a server must not be able to move its cursor."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text[:MOST_WORDS]).split())
