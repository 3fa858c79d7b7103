"""Deactivation codes on the desk: which activation a code ends, then the booking, then the reply."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice, product

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from activations import queries
from activations.admin import answering, showing
from activations.admin.access import actor_of, needs
from activations.admin.forms import DeactivateForm, PasteForm
from activations.admin.pages import Problem, desk_page, keep_result, kept_result, page
from activations.admin.pasted import Pasted
from activations.admin.replies import seal
from activations.domain.words import Ability, Actor
from activations.models import Activation, Conversation, License
from activations.services import replies
from activations.services.deactivate import Deactivated, deactivate_activation
from activations.services.results import BadInput, Refused

SOURCE = "desk"
STALE = "Something changed since you looked, so nothing was booked. This is what the code does now."
NEW_TEXT = (
    "The text of this reply was changed since you looked, so nothing was booked. Please read the new reply before you "
    "confirm."
)
ABOUT_MAIL = ("conversation-claimed", "conversation-unknown", "address-invalid")
MOST_PAIRS = 20  # License IDs times codes that one text is searched for

_EFFECTS = {
    "freed": ("Frees a seat", "good", "The code is right. This activation becomes deactivated, and its seat is free."),
    "settled": (
        "Settles a written-off host",
        "good",
        "The code is right. The host of this activation was written off earlier; the code proves that it was "
        "deactivated, and its case is closed. No seat becomes free.",
    ),
    "repeated": (
        "Booked before",
        "wait",
        "This code was booked before. Booking it again changes nothing; you can tell the customer that it is done.",
    ),
}


@dataclass(frozen=True)
class Preview:
    """What a code would do, found by doing it and taking it back."""

    license: License
    activation: Activation
    code: str
    result: Deactivated
    seats: showing.SeatRow
    draft: replies.Draft

    @property
    def title(self) -> str:
        return _EFFECTS[self.result.effect][0]

    @property
    def tone(self) -> str:
        return _EFFECTS[self.result.effect][1]

    @property
    def sentence(self) -> str:
        return _EFFECTS[self.result.effect][2]

    @property
    def expect(self) -> str:
        return _expected(self.result, self.draft)


def for_codes(request: HttpRequest, text: str, found: Pasted) -> HttpResponse:
    """The preview of the code in a text, or why there is none."""
    form = PasteForm(initial={"text": text})
    codes = found.codes
    if not codes.license_ids:
        sentences = (
            "There is a deactivation code, but no License ID. Add the License ID (LIC-...) to the text; the customer "
            "finds it on Chariot's License page and in the purchase email.",
            *found.problems,
        )
        return desk_page(request, form, Problem("License ID missing", sentences))
    actor = actor_of(request)
    previews, refusals = [], []
    for license_id, code in islice(product(codes.license_ids, codes.deactivation_codes), MOST_PAIRS):
        tried = preview(license_id, code, actor)
        if isinstance(tried, Preview):
            previews.append(tried)
        else:
            refusals.append(tried.message)
    if not previews:
        sentences = tuple(dict.fromkeys([*refusals, "Nothing was booked."]))
        return desk_page(request, form, Problem("This code frees nothing", sentences))
    return _preview_page(request, previews)


def preview(license_id: str, code: str, actor: Actor) -> Preview | Refused | BadInput:
    """Does what confirming would do, reads the result, and rolls everything back: the two cannot differ."""
    license = queries.license_named(license_id)
    with transaction.atomic():
        result = deactivate_activation(license_id=license_id, code=code, actor=actor, source=SOURCE)
        transaction.set_rollback(True)
    if not isinstance(result, Deactivated) or license is None:
        return result if not isinstance(result, Deactivated) else BadInput("license-unknown", "No such license.")
    activation = Activation.objects.get(activation_id=result.activation_id)
    occupied: int = license.occupied  # type: ignore[attr-defined]
    seats = showing.freed_row(license, result.activation_id, occupied, freed=result.effect == "freed")
    return Preview(license, activation, code, result, seats, _draft(result))


def _draft(result: Deactivated) -> replies.Draft:
    activation = Activation.objects.select_related("license").get(activation_id=result.activation_id)
    return replies.to_code(activation, freed=result.effect == "freed")


def _expected(result: Deactivated, draft: replies.Draft) -> str:
    """What the form carries of the dry run: which activation, what happens to it, and the text of the reply."""
    return f"{result.activation_id}:{result.effect}:{draft.version}"


def _preview_page(request: HttpRequest, previews: list[Preview], **more: str) -> HttpResponse:
    reply_to = answering.reply_to(request, previews[0].license.customer_id)
    context = {"previews": previews, "reply_to": reply_to, **more}
    return page(request, "desk/deactivation.html", "Dry run: deactivation", context)


@never_cache
@needs(Ability.DEACTIVATE)
@require_POST
def deactivate(request: HttpRequest) -> HttpResponse:
    """Books the code, if it still does what was shown."""
    form = DeactivateForm(request.POST)
    form.is_valid()
    if form.errors and not form.reason_error():
        problem = Problem("Start again", ("The form did not arrive whole, so nothing was booked.",))
        return desk_page(request, PasteForm(), problem)
    if form.errors:
        return _again(request, form, reason_error=form.reason_error())
    given = form.cleaned_data
    license = queries.license_named(given["license_id"])
    # What was booked before sends nothing by itself: its reply is a draft on the next page.
    sends = ":repeated:" not in given["expect"]
    envelope = answering.envelope_for(request, license.customer_id if license else None) if sends else None
    if isinstance(envelope, BadInput):
        return _again(request, form, error=envelope.message)
    with transaction.atomic():
        result = deactivate_activation(
            license_id=given["license_id"],
            code=given["code"],
            actor=actor_of(request),
            source=SOURCE,
            reason=given["reason"].strip(),
            reply=True,
            envelope=envelope,
        )
        different = _different(result, given["expect"]) if isinstance(result, Deactivated) else ""
        if different or not isinstance(result, Deactivated):
            transaction.set_rollback(True)
    if not isinstance(result, Deactivated) and result.code in ABOUT_MAIL:
        return _again(request, form, error=result.message)
    if not isinstance(result, Deactivated):
        sentences = (result.message, "Nothing was booked.")
        return desk_page(request, PasteForm(), Problem("This code frees nothing", sentences))
    if different:
        return _again(request, form, error=different)
    _keep(request, result)
    return redirect("admin:desk_deactivated", activation_id=result.activation_id)


def _different(result: Deactivated, expect: str) -> str:
    """What is not as it was shown; empty when all is."""
    # Given twice, a code is booked once and answers "repeated": a second click is no surprise, and keeps no reply.
    if result.effect == "repeated":
        return ""
    draft = _draft(result)
    expected = _expected(result, draft)
    if expect == expected and draft.body == result.reply:
        return ""
    return NEW_TEXT if expect.rpartition(":")[0] == expected.rpartition(":")[0] else STALE


def _keep(request: HttpRequest, result: Deactivated) -> None:
    """For the page after the redirect. A code given again kept no reply: its draft is kept when it is sent."""
    kept: dict[str, object]
    if result.reply is not None:
        mail = answering.queued(request, reply__activation__activation_id=result.activation_id)
        kept = {"message": result.message, "reply": result.reply, **mail}
    elif kept_result(request, result.activation_id):
        messages.info(request, result.message)
        return
    else:
        draft = _draft(result)
        kept = {"message": result.message, "reply": draft.body, "keep": seal(request, draft)}
        kept |= answering.queued(request, pk=None)
    keep_result(request, result.activation_id, kept)


def _again(request: HttpRequest, form: DeactivateForm, **wrong: str) -> HttpResponse:
    """What the code does now, with what is wrong; the reason stays as it was typed."""
    given = form.cleaned_data
    now = preview(given["license_id"], given["code"], actor_of(request))
    if not isinstance(now, Preview):
        return desk_page(request, PasteForm(), Problem("Something changed since you looked", (now.message,)))
    return _preview_page(request, [now], typed=form.reason_typed(), **wrong)


@never_cache
@needs(Ability.DEACTIVATE)
@require_safe
def deactivated(request: HttpRequest, activation_id: str) -> HttpResponse:
    """What was booked, for the person who booked it; everyone else finds it on the activation's page."""
    kept = kept_result(request, activation_id)
    activation = Activation.objects.select_related("license").filter(activation_id=activation_id).first()
    if activation is None:
        return redirect("admin:desk")
    if kept is None:
        return redirect("admin:activations_activation_change", activation.pk)
    license = queries.license_named(activation.license.license_id)
    mail = answering.shown(kept)
    answers = mail.get("answered")
    if kept.get("keep") and isinstance(answers, Conversation):
        answering.begin(request, answers, str(kept["to"]))
        mail["reply_to"] = answering.reply_to(request, activation.license.customer_id)
    context = {"result": kept, "activation": activation, "license": license, **mail}
    return page(request, "desk/deactivated.html", "Deactivation booked", context)
