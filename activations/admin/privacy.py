"""Pseudonymising a contact from its customer's page: what would be replaced, what stays, why, and then it is done."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.cache import never_cache

from activations.admin import actions
from activations.admin.access import actor_of, needs
from activations.admin.base import page_of
from activations.models import Contact
from activations.services.privacy.finding import Plan
from activations.services.privacy.pseudonymise import (
    MAY,
    Pseudonymised,
    plan_pseudonymising,
    pseudonymise_contact,
)
from activations.services.results import BadInput, Refused

SOURCE = "admin"
# Of what is erased, and of what is written anew with the pseudonym.
WORDS: dict[str, str] = {
    "mailsource": "originals of mails (digest and date stay)",
    "outgoingmail": "parts of mails that went out",
    "reply": "kept replies",
    "conversationnote": "notes of colleagues",
    "intakeentry": "texts of the intake log",
    "usagerequest": "texts around Usage Requests (the requests themselves stay)",
    "contact": "contacts",
    "incomingmail": "mails (sender, text and names of files)",
    "conversation": "subjects of conversations",
    "finding": "sentences about findings in mails",
    "savedfilter": "saved views",
    "sentform": "forms that were sent",
    "job": "jobs that somebody asked for",
    "logentry": "notes of Django's own log of changes",
}


def words_of(counts: dict[str, int]) -> list[tuple[str, int]]:
    return [(WORDS.get(table, table), count) for table, count in counts.items()]


@never_cache
@needs(*MAY)
def pseudonymise(request: HttpRequest, pk: int) -> HttpResponse:
    contact = get_object_or_404(Contact.objects.select_related("customer"), pk=pk)
    actor = actor_of(request)

    def more() -> dict[str, Any]:
        plan = plan_pseudonymising(email=contact.email, actor=actor)
        if isinstance(plan, Refused):
            raise PermissionDenied(plan.message)
        if not isinstance(plan, Plan):
            return {}
        return {"plan": plan, "erased": words_of(plan.counts), "rewritten": words_of(plan.rewritten_counts)}

    def perform(reason: str) -> Pseudonymised | Refused | BadInput:
        return pseudonymise_contact(
            email=contact.email,
            actor=actor,
            source=SOURCE,
            reason=reason,
            expect=request.POST.get("expect", ""),
        )

    def done(result: Pseudonymised) -> tuple[str, str]:
        stays = f" This stays: {' '.join(result.stays)}" if result.stays else ""
        return f"The contact is {result.pseudonym} from now on.{stays}", page_of(contact.customer)

    action = actions.Action(
        title="Pseudonymise a contact",
        explanation="A pseudonym takes the place of name and address, and what this person wrote is erased. There is "
        "no way back, and no mail goes to them any more.",
        button="Pseudonymise",
        facts=[("Contact", contact), ("Customer", contact.customer.name)],
        back=page_of(contact.customer),
        perform=perform,
        done=done,
        dangerous=True,
        reason_help="Goes into the ledger and cannot be changed there: write it without the name and the address.",
        template="desk/pseudonymise.html",
        more=more,
    )
    return actions.run(request, action)


def address_of(contact: Contact) -> str:
    return reverse("admin:customer_pseudonymise", args=[contact.pk])
