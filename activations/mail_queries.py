"""Reads of the inbox: which conversations wait for whom, and what was found in them. Nothing here writes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery

from activations.domain.words import UNDECIDED, ConversationState, FindingKind, IncomingState
from activations.models import Conversation, Finding, IncomingMail, OutgoingMail
from activations.services.post.left import left_in, standings

UNASSIGNED, MINE, OTHERS, WAITING, DONE = "unassigned", "mine", "others", "waiting", "done"


def tab(name: str, person: str) -> Q:
    """The conversations of a tab of the inbox, as `person` sees it."""
    ours = Q(state=ConversationState.OPEN)
    return {
        UNASSIGNED: ours & Q(assigned_to=""),
        MINE: ours & Q(assigned_to=person),
        OTHERS: ours & ~Q(assigned_to="") & ~Q(assigned_to=person),
        WAITING: Q(state=ConversationState.WAITING),
        DONE: Q(state=ConversationState.DONE),
    }[name]


def counts(person: str) -> dict[str, int]:
    """How many conversations each tab holds."""
    names = (UNASSIGNED, MINE, OTHERS, WAITING, DONE)
    return Conversation.objects.aggregate(**{name: Count("pk", filter=tab(name, person)) for name in names})


def conversations() -> QuerySet[Conversation]:
    """Conversations with who wrote last (`sender`, `sender_name`), urgent ones first, then those that wait longest."""
    came = IncomingMail.objects.filter(conversation=OuterRef("pk")).order_by("automatic", "-fetched_at", "-id")
    return (
        Conversation.objects.select_related("customer", "license")
        .annotate(sender=Subquery(came.values("from_address")[:1]), sender_name=Subquery(came.values("from_name")[:1]))
        .order_by("-priority", F("waits_since").asc(nulls_last=True), "latest_at", "id")
    )


def searched(words: str) -> Q:
    """Conversations by subject, by an address that wrote or was written to, by License ID or customer."""
    return (
        Q(subject__icontains=words)
        | Q(pk__in=IncomingMail.objects.filter(from_address__icontains=words).values("conversation"))
        | Q(pk__in=OutgoingMail.objects.filter(to_address__icontains=words).values("conversation"))
        | Q(license__license_id__iexact=words)
        | Q(customer__name__icontains=words)
        | Q(token__iexact=words.removeprefix("[").removesuffix("]").upper().removeprefix("CL-"))
    )


def findings_of(conversation_pks: Iterable[int]) -> dict[int, list[dict[str, Any]]]:
    """What was found in the newest mail of each conversation in which anything was."""
    rows = (
        Finding.objects.filter(mail__conversation__in=list(conversation_pks))
        .exclude(kind=FindingKind.LICENSE_ID)
        .order_by("mail__conversation", "-mail__fetched_at", "-mail", "position")
        .values("mail__conversation", "mail", "kind", "outcome", "code")
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        earlier = found.setdefault(row["mail__conversation"], [])
        if not earlier or earlier[0]["mail"] == row["mail"]:
            earlier.append(dict(row))
    return found


def not_booked(conversation: Conversation) -> int:
    """How many Usage Requests in the mails of a conversation were never booked and wait for it."""
    rows = [row for row in left_in(conversation) if row.kind == FindingKind.REQUEST]
    return sum(not standing.booked for standing in standings(rows, conversation).values())


def unassigned() -> QuerySet[Conversation]:
    return conversations().filter(tab(UNASSIGNED, ""))


def undecided() -> QuerySet[OutgoingMail]:
    """Mails of ours of which a person has to decide what becomes of them, oldest first."""
    return OutgoingMail.objects.filter(state__in=UNDECIDED).order_by("queued_at", "id")


def not_read_yet() -> int:
    return IncomingMail.objects.filter(state=IncomingState.STORED).count()
