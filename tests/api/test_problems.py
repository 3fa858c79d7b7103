"""Problems: what callers send that they should not, and what they are told when something breaks."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as portal_settings
from django.db import OperationalError
from django.test import Client

from activations.api import licenses as license_endpoints
from activations.domain.scopes import Scope
from activations.models import License
from activations.services.licenses import LicenseCreated
from tests.api.calling import ROOT, Answer, Caller, machine
from tests.api.situations import PURCHASE, problem, sent

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(db: None) -> Caller:
    return machine(Scope.READ_LICENSES, Scope.CREATE_LICENSES, Scope.CHANGE_LICENSES)


# --- bodies -----------------------------------------------------------------------------------------------


def test_a_body_that_is_too_large(shop: Caller, settings: Any) -> None:
    answer = problem(sent(shop, json.dumps({"customer": "x" * 2_600_000})), 413, "too-large")
    assert str(portal_settings.DATA_UPLOAD_MAX_MEMORY_SIZE) in answer["detail"]
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 200
    problem(sent(shop, json.dumps({**PURCHASE, "customer": "x" * 200})), 413, "too-large")
    assert sent(shop, json.dumps(PURCHASE)).status == 201


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"'",
        b"{} {}",
        b'{"customer":NaN}',
        b'{"allowed":-Infinity}',
        b'{"allowed":' + b"9" * 5000 + b"}",
        b'{"customer":"\xff"}',
        b'\xef\xbb\xbf{"customer":"x"}',
        '{"customer":"x"}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"customer":"\\ud800"}',
        b'{"\\udfff":1}',
        b'{"features":[{"code":"\\ud83d"}]}',
        b'{"customer":"Acme","customer":"Beta"}',
        b'{"features":[{"code":"a","code":"b"}]}',
    ],
)
def test_what_is_no_json_or_can_be_read_in_two_ways(shop: Caller, body: bytes) -> None:
    answer = sent(shop, body)
    if not body:
        problem(answer, 400, "invalid")  # no body is an empty one
    else:
        problem(answer, 400, "unreadable")
        assert answer["detail"].startswith("The body")
    assert not License.objects.exists()


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"customer": "a\x00b"}, "/customer"),
        ({"customer": {"name": "x"}}, "/customer"),
        ({"customer": True}, "/customer"),
        ({"customer": "x" * 100_000}, "/customer"),
        ({"allowed": 10**400}, "/allowed"),
        ({"allowed": -1}, "/allowed"),
        ({"allowed": 1.5}, "/allowed"),
        ({"allowed": "two"}, "/allowed"),
        ({"allowed": None}, "/allowed"),
        ({"allowed": "\u0662\u0663x"}, "/allowed"),
        ({"features": {}}, "/features"),
        ({"features": [[]]}, "/features/0"),
        ({"features": [{"code": "mqtt-server", "expires": "2026-02-30"}]}, "/features/0/expires"),
        ({"features": [{"code": "mqtt-server", "expires": 5}]}, "/features/0/expires"),
        ({"features": [{"code": "mqtt-server", "expires": "2099-01-01", "a/b~c": 1}]}, "/features/0/a~1b~0c"),
        ({"online": "perhaps"}, "/online"),
        ({"": 1}, "/"),
    ],
)
def test_each_wrong_member_is_pointed_at(shop: Caller, change: dict[str, Any], pointer: str) -> None:
    answer = problem(sent(shop, json.dumps({**PURCHASE, **change})), 400, "invalid")
    assert [each["pointer"] for each in answer["errors"]] == [pointer], answer
    assert not License.objects.exists()


@pytest.mark.parametrize("body", ["[]", '"text"', "5", "null", "true", "[[[]]]"])
def test_what_is_no_object(shop: Caller, body: str) -> None:
    answer = problem(sent(shop, body), 400, "invalid")
    assert {each["pointer"] for each in answer["errors"]} <= {"", "/customer", "/allowed", "/features"}


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "nonsense", ""])
def test_another_media_type(shop: Caller, kind: str) -> None:
    answer = problem(sent(shop, json.dumps(PURCHASE), content_type=kind), 415, "media-type-unsupported")
    assert not License.objects.exists(), answer


@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "nonsense", "zlib", "hex", "rot13", "idna", "base64"])
def test_json_is_utf_8_whatever_charset_the_header_names(shop: Caller, charset: str) -> None:
    """Among Python's charsets are some that unpack what they read, to any size."""
    kind = f"application/json; charset={charset}"
    answer = sent(
        shop, json.dumps({**PURCHASE, "customer": f"M\u00fcller {charset}"}, ensure_ascii=False), content_type=kind
    )
    assert answer.status == 201, answer
    assert answer["license"]["customer"]["name"] == f"M\u00fcller {charset}"


