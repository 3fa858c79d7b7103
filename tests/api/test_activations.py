"""Activations over the API: listed, freed by a deactivation code, marked as lost; with their exact ledger entries."""

from __future__ import annotations

import pytest
from chariot_license.protocol.codes import format_public_id

from activations.domain.scopes import Scope
from activations.models import Activation, Customer
from activations.services.licenses import LicenseCreated
from tests.api.calling import Caller, machine, person
from tests.api.situations import activation_on, lost, open_case, running, table_sizes
from tests.portal.cast import answered, entries, length, make_license, occupied
from tests.portal.chariot import Chariot, host

ACTOR = "token:plant-system"
NOBODYS = format_public_id("ACT", bytes(10))

pytestmark = pytest.mark.django_db


@pytest.fixture
def plant(signing_keys: None) -> Caller:
    return machine(Scope.READ_LICENSES, Scope.DEACTIVATE, Scope.MARK_LOST, name="plant-system")


def new_kinds(license: LicenseCreated, after: int) -> list[tuple[str, str, str]]:
    return [entry[1:] for entry in entries(license.license_id, after=after)]


# --- reading ----------------------------------------------------------------------------------------------


def test_one_activation(plant: Caller, license: LicenseCreated) -> None:
    chariot = running(license, "pump-house")
    row = Activation.objects.get()
    answer = plant.get(f"/activations/{row.activation_id}")
    assert chariot.installed is not None
    assert answer.json == {
        "activation_id": row.activation_id,
        "license_id": license.license_id,
        "state": "active",
        "seat": 1,
        "instance": chariot.name,
        "hostname": "pump-house",
        "container": "",
        "version": chariot.version,
        "usage_license_id": row.usage_license.usage_license_id,  # type: ignore[union-attr]
        "created_at": f"{row.created_at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "changed_at": f"{row.changed_at:%Y-%m-%dT%H:%M:%S.%fZ}",
    }
    tag = answer.headers["ETag"]
    assert plant.get(f"/activations/{row.activation_id}", headers={"If-None-Match": tag}).status == 304
    assert plant.get(f"/activations/{row.activation_id.lower()}").json == answer.json


def test_the_list_is_filtered_and_paged(plant: Caller, license: LicenseCreated) -> None:
    other = make_license(customer="Beta Mills", allowed=2)
    running(license, "pump-house")
    lost(license, "shed")
    running(other, "mill").deactivate()
    beta = Customer.objects.get(name="Beta Mills").pk

    def hosts(**asked: object) -> list[str]:
        return [each["hostname"] for each in plant.get("/activations", **asked)["results"]]

    assert hosts() == ["mill", "shed", "pump-house"]
    assert hosts(license_id=license.license_id) == ["shed", "pump-house"]
    assert hosts(license_id=license.license_id, state="lost") == ["shed"]
    assert hosts(customer=beta) == ["mill"]
    assert hosts(state="deactivated") == []
    page = plant.get("/activations", page_size=1, license_id=license.license_id)
    rest = plant.get(page["next"].split("/api/v1", 1)[1])
    assert [each["hostname"] for each in rest["results"]] == ["pump-house"]
    for wrong in ({"state": "gone"}, {"customer": "Beta"}, {"customer": 0}, {"hostname": "mill"}, {"page_size": 0}):
        answer = plant.get("/activations", **wrong)
        assert (answer.status, answer.code) == (400, "invalid")
        assert {each["pointer"] for each in answer["errors"]} == {f"/{name}" for name in wrong}


def test_what_is_not_there_and_what_is_mistyped(plant: Caller) -> None:
    assert (plant.get(f"/activations/{NOBODYS}").status, plant.get(f"/activations/{NOBODYS}").code) == (
        404,
        "activation-unknown",
    )
    typo = plant.get(f"/activations/{NOBODYS[:-1]}7")
    assert (typo.status, typo.code) == (422, "activation-id-typo")


# --- deactivation codes -----------------------------------------------------------------------------------


