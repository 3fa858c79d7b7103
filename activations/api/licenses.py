"""Licenses: created on purchase, their terms changed, suspended, reinstated, revoked, their License Key replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import django_filters
from django.db.models import F, Prefetch, QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from activations import queries
from activations.api import etags
from activations.api.base import LARGEST_NUMBER, SOURCE, Output, PortalView, Strict, done, found
from activations.api.choices import LICENSE_STATUSES
from activations.api.customers import ContactAdd
from activations.api.doors import Rule, actor_of
from activations.api.once import booked, once
from activations.api.parsing import MomentFilter
from activations.api.schema import IF_MATCH
from activations.domain.scopes import Scope
from activations.domain.words import Ability, LicenseStatus
from activations.models import License, LicenseTerms
from activations.services.booking import lock_license
from activations.services.contacts import add_contact
from activations.services.license_rules import EARLIEST_DAY, LATEST_DAY, MOST_NAME
from activations.services.licenses import (
    DEFAULT_PRODUCT,
    MOST_ALLOWED,
    FeatureTerm,
    LicenseChange,
    change_license,
    create_license,
    replace_license_key,
)
from activations.services.results import LONGEST_REASON, public_id

_MANAGER = (Ability.CHANGE_LICENSE,)
REASON = "Why, in a sentence. It goes into the ledger."


class FeatureSerializer(Strict):
    """A feature and its last day (none: it does not expire)."""

    code = serializers.CharField(max_length=60)
    expires = serializers.DateField(
        allow_null=True, default=None, help_text=f"The last day, {EARLIEST_DAY} to {LATEST_DAY}; null: it does not end."
    )


class VersionsSerializer(Strict):
    """The lowest and the highest version of the product that is covered; "" means no bound."""

    low = serializers.CharField(max_length=40, allow_blank=True, default="")
    high = serializers.CharField(max_length=40, allow_blank=True, default="")


class CustomerRef(Output):
    id = serializers.IntegerField()
    name = serializers.CharField()


class LicenseOut(Output):
    """A license as it stands, without its License Key."""

    license_id = serializers.CharField()
    customer = CustomerRef()
    product = serializers.CharField(source="product.code")
    status = serializers.ChoiceField(choices=LICENSE_STATUSES)
    allowed = serializers.IntegerField(help_text="Allowed activations.")
    occupied = serializers.IntegerField(help_text="Of them taken: active and lost ones.")
    free = serializers.SerializerMethodField()
    features = serializers.SerializerMethodField()
    versions = serializers.SerializerMethodField()
    terms_revision = serializers.IntegerField()
    online = serializers.BooleanField(help_text="Whether connected hosts may activate without a person.")
    key_serial = serializers.IntegerField(help_text="How many License Keys it has had.")
    created_at = serializers.DateTimeField()

    def get_free(self, row: Any) -> int:
        return int(row.allowed - row.occupied)

    @extend_schema_field(FeatureSerializer(many=True))
    def get_features(self, row: Any) -> list[dict[str, str | None]]:
        return [dict(feature) for feature in row.terms_now[0].features]

    @extend_schema_field(VersionsSerializer)
    def get_versions(self, row: Any) -> dict[str, str]:
        terms = row.terms_now[0]
        return {"low": terms.version_low, "high": terms.version_high}


class LicenseCreate(Strict):
    customer = serializers.CharField(max_length=MOST_NAME, help_text="Who bought. A new name makes a new customer.")
    allowed = serializers.IntegerField(min_value=1, max_value=MOST_ALLOWED, help_text="Allowed activations.")
    features = FeatureSerializer(many=True, allow_empty=False)
    product = serializers.CharField(max_length=60, default=DEFAULT_PRODUCT)
    versions = VersionsSerializer(required=False)
    online = serializers.BooleanField(default=False, help_text="Let connected hosts activate without a person.")
    contact = ContactAdd(required=False, help_text="Whom to email, if the customer does not have them yet.")


class LicenseCreated(Output):
    """The one answer with the License Key: mail it to the customer, and keep it nowhere else."""

    license = LicenseOut()
    license_key = serializers.CharField()
    warnings = serializers.ListField(child=serializers.CharField())


class LicensePatch(Strict):
    """What is left out stays as it is; `features` is the whole new list."""

    reason = serializers.CharField(max_length=LONGEST_REASON, help_text=REASON)
    allowed = serializers.IntegerField(min_value=1, max_value=MOST_ALLOWED, required=False)
    features = FeatureSerializer(many=True, required=False, allow_empty=False)
    versions = VersionsSerializer(required=False)
    online = serializers.BooleanField(required=False)
    customer = serializers.CharField(
        max_length=MOST_NAME, required=False, help_text="Another owner. The license gets a new License Key with it."
    )


class LicenseChanged(Output):
    license = LicenseOut()
    changes = serializers.ListField(child=serializers.CharField(), help_text="The kinds of the ledger entries booked.")
    license_key = serializers.CharField(allow_null=True, help_text="The new one, after a change of the owner.")
    warnings = serializers.ListField(child=serializers.CharField())


class Reason(Strict):
    reason = serializers.CharField(max_length=LONGEST_REASON, help_text=REASON)


class LicenseFilter(django_filters.FilterSet):
    customer = django_filters.NumberFilter(
        field_name="customer_id", min_value=1, max_value=LARGEST_NUMBER, label="The id of a customer."
    )
    status = django_filters.ChoiceFilter(choices=LICENSE_STATUSES)
    created_since = MomentFilter(field_name="created_at", lookup_expr="gte", label="From then on.")

    class Meta:
        model = License
        fields: ClassVar[list[str]] = ["customer", "status", "created_since"]


def licenses() -> QuerySet[License]:
    """With what a license is shown with: customer, product, seats taken, terms in force."""
    terms = LicenseTerms.objects.filter(revision=F("license__terms_revision"))
    return queries.licenses_with_seats().prefetch_related(Prefetch("terms", queryset=terms, to_attr="terms_now"))


def shown(license_id: str) -> dict[str, Any]:
    """The license as a GET answers it; the problem 404 if there is none."""
    named = done(public_id("LIC", license_id))
    return dict(
        LicenseOut(found(licenses().filter(license_id=named).first(), "license-unknown", f"license {named}")).data
    )


class LicenseView(PortalView):
    queryset = License.objects.none()
    filterset_class = LicenseFilter
    rules: ClassVar[dict[str, Rule]] = {
        "list": Rule(Scope.READ_LICENSES),
        "retrieve": Rule(Scope.READ_LICENSES),
        "create": Rule(Scope.CREATE_LICENSES, (Ability.CREATE_LICENSE,)),
        "partial_update": Rule(Scope.CHANGE_LICENSES, _MANAGER),
        "suspend": Rule(Scope.CHANGE_LICENSES, _MANAGER),
        "reinstate": Rule(Scope.CHANGE_LICENSES, _MANAGER),
        "revoke": Rule(Scope.CHANGE_LICENSES, _MANAGER),
        "replace_key": Rule(Scope.CHANGE_LICENSES, _MANAGER),
    }

    @extend_schema(operation_id="licenses_list", responses=LicenseOut(many=True))
    def list(self, request: Request) -> Response:
        """Licenses, newest first."""
        return self.page_of(licenses(), LicenseOut)

    @extend_schema(operation_id="licenses_get", responses=LicenseOut)
    def retrieve(self, request: Request, license_id: str) -> Response:
        """One license, with the ETag that a change of it asks for."""
        return self.with_etag(shown(license_id))

    @extend_schema(
        operation_id="licenses_create",
        request=LicenseCreate,
        responses={201: LicenseCreated},
        examples=[
            OpenApiExample(
                "A purchase",
                request_only=True,
                value={
                    "customer": "Acme Water",
                    "allowed": 2,
                    "features": [
                        {"code": "mqtt-server", "expires": None},
                        {"code": "mqtt-server-support", "expires": "2027-12-31"},
                    ],
                },
            )
        ],
    )
    @once
    def create(self, request: Request) -> Response:
        """Creates a license on a purchase. The answer holds the License Key, this once."""
        sent = self.given(LicenseCreate)
        versions = sent.get("versions") or {"low": "", "high": ""}
        made = done(
            create_license(
                customer=sent["customer"],
                allowed=sent["allowed"],
                features=_terms(sent["features"]),
                product=sent["product"],
                versions=(versions["low"], versions["high"]),
                online=sent["online"],
                actor=actor_of(request),
                source=SOURCE,
            )
        )
        license = shown(made.license_id)
        if "contact" in sent:
            done(
                add_contact(
                    customer_id=license["customer"]["id"],
                    actor=actor_of(request),
                    new_customer=made.new_customer,
                    **sent["contact"],
                )
            )
        data = {"license": license, "license_key": made.license_key, "warnings": list(made.warnings)}
        headers = {"Location": f"/api/v1/licenses/{made.license_id}", "ETag": etags.etag(license)}
        return booked(Response(data, status=201, headers=headers))

    @extend_schema(
        operation_id="licenses_change",
        request=LicensePatch,
        responses=LicenseChanged,
        parameters=[IF_MATCH],
        examples=[
            OpenApiExample(
                "Two more activations", request_only=True, value={"allowed": 4, "reason": "Order 4711: two more sites"}
            )
        ],
    )
    @once
    def partial_update(self, request: Request, license_id: str) -> Response:
        """Changes what a license grants or whose it is, all of it or nothing. Hosts learn of it in their next round
        trip.
        """
        sent = self.given(LicensePatch)
        versions = sent.get("versions")
        change = LicenseChange(
            allowed=sent.get("allowed"),
            features=_terms(sent["features"]) if "features" in sent else None,
            versions=(versions["low"], versions["high"]) if versions is not None else None,
            online=sent.get("online"),
            customer=sent.get("customer"),
        )
        return self._changed(license_id, change, sent["reason"], must_match=True)

    @extend_schema(operation_id="licenses_suspend", request=Reason, responses=LicenseChanged, parameters=[IF_MATCH])
    @once
    def suspend(self, request: Request, license_id: str) -> Response:
        """Answers no Usage Request of this license until it is reinstated. What is installed stays."""
        return self._status(license_id, LicenseStatus.SUSPENDED)

    @extend_schema(operation_id="licenses_reinstate", request=Reason, responses=LicenseChanged, parameters=[IF_MATCH])
    @once
    def reinstate(self, request: Request, license_id: str) -> Response:
        """Ends a suspension."""
        return self._status(license_id, LicenseStatus.ACTIVE)

    @extend_schema(operation_id="licenses_revoke", request=Reason, responses=LicenseChanged, parameters=[IF_MATCH])
    @once
    def revoke(self, request: Request, license_id: str) -> Response:
        """Ends a license for good. What is installed stays until it expires."""
        return self._status(license_id, LicenseStatus.REVOKED)

    @extend_schema(operation_id="licenses_replace_key", request=Reason, responses=LicenseCreated, parameters=[IF_MATCH])
    @once
    def replace_key(self, request: Request, license_id: str) -> Response:
        """Another License Key in place of a leaked one. Requests made with the old one are refused from now on."""
        sent = self.given(Reason)
        self._match(license_id, required=False)
        made = done(
            replace_license_key(license_id=license_id, actor=actor_of(request), source=SOURCE, reason=sent["reason"])
        )
        license = shown(license_id)
        data = {"license": license, "license_key": made.license_key, "warnings": list(made.warnings)}
        return booked(Response(data, headers={"ETag": etags.etag(license)}))

    def _status(self, license_id: str, status: LicenseStatus) -> Response:
        sent = self.given(Reason)
        return self._changed(license_id, LicenseChange(status=status), sent["reason"], must_match=False)

    def _match(self, license_id: str, *, required: bool) -> None:
        """Looks at If-Match under the license's lock, which is held until the call has booked."""
        named = done(public_id("LIC", license_id))
        row = found(License.objects.filter(license_id=named).first(), "license-unknown", f"license {named}")
        lock_license(row.pk)
        etags.check(self.request, shown(named), required=required)

    def _changed(self, license_id: str, change: LicenseChange, reason: str, *, must_match: bool) -> Response:
        self._match(license_id, required=must_match)
        made = done(
            change_license(
                license_id=license_id, change=change, actor=actor_of(self.request), source=SOURCE, reason=reason
            )
        )
        license = shown(license_id)
        data = {
            "license": license,
            "changes": [str(kind) for kind in made.changes],
            "license_key": made.license_key,
            "warnings": list(made.warnings),
        }
        return booked(Response(data, headers={"ETag": etags.etag(license)}))


def _terms(features: list[Mapping[str, Any]]) -> list[FeatureTerm]:
    return [FeatureTerm(feature["code"], feature["expires"]) for feature in features]
