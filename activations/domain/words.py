"""The closed vocabularies of the portal: states, outcomes, choices, and what each role may do (Design 2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class LicenseStatus(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


class ActivationState(StrEnum):
    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    LOST = "lost"
    RESTORED = "restored"

    @property
    def occupies_seat(self) -> bool:
        """Lost activations keep their seat: the host may still run (Design 9.9)."""
        return self in (ActivationState.ACTIVE, ActivationState.LOST)


class RequestState(StrEnum):
    """What became of a Usage Request that proved possession of its License Key."""

    PENDING = "pending"  # a person must choose
    ANSWERED = "answered"
    REFUSED = "refused"  # by a rule; asking again may end differently
    DECLINED = "declined"  # by a person; final for this request


class RestorationState(StrEnum):
    REQUESTED = "requested"
    APPROVED = "approved"
    DENIED = "denied"
    CLOSED = "closed"  # the host was found again, or its deactivation code arrived


class TombstoneKind(StrEnum):
    RESTORED = "restored"  # the lost host of a restored activation
    DISPLACED = "displaced"  # an Instance replaced by a reinstallation on the same host
    REBOUND = "rebound"  # the hardware an Instance was moved away from


class Outcome(StrEnum):
    ISSUED = "issued"
    RESENT = "re-sent"
    REFUSED = "refused"
    PENDING = "pending"


class Action(StrEnum):
    """What issuing does to the activations of the license."""

    NEW = "new"
    UPDATE = "update"
    REBIND = "rebind"
    REINSTALL = "reinstall"
    FIND = "find"
    RESEND = "resend"


class Choice(StrEnum):
    """The answers a person can give to a pending decision (Design 9.10)."""

    REBIND = "rebind"
    REINSTALLED = "reinstalled"
    SECOND = "second"
    FOUND_AGAIN = "found-again"
    RESTORED_BACKUP = "restored-backup"
    ACCEPT_HOST = "accept-host"
    REFUSE = "refuse"


class ConversationState(StrEnum):
    """Whose turn it is in a conversation by mail."""

    OPEN = "open"  # ours
    WAITING = "waiting"  # the customer's
    DONE = "done"


class Priority(IntEnum):
    NORMAL = 0
    HIGH = 1
    URGENT = 2


class IncomingState(StrEnum):
    STORED = "stored"  # safe, and not read yet
    READ = "read"
    UNREADABLE = "unreadable"  # reading it ended badly more than once: a person opens it


class OutgoingState(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"  # the mail server took it
    FAILED = "failed"  # the mail server refused it for good, or not one attempt of many reached it
    BOUNCED = "bounced"  # taken, and returned later
    UNKNOWN = "unknown"  # the server may have taken it: a person decides, nothing is sent again by itself
    DROPPED = "dropped"  # a person decided not to send it


class JobState(StrEnum):
    """Of work that a person asked for and does not wait for."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


# What went wrong so that a person has to decide what becomes of the mail.
UNDECIDED = (OutgoingState.UNKNOWN, OutgoingState.FAILED, OutgoingState.BOUNCED)


class FindingKind(StrEnum):
    """What the desk can act on in a mail."""

    REQUEST = "usage-request"
    DAMAGED = "damaged-request"
    CODE = "deactivation-code"
    LICENSE_ID = "license-id"


class AutomaticOutcome(StrEnum):
    """What may be answered without a person where it was allowed: nothing that takes a seat or a decision."""

    RESENT = "re-sent"
    DAMAGED = "damaged"
    UPDATED = "updated"


class Ability(StrEnum):
    """What a role may do; stored as Django permissions of the same name."""

    ISSUE = "issue_usage_license"
    DEACTIVATE = "deactivate_activation"
    MARK_LOST = "mark_lost"
    REQUEST_RESTORATION = "request_restoration"
    DECIDE_RESTORATION = "decide_restoration"
    DECIDE_AS_LEAD = "decide_as_lead"
    CREATE_LICENSE = "create_license"
    CHANGE_LICENSE = "change_license_terms"
    SHOW_LICENSE_KEY = "show_license_key"
    EDIT_REPLIES = "edit_replies"
    MAKE_STATEMENT = "make_statement"
    READ_LEDGER = "read_ledger"
    READ_STAFF_TRAIL = "read_staff_trail"
    CHECKPOINT_LEDGER = "checkpoint_ledger"
    MANAGE_KEYS = "manage_signing_keys"
    MANAGE_STAFF = "manage_staff"


_AGENT = frozenset(
    {Ability.ISSUE, Ability.DEACTIVATE, Ability.MARK_LOST, Ability.REQUEST_RESTORATION, Ability.MAKE_STATEMENT}
)

ROLES: dict[str, frozenset[Ability]] = {
    "support-agent": _AGENT,
    "support-lead": _AGENT | {Ability.DECIDE_AS_LEAD, Ability.DECIDE_RESTORATION, Ability.READ_LEDGER},
    "license-manager": frozenset(
        {
            Ability.CREATE_LICENSE,
            Ability.CHANGE_LICENSE,
            Ability.SHOW_LICENSE_KEY,
            Ability.EDIT_REPLIES,
            Ability.MAKE_STATEMENT,
            Ability.READ_LEDGER,
        }
    ),
    "auditor": frozenset({Ability.READ_LEDGER, Ability.READ_STAFF_TRAIL}),
    "administrator": frozenset(
        {
            Ability.MANAGE_KEYS,
            Ability.MANAGE_STAFF,
            Ability.CHECKPOINT_LEDGER,
            Ability.READ_LEDGER,
            Ability.READ_STAFF_TRAIL,
        }
    ),
}


@dataclass(frozen=True)
class Actor:
    """Who does something: the name that goes into the ledger, and the abilities that were checked for it."""

    name: str
    abilities: frozenset[Ability] = frozenset()

    def may(self, ability: Ability) -> bool:
        return ability in self.abilities

    def lacks(self, abilities: Iterable[Ability]) -> tuple[Ability, ...]:
        return tuple(ability for ability in abilities if ability not in self.abilities)
