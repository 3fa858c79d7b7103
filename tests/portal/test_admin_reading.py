"""Who sees which page, what no page shows, what nobody can do there, and how many queries a page takes."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from activations.models import (
    Activation,
    IntakeEntry,
    LedgerEntry,
    License,
    PortalSecret,
    Restoration,
    SigningKey,
    StaffEvent,
    Tombstone,
    UsageLicense,
    UsageRequest,
)
from activations.services.intake import keep_refused
from activations.services.licenses import LicenseCreated
from activations.services.losses import approve_restoration, mark_lost, request_restoration
from activations.services.results import Unanswerable
from tests.portal.cast import AGENT, LEAD, SOURCE, answered, issue, make_license
from tests.portal.chariot import Chariot, host
from tests.portal.web import ROLE_OF, Browser

SignIn = Callable[[str], Browser]
EVERYBODY = {"agent", "lead", "manager", "auditor", "administrator"}
DESK = {"agent", "lead"}
READERS = EVERYBODY - {"agent"}
# The pages and who may open them; everyone else gets 403.
LISTS = {
    "apitoken": READERS,
    "license": EVERYBODY,
    "activation": EVERYBODY,
    "restoration": EVERYBODY,
    "usagerequest": EVERYBODY,
    "usagelicense": EVERYBODY,
    "tombstone": EVERYBODY,
    "customer": EVERYBODY,
    "product": EVERYBODY,
    "ledgerentry": READERS,
    "signingkey": READERS,
    "staffevent": {"auditor", "administrator"},
    "intakeentry": EVERYBODY,
    "conversation": EVERYBODY,
    "outgoingmail": EVERYBODY,
    "reply": EVERYBODY,
    "replytext": EVERYBODY,
    "webhookdelivery": {"administrator"},
    "webhookendpoint": {"administrator"},
}
ACTIONS = {
    "license_terms": {"manager"},
    "license_suspend": {"manager"},
    "license_reinstate": {"manager"},
    "license_revoke": {"manager"},
    "license_replace_key": {"manager"},
    "activation_mark_lost": DESK,
    "activation_request_restoration": DESK,
    "restoration_approve": {"lead"},
    "restoration_deny": {"lead"},
}


@dataclass
class World:
    """One of everything."""

    license: LicenseCreated
    request: UsageRequest


@pytest.fixture
def world(license: LicenseCreated) -> World:
    chariot = Chariot(license.license_key, host("pump-house"))
    chariot.install(answered(chariot.request()))
    burnt = Chariot(license.license_key, host("filter-hall"))
    answered(burnt.request())
    lost = Activation.objects.get(hostname="filter-hall").activation_id
    mark_lost(activation_id=lost, actor=AGENT, source=SOURCE, reason="fire")
    case = request_restoration(activation_id=lost, actor=AGENT, source=SOURCE, reason="fire")
    approve_restoration(restoration_id=case.restoration_id, actor=LEAD, source=SOURCE, reason="yes")  # type: ignore[union-attr]
    issue(chariot.reinstalled().request())  # waits for a person
    pasted = f"our key is {license.license_key.lower()}, why does it not work?"
    keep_refused(source=pasted, problem=Unanswerable("license-key-unknown", "No license has it."), actor=AGENT)
    return World(license, UsageRequest.objects.get(state="pending"))


def row_of(name: str) -> int:
    models = {
        "license": License,
        "activation": Activation,
        "restoration": Restoration,
        "usagerequest": UsageRequest,
        "usagelicense": UsageLicense,
        "tombstone": Tombstone,
        "ledgerentry": LedgerEntry,
        "signingkey": SigningKey,
        "staffevent": StaffEvent,
        "intakeentry": IntakeEntry,
    }
    model = models.get(name)
    row = model.objects.first() if model else None  # type: ignore[attr-defined]
    return row.pk if row else 1


def addresses(world: World) -> dict[str, set[str]]:
    """Every page of the admin that shows something, and who may see it."""
    pages = {reverse("admin:index"): EVERYBODY, reverse("admin:desk"): DESK}
    pages[reverse("admin:desk_request", args=[world.request.request_id])] = DESK
    for name, who in LISTS.items():
        pages[reverse(f"admin:activations_{name}_changelist")] = who
        pages[reverse(f"admin:activations_{name}_change", args=[row_of(name)])] = who
    for name, who in ACTIONS.items():
        pages[reverse(f"admin:{name}", args=[row_of(name.split("_")[0])])] = who
    pages[reverse("admin:activations_license_add")] = {"manager"}
    pages[reverse("admin:activations_customer_add")] = {"manager"}
    pages[reverse("admin:auth_user_changelist")] = READERS
    return pages


@pytest.mark.parametrize("username", sorted(EVERYBODY))
def test_each_role_opens_its_pages_and_no_others(username: str, world: World, sign_in: SignIn) -> None:
    browser = sign_in(username)
    opened = {address for address in addresses(world) if browser.get(address).status == 200}
    assert opened == {address for address, who in addresses(world).items() if username in who}
    refused = {browser.get(address).status for address in addresses(world) if address not in opened}
    assert refused == {403}


@pytest.mark.parametrize("username", sorted(EVERYBODY))
def test_the_navigation_leads_only_to_pages_that_open(username: str, world: World, sign_in: SignIn) -> None:
    browser = sign_in(username)
    page = browser.get(reverse("admin:index"))
    for address in addresses(world):
        if f'href="{address}"' in page.html:
            assert browser.get(address).status == 200
    assert (f'href="{reverse("admin:desk")}"' in page.html) == (username in DESK)


def test_only_who_may_use_the_desk_is_led_there(world: World, sign_in: SignIn) -> None:
    answer = UsageLicense.objects.latest("pk")
    stored = {"usagerequest": world.request.pk, "usagelicense": answer.pk}
    for username in sorted(EVERYBODY):
        for name, pk in stored.items():
            page = sign_in(username).get(reverse(f"admin:activations_{name}_change", args=[pk]))
            assert ("/admin/desk/requests/" in page.html) == (username in DESK), (username, name)


def test_someone_refused_is_told_whom_to_ask(world: World, sign_in: SignIn) -> None:
    page = sign_in("auditor").get(reverse("admin:desk"))
    assert "Ask a support agent." in page.words
    page = sign_in("agent").get(reverse("admin:license_terms", args=[row_of("license")]))
    assert "Ask a license manager." in page.words


def test_staff_without_a_role_see_nothing(world: World) -> None:
    browser = Browser(User.objects.create_user("nobody", is_staff=True))
    assert "Your account has no role in the portal yet." in browser.get(reverse("admin:index")).words
    pages = [address for address in addresses(world) if address != reverse("admin:index")]
    assert {browser.get(address).status for address in pages} == {403}


def test_strangers_are_asked_to_sign_in(world: World) -> None:
    for address in addresses(world):
        answer = Client().get(address)
        assert answer.status_code == 302, address
        assert answer.headers["Location"].startswith("/admin/login/?next="), address


@pytest.fixture
def superuser(db: None) -> Browser:
    return Browser(User.objects.create_superuser("root"))


def test_nobody_adds_edits_or_deletes_what_the_ledger_tells(world: World, superuser: Browser) -> None:
    trusted = Client()  # without the CSRF check, so that only the permission stands in the way
    trusted.force_login(superuser.user)
    for name in LISTS:
        row = row_of(name)
        delete = reverse(f"admin:activations_{name}_delete", args=[row])
        assert trusted.post(delete, {"post": "yes"}).status_code == 403, name
        page = superuser.get(reverse(f"admin:activations_{name}_changelist"))
        assert "delete" not in page.html.lower(), name
        assert "Run the selected action" not in page.html, name
        if name in ("apitoken", "license", "customer", "webhookendpoint"):
            continue
        assert trusted.post(reverse(f"admin:activations_{name}_add"), {}).status_code == 403, name
        if name in (
            "activation",
            "conversation",
            "outgoingmail",
            "restoration",
            "reply",
            "replytext",
            "webhookdelivery",
        ):
            continue  # pages of our own, which read nothing that is posted: the next test
        change = reverse(f"admin:activations_{name}_change", args=[row])
        assert trusted.post(change, {"state": "restored", "_save": "Save"}).status_code == 403, name


def test_a_superuser_changes_nothing_by_posting_to_a_page(world: World, superuser: Browser) -> None:
    activation, entry = Activation.objects.latest("pk"), LedgerEntry.objects.latest("pk")
    before = (Activation.objects.filter(pk=activation.pk).values().get(), entry.body)
    for row in (activation, entry):
        address = reverse(f"admin:activations_{row._meta.model_name}_change", args=[row.pk])
        form = superuser.get(address).form(reverse("admin:logout"))
        superuser.post(address, {**form.fields, "state": "active", "body": "{}", "_save": "Save"})
    after = (Activation.objects.filter(pk=activation.pk).values().get(), LedgerEntry.objects.get(pk=entry.pk).body)
    assert after == before


def test_no_page_shows_a_secret(world: World, superuser: Browser) -> None:
    license = License.objects.get()
    keys = SigningKey.objects.all()
    secrets = [
        world.license.license_key,
        world.license.license_key.lower(),
        bytes(license.key_encrypted).decode(),
        license.key_digest,
        *(bytes(key.private_encrypted or b"").decode() for key in keys),
        *(bytes(secret.value_encrypted).decode() for secret in PortalSecret.objects.all()),
        *(bytes(answer.payload).hex() for answer in UsageLicense.objects.all()),
        *(base64.b64encode(bytes(answer.payload)).decode() for answer in UsageLicense.objects.all()),
    ]
    pages = [*addresses(world)]
    pages += [reverse("admin:activations_signingkey_change", args=[key.pk]) for key in keys]
    for address in pages:
        page = superuser.get(address)
        assert not [secret for secret in secrets if secret in page.html], address


def test_a_license_key_in_the_intake_log_is_blacked_out(world: World, sign_in: SignIn) -> None:
    entry = IntakeEntry.objects.get()
    page = sign_in("agent").get(reverse("admin:activations_intakeentry_change", args=[entry.pk]))
    assert "our key is [License Key], why does it not work?" in page.words


# The pages that are opened all day, and how many queries each may take: the same for 3 rows as for 30.
QUERIES = {
    "license": 9,
    "activation": 8,
    "restoration": 8,
    "usagerequest": 8,
    "usagelicense": 9,
    "tombstone": 9,
    "customer": 9,
    "ledgerentry": 9,
    "intakeentry": 9,
}


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_lists_take_as_many_queries_for_many_rows_as_for_few(name: str, world: World, sign_in: SignIn) -> None:
    browser = sign_in("lead")
    address = reverse(f"admin:activations_{name}_changelist")
    few = count(browser, address)
    for plant in ("Northern Paper Mill", "Southern Dairy"):
        more(plant)
    assert count(browser, address) == few <= QUERIES[name]


def more(plant: str) -> None:
    license = make_license(allowed=3, customer=plant)
    for line in range(2):
        chariot = Chariot(license.license_key, host(f"{plant} {line}"))
        answered(chariot.request())
    lost = Activation.objects.latest("pk").activation_id
    mark_lost(activation_id=lost, actor=AGENT, source=SOURCE, reason="flood")
    case = request_restoration(activation_id=lost, actor=AGENT, source=SOURCE, reason="flood")
    approve_restoration(restoration_id=case.restoration_id, actor=LEAD, source=SOURCE, reason="yes")  # type: ignore[union-attr]
    keep_refused(source="?", problem=Unanswerable("no-block", "None."), actor=AGENT)


def count(browser: Browser, address: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert browser.get(address).status == 200
    return len(queries)


def test_the_page_of_a_license_takes_as_many_queries_for_many_seats(world: World, sign_in: SignIn) -> None:
    small, large = make_license(allowed=2, customer="Small"), make_license(allowed=30, customer="Large")
    for license, hosts in ((small, 1), (large, 8)):
        for number in range(hosts):
            answered(Chariot(license.license_key, host(f"{license.license_id[:9]} {number}")).request())
    browser = sign_in("lead")

    def queries(license: LicenseCreated) -> int:
        row = License.objects.get(license_id=license.license_id)
        return count(browser, reverse("admin:activations_license_change", args=[row.pk]))

    assert queries(small) == queries(large) <= 12


def test_the_filters_of_the_ledger_find_what_they_say(world: World, sign_in: SignIn) -> None:
    auditor = sign_in("auditor")
    address = reverse("admin:activations_ledgerentry_changelist")

    def found(**query: str) -> str:
        page = auditor.client.get(address, query)
        assert page.status_code == 200
        return str(page.context["cl"].result_count)

    assert found(kind="activation.lost") == "1"
    assert found(actor="lead") == str(LedgerEntry.objects.filter(actor="lead").count())
    assert found(q=world.license.license_id.lower()) == str(
        LedgerEntry.objects.filter(chain=world.license.license_id).count()
    )
    assert found(q="portal") == str(LedgerEntry.objects.filter(chain="portal").count())
    assert found(kind="nonsense") == "0"


def test_every_registered_page_is_in_the_matrix() -> None:
    registered = {model._meta.model_name for model in admin.site._registry if model._meta.app_label == "activations"}
    assert registered == set(LISTS)


def test_every_role_is_in_the_cast() -> None:
    from activations.domain.words import ROLES

    assert set(ROLE_OF.values()) == set(ROLES)


@pytest.mark.parametrize(
    ("role", "address"),
    [
        ("auditor", "/admin/auth/user/?password__startswith=pbkdf2_"),
        ("auditor", "/admin/auth/user/?groups__user__password__startswith=p"),
        ("agent", "/admin/activations/intakeentry/?text__contains=K"),
        ("auditor", "/admin/activations/signingkey/?private_encrypted__isnull=0"),
    ],
)
def test_no_filter_can_guess_at_what_no_page_shows(sign_in: Callable[[str], Browser], role: str, address: str) -> None:
    assert sign_in(role).client.get(address).status_code == 400


def test_the_jobs_in_the_navigation_and_no_list_of_tables(sign_in: SignIn) -> None:
    lead = sign_in("lead")
    page = lead.get(reverse("admin:index"))
    jobs = re.findall(r"<a[^>]*>([^<]+)</a>", page.html.split('class="jobs"')[1].split("</nav>")[0])
    assert jobs == ["Desk", "Licenses", "Restorations", "Audit", "Settings"]
    assert lead.get(reverse("admin:app_list", args=["activations"])).path == reverse("admin:index")
