"""What one Chariot keeps between runs, as values, and their form in state.json.

{"format": 1, "check": SHA-256 of the rest, "state": {...}}; bytes are hex, times Unix seconds. The check tells a
damaged file from a good one; it protects against no one.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from cryptography import x509

from chariot_license.protocol.codes import parse_public_id
from chariot_license.protocol.errors import CodeError

FORMAT = 1
Value = TypeVar("Value")

_HIGHEST_FORMAT = 999_999
_LATEST_TIME = 2**53 - 1  # as in a Usage License
_LATEST_COUNTER = 2**32 - 1  # as in a Usage Request
_LONGEST_SERIAL = 40
_HEX = re.compile(r"(?:[0-9a-f]{2})+")


class DamagedState(ValueError):
    """The text is no state this version can read; str(error) says in words what is wrong with it."""


class NewerState(DamagedState):
    """The state was written by a newer version."""


@dataclass(frozen=True)
class Pending:
    """The Usage Request whose answer is awaited.

    `salt` is the fingerprint salt of its License Key; `latest_seen` the latest time the clock has shown since it
    was made, 0 until it is looked at again (see `chariot_license.clock`).
    """

    request_id: bytes
    made_at: int
    salt: bytes = field(repr=False)
    latest_seen: int = 0


@dataclass(frozen=True)
class InstalledLicense:
    """The signed bytes of the Usage License in force and the fingerprint salt of its License Key."""

    data: bytes
    salt: bytes = field(repr=False)
    installed_at: int


@dataclass(frozen=True)
class Tenure:
    """The time from the first request to the deactivation, all under one deactivation secret (Design 9.1).

    `license_ids` are those installed under it, the latest last; `revealed_at` is set by the deactivation, after
    which the code may be shown again but never be used for another request.
    """

    secret: bytes = field(repr=False)
    license_ids: tuple[str, ...] = ()
    revealed_at: int | None = None


@dataclass(frozen=True)
class State:
    """Everything one Chariot knows. The License Key is never part of it.

    `private_key` is the raw Ed25519 key of the Instance; `counter` that of its last Usage Request; `high_water`
    the latest time ever seen (Design 9.9); `denied` the hex serials of revoked signing certificates; `test` the
    mark that a test switch was once used, with the trust roots (DER) named then.
    """

    private_key: bytes | None = field(default=None, repr=False)
    counter: int = 0
    pending: Pending | None = None
    installed: InstalledLicense | None = None
    tenure: Tenure | None = None
    high_water: int = 0
    denied: tuple[str, ...] = ()
    test: bool = False
    test_roots: tuple[bytes, ...] = ()

    def seen_at(self, now: int) -> "State":
        """Return this state after the clock has shown `now`: no time kept here goes back."""
        pending = self.pending and replace(self.pending, latest_seen=max(self.pending.latest_seen, now))
        return replace(self, pending=pending, high_water=max(self.high_water, now))


def to_text(state: State) -> str:
    """Return the content of state.json."""
    body: dict[str, Any] = {
        "private_key": _hex(state.private_key),
        "counter": state.counter,
        "pending": None,
        "installed": None,
        "tenure": None,
        "high_water": state.high_water,
        "denied": list(state.denied),
        "test": state.test,
        "test_roots": [der.hex() for der in state.test_roots],
    }
    if pending := state.pending:
        body["pending"] = {
            "request_id": pending.request_id.hex(),
            "made_at": pending.made_at,
            "salt": pending.salt.hex(),
            "latest_seen": pending.latest_seen,
        }
    if installed := state.installed:
        body["installed"] = {
            "data": installed.data.hex(),
            "salt": installed.salt.hex(),
            "installed_at": installed.installed_at,
        }
    if tenure := state.tenure:
        body["tenure"] = {
            "secret": tenure.secret.hex(),
            "license_ids": list(tenure.license_ids),
            "revealed_at": tenure.revealed_at,
        }
    return json.dumps({"format": FORMAT, "check": _check(body), "state": body}, indent=1) + "\n"


def from_text(text: str) -> State:
    """Read the content of state.json. Raises NewerState, or DamagedState for whatever `to_text` cannot have made."""
    try:
        outer = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedState("it is cut off or no JSON") from error
    if not isinstance(outer, dict) or type(outer.get("format")) is not int:
        raise DamagedState("it has no format number")
    if FORMAT < outer["format"] <= _HIGHEST_FORMAT:
        raise NewerState(f"it has format {outer['format']}, and this version reads formats up to {FORMAT}")
    body = outer.get("state")
    if outer["format"] != FORMAT or not isinstance(body, dict) or set(outer) != {"format", "check", "state"}:
        raise DamagedState("it does not have the parts it should have")
    try:
        check = _check(body)
    except RecursionError as error:
        raise DamagedState("its parts lie too deep in each other") from error
    if outer["check"] != check:
        raise DamagedState("its content was changed outside this program")
    return _Reader(body).state()


class _Reader:
    """Takes the fields of one JSON object out, each checked, and nothing may be left over.

    Raises DamagedState that names the field: whatever passes here, the rest of the program can work with.
    """

    def __init__(self, body: Any, path: str = "") -> None:
        if not isinstance(body, dict):
            raise ValueError("is no object")  # noqa: TRY004 - one kind of error for every field
        self.body = dict(body)
        self.path = path

    def state(self) -> State:
        state = self.done(
            State(
                private_key=self.optional("private_key", lambda value: _bytes(value, 32)),
                counter=self.take("counter", lambda value: _number(value, _LATEST_COUNTER)),
                pending=self.optional("pending", lambda value: _Reader(value, "pending.").pending()),
                installed=self.optional("installed", lambda value: _Reader(value, "installed.").installed()),
                tenure=self.optional("tenure", lambda value: _Reader(value, "tenure.").tenure()),
                high_water=self.take("high_water", _number),
                denied=self.take("denied", lambda value: _each(value, _serial)),
                test=self.take("test", _flag),
                test_roots=self.take("test_roots", lambda value: _each(value, _certificate)),
            )
        )
        _check_parts(state)
        return state

    def pending(self) -> Pending:
        return self.done(
            Pending(
                request_id=self.take("request_id", lambda value: _bytes(value, 16)),
                made_at=self.take("made_at", _number),
                salt=self.take("salt", lambda value: _bytes(value, 16)),
                latest_seen=self.take("latest_seen", _number),
            )
        )

    def installed(self) -> InstalledLicense:
        return self.done(
            InstalledLicense(
                data=self.take("data", _bytes),
                salt=self.take("salt", lambda value: _bytes(value, 16)),
                installed_at=self.take("installed_at", _number),
            )
        )

    def tenure(self) -> Tenure:
        return self.done(
            Tenure(
                secret=self.take("secret", lambda value: _bytes(value, 16)),
                license_ids=self.take("license_ids", lambda value: _each(value, _license_id)),
                revealed_at=self.optional("revealed_at", _number),
            )
        )

    def take(self, name: str, read: Callable[[Any], Value]) -> Value:
        if name not in self.body:
            raise DamagedState(f"{self.path}{name} is missing")
        try:
            return read(self.body.pop(name))
        except DamagedState:
            raise
        except ValueError as error:
            raise DamagedState(f"{self.path}{name} {error}") from error

    def optional(self, name: str, read: Callable[[Any], Value]) -> Value | None:
        if name in self.body and self.body[name] is None:
            del self.body[name]
            return None
        return self.take(name, read)

    def done(self, value: Value) -> Value:
        if self.body:
            first = ascii(sorted(self.body)[0])[:60]
            raise DamagedState(f"it has a part that is not known: {self.path}{first}")
        return value


def _check_parts(state: State) -> None:
    """Refuse parts that no history can leave together; the rules rely on it."""
    running = state.tenure is not None and state.tenure.revealed_at is None
    for name, part in (("pending", state.pending), ("installed", state.installed)):
        if part is not None and not running:
            raise DamagedState(f"{name} is there without a running tenure")
    if state.tenure is not None and state.private_key is None:
        raise DamagedState("tenure is there without a private_key")
    if state.test_roots and not state.test:
        raise DamagedState("test_roots is there without the test mark")


def _check(body: Any) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _bytes(value: Any, length: int | None = None) -> bytes:
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise ValueError("is not in hexadecimal digits")
    data = bytes.fromhex(value)
    if length is not None and len(data) != length:
        raise ValueError(f"has {len(data)} bytes instead of {length}")
    return data


def _number(value: Any, highest: int = _LATEST_TIME) -> int:
    # bool is an int in Python, so true would pass for 1.
    if type(value) is not int or not 0 <= value <= highest:
        raise ValueError(f"is not a whole number from 0 to {highest}")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("is neither true nor false")  # noqa: TRY004 - one kind of error for every field
    return value


def _license_id(value: Any) -> str:
    canonical = None
    if isinstance(value, str):
        with contextlib.suppress(CodeError):
            canonical = parse_public_id("LIC", value)
    if canonical is None or canonical != value:
        raise ValueError("holds what is no License ID")
    return canonical


def _serial(value: Any) -> str:
    if not isinstance(value, str) or not _HEX.fullmatch(value) or len(value) > _LONGEST_SERIAL:
        raise ValueError("holds what is no serial number in hexadecimal digits")
    return value


def _certificate(value: Any) -> bytes:
    der = _bytes(value)
    try:
        certificate = x509.load_der_x509_certificate(der)
        # Parsed late: each of these can raise for a certificate that loaded.
        _ = (certificate.subject.public_bytes(), certificate.public_key())
    except Exception as error:
        raise ValueError("holds what is no certificate") from error
    return der


def _each(value: Any, read: Callable[[Any], Value]) -> tuple[Value, ...]:
    if not isinstance(value, list):
        raise ValueError("is no list")  # noqa: TRY004 - one kind of error for every field
    return tuple(read(item) for item in value)
