"""What arrives, bounded: JSON in a body, parameters in an address; refused in words when it can be read in two ways."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import IO, Any, NoReturn

import django_filters
from django import forms
from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from rest_framework.request import Request

from activations.api.problems import Stopped


class BoundedJSON(JSONParser):
    """As much as a form of the desk may bring: a whole mail thread with a Usage Request in it.

    UTF-8, whatever charset the header names (RFC 8259, 8.1): Python knows charsets that unpack what they read.
    """

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        most = int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        request = (parser_context or {}).get("request")
        length = int(request.META.get("CONTENT_LENGTH") or 0) if request is not None else 0
        if length > most:
            raise Stopped(413, "too-large", f"The body has {length} bytes; {most} are taken. Send what matters of it.")
        try:
            return _read(stream.read().decode("utf-8"))
        except RecursionError:
            raise ParseError("The body is nested deeper than anything that is asked for here.") from None
        except ValueError as error:
            raise ParseError(f"The body is not JSON in UTF-8: {_printable(error)}") from None


class _MomentField(django_filters.fields.IsoDateTimeField):
    def to_python(self, value: Any) -> datetime | None:
        at = super().to_python(value)
        try:
            return at.astimezone(UTC) if isinstance(at, datetime) else at
        except OverflowError:
            raise forms.ValidationError("No calendar has this time in UTC.", code="overflow") from None


class MomentFilter(django_filters.IsoDateTimeFilter):
    """Of times as ISO 8601 writes them; in UTC, since no database takes every time zone that it has."""

    field_class = _MomentField


def check_address(request: Request) -> None:
    """Refuses parameters of which nobody could say what they mean. What they are for, the endpoint says."""
    given = request.query_params
    if "\x00" in request.path or any("\x00" in f"{name}{value}" for name in given for value in given.getlist(name)):
        raise ParseError("The address holds a NUL, which nothing here has in its name.")
    twice = [name for name in given if len(given.getlist(name)) > 1]
    if twice:
        raise ParseError(f"Given more than once in the address: {', '.join(twice)}. Send each parameter once.")


def _read(text: str) -> Any:
    data = json.loads(text, parse_constant=_no_number, object_pairs_hook=_each_once)
    if "\\u" in text:
        json.dumps(data, ensure_ascii=False).encode()  # halves of characters: no answer and no table can hold them
    return data


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the member {next(name for name in names if names.count(name) > 1)!r} is given twice.")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON.")


def _printable(error: ValueError) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "it holds half of a character (a lone surrogate)."
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1} is not UTF-8."
    return str(error).encode("ascii", "backslashreplace").decode()[:200]
