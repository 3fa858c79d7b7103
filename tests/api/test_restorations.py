"""Restoration cases over the API: opened by anybody who may, decided by another person, and never by a machine."""

from __future__ import annotations

import pytest
from chariot_license.protocol.codes import format_public_id

from activations.domain.scopes import Scope
from activations.models import Activation, LedgerEntry, Restoration
from activations.services.licenses import LicenseCreated
from activations.services.tokens import TokenRevoked, revoke_token
from tests.api.calling import Answer, Caller, machine, person
from tests.api.situations import activation_on, lost, open_case, running, table_sizes
from tests.portal.cast import ADMINISTRATOR, LEAD, SOURCE, entries, length, make_license, occupied

ACTOR = "token:claims"

pytestmark = pytest.mark.django_db


@pytest.fixture
def claims(signing_keys: None) -> Caller:
    """A system whose token the lead answers for."""
    return machine(Scope.READ_LICENSES, Scope.REQUEST_RESTORATIONS, name="claims", owner="lead")


def refused(answer: Answer, status: int, code: str) -> Answer:
    assert (answer.status, answer.code) == (status, code), answer
    return answer


def opened(caller: Caller, license: LicenseCreated, name: str = "pump-house") -> str:
    answer = caller.post("/restorations", {"activation_id": lost(license, name), "reason": "Fire."})
    assert answer.status == 201, answer
    return str(answer["restoration_id"])


# --- opening and reading ----------------------------------------------------------------------------------


def test_a_case_is_opened(claims: Caller, license: LicenseCreated) -> None:
    activation, before = lost(license, "pump-house"), length(license.license_id)

    answer = claims.post("/restorations", {"activation_id": activation, "reason": "There was a fire."})

    case = Restoration.objects.get()
    assert answer.status == 201
    assert answer.headers["Location"] == f"/api/v1/restorations/{case.restoration_id}"
    assert answer.json == {
        "restoration_id": case.restoration_id,
        "activation_id": activation,
        "license_id": license.license_id,
        "state": "requested",
        "reason": "There was a fire.",
        "requested_by": ACTOR,
        "requested_at": f"{case.requested_at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "decided_by": "",
        "decided_at": None,
        "decision_reason": "",
        "above_quota": False,
    }
    assert entries(license.license_id, after=before) == [
        (before + 1, ACTOR, "restoration.requested", "There was a fire.")
    ]
    read = claims.get(f"/restorations/{case.restoration_id}")
    assert read.json == answer.json
    assert (
        claims.get(f"/restorations/{case.restoration_id}", headers={"If-None-Match": read.headers["ETag"]}).status
        == 304
    )
    refused(claims.post("/restorations", {"activation_id": activation, "reason": "Again."}), 409, "restoration-open")


def test_what_is_not_lost_cannot_be_restored(claims: Caller, license: LicenseCreated) -> None:
    running(license, "pump-house")
    sent = {"activation_id": activation_on("pump-house"), "reason": "Fire."}
    sizes = table_sizes()
    refused(claims.post("/restorations", sent), 409, "not-lost")
    unknown = {"activation_id": format_public_id("ACT", bytes(10)), "reason": "Fire."}
    refused(claims.post("/restorations", unknown), 404, "activation-unknown")
    refused(claims.post("/restorations", {**sent, "activation_id": "ACT-1"}), 422, "activation-id-length")
    refused(claims.post("/restorations", {**sent, "reason": " "}), 400, "invalid")
    refused(claims.post("/restorations", {"activation_id": sent["activation_id"]}), 400, "invalid")
    refused(claims.post("/restorations", {**sent, "approved": True}), 400, "invalid")
    assert table_sizes() == sizes


def test_the_list_is_filtered_and_paged(claims: Caller, license: LicenseCreated) -> None:
    other = make_license(customer="Beta Mills")
    cases = [open_case(license, "pump-house"), open_case(license, "shed"), open_case(other, "mill")]
    person("lead").post(f"/restorations/{cases[1]}/deny", {"reason": "No proof."})

    def found(**asked: object) -> list[str]:
        return [each["restoration_id"] for each in claims.get("/restorations", **asked)["results"]]

    assert found() == cases[::-1]
    assert found(license_id=license.license_id) == [cases[1], cases[0]]
    assert found(state="requested") == [cases[2], cases[0]]
    assert found(state="requested", license_id=other.license_id) == [cases[2]]
    page = claims.get("/restorations", page_size=2)
    assert [each["restoration_id"] for each in claims.get(page["next"].split("/api/v1", 1)[1])["results"]] == cases[:1]
    refused(claims.get("/restorations", state="open"), 400, "invalid")
    refused(claims.get(f"/restorations/{format_public_id('RES', bytes(10))}"), 404, "restoration-unknown")
    refused(claims.get("/restorations/RES-1"), 422, "restoration-id-length")


