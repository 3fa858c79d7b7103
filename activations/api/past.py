"""The past: a license, a customer's licenses or all of them as they were at any moment, from the ledger alone."""

from __future__ import annotations

from typing import ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from activations.api.base import Output, PortalView, Strict, done
from activations.api.doors import Rule, actor_of
from activations.api.licenses import FeatureSerializer
from activations.domain.scopes import Scope
from activations.domain.words import Ability
from activations.models import License
from activations.services.as_of import license_as_of, licenses_as_of
from activations.services.license_rules import MOST_NAME

_READ = Rule(Scope.READ_LEDGER, (Ability.READ_LEDGER,))
_ANYTHING = {"type": "object", "additionalProperties": True}


class Moment(Strict):
    at = serializers.DateTimeField(required=False, help_text="None: now. What was booked at this very time counts.")


class EstateAsked(Moment):
    customer = serializers.CharField(required=False, max_length=MOST_NAME, help_text="The whole name it had then.")
    page = serializers.IntegerField(min_value=1, max_value=1_000_000, default=1)


@extend_schema_field({"type": "array", "items": _ANYTHING})
class Objects(serializers.ListField):
    """Objects whose members are those of the ledger's fold (docs/audit.md)."""


class Line(Output):
    """A license then, in one line."""

    license_id = serializers.CharField()
    customer = serializers.CharField()
    product = serializers.CharField()
    status = serializers.CharField()
    terms_revision = serializers.IntegerField()
    features = FeatureSerializer(many=True)
    allowed = serializers.IntegerField()
    active = serializers.IntegerField()
    lost = serializers.IntegerField()
    free = serializers.IntegerField()


class LicenseThen(Line):
    """A license then, in full."""

    at = serializers.DateTimeField()
    seats = serializers.ListField(child=serializers.IntegerField(), help_text="The numbers of its seats.")
    activations = Objects()
    restorations = Objects()
    entries = Objects()


class EstateThen(Output):
    at = serializers.DateTimeField()
    customer = serializers.CharField(allow_null=True)
    licenses = serializers.IntegerField()
    suspended = serializers.IntegerField()
    revoked = serializers.IntegerField()
    allowed = serializers.IntegerField()
    active = serializers.IntegerField()
    lost = serializers.IntegerField()
    free = serializers.IntegerField()
    page = serializers.IntegerField()
    pages = serializers.IntegerField()
    license_lines = Line(many=True)


class PastView(PortalView):
    queryset = License.objects.none()
    pagination_class = None
    rules: ClassVar[dict[str, Rule]] = {"license": _READ, "licenses": _READ}

    @extend_schema(operation_id="as_of_license", parameters=[Moment], responses=LicenseThen, filters=False)
    def license(self, request: Request, license_id: str) -> Response:
        """One license at a moment, with the entries that led there."""
        at = self.asked(Moment).get("at") or timezone.now()
        return Response(done(license_as_of(license_id=license_id, at=at, actor=actor_of(request))).as_json())

    @extend_schema(operation_id="as_of_licenses", parameters=[EstateAsked], responses=EstateThen, filters=False)
    def licenses(self, request: Request) -> Response:
        """All licenses at a moment, or those that a customer held then."""
        asked = self.asked(EstateAsked)
        then = licenses_as_of(
            at=asked.get("at") or timezone.now(),
            actor=actor_of(request),
            customer=asked.get("customer", ""),
            page=asked["page"],
        )
        return Response(done(then).as_json())
