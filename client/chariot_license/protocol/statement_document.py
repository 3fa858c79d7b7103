"""The document inside a license statement, checked for its form and against what its signature says.

It is canonical JSON (RFC 8785) when the portal writes it; a reader takes the text as it is, since the signature covers
its bytes. Times are UTC, ISO 8601 with microseconds and a Z; hashes are hex.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from chariot_license.protocol.errors import StatementError

if TYPE_CHECKING:
    from chariot_license.protocol.statement import StatementClaims

VERSION = "chariot-statement-1"
_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_HASH = re.compile(r"[0-9a-f]{64}")
_MOST_NUMBER = 2**53 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Time:
    """The form of a time."""


class _Hash:
    """The form of a SHA-256."""


_SHAPE: dict[str, Any] = {
    "statement": str,
    "license_id": str,
    "customer": str,
    "product": str,
    "status": str,
    "as_of": _Time,
    "made_at": _Time,
    "terms": {
        "revision": int,
        "features": [{"code": str, "expires": (str, None)}],
        "versions": [str],
    },
    "seats": {"allowed": int, "active": int, "lost": int, "free": int},
    "activations": [
        {
            "activation_id": str,
            "host": str,
            "state": str,
            "seat": (int, None),
            "version": str,
            "since": _Time,
            "usage_license_id": (str, None),
        }
    ],
    "history": [{"seq": int, "at": _Time, "what": str, "activation_id": (str, None), "detail": str}],
    "ledger": {"origin": str, "length": int, "head": _Hash, "entry_hashes": [_Hash], "checkpoint": (str, None)},
}


def read_document(text: str, claims: "StatementClaims") -> dict[str, Any]:
    """Return the document, which says what `claims` say. Raises StatementError "statement-document-malformed" or
    "statement-document-unknown".
    """
    try:
        document = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise _malformed("it is not JSON") from error
    if isinstance(document, dict) and document.get("statement", VERSION) != VERSION:
        raise StatementError(
            "statement-document-unknown",
            f"This statement is of a kind that this software does not read ({str(document['statement'])[:40]}). Update"
            " the software, or ask Support what it says.",
        )
    if not _fits(document, _SHAPE) or len(document["terms"]["versions"]) != 2:
        raise _malformed("it does not have the parts that a statement has")
    ledger, numbers = document["ledger"], [entry["seq"] for entry in document["history"]]
    agrees = (
        document["license_id"] == claims.license_id
        and seconds(document["as_of"]) == claims.as_of
        and seconds(document["made_at"]) == claims.made_at
        and ledger["length"] == claims.length == len(ledger["entry_hashes"])
        and ledger["head"] == claims.head.hex() == ledger["entry_hashes"][-1]
        and numbers == sorted(set(numbers))
        and all(1 <= number <= claims.length for number in numbers)
    )
    if not agrees:
        raise _malformed("its parts contradict each other")
    return dict(document)


def seconds(at: str) -> int:
    """Return a time of the document in Unix seconds, rounded down."""
    return (datetime.fromisoformat(at) - _EPOCH) // timedelta(seconds=1)


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For `json.loads`: an object whose names occur once, since readers differ about which of two counts."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _fits(value: object, shape: Any) -> bool:
    if isinstance(shape, dict):
        return (
            isinstance(value, dict)
            and set(value) == set(shape)
            and all(_fits(value[name], part) for name, part in shape.items())
        )
    if isinstance(shape, list):
        return isinstance(value, list) and all(_fits(item, shape[0]) for item in value)
    if isinstance(shape, tuple):
        return value is None or _fits(value, shape[0])
    if shape is _Hash:
        return isinstance(value, str) and _HASH.fullmatch(value) is not None
    if shape is _Time:
        return isinstance(value, str) and _AT.fullmatch(value) is not None and _exists(value)
    if shape is int:
        return type(value) is int and 0 <= value <= _MOST_NUMBER
    return type(value) is shape


def _exists(at: str) -> bool:
    try:
        datetime.fromisoformat(at)
    except ValueError:
        return False
    return True


def _malformed(why: str) -> StatementError:
    return StatementError(
        "statement-document-malformed",
        f"The document in this statement cannot be read: {why}. Ask Support for a new one.",
    )
