"""The outbox: a mail is written in the transaction of what it tells, claimed before the mail server is spoken to, and
its end noted after.

    queued -> sending -> sent, or queued again (the server could not be reached), or failed (it refused)
    sending, and nobody came back -> unknown: the server may have taken it, so a person decides; nothing goes twice
    sending, sent or unknown, and the mail itself came back -> bounced, whatever its sender notes later
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from activations.domain.words import UNDECIDED, Actor, ConversationState, OutgoingState
from activations.models import Conversation, IncomingMail, OutgoingMail, Reply
from activations.models.privacy import PSEUDONYM_DOMAIN
from activations.services.intake import without_secrets
from activations.services.post.left import left_in
from activations.services.post.signals import something_to_send
from activations.services.replies import not_a_sender
from activations.services.results import BadInput, Refused
from activations.services.waiting import once_it_answers

WAITS = tuple(timedelta(seconds=seconds) for seconds in settings.MAIL_RETRY_AFTER)
SENDING_ENDS = timedelta(minutes=15)  # longer than any talk with a mail server may take (EMAIL_TIMEOUT per answer)
OUR_MARK = re.compile(r"\s*\[CL-[0-9A-Z]{8}\]", re.IGNORECASE)
ANSWER_MARK = re.compile(r"^(?:\s*(?:re|aw|antw|sv|vs|rif|fwd?|wg)\s*(?:\[\d+\])?\s*:)+\s*", re.IGNORECASE)
MOST_REFERENCES = 20


@dataclass(frozen=True)
class Envelope:
    """Where a reply goes: into which conversation, and to which address, as the person saw it who confirmed."""

    conversation_id: int
    to_address: str


@dataclass(frozen=True)
class Letter:
    """What is said. `key` names what it is about: a second mail under the same key is not queued."""

    key: str
    subject: str
    body: str
    attachment: str = ""
    attachment_name: str = ""
    reply: Reply | None = None
    license_pk: int | None = None
    again: OutgoingMail | None = None  # the mail that this one repeats


def bad_address(address: str) -> BadInput | None:
    if address.lower().endswith(f"@{PSEUDONYM_DOMAIN}"):
        return BadInput(
            "address-pseudonym",
            "This is a pseudonym: the person of this address was taken out of the portal. Choose another contact.",
        )
    try:
        validate_email(address)
    except ValidationError:
        return BadInput(
            "address-invalid", f"{address[:100] or 'Nothing'} is not an address that a mail can be sent to."
        )
    return None


def queue(letter: Letter, *, to: str, by: str, conversation: Conversation | None) -> OutgoingMail:
    """Puts a mail into the outbox, in the caller's transaction; the one that is there already if the key is known."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("a mail is queued only in the transaction of what it tells")
    now = timezone.now()
    before = _last_of(conversation)
    mail, new = OutgoingMail.objects.get_or_create(
        key=letter.key,
        defaults={
            "message_id": f"{secrets.token_hex(16)}@{_own_domain()}",
            "conversation": conversation,
            "reply": letter.reply,
            "license_id": letter.license_pk,
            "again": letter.again,
            "to_address": to,
            "subject": _subject(letter.subject, conversation),
            "body": letter.body,
            "attachment": letter.attachment,
            "attachment_name": letter.attachment_name,
            "in_reply_to": before.message_id if before else "",
            "references": "\n".join(_references(conversation)),
            "queued_at": now,
            "queued_by": by,
            "next_attempt_at": now,
        },
    )
    if new:
        if conversation is not None:
            _answered(conversation, letter, now)
        transaction.on_commit(lambda: something_to_send.send(OutgoingMail, pk=mail.pk), robust=True)
    return mail


def queue_reply(reply: Reply, envelope: Envelope, *, block: str = "", name: str = "", key: str = "") -> OutgoingMail:
    """The mail that carries a reply: what it says inline, and its Usage License as a file too."""
    conversation = Conversation.objects.select_for_update().get(pk=envelope.conversation_id)
    letter = Letter(
        key=key or f"reply:{reply.pk}",
        subject=conversation.subject,
        body=reply.body,
        attachment=block,
        attachment_name=f"{name}.txt" if block else "",
        reply=reply,
        license_pk=reply.license_id,
    )
    return queue(letter, to=envelope.to_address, by=reply.written_by, conversation=conversation)


