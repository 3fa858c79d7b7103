"""Every statement the database must refuse, and the message it must refuse it with.

Messages are written out in full rather than taken from `guards`: they are what an administrator at a prompt reads.
"""

from __future__ import annotations

from tests.database import erasing_cases, general_cases, table_cases
from tests.database.statements import Case


def all_cases(vendor: str) -> list[Case]:
    groups = (
        general_cases.never_emptied(),
        general_cases.never_replaced(),
        general_cases.never_changed(),
        table_cases.ledger(),
        table_cases.requests(),
        table_cases.seats_and_licenses(),
        table_cases.activations(),
        table_cases.end_states(),
        erasing_cases.erasing(),
        erasing_cases.staff_trail(),
    )
    return [case for group in groups for case in group if case.vendor in (None, vendor)]
