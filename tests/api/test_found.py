"""What trying the API against its own document found (`bench.api_schema`, tests/system/test_api_schema.py)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse

from activations.domain.scopes import Scope
from activations.services.booking import iso
from activations.services.licenses import LicenseCreated
from tests.api.calling import Answer, Caller, machine

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(signing_keys: None, license: LicenseCreated) -> Caller:
    return machine(Scope.READ_LICENSES, Scope.READ_LEDGER)


@pytest.mark.parametrize("path", ["/api/v1/customers/-1/contacts", "/api/v1/nothing"])
def test_a_wrong_address_is_no_old_form(reader: Caller, path: str) -> None:
    """With CSRF checks as in production, which answered with a page for people."""
    client = Client(enforce_csrf_checks=True)
    answer = Answer(client.post(path, {}, content_type="application/json", headers=reader.headers))
    assert (answer.status, answer.code) == (404, "not-found")


@pytest.mark.parametrize("path", ["/licenses?status=", "/licenses?customer=", "/ledger/entries?until="])
def test_an_empty_filter_does_not_show_everything(reader: Caller, path: str) -> None:
    answer = reader.get(path)
    assert (answer.status, answer.code) == (400, "invalid")


@pytest.mark.parametrize(("size", "status"), [("200", 200), ("201", 400)])
def test_a_page_has_200_rows_at_most(reader: Caller, size: str, status: int) -> None:
    assert reader.get("/customers", page_size=size).status == status


def test_times_before_the_year_1000_have_four_digits_too(reader: Caller) -> None:
    """The job of an export could not read its own `until` again."""
    assert iso(datetime(8, 3, 22, 12, 3, 17, 431038, tzinfo=UTC)) == "0008-03-22T12:03:17.431038Z"
    answer = reader.post("/ledger/exports", {"until": "0008-03-22T12:03:17.431038Z"})
    assert (answer.status, answer["until"]) == (202, "0008-03-22T12:03:17.431038Z")


def test_an_address_with_a_line_end_is_answered_by_a_problem() -> None:
    answer = Caller().get("/ledger/entries/a%0Ab/-1")
    assert (answer.status, answer.code) == (404, "not-found")
    assert reverse("admin:index") == "/admin/"  # a pattern that cannot be turned round would break every page