def not_sendable(envelope: Envelope, actor: Actor) -> Refused | BadInput | None:
    """Why this person cannot answer there now: a colleague has claimed the conversation, or the address is none. Locks
    the conversation, in the transaction of the booking that the reply tells.
    """
    conversation = Conversation.objects.select_for_update().filter(pk=envelope.conversation_id).first()
    if conversation is None:
        return BadInput("conversation-unknown", "There is no such conversation. Open the mail from the inbox again.")
    if conversation.assigned_to and conversation.assigned_to != actor.name:
        return Refused(
            "conversation-claimed",
            f"{conversation.assigned_to} has claimed this conversation, so nothing was booked or sent. Ask them, or "
            "take it over on its page first.",
            {"holder": conversation.assigned_to},
        )
    return bad_address(envelope.to_address)


def _answered(conversation: Conversation, letter: Letter, now: datetime) -> None:
    """Whose turn it is now: ours, while the mails of the conversation hold something else that waits for an answer. A
    letter in a person's own words may be the question without whose answer nothing can be booked.
    """
    left = left_in(conversation) if letter.reply is not None else []
    state = ConversationState.OPEN if left else ConversationState.WAITING
    since = min((row.mail.fetched_at for row in left), default=None)
    Conversation.objects.filter(pk=conversation.pk).update(state=state, waits_since=since, latest_at=now)


def _subject(subject: str, conversation: Conversation | None) -> str:
    """One line, with the mark by which the answer finds its conversation."""
    bare = " ".join(OUR_MARK.sub("", without_secrets(subject)).split())
    if conversation is None:
        return bare[:300]
    if conversation.incoming.exists():
        bare = f"Re: {ANSWER_MARK.sub('', bare) or 'your mail'}"
    return f"{bare[:280]} [CL-{conversation.token}]"


def _last_of(conversation: Conversation | None) -> IncomingMail | OutgoingMail | None:
    if conversation is None:
        return None
    came = conversation.incoming.exclude(message_id="").order_by("-fetched_at", "-id").first()
    return came or conversation.outgoing.order_by("-queued_at", "-id").first()


def _references(conversation: Conversation | None) -> list[str]:
    """The Message-IDs of the thread, oldest first (RFC 5322, 3.6.4)."""
    if conversation is None:
        return []
    came = conversation.incoming.exclude(message_id="").values_list("fetched_at", "message_id")
    went = conversation.outgoing.values_list("queued_at", "message_id")
    ordered = list(dict.fromkeys(message_id for _, message_id in sorted([*came, *went])))
    return ordered[:1] + ordered[1:][-(MOST_REFERENCES - 1) :]


def _own_domain() -> str:
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rsplit("@", 1)[-1] or "localhost"


# --- sending -----------------------------------------------------------------------------------------------


def due(now: datetime) -> QuerySet[OutgoingMail]:
    return OutgoingMail.objects.filter(state=OutgoingState.QUEUED, next_attempt_at__lte=now).order_by(
        "next_attempt_at", "id"
    )


def claim(pk: int) -> OutgoingMail | None:
    """Takes a due mail for this process alone; None if another one has it or it is not due. Committed before the mail
    server hears of it.
    """
    now, mark = timezone.now(), secrets.token_hex(16)
    taken = due(now).filter(pk=pk)
    try:
        if not OutgoingMail.objects.filter(pk__in=taken.values("pk"), state=OutgoingState.QUEUED).update(
            state=OutgoingState.SENDING, claim=mark, claimed_at=now, attempts=F("attempts") + 1
        ):
            return None
        return OutgoingMail.objects.get(pk=pk, claim=mark)
    except (OperationalError, InterfaceError):
        # The claim may be on the disk, and no mail server has heard of it: that must not look as if one might.
        back = OutgoingMail.objects.filter(pk=pk, state=OutgoingState.SENDING, claim=mark)
        once_it_answers(lambda: back.update(state=OutgoingState.QUEUED, claim="", attempts=F("attempts") - 1))
        raise


