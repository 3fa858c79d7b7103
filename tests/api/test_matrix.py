"""Every operation of the API times every role and every scope. An operation without a row, or a row without an
operation, fails the test.

Reading is global: no token belongs to a customer, as no member of staff does, so whoever may read licenses reads those
of all customers. What limits a token is its scopes, and a token with none of them sees nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern
from drf_spectacular.generators import SchemaGenerator

from activations.api.urls import urlpatterns
from activations.domain.scopes import Scope
from activations.models import ApiToken, Job
from activations.services.actors import switch_account
from activations.services.jobs import ledger_export
from activations.services.licenses import LicenseCreated
from tests.api.calling import ROOT, Answer, Caller, all_scopes, made_token, person, staff_account
from tests.api.situations import activation_on, open_case, running, table_sizes
from tests.portal.cast import ADMINISTRATOR, AUDITOR, SOURCE, make_license
from tests.portal.test_checkpoints import checkpoint

pytestmark = pytest.mark.django_db

PEOPLE = ("agent", "lead", "manager", "auditor", "administrator")
EVERYBODY = "agent lead manager auditor administrator"
DESK, LEADS, MANAGERS, READERS = "agent lead", "lead", "manager", "lead manager auditor administrator"


@dataclass(frozen=True)
class Row:
    """Who passes: the cast by name, tokens by the one scope they need (none: no token does). `books`: whether a call
    needs an Idempotency-Key. `open`: needs no token at all.
    """

    people: str = ""
    scope: str = ""
    books: bool = False
    open: bool = False


MATRIX: dict[str, Row] = {
    "customers_list": Row(EVERYBODY, "licenses:read"),
    "customers_get": Row(EVERYBODY, "licenses:read"),
    "customers_add_contact": Row(MANAGERS, "licenses:change", books=True),
    "licenses_list": Row(EVERYBODY, "licenses:read"),
    "licenses_get": Row(EVERYBODY, "licenses:read"),
    "licenses_create": Row(MANAGERS, "licenses:create", books=True),
    "licenses_change": Row(MANAGERS, "licenses:change", books=True),
    "licenses_suspend": Row(MANAGERS, "licenses:change", books=True),
    "licenses_reinstate": Row(MANAGERS, "licenses:change", books=True),
    "licenses_revoke": Row(MANAGERS, "licenses:change", books=True),
    "licenses_replace_key": Row(MANAGERS, "licenses:change", books=True),
    "usage_requests_list": Row(EVERYBODY, "requests:read"),
    "usage_requests_get": Row(EVERYBODY, "requests:read"),
    "usage_requests_dry_run": Row(DESK, "requests:submit"),
    "usage_requests_submit": Row(DESK, "requests:submit", books=True),
    "activations_list": Row(EVERYBODY, "licenses:read"),
    "activations_get": Row(EVERYBODY, "licenses:read"),
    "activations_mark_lost": Row(DESK, "activations:mark-lost", books=True),
    "deactivations_create": Row(DESK, "activations:deactivate", books=True),
    "restorations_list": Row(EVERYBODY, "licenses:read"),
    "restorations_get": Row(EVERYBODY, "licenses:read"),
    "restorations_request": Row(DESK, "restorations:request", books=True),
    "restorations_approve": Row(LEADS, books=True),
    "restorations_deny": Row(LEADS, books=True),
    "ledger_entries_list": Row(READERS, "ledger:read"),
    "ledger_entries_get": Row(READERS, "ledger:read"),
    "ledger_checkpoints_list": Row(READERS, "ledger:read"),
    "ledger_checkpoints_get": Row(READERS, "ledger:read"),
    "ledger_prove_inclusion": Row(READERS, "ledger:read"),
    "ledger_prove_consistency": Row(READERS, "ledger:read"),
    "ledger_exports_list": Row(READERS, "ledger:read"),
    "ledger_exports_create": Row(READERS, "ledger:read", books=True),
    "ledger_exports_get": Row(READERS, "ledger:read"),
    "ledger_exports_file": Row(READERS, "ledger:read"),
    # What was cancelled is cancelled: sent again it books nothing, and needs no key for that.
    "ledger_exports_cancel": Row(READERS, "ledger:read"),
    "as_of_license": Row(READERS, "ledger:read"),
    "as_of_licenses": Row(READERS, "ledger:read"),
    "online_usage_request": Row(open=True),
}
# Not operations of the document: the document itself, its page, and the answer to every address that is none.
NO_OPERATIONS = {"v1/openapi.json", "v1/docs", r"^[\s\S]*$"}


@dataclass(frozen=True)
class Operation:
    """One of the document: GET /licenses/{license_id}, for example."""

    name: str
    method: str
    path: str
    described: dict[str, Any]

    @property
    def needs_key(self) -> bool:
        return any(each["name"] == "Idempotency-Key" for each in self.described.get("parameters", ()))


def operations() -> list[Operation]:
    document = SchemaGenerator().get_schema(request=None, public=True)
    return [
        Operation(told["operationId"], method.upper(), path, told)
        for path, methods in document["paths"].items()
        for method, told in methods.items()
    ]


def patterns() -> Iterator[tuple[str, str, Any]]:
    """Method, address as the document writes it, and the function that answers, of every pattern that is one."""
    for pattern in urlpatterns:
        assert isinstance(pattern, URLPattern)
        view: Any = pattern.callback
        address = str(pattern.pattern)
        if address in NO_OPERATIONS:
            continue
        for kind in ("str", "int"):
            address = address.replace(f"<{kind}:", "{")
        address = "/api/" + address.replace(">", "}")
        actions = getattr(view, "actions", None) or {
            name: name for name in ("get", "post", "patch", "put", "delete") if hasattr(view.cls, name)
        }
        for method, action in actions.items():
            if method != "head":
                yield method.upper(), address, getattr(view.cls, action)


# --- the table is whole -----------------------------------------------------------------------------------


def test_every_operation_has_a_row_and_every_row_an_operation() -> None:
    names = [each.name for each in operations()]
    assert sorted(names) == sorted(set(names))
    assert set(names) == set(MATRIX)


def test_the_document_has_every_address_and_no_other() -> None:
    assert {(method, path) for method, path, _ in patterns()} == {(each.method, each.path) for each in operations()}


def test_what_books_takes_an_idempotency_key() -> None:
    """In the document, in the code, and by the row; reading takes none."""
    guarded = {(method, path): getattr(does, "books_once", False) for method, path, does in patterns()}
    for each in operations():
        row = MATRIX[each.name]
        assert (each.needs_key, guarded[each.method, each.path]) == (row.books, row.books), each.name
        # The rest writes nothing, or says above why it needs no key.
        without_key = each.name in {"usage_requests_dry_run", "ledger_exports_cancel", "online_usage_request"}
        assert row.books or each.method == "GET" or without_key, each.name


def test_every_scope_opens_something() -> None:
    assert {row.scope for row in MATRIX.values() if row.scope} == {scope.value for scope in Scope}


def test_the_document_says_who_may() -> None:
    for each in operations():
        row = MATRIX[each.name]
        token = [{"token": [row.scope]}] if row.scope else []
        assert each.described["security"] == ([{}] if row.open else [*token, {"session": []}]), each.name
        assert {"401", "403"} <= set(each.described["responses"]) or row.open


# --- who gets in ------------------------------------------------------------------------------------------


@pytest.fixture
def arguments(license: LicenseCreated) -> dict[str, object]:
    """One of each thing that an address can name, and what the proofs need."""
    running(license, "pump-house")
    case = open_case(license, "shed")
    made = checkpoint()
    agent = person("agent")
    job = ledger_export.ask_for_export(format="jsonl", license_id=None, until=None, actor=AUDITOR, source=SOURCE)
    assert isinstance(job, Job), job
    return {
        "license_id": license.license_id,
        "customer_id": agent.get("/customers")["results"][0]["id"],
        "request_id": agent.get("/usage-requests")["results"][0]["request_id"],
        "activation_id": activation_on("pump-house"),
        "restoration_id": case,
        "chain": license.license_id,
        "seq": 1,
        "size": made.size,
        "export_id": job.pk,
    }


Call = Callable[[Caller, Operation], Answer]


@pytest.fixture
def call(arguments: dict[str, object]) -> Call:
    """Calls an operation with an empty body: whoever may is told what is missing, and nothing is booked."""

    def called(caller: Caller, operation: Operation) -> Answer:
        path = operation.path.removeprefix(ROOT).format(**arguments)
        if operation.method == "GET":
            return caller.get(path)
        if operation.method == "DELETE":
            return Answer(caller.client.delete(ROOT + path, headers=caller.headers))
        send: Callable[..., Answer] = getattr(caller, operation.method.lower())
        if operation.name == "ledger_exports_create":  # an empty body asks for the whole ledger
            return send(path, {"format": "none"})
        return send(path, {})

    return called


# What an allowed call ends with: it was read, or the own export cancelled, or its empty body was looked at, or what it
# names is somebody else's.
PASSED = {200, 204, 400, 404, 409}


def outcome(answer: Answer) -> str:
    """ "passes", or the status and code of the problem that kept the caller out."""
    if answer.status in (401, 403):
        return f"{answer.status} {answer.code}"
    assert answer.status in PASSED, answer
    return "passes"


def judged(caller: Caller, call: Call, expected: Callable[[Row], str]) -> list[str]:
    """What came out otherwise than expected, one line an operation."""
    wrong = []
    for each in operations():
        row = MATRIX[each.name]
        want = "passes" if row.open else expected(row)
        got = outcome(call(caller, each))
        if got != want:
            wrong.append(f"{each.name}: {got}, not {want}")
    return wrong


@pytest.fixture
def nothing_written(arguments: dict[str, object]) -> Iterator[None]:
    """Whoever called, no table grew but that of the accounts and tokens that called."""
    own = {
        "activations.LedgerEntry",
        "activations.LedgerUncovered",
        "activations.LedgerChain",
        "activations.ApiToken",
        "activations.StaffEvent",
        "auth.User",
        "auth.User_groups",
        "sessions.Session",
    }
    before = table_sizes()
    yield
    after = table_sizes()
    grown = {name for name in after if after[name] != before.get(name)}
    assert grown <= own, grown


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.usefixtures("nothing_written")
def test_staff(name: str, call: Call) -> None:
    caller = person(name)
    assert judged(caller, call, lambda row: "passes" if name in row.people.split() else "403 not-allowed") == []


@pytest.mark.parametrize("scope", [scope.value for scope in Scope])
@pytest.mark.usefixtures("nothing_written")
def test_a_token_with_one_scope(scope: str, call: Call) -> None:
    caller = Caller(made_token(Scope(scope)).token)
    assert judged(caller, call, lambda row: "passes" if row.scope == scope else "403 not-allowed") == []


@pytest.mark.usefixtures("nothing_written")
def test_a_token_with_every_scope(call: Call) -> None:
    """It does all but what a person decides, whoever answers for it."""
    caller = Caller(made_token(*all_scopes(), owner="lead").token)
    assert judged(caller, call, lambda row: "passes" if row.scope else "403 not-allowed") == []


@pytest.mark.usefixtures("nothing_written")
def test_a_token_for_nothing_sees_nothing(call: Call) -> None:
    """Such as one whose scopes a later release took away."""
    caller = Caller(made_token(Scope.READ_LICENSES).token)
    for scopes in ([], ["licenses:everything"], ["*"]):
        ApiToken.objects.update(scopes=scopes)
        assert judged(caller, call, lambda row: "403 not-allowed") == []


@pytest.mark.usefixtures("nothing_written")
def test_an_account_without_a_role(call: Call) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_user("nobody", is_staff=True))
    assert judged(Caller(client=client), call, lambda row: "403 not-allowed") == []


@pytest.mark.usefixtures("nothing_written")
def test_an_account_that_is_no_staff(call: Call) -> None:
    """Even one that a role was given by mistake."""
    user = staff_account("lead")
    User.objects.filter(pk=user.pk).update(is_staff=False)
    client = Client(raise_request_exception=False)
    client.force_login(user)
    assert judged(Caller(client=client), call, lambda row: "403 not-allowed") == []


@pytest.mark.usefixtures("nothing_written")
def test_a_disabled_account(call: Call) -> None:
    """From its next request on, though its session is open still."""
    caller = person("lead")
    assert caller.get("/licenses").status == 200
    switch_account(username="lead", active=False, actor=ADMINISTRATOR, source=SOURCE, reason="left us")
    assert judged(caller, call, lambda row: "401 not-authenticated") == []


@pytest.mark.usefixtures("nothing_written")
def test_nobody(call: Call) -> None:
    assert judged(Caller(), call, lambda row: "401 not-authenticated") == []


def test_reading_is_global(license: LicenseCreated) -> None:
    """A token reads the licenses of all customers; there is no token of a customer."""
    other = make_license(customer="Beta Mills")
    reader = Caller(made_token(Scope.READ_LICENSES).token)
    assert {each["license_id"] for each in reader.get("/licenses")["results"]} == {
        license.license_id,
        other.license_id,
    }
    assert {each["name"] for each in reader.get("/customers")["results"]} == {"Acme Water", "Beta Mills"}
    assert not {field.name for field in ApiToken._meta.get_fields()} & {"customer", "customers", "license"}
