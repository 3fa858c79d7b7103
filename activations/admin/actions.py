"""Pages that ask for a reason and then call one service: mark lost, approve, suspend and the like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from activations.admin import once
from activations.admin.forms import ReasonForm
from activations.admin.pages import page
from activations.services.results import BadInput, Refused


@dataclass(frozen=True)
class Action:
    """One action on one row. `perform` calls the service with the reason and returns what it answered.

    `template` may extend the plain page; `more` is what it shows besides, read again when nothing was booked.
    """

    title: str
    explanation: str
    button: str
    facts: Sequence[tuple[str, object]]
    back: str
    perform: Callable[[str], Any]
    done: Callable[[Any], tuple[str, str]]  # from the service's answer to (message, where to go)
    dangerous: bool = False
    reason_label: str = "Reason"
    reason_help: str = "Goes into the ledger and cannot be changed there."
    first_reason: str = ""  # what the reason most likely is, to be changed or kept
    template: str = "desk/action.html"
    more: Callable[[], dict[str, Any]] = dict


def run(request: HttpRequest, action: Action, answer: Callable[[Any], HttpResponse] | None = None) -> HttpResponse:
    """Asks for the reason, or performs the action and goes to where its result is shown.

    `answer` makes the page that answers instead, for what is shown once only.
    """
    form = ReasonForm(request.POST or None, initial={"reason": action.first_reason})
    form.fields["reason"].label = action.reason_label
    form.fields["reason"].help_text = action.reason_help
    error, used = "", False
    if request.method == "POST" and form.is_valid():
        with once.sending(request) as sending:
            before = sending.before
            if before and not once.differs(request, before):
                return once.booked_before(request, before, action.back)
            if before:
                error, used = once.not_booked(before), True
            else:
                result = action.perform(form.cleaned_data["reason"].strip())
                if not isinstance(result, Refused | BadInput):
                    message, target = action.done(result)
                    sending.done(message, target)
                    if answer:
                        return answer(result)
                    messages.success(request, message)
                    return redirect(target)
                error = form.blame(result)
    context = {"action": action, "form": form, "error": error, "used": used, "token": once.new_token()}
    context |= action.more()
    return page(request, action.template, action.title, context)
