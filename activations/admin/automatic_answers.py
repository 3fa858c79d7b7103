"""Which outcomes may be answered without a person, for all and for single customers. Off until a manager says yes."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from activations.admin.access import actor_of, may, needs
from activations.admin.mail_words import AUTOMATIC
from activations.admin.pages import page
from activations.domain.words import Ability, AutomaticOutcome
from activations.models import AutomaticAnswer, Customer
from activations.services.post.automatic import allow
from activations.services.results import BadInput, Refused

SOURCE = "admin"
ALLOWED: dict[str, bool | None] = {"yes": True, "no": False, "as-all": None}


@dataclass(frozen=True)
class Row:
    """An outcome for all, or what is said of one customer."""

    outcome: str
    title: str
    customer: Customer | None
    allowed: bool
    set: AutomaticAnswer | None


@never_cache
@needs(Ability.EDIT_REPLIES, Ability.READ_LEDGER)
@require_http_methods(["GET", "HEAD", "POST"])
def automatic(request: HttpRequest) -> HttpResponse:
    error = ""
    if request.method == "POST":
        result = _set(request)
        if not isinstance(result, Refused | BadInput):
            messages.success(request, "The setting is booked.")
            return redirect("admin:automatic_answers")
        error = result.message
    context = {
        "rows": _rows(),
        "outcomes": [(each.value, AUTOMATIC[each]) for each in AutomaticOutcome],
        "may_change": may(request, Ability.EDIT_REPLIES),
        "customers": Customer.objects.order_by("name").values_list("name", flat=True)[:500],
        "typed": request.POST.get("customer_name", ""),
        "error": error,
    }
    return page(request, "inbox/automatic.html", "Automatic answers", context)


def _set(request: HttpRequest) -> AutomaticAnswer | Refused | BadInput | None:
    name, said = request.POST.get("customer_name", "").strip(), request.POST.get("allowed", "")
    if said not in ALLOWED:
        return BadInput("choice-missing", "Choose whether it is allowed.")
    customer = Customer.objects.filter(name=name).first() if name else None
    if (name or "customer_due" in request.POST) and customer is None:
        return BadInput("customer-unknown", "There is no customer of this name. Choose one of the list.")
    if ALLOWED[said] is None and customer is None:
        return BadInput("customer-missing", "For all it is either allowed or not.")
    return allow(
        outcome=request.POST.get("outcome", ""),
        customer_pk=customer.pk if customer else None,
        allowed=ALLOWED[said],
        actor=actor_of(request),
        source=SOURCE,
    )


def _rows() -> list[Row]:
    rows: list[Row] = []
    kept = list(AutomaticAnswer.objects.select_related("customer").order_by("customer__name"))
    for outcome in AutomaticOutcome:
        mine = [each for each in kept if each.outcome == outcome]
        general = next((each for each in mine if each.customer is None), None)
        rows.append(Row(outcome.value, AUTOMATIC[outcome], None, bool(general and general.allowed), general))
        rows += [
            Row(outcome.value, AUTOMATIC[outcome], each.customer, each.allowed, each) for each in mine if each.customer
        ]
    return rows
