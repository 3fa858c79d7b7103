"""Drafts on the desk's pages: a reply that answers no booking is kept when the person who sends it presses Keep."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.contrib import messages
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from activations.admin import answering, once
from activations.admin.access import actor_of, needs
from activations.admin.base import page_of
from activations.admin.forms import PasteForm
from activations.admin.pages import Problem, desk_page
from activations.domain.letters import ReplyKind
from activations.models import License, Reply
from activations.services.post.answers import keep_sent
from activations.services.post.outbox import Envelope
from activations.services.replies import SENDERS, Draft
from activations.services.results import BadInput, Refused

SALT = "activations.reply-draft"


def seal(request: HttpRequest, draft: Draft) -> str:
    """The draft as a form carries it: kept is what was shown, by the person it was shown to, and once."""
    sealed = {"draft": asdict(draft), "by": actor_of(request).name, "token": once.new_token()}
    return signing.dumps(sealed, salt=SALT, compress=True)


def _opened(request: HttpRequest) -> tuple[Draft, str] | None:
    try:
        sealed: dict[str, Any] = signing.loads(request.POST.get("draft", ""), salt=SALT)
    except signing.BadSignature:
        return None
    if sealed["by"] != actor_of(request).name:
        return None
    return Draft(**{**sealed["draft"], "kind": ReplyKind(sealed["draft"]["kind"])}), sealed["token"]


@never_cache
@needs(*SENDERS)
@require_POST
def keep_reply(request: HttpRequest) -> HttpResponse:
    """Keeps a draft that books nothing, as one that was sent."""
    opened = _opened(request)
    if opened is None:
        sentences = ("The form did not arrive whole, so nothing was kept. Paste the customer's text again.",)
        return desk_page(request, PasteForm(), Problem("Start again", sentences))
    draft, token = opened
    envelope = answering.envelope_for(request, _customer(request, draft))
    if isinstance(envelope, BadInput):
        return _again(request, draft, envelope.message)
    with once.sending(request, token) as sending:
        if sending.before and once.differs(request, sending.before):
            return _again(request, draft, once.not_booked(sending.before))
        if sending.before:
            messages.info(request, "This reply was kept already, by the click before.")
            return redirect(sending.before.page)
        kept = keep_sent(draft=draft, actor=actor_of(request), envelope=envelope)
        if isinstance(kept, Reply):
            sending.done(*_done(kept, envelope))
    if isinstance(kept, Refused | BadInput):
        if envelope is not None:
            return _again(request, draft, kept.message)
        return desk_page(request, PasteForm(), Problem("Not for your role", (kept.message,)))
    words, where = _done(kept, envelope)
    messages.success(request, words)
    return redirect(where)


def _done(kept: Reply, envelope: Envelope | None) -> tuple[str, str]:
    """What was done, in words, and where it is shown."""
    if envelope is None:
        return "The reply is kept as sent.", page_of(kept)
    where = reverse("admin:inbox_conversation", args=[envelope.conversation_id])
    return f"The reply is queued for {envelope.to_address}.", where


def _customer(request: HttpRequest, draft: Draft) -> int | None:
    """Whose reply it is: of the license it names, else of the conversation."""
    if draft.license_id:
        return License.objects.filter(license_id=draft.license_id).values_list("customer_id", flat=True).first()
    row = answering.conversation_of(request)
    return row.customer_id if row else None


def _again(request: HttpRequest, draft: Draft, said: str) -> HttpResponse:
    """The draft once more, with why it did not go out."""
    problem = Problem("Nothing was sent", (said,), draft.body)
    return desk_page(
        request,
        PasteForm(),
        problem,
        keep=seal(request, draft),
        reply_to=answering.reply_to(request, _customer(request, draft)),
    )
