"""The inbox: every conversation by whose turn it is, and the way for a mail that reached somebody else to get here."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from activations import mail_queries
from activations.admin.access import actor_of, may, needs
from activations.admin.mail_words import PRIORITIES, age, found_words
from activations.admin.pages import page
from activations.admin.pasted import recognise, secret_in
from activations.admin.searching import TAKEN_OUT
from activations.domain.words import Ability, Priority
from activations.models import Conversation
from activations.services.post.keeping import LARGEST, Kept, bring_mail
from activations.services.post.pasting import paste_mail
from activations.services.post.reading import read_kept
from activations.services.replies import SENDERS
from activations.services.results import BadInput, Refused

READERS = (*SENDERS, Ability.READ_LEDGER)
PER_PAGE = 50
LONGEST_SEARCH = 200
TABS = {
    mail_queries.UNASSIGNED: ("Unassigned", "Every mail has somebody who answers it."),
    mail_queries.MINE: ("Mine", "You have claimed nothing that waits for an answer."),
    mail_queries.OTHERS: ("Colleagues", "No colleague has claimed anything that waits for an answer."),
    mail_queries.WAITING: ("Waiting for customer", "No customer owes us an answer."),
    mail_queries.DONE: ("Done", "Nothing is done yet."),
}


@dataclass(frozen=True)
class Tab:
    name: str
    title: str
    number: int
    current: bool


@dataclass(frozen=True)
class Row:
    """A conversation in the list. `age` is that of the oldest mail that nobody answered."""

    conversation: Conversation
    sender: str
    found: list[str]
    age: str
    priority: str
    url: str


@never_cache
@needs(*READERS)
@require_http_methods(["GET", "HEAD", "POST"])
def inbox(request: HttpRequest) -> HttpResponse:
    """The list. A search posts, so that no License Key stands in an address."""
    if request.method == "POST":
        return _search(request)
    person = actor_of(request).name
    words = request.GET.get("q", "").replace("\x00", "")[:LONGEST_SEARCH].strip()
    if words and secret_in(words, recognise(words)):
        messages.warning(request, TAKEN_OUT)
        return redirect("admin:inbox")
    current = request.GET.get("tab", mail_queries.UNASSIGNED)
    current = current if current in TABS else mail_queries.UNASSIGNED
    found = mail_queries.conversations()
    if words:
        found = found.filter(mail_queries.searched(words)).order_by("-latest_at", "-id")
    else:
        found = found.filter(mail_queries.tab(current, person))
    if current == mail_queries.DONE and not words:
        found = found.order_by("-latest_at", "-id")
    pages = Paginator(found, PER_PAGE).get_page(request.GET.get("p"))
    numbers = mail_queries.counts(person)
    context = {
        "tabs": [Tab(name, TABS[name][0], numbers[name], name == current and not words) for name in TABS],
        "rows": _rows(list(pages)),
        "pages": pages,
        "empty": TABS[current][1],
        "words": words,
        "query": urlencode({"q": words} if words else {"tab": current}),
        "unread": mail_queries.not_read_yet(),
        "may_bring": may(request, *SENDERS),
        "heading": "Inbox",
    }
    return page(request, "inbox/inbox.html", "Search in the inbox" if words else f"Inbox: {TABS[current][0]}", context)


def _search(request: HttpRequest) -> HttpResponse:
    words = request.POST.get("q", "").replace("\x00", "")[:LONGEST_SEARCH].strip()
    if words and secret_in(words, recognise(words)):
        messages.warning(request, TAKEN_OUT)
        words = ""
    return redirect(f"{reverse('admin:inbox')}?{urlencode({'q': words})}" if words else "admin:inbox")


def _rows(conversations: list[Conversation]) -> list[Row]:
    found = mail_queries.findings_of(conversation.pk for conversation in conversations)
    now = timezone.now()
    return [
        Row(
            conversation=each,
            sender=sender_of(each),
            found=found_words(found.get(each.pk, [])),
            age=age(each.waits_since, now),
            priority=PRIORITIES[Priority(each.priority)] if each.priority else "",
            url=reverse("admin:inbox_conversation", args=[each.pk]),
        )
        for each in conversations
    ]


def sender_of(conversation: Conversation) -> str:
    """Who wrote last, by name and address, of a conversation of `mail_queries.conversations`."""
    name, address = getattr(conversation, "sender_name", ""), getattr(conversation, "sender", "")
    return f"{name} <{address}>" if name and address else name or address or "nobody named"


@never_cache
@needs(*SENDERS)
@require_http_methods(["GET", "HEAD", "POST"])
def bring(request: HttpRequest) -> HttpResponse:
    """A mail file that somebody brings: kept and read like one that was fetched."""
    upload = request.FILES.get("mail")
    if request.method != "POST" or upload is None:
        if request.method == "POST":
            messages.error(request, "No file was chosen. Save the mail as .eml in your mail program and choose that.")
        return redirect("admin:inbox")
    if (upload.size or 0) > LARGEST:
        messages.error(request, f"This mail has more than {LARGEST // 1_000_000} MB. Bring what matters of it.")
        return redirect("admin:inbox")
    kept = bring_mail(source=upload.read(), actor=actor_of(request))
    if isinstance(kept, Refused | BadInput):
        messages.error(request, kept.message)
        return redirect("admin:inbox")
    return _brought(request, kept)


@never_cache
@needs(*SENDERS)
@require_http_methods(["GET", "HEAD", "POST"])
def paste(request: HttpRequest) -> HttpResponse:
    """A mail that somebody pastes: what was typed stays in the form until it is taken."""
    typed = {name: request.POST.get(name, "") for name in ("mail_text", "sender", "subject")}
    error = ""
    if request.method == "POST":
        kept = paste_mail(
            text=typed["mail_text"], sender=typed["sender"], subject=typed["subject"], actor=actor_of(request)
        )
        if not isinstance(kept, Refused | BadInput):
            return _brought(request, kept)
        error = kept.message
    return page(request, "inbox/paste.html", "Paste a mail", {**typed, "error": error})


def _brought(request: HttpRequest, kept: Kept) -> HttpResponse:
    mail = read_kept(kept.mail.pk) or kept.mail
    mail.refresh_from_db()
    if mail.conversation_id is None:
        messages.info(request, "The mail is kept and is being read. It will be in the inbox in a moment.")
        return redirect("admin:inbox")
    messages.success(request, "The mail is in the inbox." if kept.new else "This mail was on the desk already.")
    return redirect("admin:inbox_conversation", pk=mail.conversation_id)
