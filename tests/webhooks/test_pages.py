"""The pages of webhooks, as administrators use them: made, tried, looked at, sent again, and each form books once."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from activations import tasks
from activations.domain.words import LicenseStatus
from activations.models import DeliveryState, LedgerEntry, WebhookDelivery, WebhookEndpoint
from activations.services.licenses import LicenseCreated
from tests.portal.cast import length
from tests.portal.licensing import change
from tests.portal.web import Browser, Page
from tests.webhooks.making import deliveries, made_for, url_of
from tests.webhooks.receiver import Answer, Receiver

pytestmark = pytest.mark.django_db
SignIn = Callable[[str], Browser]
LIST = "admin:activations_webhookendpoint_changelist"
NEW = "admin:activations_webhookendpoint_add"


@pytest.fixture
def administrator(sign_in: SignIn) -> Browser:
    return sign_in("administrator")


def there(row: WebhookEndpoint | WebhookDelivery) -> str:
    return reverse(f"admin:activations_{row._meta.model_name}_change", args=[row.pk])


def at(name: str, row: WebhookEndpoint | WebhookDelivery) -> str:
    return reverse(f"admin:webhook_{name}", args=[row.pk])


def send(page: Page, action: str = "", **typed: Any) -> Page:
    """With several ticks under one name, which `Page.send` cannot say."""
    form = page.form(action)
    return page.browser.post(form.action or page.path, {**form.fields, **typed})


def test_made_and_its_secret_is_shown_once(administrator: Browser, receiver: Receiver, license: LicenseCreated) -> None:
    form = administrator.get(reverse(NEW))
    assert form.form("").fields["events"] == "*", "everything, unless it is taken away"
    typed: dict[str, Any] = {
        "url": url_of(receiver),
        "description": "Plant ERP",
        "reason": "agreed",
        "events": ["license.*"],
    }
    page = send(form, **typed)
    row = WebhookEndpoint.objects.get()
    secret = page.block("webhook-secret")
    assert page.status == 200
    assert "This page does not come back" in page.words
    assert (row.description, row.events) == ("Plant ERP", ["license.*"])

    again = send(form, **typed)
    assert "booked already, by the click before" in again.words
    assert WebhookEndpoint.objects.count() == 1
    assert secret not in again.html
    for address in (there(row), reverse(LIST), at("change", row)):
        assert secret not in administrator.get(address).html

    change(license, status=LicenseStatus.SUSPENDED)
    tasks.send_webhooks_job()
    assert receiver.got[0].verified_by(secret)["type"] == "license.suspended"
    listed = administrator.get(reverse(LIST))
    assert all(words in listed.words for words in ("Plant ERP", f"https://localhost:{receiver.port}/hooks", "active"))


def test_a_url_that_leads_inside_is_refused_beside_its_field(administrator: Browser) -> None:
    page = send(administrator.get(reverse(NEW)), url="https://169.254.169.254/", reason="agreed", events=["*"])
    assert "169.254.169.254 is an address inside of a network" in page.words
    assert not WebhookEndpoint.objects.exists()
    page = send(administrator.get(reverse(NEW)), url="https://hooks.example.com/", reason="agreed", events=[])
    assert "Choose at least one event" in page.words
    assert length("portal") == 1, "the account alone"


def test_changed_by_its_form(administrator: Browser, receiver: Receiver) -> None:
    row = made_for(receiver, "license.*", "restoration.denied").endpoint
    page = administrator.get(at("change", row))
    assert re.findall(r'value="([a-z_.*]+)" checked', page.html) == ["license.*", "restoration.denied"]
    page = send(page, events=["activation.*"], reason="fewer")
    row.refresh_from_db()
    assert row.events == ["activation.*"]
    assert page.path == there(row)
    assert LedgerEntry.objects.filter(kind="webhook.changed", reason="fewer").count() == 1


@pytest.mark.parametrize(
    ("name", "kind", "state"),
    [("disable", "webhook.disabled", "disabled"), ("remove", "webhook.removed", "removed")],
)
def test_what_asks_for_a_reason(administrator: Browser, receiver: Receiver, name: str, kind: str, state: str) -> None:
    row = made_for(receiver).endpoint
    form = administrator.get(at(name, row))
    assert send(form, reason="").status == 200
    for _ in range(2):
        send(form, reason="enough")
    row.refresh_from_db()
    assert row.state == state
    assert LedgerEntry.objects.filter(kind=kind, reason="enough").count() == 1
    if state == "disabled":
        assert "Nothing is sent" in administrator.get(there(row)).words
        send(administrator.get(at("enable", row)), reason="back")
        row.refresh_from_db()
        assert row.state == "active"
    else:
        assert administrator.get(at("change", row)).status == 404


def test_rotated_by_its_page(administrator: Browser, receiver: Receiver) -> None:
    given = made_for(receiver)
    page = send(administrator.get(at("rotate", given.endpoint)), reason="a year has passed")
    secret = page.block("webhook-secret")
    assert secret != given.secret
    assert "the secret before signs too" in page.words
    assert "two, until" in administrator.get(there(given.endpoint)).words


def test_a_test_event_once_for_two_clicks(administrator: Browser, receiver: Receiver) -> None:
    given = made_for(receiver, "license.*")
    page = administrator.get(there(given.endpoint))
    first, second = (send(page, at("test", given.endpoint)) for _ in range(2))
    (row,) = deliveries(given.endpoint)
    assert first.path == second.path == there(row)
    assert "Nothing was booked twice" in second.words
    receiver.answers = [Answer(200, body=b"<b>thanks</b>")]
    tasks.send_webhooks_job()
    assert receiver.got[0].verified_by(given.secret)["type"] == "portal.test"
    shown = administrator.get(there(row))
    assert shown.block("webhook-body") == row.body
    assert "<b>thanks" not in shown.html
    assert "&lt;b&gt;thanks&lt;/b&gt;" in shown.html
    assert receiver.got[0].headers["webhook-signature"] not in shown.html
    for words in ("webhook-id", row.message_id, "application/json", "127.0.0.1", "made with the secret"):
        assert words in shown.words


def test_deliveries_by_state_and_one_sent_again(
    administrator: Browser, receiver: Receiver, license: LicenseCreated
) -> None:
    row = made_for(receiver).endpoint
    change(license, status=LicenseStatus.SUSPENDED)
    change(license, status=LicenseStatus.ACTIVE)
    receiver.answers = [Answer(200), Answer(500, body=b"out of order")]
    tasks.send_webhooks_job()
    page = administrator.get(reverse("admin:activations_webhookdelivery_changelist") + "?state__exact=waiting")
    assert "It answered 500." in page.words
    assert page.html.count('<tr><th class="field-') == 1

    failed = deliveries(row)[1]
    page = administrator.get(there(failed))
    assert "out of order" in page.words
    for _ in range(2):
        assert "waits to be sent again" in send(page, at("send_again", failed)).words
    assert LedgerEntry.objects.filter(kind="webhook.replayed").count() == 1
    tasks.send_webhooks_job()
    assert receiver.ids == [deliveries(row)[0].message_id, failed.message_id, failed.message_id]
    stale = send(administrator.get(there(failed)), at("send_again", failed), shown="0")
    assert "Look again first" in stale.words


def test_replayed_by_its_forms(administrator: Browser, receiver: Receiver, license: LicenseCreated) -> None:
    row = made_for(receiver).endpoint
    change(license, status=LicenseStatus.SUSPENDED)
    assert "Replay all" not in administrator.get(there(row)).words
    WebhookDelivery.objects.update(state=DeliveryState.DEAD, ended_at=timezone.now())
    page = administrator.get(there(row))
    assert "Replay all 1 dead" in page.words
    assert "1 event wait" in send(page, at("replay", row)).words
    assert [each.state for each in deliveries(row)] == [DeliveryState.WAITING]

    form = administrator.get(there(row)).forms[-1]
    typed = {**form.fields, "day": f"{timezone.now():%Y-%m-%d}"}
    assert "2 events wait" in administrator.post(at("replay", row), typed).words
    assert "booked already" in administrator.post(at("replay", row), typed).words
    assert len(deliveries(row)) == 2
    bad = administrator.get(there(row)).forms[-1]
    assert "Choose the day" in administrator.post(at("replay", row), {**bad.fields, "day": "soon"}).words


def test_trouble_is_on_the_home_page(administrator: Browser, receiver: Receiver) -> None:
    row = made_for(receiver).endpoint
    home = reverse("admin:index")
    assert "Every webhook is taken" in administrator.get(home).words
    WebhookEndpoint.objects.update(failing_since=timezone.now() - timedelta(hours=2), failures=9)
    page = administrator.get(home)
    assert "Plant system" in page.words
    assert "failing since" in page.words
    WebhookEndpoint.objects.update(state="disabled", state_why="it answered 410 Gone")
    assert "disabled: it answered 410 Gone" in administrator.get(home).words
    assert "it answered 410 Gone" in administrator.get(there(row)).words


@pytest.mark.parametrize("name", ["agent", "lead", "manager", "auditor"])
def test_nobody_else(name: str, sign_in: SignIn, receiver: Receiver, license: LicenseCreated) -> None:
    row = made_for(receiver).endpoint
    change(license, status=LicenseStatus.SUSPENDED)
    browser, (delivery,) = sign_in(name), deliveries(row)
    before = LedgerEntry.objects.count()
    places = [there(row), there(delivery), reverse(LIST), reverse(NEW), at("send_again", delivery)]
    places += [at(page, row) for page in ("change", "rotate", "disable", "enable", "remove", "test", "replay")]
    token = browser.get(reverse("admin:index")).form(reverse("admin:logout")).fields["csrfmiddlewaretoken"]
    for place in places:
        assert browser.get(place).status == 403, place
        assert browser.post(place, {"csrfmiddlewaretoken": token}).status == 403, place
    assert LedgerEntry.objects.count() == before
    assert "Webhooks" not in browser.get(reverse("admin:index")).words


def test_the_list_as_a_file_has_no_query_of_a_url(administrator: Browser, receiver: Receiver) -> None:
    made_for(receiver)
    WebhookEndpoint.objects.update(url=url_of(receiver, "/in?token=secret"))
    page = administrator.get(reverse(LIST))
    form = next(form for form in page.forms if "export" in form.action)
    answer = administrator.client.post(form.action, {**form.fields, "format": "csv"})
    text = b"".join(answer).decode()
    assert f"https://localhost:{receiver.port}/in" in text
    assert "token=secret" not in text + page.html
