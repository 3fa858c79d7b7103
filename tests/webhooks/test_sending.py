"""Sending to a real receiver over TLS: what each answer leads to, and that a slow or huge one costs little."""

from __future__ import annotations

import email.utils
import json
import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone
from pytest_django import Settings

from activations import tasks
from activations.domain.words import LicenseStatus
from activations.models import DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookState
from activations.services.licenses import LicenseCreated
from activations.services.webhooks import delivering, outbox, sending
from activations.services.webhooks.endpoints import SecretGiven, rotate_secret
from licensing_portal.receivers import Receivers
from tests.portal.cast import ADMINISTRATOR, SOURCE
from tests.portal.licensing import change
from tests.webhooks.making import deliveries, made, made_for, portal_entries, url_of
from tests.webhooks.receiver import Answer, Receiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def given(receiver: Receiver, license: LicenseCreated) -> SecretGiven:
    """A webhook for which one event waits."""
    secret = made_for(receiver)
    change(license, status=LicenseStatus.SUSPENDED)
    return secret


def only(given: SecretGiven) -> WebhookDelivery:
    (row,) = deliveries(given.endpoint)
    return row


def endpoint_of(given: SecretGiven) -> WebhookEndpoint:
    return WebhookEndpoint.objects.get(pk=given.endpoint.pk)


def test_delivered(receiver: Receiver, given: SecretGiven, license: LicenseCreated) -> None:
    assert tasks.send_webhooks_job() == 1

    (got,) = receiver.got
    row = only(given)
    assert got.verified_by(given.secret)["type"] == "license.suspended"
    assert (got.path, got.body.decode(), got.message_id) == ("/hooks", row.body, row.message_id)
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"] == "chariot-licensing-portal-webhooks"
    assert json.loads(got.body)["data"]["license_id"] == license.license_id
    assert (row.state, row.attempts, row.claim, row.problem) == (DeliveryState.DELIVERED, 1, "", "")
    (attempt,) = row.tries.all()
    assert (attempt.status, attempt.address, attempt.problem) == (204, "127.0.0.1", "")
    assert endpoint_of(given).last_delivered_at == row.ended_at
    assert endpoint_of(given).turn == ""

    assert tasks.send_webhooks_job() == 0
    assert len(receiver.got) == 1, "it is not sent again"


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_a_yes(receiver: Receiver, given: SecretGiven, status: int) -> None:
    receiver.usual = Answer(status)
    assert tasks.send_webhooks_job() == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 429, 500, 502, 503, 504])
def test_everything_else_is_tried_again(receiver: Receiver, given: SecretGiven, status: int) -> None:
    receiver.answers = [Answer(status, body=b"not now")]
    assert tasks.send_webhooks_job() == 0

    row, endpoint = only(given), endpoint_of(given)
    assert row.state == DeliveryState.WAITING
    assert row.problem.startswith(f"It answered {status}")
    assert row.tries.get().answer == "not now"
    assert endpoint.failing_since is not None
    assert tasks.send_webhooks_job() == 0
    assert len(receiver.got) == 1, "it is not due yet"

    with time_machine.travel(row.next_attempt_at + timedelta(seconds=1)):
        assert tasks.send_webhooks_job() == 1
        # The same id, so that the receiver can tell; the time and with it the signature are those of the attempt.
        first, second = receiver.got
        assert second.message_id == first.message_id
        assert second.body == first.body
        assert int(second.headers["webhook-timestamp"]) > int(first.headers["webhook-timestamp"])
        assert second.verified_by(given.secret)
    assert endpoint_of(given).failing_since is None


def test_a_redirect_is_not_followed(receiver: Receiver, given: SecretGiven) -> None:
    receiver.answers = [Answer(302, {"Location": url_of(receiver, "/elsewhere")})]
    tasks.send_webhooks_job()
    assert [got.path for got in receiver.got] == ["/hooks"]
    assert "a redirect, which is not followed" in only(given).problem


