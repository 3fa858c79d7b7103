"""The page of a restoration case: what its reviewer sees, and the decision above the quota."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from activations import case_queries
from activations.domain.restoring import Quota
from activations.models import Activation, Evidence, LedgerEntry, Reply, Restoration, Tombstone, UsageRequest
from activations.services.deactivate import deactivate_activation
from activations.services.licenses import LicenseCreated
from activations.services.losses import mark_lost
from tests.portal.cases import LIST, PHOTO, activated, approved, csrf, denied, opened, page_of, rows
from tests.portal.cast import AGENT, SOURCE, issue, length, make_license
from tests.portal.chariot import Chariot
from tests.portal.web import Browser

SignIn = Callable[[str], Browser]


@pytest.fixture
def pump(license: LicenseCreated) -> Chariot:
    return activated(license, "pump-house")


@pytest.fixture
def case(pump: Chariot) -> Restoration:
    return opened("pump-house")


# --- marking lost -----------------------------------------------------------------------------------------


def test_marking_lost_says_what_it_means_and_offers_the_case(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    agent, activation = sign_in("agent"), Activation.objects.get()
    address = reverse("admin:activation_mark_lost", args=[activation.pk])
    page = agent.get(address)
    for said in (
        "Mark pump-house lost",
        "Customer Acme Water",
        license.license_id,
        activation.activation_id,
        "Seat 1",
        "Chariot 2.4.1",
        f"Active since {activation.created_at:%Y-%m-%d %H:%M} UTC",
        f"Last request {UsageRequest.objects.get().received_at:%Y-%m-%d %H:%M} UTC",
        "keeps its seat until it is restored",
        "The Usage License on that host goes on working",
    ):
        assert said in page.words

    page = page.send(page.form(), reason="Burned down.")

    assert page.path == reverse("admin:activation_request_restoration", args=[activation.pk])
    assert f"{activation.activation_id} is lost now. It keeps its seat." in page.words
    assert page.form().fields["reason"] == "Burned down."
    page = page.send(page.form(), reason="There was a fire.")
    assert page.path == reverse("admin:activations_restoration_change", args=[Restoration.objects.get().pk])
    assert "There was a fire." in page.words
    assert "Burned down." in page.words


def test_a_lost_activation_says_so_on_its_page(case: Restoration, pump: Chariot, sign_in: SignIn) -> None:
    page = page_of(sign_in("agent"), case.activation)
    assert "reported by agent. It keeps its seat" in page.words
    assert f"Case {case.restoration_id} waits for the decision of a second person." in page.words
    assert "afterwards" not in page.words
    issue(pump.request())
    assert "The host sent a request afterwards" in page_of(sign_in("agent"), case.activation).words


@pytest.mark.parametrize("username", ["manager", "auditor", "administrator"])
def test_who_cannot_is_told_who_can(pump: Chariot, sign_in: SignIn, username: str) -> None:
    activation = Activation.objects.get()
    assert "a support agent marks its activation as lost" in page_of(sign_in(username), activation).words
    mark_lost(activation_id=activation.activation_id, actor=AGENT, source=SOURCE, reason="fire")
    assert "A support agent opens the case" in page_of(sign_in(username), activation).words


# --- the reviewer's page ----------------------------------------------------------------------------------


def test_the_reviewer_sees_everything_on_one_page(license: LicenseCreated, case: Restoration, sign_in: SignIn) -> None:
    other = make_license()
    activated(other, "water-tower")
    earlier = opened("water-tower")
    denied(earlier)

    page = page_of(sign_in("lead"), case)

    request = UsageRequest.objects.get(hostname="pump-house")
    for said in (
        "Suggestion: approve",
        "Second loss of this customer within 12 months.",
        f"Its Chariot has been silent since {request.received_at:%Y-%m-%d}.",
        "It decides nothing.",
        "A fire at pump-house, they say.",
        "pump-house burned down.",
        "0 of 2 restorations approved in the last 12 months",
        earlier.restoration_id,
        "A fire at water-tower, they say.",
        "lead: No proof.",
        f"water-tower {other.license_id}",
        "Host pump-house",
        "Seat 1",
        "Chariot 2.4.1",
        f"Active since {case.activation.created_at:%Y-%m-%d}",
        f"Last request {request.received_at:%Y-%m-%d %H:%M}, number 1",
        "No file is kept with this case.",
    ):
        assert said in page.words, said
    assert reverse("admin:restoration_approve", args=[case.pk]) in page.html


def test_a_request_after_the_loss_is_a_reason_to_deny(case: Restoration, pump: Chariot, sign_in: SignIn) -> None:
    issue(pump.request())  # waits for a person: the lost host is back

    page = page_of(sign_in("lead"), case)

    assert "Suggestion: deny" in page.words
    assert "The host sent a request after it was reported lost" in page.words
    assert "Since the loss" in page.words


def test_the_same_host_with_a_new_chariot_is_recognised(case: Restoration, pump: Chariot, sign_in: SignIn) -> None:
    issue(pump.reinstalled().request())
    assert "Suggestion: deny" in page_of(sign_in("lead"), case).words


def test_another_host_is_no_sign_of_life(license: LicenseCreated, case: Restoration, sign_in: SignIn) -> None:
    activated(license, "water-tower")
    assert "Suggestion: approve" in page_of(sign_in("lead"), case).words


def test_an_unsettled_sighting_of_another_host_is_a_reason_to_deny(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    mill = activated(license, "mill")
    approved(opened("mill"))
    issue(mill.request())
    case, stone = opened("pump-house"), Tombstone.objects.get()

    page = page_of(sign_in("lead"), case)
    assert "Suggestion: deny" in page.words
    assert f"is unsettled: {stone.tombstone_id}." in page.words
    assert "mill, unsettled" in page.words

    deactivate_activation(license_id=license.license_id, code=mill.deactivate(), actor=AGENT, source=SOURCE)
    page = page_of(sign_in("lead"), case)
    assert "Suggestion: look closer" in page.words
    assert "seen again, which is settled" in page.words


def test_a_closed_case_makes_no_suggestion(case: Restoration, sign_in: SignIn) -> None:
    denied(case)
    page = page_of(sign_in("lead"), case)
    assert "Suggestion" not in page.words
    assert "Denied by lead" in page.words


def test_the_page_takes_as_many_queries_for_much_as_for_little(
    license: LicenseCreated, case: Restoration, sign_in: SignIn
) -> None:
    lead = sign_in("lead")
    page_of(lead, case)

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            page_of(lead, case)
        return len(queries)

    def more(number: int) -> None:
        other = make_license()
        for name in (f"mill-{number}", f"tower-{number}"):
            chariot = activated(other, name)
            approved(opened(name), override=True)
            issue(chariot.request())
        lead.client.post(
            reverse("admin:restoration_evidence", args=[case.pk]),
            {"files": [SimpleUploadedFile(f"{number}.jpg", PHOTO + bytes([number]))], **csrf(lead, case)},
        )

    more(0)
    few = count()
    for number in (1, 2, 3):
        more(number)
    assert Evidence.objects.count() == 4
    assert count() == few


def test_the_reviewers_year_is_the_last_twelve_months(case: Restoration) -> None:
    seen = case_queries.review(case, now=case.requested_at + timedelta(days=1), quota=Quota(0, 2))
    assert seen.facts.other_losses == ()
    assert seen.loss.reported_by == "agent"
    assert seen.loss.reason == "pump-house burned down."


# --- deciding ---------------------------------------------------------------------------------------------


def test_above_the_quota_the_lead_has_to_say_so(license: LicenseCreated, sign_in: SignIn) -> None:
    more = make_license(allowed=3)
    for name in ("mill", "tower"):
        activated(more, name)
        approved(opened(name))
    activated(license, "pump-house")
    case, lead = opened("pump-house"), sign_in("lead")
    before = length(license.license_id)
    assert "The quota is reached: 2 of 2" in page_of(lead, case).words
    address = reverse("admin:restoration_approve", args=[case.pk])
    page = lead.get(address)
    assert "Approve above the quota" in page.words
    assert "Acme Water has 2 of 2 restorations approved in the last 12 months." in page.words

    page = page.send(page.form(), reason="Their third fire, the insurer confirms it.")

    assert "Nothing was booked" in page.words
    assert "say that it goes above the quota" in page.words
    assert page.form().fields["reason"] == "Their third fire, the insurer confirms it."
    assert length(license.license_id) == before

    page = page.send(page.form(), above_quota="on")

    assert f"{case.restoration_id} is approved." in page.words
    assert "above the quota" in page.words
    entry = LedgerEntry.objects.get(chain=license.license_id, seq=before + 1)
    assert (entry.kind, entry.reason) == ("restoration.approved", "Their third fire, the insurer confirms it.")
    assert json.loads(entry.body)["data"]["above_quota"] == {"count": 2, "quota": 2}
    assert case.restoration_id in lead.get(f"{reverse(LIST)}?quota=above").html
    assert (rows(lead, f"{reverse(LIST)}?quota=above"), rows(lead, f"{reverse(LIST)}?quota=within")) == (1, 2)


def test_within_the_quota_nobody_is_asked(case: Restoration, sign_in: SignIn) -> None:
    page = sign_in("lead").get(reverse("admin:restoration_approve", args=[case.pk]))
    assert "above the quota" not in page.words


@pytest.mark.parametrize(("decide", "kind"), [(approved, "restored"), (denied, "denied")])
def test_the_reply_to_the_customer_is_kept_and_shown(
    case: Restoration, sign_in: SignIn, decide: Callable[[Restoration], None], kind: str
) -> None:
    decide(case)
    reply = Reply.objects.get(restoration=case)
    assert (reply.kind, reply.written_by) == (kind, "lead")
    assert page_of(sign_in("agent"), case).block("reply").strip() == reply.body.strip()
