"""Drafts on the desk's pages: a reply that answers no booking is kept when the person who sends it presses Keep."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.contrib import messages
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from activations.admin import once
from activations.admin.access import actor_of, needs
from activations.admin.base import page_of
from activations.admin.forms import PasteForm
from activations.admin.pages import Problem, desk_page
from activations.domain.letters import ReplyKind
from activations.models import Reply
from activations.services.replies import SENDERS, Draft, keep_sent
from activations.services.results import Refused

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
    if not once.first_use(request, token):
        messages.info(request, "This reply was kept already, by the click before.")
        same = Reply.objects.filter(written_by=actor_of(request).name, kind=draft.kind, body=draft.body).first()
        return redirect(page_of(same) if same else "admin:activations_reply_changelist")
    kept = keep_sent(draft=draft, actor=actor_of(request))
    if isinstance(kept, Refused):
        return desk_page(request, PasteForm(), Problem("Not for your role", (kept.message,)))
    messages.success(request, "The reply is kept as sent.")
    return redirect(page_of(kept))
