"""Mails that nobody asked for: each once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import call_command
from django.utils import timezone

from activations.models import Contact, OutgoingMail, Restoration
from activations.services.licenses import FeatureTerm, LicenseCreated
from activations.services.losses import approve_restoration, mark_lost, request_restoration
from activations.services.post import notices
from activations.tasks import send_notices_job
from tests.mailroom.letters import CUSTOMER
from tests.portal.cast import AGENT, SECOND_LEAD, SOURCE, issue, license_row, make_keys, make_license
from tests.portal.chariot import Chariot, host

pytestmark = pytest.mark.django_db
START = datetime(2031, 1, 1, 8, tzinfo=UTC)


def keys() -> list[str]:
    return [key for (key,) in OutgoingMail.objects.order_by("id").values_list("key")]


def lead_with_address() -> None:
    call_command("create_staff", "lead", "--role", "support-lead", "--email", "lead@portal.example", stdout=StringIO())


def test_an_end_is_told_60_30_and_7_days_before_and_once_each() -> None:
    with time_machine.travel(START, tick=False) as clock:
        make_keys()
        ends = date(2031, 3, 12)
        license = make_license(features=[FeatureTerm("mqtt-server"), FeatureTerm("iot-bridge-snowflake", ends)])
        contact = Contact.objects.create(customer=license_row(license.license_id).customer, email=CUSTOMER)
        told: dict[int, int] = {}
        for day in range(75):
            clock.move_to(START + timedelta(days=day))
            left = (ends - timezone.now().date()).days
            told[left] = send_notices_job() + send_notices_job()  # the job runs every hour
    assert {left: number for left, number in told.items() if number} == {60: 1, 30: 1, 7: 1}
    assert keys() == [f"ending:{license.license_id}:2031-03-12:{days}:{contact.pk}" for days in (60, 30, 7)]
    assert "- iot-bridge-snowflake: 2031-03-12" in OutgoingMail.objects.all()[0].body


def test_a_portal_that_was_off_tells_the_next_one_only() -> None:
    with time_machine.travel(START, tick=False):
        make_keys()
        license = make_license(features=[FeatureTerm("mqtt-server", date(2031, 1, 21))])
        Contact.objects.create(customer=license_row(license.license_id).customer, email=CUSTOMER)
        assert send_notices_job() == 1
        assert [key.split(":")[3] for key in keys()] == ["30"]


def test_a_case_that_waits_is_told_to_those_who_may_decide_it(license: LicenseCreated) -> None:
    lead_with_address()
    answer = issue(Chariot(license.license_key, host("mill")).request())
    mark_lost(activation_id=answer.activation_id or "", actor=AGENT, source=SOURCE, reason="fire")
    request_restoration(activation_id=answer.activation_id or "", actor=AGENT, source=SOURCE, reason="fire")
    case = Restoration.objects.get()
    told = {
        hours / 24: notices.remind_of_restorations(case.requested_at + timedelta(hours=hours))
        for hours in range(0, 24 * 20, 12)
    }
    assert {days: number for days, number in told.items() if number} == {2: 1, 7: 1, 14: 1}
    assert {mail.to_address for mail in OutgoingMail.objects.all()} == {"lead@portal.example"}


def test_a_restored_activation_is_told_and_its_sighting_too(license: LicenseCreated) -> None:
    Contact.objects.create(customer=license_row(license.license_id).customer, email=CUSTOMER)
    lead_with_address()
    lost = Chariot(license.license_key, host("mill"))
    answer = issue(lost.request())
    lost.install(answer.usage_license or "")
    mark_lost(activation_id=answer.activation_id or "", actor=AGENT, source=SOURCE, reason="fire")
    request_restoration(activation_id=answer.activation_id or "", actor=AGENT, source=SOURCE, reason="fire")
    case = Restoration.objects.get()
    approve_restoration(restoration_id=case.restoration_id, actor=SECOND_LEAD, source=SOURCE, reason="photos")
    assert [mail.to_address for mail in OutgoingMail.objects.all()] == [CUSTOMER]
    assert "have restored its activation" in OutgoingMail.objects.get().body
    assert notices.tell_of_sightings(timezone.now()) == 0
    issue(lost.request())
    assert notices.tell_of_sightings(timezone.now()) == 1
    assert notices.tell_of_sightings(timezone.now()) == 0
    assert OutgoingMail.objects.order_by("-id")[0].to_address == "lead@portal.example"
