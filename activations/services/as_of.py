"""The past, from the ledger alone: a license, a customer's licenses or all of them as they were at any moment.

What is returned is the fold of the entries up to that moment (Design 5), so nothing here depends on a table that
somebody could have changed since. Reading books nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby

import rfc8785
from django.db.models import QuerySet

from activations.domain.estate import COUNTED, Estate, LicenseLine, line_of
from activations.domain.fold import LicenseState, fold
from activations.domain.ledger import Entry, Kind, read_body
from activations.domain.words import Ability, Actor
from activations.models import LedgerEntry
from activations.services.booking import iso
from activations.services.results import BadInput, Refused, lacking, public_id
from activations.services.snapshot import snapshot

CHUNK = 2000
PAGE = 50  # licenses that are folded for one page


@dataclass(frozen=True)
class LicenseThen:
    """One license at a moment: its line, its whole state, and the entries that led there, oldest first."""

    at: datetime
    line: LicenseLine
    state: LicenseState
    entries: list[Entry]

    def as_json(self) -> dict[str, object]:
        return {
            "at": iso(self.at),
            **line_json(self.line),
            "seats": self.state.seats,
            "activations": [
                {"activation_id": name, **row, "state": str(row["state"])}
                for name, row in sorted(self.state.activations.items())
            ],
            "restorations": [{"restoration_id": name, **row} for name, row in sorted(self.state.restorations.items())],
            "entries": [
                {"seq": entry.seq, "at": entry.at, "actor": entry.actor, "kind": entry.kind, "reason": entry.reason}
                for entry in self.entries
            ],
        }


@dataclass(frozen=True)
class LicensesThen:
    """Licenses at a moment: all that there were, or those of one customer. `lines` is the page that was asked for;
    `pages` counts from 1. `estate` counts all of them.
    """

    at: datetime
    customer: str
    estate: Estate
    lines: list[LicenseLine]
    page: int
    pages: int

    def as_json(self) -> dict[str, object]:
        return {
            "at": iso(self.at),
            "customer": self.customer or None,
            **estate_json(self.estate),
            "page": self.page,
            "pages": self.pages,
            "license_lines": [line_json(line) for line in self.lines],
        }


def line_json(line: LicenseLine) -> dict[str, object]:
    return {**asdict(line), "free": line.free}


def estate_json(estate: Estate) -> dict[str, object]:
    return {
        "licenses": estate.licenses,
        "suspended": len(estate.suspended),
        "revoked": len(estate.revoked),
        "allowed": estate.allowed,
        "active": estate.active,
        "lost": len(estate.lost),
        "free": estate.free,
    }


def license_as_of(*, license_id: str, at: datetime, actor: Actor) -> LicenseThen | Refused | BadInput:
    """The license as the entries up to `at` (inclusive) tell it."""
    refused = lacking(actor, [Ability.READ_LEDGER])
    if refused:
        return refused
    named = public_id("LIC", license_id)
    if isinstance(named, BadInput):
        return named
    bodies = list(_until(at).filter(chain=named).order_by("seq").values_list("body", flat=True))
    if not bodies:
        return _not_there_yet(named, at)
    try:
        entries = [read_body(body) for body in bodies]
        state = fold(entries)
    except ValueError as error:
        return _unreadable(named, error)
    return LicenseThen(at, line_of(named, state), state, entries)


def licenses_as_of(
    *, at: datetime, actor: Actor, customer: str = "", page: int = 1
) -> LicensesThen | Refused | BadInput:
    """All licenses that there were at `at`, or those that `customer` (the whole name) held then, `PAGE` to a page."""
    refused = lacking(actor, [Ability.READ_LEDGER])
    if refused:
        return refused
    with snapshot():
        try:
            return _of_customer(customer.strip(), at, page) if customer.strip() else _of_all(at, page)
        except ValueError as error:
            return _unreadable("The ledger", error)


def _of_all(at: datetime, page: int) -> LicensesThen | BadInput:
    created = _until(at).filter(kind=Kind.LICENSE_CREATED).order_by("chain").values_list("chain", flat=True)
    estate = estate_as_of(at)
    pages = _pages(estate.licenses)
    if not 1 <= page <= pages:
        return _no_such_page(page, pages)
    names = list(created[(page - 1) * PAGE : page * PAGE])
    states = _states(names, at)
    return LicensesThen(at, "", estate, [line_of(name, states[name]) for name in names], page, pages)


def estate_as_of(at: datetime) -> Estate:
    """Every license counted. Reads only the entries that change a count, and of creations only how many there were."""
    estate = Estate()
    entries = _until(at).filter(kind__in=COUNTED)
    estate.occupied = entries.filter(kind=Kind.ACTIVATION_CREATED).count()
    rest = entries.exclude(kind=Kind.ACTIVATION_CREATED).order_by("id")
    for chain, kind, body in rest.values_list("chain", "kind", "body").iterator(CHUNK):
        _take(estate, chain, kind, body)
    return estate


def _take(estate: Estate, chain: str, kind: str, body: str) -> None:
    """Counts an entry. Raises ValueError for one that is damaged, in whatever way."""
    try:
        estate.take(chain, kind, json.loads(body)["data"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError(f"an entry of {chain} ({kind}) does not say what its kind must say") from None


def _of_customer(customer: str, at: datetime, page: int) -> LicensesThen | BadInput:
    states = _states(_ever_of(customer), at)
    lines = [line_of(name, state) for name, state in sorted(states.items()) if state.license["customer"] == customer]
    if not lines:
        return BadInput(
            "customer-unknown",
            f"No license of a customer called {customer!r} existed at {iso(at)}. Write the name as the license page "
            "shows it, or choose a later time.",
        )
    pages = _pages(len(lines))
    if not 1 <= page <= pages:
        return _no_such_page(page, pages)
    held = {line.license_id for line in lines}
    estate = Estate()
    entries = _until(at).filter(kind__in=COUNTED, chain__in=held).order_by("chain", "seq")
    for chain, kind, body in entries.values_list("chain", "kind", "body").iterator(CHUNK):
        _take(estate, chain, kind, body)
    return LicensesThen(at, customer, estate, lines[(page - 1) * PAGE : page * PAGE], page, pages)


def _ever_of(customer: str) -> Sequence[str]:
    """The licenses that were ever the customer's: made for it, or transferred to it."""
    name = rfc8785.dumps(customer).decode()  # as the canonical body writes it
    kinds = (Kind.LICENSE_CREATED, Kind.LICENSE_TRANSFERRED)
    found = LedgerEntry.objects.filter(kind__in=kinds, body__contains=f'"customer":{name}')
    return list(found.order_by("chain").values_list("chain", flat=True).distinct())


