"""Activations: who holds them, freed by a deactivation code, marked as lost; and the cases that restore lost ones."""

from __future__ import annotations

from typing import ClassVar

import django_filters
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from activations.api import etags
from activations.api.base import LARGEST_NUMBER, SOURCE, LicenseIdFilter, Output, PortalView, Strict, done, found, said
from activations.api.choices import ACTIVATION_STATES, RESTORATION_STATES
from activations.api.doors import Rule, actor_of
from activations.api.licenses import REASON, Reason
from activations.api.once import booked, once
from activations.api.schema import IF_MATCH
from activations.domain.scopes import Scope
from activations.domain.words import Ability
from activations.models import Activation, Restoration
from activations.services.booking import lock_license
from activations.services.deactivate import deactivate_activation
from activations.services.losses import approve_restoration, deny_restoration, mark_lost, request_restoration
from activations.services.results import LONGEST_REASON, public_id


class ActivationOut(Output):
    activation_id = serializers.CharField()
    license_id = serializers.CharField(source="license.license_id")
    state = serializers.ChoiceField(choices=ACTIVATION_STATES)
    seat = serializers.IntegerField(source="seat.number", allow_null=True, default=None)
    instance = serializers.CharField(source="instance.thumbprint", help_text="The thumbprint of the Chariot's key.")
    hostname = serializers.CharField()
    container = serializers.CharField()
    version = serializers.CharField()
    usage_license_id = serializers.CharField(
        source="usage_license.usage_license_id", allow_null=True, default=None, help_text="The one it runs on now."
    )
    created_at = serializers.DateTimeField()
    changed_at = serializers.DateTimeField()


class ActivationFilter(django_filters.FilterSet):
    license_id = LicenseIdFilter(field_name="license__license_id", label="The License ID.")
    customer = django_filters.NumberFilter(
        field_name="license__customer_id", min_value=1, max_value=LARGEST_NUMBER, label="The id of a customer."
    )
    state = django_filters.ChoiceFilter(choices=ACTIVATION_STATES)

    class Meta:
        model = Activation
        fields: ClassVar[list[str]] = ["license_id", "customer", "state"]


class Deactivation(Strict):
    license_id = serializers.CharField(max_length=60, help_text="As the customer's mail names it.")
    code = serializers.CharField(max_length=400, help_text="The Deactivation Request code that Chariot shows.")
    reason = serializers.CharField(default="", allow_blank=True, max_length=LONGEST_REASON)


class Deactivated(Output):
    license_id = serializers.CharField()
    activation_id = serializers.CharField()
    effect = serializers.ChoiceField(
        choices=["freed", "settled", "repeated"],
        help_text="A seat was freed, a written-off host was settled, or the code had been booked before.",
    )
    message = serializers.CharField()


class ActivationView(PortalView):
    queryset = Activation.objects.select_related("license", "seat", "instance", "usage_license").defer(
        "usage_license__payload", "usage_license__text"
    )
    filterset_class = ActivationFilter
    rules: ClassVar[dict[str, Rule]] = {
        "list": Rule(Scope.READ_LICENSES),
        "retrieve": Rule(Scope.READ_LICENSES),
        "mark_lost": Rule(Scope.MARK_LOST, (Ability.MARK_LOST,)),
        "deactivate": Rule(Scope.DEACTIVATE, (Ability.DEACTIVATE,)),
    }

    @extend_schema(operation_id="activations_list", responses=ActivationOut(many=True))
    def list(self, request: Request) -> Response:
        """Activations, newest first."""
        return self.page_of(self.get_queryset(), ActivationOut)

    @extend_schema(operation_id="activations_get", responses=ActivationOut)
    def retrieve(self, request: Request, activation_id: str) -> Response:
        """One activation."""
        return self.with_etag(self._shown(activation_id))

    @extend_schema(
        operation_id="activations_mark_lost",
        request=Reason,
        responses=ActivationOut,
        parameters=[IF_MATCH],
        examples=[OpenApiExample("A fire", request_only=True, value={"reason": "The server room burned down."})],
    )
    @once
    def mark_lost(self, request: Request, activation_id: str) -> Response:
        """The host is gone and was not deactivated. The activation keeps its seat until a restoration gives it back."""
        sent = self.given(Reason)
        before = self._shown(activation_id)
        lock_license(Activation.objects.get(activation_id=before["activation_id"]).license_id)
        etags.check(request, self._shown(activation_id), required=False)
        done(mark_lost(activation_id=activation_id, actor=actor_of(request), source=SOURCE, reason=sent["reason"]))
        return booked(self.with_etag(self._shown(activation_id)))

    @extend_schema(
        operation_id="deactivations_create",
        request=Deactivation,
        responses=Deactivated,
        examples=[
            OpenApiExample(
                "A code from a mail",
                request_only=True,
                value={"license_id": "LIC-...", "code": "the code as the mail has it"},
            )
        ],
    )
    @once
    def deactivate(self, request: Request) -> Response:
        """Frees the activation whose Chariot shows this code. The same code again is answered and books nothing."""
        sent = self.given(Deactivation)
        result = done(
            deactivate_activation(
                license_id=sent["license_id"],
                code=sent["code"],
                actor=actor_of(request),
                source=SOURCE,
                reason=sent["reason"],
            )
        )
        return booked(Response(Deactivated(result).data))

    def _shown(self, activation_id: str) -> dict[str, object]:
        named = done(public_id("ACT", activation_id))
        row = self.get_queryset().filter(activation_id=named).first()
        return said(ActivationOut(found(row, "activation-unknown", f"activation {named}")))