def test_addresses_are_utf_8_too(shop: Caller, signing_keys: None) -> None:
    shop.post("/licenses", {**PURCHASE, "customer": "M\u00fcller"})
    headers = {**shop.headers, "Content-Type": "application/json; charset=utf-16"}
    found = Answer(shop.client.get(f"{ROOT}/customers?name=M%C3%BCller", headers=headers))
    assert (found.status, len(found["results"])) == (200, 1), found


# --- addresses, methods, headers --------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "DELETE", "TRACE", "PROPFIND", "OPTIONS"])
def test_a_method_that_there_is_not(shop: Caller, license: LicenseCreated, method: str) -> None:
    path = f"{ROOT}/licenses/{license.license_id}"
    answer = Answer(shop.client.generic(method, path, headers=shop.headers))
    problem(answer, 405, "method-not-allowed")
    assert {"GET", "PATCH"} <= set(re.split(", *", answer.headers["Allow"]))
    stranger = Answer(Client().generic(method, path))
    problem(stranger, 401, "not-authenticated")


def test_get_is_not_post_and_post_is_not_get(shop: Caller) -> None:
    problem(shop.get("/deactivations"), 405, "method-not-allowed")
    problem(shop.post("/customers", {}), 405, "method-not-allowed")
    overridden = shop.post("/customers", {}, X_HTTP_Method_Override="GET")
    problem(overridden, 405, "method-not-allowed")


def test_head_is_get_without_the_body(shop: Caller, license: LicenseCreated) -> None:
    path = f"{ROOT}/licenses/{license.license_id}"
    head = shop.client.head(path, headers=shop.headers)
    got = shop.client.get(path, headers=shop.headers)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["ETag"] == got.headers["ETag"]


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/*"])
def test_nothing_but_json_is_answered(shop: Caller, accept: str) -> None:
    problem(shop.get("/licenses", headers={"Accept": accept}), 406, "not-acceptable")


@pytest.mark.parametrize("accept", ["*/*", "application/*", "text/html, application/json;q=0.1", "nonsense, */*"])
def test_json_is_answered_to_whoever_takes_it(shop: Caller, accept: str) -> None:
    answer = shop.get("/licenses", headers={"Accept": accept})
    assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (200, "application/json")


@pytest.mark.parametrize(
    "path",
    ["", "/", "/nothing", "/licenses/", "/licenses/a/b", "/../admin/", "/openapi.yaml", "/licenses/%2e%2e", "//"],
)
def test_an_address_that_there_is_not(shop: Caller, path: str) -> None:
    answer = shop.get(path)
    assert (answer.status, answer.code) in {(404, "not-found"), (422, "license-id-length")}, answer
    assert answer["request_id"] == answer.headers["X-Request-ID"]


@pytest.mark.parametrize(
    "query",
    ["status=%00", "%00=1", "page_size=%00", "cursor=%00", "customer=1&customer=2", "status=active&status=active"],
)
def test_parameters_that_cannot_be_meant(shop: Caller, query: str) -> None:
    problem(Answer(shop.client.get(f"{ROOT}/licenses?{query}", headers=shop.headers)), 400, "unreadable")


@pytest.mark.parametrize("query", ["colour=red", "licence=x", "page=2", "ordering=id", "limit=5", "customer=0"])
def test_a_parameter_that_there_is_not_is_no_list_of_everything(shop: Caller, query: str) -> None:
    name = query.partition("=")[0]
    answer = problem(Answer(shop.client.get(f"{ROOT}/licenses?{query}", headers=shop.headers)), 400, "invalid")
    assert [each["pointer"] for each in answer["errors"]] == [f"/{name}"]


