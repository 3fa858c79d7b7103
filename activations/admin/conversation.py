"""One conversation: its mails in order with what was found in each, who answers it, notes, and a reply in own words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
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
from activations.admin.mail_words import PRIORITIES, STATES, age, checks_words, request_title
from activations.admin.pages import Problem, desk_page, page
from activations.admin.pasted import recognise
from activations.admin.replies import seal
from activations.domain.words import Ability, FindingKind, IncomingState, Outcome, Priority
from activations.models import Conversation, Finding, IncomingMail, OutgoingMail
from activations.services import replies, vault
from activations.services.post import answers, conversations
from activations.services.post.conversations import address_warning
from activations.services.post.opening import text_to_open
from activations.services.replies import SENDERS
from activations.services.results import BadInput, Refused

MOST_MAILS = 100  # of one conversation on its page, the newest
MAY_HOLD_KEYS = (Ability.SHOW_LICENSE_KEY, Ability.DECIDE_AS_LEAD)
_NEEDS = {FindingKind.REQUEST: (Ability.ISSUE,), FindingKind.CODE: (Ability.DEACTIVATE,), FindingKind.DAMAGED: SENDERS}
_TONES = {Outcome.ISSUED: "good", Outcome.RESENT: "good", Outcome.PENDING: "wait"}
View = Callable[..., HttpResponseBase]


@dataclass(frozen=True)
class Found:
    """A finding beside its mail. `opens`: this person may go on with it."""

    pk: int
    title: str
    tone: str
    sentence: str
    about: str
    opens: bool


@dataclass(frozen=True)
class Shown:
    """A mail in or out. `text` stands on the page if `open`, `rest` is folded away; `due`: nobody answered it yet."""

    came: bool
    at: datetime
    mail: Any
    text: str
    rest: str
    open: bool
    due: bool
    found: list[Found]
    checks: list[tuple[str, str]]
    warning: str
    words: str = ""
    tone: str = ""


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
    shown = _mails(request, row)
    context = {
        "conversation": row,
        "mails": shown[-MOST_MAILS:],
        "left_out": max(0, len(shown) - MOST_MAILS),
        "notes": row.notes.all(),
        "mine": row.assigned_to == actor.name,
        "sends": sends,
        "may_hold_keys": may(request, *MAY_HOLD_KEYS),
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


def _mails(request: HttpRequest, row: Conversation) -> list[Shown]:
    incoming = row.incoming.prefetch_related("findings__license__customer").order_by("-fetched_at", "-id")
    outgoing = row.outgoing.order_by("-queued_at", "-id")
    answered = max((mail.queued_at for mail in outgoing if mail.again_id is None), default=None)
    newest = incoming.first()
    shown = [_came(request, row, mail, answered, newest) for mail in incoming[: MOST_MAILS + 1]]
    shown += [_went(mail) for mail in outgoing[: MOST_MAILS + 1]]
    return sorted(shown, key=lambda each: each.at)


def _came(
    request: HttpRequest,
    row: Conversation,
    mail: IncomingMail,
    answered: datetime | None,
    newest: IncomingMail | None,
) -> Shown:
    text = mail.own_text.strip() or mail.text.strip()
    due = answered is None or mail.fetched_at > answered
    warning = (
        "" if mail.automatic or not mail.from_address else address_warning(row, mail.from_address, row.customer_id)
    )
    return Shown(
        came=True,
        at=mail.fetched_at,
        mail=mail,
        text=text,
        rest=mail.text.strip() if mail.text.strip() != text else "",
        open=due or mail == newest,
        due=due,
        found=[_found(request, each) for each in mail.findings.all()],
        checks=checks_words(mail.checks),
        warning=warning,
        words="unreadable" if mail.state == IncomingState.UNREADABLE else "",
    )


def _found(request: HttpRequest, row: Finding) -> Found:
    opens = may(request, *_NEEDS[FindingKind(row.kind)]) if row.kind in _NEEDS else False
    about = row.license.license_id + ", " + row.license.customer.name if row.license else ""
    if row.kind == FindingKind.REQUEST:
        title = request_title(row.code)
        about = ", ".join(part for part in (row.hostname, about) if part)
        return Found(
            row.pk, f"Usage Request: {title}", _TONES.get(Outcome(row.outcome), "bad"), row.sentence, about, opens
        )
    if row.kind == FindingKind.CODE:
        sentence = "It is kept in the original only, and read out of it when you open it."
        return Found(row.pk, "A deactivation code", "wait", sentence, about, opens)
    if row.kind == FindingKind.DAMAGED:
        return Found(row.pk, "A damaged Usage Request", "bad", row.sentence, about, opens)
    return Found(row.pk, "A License ID", "quiet", "It proves nothing: anybody may name it.", about, False)


def _went(mail: OutgoingMail) -> Shown:
    body = mail.body
    if mail.attachment:
        body = body.replace(mail.attachment.strip(), f"[the Usage License, attached as {mail.attachment_name} too]")
    words, tone = STATES[mail.state]
    return Shown(False, mail.queued_at, mail, body.strip(), "", False, False, [], [], "", words, tone)


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
    wanted = _NEEDS.get(FindingKind(row.kind), SENDERS)
    if not may(request, *wanted):
        raise PermissionDenied("Your role does not book this. Ask a support agent.")
    if row.mail.conversation is not None:
        answering.begin(request, row.mail.conversation, row.mail.from_address)
    if row.kind == FindingKind.DAMAGED:
        lines = [line for line in row.lines if isinstance(line, int)]
        draft = replies.damaged(lines)
        sentences = (row.sentence, "Nothing was booked. Ask the customer for what is missing.")
        problem = Problem("Damaged Usage Request", sentences, draft.body)
        return desk_page(request, PasteForm(), problem, keep=seal(request, draft))
    try:
        text = text_to_open(row)
    except vault.VaultError:
        sentence = "The original cannot be opened with the keys of this portal. Ask an administrator."
        return desk_page(request, PasteForm(), Problem("The mail cannot be opened", (sentence,)))
    if not text:
        sentence = "There is nothing to go on with. Read the mail and paste what matters of it."
        return desk_page(request, PasteForm(), Problem("Nothing to open", (sentence,)))
    found = recognise(text)
    if row.kind == FindingKind.CODE:
        return deactivation.for_codes(request, text, found)
    return desk.for_request(request, text, found)
