"""The page of a mail of ours: how it stands, and what a person decides about one that did not go."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache

from activations.admin import answering
from activations.admin.access import actor_of, may, needs
from activations.admin.base import link, page_of
from activations.admin.mail_words import STATES
from activations.admin.pages import page
from activations.domain.words import UNDECIDED, OutgoingState
from activations.models import OutgoingMail
from activations.services.post import outbox
from activations.services.post.conversations import not_yours
from activations.services.post.outbox import Settled
from activations.services.replies import SENDERS
from activations.services.results import BadInput, Refused


def state_badge(row: OutgoingMail) -> SafeString:
    return format_html('<span class="badge badge-{}">{}</span>', STATES[row.state][1], row.state)


def _customer(row: OutgoingMail) -> int | None:
    if row.license is not None:
        return row.license.customer_id
    return row.conversation.customer_id if row.conversation is not None else None


def outgoing_page(request: HttpRequest, row: OutgoingMail, error: str = "") -> HttpResponse:
    body = row.body
    if row.attachment:
        place = f"[the Usage License, attached as {row.attachment_name} too; open its Usage Request to see it]"
        body = body.replace(row.attachment.strip(), place)
    settles = may(request, *SENDERS)
    undecided = row.state in UNDECIDED
    again = row.state not in (OutgoingState.QUEUED, OutgoingState.SENDING)
    words, tone = STATES[row.state]
    context = {
        "row": row,
        "body": body,
        "state_words": words,
        "verdict": {"active": "good", "refused": "bad"}.get(tone, "wait"),
        "error": error,
        "may_say_sent": settles and row.state == OutgoingState.UNKNOWN,
        "may_drop": settles and (undecided or row.state == OutgoingState.QUEUED),
        "may_send_again": settles and again,
        "shown": outbox.standing(row),
        "choices": answering.choices(request, row.conversation, _customer(row), first=row.to_address),
        "sent_again": row.sent_again.order_by("id"),
        "license_link": link(row.license),
    }
    return page(request, "inbox/outgoing.html", f"Mail to {row.to_address}", context)


@never_cache
@needs(*SENDERS)
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """It was sent; do not send; send again: what a person found out about a mail."""
    mails = OutgoingMail.objects.select_related("license__customer", "conversation")
    row = get_object_or_404(mails, pk=pk)
    if request.method != "POST":
        return redirect(page_of(row))
    result = _decided(request, row)
    if isinstance(result, str):
        return redirect(page_of(row))
    if isinstance(result, Refused | BadInput):
        return outgoing_page(request, OutgoingMail.objects.get(pk=pk), error=result.message)
    if result.mail.pk == row.pk:
        messages.success(request, f"Noted. {STATES[result.mail.state][0]}")
    else:
        messages.success(request, f"It is queued once more, for {result.mail.to_address}.")
    return redirect(page_of(result.mail))


def _decided(request: HttpRequest, row: OutgoingMail) -> Settled | Refused | BadInput | str:
    do, actor = request.POST.get("do", ""), actor_of(request)
    claimed = not_yours(row.conversation_id, actor) if row.conversation_id else None
    if do in ("sent", "drop"):
        return outbox.settle(mail_pk=row.pk, sent=do == "sent", actor=actor)
    if do != "again":
        return "nothing was asked for"
    if claimed:
        return claimed
    address = answering.chosen_address(
        request, answering.choices(request, row.conversation, _customer(row), first=row.to_address)
    )
    if isinstance(address, BadInput):
        return address
    return outbox.send_again(mail_pk=row.pk, to_address=address, shown=request.POST.get("shown", ""), actor=actor)
