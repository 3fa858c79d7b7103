"""What a careless or hostile hand can type, paste or send: a clear answer, and nothing kept that should not be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse

from activations.domain.words import LicenseStatus, Outcome
from activations.models import IntakeEntry, License, UsageRequest
from activations.services.actors import create_staff, system_actor
from activations.services.intake import keep_refused
from activations.services.ledger_checks import verify_ledger
from activations.services.licenses import (
    FeatureTerm,
    LicenseChange,
    LicenseCreated,
    change_license,
    create_license,
    replace_license_key,
)
from activations.services.mail_text import text_of_upload
from activations.services.results import BadInput, Refused
from tests.portal.cast import AGENT, MANAGER, SOURCE, answered, entries, issue, length
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser

pytestmark = pytest.mark.django_db


def test_a_license_key_in_a_refused_mail_is_not_kept(license: LicenseCreated) -> None:
    mail = f"Our key is {license.license_key}, please activate us."
    keep_refused(source=mail, problem=BadInput("no-block", "There is none."), actor=AGENT)
    assert IntakeEntry.objects.get().text == "Our key is [License Key], please activate us."


def test_a_license_key_in_a_reason_does_not_reach_the_ledger(license: LicenseCreated) -> None:
    suspend = LicenseChange(status=LicenseStatus.SUSPENDED)
    reason = f"leaked: {license.license_key}"
    said = change_license(license_id=license.license_id, change=suspend, actor=MANAGER, source=SOURCE, reason=reason)
    assert isinstance(said, BadInput)
    assert said.code == "reason-holds-key"
    assert length(license.license_id) == 1


def test_a_license_key_is_in_no_repr(license: LicenseCreated) -> None:
    assert license.license_key not in repr(license)


def test_what_somebody_else_changed_meanwhile_is_not_undone(
    license: LicenseCreated, sign_in: Callable[[str], Browser]
) -> None:
    """Two managers have the form open; the second to save is told, and books nothing."""
    row = License.objects.get(license_id=license.license_id)
    address = reverse("admin:activations_license_changelist") + f"{row.pk}/terms/"
    manager = sign_in("manager")
    slow = manager.get(address).form()
    raised = change_license(
        license_id=license.license_id, change=LicenseChange(allowed=10), actor=MANAGER, source=SOURCE, reason="order 1"
    )
    assert not isinstance(raised, Refused | BadInput)
    booked = length(license.license_id)

    page = manager.post(address, {**slow.fields, "version_low": "2.0", "reason": "order 2"})

    assert "Somebody changed this license meanwhile: 10 activations are allowed now" in page.html
    assert length(license.license_id) == booked
    assert License.objects.get(pk=row.pk).allowed == 10


@pytest.mark.parametrize("version", ["2.0é", "2.4-beta", "v2", "2..4"])
def test_a_version_that_no_usage_license_can_carry_is_refused_at_once(version: str) -> None:
    made = create_license(
        customer="Acme Water",
        allowed=1,
        features=[FeatureTerm("mqtt-server")],
        versions=(version, ""),
        actor=MANAGER,
        source=SOURCE,
    )
    assert isinstance(made, BadInput)
    assert made.code == "version-unreadable"


@pytest.mark.parametrize("name", ["command-line", "anonymous", "automatic"])
def test_nobody_can_be_called_what_the_ledger_calls_the_portal(name: str) -> None:
    made = create_staff(username=name, role="support-lead", password=None, actor=system_actor(), source=SOURCE)
    assert isinstance(made, BadInput)
    assert made.code == "name-reserved"


@pytest.mark.parametrize("address", ["/admin/desk/requests/a%00b/", "/admin/activations/license/?status__exact=%00"])
def test_a_nul_in_an_address_is_a_bad_request(sign_in: Callable[[str], Browser], address: str) -> None:
    assert sign_in("agent").client.get(address).status_code == 400


def test_half_characters_in_a_mail_are_replaced() -> None:
    mail = b"From: a@example.com\nSubject: x\nContent-Type: text/plain; charset=utf-7\n\n+2AA-\n"
    text_of_upload(mail).encode()


def test_no_request_waits_for_ever_for_a_key_that_was_replaced(
    license: LicenseCreated, sign_in: Callable[[str], Browser]
) -> None:
    """A changed host waits for a lead; then the License Key is replaced, so that nobody could answer it any more."""
    pump = Chariot(license.license_key, host("pump-house"))
    pump.install(answered(pump.request()))
    moved = pump.clone(host("another"))
    waiting = issue(moved.request())
    assert waiting.decision.outcome is Outcome.PENDING
    before = length(license.license_id)

    replace_license_key(license_id=license.license_id, actor=MANAGER, source=SOURCE, reason="leaked")

    assert entries(license.license_id, after=before) == [
        (before + 1, "manager", "license.key_replaced", "leaked"),
        (before + 2, "manager", "request.refused", "leaked"),
    ]
    row = UsageRequest.objects.get(request_id=waiting.request_id)
    assert (row.state, row.code) == ("refused", "license-key-replaced")
    assert verify_ledger(rebuild_check=True).problems == ()
    # Reading about it writes nothing.
    sign_in("lead").client.get(f"/admin/desk/requests/{waiting.request_id}/")
    assert not IntakeEntry.objects.exists()


def test_a_request_is_kept_as_the_customer_sent_it_and_as_it_was_read(license: LicenseCreated) -> None:
    """Quoted, in small letters, with greetings and with the License Key that belongs in no mail."""
    block = Chariot(license.license_key, host("pump-house")).request()
    quoted = "".join(f"> {line.lower()}\r\n" for line in block.splitlines())
    mail = f"Dear Support,\r\n\r\n{quoted}\r\nkey: {license.license_key}\r\n"

    issue(mail)

    row = UsageRequest.objects.get()
    assert row.text == block
    assert row.received == mail.replace(license.license_key, "[License Key]")
