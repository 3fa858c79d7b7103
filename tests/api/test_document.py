"""The API's document says of each operation what a stranger needs, and its examples are what it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from django.test import Client

from activations.api.document import SUMMARIES, TAGS
from activations.api.schema import examples

WITHOUT_ANSWER = {"ledger_exports_file", "ledger_exports_cancel"}  # a file, and nothing


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return dict(Client().get("/api/v1/openapi.json").json())


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def test_each_operation_has_a_summary_a_group_and_examples(document: dict[str, Any]) -> None:
    named = {each["operationId"]: each for each in operations(document)}
    assert set(named) == set(SUMMARIES) == set(examples())
    assert [tag["name"] for tag in document["tags"]] == list(TAGS)
    for name, each in named.items():
        assert each["summary"] == SUMMARIES[name]
        assert set(each["tags"]) <= set(TAGS)
        assert all(parameter["description"] for parameter in each.get("parameters", ())), name
        assert "requestBody" not in each or "examples" in each["requestBody"]["content"]["application/json"], name
        good = [answer for status, answer in each["responses"].items() if status.startswith("2")]
        shown = [media for answer in good for media in answer.get("content", {}).values() if "examples" in media]
        assert shown or name in WITHOUT_ANSWER, name
        assert "default" not in each["responses"], name


def test_the_examples_are_what_the_document_says(document: dict[str, Any]) -> None:
    found = 0
    for each in operations(document):
        bodies = [each.get("requestBody", {}), *each["responses"].values()]
        for media in [media for body in bodies for media in body.get("content", {}).values()]:
            for example in media.get("examples", {}).values():
                schema = {**media["schema"], "components": document["components"]}
                jsonschema.Draft202012Validator(schema).validate(example["value"])
                found += 1
        for parameter in each.get("parameters", ()):
            if "example" in parameter:
                jsonschema.Draft202012Validator(parameter["schema"]).validate(parameter["example"])
    assert found > len(SUMMARIES)


def test_it_says_no_word_of_openapi_3_0(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    for name, schema in document["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert "nullable" not in str(schema), name