@pytest.mark.parametrize(
    "cursor",
    [
        "!",
        "x",
        "\u00e9",
        "bz0tMQ==",
        "cD1hYmM=",
        "cD0tMQ==",
        "cD0lMDA=",
        "cD05OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5",
    ],
)
def test_a_cursor_that_was_made_up(shop: Caller, license: LicenseCreated, cursor: str) -> None:
    """Among them o=-1, p=abc, p=-1, p=NUL, and a position that no column holds."""
    answer = problem(shop.get("/licenses", cursor=cursor), 400, "cursor-unfit")
    assert "begin again" in answer["detail"]


@pytest.mark.parametrize(
    ("size", "status"), [("1", 200), ("200", 200), ("201", 400), ("5000", 400), ("0", 400), ("x", 400), ("", 400)]
)
def test_the_size_of_a_page(shop: Caller, license: LicenseCreated, size: str, status: int) -> None:
    assert shop.get("/licenses", page_size=size).status == status


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("order-4711.retry_2", True),
        ("a" * 64, True),
        ("short", False),
        ("a" * 65, False),
        ("two words here", False),
        ("<script>alert(1)</script>", False),
        ("../../etc/passwd", False),
        ("gr\u00fc\u00dfe-aus", False),
        ("", False),
    ],
)
def test_the_id_of_a_request(shop: Caller, given: str, kept: bool) -> None:
    for path, status in (("/licenses", 200), ("/licenses?x=1", 400), ("/nothing", 404)):
        answer = Answer(shop.client.get(ROOT + path, headers={**shop.headers, "X-Request-ID": given}))
        name = answer.headers["X-Request-ID"]
        assert answer.status == status
        assert (name == given) == kept
        if not kept:
            assert str(uuid.UUID(name)) == name
        if status >= 400:
            assert answer["request_id"] == name


# --- what breaks ------------------------------------------------------------------------------------------


def broken(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setattr(license_endpoints, "licenses", fails)


def test_a_failure_tells_nothing_but_where_to_look(
    shop: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken(monkeypatch, RuntimeError("password=hunter2 at 10.0.0.7"))
    answer = problem(shop.get("/licenses", headers={"X-Request-ID": "from-the-proxy-1"}), 500, "unexpected")
    assert answer["request_id"] == "from-the-proxy-1"
    assert set(answer.json or ()) == {"type", "title", "status", "code", "detail", "request_id"}
    for secret in ("hunter2", "10.0.0.7", "RuntimeError", "Traceback", ".py"):
        assert secret not in answer.text
    assert any("hunter2" in str(record.exc_info) for record in caplog.records if record.exc_info)


def test_what_fails_halfway_books_nothing(shop: Caller, signing_keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        broken(patched, RuntimeError("no"))  # the answer is written after the license
        problem(shop.post("/licenses", PURCHASE, key="the-same-key"), 500, "unexpected")
    assert not License.objects.exists()
    assert shop.post("/licenses", PURCHASE, key="the-same-key").status == 201


def test_a_database_that_does_not_answer(shop: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, OperationalError("could not connect to server 10.0.0.7"))
    answer = problem(shop.get("/licenses"), 503, "database-unavailable")
    assert answer.headers["Retry-After"] == "30"
    assert "10.0.0.7" not in answer.text


# --- what every answer carries ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ask",
    [
        lambda shop: shop.get("/licenses"),
        lambda shop: shop.get("/licenses/LIC-1"),
        lambda shop: shop.post("/licenses", {}),
        lambda shop: shop.get("/ledger/entries"),
        lambda shop: Caller().get("/licenses"),
        lambda shop: shop.get("/nothing"),
    ],
)
def test_no_answer_may_be_kept_by_a_cache_or_taken_for_a_page(shop: Caller, ask: Callable[[Caller], Answer]) -> None:
    answer = ask(shop)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"].partition(";")[0] in ("application/json", "application/problem+json")
