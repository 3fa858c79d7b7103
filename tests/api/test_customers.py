"""Customers over the API: read with their contacts, found by name, given contacts; made by their first license."""

from __future__ import annotations

import pytest

from activations.domain.scopes import Scope
from activations.domain.staff_trail import StaffKind
from activations.models import Contact, Customer, StaffEvent
from tests.api.calling import Caller, machine, person
from tests.portal.cast import make_license

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(signing_keys: None) -> Caller:
    return machine(Scope.READ_LICENSES)


@pytest.fixture
def customers(shop: Caller) -> list[int]:
    """Three, the oldest first."""
    for name in ("Acme Water", "Acme Power", "Beta_Mills"):
        make_license(customer=name)
    Contact.objects.create(customer=Customer.objects.get(name="Acme Water"), name="Plant", email="plant@acme.example")
    return list(Customer.objects.order_by("id").values_list("id", flat=True))


def test_one_customer_with_its_contacts(shop: Caller, customers: list[int]) -> None:
    answer = shop.get(f"/customers/{customers[0]}")
    row = Customer.objects.get(pk=customers[0])
    assert answer.json == {
        "id": row.pk,
        "name": "Acme Water",
        "contacts": [{"name": "Plant", "email": "plant@acme.example"}],
        "created_at": f"{row.created_at:%Y-%m-%dT%H:%M:%S.%fZ}",
    }
    tag = answer.headers["ETag"]
    assert shop.get(f"/customers/{row.pk}", headers={"If-None-Match": tag}).status == 304
    Contact.objects.update(email="pumps@acme.example")
    changed = shop.get(f"/customers/{row.pk}", headers={"If-None-Match": tag})
    assert (changed.status, changed["contacts"][0]["email"]) == (200, "pumps@acme.example")


def test_newest_first_and_by_name(shop: Caller, customers: list[int]) -> None:
    assert [each["id"] for each in shop.get("/customers")["results"]] == customers[::-1]
    assert [each["name"] for each in shop.get("/customers", search="acme")["results"]] == ["Acme Power", "Acme Water"]
    assert [each["name"] for each in shop.get("/customers", search="_")["results"]] == ["Beta_Mills"]
    assert [each["name"] for each in shop.get("/customers", name="Acme Water")["results"]] == ["Acme Water"]
    assert shop.get("/customers", name="acme water")["results"] == []
    assert shop.get("/customers", search="'; drop table")["results"] == []
    first = shop.get("/customers", page_size=2, search="c")
    assert [len(first["results"]), first["next"]] == [2, None]


def test_a_page_follows_while_customers_are_added(shop: Caller, customers: list[int]) -> None:
    first = shop.get("/customers", page_size=2)
    make_license(customer="Gamma Ports")
    second = shop.get(first["next"].split("/api/v1", 1)[1])
    assert [each["id"] for page in (first, second) for each in page["results"]] == customers[::-1]


@pytest.mark.parametrize("path", ["/customers/4711471147114711", f"/customers/{10**30}", "/customers/0"])
def test_who_is_not_there(shop: Caller, path: str) -> None:
    answer = shop.get(path)
    assert (answer.status, answer.code) == (404, "customer-unknown")


@pytest.mark.parametrize("path", ["/customers/acme", "/customers/-1", "/customers/1.5", "/customers/"])
def test_what_is_no_number_is_no_address(shop: Caller, path: str) -> None:
    answer = shop.get(path)
    assert (answer.status, answer.code) == (404, "not-found")


def test_a_contact_is_added_once(customers: list[int]) -> None:
    shop = machine(Scope.READ_LICENSES, Scope.CHANGE_LICENSES, name="shop-system")
    path = f"/customers/{customers[1]}/contacts"
    answer = shop.post(path, {"name": "Control room", "email": "room@acme.example"})
    assert (answer.status, answer.json) == (201, shop.get(f"/customers/{customers[1]}").json)
    assert answer["contacts"] == [{"name": "Control room", "email": "room@acme.example"}]
    again = shop.post(path, {"name": "Somebody else", "email": "room@acme.example"})
    assert (again.status, again["contacts"]) == (201, answer["contacts"])
    assert person("manager").post(path, {"email": "second@acme.example"})["contacts"][1]["name"] == ""
    told = StaffEvent.objects.filter(kind=StaffKind.CONTACTS_CHANGED).order_by("id").values_list("actor", flat=True)
    assert list(told) == ["token:shop-system", "manager"]


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({}, 400, "invalid"),
        ({"email": "no address"}, 400, "invalid"),
        ({"email": "a@b.example", "phone": "1"}, 400, "invalid"),
        ({"email": "a@b.example", "name": "\u202eevil"}, 422, "contact-unfit"),
    ],
)
def test_a_contact_that_is_not_taken(customers: list[int], sent: dict[str, str], status: int, code: str) -> None:
    shop = machine(Scope.CHANGE_LICENSES, name="shop-system")
    answer = shop.post(f"/customers/{customers[1]}/contacts", sent)
    assert (answer.status, answer.code) == (status, code), answer
    unknown = shop.post("/customers/4711471147114711/contacts", {"email": "a@b.example"})
    assert (unknown.status, unknown.code) == (404, "customer-unknown")
    assert Contact.objects.count() == 1


def test_customers_are_made_and_changed_nowhere_here(shop: Caller, customers: list[int]) -> None:
    for caller in (shop, person("manager")):
        for answer in (
            caller.post("/customers", {"name": "Delta"}),
            caller.patch(f"/customers/{customers[0]}", {"name": "Delta"}),
        ):
            assert (answer.status, answer.code) == (405, "method-not-allowed")
            assert "GET" in answer.headers["Allow"]
    assert Customer.objects.count() == 3
