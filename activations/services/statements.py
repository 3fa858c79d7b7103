"""The statement of a license for its customer: its history up to a moment, signed, as JSON and as PDF.

Making one books it; fetching one that was made gives the same document again and books nothing. It is told from the
ledger alone (see `as_of`), and only after the chain was checked: what is signed here is what the customer holds against
us later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import rfc8785
from chariot_license.protocol.statement import StatementClaims, signature_size, with_pages, write_file
from chariot_license.protocol.statement_document import VERSION, seconds
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from activations.domain.estate import line_of
from activations.domain.fold import LicenseState, fold
from activations.domain.ledger import GENESIS, Entry, Kind, read_body
from activations.domain.words import Ability, Actor
from activations.models import KeyPurpose, LedgerChain, LedgerCheckpoint, LedgerEntry, License
from activations.services.booking import Book, iso, lock_license
from activations.services.results import BadInput, Refused, lacking, public_id
from activations.services.signing import Signer, signer
from activations.services.statement_pdf import render
from activations.services.statement_words import history_rows

FORMATS = {"json": "application/json", "pdf": "application/pdf"}
MOST_ENTRIES = 5_000  # pages that a person may still want to open, and a PDF that a request may still wait for


@dataclass(frozen=True)
class StatementMade:
    """A statement that was booked. `number` is that of its entry; it covers the `length` entries up to `as_of`.

    `sha256` is that of its document, which the statement itself shows.
    """

    license_id: str
    number: int
    as_of: datetime
    made_at: datetime
    length: int
    sha256: str


@dataclass(frozen=True)
class StatementFile:
    name: str
    media_type: str
    content: bytes


def make_statement(
    *, license_id: str, actor: Actor, source: str, at: datetime | None = None
) -> StatementMade | Refused | BadInput:
    """Books a statement as of `at` (inclusive), or as of now. Raises NoSigningKey or VaultError: nothing is booked."""
    refused = lacking(actor, [Ability.MAKE_STATEMENT])
    if refused:
        return refused
    named = public_id("LIC", license_id)
    if isinstance(named, BadInput):
        return named
    found = License.objects.filter(license_id=named).values_list("pk", flat=True).first()
    if found is None:
        return BadInput("license-unknown", f"There is no license {named}.")
    with transaction.atomic():
        # Under the license's lock, so that no entry dated before the statement can come after it.
        lock_license(found)
        with Book(chain=named, actor=actor, source=source) as book:
            as_of = at or book.now
            length = LedgerEntry.objects.filter(chain=named, at__lte=as_of).count()
            problem = _unfit(named, as_of, book.now, length)
            if problem:
                return problem
            key = signer(KeyPurpose.USAGE_LICENSE, book.now)
            checkpoint = LedgerCheckpoint.objects.first()
            text = _document(named, as_of, book.now, length, checkpoint)
            if isinstance(text, Refused):
                return text
            number = LedgerChain.objects.get(name=named).length + 1
            made = StatementMade(named, number, as_of, book.now, length, _sha256(text))
            book.add(
                Kind.STATEMENT_MADE,
                {
                    "as_of": iso(as_of),
                    "length": length,
                    "sha256": made.sha256,
                    "checkpoint": checkpoint.size if checkpoint else None,
                    "signing_serial": key.serial,
                },
            )
    return made


def statement_file(*, license_id: str, number: int, format: str, actor: Actor) -> StatementFile | Refused | BadInput:
    """A statement that was made, by the number of its entry, as a file. Books nothing.

    Refused when it cannot be the same any more: its key was replaced, or the words were. Raises NoSigningKey and
    VaultError.
    """
    refused = lacking(actor, [Ability.MAKE_STATEMENT])
    if refused:
        return refused
    if format not in FORMATS:
        return BadInput("format-unknown", f"There is no format {format}. Formats: {', '.join(FORMATS)}.")
    row = statement_row(license_id, number)
    if isinstance(row, BadInput):
        return row
    try:
        booked = read_body(row.body).data
        as_of = datetime.fromisoformat(booked["as_of"])
        checkpoint = LedgerCheckpoint.objects.filter(size=booked["checkpoint"] or 0).first()
        length, wanted, serial = booked["length"], booked["sha256"], booked["signing_serial"]
    except (ValueError, KeyError) as error:
        return _unreadable(row.chain, error)
    text = _document(row.chain, as_of, row.at, length, checkpoint)
    if isinstance(text, Refused):
        return text
    if _sha256(text) != wanted:
        return Refused(
            "statement-differs",
            "This statement cannot be written again as it was: the portal words it otherwise since an update. Make a "
            "new one.",
        )
    key = signer(KeyPurpose.USAGE_LICENSE, timezone.now())
    if key.serial != serial:
        return Refused(
            "statement-key-replaced",
            "This statement was signed with a key that was replaced since, so it cannot be signed again. Make a new "
            "one; what was sent to the customer stays valid.",
        )
    content = _signed(text, key)[format]
    name = f"statement-{row.chain}-{as_of.astimezone(UTC):%Y-%m-%d}.{format}"
    return StatementFile(name, FORMATS[format], content)


def end_of(day: date) -> datetime | None:
    """ "As of" a day means its end, in UTC; of today, whose end has not come, it means now (None)."""
    return None if day == timezone.now().astimezone(UTC).date() else datetime.combine(day, time.max, UTC)


def statement_row(license_id: str, number: int) -> LedgerEntry | BadInput:
    """The entry of a statement that was made."""
    named = public_id("LIC", license_id)
    if isinstance(named, BadInput):
        return named
    row = LedgerEntry.objects.filter(chain=named, seq=number, kind=Kind.STATEMENT_MADE).first()
    return row or BadInput("statement-unknown", f"Entry {number} of {named} is no statement. Make one.")


def _unfit(named: str, as_of: datetime, now: datetime, length: int) -> Refused | BadInput | None:
    if as_of > now:
        return BadInput("time-ahead", f"{iso(as_of)} has not come yet. Leave the time out for a statement as of now.")
    if not length:
        return BadInput("license-not-yet", f"At {iso(as_of)} {named} did not exist. Choose a later time.")
    if length > MOST_ENTRIES:
        too_many = LedgerEntry.objects.filter(chain=named).order_by("seq")[MOST_ENTRIES]  # times never decrease
        return Refused(
            "statement-too-long",
            f"The history of {named} has {length:,} entries by then; a statement takes {MOST_ENTRIES:,}. Make one as "
            f"of a time before {iso(too_many.at)}. For all of it ask an auditor, who has `manage.py export_ledger "
            f"--format jsonl --license {named}`, and send the customer that file with the verifier.",
        )
    return None


def _document(
    named: str, as_of: datetime, made_at: datetime, length: int, checkpoint: LedgerCheckpoint | None
) -> str | Refused:
    """The document, from the first `length` entries of the chain."""
    try:
        entries = [read_body(body) for body in _bodies(named, length)]
        _check_chain(named, entries, length)
        said = _said(named, entries, fold(entries))
    except (ValueError, KeyError) as error:
        return _unreadable(named, error)
    hashes = [entry.hash for entry in entries]
    said |= {
        "statement": VERSION,
        "as_of": iso(as_of),
        "made_at": iso(made_at),
        "ledger": {
            "origin": settings.LEDGER_ORIGIN,
            "length": length,
            "head": hashes[-1],
            "entry_hashes": hashes,
            "checkpoint": checkpoint.note if checkpoint else None,
        },
    }
    return rfc8785.dumps(said).decode()


def _bodies(named: str, length: int) -> Sequence[str]:
    rows = LedgerEntry.objects.filter(chain=named, seq__lte=length).order_by("seq")
    return list(rows.values_list("body", flat=True))


def _unreadable(named: str, error: Exception) -> Refused:
    return Refused(
        "ledger-unreadable",
        f"The history of {named} does not hold: {error}. No statement is made of it. Run `manage.py verify_ledger`, "
        "which names every entry that does not hold, and tell an auditor.",
    )


def _check_chain(named: str, entries: Sequence[Entry], length: int) -> None:
    if len(entries) != length:
        raise ValueError(f"it has {len(entries)} entries of {length}")
    prev = GENESIS
    for number, entry in enumerate(entries, 1):
        if (entry.chain, entry.seq, entry.prev) != (named, number, prev):
            raise ValueError(f"entry {number} does not follow the one before it")
        prev = entry.hash


def _said(named: str, entries: Sequence[Entry], state: LicenseState) -> dict[str, Any]:
    line = line_of(named, state)
    terms = state.terms[str(line.terms_revision)]
    rows = sorted(state.activations.items(), key=lambda row: (row[1]["created_at"], row[0]))
    return {
        "license_id": named,
        "customer": line.customer,
        "product": line.product,
        "status": line.status,
        "terms": {"revision": line.terms_revision, "features": terms["features"], "versions": terms["versions"]},
        "seats": {"allowed": line.allowed, "active": line.active, "lost": line.lost, "free": line.free},
        "activations": [
            {
                "activation_id": name,
                "host": row["hostname"],
                "state": str(row["state"]),
                "seat": row["seat"],
                "version": row["version"],
                "since": row["created_at"],
                "usage_license_id": row["usage_license_id"],
            }
            for name, row in rows
        ],
        "history": history_rows(entries, state),
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _signed(text: str, key: Signer) -> dict[str, bytes]:
    """Both files. The pages are made around a file of the right length, then signed, then the file is put in."""
    said = json.loads(text)
    claims = StatementClaims(
        license_id=said["license_id"],
        made_at=seconds(said["made_at"]),
        as_of=seconds(said["as_of"]),
        length=said["ledger"]["length"],
        head=bytes.fromhex(said["ledger"]["head"]),
        document=hashlib.sha256(text.encode()).digest(),
        pages=bytes(32),
    )
    unsigned = write_file(text, bytes(signature_size(claims, key.certificate)))
    pages = render(said, digest=claims.document.hex(), serial=key.serial, attached=unsigned)
    file = write_file(text, key.sign_statement(with_pages(claims, pages)))
    if len(file) != len(unsigned) or pages.count(unsigned) != 1:
        raise ValueError("the statement does not fit into its PDF")
    return {"json": file, "pdf": pages.replace(unsigned, file)}
