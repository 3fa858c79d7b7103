"""Customers and whom we email. A customer is made with its first license."""

from __future__ import annotations

from typing import ClassVar

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from activations.api.base import LARGEST_NUMBER, Output, PortalView, Strict, done, found, said
from activations.api.doors import Rule, actor_of
from activations.api.once import booked, once
from activations.domain.scopes import Scope
from activations.models import Customer
from activations.services.actors import MOST_EMAIL
from activations.services.contacts import EDITORS, add_contact
from activations.services.license_rules import MOST_NAME


class ContactOut(Output):
    name = serializers.CharField()
    email = serializers.CharField()


class ContactAdd(Strict):
    name = serializers.CharField(default="", allow_blank=True, max_length=MOST_NAME)
    email = serializers.EmailField(
        max_length=MOST_EMAIL, help_text="Notices go there: an end that is near, a seat freed."
    )


class CustomerOut(Output):
    id = serializers.IntegerField()
    name = serializers.CharField()
    contacts = ContactOut(many=True)
    created_at = serializers.DateTimeField()


class CustomerFilter(django_filters.FilterSet):
    name = django_filters.CharFilter(field_name="name", lookup_expr="exact", label="The whole name.")
    search = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label="A part of the name.")

    class Meta:
        model = Customer
        fields: ClassVar[list[str]] = ["name", "search"]


class CustomerView(PortalView):
    queryset = Customer.objects.prefetch_related("contacts")
    filterset_class = CustomerFilter
    rules: ClassVar[dict[str, Rule]] = {
        "list": Rule(Scope.READ_LICENSES),
        "retrieve": Rule(Scope.READ_LICENSES),
        "add_contact": Rule(Scope.CHANGE_LICENSES, EDITORS),
    }

    @extend_schema(operation_id="customers_list", responses=CustomerOut(many=True))
    def list(self, request: Request) -> Response:
        """Customers, newest first."""
        return self.page_of(self.get_queryset(), CustomerOut)

    @extend_schema(operation_id="customers_get", responses=CustomerOut)
    def retrieve(self, request: Request, customer_id: int) -> Response:
        """One customer with its contacts."""
        row = self.get_queryset().filter(pk=customer_id).first() if customer_id <= LARGEST_NUMBER else None
        return self.with_etag(said(CustomerOut(found(row, "customer-unknown", f"customer {customer_id}"))))

    @extend_schema(operation_id="customers_add_contact", request=ContactAdd, responses={201: CustomerOut})
    @once
    def add_contact(self, request: Request, customer_id: int) -> Response:
        """Adds somebody whom notices go to. An address that the customer has already is left as it is."""
        sent = self.given(ContactAdd)
        done(add_contact(customer_id=customer_id, name=sent["name"], email=sent["email"], actor=actor_of(request)))
        return booked(Response(said(CustomerOut(self.get_queryset().get(pk=customer_id))), status=201))
