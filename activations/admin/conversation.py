"""One conversation: its mails in order with what was found in each, who answers it, notes, and a reply in own words."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from activations.admin import answering, deactivation, desk, once
from activations.admin.access import actor_of, may, needs
from activations.admin.forms import PasteForm
from activations.admin.inbox import READERS
from activations.admin.mail_words import PRIORITIES, age
from activations.admin.pages import Problem, desk_page, page
from activations.admin.pasted import recognise
from activations.admin.replies import seal
from activations.admin.thread import NEEDS, thread_of
from activations.domain.words import FindingKind, Priority
from activations.models import Conversation, Finding
from activations.services import replies, vault
from activations.services.post import answers, conversations
from activations.services.post.handing import TAKERS
from activations.services.post.opening import text_to_open
from activations.services.replies import SENDERS
from activations.services.results import BadInput, Refused

View = Callable[..., HttpResponseBase]


def posted(back: str) -> Callable[[View], View]:
    """A page that only takes forms; read, after a sign-in, it leads to the page that has the form."""

    def decorate(view: View) -> View:
        @wraps(view)
        def taken(request: HttpRequest, pk: int, **more: Any) -> HttpResponseBase:
            return view(request, pk, **more) if request.method == "POST" else redirect(back, pk)

        return taken

    return decorate


@never_cache
@needs(*READERS)
@require_safe
def conversation(request: HttpRequest, pk: int) -> HttpResponse:
    return conversation_page(
        request, get_object_or_404(Conversation.objects.select_related("customer", "license"), pk=pk)
    )


def conversation_page(request: HttpRequest, row: Conversation, **more: Any) -> HttpResponse:
    """`more` is what a form brings back: what was typed, and what is wrong with it."""
    answering.begin(request, row, request.POST.get("to", ""))
    actor = actor_of(request)
    sends = may(request, *SENDERS)
    thread = thread_of(request, row)
    context = {
        "conversation": row,
        "mails": thread.mails,
        "thread": thread,
        "notes": row.notes.all(),
        "mine": row.assigned_to == actor.name,
        "sends": sends,
        "may_hold_keys": may(request, *TAKERS),
        "priority": PRIORITIES[Priority(row.priority)],
        "priorities": [(each.value, name) for each, name in PRIORITIES.items() if each != row.priority],
        "age": age(row.waits_since, timezone.now()) if row.waits_since else "",
        "reply_to": answering.reply_to(request, row.customer_id) if sends else None,
        "token": once.new_token(),
        "note_token": once.new_token(),
        "on_its_page": True,
        **more,
    }
    return page(request, "inbox/conversation.html", str(row), context)


@never_cache
@needs(*SENDERS)
@posted("admin:inbox_conversation")
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Claim, give back, take over, rank, place: each a button of one form."""
    get_object_or_404(Conversation, pk=pk)
    done = _changed(pk, request.POST.get("do", ""), request)
    if isinstance(done, Refused | BadInput):
        messages.error(request, done.message)
    elif done is not None:
        messages.success(request, done)
    return redirect("admin:inbox_conversation", pk)


def _changed(pk: int, do: str, request: HttpRequest) -> str | Refused | BadInput | None:
    actor = actor_of(request)
    name, _, value = do.partition(":")
    result: object = None
    said = ""
    if name == "claim":
        result = conversations.claim_conversation(conversation_pk=pk, actor=actor, held_by=value)
        said = f"Taken over from {value}: you answer it now." if value else "You have claimed it."
    elif name == "release":
        result = conversations.release_conversation(conversation_pk=pk, actor=actor)
        said = "Given back: anybody may claim it."
    elif name == "place":
        result = conversations.place_conversation(conversation_pk=pk, state=value, actor=actor)
        said = {"open": "It waits for our answer.", "waiting": "It waits for the customer.", "done": "Done."}.get(
            value, ""
        )
    elif name == "rank":
        number = int(value) if value.isascii() and value.isdecimal() and len(value) < 3 else -1
        result = conversations.rank_conversation(conversation_pk=pk, priority=number, actor=actor)
        said = "The priority is changed."
    return result if isinstance(result, Refused | BadInput) else said or None


_OTHER_NOTE = (
    "What you wrote now is not kept, because the form of that page had been used already, for another note. Keep it "
    "again if it is still wanted."
)
_OTHER_REPLY = (
    "What you wrote now was not sent, because the form of that page had been used already, for another reply. Read the "
    "conversation, and send it again if it is still wanted."
)


