"""Pages that ask for a reason and then call one service: mark lost, approve, suspend and the like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from activations.admin.forms import ReasonForm
from activations.admin.pages import page
from activations.services.results import BadInput, Refused


@dataclass(frozen=True)
class Action:
    """One action on one row. `perform` calls the service with the reason and returns what it answered."""

    title: str
    explanation: str
    button: str
    facts: Sequence[tuple[str, object]]
    back: str
    perform: Callable[[str], Any]
    done: Callable[[Any], tuple[str, str]]  # from the service's answer to (message, where to go)
    dangerous: bool = False
    reason_label: str = "Reason"


def run(request: HttpRequest, action: Action) -> HttpResponse:
    """Asks for the reason, or performs the action and goes to where its result is shown."""
    form = ReasonForm(request.POST or None)
    form.fields["reason"].label = action.reason_label
    error = ""
    if request.method == "POST" and form.is_valid():
        result = action.perform(form.cleaned_data["reason"].strip())
        if not isinstance(result, Refused | BadInput):
            message, target = action.done(result)
            messages.success(request, message)
            return redirect(target)
        error = result.message
    return page(request, "desk/action.html", action.title, {"action": action, "form": form, "error": error})
