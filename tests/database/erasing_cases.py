"""What the rules of erasing and of the staff trail refuse. In the world of `factory` the second mail was erased."""

from __future__ import annotations

from collections.abc import Iterator

from tests.database.statements import Case, copy

_FIRST = "sha256 = 'first'"
_SECOND = "sha256 = 'second'"
NOT_BOOKED = "what is erased is booked in the portal's chain first"
MAILS = "mails as they came are never changed"


def erasing() -> Iterator[Case]:
    yield Case("erasure: of no entry", copy("erasure", "seq = 1", seq="7", of_row="of_row + 1"), NOT_BOOKED)
    yield Case("mail: erased, not booked", f"UPDATE activations_mailsource SET sealed = '' WHERE {_FIRST}", MAILS)
    for column, value in {"sealed": "'something'", "size": "1", "sha256": "'other'", "id": "id + 1000"}.items():
        yield Case(
            f"mail: erased, {column} changed",
            f"UPDATE activations_mailsource SET {column} = {value} WHERE {_SECOND}",
            MAILS,
        )
    for table, column, plural in (
        ("reply", "body", "replies"),
        ("conversationnote", "text", "notes on conversations"),
        ("intakeentry", "text", "entries of the intake log"),
    ):
        for value in ("[erased]", ""):
            yield Case(
                f"{table}: {column} becomes {value!r}, not booked",
                f"UPDATE activations_{table} SET {column} = '{value}'",
                f"{plural} are never changed",
            )
    mails = (
        "of mails of the outbox only state, attempts, next_attempt_at, claim, claimed_at, sent_at, problem, settled_by "
        "may change"
    )
    for column, value in {
        "to_address": "contact-AAAA@pseudonym.invalid",
        "subject": "[erased]",
        "body": "[erased]",
        "references": "[erased]",
        "in_reply_to": "[erased]",
    }.items():
        yield Case(
            f"outgoing mail: {column} erased, not booked",
            f"UPDATE activations_outgoingmail SET \"{column}\" = '{value}' WHERE \"key\" = 'first'",
            mails,
        )
    yield Case(
        "request: received erased, not booked",
        "UPDATE activations_usagerequest SET received = '[erased]' WHERE request_id = 'REQ-PENDING'",
        "of Usage Requests only state, code, refusal, epoch, in_line may change",
    )


def staff_trail() -> Iterator[Case]:
    message = "an event of the staff trail that names a ledger entry has its kind and actor"
    where = "kind = 'session.signed_in'"
    yield Case(
        "staff event: of an entry that is not there",
        copy("staffevent", where, chain="'portal'", seq="9"),
        message,
    )
    named = {"chain": "'LIC-B'", "seq": "1", "kind": "'license.created'"}
    yield Case("staff event: another actor", copy("staffevent", where, **named, actor="'lead'"), message)
    yield Case(
        "staff event: another kind", copy("staffevent", where, **{**named, "kind": "'license.revoked'"}), message
    )
