"""The staff trail: what it records, from where, and that no password and no flood gets into it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from activations.domain.letters import ReplyKind
from activations.domain.staff_trail import BOOKED, TITLES, StaffKind
from activations.models import Contact, FailedSignIns, LedgerCheckpoint, LedgerEntry, License, StaffEvent
from activations.services import staff_trail
from activations.services.actors import create_staff, switch_account
from activations.services.key_reveal import show_license_key
from activations.services.ledger_checks import verify_ledger
from activations.services.licenses import LicenseCreated
from activations.services.replies import change_text, text_in_use
from activations.services.staff_trail import Caller, asking
from activations.tasks import sum_up_sign_ins_job
from tests.portal.cast import ADMINISTRATOR, MANAGER, SOURCE
from tests.portal.web import Browser
from tests.support import without_triggers

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SignIn = Callable[[str], Browser]


def rows(**where: Any) -> list[tuple[str, str, str, dict[str, Any]]]:
    """(actor, kind, subject, details), oldest first."""
    found = StaffEvent.objects.filter(**where).order_by("id")
    return list(found.values_list("actor", "kind", "subject", "details"))


def last() -> StaffEvent:
    return StaffEvent.objects.order_by("-id")[0]


def after(then: int) -> list[tuple[str, str, str, dict[str, Any]]]:
    return rows(pk__gt=then)


def now() -> int:
    row = StaffEvent.objects.order_by("-id").first()
    return row.pk if row else 0


@pytest.fixture
def ada() -> User:
    made = create_staff(username="ada", role="auditor", password=PASSWORD, actor=ADMINISTRATOR, source=SOURCE)
    assert not hasattr(made, "code"), made
    return User.objects.get(username="ada")


def sign_in_page(client: Client, name: str, password: str, **headers: Any) -> Any:
    return client.post("/admin/login/", {"username": name, "password": password, "next": "/admin/"}, **headers)


# --- signing in --------------------------------------------------------------------------------------------


def test_signing_in_and_out_with_address_and_browser(ada: User) -> None:
    client, then = Client(HTTP_USER_AGENT="Browser/1.0 " + "x" * 500, REMOTE_ADDR="192.0.2.7"), now()
    assert sign_in_page(client, "ada", PASSWORD).status_code == 302
    client.post("/admin/logout/")
    assert after(then) == [("ada", "session.signed_in", "ada", {}), ("ada", "session.signed_out", "ada", {})]
    assert (last().address, last().agent) == ("192.0.2.7", ("Browser/1.0 " + "x" * 500)[:120])


def test_a_failed_sign_in_names_the_account_and_never_what_was_typed_instead_of_one(ada: User) -> None:
    client, then = Client(REMOTE_ADDR="192.0.2.7"), now()
    sign_in_page(client, "ada", "wrong")
    sign_in_page(client, PASSWORD, "")  # no password given: the form refuses it before anybody is asked
    sign_in_page(client, PASSWORD, "ada")
    assert after(then) == [
        ("ada", "session.failed", "ada", {}),
        ("unknown account", "session.failed", "unknown account", {}),
    ]
    assert PASSWORD not in str([list(row.values()) for row in StaffEvent.objects.values()])
    assert PASSWORD not in str([list(row.values()) for row in FailedSignIns.objects.values()])


def fail(name: str, address: str, at: datetime = NOON) -> None:
    with asking(Caller(lambda: "anonymous", address)):
        staff_trail.record_failed_sign_in(name, at)


def test_many_failures_are_one_row_and_one_that_counts(ada: User) -> None:
    then = now()
    for second in range(30):
        fail("ada", "192.0.2.7", NOON + timedelta(seconds=second))
    assert after(then) == [("ada", "session.failed", "ada", {})]
    fail("ada", "192.0.2.8", NOON + timedelta(minutes=1))  # whoever comes later tells of the minutes before
    assert after(then)[1:] == [
        ("ada", "session.failed_more", "ada", {"tries": 29, "minute": "2026-03-02T12:00Z"}),
        ("ada", "session.failed", "ada", {}),
    ]
    assert list(StaffEvent.objects.filter(pk__gt=then).order_by("id").values_list("address", flat=True)) == [
        "192.0.2.7",
        "192.0.2.7",
        "192.0.2.8",
    ]
    assert sum_up_sign_ins_job() == 0  # the periodic job; one failure alone has its row already
    assert not FailedSignIns.objects.exists()


def test_names_and_addresses_without_end_fill_no_disk(ada: User) -> None:
    then = now()
    for number in range(200):
        fail("ada" if number % 2 else f"name-{number}", f"2001:db8::{number:x}")
    assert sum_up_sign_ins_job() == 1
    found = after(then)
    assert len(found) == staff_trail.MOST_A_MINUTE + 2
    assert found[-2:] == [
        ("several accounts", "session.failed", "several accounts", {}),
        ("several accounts", "session.failed_more", "several accounts", {"tries": 179, "minute": "2026-03-02T12:00Z"}),
    ]
    assert sum(details.get("tries", 1) for *_, details in found) == 200  # none is forgotten


@pytest.mark.django_db(transaction=True)
def test_failures_at_the_same_time_are_all_counted() -> None:
    User.objects.create_user("ada", is_staff=True)
    then = now()

    def fail_often(worker: int) -> None:
        try:
            for minute in range(3):
                fail("ada", "192.0.2.7", NOON + timedelta(minutes=minute))
                fail(f"nobody-{worker}", f"192.0.2.{worker}", NOON + timedelta(minutes=minute))
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(fail_often, range(6)))
    sum_up_sign_ins_job()
    assert not FailedSignIns.objects.exists()
    assert sum(details.get("tries", 1) for *_, details in after(then)) == 36


def test_behind_a_proxy_the_address_is_what_the_proxy_wrote(ada: User, settings: Settings) -> None:
    told = {"HTTP_X_FORWARDED_FOR": "198.51.100.66, 203.0.113.9", "REMOTE_ADDR": "10.0.0.2"}
    sign_in_page(Client(), "ada", PASSWORD, **told)
    assert last().address == "10.0.0.2"  # without a trusted proxy anybody could write the header
    settings.BEHIND_TLS_PROXY = True
    sign_in_page(Client(), "ada", PASSWORD, **told)
    assert last().address == "203.0.113.9"
    sign_in_page(Client(), "ada", PASSWORD, **{**told, "HTTP_X_FORWARDED_FOR": "nonsense"})
    assert last().address == "10.0.0.2"


# --- accounts, roles, permissions --------------------------------------------------------------------------


def test_what_is_booked_names_its_entry_and_stands_once() -> None:
    then = now()
    create_staff(username="ada", role="auditor", password=None, actor=ADMINISTRATOR, source=SOURCE)
    switch_account(username="ada", active=False, actor=ADMINISTRATOR, source=SOURCE, reason="left")
    assert after(then) == [
        ("administrator", "staff.created", "ada", {"username": "ada", "role": "auditor"}),
        ("administrator", "staff.disabled", "ada", {"username": "ada"}),
    ]
    entry = LedgerEntry.objects.get(kind="staff.disabled")
    assert (last().chain, last().seq, last().at) == (entry.chain, entry.seq, entry.at)


def test_changes_past_the_commands_are_seen_too(ada: User) -> None:
    then = now()
    ada.is_superuser = True
    ada.save()
    ada.set_password("another long password")
    ada.save()
    lead = Group.objects.get(name="support-lead")
    ada.groups.set([lead])
    lead.user_set.remove(ada)
    lead.user_set.add(ada)
    ada.groups.clear()
    ada.user_permissions.add(Permission.objects.get(codename="show_license_key"))
    Group.objects.get(name="auditor").permissions.add(Permission.objects.get(codename="create_license"))
    User.objects.create_user("eve", is_staff=True)
    ada.delete()
    assert after(then) == [
        ("command-line", "account.changed", "ada", {"is_superuser": [False, True]}),
        ("command-line", "account.password_set", "ada", {"how": "by its owner or an administrator"}),
        ("command-line", "account.role_taken", "ada", {"what": "auditor"}),
        ("command-line", "account.role_given", "ada", {"what": "support-lead"}),
        ("command-line", "account.role_taken", "ada", {"what": "support-lead"}),
        ("command-line", "account.role_given", "ada", {"what": "support-lead"}),
        ("command-line", "account.role_taken", "ada", {"what": "support-lead"}),
        ("command-line", "account.permission_given", "ada", {"what": "show_license_key"}),
        ("command-line", "role.permission_given", "auditor", {"what": "create_license"}),
        ("command-line", "account.made", "eve", {"is_active": True, "is_staff": True, "is_superuser": False}),
        ("command-line", "account.removed", "ada", {}),
    ]


def test_a_password_changed_on_the_page_is_told_without_it(ada: User, sign_in: SignIn) -> None:
    browser = Browser(ada)
    then = now()
    page = browser.get("/admin/password_change/")
    typed = {"old_password": PASSWORD, "new_password1": "yet another password", "new_password2": "yet another password"}
    page.send(page.form(), **typed)
    assert after(then) == [("ada", "account.password_set", "ada", {"how": "by its owner or an administrator"})]
    assert "password" not in str(last().details)


def test_a_change_that_is_undone_leaves_no_row(ada: User) -> None:
    then = now()
    ada.is_superuser = True
    with transaction.atomic():
        ada.save()
        assert after(then) == [("command-line", "account.changed", "ada", {"is_superuser": [False, True]})]
        transaction.set_rollback(True)
    assert after(then) == []


# --- keys, lists, settings ---------------------------------------------------------------------------------


def test_a_key_that_is_shown(license: LicenseCreated) -> None:
    then = now()
    show_license_key(license_id=license.license_id, actor=MANAGER, source=SOURCE, reason="the mail was lost")
    assert after(then) == [("manager", "license.key_shown", license.license_id, {"key_serial": 1})]
    assert license.license_key not in str(list(StaffEvent.objects.values_list("details", flat=True)))


def test_a_list_that_is_taken_out_with_the_address_of_who_did(license: LicenseCreated, sign_in: SignIn) -> None:
    browser, then = sign_in("auditor"), now()
    browser.client.post(
        "/admin/activations/license/export/", {"format": "csv", **_token(browser)}, REMOTE_ADDR="192.0.2.8"
    )
    made = LedgerCheckpoint.objects.get()  # every export belongs to one
    belongs = {"size": made.size, "root": made.root}
    said: dict[str, Any] = {"list": "Licenses", "filter": {}, "checkpoint": belongs, "format": "csv", "rows": 1}
    assert after(then) == [("auditor", "list.exported", "Licenses", said)]
    assert last().address == "192.0.2.8"


def _token(browser: Browser) -> dict[str, str]:
    return {"csrfmiddlewaretoken": browser.get("/admin/").form("/admin/logout/").fields["csrfmiddlewaretoken"]}


def test_a_setting_that_is_changed() -> None:
    then, text = now(), text_in_use(ReplyKind.DENIED)
    change_text(
        kind=text.kind, body=f"Hello!\n\n{text.body}", shown=0, actor=MANAGER, source=SOURCE, reason="friendlier"
    )
    ((actor, kind, subject, details),) = after(then)
    assert (actor, kind, subject) == ("manager", "reply_text.changed", "denied")
    assert set(details) == {"kind", "version", "sha256"}


# --- compared with the ledger ------------------------------------------------------------------------------


def problems() -> list[str]:
    return [problem for problem in verify_ledger(rebuild_check=True).problems if "staff trail" in problem]


def test_the_check_compares_each_row_with_its_entry(license: LicenseCreated) -> None:
    show_license_key(license_id=license.license_id, actor=MANAGER, source=SOURCE, reason="the mail was lost")
    assert problems() == []
    row, name = last(), f"staff trail of {license.license_id} entry 2"
    connection.check_constraints()  # PostgreSQL alters no table while its foreign keys wait to be checked
    for column, value in {
        "at": datetime(2031, 1, 1, tzinfo=UTC),
        "actor": "agent",
        "kind": "license.key_replaced",
        "subject": "LIC-OTHER",
        "details": {"key_serial": 2},
    }.items():
        with without_triggers(connection):
            before = getattr(row, column)
            StaffEvent.objects.filter(pk=row.pk).update(**{column: value})
            (problem,) = problems()
            assert problem.startswith(f"{name} {column}: the ledger says")
            StaffEvent.objects.filter(pk=row.pk).update(**{column: before})
    with without_triggers(connection):
        StaffEvent.objects.filter(pk=row.pk).update(seq=9)
        assert problems() == [
            f"{name}: the row is missing",
            f"staff trail of {license.license_id} entry 9: the ledger has no such entry",
        ]
        StaffEvent.objects.filter(pk=row.pk).update(chain="", seq=None)
        assert problems() == [
            f"{name}: the row is missing",
            f"staff trail row {row.pk}: names no entry of the ledger, and its kind has one",
        ]
        StaffEvent.objects.filter(pk=row.pk).delete()
        assert problems() == [f"{name}: the row is missing"]


def test_the_migration_tells_what_was_booked_before(license: LicenseCreated) -> None:
    show_license_key(license_id=license.license_id, actor=MANAGER, source=SOURCE, reason="the mail was lost")
    create_staff(username="ada", role="auditor", password=None, actor=ADMINISTRATOR, source=SOURCE)
    booked = StaffEvent.objects.exclude(chain="")
    before = sorted(booked.values_list("chain", "seq"))
    assert len(before) == 5  # three keys of the fixture, the License Key, the account
    connection.check_constraints()
    with without_triggers(connection):
        booked.delete()
    assert len(problems()) == 5
    import_module("activations.migrations.0007_staff_trail").tell_what_was_booked(
        apps, SimpleNamespace(connection=connection)
    )
    assert sorted(booked.values_list("chain", "seq")) == before
    assert problems() == []


# --- the page ----------------------------------------------------------------------------------------------


def test_the_page_tells_in_words_and_filters(license: LicenseCreated, ada: User, sign_in: SignIn) -> None:
    sign_in_page(Client(REMOTE_ADDR="192.0.2.7"), "ada", "wrong")
    ada.is_superuser = True
    ada.save()
    show_license_key(license_id=license.license_id, actor=MANAGER, source=SOURCE, reason="the mail was lost")
    browser = sign_in("auditor")
    page = browser.get("/admin/activations/staffevent/")
    for words in (
        "Staff trail",
        "Sign-in failed",
        "192.0.2.7",
        "superuser: no to yes",
        "License Key shown to a person",
    ):
        assert words in page.words
    page = browser.get("/admin/activations/staffevent/?kind=session.failed")
    assert "192.0.2.7" in page.words
    assert "superuser: no to yes" not in page.words
    page = browser.get("/admin/activations/staffevent/?q=192.0.2.7")
    assert "superuser: no to yes" not in page.words
    page = browser.get("/admin/activations/staffevent/?actor=manager")
    assert license.license_id in page.words
    shown = StaffEvent.objects.get(kind="license.key_shown")
    page = browser.get(f"/admin/activations/staffevent/{shown.pk}/change/")
    assert f"{license.license_id} 2" in page.words  # the entry, as a link
    assert "/admin/activations/ledgerentry/" in page.html


def test_an_agent_does_not_see_it(sign_in: SignIn) -> None:
    for name in ("agent", "lead", "manager"):
        assert sign_in(name).client.get("/admin/activations/staffevent/").status_code == 403


def test_every_kind_has_words() -> None:
    assert set(TITLES) == set(StaffKind)
    assert not {kind.value for kind in StaffKind} & {kind.value for kind in BOOKED}


def test_changed_contacts_are_told_without_names(license: LicenseCreated, sign_in: SignIn) -> None:
    """Mails go to contacts unasked: whoever changes one changes who is told."""
    manager = sign_in("manager")
    customer = License.objects.get().customer
    contact = Contact.objects.create(customer=customer, name="Ada", email="ada@acme-water.example")
    address = reverse("admin:activations_customer_change", args=[customer.pk])
    form = manager.get(address).form()
    manager.post(address, {**form.fields, "contacts-0-email": "eve@elsewhere.example"})
    contact.refresh_from_db()
    assert contact.email == "eve@elsewhere.example"
    row = StaffEvent.objects.filter(kind="contacts.changed").get()
    assert (row.actor, row.subject) == ("manager", "Acme Water")
    assert row.details == {"contacts_added": 0, "contacts_changed": 1, "customer_made": False}
    manager.post(address, form.fields | {"contacts-0-email": "eve@elsewhere.example"})
    assert StaffEvent.objects.filter(kind="contacts.changed").count() == 1  # nothing changed
