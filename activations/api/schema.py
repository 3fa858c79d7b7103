"""The API's document (OpenAPI 3.1), where the code alone does not say it: who may, which headers, how errors look."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from activations.api.document import ABOUT, SUMMARIES, TAG_OF, TAGS
from activations.api.doors import described, rule_of
from activations.api.paging import DIGITS, Newest
from activations.api.problems import MEDIA_TYPE, TYPE

IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag of the answer that the change was made from, or `*`.",
)
_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 8, "maxLength": 255, "pattern": r"^[\x21\x23-\x7e]+$"},
    OpenApiParameter.HEADER,
    required=True,
    description="A value of your own for this one call. Sent again with it, the call books nothing twice: it is "
    "answered as before.",
)
PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "Problem Details (RFC 9457). Compare `code`; show `detail` to people.",
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "Names the problem; no address to open."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable: that of the rule or of the decision."},
        "detail": {"type": "string", "description": "What is wrong and what to do, in a sentence."},
        "request_id": {"type": ["string", "null"], "description": "As in X-Request-ID: tell it to an administrator."},
        "errors": {
            "type": "array",
            "description": "Of code `invalid`: each wrong place of the body.",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {"type": "string", "description": "JSON Pointer (RFC 6901)"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
                "required": ["pointer", "code", "detail"],
            },
        },
    },
    "required": ["type", "title", "status", "code", "detail"],
    "additionalProperties": True,
    "example": {
        "type": f"{TYPE}no-seat",
        "title": "Conflict",
        "status": 409,
        "code": "no-seat",
        "detail": "No seat is free: 2 of 2 activations are in use.",
        "request_id": "6f1c1f5e-6a7e-4c1b-9d0e-0c5d9f0f7d11",
    },
}
_REFERENCE = {"schema": {"$ref": "#/components/schemas/Problem"}}
_TEXT = {"type": "string"}
_LIMITS = {
    "RateLimit": {"schema": _TEXT, "description": "What is left of this minute."},
    "RateLimit-Policy": {"schema": _TEXT, "description": "How much a minute has."},
    "X-Request-ID": {"schema": _TEXT, "description": "Names this call in the log."},
}
_ETAG = {"schema": _TEXT, "description": "Of the thing as it is now: send it as If-Match with a change."}
_LOCATION = {"schema": {"type": "string", "format": "uri-reference"}, "description": "Where it can be got."}
_REPLAYED = {"schema": {"type": "string", "enum": ["true"]}, "description": "This call was answered before."}
_RETRY = {"schema": {"type": "string", "pattern": "^[0-9]+$"}, "description": "Seconds to wait."}
_MEANINGS = {
    "400": "What was sent cannot be understood.",
    "401": "No token, or one that is not taken.",
    "403": "The token or the account may not do this.",
    "404": "It is not there.",
    "406": "Only JSON is answered.",
    "409": "A rule says no, as things stand.",
    "412": "It was changed since it was read.",
    "413": "The body is too large.",
    "415": "Only JSON is taken.",
    "422": "What was sent is understood and cannot be right.",
    "428": "If-Match is missing.",
    "429": "Too many requests: wait as long as Retry-After says.",
    "500": "Something unexpected happened, and nothing was booked.",
    "503": "The database or the keys cannot be used now: send the same call again.",
}
_MOST = 2**53 - 1  # what every JSON reader takes
_PUBLIC_ID = "([0-9A-HJKMNP-TV-Z]{4}-){4}[0-9A-HJKMNP-TV-Z]"
_WHOLE = {"type": "integer", "minimum": 0, "maximum": _MOST}
_PATH: dict[str, dict[str, Any]] = {
    "license_id": {"type": "string", "pattern": f"^LIC-{_PUBLIC_ID}$"},
    "activation_id": {"type": "string", "pattern": f"^ACT-{_PUBLIC_ID}$"},
    "restoration_id": {"type": "string", "pattern": f"^RES-{_PUBLIC_ID}$"},
    "request_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    "chain": {"type": "string", "pattern": f"^(portal|LIC-{_PUBLIC_ID})$"},
    "customer_id": _WHOLE,
    "export_id": _WHOLE,
    "seq": _WHOLE,
    "size": _WHOLE,
}
_WORDS = {
    "license_id": "A License ID.",
    "activation_id": "An Activation ID.",
    "restoration_id": "The id of a restoration case.",
    "request_id": "The id of a Usage Request.",
    "chain": "A License ID, or portal.",
    "customer_id": "The id of a customer.",
    "export_id": "The id of an export.",
    "seq": "The number of the entry in its chain.",
    "size": "How many entries the checkpoint covers.",
    "state": "Only those in this state.",
    "status": "Only those with this status.",
    "kind": "Only entries of this kind.",
    "cursor": "As `next` and `previous` have it: follow them, and make none up.",
    "page_size": "How many on a page.",
    "page": "Which page, from 1.",
}
_QUERY: dict[str, dict[str, Any]] = {
    "cursor": {"type": "string", "minLength": 1},
    "customer": {"type": "integer", "minimum": 1, "maximum": _MOST},
    "page_size": {"type": "integer", "minimum": 1, "maximum": Newest.max_page_size, "default": Newest.page_size},
}
_UP_TO = {
    "name": "up_to",
    "in": "query",
    "description": "As `next` has it: the list as long as it was when its first page was read.",
    "schema": {"type": "string", "pattern": f"^[0-9]{{1,{DIGITS}}}$"},
}
_HAVE = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETag that you have: answered by 304 if nothing changed.",
    "schema": {"type": "string"},
}
# Of operations that answer with one thing that has an ETag.
_TAGGED = frozenset({"activations_mark_lost", "restorations_approve", "restorations_deny"})
_LOCATED = frozenset(
    {
        "licenses_create",
        "restorations_request",
        "usage_requests_submit",
        "ledger_exports_create",
    }
)
_EXAMPLES = Path(__file__).with_name("examples.json")


class PortalSchema(AutoSchema):
    """Adds to each operation its rule, its headers and its problems."""

    def get_override_parameters(self) -> list[Any]:
        given = list(super().get_override_parameters())
        return [*given, _KEY] if getattr(self._method(), "books_once", False) else given

    def get_tags(self) -> list[str]:
        return [TAG_OF[self.path.split("/")[3]]]

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        operation["summary"] = SUMMARIES[operation["operationId"]]
        rule = rule_of(self.view)
        said = operation.get("description", "")
        if rule is not None:
            operation["description"] = f"{said}\n\n{described(rule)}".strip()
            tokens = [] if rule.people_only else [{"token": [rule.scope.value]}]
            operation["security"] = [*tokens, {"session": []}]
        else:
            operation["description"] = f"{said}\n\nAnybody may call it; limited by address.".strip()
            operation["security"] = [{}]
        if operation["operationId"] in ("usage_requests_dry_run", "usage_requests_submit", "licenses_change"):
            operation["requestBody"]["required"] = True  # each member may be left out, and not all of them
        _tell_parameters(operation)
        self._tell_headers(operation)
        for status in self._problems(operation):
            operation["responses"].setdefault(status, _problem(status))
        _show_examples(operation)
        return operation

    def _method(self) -> Any:
        return getattr(self.view, getattr(self.view, "action", None) or self.method.lower(), None)

    def _tell_headers(self, operation: dict[str, Any]) -> None:
        name, got = operation["operationId"], operation["operationId"].endswith("_get")
        changed = name.startswith("licenses_") and self.method != "GET"
        for status, response in operation["responses"].items():
            headers = {**response.get("headers", {}), **_LIMITS}
            if got or changed or name in _TAGGED:
                headers["ETag"] = _ETAG
            if name in _LOCATED:
                headers["Location"] = _LOCATION
            if getattr(self._method(), "books_once", False):
                headers["Idempotency-Replayed"] = _REPLAYED
            if status == "202":
                headers["Retry-After"] = _RETRY
            response["headers"] = headers
            response["description"] = response.get("description") or "As asked."
        if got:
            operation["parameters"] = [*operation.get("parameters", ()), _HAVE]
            headers = {**_LIMITS, "ETag": _ETAG}
            operation["responses"]["304"] = {"description": "You have it as it is.", "headers": headers}

    def _problems(self, operation: dict[str, Any]) -> list[str]:
        names = [each["name"] for each in operation.get("parameters", ())]
        found = ["400", "406", "429", "500", "503"]
        if operation["security"] != [{}]:
            found += ["401", "403"]
        if "{" in self.path or self.method == "POST" or "/proofs/" in self.path or "/as-of/" in self.path:
            found.append("404")
        if self.method != "GET" or self.path.endswith("/file") or "/proofs/" in self.path or "/as-of/" in self.path:
            found.append("409")
        if self.method != "GET":
            found += ["413", "415"]
        if (
            self.method != "GET"
            or "{" in self.path
            or "/proofs/" in self.path
            or "/as-of/" in self.path
            or {"license_id", "chain"} & set(names)
        ):
            found.append("422")
        if "If-Match" in names:
            found += ["412"]
        if self.method == "PATCH":
            found += ["428"]
        return sorted(found)


def _problem(status: str) -> dict[str, Any]:
    headers: dict[str, Any] = {**_LIMITS, "Retry-After": _RETRY} if status in ("429", "503") else _LIMITS
    return {"description": _MEANINGS[status], "headers": headers, "content": {MEDIA_TYPE: _REFERENCE}}


def _tell_parameters(operation: dict[str, Any]) -> None:
    """What the framework cannot know of them: their bounds, and what they are in a sentence."""
    for each in operation.get("parameters", ()):
        known = _PATH if each["in"] == "path" else _QUERY if each["schema"].get("type") in ("number", "integer") else {}
        if each["name"] == "cursor":
            known = _QUERY
        each["schema"] = {**(known.get(each["name"]) or each["schema"])}
        if each["in"] == "query" and each["schema"].get("type") == "string" and "enum" not in each["schema"]:
            each["schema"].setdefault("minLength", 1)
        if not each.get("description") or each["name"] in ("cursor", "page_size"):
            each["description"] = _WORDS.get(each["name"], "")
    if operation["operationId"] == "ledger_entries_list":
        operation["parameters"].append(_UP_TO)


@cache
def examples() -> dict[str, dict[str, Any]]:
    """Calls and answers of a portal with the tests' licenses, by operation (`tests/api/make_examples.py`)."""
    return dict(json.loads(_EXAMPLES.read_text())) if _EXAMPLES.exists() else {}