def _states(names: Sequence[str], at: datetime) -> dict[str, LicenseState]:
    """The fold of each chain up to then; a chain that began later is left out. Raises ValueError for one that is
    damaged.
    """
    found: dict[str, LicenseState] = {}
    for start in range(0, len(names), CHUNK):
        entries = _until(at).filter(chain__in=names[start : start + CHUNK]).order_by("chain", "seq")
        rows = entries.values_list("chain", "body").iterator(CHUNK)
        for chain, group in groupby(rows, key=lambda row: row[0]):
            found[chain] = fold(_entries(group))
    return found


def _entries(rows: Iterable[tuple[str, str]]) -> Iterable[Entry]:
    return (read_body(body) for _, body in rows)


def _until(at: datetime) -> QuerySet[LedgerEntry]:
    return LedgerEntry.objects.filter(at__lte=at)


def _pages(rows: int) -> int:
    return max(1, -(-rows // PAGE))


def _no_such_page(page: int, pages: int) -> BadInput:
    return BadInput("page-unknown", f"There is no page {page}; the last one is {pages}.")


def _not_there_yet(name: str, at: datetime) -> BadInput:
    first = LedgerEntry.objects.filter(chain=name).order_by("seq").first()
    if first is None:
        return BadInput("license-unknown", f"The ledger has no entry of {name}.")
    return BadInput("license-not-yet", f"{name} was created at {iso(first.at)}; at {iso(at)} it did not exist.")


def _unreadable(what: str, error: ValueError) -> Refused:
    return Refused(
        "ledger-unreadable",
        f"{what} cannot be read back: {error}. Somebody changed the ledger. Run `manage.py verify_ledger`, which names "
        "every entry that does not hold, and tell an auditor.",
    )
