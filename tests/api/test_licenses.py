"""Licenses over the API: created on purchase, changed, suspended, revoked; each with its exact ledger entries."""

from __future__ import annotations

import pytest
from chariot_license.protocol.codes import format_public_id

from activations.domain.scopes import Scope
from activations.models import Contact, LedgerEntry, License, StaffEvent
from activations.services.licenses import LicenseCreated
from tests.api.calling import Caller, machine, person
from tests.portal.cast import entries, license_row, occupied

PURCHASE = {
    "customer": "Acme Water",
    "allowed": 2,
    "features": [{"code": "mqtt-server", "expires": None}, {"code": "mqtt-server-support", "expires": "2099-12-31"}],
}
ACTOR = "token:purchase-system"

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(signing_keys: None) -> Caller:
    return machine(Scope.READ_LICENSES, Scope.CREATE_LICENSES, Scope.CHANGE_LICENSES)


def test_a_purchase_creates_a_license_and_gives_its_key_once(shop: Caller) -> None:
    answer = shop.post("/licenses", PURCHASE)
    assert answer.status == 201, answer
    license = answer["license"]
    assert answer["license_key"].startswith("CHARIOT") or len(answer["license_key"]) > 20
    assert answer.headers["Location"] == f"/api/v1/licenses/{license['license_id']}"
    assert (license["allowed"], license["occupied"], license["free"], license["online"]) == (2, 0, 2, False)
    assert license["features"] == PURCHASE["features"]
    assert entries(license["license_id"]) == [(1, ACTOR, "license.created", "")]
    again = shop.get(f"/licenses/{license['license_id']}")
    assert again.json == license
    assert "key" not in again.text.replace("key_serial", "")
    assert again.headers["ETag"] == answer.headers["ETag"]


def test_wrong_input_names_each_place(shop: Caller) -> None:
    answer = shop.post("/licenses", {"customer": "", "allowed": "many", "features": [{"code": "x", "expiry": "1"}]})
    assert (answer.status, answer.code) == (400, "invalid")
    assert {each["pointer"] for each in answer["errors"]} == {"/customer", "/allowed", "/features/0/expiry"}
    assert License.objects.count() == 0


def test_a_rule_answers_with_its_own_code(shop: Caller) -> None:
    answer = shop.post("/licenses", {**PURCHASE, "features": [{"code": "warp-drive"}]})
    assert (answer.status, answer.code) == (422, "feature-unknown")


def test_what_is_not_there_is_a_404(shop: Caller) -> None:
    typo = shop.get("/licenses/LIC-7K2Q-9M4T-XR8D-VBNA-A")
    assert (typo.status, typo.code) == (422, "license-id-typo")
    assert shop.get(f"/licenses/{format_public_id('LIC', bytes(10))}").code == "license-unknown"
    assert shop.get("/licenses").status == 200
    assert shop.get("/nothing").code == "not-found"


def test_a_change_needs_what_it_was_made_from(shop: Caller, license: LicenseCreated) -> None:
    path = f"/licenses/{license.license_id}"
    change = {"allowed": 4, "reason": "Order 4711"}
    assert shop.patch(path, change).code == "if-match-missing"
    seen = shop.get(path).headers["ETag"]
    answer = shop.patch(path, change, If_Match=seen)
    assert (answer.status, answer["license"]["allowed"], answer["changes"]) == (200, 4, ["license.allowed_changed"])
    stale = shop.patch(path, {"allowed": 5, "reason": "Order 4712"}, If_Match=seen)
    assert (stale.status, stale.code) == (412, "changed-meanwhile")
    assert license_row(license.license_id).allowed == 4
    assert entries(license.license_id, after=1) == [(2, ACTOR, "license.allowed_changed", "Order 4711")]
    assert shop.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status == 304


def test_terms_status_and_owner_change(shop: Caller, license: LicenseCreated) -> None:
    path = f"/licenses/{license.license_id}"
    support = [{"code": "mqtt-server", "expires": None}, {"code": "mqtt-server-support", "expires": "2099-12-31"}]
    assert shop.patch(path, {"features": support, "reason": "Support bought"}, If_Match="*").status == 200
    assert shop.post(f"{path}/suspend", {"reason": "Unpaid"})["license"]["status"] == "suspended"
    assert shop.post(f"{path}/suspend", {"reason": "Unpaid"}).status == 409
    assert shop.post(f"{path}/reinstate", {"reason": "Paid"})["license"]["status"] == "active"
    moved = shop.patch(path, {"customer": "Acme Power", "reason": "Sold"}, If_Match="*")
    assert moved["license"]["customer"]["name"] == "Acme Power"
    assert moved["license_key"] not in (None, license.license_key)
    replaced = shop.post(f"{path}/replace-key", {"reason": "Leaked"})
    assert replaced["license"]["key_serial"] == 3
    assert shop.post(f"{path}/revoke", {"reason": "Returned"})["license"]["status"] == "revoked"
    assert [(actor, kind) for _, actor, kind, _ in entries(license.license_id, after=1)] == [
        (ACTOR, "license.terms_changed"),
        (ACTOR, "license.suspended"),
        (ACTOR, "license.reinstated"),
        (ACTOR, "license.transferred"),
        (ACTOR, "license.key_replaced"),
        (ACTOR, "license.key_replaced"),
        (ACTOR, "license.revoked"),
    ]


