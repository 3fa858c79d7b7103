"""Lists as CSV and XLSX: as filtered, without secrets and formulas, bounded, and booked."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook  # type: ignore[import-untyped]

from activations.admin import list_export
from activations.domain.scopes import Scope
from activations.models import (
    Activation,
    Contact,
    Customer,
    Job,
    KeyPurpose,
    LedgerChain,
    LedgerCheckpoint,
    LedgerEntry,
    LedgerLeaf,
    License,
    SigningKey,
    UsageLicense,
    UsageRequest,
)
from activations.services import list_files
from activations.services.checkpoints import CheckpointMade, checkpoint_ledger
from activations.services.intake import keep_refused
from activations.services.jobs import queue, running
from activations.services.licenses import LicenseCreated
from activations.services.results import BadInput
from activations.tasks import run_jobs_job
from tests.api.calling import made_token
from tests.portal.cast import ADMINISTRATOR, AGENT, AUDITOR, answered, entries, length, make_license
from tests.portal.chariot import Chariot, host
from tests.portal.tampering import unguarded
from tests.portal.web import Browser
from tests.webhooks.making import made as made_webhook

SignIn = Callable[[str], Browser]
PORTAL = "portal"
NAMED = r'attachment; filename="licenses-\d{4}-\d\d-\d\d-checkpoint-\d+\.csv"'
WEBHOOKS = ("webhookendpoint", "webhookdelivery")
OURS = (
    "license",
    "customer",
    "usagerequest",
    "usagelicense",
    "intakeentry",
    "ledgerentry",
    "signingkey",
    "product",
)


def address(name: str, query: str = "") -> str:
    name = name if "_" in name else f"activations_{name}"
    return f"{reverse(f'admin:{name}_export')}?{query}"


def export(browser: Browser, name: str, format: str = "csv", query: str = "") -> Any:
    token = browser.get(reverse("admin:index")).form(reverse("admin:logout")).fields
    return browser.client.post(address(name, query), {**token, "format": format})


def content(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def unzipped(answer: Any) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content(answer))) as both:
        assert both.testzip() is None
        return {name: both.read(name) for name in both.namelist()}


def csv_rows(answer: Any) -> list[list[str]]:
    if answer.headers["Content-Type"] == "application/zip":  # of the ledger, with its checkpoint beside it
        raw, _ = unzipped(answer).values()
    else:
        raw = content(answer)
    assert raw.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def xlsx_rows(answer: Any) -> list[list[Any]]:
    sheet = load_workbook(io.BytesIO(content(answer))).worksheets[0]
    assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


def test_a_list_as_it_is_filtered_and_sorted(license: LicenseCreated, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    for number in range(3):
        make_license(customer=f"Plant {number}")
    answer = export(agent, "license", query="q=plant&o=-2&p=2")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(
        r'attachment; filename="licenses-\d{4}-\d\d-\d\d-checkpoint-\d+\.csv"', answer.headers["Content-Disposition"]
    )
    assert answer.headers["Cache-Control"] == "no-store" or "no-store" in answer.headers["Cache-Control"]
    rows = csv_rows(answer)
    assert rows[0][:4] == ["License ID", "customer", "product", "status"]
    assert [row[1] for row in rows[1:]] == ["Plant 2", "Plant 1", "Plant 0"]
    first = dict(zip(rows[0], rows[1], strict=True))
    row = License.objects.get(customer__name="Plant 2")
    assert first["License ID"] == row.license_id
    assert (first["allowed"], first["occupied"], first["features"]) == ("2", "0", "mqtt-server")
    assert first["created"] == row.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_every_export_is_booked_with_list_filter_format_and_rows(license: LicenseCreated, sign_in: SignIn) -> None:
    agent, before = sign_in("agent"), length(PORTAL)
    content(export(agent, "license", query="status__exact=active&q=acme"))
    content(export(agent, "usagerequest", "xlsx"))
    assert entries(PORTAL, after=before) == [
        (before + 1, "agent", "list.exported", ""),
        (before + 2, "agent", "list.exported", ""),
    ]
    booked = [
        json.loads(body)["data"]
        for body in LedgerEntry.objects.order_by("-seq").filter(chain=PORTAL)[:2].values_list("body", flat=True)
    ]
    first, second = LedgerCheckpoint.objects.order_by("size")
    assert second.size == first.size + 1, "each has a checkpoint of its own, which covers the entry about the other"
    assert booked[1] == {
        "list": "Licenses",
        "filter": {"status__exact": ["active"], "q": ["acme"]},
        "format": "csv",
        "rows": 1,
        "checkpoint": {"size": first.size, "root": first.root},
    }
    assert booked[0] == {
        "list": "Usage Requests",
        "filter": {},
        "format": "xlsx",
        "rows": 0,
        "checkpoint": {"size": second.size, "root": second.root},
    }
    page = sign_in("auditor").get(reverse("admin:activations_ledgerentry_changelist"))
    assert "List exported Licenses as csv, rows: 1" in page.words


def test_a_license_key_in_a_search_does_not_get_into_the_ledger(license: LicenseCreated, sign_in: SignIn) -> None:
    content(export(sign_in("agent"), "license", query=f"q={license.license_key}"))
    body = LedgerEntry.objects.filter(chain=PORTAL).latest("seq").body
    assert license.license_key not in body
    assert '"filter":{"q":["[License Key]"]}' in body


def test_csv_and_xlsx_hold_the_same(license: LicenseCreated, sign_in: SignIn) -> None:
    answered(Chariot(license.license_key, host("pump-house")).request())
    keep_refused(source="?", problem=BadInput("no-block", "None."), actor=AGENT)
    lead = sign_in("manager")
    for name in [*OURS, "auth_user"]:
        query = "kind=license.created" if name == "ledgerentry" else ""
        as_csv = csv_rows(export(lead, name, query=query))
        as_xlsx = xlsx_rows(export(lead, name, "xlsx", query))
        assert len(as_csv) > 1, name
        assert [["" if cell is None else str(cell) for cell in row] for row in as_xlsx] == as_csv, name


def test_no_export_holds_a_secret(license: LicenseCreated, sign_in: SignIn) -> None:
    chariot = Chariot(license.license_key, host("pump-house"))
    chariot.install(answered(f"our key is {license.license_key}\n{chariot.request()}"))
    keep_refused(source=f"key {license.license_key}", problem=BadInput("no-block", "None."), actor=AGENT)
    row, request, granted = License.objects.get(), UsageRequest.objects.get(), UsageLicense.objects.get()
    manager = sign_in("manager")
    manager.user.set_password("a long enough password")
    manager.user.save()
    manager.client.force_login(manager.user)
    secrets = [
        license.license_key,
        made_token(Scope.READ_LICENSES).token,
        made_webhook("https://hooks.example/in", "*").secret,
        row.key_digest,
        bytes(row.key_encrypted).decode(),
        manager.user.password,
        "our key is",
        request.commitment,
        *(text.splitlines()[1] for text in (request.text, granted.text)),
        *(data.hex() for data in (bytes(request.payload), bytes(granted.payload))),
        *(base64.b64encode(bytes(data)).decode() for data in (request.payload, granted.payload)),
        *(
            bytes(key.private_encrypted or b"none").decode()
            for key in SigningKey.objects.all()
            if key.private_encrypted
        ),
    ]
    readers = {"staffevent": sign_in("auditor"), **dict.fromkeys(WEBHOOKS, sign_in("administrator"))}
    for model, page in admin.site._registry.items():
        if not page.export_columns:  # type: ignore[attr-defined]
            continue
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        for format in ("csv", "jsonl"):
            answer = export(readers.get(str(model._meta.model_name), manager), name, format)
            zipped = answer.headers["Content-Type"] == "application/zip"
            text = (b"".join(unzipped(answer).values()) if zipped else content(answer)).decode()
            # A commitment is a digest that the ledger is made to keep; of a spreadsheet it is no column.
            public = [request.commitment] if (name, format) == ("activations_ledgerentry", "jsonl") else []
            assert [secret for secret in secrets if secret in text] == public, (name, format)


def test_every_list_of_ours_can_be_exported() -> None:
    pages = {model._meta.model_name: page for model, page in admin.site._registry.items()}
    for name in [*OURS, "user"]:
        assert pages[name].export_columns, name  # type: ignore[attr-defined]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\uff1d"])
def test_no_cell_is_run_by_a_spreadsheet(start: str, db: None, sign_in: SignIn) -> None:
    name = f'{start}HYPERLINK("http://example.com","x")'
    Customer.objects.create(name=name)
    agent = sign_in("agent")
    assert csv_rows(export(agent, "customer"))[1][0] == f"'{name}"
    assert str(xlsx_rows(export(agent, "customer", "xlsx"))[1][0]).startswith("'")


def test_characters_that_break_a_workbook_are_left_out(db: None, sign_in: SignIn) -> None:
    Customer.objects.create(name="A\x07\x1b\uffff\x08=cme \U0001f600")
    Customer.objects.create(name="\x01=1+1")
    rows = xlsx_rows(export(sign_in("agent"), "customer", "xlsx", "o=1"))
    assert sorted(str(row[0]) for row in rows[1:]) == ["'=1+1", "A=cme \U0001f600"]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (True, "yes"),
        (False, "no"),
        (3, 3),
        (-3, -3),
        (2**60, str(2**60)),
        (date(2026, 3, 1), "2026-03-01"),
        (datetime(2026, 3, 1, 9, 30, 5, 999, tzinfo=UTC), "2026-03-01T09:30:05Z"),
        ("plain", "plain"),
        ("-1", "'-1"),
    ],
)
def test_values_as_files_hold_them(value: object, cell: object) -> None:
    assert list_files.cell(value) == cell


def test_a_cell_that_a_spreadsheet_would_cut_says_so() -> None:
    text = list_files._in_xml("x" * 40_000)
    assert isinstance(text, str)
    assert len(text) <= list_files.LONGEST_CELL
    assert text.endswith("(cut; whole in CSV)")


def test_many_rows_are_read_in_parts(db: None, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_export, "CHUNK", 10)
    Customer.objects.bulk_create([Customer(name=f"C{number:03}") for number in range(95)])
    for row in Customer.objects.all():
        Contact.objects.create(customer=row, email=f"{row.name}@example.com")
    agent = sign_in("agent")
    with CaptureQueriesContext(connection) as caught:
        rows = csv_rows(export(agent, "customer"))
    assert [row[0] for row in rows[1:]] == [f"C{number:03}" for number in range(95)]
    contacts = [query for query in caught.captured_queries if 'FROM "activations_contact"' in query["sql"]]
    assert len(contacts) <= 12  # one for the page that is shown, one for each part of ten


def test_json_lines_hold_the_rows_and_the_checkpoint(license: LicenseCreated, sign_in: SignIn) -> None:
    lines = [json.loads(line) for line in content(export(sign_in("agent"), "license", "jsonl", "q=acme")).splitlines()]
    made = LedgerCheckpoint.objects.get()
    header, row, end = lines
    assert (header["export"], header["list"], header["by"]) == ("chariot-list-1", "Licenses", "agent")
    assert (header["filter"], header["checkpoint"], end) == ({"q": ["acme"]}, made.note, {"end": 1})
    assert (row["License ID"], row["allowed"]) == (license.license_id, 2)
    booked = json.loads(LedgerEntry.objects.filter(chain=PORTAL).latest("seq").body)["data"]
    assert booked["checkpoint"] == {"size": made.size, "root": made.root}


def test_a_workbook_says_what_it_is(license: LicenseCreated, sign_in: SignIn) -> None:
    book = load_workbook(io.BytesIO(content(export(sign_in("agent"), "license", "xlsx", "q=acme"))))
    about = {row[0].value: row[1].value for row in book["About"].iter_rows()}
    assert (about["list"], about["by"], about["filter"]) == ("Licenses", "agent", '{"q": ["acme"]}')
    assert about["checkpoint"] == LedgerCheckpoint.objects.get().note


def test_the_ledger_as_csv_has_its_checkpoint_beside_it_and_holds_what_that_covers(
    license: LicenseCreated, sign_in: SignIn
) -> None:
    answer = export(sign_in("auditor"), "ledgerentry")
    made = LedgerCheckpoint.objects.get()
    name = f"ledger-{timezone.now():%Y-%m-%d}-checkpoint-{made.size}"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}.zip"'
    files = unzipped(answer)
    assert list(files) == [f"{name}.csv", f"{name}.csv.checkpoint"]
    assert files[f"{name}.csv.checkpoint"].decode() == made.note
    assert files[f"{name}.csv"].decode().count("\r\n") == made.size + 1
    assert made.size == LedgerEntry.objects.count() - 1, "all but the entry about this export"


@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_where_no_checkpoint_can_be_made_the_ledger_ends_at_the_last(
    license: LicenseCreated, sign_in: SignIn, format: str
) -> None:
    made = checkpoint_ledger(actor=ADMINISTRATOR)
    assert isinstance(made, CheckpointMade)
    SigningKey.objects.filter(purpose=KeyPurpose.CHECKPOINT).update(current=False)
    make_license(customer="Beta Mills")
    auditor = sign_in("auditor")

    answer = export(auditor, "ledgerentry", format)

    rows = csv_rows(answer) if format == "csv" else xlsx_rows(answer)
    assert len(rows) == made.size + 1
    assert "leaves out what came after it" in auditor.get(reverse("admin:index")).words
    assert len(csv_rows(export(auditor, "license"))) == 3, "other lists are whole"


def test_before_there_is_any_checkpoint_lists_are_exported_and_the_ledger_is_not(db: None, sign_in: SignIn) -> None:
    make_license()
    auditor = sign_in("auditor")
    answer = export(auditor, "license")
    assert re.search(r'filename="licenses-\d{4}-\d\d-\d\d\.csv"', answer.headers["Content-Disposition"])
    assert len(csv_rows(answer)) == 2
    before = length(PORTAL)
    token = auditor.get(reverse("admin:index")).form(reverse("admin:logout")).fields
    page = auditor.post(address("ledgerentry"), {**token, "format": "csv"})
    assert "Nothing was exported. An export belongs to a checkpoint, and there is none yet." in page.words
    assert length(PORTAL) == before


@pytest.mark.parametrize(("name", "format"), [("ledgerentry", "csv"), ("ledgerentry", "xlsx"), ("license", "jsonl")])
def test_of_a_damaged_ledger_no_list_is_exported_and_it_says_why(
    license: LicenseCreated, sign_in: SignIn, name: str, format: str
) -> None:
    """The head of the portal's chain was set back: no export can be booked any more."""
    auditor = sign_in("auditor")
    token = auditor.get(reverse("admin:index")).form(reverse("admin:logout")).fields
    _damage()

    page = auditor.post(address(name), {**token, "format": format})

    assert page.status == 200
    assert "Nothing was exported. The export could not be booked" in page.words
    assert "Have it checked (Audit, Check); the ledger itself can still be exported as JSON Lines." in page.words


