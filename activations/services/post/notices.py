"""Mails that nobody asked for: a feature ends, a case waits, a seat was freed, a written-off host is back.

Each has a key that says what it is about, so that a job that runs twice, or again after a crash, tells nobody twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from activations.domain.words import Ability, RestorationState, TombstoneKind
from activations.models import Activation, Contact, License, OutgoingMail, Reply, Restoration, Sighting
from activations.models.privacy import PSEUDONYM_DOMAIN
from activations.services.post.outbox import Letter, queue
from activations.services.replies import Draft

BY = "automatic"
ENDING_DAYS = (60, 30, 7)
REMIND_AFTER = (timedelta(days=2), timedelta(days=7), timedelta(days=14))
SIGHTED_SINCE = timedelta(days=14)  # a sighting that is older was told, or its portal had no mail then


# --- to the customer ---------------------------------------------------------------------------------------


def tell_of_ending(license: License, last_day: date, draft: Draft, *, today: date) -> int:
    """Tells each contact that features end on that day; once for 60, 30 and 7 days each. Returns how many were told."""
    days = min((each for each in ENDING_DAYS if (last_day - today).days <= each), default=None)
    if days is None or last_day < today:
        return 0
    told = 0
    for contact in _contacts(license):
        letter = Letter(
            key=f"ending:{license.license_id}:{last_day:%Y-%m-%d}:{days}:{contact.pk}",
            subject=f"License {license.license_id}: features end on {last_day:%Y-%m-%d}",
            body=draft.body,
            license_pk=license.pk,
        )
        told += _queue(letter, contact.email)
    return told


def tell_contacts(reply: Reply, activation: Activation, what: str, *, but: str = "") -> None:
    """The contacts of a customer learn that an activation was deactivated or restored, in the words of the reply to
    it; in the transaction of the booking. `but` is who gets the reply itself.
    """
    for contact in _contacts(activation.license):
        if contact.email.lower() == but.lower():
            continue
        letter = Letter(
            key=f"told:{reply.pk}:{contact.pk}",
            subject=f"License {activation.license.license_id}: an activation was {what}",
            body=reply.body,
            reply=reply,
            license_pk=activation.license_id,
        )
        queue(letter, to=contact.email, by=BY, conversation=None)


def has_contacts(license: License) -> bool:
    return bool(_contacts(license))


def _contacts(license: License) -> list[Contact]:
    """Those who can be reached: no mail goes to a pseudonym."""
    known = Contact.objects.filter(customer_id=license.customer_id).exclude(email__iendswith=f"@{PSEUDONYM_DOMAIN}")
    return list(known.order_by("id"))


# --- to staff ----------------------------------------------------------------------------------------------


def remind_of_restorations(now: datetime) -> int:
    """Those who may decide hear of a case that waits, after 2, 7 and 14 days; who opened it may not decide it."""
    told = 0
    waiting = Restoration.objects.filter(state=RestorationState.REQUESTED, requested_at__lte=now - REMIND_AFTER[0])
    for case in waiting.select_related("activation__license__customer"):
        age = max(each for each in REMIND_AFTER if case.requested_at <= now - each)
        for user in _staff(Ability.DECIDE_RESTORATION, but=case.requested_by):
            license = case.activation.license
            letter = Letter(
                key=f"waits:{case.restoration_id}:{age.days}:{user.pk}",
                subject=f"Restoration {case.restoration_id} waits for a decision",
                body=f"Case {case.restoration_id} of {license.customer.name} ({license.license_id}) waits for a second "
                f"person since {case.requested_at:%Y-%m-%d}.\n\nIt was opened by {case.requested_by}. You find it on "
                "the start page of the portal.\n",
                license_pk=license.pk,
            )
            told += _queue(letter, user.email)
    return told


def tell_of_sightings(now: datetime) -> int:
    """Those who decided a case hear that its written-off host asks again (Design 2, Tombstone)."""
    told = 0
    seen = Sighting.objects.filter(
        seen_at__gte=now - SIGHTED_SINCE,
        tombstone__kind=TombstoneKind.RESTORED,
        tombstone__settled_at__isnull=True,
    )
    for sighting in seen.select_related("tombstone__license__customer", "tombstone__activation"):
        stone = sighting.tombstone
        for user in _staff(Ability.DECIDE_RESTORATION):
            letter = Letter(
                key=f"sighted:{sighting.pk}:{user.pk}",
                subject=f"A written-off host asks again: {stone.license.license_id}",
                body=f"The host {stone.activation.hostname or 'without a name'} of {stone.license.customer.name} "
                f"({stone.license.license_id}) was written off and its activation restored. On "
                f"{sighting.seen_at:%Y-%m-%d %H:%M} UTC a Usage Request came from it.\n\nIt may run without a seat. "
                f"You find {stone.tombstone_id} on the start page of the portal.\n",
                license_pk=stone.license_id,
            )
            told += _queue(letter, user.email)
    return told


def _staff(ability: Ability, *, but: str = "") -> Iterator[User]:
    """Active staff with the ability and an address, superusers only by their groups: they are not on duty."""
    held = Q(groups__permissions__codename=ability.value) | Q(user_permissions__codename=ability.value)
    users = User.objects.filter(held, is_active=True, is_staff=True).exclude(email="").exclude(username=but)
    yield from users.distinct().order_by("id")


def _queue(letter: Letter, to: str) -> bool:
    """Whether it is new: what was told before is not told again."""
    if OutgoingMail.objects.filter(key=letter.key).exists():
        return False
    with transaction.atomic():
        queue(letter, to=to, by=BY, conversation=None)
    return True
