"""Usage Requests over the API: a block, a text or a mail with one in it; dry run, choice, confirmation, answer."""

from __future__ import annotations

import base64
import quopri
from typing import Any

import pytest
from chariot_license.protocol.codes import LicenseKey

from activations.domain.scopes import Scope
from activations.domain.words import LicenseStatus
from activations.models import IntakeEntry, UsageLicense, UsageRequest
from activations.services.licenses import LicenseChange, LicenseCreated, change_license, replace_license_key
from tests.api.calling import Answer, Caller, machine
from tests.api.situations import lost, running, table_sizes
from tests.portal.cast import MANAGER, SOURCE, answered, entries, issue, length, make_license, occupied
from tests.portal.chariot import Chariot, host
from tests.portal.web import mail

ACTOR = "token:mail-robot"
SUBMIT, DRY = "/usage-requests", "/usage-requests/dry-run"
ISSUED = ["request.received", "activation.created", "usage_license.issued"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def robot(signing_keys: None) -> Caller:
    return machine(Scope.SUBMIT_REQUESTS, Scope.READ_REQUESTS, name="mail-robot")


@pytest.fixture
def pump(license: LicenseCreated) -> Chariot:
    return Chariot(license.license_key, host("pump-house"))


def kinds(license: LicenseCreated, *, after: int = 1, actor: str = ACTOR, reason: str = "") -> list[str]:
    """The kinds of the entries after `after`, all of them by this actor and with this reason."""
    found = entries(license.license_id, after=after)
    assert all((each[1], each[3]) == (actor, reason) for each in found), found
    return [each[2] for each in found]


def mailed(text: str, *, encoding: str) -> str:
    """A whole mail with the block in a part of this transfer encoding, as the API takes it."""
    body = f"Hello Support,\n\nour Usage Request = below.\n\n{text}\n".encode()
    part = quopri.encodestring(body) if encoding == "quoted-printable" else base64.encodebytes(body)
    source = (
        b"From: plant@acme.example\r\nTo: support@cirrus.example\r\nSubject: Activation\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="seam"\r\n\r\n'
        b"--seam\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
        + encoding.encode()
        + b"\r\n\r\n"
        + part.replace(b"\n", b"\r\n")
        + b"\r\n--seam--\r\n"
    )
    return base64.b64encode(source).decode()


def refused(answer: Answer, status: int, code: str) -> Answer:
    assert (answer.status, answer.code) == (status, code), answer
    return answer


# --- the good way -----------------------------------------------------------------------------------------


def test_a_block_is_answered_and_the_chariot_takes_the_answer(
    robot: Caller, license: LicenseCreated, pump: Chariot
) -> None:
    answer = robot.post(SUBMIT, {"text": pump.request()})

    assert answer.status == 200, answer
    granted = pump.install(answer["usage_license"])
    assert (granted.license_id, granted.activation_id) == (answer["license_id"], answer["activation_id"])
    assert (answer["outcome"], answer["code"], answer["booked"]) == ("issued", "activated", True)
    assert (answer["seats_before"], answer["seats_after"], answer["options"]) == (0, 1, [])
    assert (answer["repaired_lines"], answer["warnings"]) == ([], [])
    assert answer.headers["Location"] == f"/api/v1/usage-requests/{answer['request_id']}"
    assert kinds(license) == ISSUED
    assert UsageRequest.objects.get().received_by == ACTOR
    assert occupied(license.license_id) == 1


def test_it_is_read_with_its_answer(robot: Caller, license: LicenseCreated, pump: Chariot) -> None:
    text = pump.request()
    sent = robot.post(SUBMIT, {"text": text})

    answer = robot.get(f"{SUBMIT}/{sent['request_id']}")

    same = ("license_id", "request_id", "activation_id", "usage_license_id", "usage_license")
    assert [answer[name] for name in same] == [sent[name] for name in same]
    assert (answer["text"], answer["state"], answer["code"]) == (text, "answered", "activated")
    assert (answer["hostname"], answer["version"], answer["counter"]) == ("pump-house", pump.version, 1)
    assert answer["made_at"] == "2027-01-15T08:00:01.000000Z"  # what the host's clock said
    assert answer["received_by"] == ACTOR
    tag = answer.headers["ETag"]
    again = robot.get(f"{SUBMIT}/{sent['request_id']}", headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status, again.text, again.headers["ETag"]) == (304, "", tag)
    assert robot.get(f"{SUBMIT}/{sent['request_id']}", headers={"If-None-Match": '"other"'}).status == 200


@pytest.mark.parametrize("way", ["quoted text", "windows lines", "lower case", "quoted-printable", "base64"])
def test_it_is_found_in_what_people_send(robot: Caller, license: LicenseCreated, pump: Chariot, way: str) -> None:
    text = pump.request()
    sent: dict[str, Any] = {
        "quoted text": {"text": mail(text)},
        "windows lines": {"text": text.replace("\n", "\r\n")},
        "lower case": {"text": text.lower()},
        "quoted-printable": {"mail": mailed(text, encoding="quoted-printable")},
        "base64": {"mail": mailed(text, encoding="base64")},
    }[way]

    answer = robot.post(SUBMIT, sent)

    assert (answer.status, answer["code"]) == (200, "activated"), answer
    pump.install(answer["usage_license"])
    assert kinds(license) == ISSUED


def test_a_mail_may_be_wrapped_as_base64_programs_wrap_it(
    robot: Caller, license: LicenseCreated, pump: Chariot
) -> None:
    wrapped = base64.encodebytes(base64.b64decode(mailed(pump.request(), encoding="base64"))).decode()
    assert "\n" in wrapped.strip()
    assert robot.post(SUBMIT, {"mail": wrapped})["code"] == "activated"


def test_lines_that_were_repaired_are_named(robot: Caller, license: LicenseCreated, pump: Chariot) -> None:
    lines = pump.request().split("\n")
    del lines[4]
    answer = robot.post(SUBMIT, {"text": "\n".join(lines)})
    assert (answer.status, answer["code"], answer["repaired_lines"]) == (200, "activated", [4]), answer


def test_the_same_request_again_is_sent_again_and_takes_no_seat(
    robot: Caller, license: LicenseCreated, pump: Chariot
) -> None:
    text = pump.request()
    first = robot.post(SUBMIT, {"text": text})
    before = length(license.license_id)

    second = robot.post(SUBMIT, {"text": mail(text)})

    assert (second.status, second["outcome"], second["code"]) == (200, "re-sent", "re-sent")
    assert second["usage_license"] == first["usage_license"]
    assert kinds(license, after=before) == ["usage_license.resent"]
    assert (occupied(license.license_id), UsageLicense.objects.count()) == (1, 1)


def test_under_its_key_it_is_answered_from_what_was_kept(robot: Caller, license: LicenseCreated, pump: Chariot) -> None:
    sent = {"text": pump.request()}
    first = robot.post(SUBMIT, sent, key="one-call-of-mine")
    sizes = table_sizes()

    again = robot.post(SUBMIT, sent, key="one-call-of-mine")

    assert (again.json, again.headers["Idempotency-Replayed"]) == (first.json, "true")
    assert again.headers["Location"] == first.headers["Location"]
    assert table_sizes() == sizes


def test_an_update_of_the_same_chariot_takes_no_seat(robot: Caller, license: LicenseCreated, pump: Chariot) -> None:
    pump.install(robot.post(SUBMIT, {"text": pump.request()})["usage_license"])
    before = length(license.license_id)

    answer = robot.post(SUBMIT, {"text": pump.request()})

    assert (answer["code"], answer["seats_after"]) == ("updated", 1)
    assert pump.install(answer["usage_license"]).supersedes
    assert kinds(license, after=before) == ["request.received", "activation.updated", "usage_license.issued"]


# --- the dry run ------------------------------------------------------------------------------------------


def test_a_dry_run_shows_what_is_booked_and_books_nothing_at_all(
    robot: Caller, license: LicenseCreated, pump: Chariot
) -> None:
    text = pump.request()
    robot.get(SUBMIT)  # the token's first use is noted
    sizes = table_sizes()

    shown = robot.post(DRY, {"text": text}, key="")

    assert (shown.status, shown["code"], shown["booked"], shown["usage_license"]) == (200, "activated", False, None)
    assert table_sizes() == sizes
    booked = robot.post(SUBMIT, {"text": text, "expect": shown["digest"]})
    assert (booked.status, booked["booked"], booked["digest"]) == (200, True, shown["digest"])


@pytest.mark.parametrize("what", ["unknown key", "nothing", "damaged", "no seat", "pending", "re-sent", "suspended"])
def test_no_dry_run_leaves_a_trace(robot: Caller, license: LicenseCreated, pump: Chariot, what: str) -> None:
    text = pump.request()
    if what == "unknown key":
        replace_license_key(license_id=license.license_id, actor=MANAGER, source=SOURCE, reason="leaked")
    elif what == "nothing":
        text = "Good morning"
    elif what == "damaged":
        text = "\n".join(text.split("\n")[:3])
    elif what == "no seat":
        for number in range(2):
            running(license, f"mill-{number}")
    elif what == "pending":
        running(license, "pump-house")
    elif what == "re-sent":
        answered(text)
    else:
        _suspend(license)
    robot.get(SUBMIT)
    sizes = table_sizes()

    assert robot.post(DRY, {"text": text}).status in (200, 409, 422)

    assert table_sizes() == sizes


def test_a_dry_run_says_what_a_refusal_would_be(robot: Caller, license: LicenseCreated, pump: Chariot) -> None:
    _suspend(license)
    shown = robot.post(DRY, {"text": pump.request()})
    assert (shown.status, shown["outcome"], shown["code"]) == (200, "refused", "license-suspended")
    assert shown["customer_message"]


# --- refusals ---------------------------------------------------------------------------------------------


def test_without_a_seat_it_is_refused_and_booked_as_such(robot: Caller, license: LicenseCreated, pump: Chariot) -> None:
    running(license, "mill")
    gone = lost(license, "shed")
    before = length(license.license_id)
    sent = {"text": pump.request()}

    answer = refused(robot.post(SUBMIT, sent, key="the-third-one"), 409, "no-seat")

    decision = answer["decision"]
    assert (decision["outcome"], decision["booked"], decision["usage_license"]) == ("refused", True, None)
    assert gone in decision["message"]
    assert answer["detail"] == decision["message"]
    assert decision["request_id"] != answer["request_id"], "one is the Usage Request's, the other this call's"
    assert kinds(license, after=before) == ["request.received", "request.refused"]
    assert robot.get(f"{SUBMIT}/{decision['request_id']}")["state"] == "refused"
    sizes = table_sizes()
    again = robot.post(SUBMIT, sent, key="the-third-one")
    assert (again.status, again.code, again.headers["Idempotency-Replayed"]) == (409, "no-seat", "true")
    assert table_sizes() == sizes


def test_an_older_request_is_superseded(robot: Caller, license: LicenseCreated, pump: Chariot) -> None:
    older, newer = pump.request(), pump.request()
    robot.post(SUBMIT, {"text": newer})
    before = length(license.license_id)
    answer = refused(robot.post(SUBMIT, {"text": older}), 409, "superseded")
    assert answer["decision"]["license_id"] == license.license_id
    assert kinds(license, after=before) == ["request.received", "request.refused"]


@pytest.mark.parametrize(
    ("status", "code"), [(LicenseStatus.SUSPENDED, "license-suspended"), (LicenseStatus.REVOKED, "license-revoked")]
)
def test_a_license_that_does_not_answer(
    robot: Caller, license: LicenseCreated, pump: Chariot, status: LicenseStatus, code: str
) -> None:
    _set(license, status)
    refused(robot.post(SUBMIT, {"text": pump.request()}), 409, code)
    assert occupied(license.license_id) == 0


def test_another_product_and_a_version_that_is_not_covered(robot: Caller, license: LicenseCreated) -> None:
    other = Chariot(license.license_key, host("pump-house"), product="another-product")
    refused(robot.post(SUBMIT, {"text": other.request()}), 409, "product-mismatch")
    narrow = make_license(customer="Beta Mills", versions=("3.0", "3.9"))
    chariot = Chariot(narrow.license_key, host("mill"), version="2.4.1")
    refused(robot.post(SUBMIT, {"text": chariot.request()}), 409, "version-not-covered")


def test_what_cannot_be_read_names_the_lines_and_is_kept(robot: Caller, license: LicenseCreated, pump: Chariot) -> None:
    lines = pump.request().split("\n")
    for number in (2, 3, 4):
        lines[number] = lines[number][:8] + "0" * 20
    sent = {"text": "\n".join(lines)}

    answer = refused(robot.post(SUBMIT, sent, key="a-damaged-one"), 422, "block-damaged")

    assert answer["lines"] == [2, 3, 4]
    kept = IntakeEntry.objects.get()
    assert (kept.code, kept.received_by, kept.license) == ("block-damaged", ACTOR, None)
    assert lines[2] in kept.text
    assert length(license.license_id) == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [("Good morning, please activate us.", "no-block"), ("", "invalid"), ("   \n  ", "no-block")],
)
def test_a_text_without_a_block(robot: Caller, text: str, code: str) -> None:
    refused(robot.post(SUBMIT, {"text": text}), 422 if code == "no-block" else 400, code)
    assert list(IntakeEntry.objects.values_list("code", flat=True)) == ([code] if code == "no-block" else [])


