"""Usage Requests over the API that a person has to decide: options, the choice, its confirmation, and who may."""

from __future__ import annotations

import pytest

from activations.domain.scopes import Scope
from activations.domain.words import Choice
from activations.models import UsageRequest
from activations.services.licenses import LicenseCreated
from tests.api.calling import Answer, Caller, machine, person
from tests.api.situations import activation_on, open_case, running, table_sizes
from tests.portal.cast import answered, entries, length
from tests.portal.chariot import Chariot, host

ACTOR = "token:mail-robot"
SUBMIT, DRY = "/usage-requests", "/usage-requests/dry-run"

pytestmark = pytest.mark.django_db


@pytest.fixture
def robot(signing_keys: None) -> Caller:
    return machine(Scope.SUBMIT_REQUESTS, Scope.READ_REQUESTS, name="mail-robot")


@pytest.fixture
def pump(license: LicenseCreated) -> Chariot:
    return Chariot(license.license_key, host("pump-house"))


def refused(answer: Answer, status: int, code: str) -> Answer:
    assert (answer.status, answer.code) == (status, code), answer
    return answer


def test_a_choice_waits_and_is_confirmed_by_a_lead(robot: Caller, license: LicenseCreated, pump: Chariot) -> None:
    """Another host under the same Chariot: a lead decides with reason, on what the dry run showed."""
    pump.install(robot.post(SUBMIT, {"text": pump.request()})["usage_license"])
    pump.facts = host("mill")
    text, before = pump.request(), length(license.license_id)

    waiting = robot.post(SUBMIT, {"text": text})
    assert (waiting.status, waiting["outcome"], waiting["code"]) == (202, "pending", "host-changed")
    assert waiting["usage_license"] is None
    assert [(each["decide"], each["ability"]) for each in waiting["options"]] == [
        ("rebind", "decide_as_lead"),
        ("refuse", "decide_as_lead"),
    ]
    assert waiting["options"][0]["activation_id"] == activation_on("pump-house")
    assert robot.get(f"{SUBMIT}/{waiting['request_id']}")["state"] == "pending"

    choice = {"text": text, "decide": ["rebind"], "activation_id": waiting["options"][0]["activation_id"]}
    lead = person("lead")
    shown = lead.post(DRY, choice)
    assert (shown["outcome"], shown["code"], shown["booked"]) == ("issued", "rebound", False)
    refused(lead.post(SUBMIT, {**choice, "expect": shown["digest"]}), 422, "reason-missing")
    done = lead.post(SUBMIT, {**choice, "expect": shown["digest"], "reason": "New board, lightning."})

    assert (done.status, done["code"], done["seats_after"]) == (200, "rebound", 1)
    pump.install(done["usage_license"])
    assert robot.get(f"{SUBMIT}/{waiting['request_id']}")["usage_license"] == done["usage_license"]
    assert entries(license.license_id, after=before) == [
        (before + 1, ACTOR, "request.received", ""),
        (before + 2, ACTOR, "request.pending", ""),
        (before + 3, "lead", "tombstone.placed", "New board, lightning."),
        (before + 4, "lead", "activation.rebound", "New board, lightning."),
        (before + 5, "lead", "usage_license.issued", "New board, lightning."),
    ]


def test_no_token_takes_what_a_lead_chooses(license: LicenseCreated, pump: Chariot) -> None:
    """Not with every scope there is, and not because a lead answers for the token."""
    robot = machine(*Scope, name="mail-robot", owner="lead")
    pump.install(robot.post(SUBMIT, {"text": pump.request()})["usage_license"])
    pump.facts = host("mill")
    sent = {"text": pump.request(), "reason": "New board."}
    assert robot.post(SUBMIT, sent).status == 202
    sizes = table_sizes()
    for choice in ("rebind", "refuse"):
        refused(robot.post(SUBMIT, {**sent, "decide": [choice]}), 403, "not-allowed")
    assert table_sizes() == sizes


@pytest.mark.parametrize("choice", ["second", "reinstalled", "refuse"])
def test_no_token_takes_what_an_agent_chooses(license: LicenseCreated, pump: Chariot, choice: str) -> None:
    robot = machine(*Scope, name="mail-robot")
    pump.install(robot.post(SUBMIT, {"text": pump.request()})["usage_license"])
    text = pump.reinstalled().request()
    assert robot.post(SUBMIT, {"text": text}).status == 202
    sizes = table_sizes()
    refused(robot.post(SUBMIT, {"text": text, "decide": [choice]}), 403, "not-allowed")
    assert table_sizes() == sizes
    assert robot.post(DRY, {"text": text, "decide": [choice]}).status == 200


