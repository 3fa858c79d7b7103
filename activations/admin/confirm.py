"""Booking what a dry run showed, and the result: the Usage License with the reply to the customer."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from activations import queries
from activations.admin import answering, once
from activations.admin.access import actor_of, needs
from activations.admin.desk import ORIGIN, dry_run_page, problem_page
from activations.admin.forms import ConfirmForm, PasteForm, chosen_from, is_about_reason
from activations.admin.pages import Problem, desk_page, keep_result, kept_result, page
from activations.admin.words import tell
from activations.domain.decisions import Chosen
from activations.domain.words import Ability, Outcome
from activations.models import SentForm
from activations.services.intake import without_secrets
from activations.services.issue import Submission, submit_usage_request
from activations.services.post.outbox import Envelope
from activations.services.results import BadInput, Refused

STALE = (
    "Something changed since you looked, so nothing was booked. This is the new dry run; please read it before you "
    "confirm."
)
NEW_TEXT = (
    "The text of this reply was changed since you looked, so nothing was booked. Please read the new reply before you "
    "confirm."
)

_HEADINGS = {
    Outcome.ISSUED: "Usage License issued",
    Outcome.RESENT: "Usage License sent again",
    Outcome.REFUSED: "Refused",
    Outcome.PENDING: "On the desk for a lead",
}


@never_cache
@needs(Ability.ISSUE)
@require_POST
def confirm(request: HttpRequest) -> HttpResponse:
    """Books exactly what was shown, or shows what is different now."""
    before = once.sent_before(request)
    if before and not once.differs(request, before):
        return once.booked_before(request, before)
    form = ConfirmForm(request.POST)
    form.is_valid()
    if form.errors and not form.reason_error():
        return _start_again(request)
    try:
        words, taken = form.words(), tuple(form.cleaned_data["taken"].split())
        chosen = chosen_from(words)
    except ValueError:
        return _start_again(request)
    if before:
        return _sent_before(request, form, before)
    if form.errors:
        return _again(request, form, taken, reason_error=form.reason_error())
    looked = _look(request, form.cleaned_data["text"], chosen)
    if not isinstance(looked, Submission):
        return problem_page(request, form.cleaned_data["text"], looked)
    if looked.decision.outcome is Outcome.PENDING and "park" not in request.POST:
        if len(words) > len(taken):
            return _next_question(request, form, looked)
        return _again(
            request, form, taken, error="Choose one of the options, or put the request on the desk for a lead."
        )
    envelope = answering.envelope_for(request, _customer(looked))
    if isinstance(envelope, BadInput):
        return _again(request, form, taken, error=envelope.message)
    return _book(request, form, taken, Chosen() if "park" in request.POST else chosen, envelope)


def _customer(looked: Submission) -> int | None:
    license = queries.license_named(looked.license_id)
    return license.customer_id if license else None


def _book(
    request: HttpRequest, form: ConfirmForm, taken: tuple[str, ...], chosen: Chosen, envelope: Envelope | None
) -> HttpResponse:
    with once.sending(request) as sending:
        if sending.before:
            return _sent_before(request, form, sending.before)
        result = submit_usage_request(
            source=form.cleaned_data["text"],
            actor=actor_of(request),
            origin=ORIGIN,
            chosen=chosen,
            expect=form.cleaned_data["expect"],
            reason=form.cleaned_data["reason"].strip(),
            reply=True,
            shown_texts=form.shown_texts(),
            envelope=envelope,
        )
        if isinstance(result, Submission) and result.booked:
            _keep(request, result)
            page_of_result = reverse("admin:desk_result", args=[result.request_id])
            sending.done(f"{_HEADINGS[result.decision.outcome]}.", page_of_result)
            return redirect(page_of_result)
    if not isinstance(result, Submission):
        beside = is_about_reason(result)
        return _again(request, form, taken, **{"reason_error" if beside else "error": result.message})
    if result.new_text:
        return _again(request, form, taken, error=NEW_TEXT)
    return _again(request, form, (), error=STALE)


def _sent_before(request: HttpRequest, form: ConfirmForm, before: SentForm) -> HttpResponse:
    """A second click, or after Back another decision from the same page: that is offered anew, as things stand now."""
    if not once.differs(request, before):
        return once.booked_before(request, before)
    return _again(request, form, (), error=once.not_booked(before))


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


def _again(request: HttpRequest, form: ConfirmForm, taken: tuple[str, ...], **wrong: str) -> HttpResponse:
    """The dry run as it is now, with what is wrong in the form; what was typed is kept.

    `taken`: the questions that are answered; none where the answers may be out of date.
    """
    text = form.cleaned_data["text"]
    looked = _look(request, text, chosen_from(taken))
    if not isinstance(looked, Submission):
        return problem_page(request, text, looked)
    typed = {"choice": form.cleaned_data["choice"], "reason": form.reason_typed()}
    more = {"expect": form.cleaned_data["expect"]} if taken else {}
    return dry_run_page(request, text, looked, taken, typed=typed, **wrong, **more)


def _start_again(request: HttpRequest) -> HttpResponse:
    sentences = ("The form did not arrive whole, so nothing was booked. Paste the text again.",)
    return desk_page(
        request,
        PasteForm(initial={"text": without_secrets(request.POST.get("text", ""))}),
        Problem("Start again", sentences),
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
        **answering.queued(request, reply__request__request_id=result.request_id),
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
    context = {
        "result": kept,
        **answering.shown(kept),
        "stored": stored,
        "license": queries.license_named(stored.license.license_id),
        "activation": answer.activation if answer and kept["block"] else None,
        "booked": [tell(entry) for entry in queries.booked_for(stored.license.license_id, request_id)],
    }
    return page(request, "desk/result.html", _HEADINGS[Outcome(kept["outcome"])], context)


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
