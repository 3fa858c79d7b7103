"""What an export needs of memory does not grow with its rows: each is written by a process of its own, on SQLite."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.ops.processes import environment, manage, python

FEW, MANY = 5_000, 50_000  # customers; of the ledger, whose entries take longer to make, two fifths of it
APART = 20  # MB, and the rows of the larger ones are far more
FILL = """
from django.db import transaction
from activations.domain.ledger import Kind
from activations.models import Customer, KeyPurpose, LedgerEntry, SigningKey
from activations.services.booking import portal_book
from tests.portal.cast import AUDITOR, make_keys
if not SigningKey.objects.exists():
    make_keys()
first = Customer.objects.count()
with transaction.atomic():
    Customer.objects.bulk_create([Customer(name=f"Customer {number}") for number in range(first, %(count)d)], 1000)
while (missing := %(entries)d - LedgerEntry.objects.count()) > 0:
    with transaction.atomic(), portal_book(actor=AUDITOR, source="test") as book:
        for number in range(min(missing, 1000)):
            said = {"list": "Licenses", "filter": {}, "format": "csv", "rows": number, "checkpoint": None}
            book.add(Kind.LIST_EXPORTED, said)
"""
EXPORT = """
import re
from pathlib import Path
from activations.admin import list_export
from activations.services.jobs import queue, running
from tests.portal.cast import AUDITOR
asked = {"page": "activations.%(page)s", "list": "A list", "query": "", "format": "%(format)s"}
job = queue.ask(list_export.KIND, asked, actor=AUDITOR)
state = running.run(job.pk)
job.refresh_from_db()
assert state == "done", job.problem
assert sum(map(len, queue.file_of(job))) == job.result["bytes"]
print(job.result["rows"], int(re.search("VmHWM:[^0-9]+([0-9]+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.fixture(scope="module")
def portals(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, str]]:
    """Two portals, one with few customers and ledger entries, one with ten times as many."""
    few, many = (tmp_path_factory.mktemp("memory") / "var" for _ in range(2))
    migrated = manage("migrate", "--verbosity", "0", env=environment(few))
    assert migrated.returncode == 0, migrated.stderr
    staff = manage("create_staff", "auditor", "--role", "auditor", env=environment(few))
    assert staff.returncode == 0, staff.stderr
    for var, count in ((few, FEW), (many, MANY)):
        if var is many:
            shutil.copytree(few, many)
        filled = python(FILL % {"count": count, "entries": count * 2 // 5}, environment(var))
        assert filled.returncode == 0, filled.stderr
    return {FEW: environment(few), MANY: environment(many)}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
@pytest.mark.parametrize(
    ("page", "format"), [("ledgerentry", "jsonl"), ("ledgerentry", "csv"), ("customer", "csv"), ("customer", "xlsx")]
)
def test_ten_times_the_rows_take_no_more_memory(portals: dict[int, dict[str, str]], page: str, format: str) -> None:
    peaks = {}
    for count, env in portals.items():
        done = python(EXPORT % {"page": page, "format": format}, env)
        assert done.returncode == 0, done.stderr
        rows, peaks[count] = map(int, done.stdout.split())
        assert rows == count if page == "customer" else rows > count // 3
    assert peaks[MANY] - peaks[FEW] < APART, peaks
