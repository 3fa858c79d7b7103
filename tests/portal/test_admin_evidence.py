"""The evidence of a restoration case on its page: added, listed, downloaded and never shown by the browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse

from activations.models import Evidence, Restoration
from activations.services.evidence import LARGEST_FILE
from activations.services.licenses import LicenseCreated
from tests.portal.cases import PHOTO, activated, add_files, csrf, denied, opened, page_of
from tests.portal.cast import entries, length
from tests.portal.chariot import Chariot
from tests.portal.web import Browser

SignIn = Callable[[str], Browser]
PDF = b"%PDF-1.7 the fire brigade's report"


@pytest.fixture
def pump(license: LicenseCreated) -> Chariot:
    return activated(license, "pump-house")


@pytest.fixture
def case(pump: Chariot) -> Restoration:
    return opened("pump-house")


def test_files_are_added_listed_and_downloaded(license: LicenseCreated, case: Restoration, sign_in: SignIn) -> None:
    agent, before = sign_in("agent"), length(license.license_id)

    page = add_files(agent, case, ("wreck.jpg", PHOTO), ("report.pdf", PDF))

    assert page.path == reverse("admin:activations_restoration_change", args=[case.pk])
    assert "Added: wreck.jpg, report.pdf." in page.words
    assert [entry[1:] for entry in entries(license.license_id, after=before)] == [
        ("agent", "restoration.evidence_added", ""),
        ("agent", "restoration.evidence_added", ""),
    ]
    photo, report = Evidence.objects.order_by("id")
    for file in (photo, report):
        assert file.sha256 in page.words
        assert f"{file.size} bytes" in page.words
    for username in ("auditor", "lead"):
        answer = sign_in(username).client.get(reverse("admin:restoration_evidence_file", args=[case.pk, report.pk]))
        assert (answer.status_code, answer.content) == (200, PDF)
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="report.pdf"'
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert "no-store" in answer.headers["Cache-Control"]
    assert length(license.license_id) == before + 2


def test_one_bad_file_does_not_cost_the_others(license: LicenseCreated, case: Restoration, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    add_files(agent, case, ("wreck.jpg", PHOTO))
    before = length(license.license_id)

    page = add_files(
        agent,
        case,
        ("report.pdf", PDF),
        ("wreck.jpg", PHOTO),
        ("page.html", b"<script>"),
        ("large.jpg", PHOTO.ljust(LARGEST_FILE + 1)),
    )

    assert "Added: report.pdf." in page.words
    assert "Not added: wreck.jpg is kept with this case already. Nothing changed." in page.words
    assert "Not added: page.html is not a kind of file" in page.words
    assert "Not added: large.jpg is larger than 5 MB." in page.words
    assert length(license.license_id) == before + 1


def test_sending_no_file_says_so(case: Restoration, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    page = agent.post(reverse("admin:restoration_evidence", args=[case.pk]), csrf(agent, case))
    assert "No file was chosen, so nothing was added." in page.words


def test_looking_at_the_address_adds_nothing(license: LicenseCreated, case: Restoration, sign_in: SignIn) -> None:
    before = length(license.license_id)
    page = sign_in("agent").get(reverse("admin:restoration_evidence", args=[case.pk]))
    assert page.path == reverse("admin:activations_restoration_change", args=[case.pk])
    assert length(license.license_id) == before


@pytest.mark.parametrize("username", ["manager", "auditor", "administrator"])
def test_others_read_evidence_and_add_none(case: Restoration, sign_in: SignIn, username: str) -> None:
    browser = sign_in(username)
    assert "Files are added by those who request or decide restorations." in page_of(browser, case).words
    assert add_files(browser, case, ("wreck.jpg", PHOTO)).status == 403
    assert not Evidence.objects.exists()


def test_a_file_is_found_only_under_its_own_case(license: LicenseCreated, case: Restoration, sign_in: SignIn) -> None:
    add_files(sign_in("agent"), case, ("wreck.jpg", PHOTO))
    activated(license, "mill")
    other, file = opened("mill"), Evidence.objects.get()
    address = reverse("admin:restoration_evidence_file", args=[other.pk, file.pk])
    assert sign_in("agent").client.get(address).status_code == 404


def test_a_decided_case_takes_no_more_files(license: LicenseCreated, case: Restoration, sign_in: SignIn) -> None:
    denied(case)
    before = length(license.license_id)
    page = add_files(sign_in("agent"), case, ("wreck.jpg", PHOTO))
    assert f"Not added: Case {case.restoration_id} is denied" in page.words
    assert "Add photos" not in page.words
    assert length(license.license_id) == before
