"""Restoration cases as the tests of their pages make them, and how those pages are read."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from activations.models import Activation, Restoration
from activations.services.licenses import LicenseCreated
from activations.services.losses import (
    RestorationCase,
    approve_restoration,
    deny_restoration,
    mark_lost,
    request_restoration,
)
from tests.portal.cast import AGENT, LEAD, SOURCE, answered
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser, Page

PHOTO = b"\xff\xd8\xff\xe0 a burned server"
LIST = "admin:activations_restoration_changelist"
STONES = "admin:activations_tombstone_changelist"


def activated(license: LicenseCreated, name: str) -> Chariot:
    chariot = Chariot(license.license_key, host(name))
    chariot.install(answered(chariot.request()))
    return chariot


def opened(name: str, *, actor: Any = AGENT) -> Restoration:
    """The case of the activation on this host, which is marked lost first."""
    row = Activation.objects.get(hostname=name)
    if row.state == "active":
        mark_lost(activation_id=row.activation_id, actor=AGENT, source=SOURCE, reason=f"{name} burned down.")
    case = request_restoration(
        activation_id=row.activation_id, actor=actor, source=SOURCE, reason=f"A fire at {name}, they say."
    )
    assert isinstance(case, RestorationCase), case
    return Restoration.objects.get(restoration_id=case.restoration_id)


def approved(case: Restoration, *, actor: Any = LEAD, override: bool = False) -> None:
    result = approve_restoration(
        restoration_id=case.restoration_id, actor=actor, source=SOURCE, reason="Photos seen.", override=override
    )
    assert isinstance(result, RestorationCase), result


def denied(case: Restoration) -> None:
    result = deny_restoration(restoration_id=case.restoration_id, actor=LEAD, source=SOURCE, reason="No proof.")
    assert isinstance(result, RestorationCase), result


def page_of(browser: Browser, row: Any) -> Page:
    page = browser.get(reverse(f"admin:activations_{row._meta.model_name}_change", args=[row.pk]))
    assert page.status == 200, page.words
    return page


def csrf(browser: Browser, case: Restoration) -> dict[str, str]:
    page = page_of(browser, case)
    return {"csrfmiddlewaretoken": page.form(reverse("admin:logout")).fields["csrfmiddlewaretoken"]}


def add_files(browser: Browser, case: Restoration, *files: tuple[str, bytes]) -> Page:
    uploads = [SimpleUploadedFile(name, content) for name, content in files]
    address = reverse("admin:restoration_evidence", args=[case.pk])
    return browser.post(address, {"files": uploads, **csrf(browser, case)})


def rows(browser: Browser, address: str) -> int:
    page = browser.get(address)
    assert page.status == 200, page.words
    return int(page.html.count('<tr><th class="field-'))
