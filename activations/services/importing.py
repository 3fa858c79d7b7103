"""Customers and licenses from a table: a dry run of every row, then all of them in one transaction, or none.

django-import-export walks the rows, reads the cells by the widgets of their columns and collects what is wrong by row
and column. What is written goes through our services, so that every license has its entries in the ledger.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from tablib import Dataset  # type: ignore[import-untyped]

from activations.domain.ledger import Kind
from activations.domain.words import Ability, Actor
from activations.models import LedgerEntry
from activations.services.booking import portal_book
from activations.services.import_rows import ALLOWED, CUSTOMER, ROW, CustomerRows, LicenseRows, PlannedRow
from activations.services.results import BadInput, Refused, lacking
from activations.services.secret_text import without_secrets
from activations.services.table_files import Problem, Row, Table

MOST_SEATS = 20_000  # of one import: each is a row of its own, and everybody waits for their booking meanwhile

CUSTOMERS, LICENSES = "customers", "licenses"
_ROWS: dict[str, type[CustomerRows] | type[LicenseRows]] = {CUSTOMERS: CustomerRows, LICENSES: LicenseRows}


@dataclass(frozen=True)
class RowPlan:
    """What a row would do, or what is wrong with it. The cells of a row that is wrong hold no secret."""

    number: int
    cells: tuple[str, ...]
    does: str
    warnings: tuple[str, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class ImportPlan:
    """A dry run. `digest` names exactly this: confirming names it, and what differs by then is shown again."""

    columns: tuple[str, ...]
    rows: tuple[RowPlan, ...]
    sha256: str
    problem: str = ""  # with the file as a whole
    notes: tuple[str, ...] = ()

    @property
    def wrong(self) -> tuple[RowPlan, ...]:
        return tuple(row for row in self.rows if row.problems)

    @property
    def doing(self) -> int:
        return sum(bool(row.does) for row in self.rows)

    @property
    def may_be_booked(self) -> bool:
        return not self.problem and not self.wrong and self.doing > 0

    @property
    def digest(self) -> str:
        shown = [self.sha256, self.problem, [[row.number, row.cells, row.does, row.warnings] for row in self.rows]]
        return hashlib.sha256(json.dumps(shown).encode()).hexdigest()


@dataclass(frozen=True)
class ImportedLicense:
    license_id: str
    customer: str
    allowed: int
    license_key: str = field(repr=False)


@dataclass(frozen=True)
class Imported:
    rows: int
    licenses: tuple[ImportedLicense, ...] = ()


def columns_of(what: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns that a file may have, and those it must have."""
    rows = _ROWS[what]
    return rows.columns(), rows.required


def plan_import(*, what: str, table: Table, actor: Actor) -> ImportPlan | Refused:
    """What the table would do; nothing is written and nothing is held up."""
    refused = lacking(actor, [Ability.CREATE_LICENSE])
    return refused or _run(what, table, actor, "", dry_run=True)[0]


def import_table(
    *, what: str, table: Table, expect: str, actor: Actor, source: str
) -> Imported | ImportPlan | Refused | BadInput:
    """Books every row, or none. `expect` is the digest of the dry run that was confirmed; if the table would do
    something else by now, the answer is the new dry run and nothing is booked.
    """
    refused = lacking(actor, [Ability.CREATE_LICENSE])
    if refused:
        return refused
    # The portal chain's lock, which the book takes, lets one of two confirmations of the same file look first.
    with transaction.atomic(), portal_book(actor=actor, source=source) as book:
        plan, rows = _run(what, table, actor, f"{source}:import:{table.sha256[:16]}", dry_run=False)
        if plan.digest != expect or not plan.may_be_booked:
            transaction.set_rollback(True)
            return plan
        data = {"list": what, "sha256": table.sha256, "rows": len(plan.rows)}
        book.add(Kind.LIST_IMPORTED, data)
    licenses = [(row.values, row.made) for row in rows if row.made]
    return Imported(
        len(plan.rows),
        tuple(
            ImportedLicense(made.license_id, values[CUSTOMER], values[ALLOWED], made.license_key)
            for values, made in licenses
        ),
    )


def _run(what: str, table: Table, actor: Actor, source: str, *, dry_run: bool) -> tuple[ImportPlan, list[PlannedRow]]:
    problem = _problem(what, table)
    names = [*table.columns, ROW]
    cells = Dataset(*([*(row.cells[name] for name in table.columns), row.number] for row in table.rows), headers=names)
    rows = _ROWS[what](table, actor=actor, source=source, writes=not dry_run and not problem and not table.problems)
    # The transaction is the caller's, so the library needs none: its savepoints would double the queries of a row.
    result = rows.import_data(cells, use_transactions=False)
    for error in [*result.base_errors, *(error for row in result.rows for error in row.errors)]:
        raise error.error  # the library collects those, too; a database that is gone is no mistake in row 7
    plans = tuple(_plan(row, found, table) for row, found in zip(table.rows, result.rows, strict=True))
    plan = ImportPlan(table.columns, plans, table.sha256, problem, table.notes)
    return plan, [found.instance for found in result.rows if found.instance is not None]


def _plan(row: Any, found: Any, table: Table) -> RowPlan:
    """What the library says of a row, and what was unreadable in its cells before."""
    unread = [problem for problem in table.problems if problem.row == row.number]
    problems = list(unread)
    if found.validation_error is not None:
        for column, messages in found.validation_error.message_dict.items():
            known = "" if column == "__all__" else column
            # A cell that could not be read is empty here: that it is missing would be said for nothing.
            if known not in [problem.column for problem in unread] and not (unread and not known):
                problems += [Problem(row.number, known, message) for message in messages]
    draft = found.instance
    does = draft.does if draft is not None and not problems else ""
    warnings = tuple(draft.warnings) if draft is not None else ()
    cells = tuple(row.cells[name] for name in table.columns)
    if problems:
        # No row that holds a License Key or a deactivation code is right, and one that is wrong is only looked at.
        cells = tuple(map(without_secrets, cells))
    return RowPlan(row.number, cells, does, warnings, tuple(problems))


def _problem(what: str, table: Table) -> str:
    """What stands against the whole file."""
    if what != LICENSES:
        return ""
    before = imported_before(table.sha256)
    if before:
        return (
            f"This very file was imported on {before.at:%Y-%m-%d %H:%M} UTC by {before.actor}; importing it again "
            "would make every license twice. If that is what is wanted, import a file with only the further licenses."
        )
    seats = sum(int(text) for row in table.rows if (text := row.cells.get("allowed", "")).isdecimal() and len(text) < 9)
    if seats > MOST_SEATS:
        return (
            f"The rows allow {seats:,} activations together, and one import makes at most {MOST_SEATS:,}. Split the "
            "file; if a number is a slip of the pen, correct it."
        )
    return ""


def imported_before(sha256: str) -> LedgerEntry | None:
    """The entry of an earlier import of this very file."""
    entries = LedgerEntry.objects.filter(kind=Kind.LIST_IMPORTED, body__contains=f'"{sha256}"')
    return entries.order_by("seq").first()


def table_of(columns: Sequence[str], rows: Sequence[tuple[int, Sequence[str]]], sha256: str) -> Table:
    """A table that was read before, for its confirmation."""
    kept = tuple(Row(number, dict(zip(columns, cells, strict=True))) for number, cells in rows)
    return Table(tuple(columns), kept, sha256)
