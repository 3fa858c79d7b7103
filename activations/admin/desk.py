"""The support desk: one box for what a customer sent, and the dry run of what it leads to. Nothing is booked here."""

from __future__ import annotations

from typing import Any

from chariot_license.protocol.request import read_request
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from activations import queries, searching
from activations.admin import answering, deactivation, once, several, showing
from activations.admin.access import DESK, actor_of, needs
from activations.admin.base import page_of
from activations.admin.forms import PasteForm, chosen_from, option_words
from activations.admin.pages import Problem, desk_page, page
from activations.admin.pasted import Pasted, recognise, without_keys
from activations.admin.replies import seal
from activations.domain.decisions import Option
from activations.domain.letters import listed
from activations.domain.words import Ability, Choice, Outcome, RequestState
from activations.services import replies
from activations.services.intake import keep_refused, without_secrets
from activations.services.issue import Submission, submit_usage_request
from activations.services.mail_text import text_of_paste, text_of_upload
from activations.services.results import BadInput, Refused, Unanswerable

ORIGIN = "desk"
BESIDE = (
    "There is a damaged Usage Request in this text as well, mostly because a mail program quoted this one. If it is "
    "another Chariot's, paste it alone: the desk then drafts the reply that asks for its lines."
)


@never_cache
@needs(*DESK)
@require_http_methods(["GET", "HEAD", "POST"])
def desk(request: HttpRequest) -> HttpResponse:
    """The box; and, given a text, what that text leads to."""
    if request.method != "POST":
        return desk_page(request, PasteForm())
    form = PasteForm(request.POST, request.FILES)
    if not form.is_valid():
        # Nothing of it was read, so what comes back on the page is what is no secret.
        form.data = {**request.POST.dict(), "text": without_secrets(form.data.get("text", ""))}
        return desk_page(request, form)
    text = form.cleaned_data["text"]
    if form.cleaned_data["upload"]:
        text = text_of_upload(form.cleaned_data["upload"].read())
    return look(request, text_of_paste(text))


def look(request: HttpRequest, text: str) -> HttpResponse:
    """What a text leads to. A License Key in it is needed for nothing, so no page carries it on."""
    found = recognise(text)
    text = without_keys(text, found)
    if {"one", "code"} & request.POST.keys():
        several.note_done(request)
    else:
        several.forget(request)
    if several.is_several(found):
        return several.several_page(request, text, found)
    if found.has_request and found.has_code and found.codes.license_ids and "code" not in request.POST:
        several.remember_pair(request, found)
    if found.has_request and "code" not in request.POST:
        return for_request(request, text, found)
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
    return for_request(request, stored.text, recognise(stored.text))


def for_request(request: HttpRequest, text: str, found: Pasted) -> HttpResponse:
    """The dry run of the one request in a text, or why there is none."""
    actor = actor_of(request)
    result = submit_usage_request(source=text, actor=actor, origin=ORIGIN, dry_run=True)
    if isinstance(result, Submission):
        return dry_run_page(request, text, result, notice=BESIDE if len(found.blocks) > 1 else "")
    if request.method == "POST" and isinstance(result, Unanswerable):
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
    found = recognise(text)
    license = queries.license_named(submission.license_id)
    if license is None or len(found.requests) != 1:
        return _nothing_found(request, text, found)
    block, decision = found.requests[0], submission.decision
    claims = read_request(block.data)
    options = [_option(request, block.text, taken, option) for option in decision.options]
    run = showing.dry_run(submission, claims, license, tuple(view for view, _ in options))
    stored = queries.request_named(submission.request_id)
    waits = stored if stored and stored.state == RequestState.PENDING else None
    draft = _draft(_parked(request, block.text, submission, taken), claims.hostname)
    led_to = [_draft(led, claims.hostname) if led else None for _, led in options]
    refusal = _refusal(request, block.text, taken, claims.hostname) if decision.outcome is Outcome.ISSUED else None
    context = {
        "run": run,
        "options": [(view, led.body if led else "") for (view, _), led in zip(options, led_to, strict=True)],
        "refusal": refusal.body if refusal else "",
        "text": text,
        "taken": " ".join(taken),
        "expect": submission.digest,
        "sentence": _beyond(run.title, decision.staff),
        "draft": draft.body,
        "incomplete": decision.action is not None,
        "token": once.new_token(),
        "texts": " ".join(sorted({f"{one.kind}:{one.version}" for one in (draft, refusal, *led_to) if one})),
        # It was kept when it was put on the desk; sent once more, it is kept once more.
        "keep": seal(request, draft) if waits else "",
        "repaired": listed(submission.repaired),
        "also_code": found.has_code,
        "waits": waits,
        "reply_to": answering.reply_to(request, license.customer_id),
        # "Refuse instead" is a form of its own below; where the choices are a list, refusing is one of them.
        "refusing": refusal is not None and more.get("typed", {}).get("choice") == Choice.REFUSE,
        **more,
    }
    return page(request, "desk/dry_run.html", f"Dry run: {run.title}", context)


