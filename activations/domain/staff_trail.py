"""What the staff trail records: what staff did around the bookings, for auditors. The ledger tells some of it, too."""

from __future__ import annotations

from enum import StrEnum

from activations.domain.ledger import Kind

UNKNOWN_ACCOUNT = "unknown account"  # people type passwords into the field for the name: only known names are kept
SEVERAL_ACCOUNTS = "several accounts"  # more than one minute keeps apart; no account can have either name


class StaffKind(StrEnum):
    """What no ledger entry tells. What one tells has the kind of that entry."""

    SIGNED_IN = "session.signed_in"
    SIGNED_OUT = "session.signed_out"
    SIGN_IN_FAILED = "session.failed"
    SIGN_INS_FAILED = "session.failed_more"
    ACCOUNT_MADE = "account.made"
    ACCOUNT_CHANGED = "account.changed"
    ACCOUNT_REMOVED = "account.removed"
    PASSWORD_SET = "account.password_set"  # noqa: S105 - the name of a kind
    ROLE_GIVEN = "account.role_given"
    ROLE_TAKEN = "account.role_taken"
    PERMISSION_GIVEN = "account.permission_given"
    PERMISSION_TAKEN = "account.permission_taken"
    ROLE_MAY = "role.permission_given"
    ROLE_MAY_NOT = "role.permission_taken"
    ROLE_REMOVED = "role.removed"
    CONTACTS_CHANGED = "contacts.changed"
    FILE_DOWNLOADED = "file.downloaded"
    KEYS_DOWNLOADED = "license.keys_downloaded"


TITLES: dict[StaffKind, str] = {
    StaffKind.SIGNED_IN: "Signed in",
    StaffKind.SIGNED_OUT: "Signed out",
    StaffKind.SIGN_IN_FAILED: "Sign-in failed",
    StaffKind.SIGN_INS_FAILED: "More sign-ins failed in that minute",
    StaffKind.ACCOUNT_MADE: "Account made past create_staff",
    StaffKind.ACCOUNT_CHANGED: "Account changed",
    StaffKind.ACCOUNT_REMOVED: "Account removed",
    StaffKind.PASSWORD_SET: "Password set",
    StaffKind.ROLE_GIVEN: "Role given",
    StaffKind.ROLE_TAKEN: "Role taken away",
    StaffKind.PERMISSION_GIVEN: "Permission given to one account",
    StaffKind.PERMISSION_TAKEN: "Permission taken from one account",
    StaffKind.ROLE_MAY: "Permission given to a role",
    StaffKind.ROLE_MAY_NOT: "Permission taken from a role",
    StaffKind.ROLE_REMOVED: "Role removed",
    StaffKind.CONTACTS_CHANGED: "Customer or contacts changed",
    StaffKind.FILE_DOWNLOADED: "File downloaded",
    StaffKind.KEYS_DOWNLOADED: "License Keys of an import downloaded",
}

# Entries of the ledger that have a row of the trail beside them, which names their chain and place.
BOOKED: frozenset[Kind] = frozenset(
    {
        Kind.STAFF_CREATED,
        Kind.STAFF_DISABLED,
        Kind.STAFF_ENABLED,
        Kind.TOKEN_CREATED,
        Kind.TOKEN_ROTATED,
        Kind.TOKEN_REVOKED,
        Kind.WEBHOOK_CREATED,
        Kind.WEBHOOK_CHANGED,
        Kind.WEBHOOK_SECRET_ROTATED,
        Kind.WEBHOOK_DISABLED,
        Kind.WEBHOOK_ENABLED,
        Kind.WEBHOOK_REMOVED,
        Kind.WEBHOOK_REPLAYED,
        Kind.LICENSE_KEY_SHOWN,
        Kind.LICENSE_KEY_REPLACED,
        Kind.STATEMENT_MADE,
        Kind.LEDGER_EXPORTED,
        Kind.LIST_EXPORTED,
        Kind.LIST_IMPORTED,
        Kind.REPLY_TEXT_CHANGED,
        Kind.AUTOMATIC_ANSWER_CHANGED,
        Kind.MAIL_TAKEN,
        Kind.MAILS_HELD,
        Kind.SIGNING_KEY_CREATED,
        Kind.SIGNING_KEY_RETIRED,
        Kind.CONTACT_PSEUDONYMISED,
    }
)
_SUBJECTS = ("username", "token", "webhook", "list", "kind", "outcome", "serial", "pseudonym")


def subject_of(chain: str, data: dict[str, object], portal: str) -> str:
    """Whom or what an entry of the ledger is about: the license, else what its particulars name first."""
    if chain != portal:
        return chain
    return next((str(data[name]) for name in _SUBJECTS if data.get(name)), "ledger")