def test_a_code_frees_the_seat_once(plant: Caller, license: LicenseCreated) -> None:
    chariot = running(license, "pump-house")
    code, before = chariot.deactivate(), length(license.license_id)
    sent = {"license_id": license.license_id, "code": code}

    first = plant.post("/deactivations", sent)

    assert first.status == 200, first
    assert (first["effect"], first["activation_id"]) == ("freed", activation_on("pump-house"))
    assert (first["license_id"], set(first.json or ())) == (
        license.license_id,
        {"license_id", "activation_id", "effect", "message"},
    )
    assert occupied(license.license_id) == 0
    assert new_kinds(license, before) == [(ACTOR, "activation.deactivated", "")]
    second = plant.post("/deactivations", {**sent, "code": f" {code.lower()} "})
    assert (second.status, second["effect"], second["activation_id"]) == (200, "repeated", first["activation_id"])
    assert length(license.license_id) == before + 1


def test_a_reason_goes_with_it_into_the_ledger(plant: Caller, license: LicenseCreated) -> None:
    code, before = running(license, "pump-house").deactivate(), length(license.license_id)
    plant.post("/deactivations", {"license_id": license.license_id, "code": code, "reason": "Moved."})
    assert new_kinds(license, before) == [(ACTOR, "activation.deactivated", "Moved.")]


def test_a_code_of_a_lost_host_frees_its_seat_and_closes_its_case(plant: Caller, license: LicenseCreated) -> None:
    chariot = running(license, "pump-house")
    activation = activation_on("pump-house")
    assert plant.post(f"/activations/{activation}/mark-lost", {"reason": "Gone."}).status == 200
    case = person("agent").post("/restorations", {"activation_id": activation, "reason": "Gone."})["restoration_id"]
    before = length(license.license_id)

    answer = plant.post("/deactivations", {"license_id": license.license_id, "code": chariot.deactivate()})

    assert answer["effect"] == "freed"
    assert plant.get(f"/restorations/{case}")["state"] == "closed"
    assert {each[0] for each in new_kinds(license, before)} == {ACTOR}
    assert occupied(license.license_id) == 0


def test_codes_that_are_not_taken(plant: Caller, license: LicenseCreated) -> None:
    chariot = running(license, "pump-house")
    chariot.install(answered(chariot.request()))
    other, code = make_license(customer="Beta Mills"), chariot.snapshot().deactivate()
    sizes = table_sizes()
    typo = code[:-1] + ("0" if code[-1] != "0" else "1")
    for license_id, given, status, why in (
        (license.license_id, typo, 422, "deactivation-code-typo"),
        (license.license_id, code[:-6], 422, "deactivation-code-length"),
        (other.license_id, code, 409, "code-unknown"),
        (format_public_id("LIC", bytes(10)), code, 404, "license-unknown"),
        ("LIC-1", code, 422, "license-id-length"),
    ):
        answer = plant.post("/deactivations", {"license_id": license_id, "code": given})
        assert (answer.status, answer.code) == (status, why), answer
        assert code not in answer.text
    assert table_sizes() == sizes
    assert occupied(license.license_id) == 1


def test_an_older_code_does_not_free_what_was_activated_since(plant: Caller, license: LicenseCreated) -> None:
    chariot = running(license, "pump-house")
    code = chariot.deactivate()
    sent = {"license_id": license.license_id, "code": code}
    assert plant.post("/deactivations", sent)["effect"] == "freed"
    chariot.install(answered(chariot.request()))
    assert plant.post("/deactivations", sent)["effect"] == "repeated"
    assert occupied(license.license_id) == 1


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"code": "x"}, "/license_id"),
        ({"license_id": "x"}, "/code"),
        ({"license_id": "x", "code": "y" * 401}, "/code"),
        ({"license_id": "x", "code": "y", "effect": "freed"}, "/effect"),
        ({"license_id": "x", "code": "y", "reason": "z" * 2001}, "/reason"),
        ({"license_id": "x", "code": {"is": "y"}}, "/code"),
    ],
)
def test_a_body_of_another_shape(plant: Caller, sent: object, pointer: str) -> None:
    answer = plant.post("/deactivations", sent)
    assert (answer.status, answer.code) == (400, "invalid")
    assert [each["pointer"] for each in answer["errors"]] == [pointer]


def test_a_secret_in_the_reason_is_refused(plant: Caller, license: LicenseCreated) -> None:
    code = running(license, "pump-house").deactivate()
    sent = {"license_id": license.license_id, "code": code, "reason": f"It showed {code}"}
    answer = plant.post("/deactivations", sent)
    assert (answer.status, answer.code) == (422, "reason-holds-code")
    key = plant.post("/deactivations", {**sent, "reason": f"Key {license.license_key}"})
    assert (key.status, key.code) == (422, "reason-holds-key")
    assert license.license_key not in key.text
    assert occupied(license.license_id) == 1