def test_tried_less_and_less_often_and_then_given_up(receiver: Receiver, given: SecretGiven) -> None:
    receiver.usual = Answer(500)
    waits, now = [], timezone.now()
    while True:
        with time_machine.travel(now, tick=False):
            tasks.send_webhooks_job()
        row = only(given)
        if row.state != DeliveryState.WAITING:
            break
        waits.append((row.next_attempt_at - now).total_seconds())
        now = row.next_attempt_at
    planned = [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    assert len(waits) == len(planned)
    for wait, plan in zip(waits, planned, strict=True):
        assert plan <= wait <= plan * 1.2
    assert (row.state, row.attempts, row.tries.count()) == (DeliveryState.DEAD, 10, 10)
    assert row.ended_at == now
    assert set(receiver.ids) == {row.message_id}
    assert endpoint_of(given).state == WebhookState.ACTIVE, "one event that is not taken closes nothing"


def test_waits_differ_so_that_receivers_are_not_stormed() -> None:
    assert len({outbox.wait_after(3, sending.Outcome(status=500)) for _ in range(20)}) > 10


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_receiver_says_when(
    receiver: Receiver, given: SecretGiven, status: int, license: LicenseCreated
) -> None:
    receiver.answers = [Answer(status, {"Retry-After": "7200"})]
    tasks.send_webhooks_job()
    row = only(given)
    assert timedelta(hours=1, minutes=59) < row.next_attempt_at - timezone.now() <= timedelta(hours=2)

    change(license, status=LicenseStatus.ACTIVE)
    tasks.send_webhooks_job()
    assert len(receiver.got) == 1, "nothing else is sent to it meanwhile"
    with time_machine.travel(row.next_attempt_at + timedelta(seconds=1)):
        assert tasks.send_webhooks_job() == 2


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        ("9999999", timedelta(hours=23), timedelta(hours=24)),
        ("0", timedelta(seconds=4), timedelta(seconds=7)),
        ("soon", timedelta(seconds=4), timedelta(seconds=7)),
        ("-5", timedelta(seconds=4), timedelta(seconds=7)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", timedelta(seconds=4), timedelta(seconds=7)),
        ("an hour from now", timedelta(minutes=58), timedelta(hours=1)),
    ],
)
def test_how_long_a_receiver_may_ask_for(
    receiver: Receiver, given: SecretGiven, said: str, least: timedelta, most: timedelta
) -> None:
    if said == "an hour from now":
        said = email.utils.format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    receiver.answers = [Answer(503, {"Retry-After": said})]
    tasks.send_webhooks_job()
    assert least < only(given).next_attempt_at - timezone.now() <= most


def test_retry_after_is_not_asked_of_other_answers(receiver: Receiver, given: SecretGiven) -> None:
    receiver.answers = [Answer(500, {"Retry-After": "7200"})]
    tasks.send_webhooks_job()
    assert only(given).next_attempt_at - timezone.now() < timedelta(seconds=10)


def test_gone_disables_the_webhook(receiver: Receiver, given: SecretGiven, license: LicenseCreated) -> None:
    before = len(portal_entries())
    change(license, status=LicenseStatus.ACTIVE)
    receiver.answers = [Answer(410)]

    tasks.send_webhooks_job()

    assert portal_entries(before) == [("automatic", "webhook.disabled", "")]
    endpoint = endpoint_of(given)
    assert (endpoint.state, endpoint.state_why) == (WebhookState.DISABLED, "it answered 410 Gone")
    assert [row.state for row in deliveries(given.endpoint)] == [DeliveryState.DEAD, DeliveryState.WAITING]
    with time_machine.travel(timezone.now() + timedelta(days=1)):
        assert tasks.send_webhooks_job() == 0
    assert len(receiver.got) == 1


def test_failing_for_five_days_disables_the_webhook(
    receiver: Receiver, given: SecretGiven, license: LicenseCreated
) -> None:
    receiver.usual = Answer(500)
    before, begun = len(portal_entries()), timezone.now()
    tasks.send_webhooks_job()
    for days, state in ((4, WebhookState.ACTIVE), (5.01, WebhookState.DISABLED)):
        with time_machine.travel(begun + timedelta(days=days)):
            tasks.send_webhooks_job()
        assert endpoint_of(given).state == state
    assert portal_entries(before) == [("automatic", "webhook.disabled", "")]
    assert endpoint_of(given).state_why == "it took nothing for 5 days"


def test_a_receiver_that_is_not_there(receiver: Receiver, given: SecretGiven) -> None:
    receiver.close()
    tasks.send_webhooks_job()
    assert only(given).problem == "It cannot be reached: Connection refused."


