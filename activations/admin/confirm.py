"""Booking what a dry run showed, and the result: the Usage License with the reply to the customer."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from activations import queries
from activations.admin import once
from activations.admin.access import actor_of, needs
from activations.admin.desk import ORIGIN, dry_run_page, problem_page
from activations.admin.forms import ConfirmForm, PasteForm, chosen_from
from activations.admin.pages import Problem, desk_page, keep_result, kept_result, page
from activations.admin.words import tell
from activations.domain.decisions import Chosen
from activations.domain.letters import kind_for
from activations.domain.words import Ability, Outcome
from activations.models import UsageLicense
from activations.services.issue import Submission, submit_usage_request
from activations.services.replies import text_in_use
from activations.services.results import BadInput, Refused

STALE = (
    "Something changed since you looked, so nothing was booked. This is the new dry run; please read it before you "
    "confirm."
)
NEW_TEXT = (
    "The text of this reply was changed since you looked, so nothing was booked. Please read the new reply before you "
    "confirm."
)


@never_cache
@needs(Ability.ISSUE)
@require_POST
def confirm(request: HttpRequest) -> HttpResponse:
    """Books exactly what was shown, or shows what is different now."""
    form = ConfirmForm(request.POST)
    if not form.is_valid():
        return _start_again(request)
    text, words = form.cleaned_data["text"], form.words()
    taken = tuple(form.cleaned_data["taken"].split())
    try:
        chosen = chosen_from(words)
    except ValueError:
        return _start_again(request)
    looked = _look(request, text, chosen)
    if not isinstance(looked, Submission):
        return problem_page(request, text, looked)
    if looked.decision.outcome is Outcome.PENDING and "park" not in request.POST:
        if len(words) > len(taken):
            return _next_question(request, form, looked)
        return _again(
            request, text, taken, form, "Choose one of the options, or put the request on the desk for a lead."
        )
    if words == taken and _text_changed(request.POST.get("reply_text", ""), looked):
        return _again(request, text, taken, form, NEW_TEXT)
    if _clicked_twice(request, looked):
        return _booked_before(request, looked.request_id)
    return _book(request, form, text, chosen)


def _clicked_twice(request: HttpRequest, looked: Submission) -> bool:
    """Sending a stored answer again changes no fact, so only the form tells a second click from a second email."""
    token = request.POST.get("token", "")
    if looked.decision.outcome is not Outcome.RESENT or not token or once.first_use(request, token):
        return False
    return kept_result(request, looked.request_id) is not None


def _booked_before(request: HttpRequest, request_id: str) -> HttpResponse:
    messages.info(request, "This was booked already, by the click before. Nothing was booked twice.")
    return redirect("admin:desk_result", request_id=request_id)


def _text_changed(shown: str, looked: Submission) -> bool:
    """Whether the reply that was shown was written from another version of the text than is in use now."""
    kind = kind_for(looked.decision)
    return shown.startswith(f"{kind} ") and shown != f"{kind} {text_in_use(kind).version}"


def _book(request: HttpRequest, form: ConfirmForm, text: str, chosen: Chosen) -> HttpResponse:
    if "park" in request.POST:
        chosen = Chosen()
    result = submit_usage_request(
        source=text,
        actor=actor_of(request),
        origin=ORIGIN,
        chosen=chosen,
        expect=form.cleaned_data["expect"],
        reason=form.cleaned_data["reason"].strip(),
        reply=True,
    )
    taken = tuple(form.cleaned_data["taken"].split())
    if isinstance(result, Submission):
        if result.stale:
            return _stale(request, text, result)
        _keep(request, result)
        return redirect("admin:desk_result", request_id=result.request_id)
    return _again(request, text, taken, form, result.message)


def _look(request: HttpRequest, text: str, chosen: Chosen) -> Submission | Refused | BadInput:
    return submit_usage_request(source=text, actor=actor_of(request), origin=ORIGIN, dry_run=True, chosen=chosen)


def _next_question(request: HttpRequest, form: ConfirmForm, looked: Submission) -> HttpResponse:
    """What was chosen led to another question: it is asked before anything is booked."""
    given = form.cleaned_data
    notice = "One more question before anything is booked."
    return dry_run_page(
        request,
        given["text"],
        looked,
        form.words(),
        notice=notice,
        expect=given["expect"],
        typed={"reason": given["reason"]},
    )


def _again(request: HttpRequest, text: str, taken: tuple[str, ...], form: ConfirmForm, error: str) -> HttpResponse:
    """The same dry run with what is wrong in the form; what was typed is kept."""
    looked = _look(request, text, chosen_from(taken))
    if not isinstance(looked, Submission):
        return problem_page(request, text, looked)
    typed = {"choice": form.cleaned_data["choice"], "reason": form.cleaned_data["reason"]}
    more = {"expect": form.cleaned_data["expect"]} if taken else {}
    return dry_run_page(request, text, looked, taken, error=error, typed=typed, **more)


def _stale(request: HttpRequest, text: str, result: Submission) -> HttpResponse:
    """Two clicks on one button are no change: the second one leads to what the first one booked."""
    kept = kept_result(request, result.request_id)
    answer = UsageLicense.objects.filter(request__request_id=result.request_id).first()
    if result.decision.outcome is Outcome.RESENT and kept and answer and answer.text == kept["block"]:
        return _booked_before(request, result.request_id)
    looked = _look(request, text, Chosen())
    if not isinstance(looked, Submission):
        return problem_page(request, text, looked)
    return dry_run_page(request, text, looked, error=STALE)


def _start_again(request: HttpRequest) -> HttpResponse:
    sentences = ("The form did not arrive whole, so nothing was booked. Paste the text again.",)
    return desk_page(
        request, PasteForm(initial={"text": request.POST.get("text", "")}), Problem("Start again", sentences)
    )


def _keep(request: HttpRequest, result: Submission) -> None:
    decision = result.decision
    kept: dict[str, Any] = {
        "outcome": decision.outcome.value,
        "staff": decision.staff,
        "before": decision.seats_before,
        "after": decision.seats_after,
        "warnings": list(decision.warnings),
        "block": result.usage_license or "",
        "usage_license_id": result.usage_license_id or "",
        "reply": result.reply or "",
    }
    keep_result(request, result.request_id, kept)


@never_cache
@needs(Ability.ISSUE)
@require_safe
def result(request: HttpRequest, request_id: str) -> HttpResponse:
    """What was booked, for the person who booked it. Anyone else sends it again, and that is booked too."""
    kept = kept_result(request, request_id)
    stored = queries.request_named(request_id)
    if kept is None or stored is None:
        return redirect("admin:desk_request", request_id=request_id)
    answer = queries.answer_to(stored)
    headings = {
        Outcome.ISSUED: "Usage License issued",
        Outcome.RESENT: "Usage License sent again",
        Outcome.REFUSED: "Refused",
        Outcome.PENDING: "On the desk for a lead",
    }
    context = {
        "result": kept,
        "stored": stored,
        "license": queries.license_named(stored.license.license_id),
        "activation": answer.activation if answer and kept["block"] else None,
        "booked": [tell(entry) for entry in queries.booked_for(stored.license.license_id, request_id)],
    }
    return page(request, "desk/result.html", headings[Outcome(kept["outcome"])], context)


@never_cache
@needs(Ability.ISSUE)
@require_safe
def download(request: HttpRequest, request_id: str) -> HttpResponse:
    """The block just booked, as a text file."""
    kept = kept_result(request, request_id)
    if kept is None or not kept["block"]:
        return redirect("admin:desk_request", request_id=request_id)
    return _file(kept["block"], kept["usage_license_id"])


@never_cache
@needs(Ability.ISSUE)
@require_safe
def download_reply(request: HttpRequest, request_id: str) -> HttpResponse:
    """The reply just booked, as a text file."""
    kept = kept_result(request, request_id)
    if kept is None:
        return redirect("admin:desk_request", request_id=request_id)
    return _file(kept["reply"], f"reply-{request_id[:8]}")


def _file(text: str, name: str) -> HttpResponse:
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.txt"'
    return response
