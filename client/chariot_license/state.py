"""What one Chariot keeps between runs, as values, and their form in state.json.

{"format": 1, "check": SHA-256 of the rest, "state": {...}}; bytes are hex, times Unix seconds. The check tells a
damaged file from a good one; it protects against no one.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

FORMAT = 1
Value = TypeVar("Value")


class DamagedState(ValueError):
    """The text is no state this version can read; str(error) says in words what is wrong with it."""


class NewerState(DamagedState):
    """The state was written by a newer version."""


@dataclass(frozen=True)
class Pending:
    """The Usage Request whose answer is awaited. `salt` is the fingerprint salt of its License Key."""

    request_id: bytes
    made_at: int
    salt: bytes = field(repr=False)


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
        """Return this state with the clock's high water at `now` or where it was."""
        return replace(self, high_water=max(self.high_water, now))


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
    if outer["format"] > FORMAT:
        raise NewerState(f"it has format {outer['format']}, and this version reads formats up to {FORMAT}")
    body = outer.get("state")
    if outer["format"] != FORMAT or not isinstance(body, dict) or set(outer) != {"format", "check", "state"}:
        raise DamagedState("it does not have the parts it should have")
    if outer["check"] != _check(body):
        raise DamagedState("its content was changed outside this program")
    return _Reader(body).state()


class _Reader:
    """Takes the fields of one JSON object out, each with its type, and nothing may be left over."""

    def __init__(self, body: Any) -> None:
        if not isinstance(body, dict):
            raise DamagedState("a part of it is no object")
        self.body = dict(body)

    def state(self) -> State:
        return self.done(
            State(
                private_key=self.optional("private_key", lambda value: _bytes(value, 32)),
                counter=self.take("counter", _number),
                pending=self.optional("pending", lambda value: _Reader(value).pending()),
                installed=self.optional("installed", lambda value: _Reader(value).installed()),
                tenure=self.optional("tenure", lambda value: _Reader(value).tenure()),
                high_water=self.take("high_water", _number),
                denied=self.take("denied", _texts),
                test=self.take("test", _flag),
                test_roots=self.take("test_roots", lambda value: tuple(_bytes(item) for item in _list(value))),
            )
        )

    def pending(self) -> Pending:
        return self.done(
            Pending(
                request_id=self.take("request_id", lambda value: _bytes(value, 16)),
                made_at=self.take("made_at", _number),
                salt=self.take("salt", lambda value: _bytes(value, 16)),
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
                license_ids=self.take("license_ids", _texts),
                revealed_at=self.optional("revealed_at", _number),
            )
        )

    def take(self, name: str, read: Callable[[Any], Value]) -> Value:
        if name not in self.body:
            raise DamagedState(f"{name} is missing")
        try:
            return read(self.body.pop(name))
        except DamagedState:
            raise
        except (TypeError, ValueError) as error:
            raise DamagedState(f"{name} is not what it should be") from error

    def optional(self, name: str, read: Callable[[Any], Value]) -> Value | None:
        if name in self.body and self.body[name] is None:
            del self.body[name]
            return None
        return self.take(name, read)

    def done(self, value: Value) -> Value:
        if self.body:
            raise DamagedState(f"it has unknown parts: {', '.join(sorted(self.body))}")
        return value


def _check(body: Any) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _bytes(value: Any, length: int | None = None) -> bytes:
    data = bytes.fromhex(_text(value))
    if not data or (length is not None and len(data) != length):
        raise ValueError("wrong length")
    return data


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError("not a whole number")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_text(item) for item in _list(value))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("not true or false")
    return value
