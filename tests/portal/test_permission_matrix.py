"""Every address of the admin times every role, by reading and by posting. An address without a row fails the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, reverse

from activations.domain.words import ROLES, Ability
from activations.models import LedgerEntry
from activations.services.evidence import add_evidence
from activations.services.issue import submit_usage_request
from activations.services.licenses import LicenseCreated
from activations.services.losses import RestorationCase, mark_lost, request_restoration
from tests.portal.cast import AGENT, LEAD, SOURCE, answered
from tests.portal.chariot import Chariot, host
from tests.portal.web import ROLE_OF, Browser

SignIn = Callable[[str], Browser]
ANY, NOBODY = "any role", "nobody"
Who = str | tuple[Ability, ...]
DESK = (Ability.ISSUE, Ability.DEACTIVATE)
READ = (Ability.READ_LEDGER,)
TRAIL = (Ability.READ_STAFF_TRAIL,)
CREATE, CHANGE = (Ability.CREATE_LICENSE,), (Ability.CHANGE_LICENSE,)
DECIDE = (Ability.DECIDE_RESTORATION,)
ADMINISTER = (Ability.MANAGE_STAFF,)
STATEMENT = (Ability.MAKE_STATEMENT,)
SENDERS = (*DESK, Ability.CHANGE_LICENSE)
MAIL = (*SENDERS, Ability.READ_LEDGER)

# Whoever has one of the abilities gets in; the rest are the pages of Django's own that concern the account itself.
PAGES: dict[str, Who] = {
    "index": "signed in",
    "password_change": "signed in",
    "password_change_done": "signed in",
    "search": ANY,
    "desk": DESK,
    "desk_rest": DESK,
    "desk_confirm": (Ability.ISSUE,),
    "desk_request": (Ability.ISSUE,),
    "desk_result": (Ability.ISSUE,),
    "desk_download": (Ability.ISSUE,),
    "desk_download_reply": (Ability.ISSUE,),
    "desk_keep_reply": (*DESK, Ability.CHANGE_LICENSE),
    "desk_deactivate": (Ability.DEACTIVATE,),
    "desk_deactivated": (Ability.DEACTIVATE,),
    "inbox": MAIL,
    "inbox_bring": SENDERS,
    "inbox_paste": SENDERS,
    "inbox_conversation": MAIL,
    "inbox_change": SENDERS,
    "inbox_note": SENDERS,
    "inbox_write": SENDERS,
    "inbox_open": SENDERS,
    "inbox_finding": SENDERS,
    "inbox_attachment": MAIL,
    "inbox_original": (Ability.SHOW_LICENSE_KEY, Ability.DECIDE_AS_LEAD),
    "outbox_decide": SENDERS,
    "exports": ANY,
    "exported_file": ANY,
    "audit_as_of": READ,
    "audit_standing_out": READ,
    "audit_decisions": READ,
    "audit_figures": READ,
    "audit_check": READ,
    "audit_story": READ,
    "automatic_answers": (Ability.EDIT_REPLIES, Ability.READ_LEDGER),
    "apitoken_rotate": ADMINISTER,
    "apitoken_revoke": ADMINISTER,
    "activation_mark_lost": (Ability.MARK_LOST,),
    "activation_request_restoration": (Ability.REQUEST_RESTORATION,),
    "restoration_approve": DECIDE,
    "restoration_deny": DECIDE,
    "restoration_evidence": (Ability.REQUEST_RESTORATION, Ability.DECIDE_RESTORATION),
    "restoration_evidence_file": ANY,
    "license_import": CREATE,
    "license_import_example": CREATE,
    "license_import_keys": CREATE,
    "customer_import": CREATE,
    "customer_import_example": CREATE,
    "customer_pseudonymise": (Ability.CHANGE_LICENSE, Ability.MANAGE_STAFF),
    "license_terms": CHANGE,
    "license_suspend": CHANGE,
    "license_reinstate": CHANGE,
    "license_revoke": CHANGE,
    "license_replace_key": CHANGE,
    "license_show_key": (Ability.SHOW_LICENSE_KEY,),
    "license_older_terms": ANY,
    "license_statement": STATEMENT,
    "license_statement_made": STATEMENT,
    "license_statement_file": STATEMENT,
    "reply_text": ANY,
    "webhook_change": ADMINISTER,
    "webhook_rotate": ADMINISTER,
    "webhook_disable": ADMINISTER,
    "webhook_enable": ADMINISTER,
    "webhook_remove": ADMINISTER,
    "webhook_test": ADMINISTER,
    "webhook_replay": ADMINISTER,
    "webhook_send_again": ADMINISTER,
}
# Who reads the list and its rows, exports it and saves views of it. Some may add; nobody deletes.
LISTS: dict[str, Who] = {
    "activations_activation": ANY,
    "activations_apitoken": (*ADMINISTER, *TRAIL, *READ),
    "activations_conversation": MAIL,
    "activations_customer": ANY,
    "activations_intakeentry": ANY,
    "activations_ledgerentry": READ,
    "activations_license": ANY,
    "activations_outgoingmail": MAIL,
    "activations_product": ANY,
    "activations_reply": ANY,
    "activations_replytext": ANY,
    "activations_restoration": ANY,
    "activations_signingkey": READ,
    "activations_staffevent": TRAIL,
    "activations_tombstone": ANY,
    "activations_usagelicense": ANY,
    "activations_usagerequest": ANY,
    "activations_webhookdelivery": ADMINISTER,
    "activations_webhookendpoint": ADMINISTER,
    "auth_user": READ,
}
ADDS: dict[str, Who] = {
    "activations_license": CREATE,
    "activations_customer": CREATE,
    "activations_apitoken": ADMINISTER,
    "activations_webhookendpoint": ADMINISTER,
}
# Django's own addresses that answer nobody here, or everybody.
LEFT_OUT = {"login", "logout", "jsi18n", "autocomplete", "view_on_site", "app_list", None}


def rows() -> dict[str, Who]:
    """Every address of the matrix and who may open it."""
    found = dict(PAGES)
    for name, who in LISTS.items():
        for view in ("changelist", "change", "history", "export", "save_view", "delete_view"):
            found[f"{name}_{view}"] = who
        found[f"{name}_add"] = ADDS.get(name, NOBODY)
        found[f"{name}_delete"] = NOBODY
    # The only account here is the person's own, whose page everybody has. Others': tests/portal/test_admin_staff.py.
    found["auth_user_change"] = found["auth_user_history"] = ANY
    found["activations_replytext_export"] = NOBODY  # a page of its own, not a list
    return found


def registered() -> Iterator[URLPattern]:
    waiting = list(admin.site.get_urls())
    while waiting:
        found = waiting.pop()
        if isinstance(found, URLPattern):
            if found.name not in LEFT_OUT:
                yield found
        else:
            waiting += found.url_patterns


def test_every_address_has_a_row() -> None:
    assert {str(pattern.name) for pattern in registered()} == set(rows())


@pytest.fixture
def arguments(license: LicenseCreated) -> Callable[[URLPattern], dict[str, object]]:
    """One license with a lost host, its case and a piece of evidence: what the addresses name."""
    chariot = Chariot(license.license_key, host("pump-house"))
    text = chariot.request()
    answered(text)
    submission = submit_usage_request(source=text, actor=AGENT, origin=SOURCE)
    activation_id = str(submission.activation_id)  # type: ignore[union-attr]
    mark_lost(activation_id=activation_id, actor=AGENT, source=SOURCE, reason="flooded")
    case = request_restoration(activation_id=activation_id, actor=AGENT, source=SOURCE, reason="flooded")
    assert isinstance(case, RestorationCase)
    photo = b"\xff\xd8\xff\xe0" + b"\x00" * 200
    kept = add_evidence(restoration_id=case.restoration_id, name="photo.jpg", content=photo, actor=LEAD, source=SOURCE)
    known = {
        "request_id": submission.request_id,  # type: ignore[union-attr]
        "activation_id": activation_id,
        "kind": "issued",
        "evidence_pk": getattr(kept, "pk", 1),
    }

    def named(pattern: URLPattern) -> dict[str, object]:
        row = row_of(str(pattern.name))
        return {name: known.get(name, row) for name in pattern.pattern.converters}

    return named


def row_of(name: str) -> object:
    """The key of a row of the table that an address is about, by its name; 1, which may not be there, if there is none.
    PostgreSQL does not begin to count anew for each test.
    """
    app, _, rest = name.partition("_")
    label, model = (app, rest.partition("_")[0]) if app in ("auth", "activations") else ("activations", app)
    try:
        found = apps.get_model(label, model)
    except LookupError:
        return 1
    first = found._default_manager.order_by("pk").first()
    return first.pk if first is not None else 1


def admitted(who: Who, role: str) -> bool:
    if isinstance(who, tuple):
        return bool(ROLES[role] & set(who))
    return who != NOBODY


@pytest.mark.parametrize("username", sorted({role: name for name, role in ROLE_OF.items()}.values()))
@pytest.mark.parametrize("method", ["get", "post"])
def test_the_matrix(
    username: str, method: str, arguments: Callable[[URLPattern], dict[str, object]], sign_in: SignIn
) -> None:
    """403 for whoever may not, and anything but 403 for whoever may; what is posted empty books nothing."""
    role, who = ROLE_OF[username], rows()
    client = Client()
    client.force_login(sign_in(username).user)
    before = LedgerEntry.objects.exclude(kind="list.exported").count()
    wrong = []
    for pattern in registered():
        address = reverse(f"admin:{pattern.name}", kwargs=arguments(pattern))
        answer = getattr(client, method)(address)
        status = answer.status_code
        if str(pattern.name).endswith("_history") and answer.headers.get("Location") == "/admin/":
            continue  # Django answers for the history of a row that is not there before it asks who wants to know
        if method == "get" and answer.headers.get("Location") == "/admin/desk/":
            continue  # only for posting: whoever comes there after signing in again is led to the desk
        writes_a_list = method == "post" and pattern.name in {f"{name}_change" for name in LISTS}
        if writes_a_list:
            continue  # who may change a row stands in test_nobody_adds_edits_or_deletes_what_the_ledger_tells
        if (status != 403) != admitted(who[str(pattern.name)], role):
            wrong.append((pattern.name, status))
        assert status < 500, (pattern.name, status)
    assert wrong == []
    assert LedgerEntry.objects.exclude(kind="list.exported").count() == before


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_account_without_a_role_and_a_stranger(
    method: str, arguments: Callable[[URLPattern], dict[str, object]]
) -> None:
    nobody, stranger = Client(), Client()
    nobody.force_login(User.objects.create_user("nobody", is_staff=True))
    for pattern in registered():
        address = reverse(f"admin:{pattern.name}", kwargs=arguments(pattern))
        if PAGES.get(str(pattern.name)) != "signed in":
            answer = getattr(nobody, method)(address)
            # Django answers for the history of a row that is not there before it asks who wants to know.
            gone = str(pattern.name).endswith("_history") and answer.headers.get("Location") == "/admin/"
            led = method == "get" and answer.headers.get("Location") == "/admin/desk/"
            assert answer.status_code == 403 or gone or led, pattern.name
        answer = getattr(stranger, method)(address)
        assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (302, "/admin/login/"), (
            pattern.name
        )
