"""Claim numbers of all signed kinds, and the reader that checks a payload against them.

docs/protocol.md, "Claims", has the table. Numbers are shared, so that a number means the same everywhere.
"""

from collections.abc import Collection, Mapping
from typing import Any

from chariot_license.protocol.cose import Format
from chariot_license.protocol.errors import ProtocolError

# Registered by RFC 8392 and RFC 8747.
SUB, IAT, CTI, CNF = 2, 6, 7, 8
# Ours. The private range of RFC 8392 begins at -65537, five bytes a claim, for which a request has no room.
COUNTER, LOOKUP_ID, PROOF, PREVIOUS, FINGERPRINT, HOSTNAME, PRODUCT, VERSION = -1, -2, -3, -4, -5, -6, -7, -8
COMMITMENT, CONTAINER, VIRTUAL, TEST, ACTIVATION, REQUEST_ID, VERSIONS, FEATURES = range(-9, -17, -1)
TERMS_REVISION, SUPERSEDES, LEDGER_HEAD, CUSTOMER, REVOKED, HISTORY, DOCUMENT, PAGES = range(-17, -25, -1)

NAMES = {
    SUB: "sub",
    IAT: "iat",
    CTI: "cti",
    CNF: "cnf",
    COUNTER: "counter",
    LOOKUP_ID: "lookup id",
    PROOF: "proof",
    PREVIOUS: "previous",
    FINGERPRINT: "fingerprint",
    HOSTNAME: "hostname",
    PRODUCT: "product",
    VERSION: "version",
    COMMITMENT: "commitment",
    CONTAINER: "container",
    VIRTUAL: "virtual",
    TEST: "test",
    ACTIVATION: "activation",
    REQUEST_ID: "request id",
    VERSIONS: "versions",
    FEATURES: "features",
    TERMS_REVISION: "terms revision",
    SUPERSEDES: "supersedes",
    LEDGER_HEAD: "ledger head",
    CUSTOMER: "customer",
    REVOKED: "revoked",
    HISTORY: "history",
    DOCUMENT: "document",
    PAGES: "pages",
}

# Control characters, line separators and the marks that reorder text would let a name look like something else on a
# screen.
_REORDERING = {0x061C, 0x200E, 0x200F, 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}


class ClaimReader:
    """Takes typed claims out of a payload; every method raises the format's "<name>-claim-invalid".

    The constructor raises "<name>-claim-missing" and "<name>-claim-unknown".
    """

    def __init__(
        self, claims: Mapping[object, Any], form: Format, required: Collection[int], optional: Collection[int]
    ) -> None:
        self._claims = claims
        self._form = form
        known = {*required, *optional}
        if extra := [key for key in claims if type(key) is not int or key not in known]:
            names = [NAMES[key] if type(key) is int and key in NAMES else repr(key)[:40] for key in extra[:8]]
            raise form.problem(
                "claim-unknown",
                f"This {form.words} has fields that do not belong in it ({', '.join(names)})."
                " Update the software that reads it, or ask for a new one.",
                claims=names,
            )
        if missing := [NAMES[key] for key in required if key not in claims]:
            raise form.problem(
                "claim-missing",
                f"This {form.words} is incomplete ({', '.join(missing)} missing). Ask for a new one.",
                claims=missing,
            )

    def invalid(self, claim: int) -> ProtocolError:
        return self._form.problem(
            "claim-invalid",
            f"The field '{NAMES[claim]}' of this {self._form.words} has no possible value. Ask for a new one.",
            claim=NAMES[claim],
        )

    def has(self, claim: int) -> bool:
        return claim in self._claims

    def raw(self, claim: int) -> Any:
        return self._claims[claim]

    def integer(self, claim: int, highest: int) -> int:
        value = self._claims[claim]
        if not is_integer(value, highest):
            raise self.invalid(claim)
        return int(value)

    def data(self, claim: int, size: int) -> bytes:
        value = self._claims[claim]
        if not isinstance(value, bytes) or len(value) != size:
            raise self.invalid(claim)
        return value

    def optional_data(self, claim: int, size: int) -> bytes | None:
        return self.data(claim, size) if self.has(claim) else None

    def text(self, claim: int, longest: int, shortest: int = 0) -> str:
        """Printable ASCII, `longest` and `shortest` in bytes."""
        value = self._claims[claim]
        if not is_plain(value, longest, shortest):
            raise self.invalid(claim)
        return str(value)

    def any_text(self, claim: int, longest: int) -> str:
        """Unicode without control characters, line separators and bidi marks, at most `longest` bytes of UTF-8."""
        value = self._claims[claim]
        if not isinstance(value, str) or len(value.encode()) > longest:
            raise self.invalid(claim)
        if any(ord(c) < 32 or 127 <= ord(c) < 160 or ord(c) in _REORDERING for c in value):
            raise self.invalid(claim)
        return value

    def items(self, claim: int, most: int) -> list[Any]:
        value = self._claims[claim]
        if not isinstance(value, list) or len(value) > most:
            raise self.invalid(claim)
        return value

    def flag(self, claim: int) -> bool:
        """True if present, and then it must be `true`: one value has one encoding."""
        if not self.has(claim):
            return False
        if self._claims[claim] is not True:
            raise self.invalid(claim)
        return True


def is_integer(value: object, highest: int) -> bool:
    # bool is an int in Python; in CBOR true is not 1.
    return type(value) is int and 0 <= value <= highest


def is_plain(value: object, longest: int, shortest: int = 0) -> bool:
    """Say whether this is text of printable ASCII within the given number of bytes."""
    return isinstance(value, str) and shortest <= len(value) <= longest and all(" " <= c <= "~" for c in value)