def test_a_damaged_ledger_is_exported_as_json_lines_with_a_warning(license: LicenseCreated, sign_in: SignIn) -> None:
    auditor = sign_in("auditor")
    _damage()
    lines = content(export(auditor, "ledgerentry", "jsonl")).splitlines()
    assert json.loads(lines[-1]) == {"end": len(lines) - 2}
    assert "The ledger did not take the entry about this export" in auditor.get(reverse("admin:index")).words


def test_a_ledger_whose_tree_is_damaged_too_is_refused_in_words(license: LicenseCreated, sign_in: SignIn) -> None:
    """Leaves were taken away and a checkpoint stands over them: none can be made, and the last is what there is."""
    made = checkpoint_ledger(actor=ADMINISTRATOR)
    assert isinstance(made, CheckpointMade)
    with unguarded():
        LedgerLeaf.objects.filter(index=made.size - 1)._raw_delete("default")
    auditor = sign_in("auditor")
    answer = export(auditor, "ledgerentry")
    assert len(csv_rows(answer)) == made.size, "one is gone"
    assert "No checkpoint can be made of the ledger as it is" in auditor.get(reverse("admin:index")).words


def _damage() -> None:
    with unguarded():
        LedgerChain.objects.filter(name=PORTAL).update(length=2)


def test_a_running_export_shows_how_far_it_is(license: LicenseCreated, sign_in: SignIn) -> None:
    auditor = sign_in("auditor")
    asked = {"page": "activations.license", "list": "Licenses", "query": "", "format": "csv"}
    job = queue.ask(list_export.KIND, asked, actor=AUDITOR)
    assert isinstance(job, Job)
    running = queue.claim(job.pk)
    assert running is not None
    page = auditor.get(reverse("admin:exports"))
    assert "<progress" not in page.html, "it has not counted yet"
    assert queue.beat(running, 1234, 56_789)

    page = auditor.get(reverse("admin:exports"))

    assert '<progress max="56789" value="1234" aria-label="How far the export is"></progress>' in page.html
    assert "1234 of 56789" in page.words
    assert 'data-seconds="3"' in page.html
    queue.end(running, {"rows": 56_789, "bytes": 0, "warning": ""})
    page = auditor.get(reverse("admin:exports"))
    assert ("<progress" in page.html, "data-seconds" in page.html) == (False, False)
    assert "done, 56789 rows" in page.words