@pytest.mark.parametrize("answer", [Answer(seconds=30), Answer(200, {"Content-Length": "400"}, b"x" * 400, drip=1)])
def test_a_receiver_that_is_slow_is_cut_off(
    receiver: Receiver, given: SecretGiven, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time is bounded as a whole: a byte a second is no way round it. Behind a 2xx the event has arrived."""
    monkeypatch.setattr(sending, "PATIENCE", 0.5)
    receiver.answers = [answer]
    begun = time.monotonic()
    tasks.send_webhooks_job()
    assert time.monotonic() - begun < 15
    row = only(given)
    if answer.seconds:
        assert row.state == DeliveryState.WAITING
        assert row.problem.startswith("It did not answer within")
    else:
        assert row.state == DeliveryState.DELIVERED


def test_of_a_huge_answer_the_first_kilobyte_is_read(receiver: Receiver, given: SecretGiven) -> None:
    receiver.answers = [Answer(500, body=b"a" * 50_000_000)]
    tasks.send_webhooks_job()
    assert only(given).tries.get().answer == "a" * 1024


def test_an_answer_with_a_secret_or_odd_letters(
    receiver: Receiver, given: SecretGiven, license: LicenseCreated
) -> None:
    receiver.answers = [Answer(500, body=f"got {license.license_key}\x00\x1b[31m \xff".encode("latin-1"))]
    tasks.send_webhooks_job()
    answer = only(given).tries.get().answer
    assert answer.startswith("got [License Key]")
    assert "\x00" not in answer
    assert "\x1b" not in answer


def test_what_is_no_http(given: SecretGiven, receiver: Receiver) -> None:
    receiver.answers = [Answer(500, {"X-Long": "y" * 70_000})]
    tasks.send_webhooks_job()
    assert only(given).problem == "Its answer is no HTTP: LineTooLong."


def test_for_a_day_after_a_rotation_both_secrets_sign(
    receiver: Receiver, given: SecretGiven, license: LicenseCreated
) -> None:
    webhook = given.endpoint.webhook_id
    rotated = rotate_secret(webhook_id=webhook, actor=ADMINISTRATOR, source=SOURCE, reason="a new receiver")
    assert isinstance(rotated, SecretGiven)
    assert tasks.send_webhooks_job() == 1
    (got,) = receiver.got
    assert got.headers["webhook-signature"].count("v1,") == 2
    assert got.verified_by(given.secret) == got.verified_by(rotated.secret)

    change(license, status=LicenseStatus.ACTIVE)
    with time_machine.travel(timezone.now() + timedelta(hours=24, minutes=1)):
        assert tasks.send_webhooks_job() == 1
        assert receiver.got[1].headers["webhook-signature"].count("v1,") == 1
        assert receiver.got[1].verified_by(rotated.secret)
    assert bytes(endpoint_of(given).before_encrypted) == b"", "the old one is erased"


def test_in_the_order_of_the_bookings(receiver: Receiver, given: SecretGiven, license: LicenseCreated) -> None:
    for _ in range(3):
        change(license, status=LicenseStatus.ACTIVE)
        change(license, status=LicenseStatus.SUSPENDED)
    assert tasks.send_webhooks_job() == 7
    numbers = [json.loads(got.body)["data"]["ledger"]["seq"] for got in receiver.got]
    assert numbers == sorted(numbers)


def test_a_url_that_the_settings_no_longer_allow(receiver: Receiver, given: SecretGiven, settings: Settings) -> None:
    settings.WEBHOOK_ALLOW = Receivers()
    tasks.send_webhooks_job()
    assert only(given).state == DeliveryState.WAITING
    assert "let WEBHOOK_ALLOW name it" in only(given).problem
    assert not receiver.got


def test_what_ended_long_ago_is_taken_out(receiver: Receiver, given: SecretGiven) -> None:
    tasks.send_webhooks_job()
    with time_machine.travel(timezone.now() + timedelta(days=29)):
        tasks.send_webhooks_job()
        assert deliveries(given.endpoint)
    with time_machine.travel(timezone.now() + timedelta(days=31)):
        tasks.send_webhooks_job()
        assert not deliveries(given.endpoint)


def test_a_receiver_that_hangs_holds_up_no_other(
    transactional_db: None, receiver: Receiver, license: LicenseCreated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "PATIENCE", 2.0)
    hangs, good = made(url_of(receiver, "/hangs")), made(url_of(receiver, "/good"))
    for status in (LicenseStatus.SUSPENDED, LicenseStatus.ACTIVE, LicenseStatus.SUSPENDED):
        change(license, status=status)
    order: list[str] = []

    def slow_at_one() -> None:
        path = receiver.got[-1].path
        order.append(path)
        if path == "/hangs":
            time.sleep(20)

    receiver.before_answer = slow_at_one
    assert delivering.send_due() == 3, "all of the other's, side by side with the one that hangs"
    assert order.count("/hangs") == 1, "the rest of its own waits: each would hang"
    assert [row.state for row in deliveries(good.endpoint)] == [DeliveryState.DELIVERED] * 3
    assert [row.attempts for row in deliveries(hangs.endpoint)] == [1, 0, 0]
    assert outbox.due_endpoints(timezone.now()) == []
