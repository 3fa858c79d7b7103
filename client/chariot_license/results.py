"""What the embedding API answers. A refusal by a rule is a value with a code and a reason, never an exception."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Refused:
    """A rule says no. `code` is stable and kebab-case; `message` says why and what to do."""

    code: str
    message: str
    detail: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class RequestMade:
    """A new Usage Request, which is the only valid one from now on. `block` is what the customer mails."""

    block: str
    data: bytes
    request_id: bytes
    counter: int
    made_at: int
    replaces: int | None  # when the request was made that this one invalidates
    test_state: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Installed:
    """A Usage License is in force. `again`: it was installed before, and nothing changed."""

    usage_license_id: str
    license_id: str
    activation_id: str
    again: bool
    host_words: str
    test_state: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Deactivated:
    """The license is destroyed here. `code` frees the activation together with the License ID.

    `license_id` is None if no Usage License was ever installed. `other_license_ids` are further licenses
    that this Chariot held at the same time; the code frees their activations too.
    """

    code: str = field(repr=False)
    license_id: str | None
    other_license_ids: tuple[str, ...]
    deactivated_at: int
    again: bool
    test_state: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class StatementChecked:
    """A license statement that is genuine, and how it stands to the Usage License installed here.

    `document` is what it says (docs/protocol.md); `made_at` in Unix seconds; `serial` names the signing key. `in_pdf`:
    the pages of the PDF are as signed, too. `agrees` is None where nothing could be compared; `comparison` says it in
    words.
    """

    document: dict[str, Any]
    made_at: int
    serial: str
    in_pdf: bool
    agrees: bool | None
    comparison: str
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class FeatureStatus:
    """A licensed feature; `expires` in Unix seconds and `days_left` in whole days, None if it never expires."""

    code: str
    expires: int | None
    days_left: int | None
    active: bool


@dataclass(frozen=True)
class HostMatch:
    """Whether this host is the one the license was issued for, and how it compares, in words."""

    matched: bool
    words: str


@dataclass(frozen=True)
class Status:
    """What the License page shows.

    `state` is one of STATES; `message` says it in a sentence. `license_id` is the last one known in this tenure;
    the other license fields are None, and `features` empty, unless a Usage License is installed and verifies.
    `test_switch`: made with a test switch of the command line, so it does not say what Chariot itself may do.
    """

    state: str
    message: str
    license_id: str | None = None
    activation_id: str | None = None
    usage_license_id: str | None = None
    customer: str | None = None
    product: str | None = None
    versions: tuple[str, str] | None = None
    terms_revision: int | None = None
    issued_at: int | None = None
    features: tuple[FeatureStatus, ...] = ()
    host_match: HostMatch | None = None
    pending_since: int | None = None
    deactivated_at: int | None = None
    test_state: bool = False
    test_switch: bool = False
    clock_warning: str | None = None
    warnings: tuple[str, ...] = ()

    def allows(self, feature: str) -> bool:
        """Say whether Chariot may run this feature now."""
        return self.state == "active" and any(f.active for f in self.features if f.code == feature)


STATES = (
    "unlicensed",
    "request-pending",
    "active",
    "expired",
    "host-mismatch",
    "version-not-covered",
    "invalid",
    "deactivated",
)
