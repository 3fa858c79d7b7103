"""What licenses came to at a moment: one license in a line, and all of them counted, from the ledger alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from activations.domain.fold import LicenseState
from activations.domain.ledger import Kind
from activations.domain.words import ActivationState, LicenseStatus

_STATUS = {
    Kind.LICENSE_SUSPENDED: LicenseStatus.SUSPENDED,
    Kind.LICENSE_REINSTATED: LicenseStatus.ACTIVE,
    Kind.LICENSE_REVOKED: LicenseStatus.REVOKED,
}
_FREED = (Kind.ACTIVATION_DEACTIVATED, Kind.ACTIVATION_RESTORED)
# The kinds that change a count; every other leaves the numbers of the estate as they are.
COUNTED: tuple[Kind, ...] = (
    Kind.LICENSE_CREATED,
    Kind.LICENSE_ALLOWED_CHANGED,
    *_STATUS,
    Kind.ACTIVATION_CREATED,
    Kind.ACTIVATION_LOST,
    Kind.ACTIVATION_FOUND,
    *_FREED,
)


@dataclass
class Estate:
    """Licenses, the seats they allow, and who occupies them. `suspended` and `revoked` name licenses, `lost`
    activations. Entries are taken in any order that keeps each chain's own.
    """

    licenses: int = 0
    allowed: int = 0
    occupied: int = 0
    suspended: set[str] = field(default_factory=set)
    revoked: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)

    @property
    def active(self) -> int:
        return self.occupied - len(self.lost)

    @property
    def free(self) -> int:
        return self.allowed - self.occupied

    def take(self, chain: str, kind: str, data: Mapping[str, Any]) -> None:
        """One entry, of any kind. Raises KeyError when it leaves out what its kind must say."""
        if kind == Kind.LICENSE_CREATED:
            self.licenses += 1
            self.allowed += data["allowed"]
        elif kind == Kind.LICENSE_ALLOWED_CHANGED:
            self.allowed += data["allowed"] - data["before"]
        elif kind in _STATUS:
            self._status(chain, _STATUS[Kind(kind)])
        elif kind == Kind.ACTIVATION_CREATED:
            self.occupied += 1
        elif kind == Kind.ACTIVATION_LOST:
            self.lost.add(data["activation_id"])
        elif kind == Kind.ACTIVATION_FOUND:
            self.lost.discard(data["activation_id"])
        elif kind in _FREED:
            self.occupied -= 1
            self.lost.discard(data["activation_id"])

    def _status(self, license_id: str, status: LicenseStatus) -> None:
        for names, meant in ((self.suspended, LicenseStatus.SUSPENDED), (self.revoked, LicenseStatus.REVOKED)):
            if status is meant:
                names.add(license_id)
            else:
                names.discard(license_id)


@dataclass(frozen=True)
class LicenseLine:
    """One license in a line. `features` are {"code", "expires"} as its terms say; seats are counts."""

    license_id: str
    customer: str
    product: str
    status: str
    terms_revision: int
    features: list[dict[str, Any]]
    allowed: int
    active: int
    lost: int

    @property
    def free(self) -> int:
        return self.allowed - self.active - self.lost


def line_of(license_id: str, state: LicenseState) -> LicenseLine:
    """The license as the fold of its chain has it."""
    states = [row["state"] for row in state.activations.values()]
    return LicenseLine(
        license_id=license_id,
        customer=state.license["customer"],
        product=state.license["product"],
        status=state.license["status"],
        terms_revision=state.license["terms_revision"],
        features=state.terms[str(state.license["terms_revision"])]["features"],
        allowed=state.license["allowed"],
        active=states.count(ActivationState.ACTIVE),
        lost=states.count(ActivationState.LOST),
    )
