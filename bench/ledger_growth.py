"""What an auditor waits for as the ledger grows: check, checkpoint, export, the list page, the past and the figures.

    DATABASE_URL=postgres://... .venv/bin/python -m bench.ledger_growth [ENTRIES ...]

For each size (10,000, 100,000 and 1,000,000 entries if none is named) a new database is filled with licenses of ten
entries each, in time order over two years, and each thing is done once; pages five times, the median counts. The export
is a process of its own, so that its largest memory can be told; so are the lists that a background job writes. Prints
one line a size, for docs/benchmarks.md.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import django
from django.core.management import call_command

SIZES = (10_000, 100_000, 1_000_000)
PER_LICENSE = 10
CHUNK = 5000
TIMES = 5
BEGAN = datetime(2024, 11, 1, 9, tzinfo=UTC)
LASTED = timedelta(days=730)


def main(sizes: list[int]) -> None:
    for size in sizes:
        # One process for each size: what a larger one left in memory would count for the next.
        subprocess.run([sys.executable, "-m", "bench.ledger_growth", "--one", str(size)], check=True)


def one(size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("DATABASE_URL", f"sqlite:///{folder}/portal.sqlite3")
        os.environ.update(PORTAL_VAR_DIR=folder, DJANGO_SETTINGS_MODULE="licensing_portal.settings")
        django.setup()
        from django.db import connection
        from django.test.utils import setup_databases, setup_test_environment, teardown_databases

        setup_test_environment()
        # A file that the exporting process can open, where a test database of SQLite would be in memory.
        old = setup_databases(verbosity=0, interactive=False) if connection.vendor == "postgresql" else []
        call_command("migrate", verbosity=0)
        try:
            found = measure(size, Path(folder))
            said = ", ".join(f"{name} {value}" for name, value in found.items())
            sys.stdout.write(f"{connection.vendor}, {size:,} entries: {said}\n")
            sys.stdout.flush()
        finally:
            teardown_databases(old, verbosity=0)


def measure(size: int, folder: Path) -> dict[str, str]:
    from activations.services.as_of import estate_as_of, license_as_of
    from activations.services.checkpoints import checkpoint_ledger
    from activations.services.ledger_checks import verify_ledger
    from tests.portal.cast import ADMINISTRATOR, AUDITOR, make_keys, make_license
    from tests.portal.web import signed_in

    make_keys()
    browser = signed_in("auditor")
    found = {"filled in": f"{_timed(lambda: fill(size)):.0f} s"}
    found["first checkpoint"] = f"{_timed(lambda: checkpoint_ledger(actor=ADMINISTRATOR)):.1f} s"
    make_license(customer="One more")
    found["one more checkpoint"] = f"{_timed(lambda: checkpoint_ledger(actor=ADMINISTRATOR)) * 1000:.0f} ms"
    ledger = "/admin/activations/ledgerentry/"
    for name, address in (
        ("list page", ledger),
        ("of a license", f"{ledger}?q={license_id(7)}"),
        ("of a kind", f"{ledger}?kind=activation.lost"),
        ("what stands out", "/admin/audit/standing-out/"),
        ("figures", "/admin/audit/figures/"),
        ("as of a day, all", "/admin/audit/as-of/?day=2025-11-01"),
    ):
        found[name] = f"{_median(lambda address=address: browser.get(address)) * 1000:.0f} ms"  # type: ignore[misc]
    middle = BEGAN + LASTED / 2
    then = license_id(7)
    found["one license then"] = (
        f"{_median(lambda: license_as_of(license_id=then, at=middle, actor=AUDITOR)) * 1000:.0f} ms"
    )
    found["estate then"] = f"{_median(lambda: estate_as_of(middle)) * 1000:.0f} ms"
    found["check"] = f"{_timed(verify_ledger):.0f} s"
    found.update(export(folder))
    return found


def export(folder: Path) -> dict[str, str]:
    """Processes of their own on the same (test) database; the verifier too."""
    from django.db import connection

    name = str(connection.settings_dict["NAME"])
    before = os.environ["DATABASE_URL"]
    url = f"sqlite:///{name}" if connection.vendor == "sqlite" else f"{before.rsplit('/', 1)[0]}/{name}"
    environment = {**os.environ, "DATABASE_URL": url}
    found = {}
    for format in ("jsonl", "csv"):
        out = folder / f"ledger.{format}"
        command = [sys.executable, "manage.py", "export_ledger", "--format", format, "--out", str(out)]
        seconds, most = _process(command, environment)
        found[f"export as {format}"] = f"{seconds:.0f} s, {out.stat().st_size / 1e6:.0f} MB, {most:.0f} MB of memory"
    for format in ("csv", "xlsx"):
        seconds, most = _process([sys.executable, "-m", "bench.ledger_growth", "--list", format], environment)
        found[f"list as {format}"] = f"{seconds:.0f} s, {most:.0f} MB of memory"
    seconds, most = _process(
        [sys.executable, "verifier/chariot_ledger_verify.py", str(folder / "ledger.jsonl")], dict(os.environ)
    )
    found["verifier"] = f"{seconds:.0f} s, {most:.0f} MB of memory"
    return found


def write_list(format: str) -> None:
    """The whole ledger's list as the job writes it that the auditor's page asks for."""
    django.setup()
    from activations.admin import list_export
    from activations.services.actors import actor_named
    from activations.services.jobs import queue
    from activations.services.jobs.running import run

    asked = {"page": "activations.ledgerentry", "list": "ledger", "query": "", "format": format}
    job = queue.ask(list_export.KIND, asked, actor=actor_named("auditor"))
    if run(job.pk) != "done":  # type: ignore[union-attr]
        sys.exit(f"the job was not done: {job}")


def _process(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds it took, and its largest memory in MB, as Linux tells it while the process runs (0 elsewhere)."""
    began, most = time.perf_counter(), 0.0
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        if status.exists() and (peak := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
            most = float(peak[1]) / 1000  # the peak of what runs now, not of the process it was made from
        time.sleep(0.02)
    if process.returncode not in (0, 3):  # 3: the verifier was given nothing that was kept before
        sys.stderr.write(f"{command[1]} ended with {process.returncode}\n")
    return time.perf_counter() - began, most


def license_id(number: int) -> str:
    from chariot_license.protocol.codes import format_public_id

    return format_public_id("LIC", number.to_bytes(10, "big"))


def fill(size: int) -> None:
    """Straight into the table, past the services: every rule of the database looks at every row all the same."""
    from django.db import transaction

    from activations.models import LedgerChain, LedgerEntry

    rows = stories(size)
    while part := list(islice(rows, CHUNK)):
        with transaction.atomic():
            LedgerEntry.objects.bulk_create(part)
            last = {row.chain: row for row in part}
            LedgerChain.objects.bulk_create(
                [LedgerChain(name=row.chain, length=row.seq, head=row.hash, latest_at=row.at) for row in last.values()],
                update_conflicts=True,
                unique_fields=["name"],
                update_fields=["length", "head", "latest_at"],
            )


def stories(size: int) -> Iterator[Any]:
    """Licenses in the order in which they are made; each has its ten entries one after the other."""
    from activations.domain.ledger import GENESIS, Entry
    from activations.models import LedgerEntry
    from activations.services.booking import iso

    licenses = size // PER_LICENSE
    for number in range(licenses):
        name, prev = license_id(number), GENESIS
        at = BEGAN + LASTED * number / licenses
        for seq, (kind, data) in enumerate(story(number), 1):
            entry = Entry(name, seq, iso(at), f"agent-{number % 20}", kind, "", "bench", data, prev)
            prev = entry.hash
            yield LedgerEntry(
                chain=name,
                seq=seq,
                at=at,
                actor=entry.actor,
                kind=kind,
                reason="",
                source="bench",
                prev=entry.prev,
                hash=prev,
                body=entry.body,
            )


def story(number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Created, asked, activated, answered, sent again five times; the host of every tenth license is lost."""
    request, instance, activation = f"{number:032x}", f"{number:064x}", f"ACT-{number}"
    features = [{"code": "mqtt-server", "expires": None}]
    terms = {"features": features, "versions": ["", ""], "terms_revision": 1}
    customer = f"Customer {number % 500}"
    yield (
        "license.created",
        {"customer": customer, "product": "chariot-mqtt-server", "allowed": 2, "seats": [1, 2], **terms},
    )
    host = {"instance": instance, "fingerprint": {}, "hostname": f"host-{number}"}
    asked = {"request_id": request, "counter": 1, "epoch": 0, "sha256": instance, "previous": "", "version": "2.4"}
    yield "request.received", {**asked, **host, "test": False}
    held = {"activation_id": activation, "request_id": request, "commitment": instance, "container": "", **host}
    yield "activation.created", {**held, "seat": 1}
    sent = {"usage_license_id": f"UL-{number}", "activation_id": activation, "request_id": request}
    signed = {"supersedes": "", "sha256": instance, "signing_serial": "1", "code": "activated", "terms_revision": 1}
    yield "usage_license.issued", {**sent, **signed}
    for _ in range(PER_LICENSE - 5):
        yield "usage_license.resent", sent
    yield ("activation.lost", {"activation_id": activation}) if number % 10 == 0 else ("usage_license.resent", sent)


def _timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _median(work: Callable[[], Any]) -> float:
    return statistics.median(_timed(work) for _ in range(TIMES))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(int(sys.argv[2]))
    elif sys.argv[1:2] == ["--list"]:
        write_list(sys.argv[2])
    else:
        main([int(each) for each in sys.argv[1:]] or list(SIZES))
