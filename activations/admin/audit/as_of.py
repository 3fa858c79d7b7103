"""The page that shows a license, a customer or everything as it was on any day, from the ledger alone."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from activations.admin.access import actor_of, needs
from activations.admin.audit.moments import day_in, end_of, moment
from activations.admin.pages import page
from activations.admin.showing import MOST_BOXES
from activations.admin.words import feature_words, title_of
from activations.domain.words import Ability, ActivationState
from activations.models import Customer
from activations.services.as_of import LicenseThen, license_as_of, licenses_as_of
from activations.services.results import BadInput, Refused


@needs(Ability.READ_LEDGER)
@require_safe
def as_of(request: HttpRequest) -> HttpResponse:
    today = timezone.now().date()
    day = day_in(request, "day") or today
    license_id, customer = request.GET.get("license", "").strip(), request.GET.get("customer", "").strip()
    context: dict[str, Any] = {
        "day": day.isoformat(),
        "today": today.isoformat(),
        "license_id": license_id,
        "customer": customer,
        "customers": Customer.objects.order_by("name").values_list("name", flat=True)[:500],
    }
    if "day" in request.GET and day_in(request, "day") is None:
        context["error"] = "Write the day as year, month and day: 2026-11-24."
    elif license_id:
        context |= _license(license_id, request, end_of(day))
    else:
        context |= _licenses(customer, request, end_of(day))
    return page(request, "audit/as_of.html", "As of a day", context)


def _license(license_id: str, request: HttpRequest, at: Any) -> dict[str, Any]:
    then = license_as_of(license_id=license_id, at=at, actor=actor_of(request))
    if isinstance(then, Refused | BadInput):
        return {"error": then.message}
    rows = sorted(then.state.activations.items(), key=lambda row: row[1]["created_at"])
    return {
        "then": then,
        "line": then.line,
        "features": feature_words(then.line.features),
        "activations": [{"activation_id": name, **row} for name, row in rows],
        "boxes": _boxes(then) if then.line.allowed <= MOST_BOXES else [],
        "entries": [(entry, moment(entry.at), title_of(entry.kind)) for entry in reversed(then.entries)],
    }


def _boxes(then: LicenseThen) -> list[dict[str, Any]]:
    """Each seat of the license as the seat map of its page draws it."""
    held = {row["seat"]: row for row in then.state.activations.values() if ActivationState(row["state"]).occupies_seat}
    boxes = []
    for number in then.state.seats:
        row = held.get(number)
        state = str(ActivationState(row["state"])) if row else "free"
        who = f", {row['hostname'] or 'unnamed host'}" if row else ""
        boxes.append({"number": number, "state": state, "words": f"Seat {number}: {state}{who}"})
    return boxes


def _licenses(customer: str, request: HttpRequest, at: Any) -> dict[str, Any]:
    number = request.GET.get("page", "1")
    then = licenses_as_of(
        at=at, customer=customer, page=int(number) if number.isdecimal() else 1, actor=actor_of(request)
    )
    if isinstance(then, Refused | BadInput):
        return {"error": then.message}
    lines = [(line, feature_words(line.features)) for line in then.lines]
    return {"all": then, "lines": lines}