# --- two people -------------------------------------------------------------------------------------------


def test_another_lead_gives_the_seat_back(license: LicenseCreated) -> None:
    case = opened(person("lead"), license)
    before = length(license.license_id)

    answer = person("second-lead").post(f"/restorations/{case}/approve", {"reason": "Photos seen."})

    assert answer.status == 200, answer
    assert (answer["state"], answer["requested_by"], answer["decided_by"]) == ("approved", "lead", "second-lead")
    assert (answer["decision_reason"], answer["above_quota"]) == ("Photos seen.", False)
    assert entries(license.license_id, after=before) == [
        (before + 1, "second-lead", "restoration.approved", "Photos seen."),
        (before + 2, "second-lead", "activation.restored", "Photos seen."),
        (before + 3, "second-lead", "tombstone.placed", "Photos seen."),
    ]
    assert (occupied(license.license_id), Activation.objects.get().state) == (0, "restored")
    refused(person("lead").post(f"/restorations/{case}/deny", {"reason": "No."}), 409, "restoration-decided")


def test_it_is_denied(license: LicenseCreated) -> None:
    case = opened(person("agent"), license)
    before = length(license.license_id)
    answer = person("lead").post(f"/restorations/{case}/deny", {"reason": "No proof."})
    assert (answer.status, answer["state"], answer["decided_by"]) == (200, "denied", "lead")
    assert entries(license.license_id, after=before) == [(before + 1, "lead", "restoration.denied", "No proof.")]
    assert occupied(license.license_id) == 1
    refused(person("lead").post(f"/restorations/{case}/approve", {"reason": "Yes."}), 409, "restoration-decided")


@pytest.mark.parametrize("verdict", ["approve", "deny"])
def test_nobody_decides_their_own_case(license: LicenseCreated, verdict: str) -> None:
    lead = person("lead")
    case = opened(lead, license)
    sizes = table_sizes()
    refused(lead.post(f"/restorations/{case}/{verdict}", {"reason": "I say so."}), 403, "same-person")
    assert table_sizes() == sizes


@pytest.mark.parametrize("verdict", ["approve", "deny"])
def test_nobody_decides_a_case_that_was_opened_on_the_desk(license: LicenseCreated, verdict: str) -> None:
    case = open_case(license, "pump-house", actor=LEAD)
    refused(person("lead").post(f"/restorations/{case}/{verdict}", {"reason": "I say so."}), 403, "same-person")


@pytest.mark.parametrize("verdict", ["approve", "deny"])
def test_who_answers_for_a_token_does_not_decide_what_it_asked_for(
    claims: Caller, license: LicenseCreated, verdict: str
) -> None:
    case = opened(claims, license)
    answer = refused(person("lead").post(f"/restorations/{case}/{verdict}", {"reason": "Fine."}), 403, "same-person")
    assert ACTOR in answer["detail"]
    revoked = revoke_token(name="claims", actor=ADMINISTRATOR, source=SOURCE, reason="leaked")
    assert isinstance(revoked, TokenRevoked)
    refused(person("lead").post(f"/restorations/{case}/{verdict}", {"reason": "Fine."}), 403, "same-person")
    assert Restoration.objects.get().state == "requested"
    assert person("second-lead").post(f"/restorations/{case}/{verdict}", {"reason": "Photos seen."}).status == 200


@pytest.mark.parametrize("verdict", ["approve", "deny"])
def test_no_token_decides(license: LicenseCreated, verdict: str) -> None:
    """Not with any scope, not with all of them, not for a case of somebody else."""
    case = open_case(license, "pump-house")
    machines = [machine(scope, name=f"only-{number}", owner="lead") for number, scope in enumerate(Scope)]
    machines.append(machine(*Scope, name="everything", owner="lead"))
    sizes = table_sizes()
    for caller in machines:
        for sent in ({"reason": "Photos seen."}, {"reason": "Photos seen.", "above_quota": True}, {}):
            if verdict == "deny":
                sent.pop("above_quota", None)
            answer = refused(caller.post(f"/restorations/{case}/{verdict}", sent), 403, "not-allowed")
            assert "A person has to decide this" in answer["detail"]
    assert table_sizes() == sizes
    assert Restoration.objects.get().state == "requested"