def note_sent(mail: OutgoingMail) -> None:
    _end(mail, state=OutgoingState.SENT, sent_at=timezone.now(), problem="")


def note_refused(mail: OutgoingMail, problem: str) -> None:
    """The server said no, and for good: another attempt would be refused, too."""
    _end(mail, state=OutgoingState.FAILED, problem=problem[:1000])


def note_unreached(mail: OutgoingMail, problem: str) -> None:
    """The server did not take it, which is certain: it is tried again later, and after ten times no more."""
    if mail.attempts > len(WAITS):
        _end(mail, state=OutgoingState.FAILED, problem=problem[:1000])
        return
    again = timezone.now() + WAITS[mail.attempts - 1]
    _end(mail, state=OutgoingState.QUEUED, next_attempt_at=again, problem=problem[:1000])


def note_unknown(mail: OutgoingMail, problem: str) -> None:
    """The connection broke when the server may have taken it."""
    _end(mail, state=OutgoingState.UNKNOWN, problem=problem[:1000])


def _end(mail: OutgoingMail, *, state: OutgoingState, **more: object) -> None:
    ours = OutgoingMail.objects.filter(pk=mail.pk, state=OutgoingState.SENDING, claim=mail.claim)
    # Nobody else knows what the server said: a database that is being restarted is waited for.
    once_it_answers(lambda: ours.update(state=state, claim="", **more))


def sweep(now: datetime) -> int:
    """Mails whose sender never came back: whether the server took them, nobody knows. Returns how many there were."""
    return OutgoingMail.objects.filter(state=OutgoingState.SENDING, claimed_at__lt=now - SENDING_ENDS).update(
        state=OutgoingState.UNKNOWN,
        claim="",
        problem="The process that was sending it ended before the mail server's answer was noted.",
    )


# --- what a person decides ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Settled:
    mail: OutgoingMail


def settle(*, mail_pk: int, sent: bool, actor: Actor) -> Settled | Refused:
    """A person looked into the mail server's log: an unknown mail was sent, or a mail that was not is given up."""
    refused = not_a_sender(actor)
    if refused:
        return refused
    state = OutgoingState.SENT if sent else OutgoingState.DROPPED
    states = (OutgoingState.UNKNOWN,) if sent else (*UNDECIDED, OutgoingState.QUEUED)
    if not OutgoingMail.objects.filter(pk=mail_pk, state__in=states).update(state=state, settled_by=actor.name):
        return Refused("mail-settled", "Somebody decided that, or the mail went out, before you did. Look again.")
    return Settled(OutgoingMail.objects.get(pk=mail_pk))


def standing(mail: OutgoingMail) -> str:
    """How a mail stands, for `send_again`: its state, and how often it was sent once more."""
    return f"{mail.state}:{mail.sent_again.count()}"


def send_again(*, mail_pk: int, to_address: str, shown: str, actor: Actor) -> Settled | Refused | BadInput:
    """The same mail once more, as a mail of its own, perhaps to another address. `shown` is its `standing` as the
    person saw it: two clicks, or two people, send it once.
    """
    problem = not_a_sender(actor) or bad_address(to_address)
    if problem:
        return problem
    with transaction.atomic():
        mail = OutgoingMail.objects.select_for_update(of=("self",)).select_related("conversation").get(pk=mail_pk)
        if standing(mail) != shown or mail.state in (OutgoingState.QUEUED, OutgoingState.SENDING):
            return Refused(
                "mail-on-its-way",
                f"This mail is {mail.state}, or it was sent again, by now. Look again before you send it.",
            )
        times = mail.sent_again.count()
        if mail.state in UNDECIDED:
            OutgoingMail.objects.filter(pk=mail.pk).update(state=OutgoingState.DROPPED, settled_by=actor.name)
        letter = Letter(
            key=f"again:{mail.pk}:{times + 1}",
            subject=mail.subject,
            body=mail.body,
            attachment=mail.attachment,
            attachment_name=mail.attachment_name,
            reply=mail.reply,
            license_pk=mail.license_id,
            again=mail,
        )
        again = queue(letter, to=to_address, by=actor.name, conversation=mail.conversation)
    return Settled(again)
