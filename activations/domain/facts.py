"""The facts a decision is made from, as values: read once under the license's row lock, then given to `decide`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import rfc8785
from chariot_license.protocol.fingerprint import Fingerprint

from activations.domain.words import ActivationState, LicenseStatus, RequestState, TombstoneKind


@dataclass(frozen=True)
class AnswerFacts:
    """The Usage License that answered this very request."""

    usage_license_id: str
    activation_id: str
    terms_revision: int


@dataclass(frozen=True)
class RequestFacts:
    """An authenticated Usage Request, and what was booked of it before. Identifiers and digests are hex."""

    request_id: str
    instance: str
    counter: int
    previous: str | None
    commitment: str
    fingerprint: Fingerprint
    container: str | None
    hostname: str
    product: str
    version: str
    test: bool
    state: RequestState | None = None  # None: never stored
    refusal: str = ""  # why a person declined it
    answer: AnswerFacts | None = None


@dataclass(frozen=True)
class LicenseFacts:
    license_id: str
    status: LicenseStatus
    wholly_expired: bool
    product: str
    versions: tuple[str, str]  # lowest and highest product version; "" is open
    terms_revision: int
    allowed: int


@dataclass(frozen=True)
class ActivationFacts:
    activation_id: str
    state: ActivationState
    instance: str
    fingerprint: Fingerprint
    commitment: str
    hostname: str
    container: str | None
    since: str  # YYYY-MM-DD
    terms_revision: int
    reinstalls_this_year: int = 0
    open_restoration: str | None = None


@dataclass(frozen=True)
class TombstoneFacts:
    tombstone_id: str
    kind: TombstoneKind
    activation_id: str
    instance: str
    fingerprint: Fingerprint
    restoration_id: str | None


@dataclass(frozen=True)
class SeenRequest:
    request_id: str
    counter: int
    at: str


@dataclass(frozen=True)
class InstanceFacts:
    """What was seen of this Instance before, over all licenses. An epoch ends when a lead accepts a backup.

    `issued` holds the 16-byte digests (hex) of every Usage License it was sent, oldest first; `acknowledged` is
    the newest of them that a request of this epoch named as installed, None when none was or the Instance was
    deactivated since.
    """

    latest: SeenRequest | None = None  # the highest counter of this epoch, this request left out
    known_id: bool = False  # this request was stored before, and was ahead of all others when it came
    before_backup: bool = False  # this request was stored in an earlier epoch
    issued: tuple[str, ...] = ()
    acknowledged: str | None = None
    revealed: frozenset[str] = frozenset()  # commitments whose secret arrived as a deactivation code
    active_elsewhere: tuple[str, ...] = ()  # other License IDs on which it holds an active activation


@dataclass(frozen=True)
class Facts:
    request: RequestFacts
    license: LicenseFacts
    instance: InstanceFacts
    activations: tuple[ActivationFacts, ...]  # every one of the license, oldest first
    tombstones: tuple[TombstoneFacts, ...]  # the unsettled ones of the license
    accept_test_requests: bool

    @property
    def occupied(self) -> int:
        return sum(activation.state.occupies_seat for activation in self.activations)

    @property
    def free(self) -> int:
        return self.license.allowed - self.occupied

    def in_state(self, *states: ActivationState) -> tuple[ActivationFacts, ...]:
        return tuple(a for a in self.activations if a.state in states)


def plain(value: Any) -> Any:
    """A value of this module as JSON types, so that it can be digested, stored and compared."""
    if isinstance(value, Fingerprint):
        return value.to_json()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, frozenset):
        return sorted(plain(item) for item in value)
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def digest(*values: Any) -> str:
    """SHA-256 (hex) over the canonical JSON (RFC 8785) of the values: names what a person was shown."""
    return hashlib.sha256(rfc8785.dumps(plain(list(values)))).hexdigest()