# --- lost hosts -------------------------------------------------------------------------------------------


def test_a_host_that_is_gone_keeps_its_seat(plant: Caller, license: LicenseCreated) -> None:
    running(license, "pump-house")
    activation, before = activation_on("pump-house"), length(license.license_id)

    answer = plant.post(f"/activations/{activation}/mark-lost", {"reason": "Burned down."})

    assert (answer.status, answer["state"], answer["seat"]) == (200, "lost", 1)
    assert answer.headers["ETag"] == plant.get(f"/activations/{activation}").headers["ETag"]
    assert new_kinds(license, before) == [(ACTOR, "activation.lost", "Burned down.")]
    again = plant.post(f"/activations/{activation}/mark-lost", {"reason": "Burned down."})
    assert (again.status, again.code) == (409, "not-active")
    assert (occupied(license.license_id), length(license.license_id)) == (1, before + 1)


def test_marked_from_what_was_seen(plant: Caller, license: LicenseCreated) -> None:
    chariot = running(license, "pump-house")
    path = f"/activations/{activation_on('pump-house')}"
    seen = plant.get(path).headers["ETag"]
    chariot.install(answered(chariot.request()))
    stale = plant.post(f"{path}/mark-lost", {"reason": "Gone."}, If_Match=seen)
    assert (stale.status, stale.code) == (412, "changed-meanwhile")
    weak = plant.post(f"{path}/mark-lost", {"reason": "Gone."}, If_Match=f"W/{plant.get(path).headers['ETag']}")
    assert weak.status == 412
    now = plant.get(path).headers["ETag"]
    assert plant.post(f"{path}/mark-lost", {"reason": "Gone."}, If_Match=f'"other", {now}').status == 200


def test_a_change_is_told_to_who_sends_if_none_match(plant: Caller, license: LicenseCreated) -> None:
    """It belongs to a GET; a change that was made is never answered as not modified."""
    running(license, "pump-house")
    path = f"/activations/{activation_on('pump-house')}/mark-lost"
    answer = plant.post(path, {"reason": "Gone."}, If_None_Match="*")
    assert (answer.status, answer["state"]) == (200, "lost")


def test_what_cannot_be_marked(plant: Caller, license: LicenseCreated) -> None:
    running(license, "pump-house")
    path = f"/activations/{activation_on('pump-house')}/mark-lost"
    for sent, status, code in (
        ({}, 400, "invalid"),
        ({"reason": ""}, 400, "invalid"),
        ({"reason": "\u202egone"}, 422, "reason-unfit"),
        ({"reason": "Gone.", "state": "lost"}, 400, "invalid"),
    ):
        answer = plant.post(path, sent)
        assert (answer.status, answer.code) == (status, code), answer
    unknown = plant.post(f"/activations/{NOBODYS}/mark-lost", {"reason": "Gone."})
    assert (unknown.status, unknown.code) == (404, "activation-unknown")
    assert Activation.objects.get().state == "active"


def test_staff_do_the_same_in_their_own_name(license: LicenseCreated) -> None:
    code = running(license, "pump-house").deactivate()
    running(license, "shed")
    agent, before = person("agent"), length(license.license_id)
    agent.post("/deactivations", {"license_id": license.license_id, "code": code})
    agent.post(f"/activations/{activation_on('shed')}/mark-lost", {"reason": "Gone."})
    assert new_kinds(license, before) == [
        ("agent", "activation.deactivated", ""),
        ("agent", "activation.lost", "Gone."),
    ]


def test_a_written_off_host_is_settled_by_its_code(plant: Caller, license: LicenseCreated) -> None:
    chariot = Chariot(license.license_key, host("mill"))
    chariot.install(answered(chariot.request()))
    activation = activation_on("mill")
    agent = person("agent")
    agent.post(f"/activations/{activation}/mark-lost", {"reason": "Gone."})
    case = agent.post("/restorations", {"activation_id": activation, "reason": "Gone."})["restoration_id"]
    person("lead").post(f"/restorations/{case}/approve", {"reason": "Photos seen."})
    before = length(license.license_id)
    answer = plant.post("/deactivations", {"license_id": license.license_id, "code": chariot.deactivate()})
    assert (answer["effect"], answer["activation_id"]) == ("settled", activation)
    assert new_kinds(license, before)[0][0] == ACTOR
    assert open_case(license, "pump-house")
