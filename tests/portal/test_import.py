"""Importing customers and licenses: a dry run of every row, all or nothing, through the services."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
from django.db import connection

from activations.models import Contact, Customer, LedgerEntry, License, LicenseTerms, Seat
from activations.services import importing
from activations.services.importing import CUSTOMERS, LICENSES, Imported, ImportPlan
from activations.services.licenses import create_license, license_key
from activations.services.results import Refused
from activations.services.table_files import Table, read_table
from tests.portal.cast import EVERYONE, MANAGER, SOURCE, entries, length, license_row, make_license
from tests.portal.test_table_files import workbook
from tests.portal.web import Browser

SignIn = Callable[[str], Browser]
PORTAL = "portal"
GOOD = (
    "customer,allowed,mqtt-server,mqtt-server-support,lowest version\n"
    "Acme Water,2,yes,2098-12-31,2.4\n"
    "Northern Paper Mill,1,2097-06-30,,\n"
)


def table(text: str | bytes, what: str = LICENSES) -> Table:
    names, required = importing.columns_of(what)
    read = read_table(text.encode() if isinstance(text, str) else text, columns=names, required=required)
    assert isinstance(read, Table), read
    return read


def planned(text: str | bytes, what: str = LICENSES) -> ImportPlan:
    plan = importing.plan_import(what=what, table=table(text, what), actor=MANAGER)
    assert isinstance(plan, ImportPlan), plan
    return plan


def imported(text: str | bytes, what: str = LICENSES, expect: str | None = None) -> Any:
    digest = planned(text, what).digest if expect is None else expect
    return importing.import_table(what=what, table=table(text, what), expect=digest, actor=MANAGER, source=SOURCE)


def wrong(plan: ImportPlan) -> list[tuple[int, str, str]]:
    return [(problem.row, problem.column, problem.message) for row in plan.wrong for problem in row.problems]


# --- licenses ----------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_dry_run_says_what_each_row_does_and_writes_nothing() -> None:
    make_license(customer="Acme Water")
    before = (License.objects.count(), LedgerEntry.objects.count(), Customer.objects.count())
    plan = planned(GOOD)
    assert [(row.number, row.does, row.warnings) for row in plan.rows] == [
        (2, "New license for 2 Chariots: mqtt-server, mqtt-server-support until 2098-12-31.", ()),
        (3, "New license for 1 Chariot: mqtt-server until 2097-06-30 (a new customer).", ()),
    ]
    assert plan.may_be_booked
    assert (License.objects.count(), LedgerEntry.objects.count(), Customer.objects.count()) == before


@pytest.mark.django_db
def test_a_confirmed_import_makes_each_license_through_the_service_with_its_ledger_entry() -> None:
    before = length(PORTAL)
    result = imported(GOOD)
    assert isinstance(result, Imported)
    assert [(made.customer, made.allowed) for made in result.licenses] == [
        ("Acme Water", 2),
        ("Northern Paper Mill", 1),
    ]
    for made in result.licenses:
        assert entries(made.license_id) == [(1, "manager", "license.created", "")]
        row = license_row(made.license_id)
        assert license_key(row).text == made.license_key
        assert Seat.objects.filter(license=row).count() == made.allowed
        source = LedgerEntry.objects.get(chain=made.license_id).source
        assert source == f"test:import:{table(GOOD).sha256[:16]}"
    terms = LicenseTerms.objects.get(license__license_id=result.licenses[0].license_id)
    assert (terms.version_low, terms.version_high) == ("2.4", "")
    assert terms.features == [
        {"code": "mqtt-server", "expires": None},
        {"code": "mqtt-server-support", "expires": "2098-12-31"},
    ]
    assert entries(PORTAL, after=before) == [(before + 1, "manager", "list.imported", "")]
    body = LedgerEntry.objects.filter(chain=PORTAL).latest("seq").body
    assert f'"data":{{"list":"licenses","rows":2,"sha256":"{table(GOOD).sha256}"}}' in body
    everything = "".join(LedgerEntry.objects.values_list("body", flat=True))
    assert not [made for made in result.licenses if made.license_key in everything]
    assert result.licenses[0].license_key not in repr(result)


@pytest.mark.django_db
def test_one_wrong_row_and_nothing_is_booked() -> None:
    before = (License.objects.count(), LedgerEntry.objects.count(), Customer.objects.count())
    text = GOOD + "Southern Dairy,none,yes,,\n"
    assert wrong(planned(text)) == [(4, "allowed", "Allowed activations are a whole number between 1 and 10000.")]
    result = imported(text)
    assert isinstance(result, ImportPlan)
    assert not result.may_be_booked
    assert (License.objects.count(), LedgerEntry.objects.count(), Customer.objects.count()) == before


@pytest.mark.django_db
def test_a_row_that_only_the_service_refuses_takes_the_others_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from activations.services import import_rows

    digest = planned(GOOD).digest
    real = create_license

    def refuses_the_second(**how: Any) -> Any:
        return Refused("late", "Not any more.") if how["customer"] == "Northern Paper Mill" else real(**how)

    monkeypatch.setattr(import_rows, "create_license", refuses_the_second)
    before = LedgerEntry.objects.count()
    result = imported(GOOD, expect=digest)
    assert isinstance(result, ImportPlan)
    assert wrong(result) == [(3, "", "Not any more.")]
    assert (License.objects.count(), LedgerEntry.objects.count()) == (0, before)


@pytest.mark.django_db
def test_a_lost_database_is_no_mistake_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    from activations.services import import_rows

    def gone(**how: Any) -> Any:
        raise OperationalError("server closed the connection")

    digest = planned(GOOD).digest
    monkeypatch.setattr(import_rows, "create_license", gone)
    with pytest.raises(OperationalError):
        imported(GOOD, expect=digest)


@pytest.mark.django_db
def test_every_mistake_is_named_by_row_and_column() -> None:
    text = (
        "customer;allowed;mqtt-server;iot-bridge-snowflake;lowest version;highest version\n"
        ";1;yes;;;\n"
        "Acme;0;yes;;;\n"
        "Acme;1;31.12.2098;;;\n"
        "Acme;1;;no;;\n"
        "Acme;1;2001-01-01;;;\n"
        "Acme;1;yes;;2.x;\n"
        "Acme;1;yes;;3.0;2.0\n"
        "=1+1;1;yes;;;\n"
        "Acme;99999999999;2098-02-30;;;\n"
    )
    found = wrong(planned(text))
    assert [(row, column) for row, column, _ in found] == [
        (2, "customer"),
        (3, "allowed"),
        (4, "mqtt-server"),
        (5, ""),
        (6, ""),
        (7, "lowest version"),
        (8, "lowest version"),
        (9, "customer"),
        (10, "allowed"),
        (10, "mqtt-server"),
    ]
    messages = " ".join(message for _, _, message in found)
    assert "Say who the customer is." in messages
    assert "'31.12.2098' is no last day" in messages
    assert "Grant at least one feature" in messages
    assert "Every feature would be over" in messages
    assert "A formula is not taken" in messages


@pytest.mark.django_db
def test_warnings_for_what_may_be_a_slip() -> None:
    make_license(customer="Acme Water")
    text = (
        "customer,allowed,mqtt-server,mqtt-server-support\nACME water,1,yes,2020-01-01\nACME water,1,yes,2020-01-01\n"
    )
    plan = planned(text)
    assert plan.rows[0].warnings == (
        "The last day of mqtt-server-support, 2020-01-01, is over already: hosts will not get it.",
        "There is a customer 'Acme Water' already; this row makes another one.",
    )
    assert plan.rows[1].warnings[0] == "The same as row 2: a second license is made."
    assert plan.rows[1].does.endswith("(the new customer of row 2).")
    assert plan.may_be_booked


@pytest.mark.django_db
def test_the_same_file_is_not_booked_twice() -> None:
    digest = planned(GOOD).digest
    assert isinstance(imported(GOOD), Imported)
    count = License.objects.count()
    for expect in (digest, planned(GOOD).digest):
        again = imported(GOOD, expect=expect)
        assert isinstance(again, ImportPlan)
        assert "This very file was imported on" in again.problem
        assert "by manager" in again.problem
    assert License.objects.count() == count


def test_two_confirmations_at_once_book_the_file_once(transactional_db: None) -> None:
    digest = planned(GOOD).digest
    together = threading.Barrier(2)

    def confirm(_: int) -> str:
        try:
            together.wait()
            return type(imported(GOOD, expect=digest)).__name__
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(confirm, range(2))) == ["ImportPlan", "Imported"]
    assert License.objects.count() == 2


@pytest.mark.django_db
def test_what_changed_since_the_dry_run_is_shown_again() -> None:
    digest = planned(GOOD).digest
    Customer.objects.create(name="Northern Paper Mill")
    result = imported(GOOD, expect=digest)
    assert isinstance(result, ImportPlan)
    assert result.may_be_booked
    assert License.objects.count() == 0
    assert isinstance(imported(GOOD, expect=result.digest), Imported)


@pytest.mark.django_db
def test_only_license_managers_import() -> None:
    digest = planned(GOOD).digest
    for actor in EVERYONE:
        if actor is MANAGER:
            continue
        for answer in (
            importing.plan_import(what=LICENSES, table=table(GOOD), actor=actor),
            importing.import_table(what=LICENSES, table=table(GOOD), expect=digest, actor=actor, source=SOURCE),
        ):
            assert isinstance(answer, Refused), actor
            assert answer.message.endswith("Ask a license manager.")
    assert License.objects.count() == 0


@pytest.mark.django_db
def test_too_many_seats_together_are_refused() -> None:
    plan = planned("customer,allowed,mqtt-server\n" + "Acme,10000,yes\n" * 3)
    assert plan.problem.startswith("The rows allow 30,000 activations together")
    assert not plan.may_be_booked


# --- customers ---------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_customers_and_their_contacts() -> None:
    acme = Customer.objects.create(name="Acme Water")
    Contact.objects.create(customer=acme, name="Office", email="office@acme.example")
    text = (
        "Customer;Contact name;E-mail\n".replace("E-mail", "email")
        + "Acme Water;Plant office;OFFICE@acme.example\n"
        + "Acme Water;;it@acme.example\n"
        + "Northern Paper Mill;;\n"
        + "Southern Dairy;Müller;mueller@dairy.example\n"
        + "Southern Dairy;;lab@dairy.example\n"
        + "Southern Dairy;;lab@dairy.example\n"
    )
    plan = planned(text, CUSTOMERS)
    assert [row.does for row in plan.rows] == [
        "Contact OFFICE@acme.example is called Plant office, not Office.",
        "New contact it@acme.example.",
        "New customer.",
        "New customer, new contact mueller@dairy.example.",
        "New contact lab@dairy.example (the new customer of row 5).",
        "",
    ]
    before = length(PORTAL)
    assert imported(text, CUSTOMERS) == Imported(6)
    assert sorted(Contact.objects.values_list("customer__name", "name", "email")) == [
        ("Acme Water", "", "it@acme.example"),
        ("Acme Water", "Plant office", "office@acme.example"),
        ("Southern Dairy", "", "lab@dairy.example"),
        ("Southern Dairy", "Müller", "mueller@dairy.example"),
    ]
    assert entries(PORTAL, after=before) == [(before + 1, "manager", "list.imported", "")]
    again = planned(text, CUSTOMERS)
    assert (again.doing, again.may_be_booked) == (0, False)


@pytest.mark.django_db
def test_wrong_customers_are_named() -> None:
    text = (
        "customer,contact name,email\n"
        "Acme,Office,\n"
        "Acme,,nobody\n"
        "Acme,One,one@acme.example\n"
        "Acme,Two,one@acme.example\n"
        "Ac\u202eme,,\n"
    )
    found = wrong(planned(text, CUSTOMERS))
    assert [(row, column) for row, column, _ in found] == [
        (2, "email"),
        (3, "email"),
        (5, "contact name"),
        (6, "customer"),
    ]


@pytest.mark.django_db
def test_a_workbook_reads_like_the_csv_file() -> None:
    content = workbook(
        ["Customer", "Allowed", "MQTT server", "mqtt-server-support", "Lowest version"],
        ["Acme Water", 2, True, date(2098, 12, 31), "2.4"],
        [None, None, None, None, None],
        ["Northern Paper Mill", 1.0, "2097-06-30", None, 2.4],
        sheets=2,
    )
    plan = planned(content)
    assert [(row.number, row.cells) for row in plan.rows] == [
        (2, ("Acme Water", "2", "yes", "2098-12-31", "2.4")),
        (4, ("Northern Paper Mill", "1", "2097-06-30", "", "2.4")),
    ]
    assert plan.may_be_booked
    assert plan.notes == ("The workbook has several sheets; only 'Sheet' was read.",)
