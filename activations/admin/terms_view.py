"""Terms side by side: what a license granted and what it grants now, line by line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from activations.admin.words import version_words
from activations.models import LicenseTerms

ABSENT = "not included"
ALLOWED = "Allowed activations"
ONLINE = "Online activation"


@dataclass(frozen=True)
class TermRow:
    name: str
    before: str
    after: str

    @property
    def changed(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True)
class Terms:
    """What is compared. `features` as they are stored: {code, expires}; `allowed` and `online` None where they are no
    question.
    """

    features: Sequence[dict[str, Any]]
    versions: tuple[str, str]
    allowed: int | None = None
    online: bool | None = None

    @classmethod
    def of(cls, row: LicenseTerms, allowed: int | None = None, online: bool | None = None) -> Terms:
        return cls(row.features, (row.version_low, row.version_high), allowed, online)


def side_by_side(before: Terms, after: Terms) -> tuple[TermRow, ...]:
    """Every line of both, the changed ones too: allowed activations, each feature, the versions, online activation."""
    rows = []
    if before.allowed is not None and after.allowed is not None:
        rows.append(TermRow(ALLOWED, str(before.allowed), str(after.allowed)))
    was, now = _ends(before), _ends(after)
    rows += [TermRow(code, was.get(code, ABSENT), now.get(code, ABSENT)) for code in sorted({*was, *now})]
    rows.append(TermRow("Chariot versions", version_words(*before.versions), version_words(*after.versions)))
    if before.online is not None and after.online is not None:
        rows.append(TermRow(ONLINE, _may(before.online), _may(after.online)))
    return tuple(rows)


def _may(online: bool) -> str:
    return "allowed" if online else "off"


def _ends(terms: Terms) -> dict[str, str]:
    return {
        str(feature["code"]): f"until {feature['expires']}" if feature["expires"] else "does not expire"
        for feature in terms.features
    }