@never_cache
@needs(*SENDERS)
@posted("admin:inbox_conversation")
def note(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(Conversation.objects.select_related("customer", "license"), pk=pk)
    here = reverse("admin:inbox_conversation", args=[pk])
    with once.sending(request) as sending:
        if sending.before and once.differs(request, sending.before):
            return conversation_page(request, row, note_error=_OTHER_NOTE, note_typed=request.POST.get("note", ""))
        if sending.before:
            messages.info(request, "This note was kept already, by the click before.")
            return redirect(here)
        kept = conversations.add_note(conversation_pk=pk, text=request.POST.get("note", ""), actor=actor_of(request))
        if isinstance(kept, Refused | BadInput):
            return conversation_page(request, row, note_error=kept.message, note_typed=request.POST.get("note", ""))
        sending.done("The note.", here)
    messages.success(request, "The note is kept.")
    return redirect(here)


@never_cache
@needs(*SENDERS)
@posted("admin:inbox_conversation")
def write(request: HttpRequest, pk: int) -> HttpResponse:
    """A reply in a person's own words: into the outbox, once."""
    row = get_object_or_404(Conversation.objects.select_related("customer", "license"), pk=pk)
    answering.begin(request, row, request.POST.get("to", ""))
    with once.sending(request) as sending:
        if sending.before and once.differs(request, sending.before):
            return conversation_page(request, row, error=_OTHER_REPLY, typed=request.POST.get("body", ""))
        if sending.before:
            messages.info(request, "This reply was queued already, by the click before. It goes out once.")
            return redirect(sending.before.page or "admin:inbox")
        envelope = answering.envelope_for(request, row.customer_id)
        if envelope is None or isinstance(envelope, BadInput):
            said = envelope.message if envelope else answering.NOT_CHOSEN
            return conversation_page(request, row, error=said, typed=request.POST.get("body", ""))
        token = request.POST.get("token", "")[:64] or once.new_token()
        body = request.POST.get("body", "")
        # A token belongs to one person: somebody else's is another reply.
        sent = answers.write_reply(
            token=f"{request.user.pk}:{token}", body=body, actor=actor_of(request), envelope=envelope
        )
        if isinstance(sent, Refused | BadInput):
            return conversation_page(request, row, error=sent.message, typed=body)
        here = reverse("admin:inbox_conversation", args=[pk])
        sending.done("The reply.", here)
    messages.success(request, f"The reply is queued for {sent.to_address}.")
    return redirect(here)


@never_cache
@needs(*SENDERS)
@posted("admin:inbox_finding")
def open_finding(request: HttpRequest, pk: int) -> HttpResponse:
    """Claims the conversation, if nobody has it, and leads to what the finding leads to."""
    finding = get_object_or_404(Finding.objects.select_related("mail__conversation"), pk=pk)
    row = finding.mail.conversation
    if row is not None and not row.assigned_to:
        claimed = conversations.claim_conversation(conversation_pk=row.pk, actor=actor_of(request))
        if isinstance(claimed, Refused):
            messages.error(request, claimed.message)
            return redirect("admin:inbox_conversation", row.pk)
    return redirect("admin:inbox_finding", pk)


@never_cache
@needs(*SENDERS)
@require_safe
def finding(request: HttpRequest, pk: int) -> HttpResponse:
    """The dry run of what was found, as things stand now, in answer to its mail."""
    row = get_object_or_404(Finding.objects.select_related("mail__conversation__license", "mail__source"), pk=pk)
    wanted = NEEDS.get(FindingKind(row.kind), SENDERS)
    if not may(request, *wanted):
        raise PermissionDenied("Your role does not book this. Ask a support agent.")
    if row.mail.conversation is not None:
        answering.begin(request, row.mail.conversation, row.mail.from_address, finding=row.pk)
    if row.kind == FindingKind.DAMAGED:
        lines = [line for line in row.lines if isinstance(line, int)]
        draft = replies.damaged(lines)
        sentences = (row.sentence, "Nothing was booked. Ask the customer for what is missing.")
        problem = Problem("Damaged Usage Request", sentences, draft.body)
        return desk_page(request, PasteForm(), problem, keep=seal(request, draft))
    try:
        text = text_to_open(row)
    except vault.VaultError:
        sentence = "The original was erased, or does not open with the keys of this portal. Ask an administrator."
        return desk_page(request, PasteForm(), Problem("The mail cannot be opened", (sentence,)))
    if not text:
        sentence = "There is nothing to go on with. Read the mail and paste what matters of it."
        return desk_page(request, PasteForm(), Problem("Nothing to open", (sentence,)))
    found = recognise(text)
    if row.kind == FindingKind.CODE:
        return deactivation.for_codes(request, text, found)
    return desk.for_request(request, text, found)