def _beyond(title: str, sentence: str) -> str:
    """What the sentence says besides the title that stands above it."""
    rest = sentence.removeprefix(title).lstrip(".;: ") if sentence.startswith((f"{title}.", f"{title};")) else sentence
    return rest[:1].upper() + rest[1:]


def _draft(submission: Submission, host: str) -> replies.Draft:
    return replies.dry_run_of_request(
        submission.decision, license_id=submission.license_id, request_id=submission.request_id, host=host
    )


def _option(
    request: HttpRequest, block: str, taken: tuple[str, ...], option: Option
) -> tuple[showing.OptionView, Submission | None]:
    """The option with what choosing it would lead to, found by another dry run."""
    led = _led_to(request, block, [*taken, option_words(option)])
    return showing.option_view(option, led, actor_of(request)), led


def _refusal(request: HttpRequest, block: str, taken: tuple[str, ...], host: str) -> replies.Draft | None:
    """What the customer would read if the request that could be answered were refused."""
    led = _led_to(request, block, [*taken, Choice.REFUSE])
    return _draft(led, host) if led else None


def _parked(request: HttpRequest, block: str, submission: Submission, taken: tuple[str, ...]) -> Submission:
    """What the reply on the page answers. What is put on the desk waits as it came, without the answers so far."""
    if not taken or submission.decision.outcome is not Outcome.PENDING:
        return submission
    return _led_to(request, block, []) or submission


def _led_to(request: HttpRequest, block: str, words: list[str]) -> Submission | None:
    result = submit_usage_request(
        source=block, actor=actor_of(request), origin=ORIGIN, dry_run=True, chosen=chosen_from(words)
    )
    return result if isinstance(result, Submission) else None


def problem_page(request: HttpRequest, text: str, result: Refused | BadInput) -> HttpResponse:
    """A text that never reached the decision table: what is wrong with it, and the reply that asks for better."""
    form = PasteForm(initial={"text": text})
    if result.code == "block-damaged":
        lines = result.detail.get("lines")
        numbers = [line for line in lines if isinstance(line, int)] if isinstance(lines, list) else []
        sentences = (result.message, "Nothing was booked. Ask the customer for what is missing.")
        return _with_draft(request, form, "Damaged Usage Request", sentences, replies.damaged(numbers))
    if result.code == "not-allowed":
        return desk_page(request, form, Problem("Not for your role", (result.message,)))
    where = "the text is kept in the intake log" if request.method == "POST" else "the mail is kept as it came"
    kept = (f"Nothing was booked; {where}.",) if isinstance(result, Unanswerable) else ()
    draft = replies.not_accepted(result.code, str(result.detail.get("license_id", "")))
    return _with_draft(request, form, "Refused", (result.message, *kept), draft)


def _with_draft(
    request: HttpRequest, form: PasteForm, title: str, sentences: tuple[str, ...], draft: replies.Draft
) -> HttpResponse:
    return desk_page(request, form, Problem(title, sentences, draft.body), keep=seal(request, draft))


def _nothing_found(request: HttpRequest, text: str, found: Pasted) -> HttpResponse:
    """Says what was looked for and, where something nearly fits, what is wrong with it."""
    form = PasteForm(initial={"text": text})
    codes = found.codes
    row = searching.page_of_id(text)
    if row is not None:
        return redirect(page_of(row))
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
            "makes with it, and do not send the key on: it is secret. To open its license, put the key into the search "
            "field above."
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
