"""Importing customers and licenses from a file: choose it, look at what each row would do, confirm, fetch the keys."""

from __future__ import annotations

import csv
import json
import time
from dataclasses import dataclass
from io import StringIO
from typing import Any

from django.contrib import messages
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from activations.admin import once
from activations.admin.access import actor_of, needs
from activations.admin.pages import page
from activations.domain.staff_trail import StaffKind
from activations.domain.words import Ability
from activations.models import Contact, License, SentForm
from activations.services import vault
from activations.services.importing import (
    CUSTOMERS,
    LICENSES,
    Imported,
    ImportedLicense,
    ImportPlan,
    columns_of,
    import_table,
    plan_import,
    table_of,
)
from activations.services.list_files import BOM, cell
from activations.services.results import BadInput, Refused
from activations.services.staff_trail import record
from activations.services.table_files import LARGEST_FILE, MOST_ROWS, Table, read_table

SOURCE = "admin"
KEPT_SECONDS = 12 * 3600  # a dry run can be confirmed as long as a session lasts
KEYS_SECONDS = 3600
_SALT, _USE = "import", "imported-license-keys"


@dataclass(frozen=True)
class Import:
    """One kind of import: its words, its columns explained, and where it is."""

    what: str
    title: str
    explanation: str
    url: str
    list_url: str

    def columns(self) -> list[tuple[str, bool, str]]:
        names, required = columns_of(self.what)
        return [(name, name in required, _COLUMN_WORDS.get(name, _FEATURE_WORDS)) for name in names]


_IMPORTS = {
    CUSTOMERS: Import(
        CUSTOMERS,
        "Import customers",
        "Makes the customers that are not there yet and adds their contacts. Nothing is ever taken away.",
        "admin:customer_import",
        "admin:activations_customer_changelist",
    ),
    LICENSES: Import(
        LICENSES,
        "Import licenses",
        "Makes one license for each row, with its seats and its License Key. The keys are given once, as a file.",
        "admin:license_import",
        "admin:activations_license_changelist",
    ),
}
_FEATURE_WORDS = "yes for a feature that does not end, or its last day like 2027-12-31; empty: not granted"
_COLUMN_WORDS = {
    "customer": "the company's name, exactly as it is or shall be in the portal",
    "contact name": "a person; needs the email address",
    "email": "whom we mail to; several contacts of a customer: one row each",
    "allowed": "how many Chariots may be active at a time",
    "lowest version": "of Chariot, for example 2.4; empty: no lower limit. Format the column as text",
    "highest version": "empty: the newest, too. Format the column as text",
}


@never_cache
@needs(Ability.CREATE_LICENSE)
def import_customers_page(request: HttpRequest) -> HttpResponseBase:
    return _run(request, _IMPORTS[CUSTOMERS])


@never_cache
@needs(Ability.CREATE_LICENSE)
def import_licenses_page(request: HttpRequest) -> HttpResponseBase:
    return _run(request, _IMPORTS[LICENSES])


def _run(request: HttpRequest, kind: Import) -> HttpResponseBase:
    if "confirmed" in request.POST:
        return _confirm(request, kind)
    if request.method != "POST":
        return _form(request, kind)
    upload = request.FILES.get("file")
    if upload is None:
        return _form(request, kind, "Choose a file first.")
    if upload.size is None or upload.size > LARGEST_FILE:
        return _form(request, kind, f"The file is larger than {LARGEST_FILE // 1_000_000} MB. Split it.")
    names, required = columns_of(kind.what)
    table = read_table(upload.read(), columns=names, required=required)
    if isinstance(table, BadInput):
        return _form(request, kind, table.message)
    plan = plan_import(what=kind.what, table=table, actor=actor_of(request))
    return _form(request, kind, plan.message) if isinstance(plan, Refused) else _dry_run(request, kind, plan)


