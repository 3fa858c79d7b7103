"""Pseudonymising a contact: on request of the person, by a license manager or an administrator, booked without them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from activations.domain.ledger import PORTAL_CHAIN, Kind
from activations.domain.words import Ability, Actor
from activations.models import Erasure, LedgerEntry
from activations.models.erasable import EMPTY, ERASABLE, PSEUDONYM
from activations.models.privacy import ERASED
from activations.services import vault
from activations.services.booking import portal_book
from activations.services.privacy.finding import TABLES, Erase, Plan, plan_for
from activations.services.privacy.person import person_of
from activations.services.results import BadInput, Refused, bad_reason, lacking

MAY = (Ability.CHANGE_LICENSE, Ability.MANAGE_STAFF)
# Of these no digest is kept: whoever can guess an address could try it.
_GUESSABLE = {"to_address", "subject", "in_reply_to", "references", "sealed"}


@dataclass(frozen=True)
class Pseudonymised:
    pseudonym: str
    erased: dict[str, int]
    rewritten: dict[str, int]
    stays: tuple[str, ...]


def not_allowed(actor: Actor) -> Refused | None:
    """The refusal for a person who may pseudonymise nobody."""
    return None if any(actor.may(ability) for ability in MAY) else lacking(actor, MAY[:1])


def plan_pseudonymising(*, email: str, actor: Actor) -> Plan | Refused | BadInput:
    """What would be replaced, and what stays. Nothing is written."""
    refused = not_allowed(actor)
    if refused:
        return refused
    person = person_of(email)
    return plan_for(person) if person else _unknown()


def pseudonymise_contact(
    *, email: str, actor: Actor, source: str, reason: str, expect: str | None = None
) -> Pseudonymised | Refused | BadInput:
    """Puts a pseudonym in the place of a contact's name and address wherever it may be done, and books that.

    The same address has the same pseudonym for good, so that who did what can still be told apart. `expect` is the
    digest of the dry run that was confirmed; if more or less would be done by now, nothing is.
    """
    problem = not_allowed(actor) or bad_reason(reason)
    if problem:
        return problem
    with transaction.atomic():
        # The book's lock comes first: of two who do the same, the second finds nothing to do.
        with portal_book(actor=actor, source=source, reason=reason) as book:
            person = person_of(email)
            if person is None:
                return _unknown()
            if person.meant_in(reason):
                return BadInput(
                    "reason-names-contact",
                    "The reason names the contact, and what is in the ledger stays there. Say it without name and "
                    "address.",
                )
            plan = plan_for(person)
            refused = _not_now(plan, expect)
            if refused:
                return refused
            book.add(
                Kind.CONTACT_PSEUDONYMISED,
                {
                    "pseudonym": person.pseudonym,
                    "contacts": [contact.pk for contact in person.contacts],
                    "erased": plan.counts,
                    "rewritten": plan.rewritten_counts,
                },
            )
        seq = LedgerEntry.objects.filter(chain=PORTAL_CHAIN).order_by("-seq").values_list("seq", flat=True)[0]
        erase(plan.erased, seq=seq, pseudonym=person.pseudonym_address)
        for each in plan.rewritten:
            each.model._default_manager.filter(pk=each.row).update(**each.values)
    return Pseudonymised(person.pseudonym, plan.counts, plan.rewritten_counts, tuple(plan.stays))


def erase(columns: Iterable[Erase], *, seq: int, pseudonym: str = "") -> None:
    """Empties the columns, each named by an erasure of this entry; in the transaction that booked it."""
    for each in columns:
        model = TABLES[each.table]
        row = model._default_manager.filter(pk=each.row)
        text = "" if each.column in _GUESSABLE else str(row.values_list(each.column, flat=True)[0])
        Erasure.objects.create(
            of_table=each.table, of_row=each.row, of_column=each.column, digest=text_digest(text), seq=seq
        )
        form = ERASABLE[model][each.column]
        value: object = {EMPTY: b"", PSEUDONYM: pseudonym}.get(form, ERASED)
        row.update(**{each.column: value})


def text_digest(text: str) -> str:
    """Recognises an erased text that somebody brings again; "" of none."""
    return vault.key_digest(b"erased-text-1" + text.encode()) if text else ""


def _not_now(plan: Plan, expect: str | None) -> Refused | None:
    if plan.waiting:
        return Refused(
            "mail-on-its-way",
            f"{plan.waiting} mails to this address are on their way. Wait until they went, or decide in the outbox not "
            "to send them; then try again. Nothing was replaced.",
        )
    if plan.exporting:
        return Refused(
            "export-on-its-way",
            f"{plan.exporting} exports whose filter names this person are not finished. Wait until they are, or have "
            "them cancelled by who asked for them; then try again. Nothing was replaced.",
        )
    if expect is not None and expect != plan.digest:
        return Refused(
            "facts-changed",
            "Something came in or changed since you looked, so nothing was replaced. Look again at what would be "
            "replaced, then confirm.",
        )
    return None


def _unknown() -> BadInput:
    return BadInput(
        "contact-unknown",
        "No contact has this address. Look at the customer's page how it is written; a contact that was pseudonymised "
        "before is named by its pseudonym.",
    )
