"""Which conversation a mail belongs to, and whose it is. An address proves nothing; a Usage Request does."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from activations.domain.words import ConversationState, IncomingState, OutgoingState
from activations.mailtext.marks import conversation_token
from activations.mailtext.values import Bounce, Mail
from activations.models import Contact, Conversation, Customer, IncomingMail, Mailbox, OutgoingMail
from activations.services.intake import without_secrets
from activations.services.post.copies import first_of, originals
from activations.services.post.findings import Findings

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford base32: no letter that is taken for another
# Whoever has an address there shares nothing with others who have one.
PUBLIC_DOMAINS = frozenset(
    [
        "gmail.com",
        "googlemail.com",
        "outlook.com",
        "hotmail.com",
        "live.com",
        "msn.com",
        "yahoo.com",
        "yahoo.de",
        "yahoo.co.uk",
        "yahoo.co.jp",
        "ymail.com",
        "icloud.com",
        "me.com",
        "mac.com",
        "aol.com",
        "gmx.de",
        "gmx.net",
        "gmx.at",
        "gmx.ch",
        "gmx.com",
        "web.de",
        "t-online.de",
        "freenet.de",
        "mail.com",
        "mail.ru",
        "yandex.ru",
        "yandex.com",
        "proton.me",
        "protonmail.com",
        "fastmail.com",
        "zoho.com",
        "qq.com",
        "163.com",
        "126.com",
        "orange.fr",
        "wanadoo.fr",
        "free.fr",
        "laposte.net",
        "libero.it",
        "comcast.net",
        "naver.com",
        "hanmail.net",
        "seznam.cz",
        "wp.pl",
    ]
)
MAY_COME_BACK = (OutgoingState.SENDING, OutgoingState.SENT, OutgoingState.UNKNOWN)
FILING = "the desk"  # the row whose lock lets one mail at a time be joined, so that no thread is begun twice


def join(mail: IncomingMail, read: Mail, found: Findings) -> Conversation:
    """The conversation of a mail that is being read, made if it begins one. The caller has a transaction."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("mails are joined only inside a transaction")
    Mailbox.objects.get_or_create(name=FILING)
    Mailbox.objects.select_for_update().get(name=FILING)
    returned = _bounced(read)
    copied = None if returned else _copied(read)
    conversation = returned or copied or _earlier(read) or _later(read) or _begin(read, mail.fetched_at)
    conversation = Conversation.objects.select_for_update().get(pk=conversation.pk)
    if copied is None or takes_part(conversation, read.sender.address):
        _note_whose(conversation, read, found)
    conversation.latest_at = max(conversation.latest_at, mail.fetched_at)
    if read.by_person or returned is not None or found.asks or not conversation.incoming.exists():
        # An out-of-office reply changes nothing; a mail that came back, or brings a request, has to be seen.
        conversation.state = ConversationState.OPEN
        conversation.waits_since = conversation.waits_since or mail.fetched_at
    conversation.save()
    return conversation


def new_token() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(8))


def begin_conversation(subject: str, now: datetime, customer: Customer | None = None) -> Conversation:
    return Conversation.objects.create(
        token=new_token(), subject=subject[:300], created_at=now, latest_at=now, customer=customer
    )


def _begin(read: Mail, at: datetime) -> Conversation:
    return begin_conversation(without_secrets(read.subject), at)


def _copied(read: Mail) -> Conversation | None:
    """The conversation of the mail that this one is another copy of, whoever its sender says to be: two agents must not
    answer one mail. That the Message-ID may be made up is why a copy gives its sender no part in the conversation.
    """
    first = first_of(read)
    return first.conversation if first is not None else None


def _earlier(read: Mail) -> Conversation | None:
    """The conversation that the mail says it answers, if its sender has a part in it: references can be forged, and
    what a stranger sends must not stand among a customer's mails.
    """
    ids = [*read.in_reply_to, *reversed(read.references)]
    token = conversation_token(read)
    named: QuerySet[Conversation] = Conversation.objects.filter(
        Q(incoming__message_id__in=[each for each in ids if each])
        | Q(outgoing__message_id__in=[each for each in ids if each])
        | (Q(token=token) if token else Q(pk__in=[]))
    )
    for conversation in named.distinct().order_by("-latest_at")[:5]:
        if takes_part(conversation, read.sender.address):
            return conversation
    return None


def _later(read: Mail) -> Conversation | None:
    """Mails overtake one another: the answer to this one may have come first."""
    if not read.message_id:
        return None
    answers = IncomingMail.objects.filter(in_reply_to=read.message_id, state=IncomingState.READ)
    for answer in answers.select_related("conversation")[:5]:
        if answer.conversation is not None and takes_part(answer.conversation, read.sender.address):
            return answer.conversation
    return None


def takes_part(conversation: Conversation, address: str) -> bool:
    """Whether the address wrote (more than another copy of a mail) or was written to here, is a contact of the
    customer, or shares the domain of one that wrote (a company's, not a mail provider's): colleagues answer for one
    another.
    """
    address = address.lower()
    if "@" not in address:
        return False
    domain = address.rsplit("@", 1)[1]
    if Contact.objects.filter(customer=conversation.customer_id, email__iexact=address).exists():
        return True
    known = Q(from_address__iexact=address)
    if domain not in PUBLIC_DOMAINS:
        known |= Q(from_address__iendswith=f"@{domain}")
    wrote = originals(conversation.incoming.filter(known))
    return wrote.exists() or conversation.outgoing.filter(to_address__iexact=address).exists()


def _note_whose(conversation: Conversation, read: Mail, found: Findings) -> None:
    """What a Usage Request proves wins over what an address suggests, and the first proof stays."""
    if found.proved and found.license is not None and not conversation.proved:
        conversation.customer, conversation.license = found.license.customer, found.license
        conversation.proved = True
        return
    if conversation.license is None and found.license is not None and not conversation.proved:
        conversation.license = found.license
    if conversation.customer is None:
        customers = Customer.objects.filter(contacts__email__iexact=read.sender.address).distinct()[:2]
        if len(customers) == 1:
            conversation.customer = customers[0]


def _bounced(read: Mail) -> Conversation | None:
    """The conversation of the mail that comes back (RFC 3464); the outbox says so from now on. A mail of ours that
    stood in no conversation is marked, too, and what came back begins one.
    """
    found: Conversation | None = None
    for bounce in read.bounces:
        sent = _returned_mail(bounce)
        if sent is None:
            continue
        if bounce.action == "failed":
            said = f"{bounce.recipient}: {bounce.diagnostic or bounce.status}".strip(": ")
            # The claim goes, too: what a sender that hangs, or was taken for dead, notes later counts no more.
            OutgoingMail.objects.filter(pk=sent.pk, state__in=MAY_COME_BACK).update(
                state=OutgoingState.BOUNCED, claim="", problem=without_secrets(said)[:1000]
            )
        found = found or sent.conversation
    return found


def _returned_mail(bounce: Bounce) -> OutgoingMail | None:
    if not bounce.original_message_id:
        return None
    sent = OutgoingMail.objects.select_related("conversation").filter(message_id=bounce.original_message_id)
    return sent.first()
