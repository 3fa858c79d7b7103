"""Answers without a person: off until a manager allows an outcome, and only what is safe by rule.

Safe is what takes nothing and decides nothing: the stored answer once more, the request for damaged lines, an update of
the same host asked for by a known contact. All through the same use cases, by the actor "automatic".
"""

from __future__ import annotations

from datetime import timedelta
from email.utils import parseaddr

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from activations.domain.ledger import Kind
from activations.domain.words import (
    Ability,
    Action,
    Actor,
    AutomaticOutcome,
    FindingKind,
    IncomingState,
    Outcome,
)
from activations.models import AutomaticAnswer, Contact, Customer, Finding, IncomingMail, License, OutgoingMail
from activations.services import replies
from activations.services.booking import portal_book
from activations.services.issue import Submission, submit_usage_request
from activations.services.post.copies import is_twice
from activations.services.post.findings import AUTOMATIC
from activations.services.post.outbox import Envelope, queue_reply
from activations.services.results import BadInput, Refused, lacking

MOST_A_DAY = 20  # automatic answers to one address; more is a loop or an attack


def allow(
    *, outcome: str, customer_pk: int | None, allowed: bool | None, actor: Actor, source: str
) -> AutomaticAnswer | Refused | BadInput | None:
    """Allows or forbids automatic answers of an outcome, for all or for one customer; `allowed` None: of the customer,
    what holds for all. Booked, because it lets a machine act.
    """
    refused = lacking(actor, [Ability.EDIT_REPLIES])
    if refused:
        return refused
    try:
        named = AutomaticOutcome(outcome)
    except ValueError:
        return BadInput(
            "outcome-not-automatic", f"Only these are answered without a person: {', '.join(AutomaticOutcome)}."
        )
    customer = Customer.objects.filter(pk=customer_pk).first() if customer_pk is not None else None
    if customer_pk is not None and customer is None:
        return BadInput("customer-unknown", "There is no such customer.")
    with transaction.atomic(), portal_book(actor=actor, source=source) as book:
        rows = AutomaticAnswer.objects.filter(outcome=named, customer=customer)
        before = rows.first()
        said_before = before.allowed if before else None
        if said_before == allowed or (before is None and customer is None and not allowed):
            return Refused("nothing-changed", "It is set so already; nothing was booked.")
        row = None
        if allowed is None:
            rows.delete()
        else:
            row, _ = AutomaticAnswer.objects.update_or_create(
                outcome=named,
                customer=customer,
                defaults={"allowed": allowed, "changed_at": book.now, "changed_by": actor.name},
            )
        said = {"outcome": named.value, "customer": customer.name if customer else "", "allowed": allowed}
        book.add(Kind.AUTOMATIC_ANSWER_CHANGED, said)
    return row


def allowed_for(outcome: AutomaticOutcome, customer_pk: int | None) -> bool:
    """What is said of the customer wins over what is said for all; nothing said means no."""
    rows = {row.customer_id: row.allowed for row in AutomaticAnswer.objects.filter(outcome=outcome)}
    return rows.get(customer_pk, rows.get(None, False)) if customer_pk is not None else rows.get(None, False)


def answer_by_itself(mail: IncomingMail) -> str:
    """Answers a mail that was just read, if that is allowed and safe; returns the outcome, "" if a person must."""
    found = list(mail.findings.exclude(kind=FindingKind.LICENSE_ID))
    if len(found) != 1 or not _may_be_answered(mail):
        return ""
    if found[0].kind == FindingKind.DAMAGED:
        return _ask_for_lines(mail, found[0])
    return _answer_request(mail, found[0]) if found[0].kind == FindingKind.REQUEST else ""


def _may_be_answered(mail: IncomingMail) -> bool:
    """Not what a machine wrote, not a mail of which two copies came, not where the answer would go elsewhere, not again
    and again, and not in a conversation in which a person is at work.
    """
    conversation = mail.conversation
    if mail.state != IncomingState.READ or mail.automatic or mail.reply_address or not mail.from_address:
        return False
    if mail.from_address.lower() in _ours() or _forged(mail):
        return False
    if conversation is None or conversation.assigned_to:
        return False
    if OutgoingMail.objects.filter(key=_key(mail)).exists() or is_twice(mail):
        return False
    since = timezone.now() - timedelta(days=1)
    sent = OutgoingMail.objects.filter(
        to_address__iexact=mail.from_address, queued_by=AUTOMATIC.name, queued_at__gte=since
    )
    return sent.count() < MOST_A_DAY


def _forged(mail: IncomingMail) -> bool:
    """Whether our receiving server found that the sender is not who it says: DMARC failed, or, where the domain has no
    DMARC, SPF did and no signature (DKIM) held.
    """
    found = {(check["method"], check["result"]) for check in mail.checks}
    if any(method == "dmarc" and result != "none" for method, result in found):
        return ("dmarc", "fail") in found
    return ("spf", "fail") in found and ("dkim", "pass") not in found


def _ours() -> set[str]:
    """The addresses that we write from and fetch from: an answer to one of them comes back to us."""
    return {parseaddr(settings.DEFAULT_FROM_EMAIL)[1].lower(), *(box.user.lower() for box in settings.MAILBOXES)}


def _key(mail: IncomingMail) -> str:
    return f"automatic:{mail.pk}"


def _known(address: str, customer_pk: int) -> bool:
    return Contact.objects.filter(customer_id=customer_pk, email__iexact=address).exists()


def _ask_for_lines(mail: IncomingMail, finding: Finding) -> str:
    """Only to a contact: a stranger's damaged text proves nothing and gets no answer from a machine."""
    contact = Contact.objects.filter(email__iexact=mail.from_address).first()
    if contact is None or not allowed_for(AutomaticOutcome.DAMAGED, contact.customer_id):
        return ""
    draft = replies.damaged(finding.lines)
    with transaction.atomic():
        kept = replies.keep(draft, actor=AUTOMATIC, at=timezone.now())
        queue_reply(kept, Envelope(mail.conversation_id or 0, mail.from_address), key=_key(mail))
    return AutomaticOutcome.DAMAGED.value


def _answer_request(mail: IncomingMail, finding: Finding) -> str:
    looked = submit_usage_request(source=finding.text, actor=AUTOMATIC, origin="mail", dry_run=True)
    if not isinstance(looked, Submission):
        return ""
    license = License.objects.get(license_id=looked.license_id)
    outcome = _safe(looked)
    if outcome is None or not _known(mail.from_address, license.customer_id):
        return ""
    if not allowed_for(outcome, license.customer_id):
        return ""
    done = submit_usage_request(
        source=finding.text,
        actor=AUTOMATIC,
        origin="mail",
        expect=looked.digest,
        reply=True,
        envelope=Envelope(mail.conversation_id or 0, mail.from_address),
        mail_key=_key(mail),
    )
    return outcome.value if isinstance(done, Submission) and done.booked else ""


def _safe(looked: Submission) -> AutomaticOutcome | None:
    """What takes no seat, decides nothing and has nothing that a person should see first."""
    decision = looked.decision
    if decision.warnings or decision.sighted or decision.settles or looked.repaired:
        return None
    if decision.outcome is Outcome.RESENT:
        return AutomaticOutcome.RESENT
    if decision.outcome is Outcome.ISSUED and decision.action is Action.UPDATE:
        return AutomaticOutcome.UPDATED
    return None
