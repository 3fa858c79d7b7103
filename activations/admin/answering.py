"""The conversation that a page of the desk answers, and the address that its reply goes to.

The forms carry both (`conversation`, `to`); without a conversation the desk works as it does for pasted texts. An
address that is no contact of the customer takes a tick of its own, which the server asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import F
from django.http import HttpRequest

from activations import mail_queries
from activations.admin.access import actor_of, may
from activations.admin.mail_words import checks_words
from activations.mailtext.senders import machine_address
from activations.models import Contact, Conversation, IncomingMail, OutgoingMail
from activations.services.post.conversations import address_warnings
from activations.services.post.copies import originals, with_first
from activations.services.post.outbox import Envelope
from activations.services.replies import SENDERS
from activations.services.results import BadInput

FINDING = "finding"
MOST = 12  # addresses that are offered
NEWEST = 3  # mails whose writers are offered before the contacts
NOT_CHOSEN = "Choose the address that the reply goes to; nothing was booked or sent."
NOT_TICKED = (
    "{address} is not a known contact, so nothing was booked or sent. Tick the box below the address if the reply "
    "shall go there all the same."
)


@dataclass(frozen=True)
class Choice:
    """An address that the reply may go to. `warning` speaks against it and asks for a tick."""

    address: str
    what: str
    warning: str
    chosen: bool
    ticked: bool


@dataclass(frozen=True)
class ReplyTo:
    """What a form shows and carries."""

    conversation: Conversation
    choices: tuple[Choice, ...]
    checks: tuple[tuple[str, str], ...]
    held_by: str  # the colleague who has claimed it, if another one has


def begin(request: HttpRequest, conversation: Conversation, to: str = "", finding: int | None = None) -> None:
    """From here on the page of this request answers the conversation, perhaps with one finding of its mails."""
    request.portal_answers = (conversation, to)  # type: ignore[attr-defined]
    request.portal_finding = finding  # type: ignore[attr-defined]


def finding_of(request: HttpRequest) -> int | None:
    """The finding that is gone on with here: the page's own, or the one that the address carries (`way_back`)."""
    begun: int | None = getattr(request, "portal_finding", None)
    given = request.GET.get(FINDING, "")
    return begun or (int(given) if given.isascii() and given.isdecimal() and len(given) < 19 else None)


def way_back(request: HttpRequest) -> str:
    """What the address of a form carries, so that who has to sign in at its button comes back to the finding: what was
    posted is gone then, and only the address is left.
    """
    finding = finding_of(request)
    return f"?{urlencode({FINDING: finding})}" if finding else ""


def conversation_of(request: HttpRequest) -> Conversation | None:
    """The conversation that is answered here: the page's own, or the one that the form carries."""
    begun = getattr(request, "portal_answers", None)
    if begun is None:
        given = request.POST.get("conversation", "")
        known = given.isascii() and given.isdecimal() and len(given) < 19 and may(request, *SENDERS)
        row = Conversation.objects.select_related("customer").filter(pk=int(given)).first() if known else None
        begun = (row, request.POST.get("to", ""))
        request.portal_answers = begun  # type: ignore[attr-defined]
    found: Conversation | None = begun[0]
    return found


def reply_to(request: HttpRequest, customer_pk: int | None) -> ReplyTo | None:
    """The addresses for the reply, for a form; None where no conversation is answered."""
    conversation = conversation_of(request)
    if conversation is None:
        return None
    newest = originals(conversation.incoming.order_by("automatic", "-fetched_at", "-id")).first()
    holder = conversation.assigned_to
    return ReplyTo(
        conversation=conversation,
        choices=choices(request, conversation, customer_pk),
        checks=tuple(checks_words(newest.checks)) if newest else (),
        held_by=holder if holder and holder != actor_of(request).name else "",
    )


