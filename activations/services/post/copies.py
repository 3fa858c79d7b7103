"""One mail that came as two: a gateway wrote a banner into one of them, or a server recoded it on the way.

Both have one Message-ID, and differ in content, so both are kept. The later is the copy. Anybody who knows a Message-ID
can write it into a mail of their own: a copy is shown, and gives its sender no part in the conversation.
"""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from activations.domain.words import FindingKind
from activations.mailtext.values import Mail
from activations.models import Conversation, Finding, IncomingMail


def first_of(read: Mail) -> IncomingMail | None:
    """The mail of this Message-ID that came first, if one is here."""
    if not read.message_id:
        return None
    here = IncomingMail.objects.filter(message_id=read.message_id, conversation__isnull=False)
    return here.select_related("conversation").order_by("pk").first()


def is_twice(mail: IncomingMail) -> bool:
    """Whether another copy stands in the mail's conversation, before it or after: the second may be read first."""
    same = IncomingMail.objects.filter(conversation=mail.conversation_id, message_id=mail.message_id)
    return bool(mail.message_id) and same.exclude(pk=mail.pk).exists()


def originals(mails: QuerySet[IncomingMail]) -> QuerySet[IncomingMail]:
    """Without those that are copies of another mail of their conversation."""
    return mails.exclude(Exists(_before()))


def with_first(mails: QuerySet[IncomingMail]) -> QuerySet[IncomingMail]:
    """The mails with `first_pk`, `first_at` and `first_address` of the mail that each is a copy of; None if of none."""
    names = {"first_pk": "pk", "first_at": "fetched_at", "first_address": "from_address"}
    return mails.annotate(**{name: Subquery(_before().values(column)[:1]) for name, column in names.items()})


def repeated(conversation: Conversation, copies: list[IncomingMail]) -> set[int]:
    """The Usage Requests in the copies that stand in an earlier copy, too, as keys of findings."""
    if not copies:
        return set()
    found = Finding.objects.filter(
        mail__conversation=conversation,
        mail__message_id__in={mail.message_id for mail in copies},
        kind=FindingKind.REQUEST,
    ).exclude(request_id="")
    seen: set[tuple[str, str]] = set()
    again = set()
    for pk, name, request_id in found.order_by("mail", "position").values_list("pk", "mail__message_id", "request_id"):
        if (name, request_id) in seen:
            again.add(pk)
        seen.add((name, request_id))
    return again


def _before() -> QuerySet[IncomingMail]:
    """Of the outer mail: those of the same Message-ID that came before it into the same conversation, first to last."""
    same = IncomingMail.objects.filter(
        conversation=OuterRef("conversation"), message_id=OuterRef("message_id"), pk__lt=OuterRef("pk")
    )
    return same.exclude(message_id="").order_by("pk")
