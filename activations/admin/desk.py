"""The support desk: one box for what a customer sent, and the dry run of what it leads to. Nothing is booked here."""

from __future__ import annotations

from typing import Any

from chariot_license.protocol.block import FoundBlock
from chariot_license.protocol.errors import ProtocolError
from chariot_license.protocol.request import read_request
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from activations import queries
from activations.admin import deactivation, replies, showing
from activations.admin.access import DESK, actor_of, needs
from activations.admin.forms import PasteForm, chosen_from, option_words
from activations.admin.pages import Problem, desk_page, page
from activations.admin.pasted import Pasted, recognise, text_of_upload
from activations.domain.decisions import Option
from activations.domain.words import Ability, Actor, RequestState
from activations.services.intake import keep_refused
from activations.services.issue import Submission, submit_usage_request
from activations.services.results import BadInput, Refused

ORIGIN = "desk"


@never_cache
@needs(*DESK)
@require_http_methods(["GET", "HEAD", "POST"])
def desk(request: HttpRequest) -> HttpResponse:
    """The box; and, given a text, what that text leads to."""
    if request.method != "POST":
        return desk_page(request, PasteForm())
    form = PasteForm(request.POST, request.FILES)
    if not form.is_valid():
        return desk_page(request, form)
    text = form.cleaned_data["text"]
    if form.cleaned_data["upload"]:
        text = text_of_upload(form.cleaned_data["upload"].read())
    found = recognise(text)
    if found.has_request and "code" not in request.POST:
        return _for_request(request, text, found)
    if found.has_code:
        return deactivation.for_codes(request, text, found)
    return _nothing_found(request, text, found)


@never_cache
@needs(Ability.ISSUE)
@require_safe
def stored_request(request: HttpRequest, request_id: str) -> HttpResponse:
    """The dry run of a Usage Request that is stored: one that waits for a person, or one to be answered again."""
    stored = queries.request_named(request_id)
    if stored is None:
        raise Http404(f"There is no Usage Request {request_id} here.")
    return _for_request(request, stored.text, recognise(stored.text))


def _for_request(request: HttpRequest, text: str, found: Pasted) -> HttpResponse:
    if len(found.requests) > 1:
        return _several(request, text, found.requests)
    actor = actor_of(request)
    result = submit_usage_request(source=text, actor=actor, origin=ORIGIN, dry_run=True)
    if isinstance(result, Submission):
        return dry_run_page(request, text, result)
    if request.method == "POST" and isinstance(result, Refused) and result.code != "not-allowed":
        # There is nothing to confirm, so it is kept here: what was sent and refused stays in the intake log.
        keep_refused(source=text, problem=result, actor=actor)
    return problem_page(request, text, result)


def dry_run_page(
    request: HttpRequest, text: str, submission: Submission, taken: tuple[str, ...] = (), **more: Any
) -> HttpResponse:
    """The dry run with the form that books exactly it.

    `taken` is what earlier questions were answered with; then `expect`, among `more`, is the digest of the first dry
    run, whose facts and decision are the ones that booking compares.
    """
    actor = actor_of(request)
    found = recognise(text)
    license = queries.license_named(submission.license_id)
    if license is None or len(found.requests) != 1:
        return _nothing_found(request, text, found)
    block, decision = found.requests[0], submission.decision
    options = tuple(_option(block.text, actor, taken, option) for option in decision.options)
    run = showing.dry_run(submission, read_request(block.data), license, options)
    stored = queries.request_named(submission.request_id)
    context = {
        "run": run,
        "text": text,
        "taken": " ".join(taken),
        "expect": submission.digest,
        "draft": "" if decision.action else replies.refused(decision.customer, submission.license_id),
        "repaired": replies.listed(submission.repaired),
        "also_code": found.has_code,
        "waits": stored if stored and stored.state == RequestState.PENDING else None,
        **more,
    }
    return page(request, "desk/dry_run.html", f"Dry run: {run.title}", context)