class RestorationOut(Output):
    restoration_id = serializers.CharField()
    activation_id = serializers.CharField(source="activation.activation_id")
    license_id = serializers.CharField(source="activation.license.license_id")
    state = serializers.ChoiceField(choices=RESTORATION_STATES)
    reason = serializers.CharField(help_text="What happened.")
    requested_by = serializers.CharField()
    requested_at = serializers.DateTimeField()
    decided_by = serializers.CharField()
    decided_at = serializers.DateTimeField(allow_null=True)
    decision_reason = serializers.CharField()
    above_quota = serializers.BooleanField()


class RestorationFilter(django_filters.FilterSet):
    license_id = LicenseIdFilter(field_name="activation__license__license_id", label="The License ID.")
    state = django_filters.ChoiceFilter(choices=RESTORATION_STATES)

    class Meta:
        model = Restoration
        fields: ClassVar[list[str]] = ["license_id", "state"]


class RestorationRequest(Strict):
    activation_id = serializers.CharField(max_length=60)
    reason = serializers.CharField(max_length=LONGEST_REASON, help_text="What happened, in the customer's words.")


class Approval(Strict):
    reason = serializers.CharField(max_length=LONGEST_REASON, help_text=REASON)
    above_quota = serializers.BooleanField(
        default=False, help_text="Approve although the customer had as many within a year as allowed."
    )


class RestorationView(PortalView):
    queryset = Restoration.objects.select_related("activation__license")
    filterset_class = RestorationFilter
    rules: ClassVar[dict[str, Rule]] = {
        "list": Rule(Scope.READ_LICENSES),
        "retrieve": Rule(Scope.READ_LICENSES),
        "create": Rule(Scope.REQUEST_RESTORATIONS, (Ability.REQUEST_RESTORATION,)),
        "approve": Rule(Scope.REQUEST_RESTORATIONS, (Ability.DECIDE_RESTORATION,), people_only=True),
        "deny": Rule(Scope.REQUEST_RESTORATIONS, (Ability.DECIDE_RESTORATION,), people_only=True),
    }

    @extend_schema(operation_id="restorations_list", responses=RestorationOut(many=True))
    def list(self, request: Request) -> Response:
        """Restoration cases, newest first."""
        return self.page_of(self.get_queryset(), RestorationOut)

    @extend_schema(operation_id="restorations_get", responses=RestorationOut)
    def retrieve(self, request: Request, restoration_id: str) -> Response:
        """One case."""
        return self.with_etag(self._shown(restoration_id))

    @extend_schema(operation_id="restorations_request", request=RestorationRequest, responses={201: RestorationOut})
    @once
    def create(self, request: Request) -> Response:
        """Opens the case of a lost activation. Another person decides it."""
        sent = self.given(RestorationRequest)
        case = done(
            request_restoration(
                activation_id=sent["activation_id"], actor=actor_of(request), source=SOURCE, reason=sent["reason"]
            )
        )
        where = {"Location": f"/api/v1/restorations/{case.restoration_id}"}
        return booked(Response(self._shown(case.restoration_id), status=201, headers=where))

    @extend_schema(
        operation_id="restorations_approve", request=Approval, responses=RestorationOut, parameters=[IF_MATCH]
    )
    @once
    def approve(self, request: Request, restoration_id: str) -> Response:
        """Gives the seat back. By a person who neither opened the case nor answers for the token that did."""
        sent = self.given(Approval)
        self._match(request, restoration_id)
        done(
            approve_restoration(
                restoration_id=restoration_id,
                actor=actor_of(request),
                source=SOURCE,
                reason=sent["reason"],
                override=sent["above_quota"],
            )
        )
        return booked(self.with_etag(self._shown(restoration_id)))

    @extend_schema(operation_id="restorations_deny", request=Reason, responses=RestorationOut, parameters=[IF_MATCH])
    @once
    def deny(self, request: Request, restoration_id: str) -> Response:
        """The activation stays lost and keeps its seat. By a person, as an approval."""
        sent = self.given(Reason)
        self._match(request, restoration_id)
        done(
            deny_restoration(
                restoration_id=restoration_id, actor=actor_of(request), source=SOURCE, reason=sent["reason"]
            )
        )
        return booked(self.with_etag(self._shown(restoration_id)))

    def _match(self, request: Request, restoration_id: str) -> None:
        """Looks at If-Match under the license's lock."""
        shown = self._shown(restoration_id)
        lock_license(Activation.objects.get(activation_id=shown["activation_id"]).license_id)
        etags.check(request, self._shown(restoration_id), required=False)

    def _shown(self, restoration_id: str) -> dict[str, object]:
        named = done(public_id("RES", restoration_id))
        row = self.get_queryset().filter(restoration_id=named).first()
        return said(RestorationOut(found(row, "restoration-unknown", f"restoration case {named}")))