def test_lists_are_paged_and_filtered(shop: Caller) -> None:
    for number in range(5):
        shop.post("/licenses", {**PURCHASE, "customer": f"Customer {number % 2}"})
    first = shop.get("/licenses", page_size=2)
    assert len(first["results"]) == 2
    seen = [each["license_id"] for each in first["results"]]
    page = first
    while page["next"]:
        page = shop.get(page["next"].split("/api/v1", 1)[1])
        seen += [each["license_id"] for each in page["results"]]
    assert len(seen) == len(set(seen)) == 5
    customer = shop.get("/customers", name="Customer 1")["results"][0]
    assert len(shop.get("/licenses", customer=customer["id"])["results"]) == 2
    assert shop.get("/licenses", status="perfect").code == "invalid"
    assert shop.get("/customers/4711471147114711").code == "customer-unknown"
    assert shop.get("/licenses", customer="x").code == "invalid"


def test_a_manager_who_is_signed_in_does_the_same(license: LicenseCreated) -> None:
    manager = person("manager")
    answer = manager.post(f"/licenses/{license.license_id}/suspend", {"reason": "Unpaid"})
    assert answer.status == 200, answer
    assert entries(license.license_id, after=1) == [(2, "manager", "license.suspended", "Unpaid")]
    agent = person("agent").post(f"/licenses/{license.license_id}/revoke", {"reason": "No"})
    assert (agent.status, agent.code) == (403, "not-allowed")
    assert occupied(license.license_id) == 0


def test_a_purchase_names_whom_to_email(shop: Caller) -> None:
    contact = {"name": "Ops", "email": "ops@acme.example"}
    for _ in range(2):
        answer = shop.post("/licenses", {**PURCHASE, "contact": contact})
        assert answer.status == 201, answer
    customer = shop.get(f"/customers/{answer['license']['customer']['id']}")
    assert customer["contacts"] == [contact]
    assert StaffEvent.objects.filter(kind="contacts.changed", actor=ACTOR).count() == 1
    assert "ops@acme.example" not in "".join(LedgerEntry.objects.values_list("body", flat=True))
    more = shop.post(f"/customers/{customer['id']}/contacts", {"email": "second@acme.example"})
    assert [each["email"] for each in more["contacts"]] == ["ops@acme.example", "second@acme.example"]
    assert shop.post("/customers/4711/contacts", contact).code == "customer-unknown"
    wrong = shop.post("/licenses", {**PURCHASE, "customer": "New one", "contact": {"email": "nobody"}})
    assert [each["pointer"] for each in wrong["errors"]] == ["/contact/email"]


def test_a_license_whose_contact_cannot_be_taken_is_not_made(shop: Caller) -> None:
    before = License.objects.count()
    key_like = {"name": "x\u202ey", "email": "ops@acme.example"}
    assert shop.post("/licenses", {**PURCHASE, "contact": key_like}).status == 422
    assert License.objects.count() == before


def test_whom_to_email_of_a_known_customer_is_not_for_who_only_creates(
    signing_keys: None, license: LicenseCreated
) -> None:
    """A create-only token could lead the notices of any customer to itself."""
    shop = machine(Scope.READ_LICENSES, Scope.CREATE_LICENSES, name="create-only")
    contact = {"email": "ops@new.example"}
    new = shop.post("/licenses", {**PURCHASE, "customer": "New Water", "contact": contact})
    assert new.status == 201, new
    again = shop.post("/licenses", {**PURCHASE, "customer": "New Water", "contact": contact})
    assert again.status == 201, "one that the customer has already changes nothing"
    before = License.objects.count()
    other = shop.post("/licenses", {**PURCHASE, "contact": {"email": "me@elsewhere.example"}})
    assert (other.status, other.code) == (403, "not-allowed")
    assert License.objects.count() == before
    assert not Contact.objects.filter(email="me@elsewhere.example").exists()


def test_a_license_id_in_a_filter_is_read_as_anywhere(shop: Caller, license: LicenseCreated) -> None:
    reader = machine(Scope.READ_LICENSES, Scope.READ_REQUESTS, Scope.READ_LEDGER, name="reader")
    typed = license.license_id.lower().replace("-", " ")
    for path, name in (
        ("/activations", "license_id"),
        ("/usage-requests", "license_id"),
        ("/restorations", "license_id"),
    ):
        assert reader.get(path, **{name: typed}).status == 200
        assert (answer := reader.get(path, **{name: "LIC-1"})).status == 422, answer
    assert len(reader.get("/ledger/entries", chain=typed)["results"]) == 1
    assert reader.get("/ledger/entries", chain="portal").status == 200
    assert reader.get("/ledger/entries", chain="LIC-1").status == 422
