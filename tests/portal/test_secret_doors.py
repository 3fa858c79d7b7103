"""Doors through which a License Key could come into an address, a name or a page."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest
from chariot_license.protocol.codes import format_deactivation_code, format_public_id
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from activations.models import Contact, Customer, LedgerEntry
from activations.services.evidence import add_evidence
from activations.services.licenses import FeatureTerm, LicenseCreated, create_license
from activations.services.results import BadInput, bad_name, bad_reason
from tests.portal.cast import AGENT, MANAGER, SOURCE
from tests.portal.test_import_web import upload
from tests.portal.web import Browser, desk

SignIn = Callable[[str], Browser]
CODE = format_deactivation_code(b"0123456789abcdef")
RESTORATION = format_public_id("RES", b"0123456789")
LISTS = ["license", "activation", "customer", "usagerequest", "restoration", "ledgerentry"]


@pytest.mark.parametrize("name", LISTS)
def test_the_search_of_a_list_puts_no_secret_into_an_address(
    license: LicenseCreated, sign_in: SignIn, name: str
) -> None:
    address, lead = reverse(f"admin:activations_{name}_changelist"), sign_in("lead")
    form = next(form for form in lead.get(address).forms if "q" in form.fields and not form.action)
    assert form.method == "post"

    for secret in (license.license_key, license.license_key.lower().replace("-", " "), CODE):
        page = lead.post(address, {**form.fields, "q": secret})
        assert page.redirects == [f"{address}?"]
        assert "Use the search at the top of the page." in page.words
        assert secret not in page.html

    assert lead.post(address, {**form.fields, "q": "acme"}).redirects == [f"{address}?q=acme"]
    assert lead.post(address, {**form.fields, "q": "a\x00b"}).status == 200


def test_a_secret_in_the_address_of_a_list_is_taken_out_and_the_filter_kept(
    license: LicenseCreated, sign_in: SignIn
) -> None:
    address = reverse("admin:activations_license_changelist")
    page = sign_in("agent").get(f"{address}?status__exact=active&q={quote(license.license_key)}")
    assert page.redirects == [f"{address}?status__exact=active"]
    assert "It was taken out." in page.words
    assert license.license_key not in page.html


def test_a_nul_in_the_search_finds_nothing(sign_in: SignIn) -> None:
    agent = sign_in("agent")
    form = agent.get("/admin/search/").form("/admin/search/")
    page = agent.post("/admin/search/", {**form.fields, "q": "ac\x00me"})
    assert (page.status, "Nothing was found for" in page.words) == (200, True)


def test_no_customer_is_called_like_a_secret(license: LicenseCreated) -> None:
    booked = LedgerEntry.objects.count()
    for secret in (license.license_key, f"Acme {license.license_key.replace('-', ' ')}", CODE):
        made = create_license(
            customer=secret, allowed=1, features=[FeatureTerm("mqtt-server")], actor=MANAGER, source=SOURCE
        )
        assert isinstance(made, BadInput)
        assert made.code == "customer-unfit"
        assert secret not in made.message
    assert LedgerEntry.objects.count() == booked


def test_no_form_takes_a_secret_as_a_name(license: LicenseCreated, sign_in: SignIn) -> None:
    manager, add = sign_in("manager"), reverse("admin:activations_customer_add")
    key = license.license_key
    fields = {
        **manager.get(add).form().fields,
        "contacts-TOTAL_FORMS": "1",
        "contacts-0-id": "",
        "contacts-0-name": "Plant",
        "contacts-0-email": "plant@beta.example",
        "name": "Beta Mills",
    }
    for name, value in (
        ("name", key),
        ("contacts-0-name", key),
        ("contacts-0-email", f"{key.lower()}@beta.example"),
        ("contacts-0-name", CODE),
    ):
        page = manager.post(add, {**fields, name: value})
        assert "which is secret and would be shown to everyone" in page.words, name
    assert not Customer.objects.filter(name__in=["Beta Mills", key]).exists()
    manager.post(add, fields)
    assert Contact.objects.get().name == "Plant"


def test_a_file_that_is_too_large_echoes_no_secret_of_the_box(license: LicenseCreated, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    form, large = agent.get(desk()).form(desk()), SimpleUploadedFile("a.txt", b"x" * 2_000_001)
    page = agent.post(desk(), {**form.fields, "text": f"Pump {license.license_key} and {CODE}", "upload": large})
    assert "larger than 2 MB" in page.words
    assert "Pump [License Key] and [deactivation code]" in page.words


def test_a_form_that_did_not_arrive_whole_echoes_no_secret(license: LicenseCreated, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    token = agent.get(desk()).form(desk()).fields["csrfmiddlewaretoken"]
    text = f"Pump {license.license_key} and {CODE}"
    page = agent.post(reverse("admin:desk_confirm"), {"csrfmiddlewaretoken": token, "text": text})
    assert "Start again" in page.words
    assert "Pump [License Key] and [deactivation code]" in page.words


HEADINGS = {"license": "customer,allowed,mqtt-server,lowest version", "customer": "customer,contact name,email"}


@pytest.mark.parametrize(
    ("what", "row"),
    [
        ("license", "{},1,yes,"),
        ("license", "Acme Water,{},yes,"),
        ("license", "Acme Water,1,{},"),
        ("license", "Acme Water,1,yes,{}"),
        ("license", "Acme Water,1,yes,,{}"),
        ("customer", "{},,"),
        ("customer", "Acme Water,{},plant@acme.example"),
        ("customer", "Acme Water,Plant,{}"),
        ("customer", "Acme Water,Plant,{}@acme.example"),
    ],
)
def test_no_dry_run_of_an_import_shows_a_secret(license: LicenseCreated, sign_in: SignIn, what: str, row: str) -> None:
    manager = sign_in("manager")
    for secret in (license.license_key, license.license_key.lower().replace("-", " "), CODE):
        page = upload(manager, f"{HEADINGS[what]}\n{row.format(secret)}\n", what)
        assert "1 of 1 row is wrong, so nothing can be booked" in page.words
        assert secret[:30] not in page.html
        assert ("[deactivation code]" if secret == CODE else "[License Key]") in page.words


def test_a_heading_that_is_a_secret_is_not_repeated(license: LicenseCreated, sign_in: SignIn) -> None:
    for secret, name in ((license.license_key, "License Key"), (CODE, "deactivation code")):
        page = upload(sign_in("manager"), f"customer,allowed,{secret}\nAcme Water,1,yes\n")
        assert f"The heading '[{name}]' is none of the columns" in page.words
        assert secret[:30] not in page.html


def wrong(code: str) -> str:
    """The code as it is when its last letter was mistyped."""
    return code[:-1] + ("7" if code[-1] != "7" else "8")


def test_a_mistyped_secret_comes_through_no_door(license: LicenseCreated) -> None:
    booked = LedgerEntry.objects.count()
    for secret, kind in ((license.license_key, "key"), (CODE, "code")):
        for text in (wrong(secret), secret.replace("-", "%2D"), wrong(secret).replace("-", "%20")):
            refused = bad_reason(f"Customer says that {text} fails")
            assert refused is not None, text
            assert refused.code == f"reason-holds-{kind}"
            named = bad_name(text, "The name", "name-unfit")
            assert named is not None, text
            assert named.code == "name-unfit"
            assert text not in named.message
            for name, content in ((f"{text}.txt", b"Hello"), ("a.txt", f"It is {text}.".encode())):
                added = add_evidence(restoration_id=RESTORATION, name=name, content=content, actor=AGENT, source=SOURCE)
                assert isinstance(added, BadInput), (name, content)
                assert added.code == f"evidence-holds-{kind}"
                assert text not in added.message
    assert LedgerEntry.objects.count() == booked


def test_a_reason_may_name_addresses_and_years() -> None:
    reason = (
        "Bought in 2019 2020 2021 2022 2023 2024 2025, host 2001:0db8:85a3:0000:0000:8a2e:0370:7334, "
        "pumps P101 P102 P103 P104 P105 P106 P107."
    )
    assert bad_reason(reason) is None