def _show_examples(operation: dict[str, Any]) -> None:
    shown = examples().get(operation["operationId"], {})
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None and "request" in shown:
        body["examples"] = {"call": {"summary": "A call", "value": shown["request"]}}
    for each in operation.get("parameters", ()):
        if each["name"] in shown.get("parameters", {}):
            each["example"] = shown["parameters"][each["name"]]
    for status, value in shown.get("answers", {}).items():
        content = operation["responses"].get(status, {}).get("content", {})
        for media in content.values():
            media["examples"] = {"answer": {"summary": "An answer", "value": value}}


def complete(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Hook: what no single operation brings. Input takes no members but its own."""
    schemas = result["components"].setdefault("schemas", {})
    schemas["Problem"] = PROBLEM
    for name, schema in schemas.items():
        if name.endswith("Request") and schema.get("type") == "object":
            schema["additionalProperties"] = False
            _say_what_text_is(schema)
        if name.startswith("Paginated"):
            _mend_page(schema)
        features = schema.get("properties", {}).get("features")
        if name.endswith("Request") and features:
            features["minItems"] = 1
    schemas["PatchedLicensePatchRequest"]["required"] = ["reason"]  # a partial change is no partial account of it
    for name in ("SubmitRequest", "ConfirmRequest"):
        schemas[name] |= _TEXT_OR_MAIL
        schemas[name]["properties"]["mail"] |= {"contentEncoding": "base64", "pattern": _BASE64}
    result["components"]["schemas"] = dict(sorted(schemas.items()))
    result["info"]["description"] = ABOUT
    result["tags"] = [{"name": name, "description": words} for name, words in TAGS.items()]
    result["servers"] = [{"url": "/", "description": "This portal"}]
    return result


def _say_what_text_is(schema: dict[str, Any]) -> None:
    """No text has a NUL, and where it may not be empty, white space alone is not enough."""
    for part in schema.get("properties", {}).values():
        if part.get("type") == "string" and not {"pattern", "enum", "format"} & set(part):
            part["pattern"] = _NOT_BLANK if part.get("minLength") else _NO_NUL


_NO_NUL = r"^[^\x00]*$"
_NOT_BLANK = r"^[^\x00]*[^\s\x00-\x20\x7f-\xa0][^\x00]*$"
_BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
# Either, as JSON Schema says it without taking the members apart: generators of clients read `oneOf` as two types.
_TEXT_OR_MAIL: dict[str, Any] = {
    "if": {"required": ["text"]},
    "then": {"not": {"required": ["mail"]}},
    "else": {"required": ["mail"]},
}


def _mend_page(schema: dict[str, Any]) -> None:
    """The framework says `nullable`, which OpenAPI 3.1 does not know, and shows addresses of another service."""
    for name in ("next", "previous"):
        words = f"The address of the {name} page; null: there is none."
        schema["properties"][name] = {"type": ["string", "null"], "format": "uri", "description": words}
    schema["required"] = ["next", "previous", "results"]


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "activations.api.doors.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of another system, `clt_...`. An administrator makes it (Settings, API tokens).",
        }


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "activations.api.doors.StaffSession"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "Staff who are signed in to the portal. Changes need the header X-CSRFToken too.",
        }