def _option(block: str, actor: Actor, taken: tuple[str, ...], option: Option) -> showing.OptionView:
    """The option with what choosing it would lead to, found by another dry run."""
    chosen = chosen_from([*taken, option_words(option)])
    result = submit_usage_request(source=block, actor=actor, origin=ORIGIN, dry_run=True, chosen=chosen)
    return showing.option_view(option, result if isinstance(result, Submission) else None, actor)


def problem_page(request: HttpRequest, text: str, result: Refused | BadInput) -> HttpResponse:
    """A text that never reached the decision table: what is wrong with it, and the reply that asks for better."""
    form = PasteForm(initial={"text": text})
    if result.code == "block-damaged":
        lines = result.detail.get("lines")
        numbers = [line for line in lines if isinstance(line, int)] if isinstance(lines, list) else []
        sentences = (result.message, "Nothing was booked. Ask the customer for what is missing.")
        return desk_page(request, form, Problem("Damaged Usage Request", sentences, replies.damaged(numbers)))
    if result.code == "not-allowed":
        return desk_page(request, form, Problem("Not for your role", (result.message,)))
    kept = ("Nothing was booked; the text is kept in the intake log.",) if isinstance(result, Refused) else ()
    sentences = (result.message, *kept)
    return desk_page(request, form, Problem("Refused", sentences, replies.not_accepted(result.code)))


def _several(request: HttpRequest, text: str, blocks: tuple[FoundBlock, ...]) -> HttpResponse:
    several = []
    for block in blocks:
        try:
            claims = read_request(block.data)
            name = f"{claims.hostname or 'unnamed host'}, request number {claims.counter}, Chariot {claims.version}"
        except ProtocolError as error:
            name = error.message
        several.append((name, block.text))
    problem = Problem(
        f"{len(blocks)} Usage Requests in one text",
        ("Nothing was booked. Look at them one at a time: of each Chariot, only the newest request counts.",),
    )
    return desk_page(request, PasteForm(initial={"text": text}), problem, several=several)


def _nothing_found(request: HttpRequest, text: str, found: Pasted) -> HttpResponse:
    """Says what was looked for and, where something nearly fits, what is wrong with it."""
    form = PasteForm(initial={"text": text})
    codes = found.codes
    if found.unreadable:
        return desk_page(request, form, Problem("Unreadable text", (found.unreadable,)))
    if found.problems:
        return desk_page(request, form, Problem("A typing mistake", found.problems))
    if not text.strip():
        return desk_page(
            request, form, Problem("The box is empty", ("Paste what the customer sent, then press Look.",))
        )
    if found.usage_licenses:
        sentence = (
            "This is a Usage License, the answer that goes to the customer. Paste the Usage Request that Chariot made; "
            "to send an answer again, paste the request it answers."
        )
        return desk_page(request, form, Problem("A Usage License, not a request", (sentence,)))
    if codes.license_keys:
        sentence = (
            "A License Key alone says nothing about a Chariot. Ask the customer for the Usage Request that Chariot "
            "makes with it, and do not send the key on: it is secret."
        )
        return desk_page(request, PasteForm(), Problem("A License Key", (sentence,)))
    if codes.license_ids:
        licenses = list(queries.licenses_named(codes.license_ids))
        sentence = "There is a License ID here, but neither a Usage Request nor a deactivation code."
        if not licenses:
            sentence += " No license has this License ID: it is typed correctly, but not one of ours."
        return desk_page(request, form, Problem("Only a License ID", (sentence,)), licenses=licenses)
    sentences = (
        'A Usage Request begins with the line "CHARIOT USAGE REQUEST" and has numbered lines; copy the whole of it.',
        "A deactivation code has seven groups of four characters; it needs the License ID (LIC-...) beside it.",
    )
    return desk_page(request, form, Problem("Nothing found in this text", sentences))