def test_an_agent_cannot_take_it_either(license: LicenseCreated, pump: Chariot) -> None:
    pump.install(answered(pump.request()))
    pump.facts = host("mill")
    sent = {"text": pump.request(), "decide": ["rebind"], "reason": "New board."}
    answer = refused(person("agent").post(SUBMIT, sent), 403, "not-allowed")
    assert "support lead" in answer["detail"]
    assert UsageRequest.objects.count() == 1  # the first one


def test_what_is_open_to_agents_is_chosen_by_name(license: LicenseCreated, pump: Chariot) -> None:
    pump.install(answered(pump.request()))
    fresh = pump.reinstalled()
    text, agent, before = fresh.request(), person("agent"), length(license.license_id)
    assert [each["decide"] for each in agent.post(SUBMIT, {"text": text})["options"]] == [
        "reinstalled",
        "second",
        "refuse",
    ]

    refused(agent.post(SUBMIT, {"text": text, "decide": ["rebind"]}), 409, "choice-not-open")
    done = agent.post(SUBMIT, {"text": text, "decide": ["second"]})

    assert (done["code"], done["seats_after"]) == ("second-chariot", 2)
    assert [entry[1:3] for entry in entries(license.license_id, after=before)] == [
        ("agent", "request.received"),
        ("agent", "request.pending"),
        ("agent", "activation.created"),
        ("agent", "usage_license.issued"),
    ]


def test_where_several_match_the_activation_must_be_named(license: LicenseCreated, pump: Chariot) -> None:
    pump.install(answered(pump.request()))
    answered(pump.reinstalled().request(), Choice.SECOND)
    text, agent = pump.reinstalled().request(), person("agent")
    shown = agent.post(DRY, {"text": text})
    named = [each["activation_id"] for each in shown["options"] if each["decide"] == "reinstalled"]
    assert len(named) == 2

    refused(agent.post(SUBMIT, {"text": text, "decide": ["reinstalled"]}), 422, "activation-not-named")
    done = agent.post(SUBMIT, {"text": text, "decide": ["reinstalled"], "activation_id": named[1]})
    assert (done["code"], done["activation_id"]) == ("reinstalled", named[1])


def test_refused_by_a_person(license: LicenseCreated, pump: Chariot) -> None:
    sent = {"text": pump.request(), "decide": ["refuse"]}
    agent = person("agent")
    refused(agent.post(SUBMIT, sent), 422, "reason-missing")
    answer = refused(agent.post(SUBMIT, {**sent, "reason": "Asked twice."}), 409, "declined-by-person")
    assert answer["decision"]["outcome"] == "refused"
    assert entries(license.license_id, after=1) == [
        (2, "agent", "request.received", ""),
        (3, "agent", "request.declined", "Asked twice."),
    ]


def test_confirming_what_is_no_longer_so_books_nothing(robot: Caller, license: LicenseCreated, pump: Chariot) -> None:
    text = pump.request()
    shown = robot.post(DRY, {"text": text})
    running(license, "mill")
    sizes = table_sizes()

    answer = refused(
        robot.post(SUBMIT, {"text": text, "expect": shown["digest"]}, key="same-call"), 409, "facts-changed"
    )

    assert table_sizes() == sizes
    now = answer["decision"]
    assert (now["booked"], now["seats_before"], now["seats_after"]) == (False, 1, 2)
    assert now["digest"] != shown["digest"]
    # What booked nothing is carried out when it is sent again under its key, another content included.
    done = robot.post(SUBMIT, {"text": text, "expect": now["digest"]}, key="same-call")
    assert (done.status, done["code"]) == (200, "activated")


def test_a_case_that_waits_does_not_keep_a_host_from_coming_back(
    robot: Caller, license: LicenseCreated, pump: Chariot
) -> None:
    """The host of a restoration case asks again: found again is the agent's, and the case is closed with it."""
    case = open_case(license, "pump-house")
    fresh = Chariot(license.license_key, host("pump-house"))
    text = fresh.request()
    assert robot.post(SUBMIT, {"text": text})["code"] == "lost-host-seen"
    done = person("agent").post(SUBMIT, {"text": text, "decide": ["found-again"]})
    assert done["code"] == "found-again"
    assert any(case in warning for warning in done["warnings"])
    assert person("agent").get(f"/restorations/{case}")["state"] == "closed"
