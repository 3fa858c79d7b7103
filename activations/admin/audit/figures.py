"""Seats over time, issues and restorations by month, and by customer: to look at before one reads."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from activations.admin.access import needs
from activations.admin.audit.charts import HEIGHT, LEFT, RIGHT, WIDTH, chart
from activations.admin.pages import page
from activations.audit_queries.bodies import ever_of
from activations.audit_queries.figures import busiest_customers, months
from activations.domain.words import Ability
from activations.models import Customer

SPANS = (12, 24, 60)  # months


@needs(Ability.READ_LEDGER)
@require_safe
def figures(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    asked, name = request.GET.get("months", ""), request.GET.get("customer", "").strip()
    span = int(asked) if asked.isdecimal() and int(asked) in SPANS else SPANS[0]
    context: dict[str, Any] = {
        "span": span,
        "spans": SPANS,
        "customer": name,
        "customers": Customer.objects.order_by("name").values_list("name", flat=True)[:500],
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": WIDTH - RIGHT,
    }
    if name and not ever_of(name, exactly=True).exists():
        context["error"] = (
            f"No license is, or ever was, that of a customer called {name}. Write the whole name, or choose one of the "
            "list."
        )
        return page(request, "audit/figures.html", "Figures", context)
    rows = months(span, now, name)
    labels = [f"{row.first:%Y-%m}" for row in rows]
    context["rows"] = list(zip(labels, rows, strict=True))
    context["seats"] = chart(
        labels,
        [("active", [row.active for row in rows]), ("lost", [row.lost for row in rows])],
        [("allowed", [row.allowed for row in rows])],
    )
    context["issued"] = chart(labels, [("active", [row.issued for row in rows])])
    context["restored"] = chart(
        labels, [("approved", [row.restored for row in rows]), ("denied", [row.denied for row in rows])]
    )
    if not name:
        context["busiest"] = busiest_customers(now)
    return page(request, "audit/figures.html", "Figures", context)