def _form(request: HttpRequest, kind: Import, error: str = "") -> HttpResponse:
    context = {"kind": kind, "error": error, "most_rows": MOST_ROWS, "largest": LARGEST_FILE // 1_000_000}
    context |= {"example_url": reverse(f"{kind.url}_example"), "list_url": reverse(kind.list_url)}
    return page(request, "desk/import.html", kind.title, context)


def _dry_run(request: HttpRequest, kind: Import, plan: ImportPlan, *, again: bool = False) -> HttpResponse:
    context: dict[str, Any] = {"kind": kind, "plan": plan, "again": again, "list_url": reverse(kind.list_url)}
    if plan.may_be_booked:
        # The rows travel with the page and come back signed: nothing of an import that nobody confirms is kept.
        rows = [[row.number, row.cells] for row in plan.rows]
        kept: dict[str, Any] = {"what": kind.what, "user": request.user.pk, "sha256": plan.sha256}
        kept |= {"columns": plan.columns, "rows": rows, "digest": plan.digest}
        context |= {"confirmed": signing.dumps(kept, salt=_SALT, compress=True), "token": once.new_token()}
    return page(request, "desk/import_dry_run.html", kind.title, context)


def _confirm(request: HttpRequest, kind: Import) -> HttpResponseBase:
    shown = _shown(request, kind)
    if shown is None:
        return _form(
            request, kind, "This dry run can no longer be confirmed; nothing was booked. Choose the file again."
        )
    table, digest = shown
    with once.sending(request) as sending:
        if sending.before:
            return _sent_before(request, kind, sending.before)
        result = import_table(what=kind.what, table=table, expect=digest, actor=actor_of(request), source=SOURCE)
        if isinstance(result, Imported):
            sending.done(_imported(result), reverse(kind.list_url))
    if isinstance(result, Refused | BadInput):
        return _form(request, kind, result.message)
    if isinstance(result, ImportPlan):
        return _dry_run(request, kind, result, again=True)
    if kind.what == LICENSES:
        return _made(request, kind, result)
    messages.success(request, _imported(result))
    return redirect(kind.list_url)


def _imported(done: Imported) -> str:
    return f"Imported: {done.rows} row{'s' if done.rows > 1 else ''}, all of them."


def _sent_before(request: HttpRequest, kind: Import, before: SentForm) -> HttpResponse:
    """A second click; or another file under the same token."""
    if once.differs(request, before):
        return _form(request, kind, once.not_booked(before, "Choose the file again if it is still wanted."))
    messages.info(
        request,
        "This import was sent before, and nothing was booked twice. License Keys are given once only; a key that "
        "was missed can be shown or replaced on the page of its license.",
    )
    return redirect(kind.list_url)


def _shown(request: HttpRequest, kind: Import) -> tuple[Table, str] | None:
    """The table and the digest of the dry run that this person had before their eyes."""
    try:
        kept = signing.loads(request.POST["confirmed"], salt=_SALT, max_age=KEPT_SECONDS)
    except signing.BadSignature:
        return None
    if (kept["what"], kept["user"]) != (kind.what, request.user.pk):
        return None
    return table_of(kept["columns"], kept["rows"], kept["sha256"]), kept["digest"]


# --- the License Keys --------------------------------------------------------------------------------------


def _made(request: HttpRequest, kind: Import, done: Imported) -> HttpResponse:
    """The page after an import. It carries the keys encrypted, so that they lie in no browser's cache in clear."""
    rows = {row.license_id: row for row in License.objects.filter(license_id__in=[m.license_id for m in done.licenses])}
    # Bound to this sign-in and to an hour, beyond which nobody would remember that they were fetched before.
    kept: dict[str, Any] = {"session": request.session.session_key, "token": once.new_token(), "at": time.time()}
    kept["keys"] = [[made.license_id, made.license_key, made.customer, made.allowed] for made in done.licenses]
    context = {
        "kind": kind,
        "made": [(made, rows[made.license_id]) for made in done.licenses],
        "keys": vault.encrypt(json.dumps(kept).encode(), use=_USE).decode(),
        "list_url": reverse(kind.list_url),
    }
    return page(request, "desk/imported.html", "Licenses imported", context)


@never_cache
@needs(Ability.CREATE_LICENSE)
def license_keys(request: HttpRequest) -> HttpResponseBase:
    """The keys of an import, once."""
    try:
        kept = json.loads(vault.decrypt(request.POST.get("keys", "").encode(), use=_USE))
    except vault.VaultError:
        kept = {"session": None, "at": 0}
    own = kept["session"] == request.session.session_key and time.time() - kept["at"] < KEYS_SECONDS
    if not own:
        return _not_given_again(request)
    with once.sending(request, kept["token"]) as sending:
        if sending.before:
            return _not_given_again(request)
        sending.done("The License Keys were given.", reverse(_IMPORTS[LICENSES].list_url))
        record(StaffKind.KEYS_DOWNLOADED, "licenses", {"rows": len(kept["keys"])})
        made = [ImportedLicense(id, customer, allowed, key) for id, key, customer, allowed in kept["keys"]]
        return _csv_file("license-keys.csv", _key_rows(made))


def _not_given_again(request: HttpRequest) -> HttpResponse:
    messages.warning(
        request,
        "These License Keys are not given again: they are given once, within an hour of the import. A key that was "
        "missed can be shown or replaced on the page of its license.",
    )
    return redirect(_IMPORTS[LICENSES].list_url)


def _key_rows(made: list[ImportedLicense]) -> list[list[object]]:
    contacts: dict[str, list[str]] = {}
    names = sorted({row.customer for row in made})
    for start in range(0, len(names), 500):
        found = Contact.objects.filter(customer__name__in=names[start : start + 500])
        for name, email in found.values_list("customer__name", "email"):
            contacts.setdefault(name, []).append(email)
    rows: list[list[object]] = [["License ID", "License Key", "customer", "allowed", "contacts"]]
    rows += [
        [row.license_id, row.license_key, row.customer, row.allowed, "; ".join(contacts.get(row.customer, []))]
        for row in made
    ]
    return rows


# --- examples ----------------------------------------------------------------------------------------------


@needs(Ability.CREATE_LICENSE)
def customers_example(request: HttpRequest) -> HttpResponseBase:
    rows: list[list[object]] = [[*columns_of(CUSTOMERS)[0]]]
    rows += [["Acme Water", "Plant office", "plant@acme-water.example"], ["Acme Water", "", "it@acme-water.example"]]
    return _csv_file("customers-example.csv", [*rows, ["Northern Paper Mill", "", ""]])


@needs(Ability.CREATE_LICENSE)
def licenses_example(request: HttpRequest) -> HttpResponseBase:
    names = columns_of(LICENSES)[0]
    last = f"{timezone.now().year + 1}-12-31"
    cells = {"customer": "Acme Water", "allowed": 5, "mqtt-server": "yes", "mqtt-server-support": last}
    other = {"customer": "Northern Paper Mill", "allowed": 1, "mqtt-server": last, "lowest version": "2.4"}
    rows: list[list[object]] = [[row.get(name, "") for name in names] for row in (cells, other)]
    return _csv_file("licenses-example.csv", [[*names], *rows])


def _csv_file(name: str, rows: list[list[object]]) -> HttpResponse:
    text = StringIO()
    csv.writer(text).writerows([[cell(value) for value in row] for row in rows])
    response = HttpResponse(f"{BOM}{text.getvalue()}", content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