def choices(
    request: HttpRequest, conversation: Conversation | None, customer_pk: int | None, first: str = ""
) -> tuple[Choice, ...]:
    """Every address that the reply may go to, each once. `first` is offered before all others."""
    wanted = request.POST.get("to", "") or _begun_with(request)
    offered: dict[str, tuple[str, str]] = {}
    for address, what in _addresses(conversation, customer_pk, first):
        if address:
            offered.setdefault(address.lower(), (address, what))
    rows = list(offered.values())[:MOST]
    chosen = wanted if wanted in [address for address, _ in rows] else (rows[0][0] if rows else "")
    ticked = request.POST.getlist("unknown")
    warnings = address_warnings([address for address, _ in rows], customer_pk)
    return tuple(
        Choice(address, what, warnings.get(address, ""), address == chosen, address in ticked) for address, what in rows
    )


def envelope_for(request: HttpRequest, customer_pk: int | None) -> Envelope | BadInput | None:
    """Where the reply goes, as the form says; None without a conversation; what is wrong with the choice."""
    conversation = conversation_of(request)
    if conversation is None:
        if request.POST.get("conversation"):
            return BadInput(
                "conversation-unknown", "There is no such conversation. Open the mail from the inbox again."
            )
        return None
    address = chosen_address(request, choices(request, conversation, customer_pk))
    return address if isinstance(address, BadInput) else Envelope(conversation.pk, address)


def chosen_address(request: HttpRequest, offered: tuple[Choice, ...]) -> str | BadInput:
    """The address in the form, if it is one of those offered, and ticked where it has to be."""
    wanted = request.POST.get("to", "")
    choice = next((each for each in offered if each.address == wanted), None)
    if choice is None:
        return BadInput("address-not-chosen", NOT_CHOSEN)
    if choice.warning and not choice.ticked:
        return BadInput("address-unknown", NOT_TICKED.format(address=choice.address))
    return choice.address


def queued(request: HttpRequest, **about: Any) -> dict[str, Any]:
    """What the page of a result remembers: the conversation, and the mail that the booking queued, if it did."""
    conversation = conversation_of(request)
    if conversation is None:
        return {}
    mail = OutgoingMail.objects.filter(conversation=conversation, **about).order_by("-pk").first()
    return {"conversation": conversation.pk, "mail": mail.pk if mail else None, "to": request.POST.get("to", "")}


def shown(kept: dict[str, Any]) -> dict[str, Any]:
    """The same for the template, as it stands now."""
    if "conversation" not in kept:
        return {}
    mail = OutgoingMail.objects.filter(pk=kept["mail"]).first() if kept.get("mail") else None
    row = Conversation.objects.filter(pk=kept["conversation"]).first()
    return {"queued_mail": mail, "answered": row, "not_booked": mail_queries.not_booked(row) if row else 0}


def _begun_with(request: HttpRequest) -> str:
    return str(getattr(request, "portal_answers", (None, ""))[1])


def _addresses(conversation: Conversation | None, customer_pk: int | None, first: str) -> Iterator[tuple[str, str]]:
    yield first, "where it went before"
    mails: list[IncomingMail] = []
    if conversation is not None:
        rows = with_first(conversation.incoming.defer("text", "own_text"))
        newest = (F("first_pk").asc(nulls_first=True), "automatic", "-fetched_at", "-id")
        mails = [mail for mail in rows.order_by(*newest)[:20] if not machine_address(mail.from_address)]
    # Anybody who knows a Message-ID can make up a copy of a mail: its writer comes last.
    copies = [mail for mail in mails if mail.first_pk is not None]  # type: ignore[attr-defined]
    # The newest writers, then the customer's contacts: strangers who join a thread do not push those off the list.
    mails = mails[: len(mails) - len(copies)]
    for mail in mails[:NEWEST]:
        yield mail.from_address, "wrote this mail"
        yield mail.reply_address, f"Reply-To of the mail from {mail.from_address}; not its sender"
    if customer_pk is not None:
        contacts = Contact.objects.filter(customer_id=customer_pk).order_by("pk")
        for email in contacts.values_list("email", flat=True)[: MOST - 2 * NEWEST]:
            yield email, "contact of the customer"
    for mail in mails[NEWEST:]:
        yield mail.from_address, "wrote an earlier mail"
    for mail in copies:
        yield mail.from_address, "wrote another copy of a mail"