def test_several_requests_and_an_answer_are_not_taken(robot: Caller, license: LicenseCreated, pump: Chariot) -> None:
    refused(robot.post(SUBMIT, {"text": f"{pump.request()}\n{pump.request()}"}), 422, "several-requests")
    refused(robot.post(SUBMIT, {"text": answered(pump.request())}), 422, "wrong-kind")
    assert list(IntakeEntry.objects.order_by("id").values_list("code", flat=True)) == ["several-requests", "wrong-kind"]


def test_an_unknown_and_a_replaced_license_key_are_kept_in_the_intake_log(
    robot: Caller, license: LicenseCreated, pump: Chariot
) -> None:
    replaced = pump.request()
    replace_license_key(license_id=license.license_id, actor=MANAGER, source=SOURCE, reason="leaked")
    answer = refused(robot.post(SUBMIT, {"text": replaced}), 409, "license-key-replaced")
    assert answer["license_id"] == license.license_id
    stranger = Chariot(LicenseKey(seed=bytes(8), secret=bytes(16)).text, host("mill"))
    refused(robot.post(SUBMIT, {"text": stranger.request()}), 409, "license-key-unknown")
    kept = [(row.code, row.license is not None) for row in IntakeEntry.objects.order_by("id")]
    assert kept == [("license-key-replaced", True), ("license-key-unknown", False)]
    assert not UsageRequest.objects.exists()