def test_an_account_with_an_old_name_gets_no_file_of_the_older_one(
    license: LicenseCreated, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The portal deletes no account; somebody with the database did, and the name was given again."""
    monkeypatch.setattr(list_export, "MOST_ROWS", 0)
    first = sign_in("auditor")
    token = first.get(reverse("admin:index")).form(reverse("admin:logout")).fields
    for format in ("csv", "xlsx"):
        first.post(address("license"), {**token, "format": format})
    done, waits = Job.objects.order_by("id")
    running.run(done.pk)
    file = reverse("admin:exported_file", args=[done.pk])
    assert first.client.get(file).status_code == 200
    User.objects.get(username="auditor").delete()

    second = sign_in("auditor")

    assert second.user.pk != first.user.pk
    assert second.get(file).status == 404
    assert "You have asked for no large export" in second.get(reverse("admin:exports")).words
    assert running.run(waits.pk) == "failed"
    waits.refresh_from_db()
    assert "another has its name" in waits.problem


def test_no_page_deletes_an_account(sign_in: SignIn) -> None:
    administrator = sign_in("administrator")
    other = sign_in("agent").user
    for address in (
        reverse("admin:auth_user_delete", args=[other.pk]),
        f"/admin/auth/user/{other.pk}/delete/",
    ):
        assert administrator.get(address).status in (403, 404)
    assert User.objects.filter(pk=other.pk).exists()


def test_a_long_list_is_written_in_the_background(
    license: LicenseCreated, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_export, "MOST_ROWS", 2)
    auditor, other = sign_in("auditor"), sign_in("administrator")
    for number in range(4):
        make_license(customer=f"Plant {number}")
    before = length(PORTAL)
    token = auditor.get(reverse("admin:index")).form(reverse("admin:logout")).fields
    asked = auditor.post(address("license", "o=1&q=plant"), {**token, "format": "csv"})
    assert asked.path == reverse("admin:exports")
    assert "These are 4 rows: the file is written in the background" in asked.words
    assert "Licenses o: 1; q: plant waits for its turn" in asked.words
    assert length(PORTAL) == before

    assert run_jobs_job() == 1

    job = Job.objects.get()
    assert (job.state, job.done, job.total, job.result["rows"]) == ("done", 4, 4, 4)
    assert entries(PORTAL, after=before) == [(before + 1, "auditor", "list.exported", "")]
    assert "done, 4 rows" in auditor.get(reverse("admin:exports")).words
    file = reverse("admin:exported_file", args=[job.pk])
    answer = auditor.client.get(file)
    assert [row[1] for row in csv_rows(answer)[1:]] == [f"Plant {number}" for number in range(4)]
    assert re.fullmatch(
        r'attachment; filename="licenses-[0-9-]+-checkpoint-\d+\.csv"', answer.headers["Content-Disposition"]
    )
    assert "no-store" in answer.headers["Cache-Control"]
    assert other.get(file).status == 404
    assert "Plant" not in other.get(reverse("admin:exports")).words


def test_a_long_list_can_be_cancelled_and_is_not_booked(
    license: LicenseCreated, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_export, "MOST_ROWS", 0)
    agent = sign_in("agent")
    token = agent.get(reverse("admin:index")).form(reverse("admin:logout")).fields
    agent.post(address("license"), {**token, "format": "csv"})
    before = length(PORTAL)

    cancelled = agent.post(reverse("admin:exports"), {**token, "cancel": str(Job.objects.get().pk)})

    assert "The export was cancelled" in cancelled.words
    assert run_jobs_job() == 0
    assert length(PORTAL) == before


def test_a_long_list_of_somebody_who_lost_the_role_is_not_written(
    license: LicenseCreated, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_export, "MOST_ROWS", 0)
    auditor = sign_in("auditor")
    token = auditor.get(reverse("admin:index")).form(reverse("admin:logout")).fields
    for name in ("ledgerentry", "license"):
        auditor.post(address(name), {**token, "format": "csv"})
    auditor.user.groups.clear()
    run_jobs_job()
    first, second = Job.objects.order_by("id")
    assert (first.state, second.state) == ("failed", "failed")
    assert "may not see this list any more" in first.problem
    assert not first.parts.exists()


def test_a_secret_in_a_search_is_not_kept_with_a_job(
    license: LicenseCreated, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_export, "MOST_ROWS", -1)
    agent = sign_in("agent")
    token = agent.get(reverse("admin:index")).form(reverse("admin:logout")).fields
    page = agent.post(address("license", f"q={license.license_key}"), {**token, "format": "csv"})
    assert "holds a secret" in page.words
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("query", "format", "words"),
    [
        ("", "pdf", "choose one of the formats CSV, XLSX and JSON Lines"),
        ("", "", "choose one of the formats CSV, XLSX and JSON Lines"),
        (f"q={'x' * 1100}", "csv", "too long to be booked"),
        ("created_at__year=2026&created_at__month=13", "csv", "this filter cannot be read"),
    ],
)
def test_what_cannot_be_exported_is_told(
    query: str, format: str, words: str, license: LicenseCreated, sign_in: SignIn
) -> None:
    agent = sign_in("agent")
    before = length(PORTAL)
    token = agent.get(reverse("admin:index")).form(reverse("admin:logout")).fields
    page = agent.post(address("license", query), {**token, "format": format})
    assert "Nothing was exported" in page.words
    assert words in page.words
    assert length(PORTAL) == before


def test_a_filter_the_list_does_not_offer_is_ignored_nowhere(license: LicenseCreated, sign_in: SignIn) -> None:
    answer = export(sign_in("agent"), "customer", query="contacts__email__startswith=a")
    assert answer.status_code == 400


def test_the_buttons_stand_on_the_list_and_work(license: LicenseCreated, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    page = agent.get(f"{reverse('admin:activations_license_changelist')}?status__exact=active")
    form = page.form(address("license", "status__exact=active"))
    assert form.buttons == ["format", "format", "format"]
    assert "Export 1 row:" in page.words
    answer = agent.client.post(form.action, {**form.fields, "format": "csv"})
    assert len(csv_rows(answer)) == 2


def test_each_role_exports_the_lists_it_sees_and_no_others(license: LicenseCreated, sign_in: SignIn) -> None:
    for username in ("agent", "lead", "manager", "auditor", "administrator"):
        browser = sign_in(username)
        for name in OURS:
            sees = browser.get(reverse(f"admin:activations_{name}_changelist")).status == 200
            assert (export(browser, name).status_code == 200) == sees, (username, name)
    assert not Activation.objects.exists()
