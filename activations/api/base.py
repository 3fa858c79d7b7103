"""What the endpoints share: the rules of their door, strict input, and the headers of every answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import django_filters
from django.db.models import Model, QuerySet
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from activations.api import problems, throttling
from activations.api.doors import Rule
from activations.api.etags import etag, unchanged
from activations.api.parsing import check_address
from activations.domain.ledger import PORTAL_CHAIN
from activations.services.results import BadInput, Refused, public_id

SOURCE = "api"
LARGEST_NUMBER = 2**53 - 1  # what every JSON reader takes
T = TypeVar("T")


def said(output: serializers.BaseSerializer[Any]) -> dict[str, Any]:
    """One thing as it is answered."""
    return dict(output.data)


class LicenseIdFilter(django_filters.CharFilter):
    """A License ID however it is typed; one with a typo is refused, where it would find nothing. With `portal`, the
    portal's own chain too.
    """

    def __init__(self, *args: Any, portal: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.portal = portal

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        if value and not (self.portal and value == PORTAL_CHAIN):
            value = done(public_id("LIC", value))
        found: QuerySet[Any] = super().filter(qs, value)
        return found


class Strict(serializers.Serializer[Any]):
    """Input. A member that it does not know is refused: it is a typo, and would silently do nothing."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = [name for name in data if name not in self.fields]
            if unknown:
                known = ", ".join(self.fields)
                raise ValidationError(
                    {name: [f"There is no such member. Known are: {known}."] for name in unknown}, code="unknown-member"
                )
        return super().to_internal_value(data)


class Output(serializers.Serializer[Any]):
    """What is answered."""


class PortalView(GenericViewSet[Any]):
    """Every operation has a rule, by its name; without one it is closed."""

    rules: ClassVar[dict[str, Rule]] = {}

    def given(self, kind: type[Strict]) -> dict[str, Any]:
        """What was sent, understood; raises the problem that names each thing that is wrong with it."""
        read = kind(data=self.request.data)
        read.is_valid(raise_exception=True)
        return dict(read.validated_data)

    def asked(self, kind: type[Strict]) -> dict[str, Any]:
        """As `given`, of the parameters in the address."""
        names = list(self.request.query_params)
        read = kind(data={name: self.request.query_params[name] for name in names})
        read.is_valid(raise_exception=True)
        return dict(read.validated_data)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        request._request.encoding = "utf-8"  # whatever charset the header names: Python knows some that are no text
        super().initial(request, *args, **kwargs)
        check_address(request)

    def perform_authentication(self, request: Request) -> None:
        """Whoever sends what is no token is counted by address."""
        try:
            super().perform_authentication(request)
        except AuthenticationFailed:
            throttling.count_unknown(request)
            raise

    def check_permissions(self, request: Request) -> None:
        """Counted first, so that a caller who is refused over and over is told to slow down as well."""
        super().check_throttles(request)
        super().check_permissions(request)

    def check_throttles(self, request: Request) -> None:
        """Done before the permissions."""

    def page_of(self, rows: QuerySet[Any], output: type[Output]) -> Response:
        """One page of the rows, filtered as the address says. A filter that there is not would show all of them."""
        filters = getattr(getattr(self, "filterset_class", None), "base_filters", {})
        known = [*filters, *getattr(self.paginator, "parameters", ())]
        unknown = [name for name in self.request.query_params if name not in known]
        if unknown:
            words = f"There is no such parameter. Known are: {', '.join(known)}."
            raise ValidationError({name: [words] for name in unknown}, code="unknown-parameter")
        empty = [name for name in filters if self.request.query_params.get(name) == ""]
        if empty:  # it would be taken for none, and show all of them
            words = "Say what to look for, or leave this parameter out."
            raise ValidationError({name: [words] for name in empty}, code="empty-parameter")
        page = self.paginate_queryset(self.filter_queryset(rows))
        return self.get_paginated_response(output(page, many=True).data)

    def with_etag(self, data: Mapping[str, Any]) -> Response:
        """A GET's answer, or 304 for who has it."""
        tag = etag(data)
        if unchanged(self.request, tag):
            return Response(status=304, headers={"ETag": tag})
        return Response(data, headers={"ETag": tag})

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        finish(request, response)
        return super().finalize_response(request, response, *args, **kwargs)


def finish(request: Any, response: Any) -> None:
    """What every answer carries: how much may still be asked, and nothing that a cache may keep."""
    allowance = getattr(request, "allowance", None)
    for name, value in (allowance.headers if allowance else {}).items():
        response[name] = value
    response["Cache-Control"] = "no-store"
    data = getattr(response, "data", None)
    if isinstance(data, dict) and response.status_code >= 400:
        data["request_id"] = getattr(request, "request_id", None)


def done(result: T | Refused | BadInput) -> T:
    """The success of a use case; a refusal ends the call with its problem, and nothing is booked."""
    if isinstance(result, Refused | BadInput):
        detail = {name: value for name, value in result.detail.items() if name not in problems.RESERVED}
        raise problems.Stopped(problems.status_of(result), result.code, result.message, **detail)
    return result


def found(row: Model | None, code: str, what: str) -> Any:
    """The row; the problem 404 if there is none."""
    if row is None:
        raise problems.Stopped(404, code, f"There is no {what}.")
    return row