@pytest.mark.parametrize("name", ["agent", "manager", "auditor", "administrator"])
def test_only_leads_decide(license: LicenseCreated, name: str) -> None:
    case = open_case(license, "pump-house")
    for verdict in ("approve", "deny"):
        refused(person(name).post(f"/restorations/{case}/{verdict}", {"reason": "Fine."}), 403, "not-allowed")
    assert Restoration.objects.get().state == "requested"


def test_decided_from_what_was_seen(license: LicenseCreated) -> None:
    case = open_case(license, "pump-house")
    lead = person("lead")
    seen = lead.get(f"/restorations/{case}").headers["ETag"]
    stale = lead.post(f"/restorations/{case}/approve", {"reason": "Photos seen."}, If_Match='"of-something-else"')
    refused(stale, 412, "changed-meanwhile")
    answer = lead.post(f"/restorations/{case}/approve", {"reason": "Photos seen."}, If_Match=seen)
    assert (answer.status, answer.headers["ETag"]) == (200, lead.get(f"/restorations/{case}").headers["ETag"])


def test_a_decision_needs_a_reason_and_a_case(license: LicenseCreated) -> None:
    case, lead = open_case(license, "pump-house"), person("lead")
    for verdict in ("approve", "deny"):
        refused(lead.post(f"/restorations/{case}/{verdict}", {}), 400, "invalid")
        refused(lead.post(f"/restorations/{case}/{verdict}", {"reason": "x" * 2001}), 400, "invalid")
        nobodys = format_public_id("RES", bytes(10))
        refused(lead.post(f"/restorations/{nobodys}/{verdict}", {"reason": "Fine."}), 404, "restoration-unknown")
    refused(lead.post(f"/restorations/{case}/deny", {"reason": "No.", "above_quota": True}), 400, "invalid")
    refused(lead.post(f"/restorations/{case}/approve", {"reason": "Yes.", "above_quota": "perhaps"}), 400, "invalid")
    assert Restoration.objects.get().state == "requested"


# --- the quota --------------------------------------------------------------------------------------------


def test_above_the_quota_it_has_to_be_said(signing_keys: None) -> None:
    license = make_license(allowed=3)
    cases = [open_case(license, f"host-{number}") for number in range(3)]
    lead = person("lead")
    for case in cases[:2]:
        assert lead.post(f"/restorations/{case}/approve", {"reason": "Photos seen."}).status == 200
    before = length(license.license_id)

    sent = {"reason": "Photos seen."}
    answer = refused(lead.post(f"/restorations/{cases[2]}/approve", sent, key="third-approval"), 409, "quota-reached")
    assert (answer["count"], answer["quota"]) == (2, 2)
    assert length(license.license_id) == before
    # Refused, so nothing was kept under the key.
    above = lead.post(f"/restorations/{cases[2]}/approve", {**sent, "above_quota": True}, key="third-approval")

    assert (above.status, above["state"], above["above_quota"]) == (200, "approved", True)
    assert [entry[2] for entry in entries(license.license_id, after=before)] == [
        "restoration.approved",
        "activation.restored",
        "tombstone.placed",
    ]
    assert (
        '"above_quota":{"count":2,"quota":2}' in LedgerEntry.objects.get(seq=before + 1, chain=license.license_id).body
    )


def test_above_the_quota_two_people_are_needed_all_the_same(signing_keys: None) -> None:
    license = make_license(allowed=3)
    lead = person("lead")
    for number in range(2):
        case = open_case(license, f"host-{number}")
        assert lead.post(f"/restorations/{case}/approve", {"reason": "Photos seen."}).status == 200
    own = opened(lead, license, "host-2")
    sent = {"reason": "Photos seen.", "above_quota": True}
    refused(lead.post(f"/restorations/{own}/approve", sent), 403, "same-person")
    assert person("second-lead").post(f"/restorations/{own}/approve", sent)["above_quota"] is True