def test_without_signing_keys_it_is_a_503_that_books_nothing(db: None) -> None:
    license = make_license()
    robot = machine(Scope.SUBMIT_REQUESTS, name="mail-robot")
    robot.post(DRY, {"text": "nothing"})
    sizes = table_sizes()
    answer = refused(robot.post(SUBMIT, {"text": Chariot(license.license_key, host("mill")).request()}), 503, "keys")
    assert answer.headers["Retry-After"] == "30"
    assert table_sizes() == sizes


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({}, ""),
        ({"text": "x", "mail": "eA=="}, ""),
        ({"mail": "no base64!"}, "/mail"),
        ({"mail": "gr\u00fc\u00df"}, "/mail"),
        ({"text": 5}, None),
        ({"text": ["x"]}, "/text"),
        ({"text": None}, "/text"),
        ({"text": "x\x00"}, "/text"),
        ({"text": "x" * 2_000_001}, "/text"),
        ({"text": "x", "decide": "rebind"}, "/decide"),
        ({"text": "x", "decide": ["perhaps"]}, "/decide/0"),
        ({"text": "x", "decide": ["refuse"] * 11}, "/decide"),
        ({"text": "x", "reason": "x" * 2001}, "/reason"),
        ({"text": "x", "expect": "x" * 65}, "/expect"),
        ({"text": "x", "dry_run": True}, "/dry_run"),
        (["text"], ""),
    ],
)
def test_a_body_of_another_shape(robot: Caller, sent: Any, pointer: str | None) -> None:
    answer = robot.post(SUBMIT, sent)
    if pointer is None:  # a number is taken for its digits, in which there is no block
        refused(answer, 422, "no-block")
        return
    refused(answer, 400, "invalid")
    assert [each["pointer"] for each in answer["errors"]] == [pointer], answer
    assert not IntakeEntry.objects.exists()


