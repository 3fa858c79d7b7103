"""The story of one activation, from the first request to today, with every text exactly as received and sent."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from activations.admin.access import needs
from activations.admin.base import badge, page_of
from activations.admin.case_page import size_words
from activations.admin.mail_words import STATES
from activations.admin.outgoing import state_badge
from activations.admin.pages import page
from activations.admin.words import tell
from activations.audit_queries.story import Chapter, Text, story_of
from activations.domain.words import Ability
from activations.models import Activation, IncomingMail, OutgoingMail, Reply
from activations.models.privacy import ERASED

PER_PAGE = 100  # chapters, each with its texts


@dataclass(frozen=True)
class Told:
    """A chapter as the page writes it: heading, who, facts in words, where more of it stands (label, address)."""

    chapter: Chapter
    title: str
    by: str
    facts: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    texts: tuple[tuple[Text, str], ...]  # and why there is none to read
    badge: str = ""
    quote: str = ""


@never_cache
@needs(Ability.READ_LEDGER)
@require_safe
def story(request: HttpRequest, activation_id: str) -> HttpResponse:
    found = Activation.objects.select_related("license__customer", "seat").filter(activation_id=activation_id).first()
    if found is None:
        raise Http404(f"There is no activation {activation_id}.")
    whole = story_of(found)
    shown = Paginator(whole.chapters, PER_PAGE).get_page(request.GET.get("page", "1"))
    context = {
        "activation": found,
        "chapters": [_told(chapter) for chapter in shown],
        "shown": shown,
        "cases": [
            (case, badge(case.state), [(file, size_words(file.size)) for file in case.evidence.all()])
            for case in whole.cases
        ],
        "stones": [(stone, list(stone.sightings.all())) for stone in whole.stones],
    }
    return page(request, "audit/story.html", f"Story of {activation_id}", context)


def _told(chapter: Chapter) -> Told:
    if chapter.came is not None:
        return _came(chapter, chapter.came)
    if chapter.went is not None:
        return _went(chapter, chapter.went)
    if chapter.reply is not None:
        return _reply(chapter, chapter.reply)
    return _entry(chapter)


def _entry(chapter: Chapter) -> Told:
    assert chapter.entry is not None  # every other chapter was told  # noqa: S101
    entry, told = chapter.entry, tell(chapter.entry)
    facts = [told.detail] if told.detail else []
    if chapter.no_text:
        facts.append(
            "No mail that was answered with this is known to have brought the code: it was pasted, read out, or given "
            "to a command or the API. The portal keeps no code, only the digest that it was compared with."
        )
    links = [(f"Entry {entry.seq}", page_of(entry))]
    if chapter.request is not None:
        links.append(("Usage Request", page_of(chapter.request)))
    if chapter.case is not None:
        links.append((f"Case {chapter.case.restoration_id}", page_of(chapter.case)))
        links += [
            (f"File {file.name}", reverse("admin:restoration_evidence_file", args=[chapter.case.pk, file.pk]))
            for file in chapter.files
        ]
    by = f"by {entry.actor}, from {entry.source}" if entry.source else f"by {entry.actor}"
    return Told(chapter, told.title, by, tuple(facts), tuple(links), _texts(chapter), quote=entry.reason)


def _reply(chapter: Chapter, reply: Reply) -> Told:
    by = f"by {reply.written_by}"
    return Told(chapter, f"Reply written: {reply.kind}", by, (), (("Reply", page_of(reply)),), _texts(chapter))


def _came(chapter: Chapter, mail: IncomingMail) -> Told:
    facts = [
        f"Subject: {mail.subject or 'none'}",
        f"Original of {size_words(mail.source.size)}, SHA-256 {mail.source.sha256}. Secrets are blacked out below.",
    ]
    links: tuple[tuple[str, str], ...] = ()
    if mail.conversation is not None:
        where = reverse("admin:inbox_conversation", args=[mail.conversation.pk])
        links = ((f"Conversation [CL-{mail.conversation.token}]", f"{where}?mail={mail.pk}#mail-{mail.pk}"),)
    by = f"from {mail.from_address or 'nobody named'}, in {mail.mailbox}"
    return Told(chapter, "Mail received", by, tuple(facts), links, _texts(chapter))


def _went(chapter: Chapter, mail: OutgoingMail) -> Told:
    facts = [f"Subject: {mail.subject}", STATES[mail.state][0]]
    if mail.sent_at is not None:
        facts.append(f"Sent {mail.sent_at:%Y-%m-%d %H:%M:%S} UTC.")
    if mail.problem:
        facts.append(f"The mail server said: {mail.problem}")
    if mail.settled_by:
        facts.append(f"{mail.settled_by} decided what became of it.")
    links = (("Mail", page_of(mail)),)
    title = "Mail sent again" if mail.again_id else "Mail to the customer"
    by = f"to {mail.to_address}, queued by {mail.queued_by}"
    return Told(chapter, title, by, tuple(facts), links, _texts(chapter), badge=state_badge(mail))


def _texts(chapter: Chapter) -> tuple[tuple[Text, str], ...]:
    return tuple((text, _why_none(text)) for text in chapter.texts)


def _why_none(text: Text) -> str:
    """Why a text cannot be read any more, or says nothing; "" for one that can."""
    if text.content.strip() == ERASED:
        return "erased for the sake of a person; the portal's chain has the entry that says so"
    return "" if text.content.strip() else "empty"
