"""Whom we email of a customer. Names and addresses are personal data: no ledger entry has them (ADR 0012)."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from activations.domain.staff_trail import StaffKind
from activations.domain.words import Ability, Actor
from activations.models import Contact, Customer
from activations.services.actors import bad_email
from activations.services.license_rules import bad_contact
from activations.services.results import BadInput, Refused
from activations.services.staff_trail import record

EDITORS = (Ability.CREATE_LICENSE, Ability.CHANGE_LICENSE)


@dataclass(frozen=True)
class ContactAdded:
    """`new`: the customer had no contact with this address before."""

    customer: str
    new: bool


def add_contact(
    *, customer_id: int, name: str, email: str, actor: Actor, new_customer: bool = False
) -> ContactAdded | Refused | BadInput:
    """Notices go to this address from now on. One that the customer has already is left as it is. Whom to email of a
    customer is for who may change its licenses; `new_customer`: it was made in this transaction and has nobody yet.
    """
    if not actor.abilities & set(EDITORS):
        return Refused("not-allowed", f"{actor.name} may not change contacts. Ask a license manager.")
    problem = bad_contact(name, email) or bad_email(email.strip())
    if problem:
        return problem
    with transaction.atomic():
        customer = Customer.objects.select_for_update().filter(pk=customer_id).first()
        if customer is None:
            return BadInput("customer-unknown", f"There is no customer {customer_id}.")
        if Contact.objects.filter(customer=customer, email=email.strip()).exists():
            return ContactAdded(customer.name, new=False)
        if not new_customer and not actor.may(Ability.CHANGE_LICENSE):
            return Refused(
                "not-allowed",
                "This customer is known, and a new contact of it needs the scope licenses:change. Leave it out.",
            )
        Contact.objects.create(customer=customer, email=email.strip(), name=name.strip())
        told = {"contacts_added": 1, "contacts_changed": 0, "customer_made": False}
        record(StaffKind.CONTACTS_CHANGED, customer.name, told, actor=actor.name)
    return ContactAdded(customer.name, new=True)