def test_the_dry_run_takes_neither_reason_nor_expect(robot: Caller) -> None:
    answer = refused(robot.post(DRY, {"text": "x", "reason": "y", "expect": "z"}), 400, "invalid")
    assert {each["pointer"] for each in answer["errors"]} == {"/reason", "/expect"}


def test_submitting_needs_a_key(robot: Caller, pump: Chariot) -> None:
    refused(robot.post(SUBMIT, {"text": pump.request()}, key=""), 400, "idempotency-key-missing")
    refused(robot.post(SUBMIT, {"text": pump.request()}, key="short"), 400, "idempotency-key-unfit")
    assert not UsageRequest.objects.exists()


# --- lists ------------------------------------------------------------------------------------------------


def test_the_list_is_paged_and_filtered(robot: Caller, license: LicenseCreated) -> None:
    other = make_license(customer="Beta Mills")
    for number, owner in enumerate([license, license, license, other]):
        issue(Chariot(owner.license_key, host(f"host-{number}")).request())

    first = robot.get(SUBMIT, page_size=3)
    second = robot.get(first["next"].split("/api/v1", 1)[1])

    names = [each["hostname"] for page in (first, second) for each in page["results"]]
    assert names == ["host-3", "host-2", "host-1", "host-0"]
    assert (second["next"], "text" in first["results"][0]) == (None, False)
    assert robot.get(second["previous"].split("/api/v1", 1)[1])["results"] == first["results"]
    theirs = robot.get(SUBMIT, license_id=other.license_id)
    assert [each["hostname"] for each in theirs["results"]] == ["host-3"]
    assert [each["hostname"] for each in robot.get(SUBMIT, state="refused")["results"]] == ["host-2"]
    refused(robot.get(SUBMIT, state="odd"), 400, "invalid")


def test_a_request_that_is_not_there(robot: Caller) -> None:
    for name in ("0" * 32, "nothing", "%00", "%F0%9F%98%80", "x" * 500):
        answer = robot.get(f"{SUBMIT}/{name}")
        assert (answer.status, answer.code) in {(404, "request-unknown"), (400, "unreadable")}, answer


def _set(license: LicenseCreated, status: LicenseStatus) -> None:
    changed = change_license(
        license_id=license.license_id,
        change=LicenseChange(status=status),
        actor=MANAGER,
        source=SOURCE,
        reason="unpaid",
    )
    assert changed.license_id == license.license_id  # type: ignore[union-attr]


def _suspend(license: LicenseCreated) -> None:
    _set(license, LicenseStatus.SUSPENDED)
